//! Fetching an RFC from one of its holders.

use super::{Outcome, failed};
use crate::file_error::FileError;
use crate::library::Incoming;
use crate::node::Node;
use crate::transfer::{DownloadError, Fetched, Spread};
use crate::wire::{Endpoint, Fault, Record, RfcNumber};

impl Node {
    /// Fetches an RFC from one holder into the folder, without registering it. The folder must not
    /// have it yet.
    pub fn fetch(&self, number: RfcNumber, holder: &Endpoint) -> Result<Fetched, DownloadError> {
        let begin = || self.library.receive(number, false);
        self.downloader.download(number, holder, begin)
    }

    /// Tries these holders in turn, the least loaded first. If none delivers, `worst` has the worst
    /// fault. The error is the outcome, if another holder would not help.
    pub(super) fn fetch_any(
        &self,
        number: RfcNumber,
        holders: &[Record],
        spread: &Spread,
        worst: &mut Fault,
        begin: impl Fn() -> Result<Incoming, FileError>,
    ) -> Result<Option<(Record, Fetched)>, Outcome> {
        let mut left: Vec<_> = holders.iter().collect();
        while let Some((record, _turn)) = spread.next(&mut left) {
            match self.downloader.download(number, &record.holder, &begin) {
                Ok(fetched) => return Ok(Some((record.clone(), fetched))),
                Err(DownloadError::Folder(error)) => return Err(failed(number, error)),
                Err(DownloadError::Interrupted) => return Err(Outcome::Interrupted(number)),
                Err(error) => *worst = error.fault().max(*worst),
            }
        }
        Ok(None)
    }
}
