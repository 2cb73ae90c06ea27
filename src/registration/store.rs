//! The register: the table of peers behind one lock, and the file that keeps it.
//!
//! A registration is answered once it is on the disk, so that a server that is killed and comes
//! back has forgotten nobody. Many that come at once share one write. What only lengthens a time
//! to live is written within a second.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt as _;
use rustix::fs::OFlags;

use super::table::{Registrar, Saved};
use crate::event::{Events, Level};
use crate::file_error::FileError;

/// How long what is not waited for may stay unwritten.
const LAZY_TIME: Duration = Duration::from_secs(1);
/// How long a change waits for the disk: in frames an answer must come within a second. The table in
/// memory is right also where the disk is full.
const SAVE_TIME: Duration = Duration::from_millis(500);
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The table of a registration server. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Register(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    path: Option<PathBuf>,
    events: Events,
    /// Held while the file is written.
    writing: Mutex<()>,
    /// Locked as long as the table is used, so that no other server writes over it.
    lock: Option<File>,
}

#[derive(Debug)]
struct State {
    table: Registrar,
    /// How many changes there were,
    changes: u64,
    /// how many of them somebody waits for,
    urgent: u64,
    /// and how many of all are on the disk.
    saved: u64,
    is_closing: bool,
}

/// Why the file of the table can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another server uses it.
    #[error("{} is in use by another server; --state names another file", .0.display())]
    InUse(PathBuf),
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What was found where the table is kept.
#[derive(Debug)]
pub enum Found {
    /// Nothing: this is the first run.
    Nothing,
    /// The table of the run before, with so many records.
    Table(usize),
    /// Something else, which was set aside.
    Damaged {
        /// What is wrong with it.
        reason: String,
        /// Where it is now.
        set_aside: PathBuf,
    },
}

impl Register {
    /// The table that `path` keeps, or a new one; without a path it is kept in memory alone.
    /// Records live for `ttl`.
    ///
    /// # Errors
    /// [`StateError`] where the file can't be read, set aside or written.
    pub fn open(
        path: Option<PathBuf>,
        ttl: Duration,
        events: Events,
    ) -> Result<(Self, Found), StateError> {
        let lock = path.as_deref().map(lock).transpose()?;
        let (table, found) = match &path {
            Some(path) => load(path, ttl)?,
            None => (Registrar::new(ttl), Found::Nothing),
        };
        if let Some(path) = &path {
            // What can't be written is said now, and not after the first peer.
            save(path, &table.to_saved()).map_err(FileError::of("write", path))?;
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
            path,
            events,
            writing: Mutex::default(),
            lock,
        });
        if let Some(path) = &shared.path {
            let saving = Arc::clone(&shared);
            let thread = thread::Builder::new().name("register".to_owned());
            let thread = thread.spawn(move || saving.save_for_ever());
            thread.map_err(FileError::of("start a thread that writes", path))?;
        }
        Ok((Self(shared), found))
    }

    /// Changes the table, and waits until that is on the disk.
    pub fn change<T>(&self, change: impl FnOnce(&mut Registrar) -> T) -> T {
        let mut state = self.0.lock();
        let done = change(&mut state.table);
        state.changes += 1;
        state.urgent = state.changes;
        let mine = state.changes;
        self.0.changed.notify_all();
        if self.0.path.is_some() {
            let unsaved = |state: &mut State| state.saved < mine && !state.is_closing;
            // Where the disk takes longer, the peer is answered all the same.
            let _ = self.0.changed.wait_timeout_while(state, SAVE_TIME, unsaved);
        }
        done
    }

    /// Changes something that may be written later.
    pub fn touch<T>(&self, change: impl FnOnce(&mut Registrar) -> T) -> T {
        let mut state = self.0.lock();
        state.changes += 1;
        change(&mut state.table)
    }

    /// Looks at the table.
    pub fn look<T>(&self, look: impl FnOnce(&Registrar) -> T) -> T {
        look(&self.0.lock().table)
    }

    /// Writes what is not yet written. Nothing is written after it, and another server may use the
    /// file.
    pub fn close(&self) {
        self.0.lock().is_closing = true;
        self.0.changed.notify_all();
        let _writing = self.0.writing();
        let state = self.0.lock();
        if let Some(path) = &self.0.path
            && state.saved < state.changes
            && let Err(error) = save(path, &state.table.to_saved())
        {
            let what = format_args!("cannot write {}: {error}", path.display());
            self.0.events.notice(Level::Warning, what);
        }
        if let Some(lock) = &self.0.lock {
            // It fails only where it was not locked.
            let _ = lock.unlock();
        }
    }
}

