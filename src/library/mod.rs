//! The folder that is shared: which RFCs it holds, and how files are read and replaced.
//!
//! File names come from numbers, never from a message, so that nothing a stranger sends can name
//! a file outside the folder. Bytes are never changed.

pub mod title;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt;
use sha2::{Digest as _, Sha256};
use tracing::debug;

use self::title::{TITLE_WINDOW, printed_title};
use crate::event::{Events, Level};
use crate::wire::di::exchange::Digest;
use crate::wire::{RfcNumber, Title};

/// A document as it is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rfc {
    /// Its number, which is its key.
    pub number: RfcNumber,
    /// Its title: several documents may have the same.
    pub title: Title,
}

impl From<(&RfcNumber, &Title)> for Rfc {
    fn from((number, title): (&RfcNumber, &Title)) -> Self {
        Self {
            number: *number,
            title: title.clone(),
        }
    }
}

/// What the bytes of a file hash to, and how the file looked then.
type Hashed = ((u64, SystemTime), Digest);

/// The shared folder. It is not searched below its first level.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    /// Whether it is made once something is received. A folder that is shared and goes is an error.
    may_be_missing: bool,
    shared: Mutex<Shared>,
    events: Events,
}

#[derive(Debug, Default)]
struct Shared {
    /// Files under other names than the usual `rfcN.txt`, as of the last look at the folder. The
    /// usual name needs no look: it is made from the number.
    unusual: BTreeMap<RfcNumber, PathBuf>,
    /// The digests of files that were asked for.
    digests: BTreeMap<RfcNumber, Hashed>,
    /// What is offered, where it is not everything.
    only: Option<BTreeSet<RfcNumber>>,
}

/// Something about the folder or a file in it that went wrong.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The system refused what was to be done to a file or the folder.
    #[error("cannot {doing} {}: {reason}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        reason: io::Error,
    },
    /// The place of a file is taken by something else.
    #[error("cannot write {}: it is there and is not a file", .0.display())]
    NotAFile(PathBuf),
    /// A file has come into the place of one that was being received.
    #[error("{} has appeared meanwhile; it is not replaced", .0.display())]
    Appeared(PathBuf),
    /// RFCs that were to be offered are not there.
    #[error("{} has no file for RFC {missing}; it has {present}", .folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The numbers that are not there.
        missing: String,
        /// Those that are.
        present: String,
    },
}

impl LibraryError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::Io {
            doing,
            path,
            reason,
        }
    }
}

/// A file that is open for an upload. It stays what it was when it was opened, also where another
/// takes its name meanwhile.
#[derive(Debug)]
pub struct Document {
    /// The open file.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// When it was last modified.
    pub modified: SystemTime,
}

impl Library {
    /// Opens the folder, and makes it where it is missing. With `only`, nothing but those RFCs
    /// is offered. What can't be shared is told to `events`.
    pub fn open(
        folder: &Path,
        only: Option<&[RfcNumber]>,
        events: Events,
    ) -> Result<Self, LibraryError> {
        fs::create_dir_all(folder).map_err(LibraryError::io("make the folder", folder))?;
        let library = Self {
            folder: folder.to_owned(),
            may_be_missing: false,
            shared: Mutex::default(),
            events,
        };
        let files = library.files()?;
        for same in files.values().filter(|same| same.len() > 1) {
            let names: Vec<_> = same.iter().map(|path| path.display().to_string()).collect();
            let names = names.join(", ");
            let what = format_args!("{names} are the same RFC; sharing the first");
            library.events.notice(Level::Warning, what);
        }
        if let Some(only) = only {
            let missing: Vec<_> = only.iter().filter(|n| !files.contains_key(n)).collect();
            if !missing.is_empty() {
                let (missing, present) = (listed(missing), listed(files.keys()));
                return Err(LibraryError::Missing {
                    folder: folder.to_owned(),
                    missing,
                    present,
                });
            }
            library.lock().only = Some(only.iter().copied().collect());
        }
        Ok(library)
    }

