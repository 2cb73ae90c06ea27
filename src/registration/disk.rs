//! The file of a registration server: a redb database that one server at a time has open.
//!
//! The file is opened and locked here and not by redb: so the lock outlives a database that is
//! opened again after a failed write, and it holds under every name of the file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    TableError,
};
use serde::Deserialize;

use crate::file_error::FileError;
use crate::state_file::StateError;

/// The records by cookie: host, port, expiry, last registration, whether the peer has left, network,
/// and registrations by day. The units are those of [`Stored`].
const PEERS: TableDefinition<u32, Row<'static>> = TableDefinition::new("peers");
const NUMBERS: TableDefinition<&str, u32> = TableDefinition::new("numbers");
const NEXT_COOKIE: &str = "next cookie";

type Row<'a> = (&'a str, u16, u64, u64, bool, Option<u128>, Vec<(u64, u32)>);

/// How much of the file redb caches, in bytes.
const CACHE: usize = 4 * 1024 * 1024;
/// The pause after a failed write.
const PAUSE: Duration = Duration::from_secs(1);

/// A record as the file has it. In JSON, the format of earlier versions, it has no network and does
/// not say whether it has left.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) cookie: u32,
    pub(super) host: String,
    pub(super) port: u16,
    /// Milliseconds since 1970.
    pub(super) expires: u64,
    /// Milliseconds since 1970.
    pub(super) registered: u64,
    #[serde(skip)]
    pub(super) has_left: bool,
    /// The network whose limit it counts toward; `None` for none.
    #[serde(skip)]
    pub(super) network: Option<IpAddr>,
    /// Days since 1970, and how often it registered on each.
    #[serde(rename = "registrations")]
    pub(super) days: BTreeMap<u64, u32>,
}

/// The contents of a file, or the part of them that changes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) next_cookie: u32,
    pub(super) peers: Vec<Stored>,
}

/// A file that no other server uses while a clone of this exists.
#[derive(Debug, Clone)]
pub(super) struct LockedFile {
    file: Arc<File>,
    /// The path, without symbolic links.
    path: PathBuf,
}

impl LockedFile {
    /// Opens the file, or creates it. From then on only its owner can read it.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(FileError::of("create the folder of", path))?;
        }
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.mode(0o600).open(path);
            let file = file.map_err(FileError::of("write", path))?;
            let opened = file.metadata().map_err(FileError::of("read", path))?;
            if !opened.is_file() {
                let reason = io::Error::other("it exists and is not a file");
                return Err(FileError::of("write", path)(reason).into());
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
                Err(TryLockError::Error(reason)) => {
                    return Err(FileError::of("lock", path)(reason).into());
                }
            }
            let real = fs::canonicalize(path).ok();
            // Another server may have replaced the file before it was locked.
            let is_opened = |real: &PathBuf| {
                fs::metadata(real)
                    .is_ok_and(|real| (real.dev(), real.ino()) == (opened.dev(), opened.ino()))
            };
            if let Some(real) = real.filter(is_opened) {
                let restricted = file.set_permissions(Permissions::from_mode(0o600));
                restricted.map_err(FileError::of("change the mode of", path))?;
                sync_folder(&real);
                return Ok(Self {
                    file: Arc::new(file),
                    path: real,
                });
            }
        }
    }

    /// Whether it is empty or a database, as opposed to JSON or garbage.
    pub(super) fn is_database(&self) -> io::Result<bool> {
        let mut start = [0; 4];
        let read = self.file.read_at(&mut start, 0)?;
        Ok(read == 0 || start == *b"redb")
    }

    /// Reads it whole, if it has at most `most` bytes.
    pub(super) fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        if length > most {
            let reason = format!("it is too large ({length} bytes)");
            return Err(io::Error::other(reason));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Puts a new database with `contents` in place of the file. The file itself gets a name with
    /// `what` and the time in it, which is returned. At any time one of the two has the old name.
    pub(super) fn replace(
        self,
        what: &str,
        contents: &Contents,
    ) -> Result<(Disk, PathBuf), FileError> {
        let aside = free_name(&self.path, what);
        let new = free_name(&self.path, "new");
        let replaced = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let file = options.open(&new)?;
            file.try_lock()?;
            let file = Arc::new(file);
            let mut disk = Disk::open(file).map_err(io_error)?;
            disk.write(contents, &[])?;
            // Some file systems have no hard links.
            fs::hard_link(&self.path, &aside)
                .or_else(|_| fs::copy(&self.path, &aside).map(drop))?;
            fs::rename(&new, &self.path)?;
            sync_folder(&self.path);
            Ok(disk)
        };
        let disk = replaced().map_err(|reason| {
            // It may not exist.
            let _ = fs::remove_file(&new);
            FileError::of("replace", &self.path)(reason)
        })?;
        Ok((disk, aside))
    }

    /// Opens the database in it; a new one if it is empty.
    pub(super) fn database(&self) -> Result<Disk, DatabaseError> {
        Disk::open(Arc::clone(&self.file))
    }
}

/// The database in a locked file.
#[derive(Debug)]
pub(super) struct Disk {
    file: Arc<File>,
    /// `None` after a failed write: redb must then be opened again,
    database: Option<Database>,
    /// and not before this time.
    next_try: Instant,
}

