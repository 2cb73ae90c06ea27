//! The table of peers behind one lock, and the file that saves it.
//!
//! A change is answered once it is on disk, so a server that is killed and restarted forgets nobody.
//! If the disk does not take it, the change is taken back and refused. Concurrent changes share one
//! commit. Renewals of a time to live are written within a second.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::disk::{Contents, Disk, LockedFile, io_error, is_damage};
use super::saved;
use super::table::{Now, Registrar};
use crate::event::{Events, Level};
use crate::file_error::FileError;
use crate::state_file::StateError;
use crate::wire::{Reject, Status};

/// How long changes that nobody waits for may stay unwritten.
const LAZY_TIME: Duration = Duration::from_secs(1);
/// How long a change waits for the disk: in frames an answer must come within a second.
const SAVE_TIME: Duration = Duration::from_millis(500);
/// The largest JSON file that is read, in bytes.
const MAX_JSON: u64 = 256 * 1024 * 1024;
/// What is wrong with a table in which, for example, two records have the same cookie.
const INCONSISTENT: &str = "its contents are inconsistent";

/// The table of a registration server. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Register(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The thread that writes the file, until it is waited for.
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct State {
    table: Registrar,
    /// The fate of all changes since the last commit began; `None` if there is no file.
    batch: Option<Batch>,
    /// Whether somebody waits for one of them.
    is_urgent: bool,
    is_closing: bool,
}

/// Whether the changes that share a commit are on disk, once that is known.
type Batch = Arc<OnceLock<bool>>;

/// What was found in the file.
#[derive(Debug)]
pub enum Found {
    /// Nothing: this is the first run.
    Nothing,
    /// The table of the previous run, with its number of records.
    Table(usize),
    /// The table of an earlier version of this program, in JSON. A database replaced the file.
    CarriedOver {
        /// The number of records.
        count: usize,
        /// The new path of the earlier file.
        kept_as: PathBuf,
    },
    /// Something else. The file was renamed.
    Damaged {
        /// What is wrong with it.
        reason: String,
        /// The new path.
        set_aside: PathBuf,
    },
}

impl Register {
    /// The table saved in `path`, or a new one; without a path it is kept only in memory. Records
    /// live for `ttl`.
    pub fn open(
        path: Option<PathBuf>,
        ttl: Duration,
        events: Events,
    ) -> Result<(Self, Found), StateError> {
        let Some(path) = path else {
            return Ok((Self::of(Registrar::new(ttl), None), Found::Nothing));
        };
        let (disk, table, found) = load(&path, ttl)?;
        Ok((Self::saving(table, disk, &path, events)?, found))
    }

    /// A table whose changes are written to `disk`.
    fn saving(
        table: Registrar,
        mut disk: Disk,
        path: &Path,
        events: Events,
    ) -> Result<Self, FileError> {
        // If the file can't be written, fail now and not after the first registration.
        let nothing = Contents {
            next_cookie: table.next_cookie(),
            peers: Vec::new(),
        };
        disk.write(&nothing, &[])
            .map_err(FileError::of("write", path))?;
        let register = Self::of(table, Some(Batch::default()));
        let shared = Arc::clone(&register.0);
        let thread = thread::Builder::new().name("register".to_owned());
        let writer = Writer {
            path: path.to_owned(),
            disk,
            events,
            has_warned: false,
        };
        let thread = thread.spawn(move || writer.write_for_ever(&shared));
        let thread = thread.map_err(FileError::of("start a thread that writes", path))?;
        *register.0.writer.lock() = Some(thread);
        Ok(register)
    }

    fn of(table: Registrar, batch: Option<Batch>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                table,
                batch,
                is_urgent: false,
                is_closing: false,
            }),
            changed: Condvar::new(),
            writer: Mutex::default(),
        }))
    }

    /// Changes the table, and waits until the change is on disk. A `change` that fails writes
    /// nothing, and its error is returned at once. The outer error is a 503: the disk did not take
    /// the change, or is slow and may take it later.
    pub fn change<T, E>(
        &self,
        change: impl FnOnce(&mut Registrar) -> Result<T, E>,
    ) -> Result<Result<T, E>, Reject> {
        let mut state = self.0.state.lock();
        let done = change(&mut state.table);
        let Some(batch) = state.batch.clone() else {
            state.table.take_unsaved();
            return Ok(done);
        };
        if done.is_err() {
            return Ok(done);
        }
        state.is_urgent = true;
        self.0.changed.notify_all();
        let is_unknown = |_: &mut State| batch.get().is_none();
        self.0
            .changed
            .wait_while_for(&mut state, is_unknown, SAVE_TIME);
        let reason = match batch.get() {
            Some(true) => return Ok(done),
            Some(false) => "the file of the peers cannot be written".to_owned(),
            None => format!("the disk took longer than {} ms", SAVE_TIME.as_millis()),
        };
        Err(Reject {
            status: Status::ServiceUnavailable,
            reason,
        })
    }

    /// Changes the table; the change may be written later.
    pub fn touch<T>(&self, change: impl FnOnce(&mut Registrar) -> T) -> T {
        let mut state = self.0.state.lock();
        let done = change(&mut state.table);
        if state.batch.is_none() {
            state.table.take_unsaved();
        }
        done
    }

    /// Reads the table.
    pub fn look<T>(&self, look: impl FnOnce(&Registrar) -> T) -> T {
        look(&self.0.state.lock().table)
    }

    /// Writes all pending changes. Nothing is written after that, and the file is unlocked.
    pub fn close(&self) {
        self.0.state.lock().is_closing = true;
        self.0.changed.notify_all();
        let writer = self.0.writer.lock().take();
        // A panic is reported where it happens.
        let _ = writer.map(JoinHandle::join);
    }
}

