//! The shared folder: which RFCs this peer has, their titles, and how their files are read and
//! replaced.
//!
//! This is the only place that knows what this peer shares; the index and the uploads ask it. File
//! names are built from numbers, never from a message, so a stranger can't name a file outside the
//! folder. Files are never modified.

mod document;
mod incoming;
mod reports;
pub mod scan;
pub mod title;
mod titles;
mod watch;

pub use document::Document;
pub use incoming::Incoming;
pub use reports::Reports;
pub use watch::Changes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::scan::{Found, Stamp};
use self::titles::Titles;
use crate::event::{Events, Level};
use crate::file_error::FileError;
use crate::wire::di::exchange::Digest;
use crate::wire::{Endpoint, Record, RfcNumber, Title};

/// How often somebody who waits for a digest that another computes checks whether it is wanted.
const DIGEST_LOOK: Duration = Duration::from_millis(250);

/// A document as it is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rfc {
    /// Its number, which is its key.
    pub number: RfcNumber,
    /// Its title. Several documents may have the same one.
    pub title: Title,
}

impl Rfc {
    /// The record that names its holder.
    pub fn held_by(self, holder: &Endpoint) -> Record {
        let Self { number, title } = self;
        let holder = holder.clone();
        Record {
            number,
            title,
            holder,
        }
    }
}

/// The shared folder, without its subfolders.
///
/// Files are read without holding the lock, so no query waits for a disk.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    /// Whether the folder may be missing until something is received. A shared folder that
    /// disappears is an error.
    may_be_missing: bool,
    state: Mutex<State>,
    events: Events,
}

#[derive(Debug, Default)]
struct State {
    /// What is offered, if not everything.
    only: Option<BTreeSet<RfcNumber>>,
    /// What the last scan of the folder found, offered or not.
    files: BTreeMap<RfcNumber, Found>,
    entries: BTreeMap<RfcNumber, Entry>,
}

/// What is known about an offered RFC.
#[derive(Debug, Default)]
struct Entry {
    /// Whether it is announced to others.
    is_shared: bool,
    /// The stamp of the file when its title was read.
    read: Option<Stamp>,
    /// The title printed in the file.
    printed: Option<Title>,
    /// The title given by the user. It takes precedence until the file prints a different one.
    given: Option<Title>,
    /// The SHA-256 of the file, once requested, with the stamp of the file at that time. The lock is
    /// held while it is computed.
    digest: Arc<Mutex<Option<(Stamp, Digest)>>>,
}

/// Why a folder can't be shared.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The folder can't be created or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Requested RFCs are missing. The text names them, and those that exist.
    #[error("{0}")]
    Missing(String),
}

