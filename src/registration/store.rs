//! The table of peers behind one lock, and the file that saves it.
//!
//! A registration is answered once it is on disk, so a server that is killed and restarted forgets
//! nobody. Concurrent registrations share one write. Renewals of a time to live are written within
//! a second.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::table::{Registrar, Saved};
use crate::event::{Events, Level};
use crate::file_error::FileError;
use crate::state_file::{Found, StateError, StateFile};

/// How long changes that nobody waits for may stay unwritten.
const LAZY_TIME: Duration = Duration::from_secs(1);
/// How long a change waits for the disk: in frames an answer must come within a second. The table
/// in memory is correct even if the disk is full.
const SAVE_TIME: Duration = Duration::from_millis(500);
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The table of a registration server. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Register(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    file: Option<StateFile>,
    events: Events,
    /// Held while the file is written.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    table: Registrar,
    /// The number of changes,
    changes: u64,
    /// the last one that somebody waits for,
    urgent: u64,
    /// and the last one that is on disk.
    saved: u64,
    is_closing: bool,
}

impl Register {
    /// The table saved in `path`, or a new one; without a path it is kept only in memory. Records
    /// live for `ttl`.
    pub fn open(
        path: Option<PathBuf>,
        ttl: Duration,
        events: Events,
    ) -> Result<(Self, Found<usize>), StateError> {
        let file = path.map(StateFile::open).transpose()?;
        let (table, found) = match &file {
            Some(file) => load(file, ttl)?,
            None => (Registrar::new(ttl), Found::Nothing),
        };
        if let Some(file) = &file {
            // If the file can't be written, fail now and not after the first registration.
            save(file, &table.to_saved()).map_err(FileError::of("write", file.path()))?;
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                table,
                changes: 0,
                urgent: 0,
                saved: 0,
                is_closing: false,
            }),
            changed: Condvar::new(),
            file,
            events,
            writing: Mutex::default(),
        });
        if let Some(file) = &shared.file {
            let saving = Arc::clone(&shared);
            let thread = thread::Builder::new().name("register".to_owned());
            let thread = thread.spawn(move || saving.save_for_ever());
            thread.map_err(FileError::of("start a thread that writes", file.path()))?;
        }
        Ok((Self(shared), found))
    }

    /// Changes the table, and waits until the change is on disk.
    pub fn change<T>(&self, change: impl FnOnce(&mut Registrar) -> T) -> T {
        let mut state = self.0.state.lock();
        let done = change(&mut state.table);
        state.changes += 1;
        state.urgent = state.changes;
        let mine = state.changes;
        self.0.changed.notify_all();
        if self.0.file.is_some() {
            let unsaved = |state: &mut State| state.saved < mine && !state.is_closing;
            // If the disk takes longer, the peer is answered anyway.
            self.0
                .changed
                .wait_while_for(&mut state, unsaved, SAVE_TIME);
        }
        done
    }

    /// Changes the table; the change may be written later.
    pub fn touch<T>(&self, change: impl FnOnce(&mut Registrar) -> T) -> T {
        let mut state = self.0.state.lock();
        state.changes += 1;
        change(&mut state.table)
    }

    /// Reads the table.
    pub fn look<T>(&self, look: impl FnOnce(&Registrar) -> T) -> T {
        look(&self.0.state.lock().table)
    }

    /// Writes all pending changes and unlocks the file. Nothing is written after that.
    pub fn close(&self) {
        self.0.state.lock().is_closing = true;
        self.0.changed.notify_all();
        let _writing = self.0.writing.lock();
        let state = self.0.state.lock();
        let Some(file) = &self.0.file else { return };
        if state.saved < state.changes
            && let Err(error) = save(file, &state.table.to_saved())
        {
            let what = format_args!("cannot write {}: {error}", file.path().display());
            self.0.events.notice(Level::Warning, what);
        }
        file.unlock();
    }
}

impl Shared {
    fn save_for_ever(&self) {
        let Some(file) = &self.file else { return };
        let mut has_warned = false;
        loop {
            let lazy = |state: &mut State| state.urgent <= state.saved && !state.is_closing;
            self.changed
                .wait_while_for(&mut self.state.lock(), lazy, LAZY_TIME);
            let writing = self.writing.lock();
            let state = self.state.lock();
            if state.is_closing {
                return;
            }
            if state.saved == state.changes {
                continue;
            }
            let (changes, saved) = (state.changes, state.table.to_saved());
            drop(state);
            let written = save(file, &saved);
            if let Err(error) = &written
                && !has_warned
            {
                let why = "a restart would forget peers that register now";
                let what = format_args!("cannot write {}; {why}: {error}", file.path().display());
                self.events.notice(Level::Warning, what);
            }
            has_warned = written.is_err();
            // After a failure nobody waits any longer; the next write retries it.
            self.state.lock().saved = changes;
            self.changed.notify_all();
            drop(writing);
            if has_warned {
                self.state.lock().changes += 1;
                thread::sleep(LAZY_TIME);
            }
        }
    }
}

