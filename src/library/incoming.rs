//! A file that is being received: it appears whole or not at all.

use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt;
use tracing::debug;

use crate::file_error::FileError;

/// How many bytes of a file are moved at a time.
const PIECE: usize = 256 * 1024;

/// A file that is being received. It is invisible until [`Incoming::keep`], and leaves nothing
/// behind if it is dropped.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: AtomicWriteFile,
    may_replace: bool,
}

impl Incoming {
    /// Begins to receive a file outside the folder. It replaces an existing file.
    pub fn at(path: &Path) -> Result<Self, FileError> {
        Self::new(path.to_owned(), true)
    }

    pub(super) fn new(path: PathBuf, may_replace: bool) -> Result<Self, FileError> {
        let there = path.symlink_metadata().ok().map(|there| there.file_type());
        if there.is_some_and(|kind| !kind.is_file() && !kind.is_symlink()) {
            let reason = io::Error::other("it exists and is not a file");
            return Err(FileError::of("write", &path)(reason));
        }
        // The mode of a symbolic link allows everything, so it is not kept.
        let has_mode = there.is_some_and(|kind| kind.is_file());
        let opened = AtomicWriteFile::options()
            .preserve_mode(has_mode)
            .read(true)
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

    /// Puts bytes before all others.
    pub fn prepend(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let file = self.file.as_file();
        // Every piece moves by so many bytes; those that do not fit precede the next one.
        let mut moved = bytes.to_vec();
        let mut next = vec![0; PIECE];
        let mut shift = || {
            let mut at = 0;
            loop {
                let read = file.read_at(&mut next, at)?;
                moved.extend_from_slice(next.get(..read).unwrap_or_default());
                let count = if read == 0 { moved.len() } else { read };
                file.write_all_at(moved.get(..count).unwrap_or_default(), at)?;
                moved.drain(..count);
                if read == 0 {
                    return Ok(());
                }
                at += u64::try_from(read).unwrap_or_default();
            }
        };
        shift().map_err(FileError::of("write", &self.path))
    }

    /// Syncs the file to disk, moves it into place, and returns its path. After an error the path
    /// is as it was before.
    pub fn keep(self, modified: Option<SystemTime>) -> Result<PathBuf, FileError> {
        let Self {
            path,
            file,
            may_replace,
        } = self;
        // The sync comes first, to keep the gap between this check and the rename short.
        let synced = file.as_file().sync_all();
        synced.map_err(FileError::of("write", &path))?;
        if !may_replace && path.is_file() {
            let reason = io::Error::new(
                io::ErrorKind::AlreadyExists,
                "another file appeared there in the meantime",
            );
            return Err(FileError::of("write", &path)(reason));
        }
        if let Some(modified) = modified
            && let Err(error) = file.as_file().set_modified(modified)
        {
            // A file system that can't store this time is no reason to lose the file.
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
    fn bytes_are_put_before_a_file_of_any_length() {
        let folder = folder(&[]);
        for length in [0, 1, 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let mut incoming = receive(&folder, "rfc1.txt", true).unwrap();
            incoming.write(text.as_bytes()).unwrap();
            incoming.prepend(b"\r\n").unwrap();
            incoming.keep(None).unwrap();
            let expected = format!("\r\n{text}");
            assert!(self::text(&folder, "rfc1.txt") == expected, "{length}");
        }
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_left_alone() {
        let folder = folder(&[]);
        let path = folder.path().join("rfc1.txt");
        fs::create_dir(&path).unwrap();
        let refused = receive(&folder, "rfc1.txt", true).unwrap_err();
        let message = format!(
            "cannot write {}: it exists and is not a file",
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
