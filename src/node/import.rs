//! Copies files from elsewhere into the folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::{Code, Failure, Handle};
use crate::file_error::FileError;
use crate::wire::RfcNumber;

/// The longest file that is copied, in bytes: no longer than one that others can download.
const MAX_LENGTH: u64 = 1024 * 1024 * 1024;
/// How much is copied at a time, in bytes.
const PIECE: usize = 64 * 1024;

impl Handle {
    /// Whether the folder has a file for this RFC.
    pub(crate) fn has_file(&self, number: RfcNumber) -> bool {
        self.library.path_of(number).is_some()
    }

    /// Copies a file into the folder as the one of this RFC. An existing file is never replaced; if
    /// it is the same file, nothing happens.
    pub(crate) fn import(&self, number: RfcNumber, from: &Path) -> Result<(), Failure> {
        let failed = || FileError::of("read", from);
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let from = match fs::canonicalize(from) {
            Err(error) if missing(&error) => {
                return Err(Failure::new(Code::NotFound, failed()(error)));
            }
            found => found.map_err(failed())?,
        };
        let present = self.library.path_of(number);
        if present.is_some_and(|path| fs::canonicalize(path).is_ok_and(|path| path == from)) {
            return Ok(());
        }
        // Opening a pipe would wait for its other end.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&from);
        let file = file.map_err(failed())?;
        let found = file.metadata().map_err(failed())?;
        if !found.is_file() || found.len() > MAX_LENGTH {
            let reason = io::Error::other("it is not a file of at most 1 GiB");
            return Err(failed()(reason).into());
        }
        let mut incoming = self.library.receive(number, false)?;
        let (mut file, mut piece) = (file.take(MAX_LENGTH), vec![0; PIECE]);
        loop {
            let count = file.read(&mut piece).map_err(failed())?;
            if count == 0 {
                break;
            }
            incoming.write(piece.get(..count).unwrap_or_default())?;
        }
        incoming.keep(found.modified().ok())?;
        Ok(())
    }
}