    /// The folder, as it is and without a document that is offered; what is received into it, or
    /// offered later, is. The folder need not be there.
    ///
    /// # Errors
    /// [`LibraryError`] where it is there and can't be read.
    pub fn unshared(folder: &Path, events: Events) -> Result<Self, LibraryError> {
        let library = Self {
            folder: folder.to_owned(),
            may_be_missing: true,
            shared: Mutex::default(),
            events,
        };
        if folder.exists() {
            library.files()?;
        }
        library.lock().only = Some(BTreeSet::new());
        Ok(library)
    }

    /// The folder, as it was named.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything in the folder, as it is now, that is offered: by number, with titles.
    ///
    /// # Errors
    /// [`LibraryError`] where the folder can't be read. A file that can't is left out, with a
    /// warning.
    pub fn documents(&self) -> Result<Vec<Rfc>, LibraryError> {
        let titled = |number| {
            Some(Rfc {
                number,
                title: self.title(number)?,
            })
        };
        let numbers = self
            .files()?
            .into_keys()
            .filter(|&number| self.is_offered(number));
        Ok(numbers.filter_map(titled).collect())
    }

    /// How each file that is offered looks now: its length in bytes and its time.
    ///
    /// # Errors
    /// [`LibraryError`] where the folder can't be read.
    pub fn looks(&self) -> Result<BTreeMap<RfcNumber, (u64, SystemTime)>, LibraryError> {
        let look = |path: &PathBuf| {
            let found = fs::metadata(path).ok()?;
            Some((found.len(), found.modified().ok()?))
        };
        let offered = self
            .files()?
            .into_iter()
            .filter(|(number, _)| self.is_offered(*number));
        Ok(offered
            .filter_map(|(number, same)| Some((number, look(same.first()?)?)))
            .collect())
    }

    /// Offers an RFC from now on, and returns its title where there is a file of it.
    pub fn offer(&self, number: RfcNumber) -> Option<Title> {
        if let Some(only) = &mut self.lock().only {
            only.insert(number);
        }
        self.title(number)
    }

    /// Where the file of an RFC is, whether it is offered or not.
    pub fn path_of(&self, number: RfcNumber) -> Option<PathBuf> {
        let usual = self.usual_path(number);
        let path = if usual.is_file() {
            usual
        } else {
            self.lock()
                .unusual
                .get(&number)
                .filter(|path| path.is_file())?
                .clone()
        };
        Some(path)
    }

