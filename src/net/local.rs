//! The path of a Unix domain socket, used by one program at a time.
//!
//! A program that uses a path holds a lock, which ends with its process, however that ends. So a
//! socket without a lock is left over, and replaced. A link, or anything else that is not a socket,
//! is never followed or replaced.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::getuid;
use socket2::{Domain, SockAddr, Socket, Type};

use super::Listener;
use crate::file_error::FileError;

/// The longest path of a socket, in bytes.
const MAX_PATH: usize = 107;
/// The longest process number in a lock file, in bytes.
const MAX_PROCESS: u64 = 20;
/// How often to check whether a program has ended.
const END_LOOK: Duration = Duration::from_millis(20);

/// Why a program can't listen on a path.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The path is longer than the system allows.
    #[error(
        "the socket path {} has {} bytes, but the system allows {MAX_PATH}; --socket sets a shorter one",
        .0.display(), .0.as_os_str().len()
    )]
    LongPath(PathBuf),
    /// The path is taken by something else.
    #[error("{} exists and is not a socket; --socket sets another path", .0.display())]
    NotASocket(PathBuf),
    /// A running peer uses the path.
    #[error("a running peer{} already uses the socket {}", of_process(*.process), .path.display())]
    InUse {
        /// The path.
        path: PathBuf,
        /// The number of its process, if known.
        process: Option<u32>,
    },
    /// A program listens there that is no peer of this user.
    #[error("another program uses the socket {}; --socket sets another path", .0.display())]
    Foreign(PathBuf),
    /// The path can't be used for another reason.
    #[error(transparent)]
    File(#[from] FileError),
}

fn of_process(process: Option<u32>) -> String {
    process.map_or_else(String::new, |number| format!(" (process {number})"))
}

/// A socket path that belongs to this program. The socket is removed when this is dropped.
#[derive(Debug)]
pub struct LocalPath {
    path: PathBuf,
    /// Bound, but not listening yet.
    socket: Option<Socket>,
    /// Never closed, because others wait for the end of the process by it.
    _lock: ManuallyDrop<File>,
}

impl LocalPath {
    /// Reserves a path. Only this user will be able to connect.
    pub fn claim(path: &Path) -> Result<Self, LocalError> {
        if !fits(path) {
            return Err(LocalError::LongPath(path.to_owned()));
        }
        // Before there is a lock file beside somebody else's file.
        is_left_over(path)?;
        let lock = lock(path)?;
        if is_left_over(path)? {
            if is_answered(path) {
                return Err(LocalError::Foreign(path.to_owned()));
            }
            fs::remove_file(path).map_err(FileError::of("replace", path))?;
        }
        let socket = bind(path).map_err(FileError::of("listen on", path))?;
        Ok(Self {
            path: path.to_owned(),
            socket: Some(socket),
            _lock: ManuallyDrop::new(lock),
        })
    }

    /// Begins to accept connections.
    pub fn listen(&mut self) -> Result<Listener, LocalError> {
        let twice = || io::Error::from(io::ErrorKind::AddrInUse);
        let socket = self.socket.take().ok_or_else(twice);
        let listener = socket.and_then(Listener::local);
        Ok(listener.map_err(FileError::of("listen on", &self.path))?)
    }

    /// Whether there is a socket of this user at `path`: a stranger's would see what we send.
    pub fn is_there(path: &Path) -> bool {
        let there = path.symlink_metadata();
        let is_ours =
            |found: fs::Metadata| found.file_type().is_socket() && found.uid() == getuid().as_raw();
        fits(path) && there.is_ok_and(is_ours)
    }

    /// The process that uses `path`, if one does and says so.
    pub fn user(path: &Path) -> Option<u32> {
        let mut file = lock_options().read(true).open(lock_path(path)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => process_in(&mut file),
            _ => None,
        }
    }

    /// Waits at most `time` until no program uses `path`, and returns whether that is so.
    #[must_use]
    pub fn wait_until_free(path: &Path, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            // Without a lock file nobody holds the lock.
            let file = lock_options().read(true).open(lock_path(path));
            match file.map(|file| file.try_lock_shared()) {
                Ok(Err(TryLockError::WouldBlock)) if Instant::now() < until => {
                    thread::sleep(END_LOOK);
                }
                locked => return !matches!(locked, Ok(Err(TryLockError::WouldBlock))),
            }
        }
    }
}

