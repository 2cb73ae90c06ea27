//! The nodes that a node knows, and the file that keeps them between runs.
//!
//! An address is forgotten only when there are too many: the crate's table may be empty for
//! minutes, and a node that is away now may be the one through which the network is found again.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::event::{Events, Level};
use crate::file_error::FileError;
use crate::state_file::{Found, StateError, StateFile};

/// The most addresses that are kept: those heard of last.
const MOST: usize = 200;
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// With this many addresses the network is found again; more are worth fewer writes.
const ENOUGH: usize = 20;
/// How often the file is written then.
const PAUSE: Duration = Duration::from_mins(1);

/// Addresses of nodes, the one heard of last first.
#[derive(Debug)]
pub(super) struct Known {
    nodes: Vec<SocketAddrV4>,
    file: Option<StateFile>,
    is_unsaved: bool,
    saved_at: Option<Instant>,
    has_warned: bool,
}

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    nodes: Vec<SocketAddrV4>,
}

impl Known {
    /// The nodes saved in `file`. Reports if that is damaged, and if it `is_told` what was found.
    pub(super) fn open(
        file: Option<StateFile>,
        is_told: bool,
        events: &Events,
    ) -> Result<Self, StateError> {
        let nodes = match &file {
            Some(file) => load(file, is_told, events)?,
            None => Vec::new(),
        };
        let mut known = Self {
            nodes,
            file,
            is_unsaved: false,
            saved_at: None,
            has_warned: false,
        };
        if let Some(file) = &known.file {
            // If the file can't be written, fail now and not when there is something to lose.
            let written = known.write();
            written.map_err(FileError::of("write", file.path()))?;
        }
        known.nodes.truncate(MOST);
        Ok(known)
    }

    /// The addresses.
    pub(super) fn nodes(&self) -> &[SocketAddrV4] {
        &self.nodes
    }

    /// Takes in addresses that were just heard of.
    pub(super) fn hear_of(&mut self, heard: &[SocketAddrV4]) {
        let before: HashSet<_> = self.nodes.iter().copied().collect();
        self.is_unsaved |= heard.iter().any(|address| !before.contains(address));
        let mut seen = HashSet::new();
        let all = heard.iter().chain(&self.nodes).copied();
        self.nodes = all.filter(|address| seen.insert(*address)).collect();
        self.nodes.truncate(MOST);
    }

    /// Saves new addresses: a few at once, many every minute. A failure is reported once.
    pub(super) fn save(&mut self, now: Instant, events: &Events) {
        let is_due = |saved_at| self.nodes.len() <= ENOUGH || now >= saved_at + PAUSE;
        if self.is_unsaved && self.saved_at.is_none_or(is_due) {
            self.saved_at = Some(now);
            self.save_all(events);
        }
    }

    /// Saves new addresses now.
    pub(super) fn save_all(&mut self, events: &Events) {
        let Some(file) = self.file.as_ref().filter(|_| self.is_unsaved) else {
            return;
        };
        match self.write() {
            Ok(()) => self.is_unsaved = false,
            Err(error) if !self.has_warned => {
                let path = file.path().display();
                let why = "after a restart the network may not be found again";
                let what = format_args!("cannot write {path}; {why}: {error}");
                events.notice(Level::Warning, what);
                self.has_warned = true;
            }
            Err(_) => {}
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let nodes = self.nodes.clone();
        file.write(&serde_json::to_vec(&Saved { nodes })?)
    }
}

fn load(file: &StateFile, is_told: bool, events: &Events) -> Result<Vec<SocketAddrV4>, FileError> {
    let parse = |text: &[u8]| {
        let saved = serde_json::from_slice::<Saved>(text);
        saved
            .map(|saved| saved.nodes)
            .map_err(|error| error.to_string())
    };
    let path = file.path().display();
    Ok(match file.read(MAX_FILE, parse)? {
        Found::Nothing => Vec::new(),
        Found::State(nodes) => {
            let what = format_args!("Loaded {} node(s) from {path}", nodes.len());
            if is_told {
                events.notice(Level::Info, what);
            }
            nodes
        }
        Found::Damaged { reason, set_aside } => {
            let set_aside = set_aside.display();
            let what = format_args!(
                "{path} is damaged ({reason}); renamed it to {set_aside} and starting without any \
                 nodes"
            );
            events.notice(Level::Warning, what);
            Vec::new()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::net::Ipv4Addr;
    use std::path::Path;

    fn node(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    fn open(path: &Path) -> Known {
        let file = StateFile::open(path.to_owned()).unwrap();
        Known::open(Some(file), true, &Events::default()).unwrap()
    }

    #[test]
    fn what_was_heard_of_is_saved_and_never_replaced_by_less() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes.json");
        let (now, events) = (Instant::now(), Events::default());
        {
            let mut known = open(&path);
            known.hear_of(&[node(1), node(2)]);
            known.save(now, &events);
            for heard in [vec![], vec![node(3)]] {
                known.hear_of(&heard);
                known.save(now, &events);
            }
        }
        assert_eq!(open(&path).nodes(), [node(3), node(1), node(2)]);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{"nodes":["127.0.0.1:3","127.0.0.1:1","127.0.0.1:2"]}"#
        );
    }

    #[test]
    fn many_addresses_are_written_every_minute_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes.json");
        let (now, events) = (Instant::now(), Events::default());
        let mut known = open(&path);
        let mut hear_of = |port, now| {
            known.hear_of(&[node(port)]);
            known.save(now, &events);
            fs::read_to_string(&path).unwrap().matches(':').count() - 1
        };
        for port in 1..=300 {
            let saved = hear_of(port, now);
            assert_eq!(saved, usize::from(port).min(ENOUGH));
        }
        assert_eq!(hear_of(301, now + PAUSE), MOST);
        assert_eq!(known.nodes()[0], node(301));
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes.json");
        for damage in ["", "{}", r#"{"nodes":["[::1]:5"]}"#, "\0"] {
            fs::write(&path, damage).unwrap();
            assert_eq!(open(&path).nodes(), []);
            let names = fs::read_dir(folder.path()).unwrap();
            let names = names.map(|entry| entry.unwrap().path());
            let aside = |path: &std::path::PathBuf| path.to_string_lossy().contains(".damaged-");
            let aside: Vec<_> = names.filter(aside).collect();
            assert_eq!(fs::read_to_string(&aside[0]).unwrap(), damage);
            fs::remove_file(&aside[0]).unwrap();
        }
    }
}