    /// Opens an RFC for an upload; `None` where it is not there or not offered.
    ///
    /// # Errors
    /// [`LibraryError`] where the file is there and can't be read.
    pub fn read(&self, number: RfcNumber) -> Result<Option<Document>, LibraryError> {
        let Some(path) = self.path_of(number).filter(|_| self.is_offered(number)) else {
            return Ok(None);
        };
        let opened = File::open(&path).and_then(|file| {
            let found = file.metadata()?;
            Ok(Document {
                length: found.len(),
                modified: found.modified()?,
                file,
            })
        });
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(LibraryError::io("read", &path)),
        }
    }

    /// What a document hashes to. It is read once and remembered for as long as the file looks the
    /// same.
    ///
    /// # Errors
    /// [`LibraryError`] where the file can't be read to its end.
    pub fn digest(&self, number: RfcNumber, document: &Document) -> Result<Digest, LibraryError> {
        let look = (document.length, document.modified);
        if let Some((hashed, digest)) = self.lock().digests.get(&number)
            && *hashed == look
        {
            return Ok(*digest);
        }
        let mut hash = Sha256::new();
        hash_all(&document.file, document.length, &mut hash)
            .map_err(LibraryError::io("read", &self.usual_path(number)))?;
        let digest = Digest::from(<[u8; 32]>::from(hash.finalize()));
        self.lock().digests.insert(number, (look, digest));
        Ok(digest)
    }

    /// Begins to receive the file of an RFC. What was there before stays until it is complete, and
    /// for good without `may_replace`. A link is replaced, not what it leads to.
    pub fn receive(&self, number: RfcNumber, may_replace: bool) -> Result<Incoming, LibraryError> {
        let path = self
            .path_of(number)
            .unwrap_or_else(|| self.usual_path(number));
        if self.may_be_missing {
            fs::create_dir_all(&self.folder)
                .map_err(LibraryError::io("make the folder", &self.folder))?;
        }
        Incoming::new(path, may_replace)
    }

    fn usual_path(&self, number: RfcNumber) -> PathBuf {
        self.folder.join(format!("rfc{number}.txt"))
    }

    fn is_offered(&self, number: RfcNumber) -> bool {
        self.lock()
            .only
            .as_ref()
            .is_none_or(|only| only.contains(&number))
    }

    /// Looks at the folder: the files of each RFC, the one that is shared first.
    fn files(&self) -> Result<BTreeMap<RfcNumber, Vec<PathBuf>>, LibraryError> {
        let mut files: BTreeMap<RfcNumber, Vec<PathBuf>> = BTreeMap::new();
        let read = LibraryError::io("read the folder", &self.folder);
        for path in files_in(&self.folder).map_err(read)? {
            if let Some(number) = number_in(&path) {
                files.entry(number).or_default().push(path);
            }
        }
        let mut unusual = BTreeMap::new();
        for (&number, same) in &mut files {
            let usual = self.usual_path(number);
            same.sort_by_key(|path| (*path != usual, path.clone()));
            if let Some(first) = same.first().filter(|first| **first != usual) {
                unusual.insert(number, first.clone());
            }
        }
        self.lock().unusual = unusual;
        Ok(files)
    }

    /// The title that the file prints, else `RFC N`; `None` where no file can be read.
    pub fn title(&self, number: RfcNumber) -> Option<Title> {
        let path = self.path_of(number)?;
        let mut head = Vec::with_capacity(TITLE_WINDOW);
        let limit = u64::try_from(TITLE_WINDOW).unwrap_or(u64::MAX);
        if let Err(error) = File::open(&path).and_then(|f| f.take(limit).read_to_end(&mut head)) {
            let path = path.display();
            let what = format_args!("cannot read {path}: {error}; it is not shared");
            self.events.notice(Level::Warning, what);
            return None;
        }
        let printed = printed_title(number.get(), &head).and_then(|title| title.parse().ok());
        Some(printed.unwrap_or_else(|| Title::fallback(number)))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is being received. It takes its place with [`Incoming::keep`]; until then, and
/// where it is dropped, nobody sees anything of it.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: AtomicWriteFile,
    may_replace: bool,
}

impl Incoming {
    /// Begins to receive a file that is not for the folder. What is there is replaced.
    pub fn at(path: &Path) -> Result<Self, LibraryError> {
        Self::new(path.to_owned(), true)
    }

    fn new(path: PathBuf, may_replace: bool) -> Result<Self, LibraryError> {
        let there = path.symlink_metadata().ok();
        if there
            .as_ref()
            .is_some_and(|there| !there.is_file() && !there.is_symlink())
        {
            return Err(LibraryError::NotAFile(path));
        }
        // The mode of a link is that anybody may do anything.
        let has_mode = there.is_some_and(|there| there.is_file());
        let opened = AtomicWriteFile::options()
            .preserve_mode(has_mode)
            .open(&path);
        let file = opened.map_err(LibraryError::io("write", &path))?;
        Ok(Incoming {
            path,
            file,
            may_replace,
        })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`LibraryError`], as when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), LibraryError> {
        self.file
            .write_all(bytes)
            .map_err(LibraryError::io("write", &self.path))
    }

    /// Puts the file in its place, on the disk for good, and returns where that is.
    ///
    /// # Errors
    /// [`LibraryError`], and then the place is as it was before.
    pub fn keep(self, modified: Option<SystemTime>) -> Result<PathBuf, LibraryError> {
        let Self {
            path,
            file,
            may_replace,
        } = self;
        // On the disk first, so that hardly any time is between this look and the new name.
        file.as_file()
            .sync_all()
            .map_err(LibraryError::io("write", &path))?;
        if !may_replace && path.is_file() {
            return Err(LibraryError::Appeared(path));
        }
        if let Some(modified) = modified
            && let Err(error) = file.as_file().set_modified(modified)
        {
            // A time that this file system can't hold is no reason to lose the file.
            debug!(%error, "{} keeps the time of its download", path.display());
        }
        file.commit().map_err(LibraryError::io("write", &path))?;
        Ok(path)
    }
}