/// Writes the changes of a table to its file.
struct Writer {
    path: PathBuf,
    disk: Disk,
    events: Events,
    has_warned: bool,
}

impl Writer {
    fn write_for_ever(mut self, shared: &Shared) {
        let mut is_last = false;
        while !is_last {
            let mut state = shared.state.lock();
            let lazy = |state: &mut State| !state.is_urgent && !state.is_closing;
            shared.changed.wait_while_for(&mut state, lazy, LAZY_TIME);
            is_last = state.is_closing;
            state.is_urgent = false;
            let batch = state.batch.replace(Batch::default());
            let unsaved = state.table.take_unsaved();
            let (changed, forgotten) = saved::changes(&state.table, &unsaved, Now::read());
            drop(state);
            let is_saved = self.write(&changed, &forgotten);
            let mut state = shared.state.lock();
            let mut failed = None;
            if !is_saved {
                // Later changes build on the ones that failed.
                let later = state.table.take_unsaved();
                state.table.undo(later);
                state.table.undo(unsaved);
                failed = state.batch.replace(Batch::default());
            }
            for batch in batch.into_iter().chain(failed) {
                // Nobody else sets it.
                let _ = batch.set(is_saved);
            }
            drop(state);
            shared.changed.notify_all();
        }
    }

    /// Writes changes, if there are any, and returns whether they are on disk. The first of several
    /// failures is reported.
    fn write(&mut self, changed: &Contents, forgotten: &[u32]) -> bool {
        if changed.peers.is_empty() && forgotten.is_empty() {
            return true;
        }
        let written = self.disk.write(changed, forgotten);
        if let Err(error) = &written
            && !self.has_warned
        {
            let path = self.path.display();
            let what =
                format_args!("cannot write {path}; peers get 503 until it can be written: {error}");
            self.events.notice(Level::Warning, what);
        }
        self.has_warned = written.is_err();
        written.is_ok()
    }
}

