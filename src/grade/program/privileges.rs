//! Takes back what files of an isolated program would do after its end: with a set-user-ID bit, everybody
//! who can reach a file runs it with the rights of the user who grades.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Dir, FileType, Mode, OFlags, fchmod, fstat, open, openat};
use rustix::io::Errno;

/// How long to look for them. A program may have made millions of files.
const TIME: Duration = Duration::from_secs(1);
/// How many folders within each other are looked into: each is open meanwhile.
const MAX_DEPTH: usize = 64;

/// The folder of a program. It stays the same, whatever becomes of its name.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Removes the set-user-ID and set-group-ID bits of all files in it, once no process of the program
    /// is left. If there may be more of them, it is closed to other users, and the error says so.
    pub(super) fn drop_privileges(&self) -> Result<(), String> {
        let until = Instant::now() + TIME;
        drop_all(self.0.as_fd(), MAX_DEPTH, until).map_err(|why| {
            let said = format!("its folder may have set-user-ID files, because {why}");
            match fchmod(&self.0, Mode::RWXU) {
                Ok(()) => format!("{said}; it is closed to other users now"),
                Err(error) => format!("{said}, and can't be closed: {error}"),
            }
        })
    }
}

fn drop_all(folder: BorrowedFd<'_>, depth: usize, until: Instant) -> Result<(), String> {
    for entry in Dir::read_from(folder).map_err(|error| error.to_string())? {
        if Instant::now() >= until {
            return Err("it has very many files".to_owned());
        }
        let entry = entry.map_err(|error| error.to_string())?;
        let is_own = matches!(entry.file_name().to_bytes(), b"." | b"..");
        // The type is unknown on some file systems.
        let may_be_either = entry.file_type() == FileType::Unknown;
        let may_be = |it| entry.file_type() == it || may_be_either;
        if is_own || !(may_be(FileType::Directory) || may_be(FileType::RegularFile)) {
            continue;
        }
        // A pipe does not wait, and a link is not followed.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = match openat(folder, entry.file_name(), flags, Mode::empty()) {
            Ok(opened) => opened,
            // A link or a socket.
            Err(Errno::LOOP | Errno::NXIO) => continue,
            // It is another user's: an isolated grader can open all files of
            // its own user, whatever their modes.
            Err(Errno::ACCESS) if !may_be(FileType::Directory) => continue,
            Err(error) => return Err(error.to_string()),
        };
        let about = fstat(&opened).map_err(|error| error.to_string())?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::Directory if depth == 0 => {
                return Err(format!(
                    "it has more than {MAX_DEPTH} folders within each other"
                ));
            }
            FileType::Directory => drop_all(opened.as_fd(), depth - 1, until)?,
            FileType::RegularFile => drop_bits(&opened, Mode::from_raw_mode(about.st_mode))?,
            _ => (),
        }
    }
    Ok(())
}

fn drop_bits(file: &OwnedFd, mode: Mode) -> Result<(), String> {
    let bits = Mode::SUID | Mode::SGID;
    if !mode.intersects(bits) {
        return Ok(());
    }
    match fchmod(file, mode - bits) {
        // It is that of another user, so the program has not made it.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn all_files_lose_the_bits_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("own/deep")).unwrap();
        for (name, mode) in [("own/a", 0o4755), ("own/deep/b", 0o6711), ("other", 0o4755)] {
            fs::write(path(name), "").unwrap();
            fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(path("own/deep"), Permissions::from_mode(0o2775)).unwrap();
        symlink("../other", path("own/link")).unwrap();
        symlink("..", path("own/up")).unwrap();
        let own = Folder::open(&path("own")).unwrap();
        assert_eq!(own.drop_privileges(), Ok(()));
        let modes = ["own/a", "own/deep/b", "own/deep", "other"].map(|it| mode(&path(it)));
        assert_eq!(modes, [0o755, 0o711, 0o2775, 0o4755]);
    }

    #[test]
    fn the_one_that_hides_them_too_deep() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("x/".repeat(MAX_DEPTH + 1))).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let said = Folder::open(folder.path()).unwrap().drop_privileges();
        let said = said.unwrap_err();
        assert!(said.ends_with("it is closed to other users now"), "{said}");
        assert_eq!(mode(folder.path()), 0o700);
    }
}