impl Library {
    /// Shares the folder, and creates it if it is missing. With `only`, offers only those RFCs. It
    /// reads the title of every offered file, or takes it from the file `kept` if it was read in a
    /// previous run; a file that can't be read is reported as an event and not shared.
    pub fn open(
        folder: &Path,
        only: Option<&[RfcNumber]>,
        kept: Option<&Path>,
        events: Events,
    ) -> Result<Self, LibraryError> {
        fs::create_dir_all(folder).map_err(FileError::of("create the folder", folder))?;
        let files = scan::files(folder)?;
        for Found { path, others, .. } in files.values().filter(|file| !file.others.is_empty()) {
            let names = [path].into_iter().chain(others);
            let names: Vec<_> = names.map(|path| path.display().to_string()).collect();
            let names = names.join(", ");
            let what = format_args!("{names} are the same RFC; sharing the first");
            events.notice(Level::Warning, what);
        }
        let only: Option<BTreeSet<_>> = only.map(|only| only.iter().copied().collect());
        let missing = only.iter().flatten().filter(|n| !files.contains_key(n));
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            let (folder, missing) = (folder.display(), listed(missing));
            let present = listed(files.keys());
            let text = format!("{folder} has no file for RFC {missing}; it has {present}");
            return Err(LibraryError::Missing(text));
        }
        let library = Self::new(folder, only, false, events);
        let titles = kept.map(|path| Titles::kept_in(path.to_owned()));
        let titles = titles.unwrap_or_default();
        // Two identical scans: what is there now is shared at once.
        library.take_in(files.clone(), &titles);
        library.take_in(files, &titles);
        let state = library.state.lock();
        titles.keep(
            state.entries.iter().filter_map(|(&number, entry)| {
                Some((number, entry.read?, entry.printed.as_ref()?))
            }),
        );
        drop(state);
        Ok(library)
    }

    /// The folder without any offered documents; those received into it or offered later are
    /// shared. The folder may be missing, but if it exists it must be readable.
    pub fn unshared(folder: &Path, events: Events) -> Result<Self, FileError> {
        let library = Self::new(folder, Some(BTreeSet::new()), true, events);
        if folder.exists() {
            library.take_in(scan::files(folder)?, &Titles::default());
        }
        Ok(library)
    }

    fn new(
        folder: &Path,
        only: Option<BTreeSet<RfcNumber>>,
        may_be_missing: bool,
        events: Events,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            may_be_missing,
            state: Mutex::new(State {
                only,
                ..State::default()
            }),
            events,
        }
    }

    /// The folder, as given by the user.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every shared document, by number. It reads no file; it copies the list, but not the titles.
    pub fn shared(&self) -> Vec<Rfc> {
        let state = self.state.lock();
        let shared = state.entries.iter().filter(|(_, entry)| entry.is_shared);
        shared.map(|(&number, entry)| entry.rfc(number)).collect()
    }

    /// The title of a shared RFC; `None` if it is not shared. It reads no file.
    pub fn title(&self, number: RfcNumber) -> Option<Title> {
        let state = self.state.lock();
        let entry = state.entries.get(&number).filter(|e| e.is_shared)?;
        Some(entry.rfc(number).title)
    }

    /// The title of an open document, as it is shared. A file that is too new to be shared is read
    /// each time.
    pub fn title_of(&self, document: &Document) -> Title {
        let title = self.title(document.number);
        let title = title.or_else(|| document.printed_title().ok());
        title.unwrap_or_else(|| Title::fallback(document.number))
    }

    /// Shares an RFC from now on, under `title`, else under the title in its file, else as `RFC N`.
    /// A given title stays until the file prints a different one. The file may be missing. Its
    /// title is read if it was not read yet.
    pub fn offer(&self, number: RfcNumber, title: Option<Title>) -> Rfc {
        if let Some(only) = &mut self.state.lock().only {
            only.insert(number);
        }
        if let Some(path) = self.path_of(number)
            && let Ok(stamp) = fs::metadata(&path).and_then(|found| Stamp::of(&found))
            && !self.state.lock().is_read(number, stamp)
        {
            let read = Document::open(number, &path).and_then(|document| document.printed_title());
            self.share(number, &path, stamp, read);
        }
        let mut state = self.state.lock();
        let entry = state.entries.entry(number).or_default();
        entry.is_shared = true;
        entry.given = title;
        entry.rfc(number)
    }

    /// The path of an RFC's file, whether it is offered or not. It looks at the disk: a file with
    /// the usual name is found at once, one with another name after the next scan.
    pub fn path_of(&self, number: RfcNumber) -> Option<PathBuf> {
        let usual = scan::usual_path(&self.folder, number);
        if usual.is_file() {
            return Some(usual);
        }
        let path = self.state.lock().files.get(&number)?.path.clone();
        Some(path).filter(|path| path.is_file())
    }

    /// Opens an RFC for an upload; `None` if it is missing or not offered. A file that is too new
    /// to be shared is opened all the same.
    pub fn document(&self, number: RfcNumber) -> Result<Option<Document>, FileError> {
        if !self.state.lock().is_offered(number) {
            return Ok(None);
        }
        // Opening it is also the look whether it is there.
        let usual = scan::usual_path(&self.folder, number);
        let other = || Some(self.state.lock().files.get(&number)?.path.clone());
        for path in iter::once(usual).chain(iter::once_with(other).flatten()) {
            match Document::open(number, &path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened.map(Some).map_err(FileError::of("read", &path)),
            }
        }
        Ok(None)
    }

    /// The SHA-256 of a document. The file is read once, however many ask at the same time; the
    /// digest is kept while the stamp of the file stays the same. It is an error if the digest
    /// `is_wanted` no longer before it is known.
    pub fn digest(
        &self,
        document: &Document,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Digest, FileError> {
        let Document { number, stamp, .. } = *document;
        let entry = self
            .state
            .lock()
            .entries
            .entry(number)
            .or_default()
            .digest
            .clone();
        let compute = || {
            let mut known = loop {
                match entry.try_lock_for(DIGEST_LOOK) {
                    Some(known) => break known,
                    None if is_wanted() => {}
                    None => return Err(document::unwanted()),
                }
            };
            if let Some((_, digest)) = known.filter(|(hashed, _)| *hashed == stamp) {
                return Ok(digest);
            }
            let digest = document.hash(&is_wanted)?;
            *known = Some((stamp, digest));
            Ok(digest)
        };
        let path = scan::usual_path(&self.folder, number);
        compute().map_err(FileError::of("compute the digest of", &path))
    }

    /// Begins to receive the file of an RFC. An existing file stays until the new one is complete,
    /// and is never replaced without `may_replace`. A symbolic link is replaced, not its target.
    pub fn receive(&self, number: RfcNumber, may_replace: bool) -> Result<Incoming, FileError> {
        let path = self.path_of(number);
        let path = path.unwrap_or_else(|| scan::usual_path(&self.folder, number));
        if self.may_be_missing {
            let made = fs::create_dir_all(&self.folder);
            made.map_err(FileError::of("create the folder", &self.folder))?;
        }
        Incoming::new(path, may_replace)
    }

    /// Shares a file under the title that was `read` in it. Returns the RFC if its title is new.
    fn share(
        &self,
        number: RfcNumber,
        path: &Path,
        stamp: Stamp,
        read: io::Result<Title>,
    ) -> Option<Rfc> {
        let mut state = self.state.lock();
        let entry = state.entries.entry(number).or_default();
        entry.read = Some(stamp);
        match read {
            Ok(printed) => {
                let before = entry.is_shared.then(|| entry.rfc(number));
                entry.is_shared = true;
                entry.print(printed);
                Some(entry.rfc(number)).filter(|rfc| before.as_ref() != Some(rfc))
            }
            Err(error) => {
                let path = path.display();
                let what = format_args!("cannot read {path}: {error}; it is not shared");
                self.events.notice(Level::Warning, what);
                None
            }
        }
    }
}