impl Shared {
    fn save_for_ever(&self) {
        let Some(path) = &self.path else { return };
        let mut has_warned = false;
        loop {
            let state = self.lock();
            let lazy = |state: &mut State| state.urgent <= state.saved && !state.is_closing;
            let waited = self.changed.wait_timeout_while(state, LAZY_TIME, lazy);
            drop(waited);
            let writing = self.writing();
            let state = self.lock();
            if state.is_closing {
                return;
            }
            if state.saved == state.changes {
                continue;
            }
            let (changes, saved) = (state.changes, state.table.to_saved());
            drop(state);
            let written = save(path, &saved);
            if let Err(error) = &written
                && !has_warned
            {
                let why = "peers that register now would be forgotten";
                let what = format_args!("cannot write {}; {why}: {error}", path.display());
                self.events.notice(Level::Warning, what);
            }
            has_warned = written.is_err();
            // Where it failed, nobody waits for it any longer; it is tried again with the next one.
            self.lock().saved = changes;
            self.changed.notify_all();
            drop(writing);
            if has_warned {
                self.lock().changes += 1;
                thread::sleep(LAZY_TIME);
            }
        }
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes sure that no other server uses the file, which is replaced with each change and so can't
/// be locked itself.
fn lock(path: &Path) -> Result<File, StateError> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let reason = io::Error::other("it is there and is not a file");
        return Err(FileError::of("write", path)(reason).into());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(FileError::of("make the folder of", path))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    // It may be somebody else's file, or a link: nothing of it is changed.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let file = options
        .open(PathBuf::from(name))
        .map_err(FileError::of("lock", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse(path.to_owned())),
        Err(TryLockError::Error(reason)) => Err(FileError::of("lock", path)(reason).into()),
    }
}

fn load(path: &Path, ttl: Duration) -> Result<(Registrar, Found), FileError> {
    let text = match read(path) {
        Ok(text) => text,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => {
            return Ok((Registrar::new(ttl), Found::Nothing));
        }
        Err(reason) => return Err(FileError::of("read", path)(reason)),
    };
    let table = serde_json::from_slice::<Saved>(&text)
        .map_err(|error| error.to_string())
        .and_then(|saved| {
            Registrar::from_saved(saved, ttl).ok_or_else(|| "it contradicts itself".to_owned())
        });
    match table {
        Ok(table) => {
            let count = table.len();
            Ok((table, Found::Table(count)))
        }
        Err(reason) => {
            let set_aside = free_name(path);
            fs::rename(path, &set_aside).map_err(FileError::of("set aside", path))?;
            Ok((Registrar::new(ttl), Found::Damaged { reason, set_aside }))
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > MAX_FILE {
        let reason = format!("it has {length} bytes, which no table has");
        return Err(io::Error::other(reason));
    }
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MAX_FILE), &mut text)?;
    Ok(text)
}

/// A name beside `path` that no file has, with the time in it.
fn free_name(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    let mut number = seconds;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let name = PathBuf::from(name);
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}

fn save(path: &Path, saved: &Saved) -> io::Result<()> {
    // Found out before there is a file that could not take its place.
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Whatever has come into its place meanwhile says nothing about its mode.
    let mut file = AtomicWriteFile::options().preserve_mode(false).open(path)?;
    let text = serde_json::to_vec(saved)?;
    file.write_all(&text)?;
    file.commit()
}

#[cfg(test)]
mod tests {
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
        // As after a kill: the file is as it was then, and nobody holds it.
        let path = copied(&path);
        let (after, found) = Register::open(Some(path), TTL, Events::default()).unwrap();
        assert!(matches!(found, Found::Table(2)));
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
            Found::Table(160)
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
        // A folder that comes into its place leaves no temporary files behind.
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
