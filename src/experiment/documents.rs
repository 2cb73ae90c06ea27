//! What is fetched in an experiment: RFCs of a folder, or files that are made for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::file_error::FileError;
use crate::library::scan;
use crate::wire::RfcNumber;
use crate::wire::di::exchange::Digest;

/// A document as it is before anybody fetches it.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Its number.
    pub(super) number: RfcNumber,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its length.
    pub(super) bytes: u64,
    /// What it hashes to.
    pub(super) digest: Digest,
}

/// The documents of an experiment, by number.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) all: Vec<Document>,
    /// Where they were made, which goes with them.
    _folder: Option<TempDir>,
}

impl Documents {
    /// Makes files of so many bytes in a folder of their own, which goes away with the documents.
    pub(super) fn synthetic(count: usize, size: u64) -> anyhow::Result<Self> {
        let folder = temporary_folder()?;
        let numbers = (1..=u32::MAX).filter_map(RfcNumber::new).take(count);
        let make = |number| {
            let path = folder.path().join(format!("rfc{number}.txt"));
            fs::write(&path, text(number, size)).map_err(FileError::of("write", &path))?;
            Document::read(number, path)
        };
        Ok(Self {
            all: numbers.map(make).collect::<Result<_, _>>()?,
            _folder: Some(folder),
        })
    }

    /// The first `count` RFCs of a folder, by number.
    pub(super) fn of_corpus(folder: &Path, count: usize) -> anyhow::Result<Self> {
        let files = scan::files(folder)?;
        let there = files.len();
        if there < count {
            let folder = folder.display();
            let needs = format_args!("but the experiment needs {count}");
            bail!("{folder} has {there} file(s) named rfcN.txt, {needs}");
        }
        let first = files.into_iter().take(count);
        let read = first.map(|(number, found)| Document::read(number, found.path));
        Ok(Self {
            all: read.collect::<Result<_, _>>()?,
            _folder: None,
        })
    }

    /// Their mean size s, in bytes.
    pub(super) fn mean_size(&self) -> f64 {
        let total: u64 = self.all.iter().map(|document| document.bytes).sum();
        float(total) / float(u64::try_from(self.all.len()).unwrap_or(u64::MAX).max(1))
    }

    /// How long each is in units of the mean: all are 1 where they have one size.
    pub(super) fn works(&self) -> Vec<f64> {
        let mean = self.mean_size();
        let work = |document: &Document| float(document.bytes) / mean;
        self.all.iter().map(work).collect()
    }
}

/// A folder that goes away with its handle.
pub(super) fn temporary_folder() -> Result<TempDir, FileError> {
    let folder = TempDir::with_prefix("p2pci-experiment-");
    folder.map_err(FileError::of("create a folder in", &std::env::temp_dir()))
}

impl Document {
    fn read(number: RfcNumber, path: PathBuf) -> Result<Self, FileError> {
        let bytes = fs::read(&path).map_err(FileError::of("read", &path))?;
        Ok(Self {
            number,
            path,
            digest: digest(&bytes),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        })
    }
}

/// What bytes hash to.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// A count as a number to calculate with. Beyond 2⁵³ it is rounded, which no measurement sees.
#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "std has no other way from 64 bits to a float, and the loss is the point of a float"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Text that no other number has.
fn text(number: RfcNumber, size: u64) -> Vec<u8> {
    let line = format!("{number} is a document of an experiment.\n");
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    line.bytes().cycle().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_made_with_their_size_and_each_is_another() {
        let documents = Documents::synthetic(3, 100).unwrap();
        let sizes: Vec<_> = documents.all.iter().map(|d| d.bytes).collect();
        assert_eq!(sizes, [100; 3]);
        assert_ne!(documents.all[0].digest, documents.all[1].digest);
        let path = documents.all[0].path.clone();
        assert!(path.is_file());
        drop(documents);
        assert!(!path.exists());
    }

    #[test]
    fn the_first_files_of_a_corpus_are_taken_by_number() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("rfc10.txt", "1234"),
            ("rfc9.txt", "12"),
            ("rfc100.txt", "1"),
            ("x", ""),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let documents = Documents::of_corpus(folder.path(), 2).unwrap();
        let numbers: Vec<_> = documents.all.iter().map(|d| d.number.get()).collect();
        assert_eq!(numbers, [9, 10]);
        assert!((documents.mean_size() - 3.0).abs() < 1e-9);
        assert!((documents.works()[0] - 2.0 / 3.0).abs() < 1e-9);
        let error = Documents::of_corpus(folder.path(), 4).unwrap_err();
        assert!(error.to_string().contains("has 3 file(s)"), "{error}");
        let missing = folder.path().join("missing");
        assert!(Documents::of_corpus(&missing, 1).is_err());
        assert!(!missing.exists());
    }
}