impl Drop for LocalPath {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(&self.path);
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= MAX_PATH
}

/// Whether there is a socket. Anything else is an error.
fn is_left_over(path: &Path) -> Result<bool, LocalError> {
    match path.symlink_metadata() {
        Ok(there) if there.file_type().is_socket() => Ok(true),
        Ok(_) => Err(LocalError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::of("listen on", path)(error).into()),
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// A link in the place of the lock file is not followed, and a pipe does not block.
fn lock_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Locks the file beside `path`, and writes our process number into it.
fn lock(path: &Path) -> Result<File, LocalError> {
    let failed = || FileError::of("lock", path);
    let mut options = lock_options();
    options.read(true).write(true).create(true).truncate(false);
    let opened = options.mode(0o600).open(lock_path(path));
    let mut file = opened.map_err(failed())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let (path, process) = (path.to_owned(), process_in(&mut file));
            return Err(LocalError::InUse { path, process });
        }
        Err(TryLockError::Error(reason)) => return Err(failed()(reason).into()),
    }
    let number = format!("{}\n", process::id());
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(number.as_bytes()));
    written.map_err(failed())?;
    Ok(file)
}

/// The process number in a lock file.
fn process_in(file: &mut File) -> Option<u32> {
    let mut number = String::new();
    file.take(MAX_PROCESS).read_to_string(&mut number).ok()?;
    number.trim().parse().ok()
}

/// Whether a program without our lock listens there.
fn is_answered(path: &Path) -> bool {
    let connected = SockAddr::unix(path).and_then(|address| {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&address)
    });
    // A full queue has a listener, too.
    connected.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

/// Nobody can connect before the socket listens, so there is no moment with another mode.
fn bind(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_path_belongs_to_one_program_and_to_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let mut claimed = LocalPath::claim(&path).unwrap();
        let refused = LocalPath::claim(&path).unwrap_err().to_string();
        let process = format!("(process {})", process::id());
        assert!(refused.contains(&process), "{refused}");
        assert_eq!(LocalPath::user(&path), Some(process::id()));
        assert!(UnixStream::connect(&path).is_err(), "it does not listen");
        let _listener = claimed.listen().unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&lock_path(&path))), (0o600, 0o600));
        assert!(LocalPath::is_there(&path));
        assert!(!LocalPath::wait_until_free(&path, Duration::ZERO));
        drop(claimed);
        assert!(!LocalPath::is_there(&path) && !path.exists());
        let refused = LocalPath::claim(&path).unwrap_err().to_string();
        assert!(refused.contains(&process), "{refused}");
        assert!(!LocalPath::wait_until_free(&path, Duration::ZERO));
        let other = folder.path().join("other");
        assert!(LocalPath::wait_until_free(&other, Duration::ZERO));
    }

    #[test]
    fn only_a_socket_that_nobody_answers_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let claimed = LocalPath::claim(&path);
        assert!(matches!(claimed, Err(LocalError::Foreign(_))));
        drop(listener);
        drop(LocalPath::claim(&path).unwrap());
        let other = folder.path().join("other");
        fs::write(&other, "theirs").unwrap();
        symlink(&other, &path).unwrap();
        for path in [&path, &other] {
            let claimed = LocalPath::claim(path);
            assert!(matches!(claimed, Err(LocalError::NotASocket(_))));
            assert!(!LocalPath::is_there(path));
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "theirs");
    }

    #[test]
    fn a_lock_that_is_a_link_or_a_pipe_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        symlink(folder.path().join("elsewhere"), lock_path(&path)).unwrap();
        assert!(matches!(LocalPath::claim(&path), Err(LocalError::File(_))));
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn a_path_has_a_longest_length() {
        let folder = tempfile::tempdir().unwrap();
        let room = MAX_PATH - folder.path().as_os_str().len() - 1;
        let path = |length| folder.path().join("x".repeat(length));
        drop(LocalPath::claim(&path(room)).unwrap());
        let long = LocalPath::claim(&path(room + 1)).unwrap_err().to_string();
        assert!(long.contains("has 108 bytes"), "{long}");
        assert!(!LocalPath::is_there(&path(room + 1)));
    }
}
