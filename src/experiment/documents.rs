//! The documents of an experiment: RFCs from a folder, or generated files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::file_error::FileError;
use crate::library::scan;
use crate::wire::RfcNumber;
use crate::wire::di::exchange::Digest;

/// A source document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) number: RfcNumber,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

/// All documents, sorted by number.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) all: Vec<Document>,
    /// Holds generated files until this is dropped.
    _folder: Option<TempDir>,
}

impl Documents {
    /// Generates `count` files of `size` bytes each in a temporary folder.
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

    /// Reads the first `count` RFCs of a folder, by number.
    pub(super) fn of_corpus(folder: &Path, count: usize) -> anyhow::Result<Self> {
        let files = scan::files(folder)?;
        ensure!(
            files.len() >= count,
            "{} has {} file(s) named rfcN.txt, but the experiment needs {count}",
            folder.display(),
            files.len()
        );
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

    /// The size of each document, in units of the mean.
    pub(super) fn works(&self) -> Vec<f64> {
        let mean = self.mean_size();
        let work = |document: &Document| float(document.bytes) / mean;
        self.all.iter().map(work).collect()
    }
}

/// Creates a folder that is removed when the handle is dropped.
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

pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Converts a count. Values above 2⁵³ are rounded, which does not matter for measurements.
#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "std has no other conversion from u64 to f64, and rounding is acceptable"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Generates text that is different for each number.
fn text(number: RfcNumber, size: u64) -> Vec<u8> {
    let line = format!("{number} is a document of an experiment.\n");
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    line.bytes().cycle().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_have_the_right_size_and_differ() {
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
    fn a_corpus_provides_its_lowest_numbers() {
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