impl State {
    fn is_offered(&self, number: RfcNumber) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.contains(&number))
    }

    /// Whether the title of the file with this stamp was read.
    fn is_read(&self, number: RfcNumber, stamp: Stamp) -> bool {
        let entry = self.entries.get(&number);
        entry.is_some_and(|entry| entry.read == Some(stamp))
    }
}

impl Entry {
    /// The RFC as it is shared.
    fn rfc(&self, number: RfcNumber) -> Rfc {
        let title = self.given.as_ref().or(self.printed.as_ref()).cloned();
        Rfc {
            number,
            title: title.unwrap_or_else(|| Title::fallback(number)),
        }
    }

    /// Sets the title that the file prints.
    fn print(&mut self, title: Title) {
        let before = self.printed.replace(title);
        if before.is_some() && before != self.printed {
            self.given = None;
        }
    }
}

fn listed<'a>(numbers: impl IntoIterator<Item = &'a RfcNumber>) -> String {
    let numbers: Vec<_> = numbers.into_iter().map(RfcNumber::to_string).collect();
    if numbers.is_empty() {
        "none".to_owned()
    } else {
        numbers.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use tempfile::{TempDir, tempdir};

    pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    pub(super) fn open(folder: &TempDir) -> Library {
        Library::open(folder.path(), None, None, Events::default()).unwrap()
    }

    pub(super) fn number(number: u32) -> RfcNumber {
        RfcNumber::new(number).unwrap()
    }

    fn title(text: &str) -> Title {
        text.parse().unwrap()
    }

    /// RFC 7 with a title.
    pub(super) fn rfc7(title: &str) -> String {
        format!(
            "Network Working Group\nRequest for Comments: 7      May 1999\n\n\n    {title}\n\n\nAbstract\n\n   Text.\n"
        )
    }

    /// Writes a file with a modification time so many seconds after 1970.
    pub(super) fn write_at(folder: &TempDir, name: &str, text: &str, seconds: u64) {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    fn shared(library: &Library) -> Vec<u32> {
        let shared = library.shared().into_iter();
        shared.map(|rfc| rfc.number.get()).collect()
    }

    #[test]
    fn of_two_names_for_one_number_the_usual_one_is_shared() {
        let folder = folder(&[("RFC0791.txt", "other"), ("rfc791.txt", "usual")]);
        let library = open(&folder);
        assert_eq!(shared(&library), [791]);
        assert_eq!(
            library.document(number(791)).unwrap().unwrap().stamp.length,
            5
        );
        let path = library.path_of(number(791)).unwrap();
        assert!(path.ends_with("rfc791.txt"));
    }

    #[test]
    fn a_file_with_an_unusual_name_is_shared() {
        let folder = folder(&[("RFC0791.txt", "unusual")]);
        let library = open(&folder);
        assert_eq!(shared(&library), [791]);
        assert_eq!(
            library.document(number(791)).unwrap().unwrap().stamp.length,
            7
        );
        let mut incoming = library.receive(number(791), true).unwrap();
        incoming.write(b"new").unwrap();
        assert!(incoming.keep(None).unwrap().ends_with("RFC0791.txt"));
    }

    #[test]
    fn a_file_without_a_title_goes_by_its_number() {
        let folder = folder(&[("rfc7.txt", "dummy text\n"), ("rfc8.txt", "")]);
        let shared = open(&folder).shared();
        let titles: Vec<_> = shared.iter().map(|rfc| rfc.title.as_str()).collect();
        assert_eq!(titles, ["RFC 7", "RFC 8"]);
    }

    #[test]
    fn only_what_was_chosen_is_offered() {
        let folder = folder(&[("rfc1.txt", ""), ("rfc2.txt", ""), ("rfc3.txt", "")]);
        let only = [number(2)];
        let library = Library::open(folder.path(), Some(&only), None, Events::default()).unwrap();
        assert_eq!(shared(&library), [2]);
        assert!(library.document(number(1)).unwrap().is_none());
        assert!(library.document(number(2)).unwrap().is_some());
        library.offer(number(3), None);
        assert_eq!(shared(&library), [2, 3]);
        assert!(library.document(number(3)).unwrap().is_some());
        let only = [number(9), number(1)];
        let error = Library::open(folder.path(), Some(&only), None, Events::default()).unwrap_err();
        let message = format!(
            "{} has no file for RFC 9; it has 1, 2, 3",
            folder.path().display()
        );
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn nothing_is_shared_of_an_unshared_folder_but_what_is_offered() {
        let folder = folder(&[("rfc1.txt", ""), ("RFC2.TXT", "")]);
        let library = Library::unshared(folder.path(), Events::default()).unwrap();
        assert!(shared(&library).is_empty());
        assert!(library.document(number(1)).unwrap().is_none());
        assert!(library.path_of(number(2)).is_some());
        library.offer(number(2), None);
        assert_eq!(shared(&library), [2]);
        assert!(library.document(number(2)).unwrap().is_some());

        let missing = folder.path().join("missing");
        let library = Library::unshared(&missing, Events::default()).unwrap();
        assert!(!missing.exists());
        let mut incoming = library.receive(number(5), false).unwrap();
        incoming.write(b"five").unwrap();
        assert_eq!(incoming.keep(None).unwrap(), missing.join("rfc5.txt"));
        assert!(Library::unshared(&missing.join("rfc5.txt"), Events::default()).is_err());
    }

    #[test]
    fn a_file_that_comes_later_is_found() {
        let folder = folder(&[]);
        let library = open(&folder);
        assert!(library.document(number(7)).unwrap().is_none());
        let text = rfc7("A Title");
        fs::write(folder.path().join("rfc7.txt"), &text).unwrap();
        let document = library.document(number(7)).unwrap().unwrap();
        assert_eq!(library.title(number(7)), None, "it is not shared yet");
        assert_eq!(library.title_of(&document).as_str(), "A Title");
        let mut read = String::new();
        (&document.file).read_to_string(&mut read).unwrap();
        assert_eq!(read, text, "reading the title must rewind the file");
    }

    #[test]
    fn a_title_is_read_once_as_long_as_the_file_looks_the_same() {
        let folder = folder(&[]);
        write_at(&folder, "rfc7.txt", &rfc7("One"), 5);
        let library = open(&folder);
        write_at(&folder, "rfc7.txt", &rfc7("Two"), 5);
        assert_eq!(library.title(number(7)), Some(title("One")));
        assert_eq!(library.shared()[0].title, title("One"));
        assert_eq!(library.offer(number(7), None).title, title("One"));
        assert!(library.look().settled.is_empty());
        write_at(&folder, "rfc7.txt", &rfc7("Two"), 6);
        assert_eq!(library.offer(number(7), None).title, title("Two"));
    }

    #[test]
    fn a_digest_is_kept_as_long_as_the_file_looks_the_same() {
        let folder = folder(&[]);
        let library = open(&folder);
        let digest = |text, seconds| {
            write_at(&folder, "rfc7.txt", text, seconds);
            let document = library.document(number(7)).unwrap().unwrap();
            library.digest(&document, || true).unwrap()
        };
        let first = digest("one", 5);
        assert_eq!(digest("two", 5), first);
        assert_ne!(digest("two", 6), first);
    }

    #[test]
    fn the_digest_that_many_want_is_computed_once_and_never_for_nobody() {
        let folder = folder(&[]);
        let library = open(&folder);
        write_at(&folder, "rfc7.txt", &"x".repeat(1_000_000), 5);
        let reads = AtomicUsize::new(0);
        let digest = |is_wanted| {
            let document = library.document(number(7)).unwrap().unwrap();
            library.digest(&document, || {
                reads.fetch_add(1, Ordering::Relaxed);
                is_wanted
            })
        };
        assert!(digest(false).is_err());
        assert_eq!(reads.swap(0, Ordering::Relaxed), 1);
        let file = library.document(number(7)).unwrap().unwrap();
        let pieces = file.stamp.length.div_ceil(256 * 1024);
        let begun = Instant::now();
        let digests: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| digest(true).unwrap()))
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
        // Those who wait look now and then whether it is wanted, and read nothing.
        let looks = 7 * begun.elapsed().as_millis() / DIGEST_LOOK.as_millis();
        let most = u128::from(pieces) + 8 + looks;
        assert!(u128::try_from(reads.into_inner()).unwrap() <= most);
        let document = library.document(number(7)).unwrap().unwrap();
        library
            .digest(&document, || unreachable!("it is known"))
            .unwrap();
    }

    #[test]
    fn a_title_that_is_given_takes_precedence() {
        let folder = folder(&[("rfc7.txt", &rfc7("Printed"))]);
        let library = open(&folder);
        assert_eq!(library.title(number(7)), Some(title("Printed")));
        assert_eq!(
            library.offer(number(7), Some(title("Given"))).title,
            title("Given")
        );
        assert_eq!(library.shared().len(), 1);
        assert_eq!(library.title(number(7)), Some(title("Given")));
        assert_eq!(library.offer(number(7), None).title, title("Printed"));
    }

    #[test]
    fn what_has_no_file_is_shared_by_its_title() {
        let folder = folder(&[]);
        let library = open(&folder);
        assert_eq!(library.title(number(7)), None);
        assert_eq!(
            library.offer(number(7), Some(title("Given"))).title,
            title("Given")
        );
        assert_eq!(library.offer(number(8), None).title, title("RFC 8"));
        assert_eq!(shared(&library), [7, 8]);
        assert!(library.document(number(7)).unwrap().is_none());
    }

    #[test]
    fn dangling_links_and_pipes_are_not_shared() {
        let folder = folder(&[]);
        std::os::unix::fs::symlink("nowhere", folder.path().join("rfc1.txt")).unwrap();
        let library = open(&folder);
        assert!(shared(&library).is_empty());
        assert!(library.document(number(1)).unwrap().is_none());
    }

    #[test]
    fn a_replaced_file_is_delivered_from_the_old_one() {
        let folder = folder(&[("rfc1.txt", "old")]);
        let library = open(&folder);
        let document = library.document(number(1)).unwrap().unwrap();
        let mut incoming = library.receive(number(1), true).unwrap();
        incoming.write(b"newer").unwrap();
        incoming.keep(None).unwrap();
        let mut text = String::new();
        (&document.file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "old");
    }
}
