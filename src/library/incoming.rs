//! A file that is being received: it appears whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt;
use tracing::debug;

use crate::file_error::FileError;

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
    pub fn at(path: &Path) -> Result<Self, FileError> {
        Self::new(path.to_owned(), true)
    }

    pub(super) fn new(path: PathBuf, may_replace: bool) -> Result<Self, FileError> {
        let there = path.symlink_metadata().ok().map(|there| there.file_type());
        if there.is_some_and(|kind| !kind.is_file() && !kind.is_symlink()) {
            let reason = io::Error::other("it is there and is not a file");
            return Err(FileError::of("write", &path)(reason));
        }
        // The mode of a link is that anybody may do anything.
        let has_mode = there.is_some_and(|kind| kind.is_file());
        let opened = AtomicWriteFile::options()
            .preserve_mode(has_mode)
            .open(&path);
        Ok(Self {
            file: opened.map_err(FileError::of("write", &path))?,
            path,
            may_replace,
        })
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let written = self.file.write_all(bytes);
        written.map_err(FileError::of("write", &self.path))
    }

    /// Puts the file in its place, on the disk for good, and returns where that is. After an error
    /// the place is as it was before.
    pub fn keep(self, modified: Option<SystemTime>) -> Result<PathBuf, FileError> {
        let Self {
            path,
            file,
            may_replace,
        } = self;
        // On the disk first, so that hardly any time is between this look and the new name.
        let synced = file.as_file().sync_all();
        synced.map_err(FileError::of("write", &path))?;
        if !may_replace && path.is_file() {
            let reason = io::Error::new(
                io::ErrorKind::AlreadyExists,
                "another file has appeared there meanwhile",
            );
            return Err(FileError::of("write", &path)(reason));
        }
        if let Some(modified) = modified
            && let Err(error) = file.as_file().set_modified(modified)
        {
            // A time that this file system can't hold is no reason to lose the file.
            debug!(%error, "{} keeps the time of its download", path.display());
        }
        file.commit().map_err(FileError::of("write", &path))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::library::tests::folder;

    fn receive(folder: &TempDir, name: &str, may_replace: bool) -> Result<Incoming, FileError> {
        Incoming::new(folder.path().join(name), may_replace)
    }

    fn text(folder: &TempDir, name: &str) -> String {
        fs::read_to_string(folder.path().join(name)).unwrap()
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let names = fs::read_dir(folder.path()).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_is_received_appears_whole_or_not_at_all() {
        let folder = folder(&[("rfc1.txt", "old")]);
        let mut given_up = receive(&folder, "rfc1.txt", true).unwrap();
        given_up.write(b"half").unwrap();
        drop(given_up);
        assert_eq!(text(&folder, "rfc1.txt"), "old");

        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_776_442_098);
        let mut kept = receive(&folder, "rfc1.txt", true).unwrap();
        kept.write(b"new").unwrap();
        assert_eq!(text(&folder, "rfc1.txt"), "old");
        let path = kept.keep(Some(time)).unwrap();
        assert_eq!(path, folder.path().join("rfc1.txt"));
        assert_eq!(text(&folder, "rfc1.txt"), "new");
        assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), time);
        assert_eq!(names(&folder), ["rfc1.txt"]);
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_left_alone() {
        let folder = folder(&[]);
        let path = folder.path().join("rfc1.txt");
        fs::create_dir(&path).unwrap();
        let refused = receive(&folder, "rfc1.txt", true).unwrap_err();
        let message = format!(
            "cannot write {}: it is there and is not a file",
            path.display()
        );
        assert_eq!(refused.to_string(), message);
        assert_eq!(names(&folder), ["rfc1.txt"]);
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_not_replaced() {
        let folder = folder(&[]);
        let mut incoming = receive(&folder, "rfc1.txt", false).unwrap();
        incoming.write(b"new").unwrap();
        fs::write(folder.path().join("rfc1.txt"), "appeared").unwrap();
        let refused = incoming.keep(None).unwrap_err();
        assert_eq!(refused.reason.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(text(&folder, "rfc1.txt"), "appeared");
        assert_eq!(names(&folder), ["rfc1.txt"]);
    }

    #[test]
    fn a_link_is_replaced_by_a_file_of_the_usual_mode_and_its_target_stays() {
        let (folder, outside) = (
            folder(&[("rfc9.txt", "")]),
            folder(&[("target", "outside")]),
        );
        let place = |name: &str| folder.path().join(name);
        symlink(outside.path().join("target"), place("rfc1.txt")).unwrap();
        symlink("nowhere", place("rfc2.txt")).unwrap();
        let mode = |name: &str| {
            let found = fs::symlink_metadata(place(name)).unwrap();
            found.permissions().mode()
        };
        for name in ["rfc1.txt", "rfc2.txt"] {
            let mut incoming = receive(&folder, name, true).unwrap();
            incoming.write(b"new").unwrap();
            incoming.keep(None).unwrap();
            assert_eq!(mode(name), mode("rfc9.txt"));
        }
        assert_eq!(text(&outside, "target"), "outside");
    }
}