/// Hashes the first `length` bytes of a file, and goes back to its beginning.
fn hash_all(mut file: &File, length: u64, hash: &mut Sha256) -> io::Result<()> {
    let mut reader = io::BufReader::with_capacity(256 * 1024, file.take(length));
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            return file.rewind();
        }
        hash.update(piece);
        let count = piece.len();
        reader.consume(count);
    }
}

/// The files of a folder, at its first level. A dangling link is no file.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() || (kind.is_symlink() && entry.path().is_file()) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The number in the name of an RFC's file: `rfc791.txt`, also `RFC791.txt` and `rfc0791.txt`.
/// Drafts, indexes and packed files (`rfc17a.txt`, `rfc-index.txt`, `rfc1.txt.gz`) have none.
fn number_in(path: &Path) -> Option<RfcNumber> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    name.strip_prefix("rfc")?.strip_suffix(".txt")?.parse().ok()
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
    use super::*;
    use tempfile::{TempDir, tempdir};

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn open(folder: &TempDir) -> Library {
        Library::open(folder.path(), None, Events::default()).unwrap()
    }

    fn number(number: u32) -> RfcNumber {
        number.to_string().parse().unwrap()
    }

    fn offered(library: &Library) -> Vec<u32> {
        library
            .documents()
            .unwrap()
            .iter()
            .map(|document| document.number.get())
            .collect()
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let names = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_names_of_rfcs_are_told_from_the_others() {
        let folder = folder(&[
            ("rfc5.txt", ""),
            ("RFC6.TXT", ""),
            ("rfc0060.txt", ""),
            ("rfc17a.txt", ""),
            ("rfcxx00.txt", ""),
            ("rfc-index.txt", ""),
            ("bcp9.txt", ""),
            ("rfc1.txt.gz", ""),
            ("rfc1.html", ""),
            ("rfc_2.txt", ""),
            ("rfc+3.txt", ""),
            ("rfc.txt", ""),
            ("rfc0.txt", ""),
            ("rfc4294967296.txt", ""),
            (".rfc7.txt", ""),
        ]);
        fs::create_dir(folder.path().join("rfc8.txt")).unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/rfc9.txt"), "").unwrap();
        assert_eq!(offered(&open(&folder)), [5, 6, 60]);
    }

    #[test]
    fn of_two_names_for_one_number_the_usual_one_is_shared() {
        let folder = folder(&[("RFC0791.txt", "other"), ("rfc791.txt", "usual")]);
        let library = open(&folder);
        assert_eq!(offered(&library), [791]);
        assert_eq!(library.read(number(791)).unwrap().unwrap().length, 5);
        assert!(
            library
                .path_of(number(791))
                .unwrap()
                .ends_with("rfc791.txt")
        );
    }

    #[test]
    fn a_file_without_a_title_goes_by_its_number() {
        let library = open(&folder(&[("rfc7.txt", "dummy text\n")]));
        assert_eq!(library.offer(number(7)), None);
        let folder = folder(&[("rfc7.txt", "dummy text\n"), ("rfc8.txt", "")]);
        let titles: Vec<_> = open(&folder).documents().unwrap();
        let titles: Vec<_> = titles
            .iter()
            .map(|document| document.title.as_str())
            .collect();
        assert_eq!(titles, ["RFC 7", "RFC 8"]);
    }

    #[test]
    fn only_what_was_chosen_is_offered() {
        let folder = folder(&[("rfc1.txt", ""), ("rfc2.txt", ""), ("rfc3.txt", "")]);
        let library = Library::open(folder.path(), Some(&[number(2)]), Events::default()).unwrap();
        assert_eq!(offered(&library), [2]);
        assert!(library.read(number(1)).unwrap().is_none());
        assert!(library.read(number(2)).unwrap().is_some());
        library.offer(number(3));
        assert_eq!(offered(&library), [2, 3]);
        let error = Library::open(
            folder.path(),
            Some(&[number(9), number(1)]),
            Events::default(),
        )
        .unwrap_err();
        let message = format!(
            "{} has no file for RFC 9; it has 1, 2, 3",
            folder.path().display()
        );
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_file_that_comes_later_is_found() {
        let folder = folder(&[]);
        let library = open(&folder);
        assert!(library.read(number(4)).unwrap().is_none());
        fs::write(folder.path().join("rfc4.txt"), "four").unwrap();
        assert_eq!(library.read(number(4)).unwrap().unwrap().length, 4);
    }

    #[cfg(unix)]
    #[test]
    fn dangling_links_and_pipes_are_not_shared() {
        let folder = folder(&[]);
        std::os::unix::fs::symlink("nowhere", folder.path().join("rfc1.txt")).unwrap();
        let library = open(&folder);
        assert!(offered(&library).is_empty());
        assert!(library.read(number(1)).unwrap().is_none());
    }

    #[test]
    fn what_is_received_appears_whole_or_not_at_all() {
        let folder = folder(&[("rfc1.txt", "old")]);
        let library = open(&folder);
        let mut given_up = library.receive(number(1), true).unwrap();
        given_up.write(b"half").unwrap();
        drop(given_up);
        assert_eq!(
            fs::read_to_string(folder.path().join("rfc1.txt")).unwrap(),
            "old"
        );

        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_776_442_098);
        let mut kept = library.receive(number(1), true).unwrap();
        kept.write(b"new").unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("rfc1.txt")).unwrap(),
            "old"
        );
        assert_eq!(
            kept.keep(Some(time)).unwrap(),
            folder.path().join("rfc1.txt")
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("rfc1.txt")).unwrap(),
            "new"
        );
        assert_eq!(library.read(number(1)).unwrap().unwrap().modified, time);
        assert_eq!(names(&folder), ["rfc1.txt"]);
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_left_alone() {
        let folder = folder(&[]);
        fs::create_dir(folder.path().join("rfc1.txt")).unwrap();
        let refused = open(&folder).receive(number(1), true);
        assert!(matches!(refused, Err(LibraryError::NotAFile(_))));
        assert_eq!(names(&folder), ["rfc1.txt"]);
    }

    #[test]
    fn a_replaced_file_is_delivered_from_the_old_one() {
        let folder = folder(&[("rfc1.txt", "old")]);
        let library = open(&folder);
        let document = library.read(number(1)).unwrap().unwrap();
        let mut incoming = library.receive(number(1), true).unwrap();
        incoming.write(b"newer").unwrap();
        incoming.keep(None).unwrap();
        let mut text = String::new();
        (&document.file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "old");
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_not_replaced() {
        let folder = folder(&[]);
        let mut incoming = open(&folder).receive(number(1), false).unwrap();
        incoming.write(b"new").unwrap();
        fs::write(folder.path().join("rfc1.txt"), "appeared").unwrap();
        assert!(matches!(
            incoming.keep(None),
            Err(LibraryError::Appeared(_))
        ));
        assert_eq!(
            fs::read_to_string(folder.path().join("rfc1.txt")).unwrap(),
            "appeared"
        );
        assert_eq!(names(&folder), ["rfc1.txt"]);
    }

    #[test]
    fn a_link_is_replaced_by_a_file_of_the_usual_mode_and_its_target_stays() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (folder, outside) = (
            folder(&[("rfc9.txt", "")]),
            folder(&[("target", "outside")]),
        );
        symlink(
            outside.path().join("target"),
            folder.path().join("rfc1.txt"),
        )
        .unwrap();
        symlink("nowhere", folder.path().join("rfc2.txt")).unwrap();
        let library = open(&folder);
        let mode = |name: &str| {
            fs::symlink_metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode()
        };
        for (place, name) in [(1, "rfc1.txt"), (2, "rfc2.txt")] {
            let mut incoming = library.receive(number(place), true).unwrap();
            incoming.write(b"new").unwrap();
            incoming.keep(None).unwrap();
            assert_eq!(mode(name), mode("rfc9.txt"));
        }
        assert_eq!(
            fs::read_to_string(outside.path().join("target")).unwrap(),
            "outside"
        );
    }
}