fn load(file: &StateFile, ttl: Duration) -> Result<(Registrar, Found<usize>), FileError> {
    let parse = |text: &[u8]| {
        let saved = serde_json::from_slice::<Saved>(text).map_err(|error| error.to_string())?;
        Registrar::from_saved(saved, ttl).ok_or_else(|| "its contents are inconsistent".to_owned())
    };
    Ok(match file.read(MAX_FILE, parse)? {
        Found::State(table) => {
            let count = table.len();
            (table, Found::State(count))
        }
        Found::Nothing => (Registrar::new(ttl), Found::Nothing),
        Found::Damaged { reason, set_aside } => {
            (Registrar::new(ttl), Found::Damaged { reason, set_aside })
        }
    })
}

fn save(file: &StateFile, saved: &Saved) -> io::Result<()> {
    file.write(&serde_json::to_vec(saved)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;
    use crate::wire::{Endpoint, Port};

    const TTL: Duration = Duration::from_hours(2);

    fn peer(port: u16) -> Endpoint {
        Endpoint::parse(&format!("vm:{port}"), Port::MIN).unwrap()
    }

    /// A copy of a file, beside it.
    fn copied(path: &Path) -> PathBuf {
        let copy = path.with_extension("copy");
        fs::copy(path, &copy).unwrap();
        copy
    }

    fn register(register: &Register, port: u16) -> u32 {
        let now = SystemTime::now();
        register
            .change(|table| table.register(&peer(port), None, now))
            .unwrap()
            .cookie
            .0
    }

    #[test]
    fn a_registration_is_on_the_disk_before_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/peers.json");
        let (before, found) = Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
        assert!(matches!(found, Found::Nothing));
        assert_eq!([register(&before, 5), register(&before, 6)], [1, 2]);
        let second = Register::open(Some(path.clone()), TTL, Events::default());
        assert!(matches!(second, Err(StateError::InUse(_))));
        // The state after a kill: the file as it was then, with no lock.
        let path = copied(&path);
        let (after, found) = Register::open(Some(path), TTL, Events::default()).unwrap();
        assert!(matches!(found, Found::State(2)));
        assert_eq!([register(&after, 6), register(&after, 7)], [2, 3]);
    }

    #[test]
    fn registrations_that_come_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.json");
        let (table, _) = Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
        thread::scope(|scope| {
            for thread in 0..8 {
                let table = &table;
                scope.spawn(move || {
                    for number in 1..=20 {
                        register(table, thread * 100 + number);
                    }
                });
            }
        });
        assert!(matches!(
            Register::open(Some(copied(&path)), TTL, Events::default())
                .unwrap()
                .1,
            Found::State(160)
        ));
    }

    #[test]
    fn nothing_but_a_file_is_used_and_nobody_s_file_is_changed_for_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.json");
        let lock = folder.path().join("peers.json.lock");
        fs::write(&lock, "precious").unwrap();
        let (table, _) = Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
        assert_eq!(register(&table, 5), 1);
        assert_eq!(fs::read_to_string(&lock).unwrap(), "precious");
        for other in [folder.path(), Path::new("/dev/null")] {
            let opened = Register::open(Some(other.to_owned()), TTL, Events::default());
            assert!(matches!(opened, Err(StateError::File(_))), "{other:?}");
        }
        let linked = folder.path().join("linked.json");
        std::os::unix::fs::symlink(&lock, folder.path().join("linked.json.lock")).unwrap();
        let opened = Register::open(Some(linked), TTL, Events::default());
        assert!(matches!(opened, Err(StateError::File(_))));
        // A folder that replaces the file leaves no temporary files behind.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        register(&table, 6);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        for damage in ["", "{", "[]", r#"{"next_cookie":1,"peers":[{}]}"#, "\0\0\0"] {
            let path = folder.path().join(format!("peers-{}.json", damage.len()));
            fs::write(&path, damage).unwrap();
            let (table, found) =
                Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
            let Found::Damaged { set_aside, reason } = found else {
                panic!("{damage:?} is taken for a table")
            };
            assert_eq!(fs::read_to_string(set_aside).unwrap(), damage);
            assert!(!reason.is_empty());
            assert_eq!(register(&table, 5), 1);
        }
    }
}
