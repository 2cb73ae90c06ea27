//! File errors: the operation, the file, and the reason.

use std::io;
use std::path::{Path, PathBuf};

/// The system refused an operation on a file or a folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {reason}", .path.display())]
pub struct FileError {
    /// The operation, as in "cannot read".
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The reason.
    pub reason: io::Error,
}

impl FileError {
    /// Makes the error of an operation, for `map_err`.
    pub fn of(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self {
            doing,
            path: path.to_owned(),
            reason,
        }
    }
}