impl Disk {
    fn open(file: Arc<File>) -> Result<Self, DatabaseError> {
        let database = open(Backend(Arc::clone(&file)), true)?;
        Ok(Self {
            file,
            database: Some(database),
            next_try: Instant::now(),
        })
    }

    /// Reads the whole database; `None` if it is new.
    pub(super) fn read(&self) -> Result<Option<Contents>, redb::Error> {
        let Some(database) = &self.database else {
            return Ok(None);
        };
        let reading = database.begin_read()?;
        let numbers = match reading.open_table(NUMBERS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            numbers => numbers?,
        };
        let mut contents = Contents::default();
        let next = numbers.get(NEXT_COOKIE)?;
        contents.next_cookie = next.map(|next| next.value()).unwrap_or_default();
        for row in reading.open_table(PEERS)?.iter()? {
            let (cookie, row) = row?;
            let (host, port, expires, registered, has_left, network, days) = row.value();
            contents.peers.push(Stored {
                cookie: cookie.value(),
                host: host.to_owned(),
                port,
                expires,
                registered,
                has_left,
                network: network.map(|bits| Ipv6Addr::from_bits(bits).to_canonical()),
                days: days.into_iter().collect(),
            });
        }
        Ok(Some(contents))
    }

    /// Writes these records and the next cookie, and removes the records with the `forgotten`
    /// cookies: all of it or nothing. Returns when it is on disk.
    pub(super) fn write(&mut self, changed: &Contents, forgotten: &[u32]) -> io::Result<()> {
        let now = Instant::now();
        let database = match &self.database {
            Some(database) => database,
            None if now < self.next_try => {
                return Err(io::Error::other("the last write failed a moment ago"));
            }
            None => {
                self.next_try = now + PAUSE;
                let database = open(Backend(Arc::clone(&self.file)), false).map_err(io_error)?;
                self.database.insert(database)
            }
        };
        commit(database, changed, forgotten).map_err(|error| {
            self.database = None;
            self.next_try = now + PAUSE;
            io_error(error)
        })
    }
}

fn open(backend: impl StorageBackend, checks: bool) -> Result<Database, DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder.set_check_integrity_on_open(checks);
    builder.create_with_backend(backend)
}

fn commit(database: &Database, changed: &Contents, forgotten: &[u32]) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    {
        let mut numbers = writing.open_table(NUMBERS)?;
        numbers.insert(NEXT_COOKIE, changed.next_cookie)?;
        let mut peers = writing.open_table(PEERS)?;
        for cookie in forgotten {
            peers.remove(cookie)?;
        }
        for peer in &changed.peers {
            let row = (
                peer.host.as_str(),
                peer.port,
                peer.expires,
                peer.registered,
                peer.has_left,
                peer.network.map(bits),
                peer.days
                    .iter()
                    .map(|(day, count)| (*day, *count))
                    .collect(),
            );
            peers.insert(peer.cookie, row)?;
        }
    }
    Ok(writing.commit()?)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether an error means that the file is damaged, as opposed to unreadable.
pub(super) fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ),
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableDoesNotExist(_) => true,
        _ => false,
    }
}

/// The system's error, if redb passes one on, or else redb's own.
pub(super) fn io_error(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// The bytes of a database. redb need not lock them, since the file is locked.
#[derive(Debug)]
struct Backend(Arc<File>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// Makes a new name in the folder survive a power cut. Some systems can't sync folders, and lose
/// nothing by it.
fn sync_folder(path: &Path) {
    let folder = path.parent().and_then(|folder| File::open(folder).ok());
    let _ = folder.map(|folder| folder.sync_all());
}

/// An unused path beside `path`, with `what` and the time in its name.
fn free_name(path: &Path, what: &str) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut number = now.unwrap_or_default().as_secs();
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{what}-{number}"));
        let name = PathBuf::from(name);
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use std::thread;

    /// A slow disk: until a sync, which takes a while, what is written is in another file.
    #[derive(Debug)]
    struct Slow {
        cache: Backend,
        cached: PathBuf,
        path: PathBuf,
        time: Duration,
    }

    /// A new database at `path` on a disk that takes `time` for each sync.
    pub(in super::super) fn slow(path: &Path, time: Duration) -> Disk {
        let cached = path.with_extension("cached");
        let file = LockedFile::open(&cached).unwrap().file;
        let backend = Slow {
            cache: Backend(Arc::clone(&file)),
            cached,
            path: path.to_owned(),
            time,
        };
        Disk {
            file,
            database: Some(open(backend, false).unwrap()),
            next_try: Instant::now(),
        }
    }

    impl StorageBackend for Slow {
        fn len(&self) -> io::Result<u64> {
            self.cache.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.cache.read(offset, out)
        }

        fn set_len(&self, length: u64) -> io::Result<()> {
            self.cache.set_len(length)
        }

        fn sync_data(&self) -> io::Result<()> {
            // At any time the file is that of some sync.
            let new = self.path.with_extension("new");
            fs::copy(&self.cached, &new)?;
            thread::sleep(self.time);
            fs::rename(&new, &self.path)
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.cache.write(offset, data)
        }
    }
}
