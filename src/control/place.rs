//! Where the control socket is: its name follows from the shared folder.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::getuid;
use sha2::{Digest as _, Sha256};

use crate::file_error::FileError;
use crate::wire::di::exchange::Digest;

/// How many hexadecimal digits a name has.
const NAME: usize = 16;

/// The name of a folder, however its path is written: letters and digits. The folder may have been
/// deleted, but not the one in which it was.
pub fn name(folder: &Path) -> io::Result<String> {
    let deleted = |error| match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(name)) => {
            let here = Path::new(".");
            let parent = if parent == Path::new("") {
                here
            } else {
                parent
            };
            Ok(fs::canonicalize(parent)?.join(name))
        }
        _ => Err(error),
    };
    let folder = fs::canonicalize(folder).or_else(deleted)?;
    let hash = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let mut name = Digest(hash.into()).to_string();
    name.truncate(NAME);
    Ok(name)
}

/// The usual path of the socket of the peer that shares this folder: in the user's runtime
/// folder, or else in `state`. `None`: the system defines neither.
pub fn path_for(folder: &Path, state: Option<PathBuf>) -> io::Result<Option<PathBuf>> {
    let runtime = dirs::runtime_dir().map(|folder| folder.join("p2pci"));
    let name = format!("{}.sock", name(folder)?);
    Ok(runtime.or(state).map(|folder| folder.join(name)))
}

/// Creates a folder that only this user may enter, or makes an existing one so.
pub fn private_folder(folder: &Path) -> Result<(), FileError> {
    let failed = || FileError::of("use the folder", folder);
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(failed())?;
    let found = fs::metadata(folder).map_err(failed())?;
    if found.uid() != getuid().as_raw() {
        let reason = io::Error::other("it belongs to another user");
        return Err(failed()(reason));
    }
    if found.mode() & 0o077 != 0 {
        let closed = fs::set_permissions(folder, Permissions::from_mode(0o700));
        closed.map_err(failed())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_has_one_name_and_others_have_others() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, link) = (folder.path().join("rfcs"), folder.path().join("link"));
        let one = name(&shared).unwrap();
        fs::create_dir(&shared).unwrap();
        symlink(&shared, &link).unwrap();
        assert_eq!(name(&shared).unwrap(), one, "it was the same before");
        assert!(name(&folder.path().join("not/there")).is_err());
        assert_eq!((one.len(), name(&link).unwrap()), (NAME, one.clone()));
        assert_ne!(name(folder.path()).unwrap(), one);
    }

    #[test]
    fn a_private_folder_is_made_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let (new, open) = (folder.path().join("a/b"), folder.path().join("open"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        for folder in [new, open] {
            private_folder(&folder).unwrap();
            assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
        }
    }
}
