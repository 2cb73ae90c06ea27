//! The documents of an experiment: RFCs of a folder, or generated files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytesize::ByteSize;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::file_error::FileError;
use crate::library::scan;
use crate::wire::RfcNumber;
use crate::wire::di::exchange::Digest;

/// The longest generated file, in bytes.
const MAX_SYNTHETIC: u64 = 64 * 1024 * 1024;

/// A document before it is fetched.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its number.
    pub number: RfcNumber,
    /// Its path.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: Digest,
}

/// The documents of an experiment, by number.
#[derive(Debug)]
pub struct Documents {
    all: Vec<Document>,
    /// The folder of generated files, removed on drop.
    _folder: Option<TempDir>,
}

/// Why there are no documents.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// A file or folder failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// There are too few documents.
    #[error("{} has {there} file(s) named rfcN.txt, but the experiment needs {wanted}", .folder.display())]
    TooFew {
        /// The folder.
        folder: PathBuf,
        /// How many it has.
        there: usize,
        /// How many are needed.
        wanted: usize,
    },
}

/// Files to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthetic {
    /// The number of files.
    pub count: usize,
    /// The size of each, in bytes.
    pub size: u64,
}

/// Such as `60x50KiB`.
impl FromStr for Synthetic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |(count, size): (&str, &str)| {
            Some(Self {
                count: count.trim().parse().ok()?,
                size: size.trim().parse::<ByteSize>().ok()?.as_u64(),
            })
        };
        let found = text.split_once('x').and_then(read);
        let found = found.ok_or("expected a number and a size, such as 60x50KiB")?;
        if found.size == 0 || found.size > MAX_SYNTHETIC {
            let most = MAX_SYNTHETIC / 1024 / 1024;
            return Err(format!("a file must have from 1 byte to {most} MiB"));
        }
        Ok(found)
    }
}

impl Documents {
    /// Generates files in a temporary folder, which is removed with the documents.
    pub fn synthetic(kind: Synthetic) -> Result<Self, DocumentsError> {
        let folder = TempDir::with_prefix("p2pci-experiment-")
            .map_err(FileError::of("create a folder in", &std::env::temp_dir()))?;
        let numbers = (1..=u32::MAX).filter_map(RfcNumber::new).take(kind.count);
        let make = |number| {
            let path = folder.path().join(format!("rfc{number}.txt"));
            fs::write(&path, text(number, kind.size)).map_err(FileError::of("write", &path))?;
            Document::read(number, path)
        };
        Ok(Self {
            all: numbers.map(make).collect::<Result<_, _>>()?,
            _folder: Some(folder),
        })
    }

    /// The first `count` RFCs of a folder, by number. Fails if it has fewer.
    pub fn of_corpus(folder: &Path, count: usize) -> Result<Self, DocumentsError> {
        let files = scan::files(folder)?;
        if files.len() < count {
            return Err(DocumentsError::TooFew {
                folder: folder.to_owned(),
                there: files.len(),
                wanted: count,
            });
        }
        let first = files.into_iter().take(count);
        let read = first.map(|(number, found)| Document::read(number, found.path));
        Ok(Self {
            all: read.collect::<Result<_, _>>()?,
            _folder: None,
        })
    }

    /// The document at a position, counted from 0.
    pub fn get(&self, place: usize) -> Option<&Document> {
        self.all.get(place)
    }

    /// All of them.
    pub fn all(&self) -> &[Document] {
        &self.all
    }

    /// Their mean size s, in bytes.
    pub fn mean_size(&self) -> f64 {
        let total: u64 = self.all.iter().map(|document| document.bytes).sum();
        float(total) / float(u64::try_from(self.all.len()).unwrap_or(u64::MAX).max(1))
    }

    /// The length of each document in units of the mean size.
    pub fn works(&self) -> Vec<f64> {
        let mean = self.mean_size();
        let work = |document: &Document| float(document.bytes) / mean;
        self.all.iter().map(work).collect()
    }
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

/// The SHA-256 of bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Converts a count to a float. Beyond 2⁵³ it is rounded, which no measurement notices.
#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "std has no other way from 64 bits to a float, and the loss is the point of a float"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Generates text that is different for each number.
fn text(number: RfcNumber, size: u64) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut text = Vec::with_capacity(size.saturating_add(80));
    let mut line = 0_u64;
    while text.len() < size {
        line += 1;
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            "{number} is a document of an experiment; this is line {line}."
        );
    }
    text.truncate(size);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Synthetic>();
        let sixty = Synthetic {
            count: 60,
            size: 51_200,
        };
        assert_eq!(read("60x50KiB"), Ok(sixty));
        assert_eq!(read("60 x 51200"), Ok(sixty));
        for wrong in [
            "",
            "60",
            "x",
            "60x",
            "x50KiB",
            "60x50 sheep",
            "-1x5",
            "60x0",
            "1x65MiB",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn files_are_made_with_their_size_and_each_is_another() {
        let documents = Documents::synthetic(Synthetic {
            count: 3,
            size: 100,
        })
        .unwrap();
        let sizes: Vec<_> = documents.all().iter().map(|d| d.bytes).collect();
        assert_eq!(sizes, [100; 3]);
        assert_ne!(documents.all()[0].digest, documents.all()[1].digest);
        let path = documents.all()[0].path.clone();
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
        let numbers: Vec<_> = documents.all().iter().map(|d| d.number.get()).collect();
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
