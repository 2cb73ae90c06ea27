//! A file that keeps the state of a program between runs.
//!
//! It is replaced in one step, so that a program that is killed leaves the old contents or the new
//! ones, and it is locked while a program uses it. A file that can't be understood is renamed, not
//! overwritten: it may be somebody else's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt as _;
use rustix::fs::OFlags;

use crate::file_error::FileError;

/// Where a server keeps its state between runs.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Nowhere: a restart forgets everything.
    Memory,
    /// In this file.
    File(PathBuf),
    /// In a file of this folder, named after the server and its port.
    Folder(PathBuf),
}

impl Storage {
    /// The path of the file, if any. In a folder it is named after the `server` and its `port`.
    pub fn path(self, server: &str, port: u16) -> Option<PathBuf> {
        match self {
            Self::Memory => None,
            Self::File(path) => Some(path),
            Self::Folder(folder) => Some(folder.join(format!("{server}-{port}.json"))),
        }
    }
}

/// Why a state file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file is in use by another server.
    #[error("{} is in use by another server; --state names another file", .0.display())]
    InUse(PathBuf),
    /// The file can't be read, set aside or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What a state file contained.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// Nothing: this is the first run.
    Nothing,
    /// The state of the previous run.
    State(T),
    /// Something else. The file was renamed.
    Damaged {
        /// What is wrong with it.
        reason: String,
        /// The new path.
        set_aside: PathBuf,
    },
}

/// A state file in use.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Locked while the file is in use, so that no other program overwrites it.
    lock: File,
}

impl StateFile {
    /// Locks the file at `path`. Its folder is created if missing.
    pub fn open(path: PathBuf) -> Result<Self, StateError> {
        let lock = lock(&path)?;
        Ok(Self { path, lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file, of at most `limit` bytes. A file that `parse` refuses is renamed.
    pub fn read<T>(
        &self,
        limit: u64,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Found<T>, FileError> {
        let path = &self.path;
        let text = match read(path, limit) {
            Ok(text) => text,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(reason) => return Err(FileError::of("read", path)(reason)),
        };
        match parse(&text) {
            Ok(state) => Ok(Found::State(state)),
            Err(reason) => {
                let set_aside = free_name(path);
                fs::rename(path, &set_aside).map_err(FileError::of("rename", path))?;
                Ok(Found::Damaged { reason, set_aside })
            }
        }
    }

    /// Replaces the contents. Only the user may read the new file.
    pub fn write(&self, text: &[u8]) -> io::Result<()> {
        // This is checked before there is a temporary file that could not replace it.
        if self.path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut options = AtomicWriteFile::options();
        // The mode of whatever has replaced it in the meantime does not matter.
        options.preserve_mode(false).mode(0o600);
        let mut file = options.open(&self.path)?;
        file.write_all(text)?;
        file.commit()
    }

    /// Lets other programs use the file.
    pub fn unlock(&self) {
        // This fails only if the file was not locked.
        let _ = self.lock.unlock();
    }
}

/// Makes sure that no other program uses the file. It locks a file beside it, because each change
/// replaces the file itself.
fn lock(path: &Path) -> Result<File, StateError> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let reason = io::Error::other("it exists and is not a file");
        return Err(FileError::of("write", path)(reason).into());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(FileError::of("create the folder of", path))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    // It may be somebody else's file, or a link, so its contents are not changed.
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

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        let reason = format!("it is too large ({length} bytes)");
        return Err(io::Error::other(reason));
    }
    let mut text = Vec::new();
    file.take(limit).read_to_end(&mut text)?;
    Ok(text)
}

/// An unused path beside `path`, with the time in its name.
fn free_name(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut number = now.unwrap_or_default().as_secs();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_used_by_one_program_and_read_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.json");
        let file = StateFile::open(path.clone()).unwrap();
        let second = StateFile::open(path.clone());
        assert!(matches!(second, Err(StateError::InUse(_))));
        let parse = |text: &[u8]| Ok(text.to_vec());
        assert_eq!(file.read(9, parse).unwrap(), Found::Nothing);
        file.write(b"state").unwrap();
        assert_eq!(
            file.read(9, parse).unwrap(),
            Found::State(b"state".to_vec())
        );
        let mode = fs::metadata(&path).unwrap();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
            0o600
        );
        assert!(file.read(4, parse).is_err(), "it is too large");
        file.unlock();
        StateFile::open(path).unwrap();
    }

    #[test]
    fn a_file_that_is_not_understood_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::open(folder.path().join("state.json")).unwrap();
        for damage in ["one", "two"] {
            file.write(damage.as_bytes()).unwrap();
            let found = file.read(9, |_| Err::<(), _>("it is odd".to_owned()));
            let Found::Damaged { reason, set_aside } = found.unwrap() else {
                panic!("{damage:?} is taken for a state")
            };
            assert_eq!(reason, "it is odd");
            assert_eq!(fs::read_to_string(set_aside).unwrap(), damage);
            assert!(!file.path().exists());
        }
    }
}
