//! Scans a folder for files whose names are those of RFCs.
//!
//! It opens no file and keeps no state.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::file_error::FileError;
use crate::wire::RfcNumber;

/// Which file it is, its length and its modification time. While all stay the same, the contents
/// are assumed unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The number of the file in its file system.
    pub inode: u64,
    /// The length in bytes.
    pub length: u64,
    /// When the file was last modified.
    pub modified: SystemTime,
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> io::Result<Self> {
        Ok(Self {
            inode: found.ino(),
            length: found.len(),
            modified: found.modified()?,
        })
    }
}

/// The file of an RFC.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// Its stamp.
    pub stamp: Stamp,
    /// Files with other names for the same number. They are not shared.
    pub others: Vec<PathBuf>,
}

/// The RFCs in a folder (not in its subfolders), by number. It costs one system call per file.
///
/// If several files have one number, the one with the usual name comes first, then the others by
/// name.
pub fn files(folder: &Path) -> Result<BTreeMap<RfcNumber, Found>, FileError> {
    let mut named: BTreeMap<RfcNumber, Vec<(PathBuf, Stamp)>> = BTreeMap::new();
    let failed = || FileError::of("read the folder", folder);
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let Some(number) = number_in(&entry.file_name()) else {
            continue;
        };
        // One that has disappeared since then, or is no file, has none.
        if let Ok(Some(stamp)) = stamp(&entry) {
            let same = named.entry(number).or_default();
            same.push((entry.path(), stamp));
        }
    }
    let first = |(number, mut same): (RfcNumber, Vec<(PathBuf, Stamp)>)| {
        let usual = usual_path(folder, number);
        same.sort_by_cached_key(|(path, _)| (*path != usual, path.clone()));
        let mut same = same.into_iter();
        let (path, stamp) = same.next()?;
        let others = same.map(|(path, _)| path).collect();
        let found = Found {
            path,
            stamp,
            others,
        };
        Some((number, found))
    };
    Ok(named.into_iter().filter_map(first).collect())
}

/// The stamp of an entry, if it is a file or a link to one.
fn stamp(entry: &DirEntry) -> io::Result<Option<Stamp>> {
    let kind = entry.file_type()?;
    let found = if kind.is_symlink() {
        fs::metadata(entry.path())?
    } else if kind.is_file() {
        // This needs no walk along the path.
        entry.metadata()?
    } else {
        return Ok(None);
    };
    found.is_file().then(|| Stamp::of(&found)).transpose()
}

/// The path of an RFC's file under its usual name.
pub(super) fn usual_path(folder: &Path, number: RfcNumber) -> PathBuf {
    folder.join(format!("rfc{number}.txt"))
}

/// The number in the name of an RFC's file: `rfc791.txt`, also `RFC791.txt` and `rfc0791.txt`.
/// Drafts, indexes and compressed files (`rfc17a.txt`, `rfc-index.txt`, `rfc1.txt.gz`) have none.
fn number_in(name: &OsStr) -> Option<RfcNumber> {
    let name = name.to_str()?.to_ascii_lowercase();
    name.strip_prefix("rfc")?.strip_suffix(".txt")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::tests::folder;

    #[test]
    fn the_names_of_rfcs_are_told_from_the_others() {
        let folder = folder(&[
            ("rfc5.txt", ""),
            ("RFC6.TXT", ""),
            ("rfc0060.txt", ""),
            ("rfc17a.txt", ""),
            ("rfcxx00.txt", ""),
            ("rfc-index.txt", ""),
            ("bcp9.txt", ""),
            ("rfc1.txt.gz", ""),
            ("rfc1.html", ""),
            ("rfc_2.txt", ""),
            ("rfc+3.txt", ""),
            ("rfc.txt", ""),
            ("rfc0.txt", ""),
            ("rfc4294967296.txt", ""),
            (".rfc7.txt", ""),
        ]);
        fs::create_dir(folder.path().join("rfc8.txt")).unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/rfc9.txt"), "").unwrap();
        let found = files(folder.path()).unwrap();
        let numbers: Vec<_> = found.keys().map(|number| number.get()).collect();
        assert_eq!(numbers, [5, 6, 60]);
    }

    #[test]
    fn the_usual_name_comes_first_and_then_the_first_by_name() {
        let folder = folder(&[
            ("RFC5.txt", ""),
            ("rfc5.txt", ""),
            ("rfc06.txt", ""),
            ("RFC6.txt", ""),
            ("rfc006.txt", ""),
        ]);
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let found = files(folder.path()).unwrap().into_values();
        let found: Vec<_> = found
            .map(|found| (name(&found.path), found.others.iter().map(name).collect()))
            .collect();
        let expected: [(_, Vec<_>); 2] = [
            ("rfc5.txt", vec!["RFC5.txt"]),
            ("RFC6.txt", vec!["rfc006.txt", "rfc06.txt"]),
        ];
        let expected = expected.map(|(path, others)| {
            (
                path.to_owned(),
                others.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            )
        });
        assert_eq!(found, expected);
    }
}
