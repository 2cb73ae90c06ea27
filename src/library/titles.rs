//! The titles of many files: read on several threads, and kept between runs.

use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::panic;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tracing::debug;

use super::document::Document;
use super::scan::{Found, Stamp};
use crate::state_file::{self, StateFile};
use crate::wire::{RfcNumber, Title};

/// The most threads that read titles.
const MOST_THREADS: usize = 4;
/// The fewest files that are worth another thread,
const LEAST_SHARE: usize = 64;
/// and the fewest that are worth a file with their titles.
const LEAST_KEPT: usize = 256;
/// The longest file of titles, in bytes: those of some 500,000 RFCs.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// The titles of a previous run.
#[derive(Debug, Default)]
pub(super) struct Titles {
    /// Where they are kept.
    path: Option<PathBuf>,
    known: HashMap<(RfcNumber, Stamp), Title>,
}

/// A title in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    number: RfcNumber,
    inode: u64,
    length: u64,
    /// In nanoseconds since 1970.
    modified: u64,
    title: Title,
}

impl Titles {
    /// The titles that a file keeps. One that can't be used has none.
    pub(super) fn kept_in(path: PathBuf) -> Self {
        let parse = |text: &[u8]| {
            let kept: Vec<Kept> =
                serde_json::from_slice(text).map_err(|error| error.to_string())?;
            Ok::<HashMap<_, _>, String>(kept.into_iter().map(Kept::into_known).collect())
        };
        let read = || {
            // Opening it would create its folder and its lock.
            if !path.exists() {
                return Ok(state_file::Found::Nothing);
            }
            let file = StateFile::open(path.clone()).map_err(|error| error.to_string())?;
            file.read(MAX_FILE, parse)
                .map_err(|error| error.to_string())
        };
        let known = match read() {
            Ok(state_file::Found::State(known)) => known,
            Ok(state_file::Found::Nothing) => HashMap::new(),
            Ok(state_file::Found::Damaged { reason, .. }) | Err(reason) => {
                debug!(%reason, "the titles in {} are read anew", path.display());
                HashMap::new()
            }
        };
        let path = Some(path);
        Self { path, known }
    }

    /// The title of each file, in order. Only those that are not known are read.
    pub(super) fn of(&self, files: &[(RfcNumber, Found)]) -> Vec<io::Result<Title>> {
        let read = |(number, found): &(RfcNumber, Found)| {
            let known = self.known.get(&(*number, found.stamp));
            known.map_or_else(
                || Document::open(*number, &found.path)?.printed_title(),
                |title| Ok(title.clone()),
            )
        };
        let read_all = |files: &[_]| files.iter().map(read).collect::<Vec<_>>();
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = files.len().div_ceil(threads.min(MOST_THREADS));
        let mut shares = files.chunks(share.max(LEAST_SHARE));
        let first = shares.next().unwrap_or_default();
        thread::scope(|scope| {
            let start = |share| {
                let thread = thread::Builder::new().name("titles".to_owned());
                thread
                    .spawn_scoped(scope, move || read_all(share))
                    .map_err(|_| share)
            };
            let others: Vec<_> = shares.map(start).collect();
            let mut titles = read_all(first);
            for other in others {
                titles.extend(match other {
                    Ok(thread) => thread.join().unwrap_or_else(|p| panic::resume_unwind(p)),
                    // There is no such thread.
                    Err(share) => read_all(share),
                });
            }
            titles
        })
    }

    /// Keeps these titles for the next run, if they are worth it.
    pub(super) fn keep<'a>(self, titles: impl Iterator<Item = (RfcNumber, Stamp, &'a Title)>) {
        let Some(path) = self.path else { return };
        let mut new = 0;
        let mut kept = Vec::new();
        for (number, stamp, title) in titles {
            new += usize::from(!self.known.contains_key(&(number, stamp)));
            kept.extend(Kept::new(number, stamp, title));
        }
        if new < LEAST_KEPT {
            return;
        }
        let saved = serde_json::to_vec(&kept).map_err(|error| error.to_string());
        let saved = saved.and_then(|text| {
            if u64::try_from(text.len()).is_ok_and(|length| length > MAX_FILE) {
                return Err("they are too long".to_owned());
            }
            let file = StateFile::open(path.clone()).map_err(|error| error.to_string())?;
            file.write(&text).map_err(|error| error.to_string())
        });
        if let Err(reason) = saved {
            debug!(%reason, "the titles are not kept in {}", path.display());
        }
    }
}

impl Kept {
    /// `None` if the file is from before 1970.
    fn new(number: RfcNumber, stamp: Stamp, title: &Title) -> Option<Self> {
        let modified = stamp.modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(Self {
            number,
            inode: stamp.inode,
            length: stamp.length,
            modified: modified.as_nanos().try_into().ok()?,
            title: title.clone(),
        })
    }

    fn into_known(self) -> ((RfcNumber, Stamp), Title) {
        let stamp = Stamp {
            inode: self.inode,
            length: self.length,
            modified: SystemTime::UNIX_EPOCH + Duration::from_nanos(self.modified),
        };
        ((self.number, stamp), self.title)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use crate::event::Events;
    use crate::library::Library;
    use crate::library::tests::{rfc7, write_at};

    const MANY: u32 = 300;

    /// The title of RFC 7 in a folder with many more, as a peer shares it that keeps titles.
    fn title(folder: &TempDir, state: &Path) -> String {
        let library = Library::open(folder.path(), None, Some(state), Events::default()).unwrap();
        let shared = library.shared();
        assert_eq!(shared.len(), 300);
        shared[6].title.to_string()
    }

    #[test]
    fn the_next_run_reads_only_what_has_changed() {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let state = state.path().join("deep/titles.json");
        for number in 1..=MANY {
            write_at(&folder, &format!("rfc{number}.txt"), "", 5);
        }
        write_at(&folder, "rfc7.txt", &rfc7("One"), 5);
        assert_eq!(title(&folder, &state), "One");
        // It looks the same, so it is not read.
        write_at(&folder, "rfc7.txt", &rfc7("Two"), 5);
        assert_eq!(title(&folder, &state), "One");
        write_at(&folder, "rfc7.txt", &rfc7("Two"), 6);
        assert_eq!(title(&folder, &state), "Two");
        // A damaged file costs only time.
        for damage in ["", "[{}]", "nonsense"] {
            fs::write(&state, damage).unwrap();
            assert_eq!(title(&folder, &state), "Two");
        }
        write_at(&folder, "rfc7.txt", &rfc7("Six"), 6);
        assert_eq!(title(&folder, &state), "Two", "it was kept again");
    }

    #[test]
    fn a_small_folder_leaves_no_file() {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_at(&folder, "rfc7.txt", &rfc7("One"), 5);
        let state = state.path().join("deep");
        let kept = state.join("titles.json");
        Library::open(folder.path(), None, Some(&kept), Events::default()).unwrap();
        assert!(!state.exists());
    }
}
