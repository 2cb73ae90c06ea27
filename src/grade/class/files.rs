//! The files of a report: their names, and how they are read and written.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;
use sha2::{Digest as _, Sha256};

use crate::file_error::FileError;
use crate::terminal::escape::escaped;

/// The longest name of a submission in the names of its files, in bytes. These have at most 255, and those
/// that replace them have a few more.
const MAX_STEM: usize = 150;

/// The longest file of a report, in bytes. Every excerpt in it has a limit.
const MAX_REPORT: u64 = 4 * 1024 * 1024;

/// The beginning of the names of the files of a submission, which no other has. A name that is too long
/// for them, or has characters that are escaped, is replaced by its beginning and its digest after `~`.
pub(super) fn stem(name: &OsStr) -> String {
    let bytes = name.as_encoded_bytes();
    // Also in the name of a file nothing controls a terminal.
    let mut stem = escaped(bytes, false);
    if stem.len() <= MAX_STEM && stem.as_bytes() == bytes && !stem.contains('~') {
        return stem;
    }
    stem.truncate(stem.floor_char_boundary(MAX_STEM));
    stem.push('~');
    for byte in Sha256::digest(bytes) {
        // Writing to memory does not fail.
        let _ = write!(stem, "{byte:02x}");
    }
    stem
}

/// A file of a report, at most as long as one can be.
pub(super) fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)?
        .take(MAX_REPORT)
        .read_to_end(&mut contents)?;
    Ok(contents)
}

/// Writes a file if it has other contents, or is a link.
pub(super) fn restore(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let is_same = path.symlink_metadata().is_ok_and(|it| it.is_file())
        && self::contents(path).is_ok_and(|now| now == contents);
    if is_same {
        return Ok(());
    }
    replace(path, contents)
}

/// Writes a file in one step. A link in its place is replaced.
pub(super) fn replace(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let written = AtomicWriteFile::open(path).and_then(|mut file| {
        file.write_all(contents)?;
        file.commit()
    });
    written.map_err(FileError::of("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_submissions_have_the_same_files() {
        let long = "x".repeat(250);
        let names = [&long, &long[1..], "a\nb", r"a\u{a}b", "alice"];
        let stems: Vec<_> = names.iter().map(|name| stem(name.as_ref())).collect();
        assert_eq!(stems[4], "alice");
        let mut all = stems.clone();
        // Somebody may take such a name on purpose.
        all.extend(stems[..3].iter().map(|name| stem(name.as_ref())));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8, "{all:?}");
        assert!(
            all.iter()
                .all(|name| name.len() < 230 && !name.contains('\n'))
        );
    }
}
