//! Fetching an RFC from one of its holders.

use super::{Outcome, failed};
use crate::file_error::FileError;
use crate::library::Incoming;
use crate::node::Node;
use crate::transfer::{DownloadError, Fetched, Spread};
use crate::wire::{Endpoint, Fault, Record, RfcNumber};

impl Node {
    /// Fetches an RFC from one holder into the folder, where it must not be, and does not register
    /// it.
    pub fn fetch(&self, number: RfcNumber, holder: &Endpoint) -> Result<Fetched, DownloadError> {
        let begin = || self.library.receive(number, false);
        self.downloader.download(number, holder, begin)
    }

    /// Tries each of these holders in turn, whoever has the least to do first. Where none of them
    /// delivers, the `worst` that happened is kept.
    ///
    /// # Errors
    /// The outcome, where no other holder would help.
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
