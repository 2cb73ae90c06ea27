//! An open file of the folder: its title and its digest.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::scan::Stamp;
use super::title::{TITLE_WINDOW, printed_title};
use crate::wire::di::exchange::Digest;
use crate::wire::{RfcNumber, Title};

/// A file that is open for an upload. It keeps its contents even if another file takes its name.
#[derive(Debug)]
pub struct Document {
    /// Its number.
    pub number: RfcNumber,
    /// The open file, at its beginning.
    pub file: File,
    /// Its stamp when it was opened.
    pub stamp: Stamp,
}

impl Document {
    /// Opens a regular file. Anything else counts as missing, and a pipe does not block.
    pub(super) fn open(number: RfcNumber, path: &Path) -> io::Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let stamp = Stamp::of(&found)?;
        Ok(Self {
            number,
            file,
            stamp,
        })
    }

    /// The title printed in the file, or else `RFC N`. It reads only the first bytes.
    pub(super) fn printed_title(&self) -> io::Result<Title> {
        let mut file = &self.file;
        let mut head = Vec::with_capacity(TITLE_WINDOW);
        let limit = u64::try_from(TITLE_WINDOW).unwrap_or(u64::MAX);
        file.take(limit).read_to_end(&mut head)?;
        file.rewind()?;
        let printed = printed_title(self.number.get(), &head).and_then(|title| title.parse().ok());
        Ok(printed.unwrap_or_else(|| Title::fallback(self.number)))
    }

    /// The SHA-256 of the contents. It reads all of them, as long as `is_wanted`.
    pub(super) fn hash(&self, is_wanted: impl Fn() -> bool) -> io::Result<Digest> {
        let mut file = &self.file;
        let mut hash = Sha256::new();
        let mut reader = BufReader::with_capacity(256 * 1024, file.take(self.stamp.length));
        loop {
            let piece = reader.fill_buf()?;
            if piece.is_empty() {
                file.rewind()?;
                return Ok(Digest(hash.finalize().into()));
            }
            if !is_wanted() {
                return Err(unwanted());
            }
            hash.update(piece);
            let count = piece.len();
            reader.consume(count);
        }
    }
}

/// Nobody waits for a digest any more.
pub(super) fn unwanted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the downloader is gone")
}
