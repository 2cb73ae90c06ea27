//! What went wrong with a file: what was being done, to which file, and why.

use std::io;
use std::path::{Path, PathBuf};

/// The system refused something that was to be done to a file or a folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {reason}", .path.display())]
pub struct FileError {
    /// What was being done, as in "cannot read".
    pub doing: &'static str,
    /// To what.
    pub path: PathBuf,
    /// Why it failed.
    pub reason: io::Error,
}

impl FileError {
    /// Says what was being done, for `map_err`.
    pub fn of(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self {
            doing,
            path: path.to_owned(),
            reason,
        }
    }
}