/// Opens the file and reads the table in it.
fn load(path: &Path, ttl: Duration) -> Result<(Disk, Registrar, Found), StateError> {
    let file = LockedFile::open(path)?;
    let now = Now::read();
    let reason = if file.is_database().map_err(FileError::of("read", path))? {
        match open(&file) {
            Ok((disk, None)) => return Ok((disk, Registrar::new(ttl), Found::Nothing)),
            Ok((disk, Some(contents))) => match saved::table(contents, ttl, now) {
                Some(table) => {
                    let found = Found::Table(table.len());
                    return Ok((disk, table, found));
                }
                None => INCONSISTENT.to_owned(),
            },
            Err(error) if is_damage(&error) => error.to_string(),
            Err(error) => return Err(FileError::of("open", path)(io_error(error)).into()),
        }
    } else {
        let text = file.read(MAX_JSON).map_err(FileError::of("read", path))?;
        match serde_json::from_slice(&text).map(|contents| saved::table(contents, ttl, now)) {
            Ok(Some(table)) => {
                let (disk, kept_as) = file.replace("json", &saved::contents(&table, now))?;
                let count = table.len();
                return Ok((disk, table, Found::CarriedOver { count, kept_as }));
            }
            Ok(None) => INCONSISTENT.to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let table = Registrar::new(ttl);
    let (disk, set_aside) = file.replace("damaged", &saved::contents(&table, now))?;
    Ok((disk, table, Found::Damaged { reason, set_aside }))
}

fn open(file: &LockedFile) -> Result<(Disk, Option<Contents>), redb::Error> {
    let disk = file.database()?;
    let contents = disk.read()?;
    Ok((disk, contents))
}

#[cfg(test)]
mod tests {
    use super::super::disk;
    use super::*;
    use crate::wire::di::registration::Cookie;
    use crate::wire::{Endpoint, Port};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

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
        let (from, now) = ([127, 0, 0, 1].into(), Now::read());
        register
            .change(|table| table.register(&peer(port), None, from, now))
            .flatten()
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
    fn a_slow_disk_has_every_peer_that_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let disk = disk::testing::slow(&path, Duration::from_millis(20));
        let table = Registrar::new(TTL);
        let table = Register::saving(table, disk, &path, Events::default()).unwrap();
        thread::scope(|scope| {
            for port in 1..=20 {
                let (table, path) = (&table, &path);
                scope.spawn(move || {
                    let cookie = register(table, port);
                    // The state after a kill, or even after a power cut.
                    let copy = path.with_extension(format!("copy-{port}"));
                    fs::copy(path, &copy).unwrap();
                    let (after, _) = Register::open(Some(copy), TTL, Events::default()).unwrap();
                    let known = after.look(|table| table.registration(Cookie(cookie), Now::read()));
                    let known = known.unwrap();
                    assert!(known.is_active && known.peer == peer(port), "{known:?}");
                });
            }
        });
    }

    #[test]
    fn a_disk_that_takes_too_long_is_a_503() {
        let nobody_writes = Register::of(Registrar::new(TTL), Some(Batch::default()));
        let (from, now) = ([127, 0, 0, 1].into(), Now::read());
        let refused = nobody_writes
            .change(|table| table.register(&peer(5), None, from, now))
            .unwrap_err();
        assert_eq!(refused.status, Status::ServiceUnavailable);
        assert_eq!(refused.reason, "the disk took longer than 500 ms");
    }

    #[test]
    fn nothing_but_a_file_is_used() {
        let folder = tempfile::tempdir().unwrap();
        for other in [folder.path(), Path::new("/dev/null")] {
            let opened = Register::open(Some(other.to_owned()), TTL, Events::default());
            assert!(matches!(opened, Err(StateError::File(_))), "{other:?}");
        }
    }

    #[test]
    fn the_file_is_its_owner_s_and_a_link_to_it_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("peers"), folder.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for (text, count) in [("", 1), (JSON, 2), ("damaged", 1)] {
            // It may exist already, readable by all.
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            let (table, _) = Register::open(Some(link.clone()), TTL, Events::default()).unwrap();
            assert_eq!(register(&table, 6), count, "{text:?}");
            table.close();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            let found = fs::symlink_metadata(&file).unwrap();
            assert!(found.is_file());
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
        }
    }

    const JSON: &str = r#"{"next_cookie":2,"peers":[{"cookie":1,"host":"vm","port":5,"expires":0,"registered":0,"registrations":{"3":1}}]}"#;

    #[test]
    fn two_servers_cannot_open_one_file_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for begin in ["", JSON, "damaged"] {
            let file = path(&format!("{}", begin.len()));
            fs::write(&file, begin).unwrap();
            let (_table, _) = Register::open(Some(file.clone()), TTL, Events::default()).unwrap();
            let (link, hard) = (file.with_extension("link"), file.with_extension("hard"));
            std::os::unix::fs::symlink(&file, &link).unwrap();
            fs::hard_link(&file, &hard).unwrap();
            let other = folder
                .path()
                .join("..")
                .join(folder.path().file_name().unwrap());
            for same in [
                file.clone(),
                link,
                hard,
                other.join(file.file_name().unwrap()),
            ] {
                let second = Register::open(Some(same.clone()), TTL, Events::default());
                assert!(matches!(second, Err(StateError::InUse(_))), "{same:?}");
            }
        }
    }

    #[test]
    fn the_json_of_an_earlier_version_is_carried_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.json");
        fs::write(&path, JSON).unwrap();
        let (table, found) = Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
        let Found::CarriedOver { count: 1, kept_as } = found else {
            panic!("{found:?}");
        };
        assert_eq!(fs::read_to_string(kept_as).unwrap(), JSON);
        assert_eq!([register(&table, 6), register(&table, 5)], [2, 1]);
        table.close();
        let (_table, found) = Register::open(Some(path), TTL, Events::default()).unwrap();
        assert!(matches!(found, Found::Table(2)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let (table, _) = Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
        for port in 5..100 {
            register(&table, port);
        }
        table.close();
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let row = flipped
            .windows(2)
            .rposition(|bytes| bytes == b"vm")
            .unwrap();
        flipped[row] = b'w';
        for damage in [
            b"{".as_slice(),
            b"[]",
            br#"{"next_cookie":1,"peers":[{}]}"#,
            b"\0\0\0",
            b"redb",
            &whole[..whole.len() / 2],
            &flipped,
        ] {
            fs::write(&path, damage).unwrap();
            let (table, found) =
                Register::open(Some(path.clone()), TTL, Events::default()).unwrap();
            let Found::Damaged { set_aside, reason } = found else {
                panic!("{} bytes are taken for a table", damage.len())
            };
            assert_eq!(fs::read(set_aside).unwrap(), damage);
            assert!(!reason.is_empty());
            assert_eq!(register(&table, 5), 1);
            table.close();
        }
    }
}
