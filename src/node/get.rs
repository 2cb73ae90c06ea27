//! GET from end to end: LOOKUP, download from a holder, ADD.

use std::path::{Path, PathBuf};

use super::{Peer, numbers::Selection};
use crate::event::{Event, Topic};
use crate::file_error::FileError;
use crate::index::{IndexError, Query};
use crate::library::Incoming;
pub use crate::transfer::Spread;
use crate::transfer::{DownloadError, Fetched};
use crate::wire::{Endpoint, Fault, Record, RfcNumber, Title};

/// Where a document is to go.
pub enum Place<'a> {
    /// Into the folder, to be shared. The question is asked before a file there is replaced.
    Folder(&'a mut dyn FnMut(&Path) -> bool),
    /// Into a file, which is replaced.
    File(&'a Path),
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(_) => f.write_str("Folder"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// How a GET that did not fail has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// It is here.
    Downloaded(Downloaded),
    /// Nobody has it.
    Unknown {
        /// Whether a message says so.
        in_messages: bool,
    },
    /// It was not to replace this file.
    Kept(PathBuf),
}

/// A document that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The record of the holder that delivered it.
    pub record: Record,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Why a document could not be got.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The index gave no answer.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The folder is at fault, so that no other holder would help.
    #[error(transparent)]
    Library(#[from] FileError),
    /// It is downloaded, and the index does not know.
    #[error(transparent)]
    Unregistered(IndexError),
    /// No holder delivered it.
    #[error("none of {holders} holder(s) of RFC {number} could deliver it")]
    NoHolder {
        /// Which RFC.
        number: RfcNumber,
        /// How many were tried.
        holders: usize,
        /// The worst that happened with any of them.
        fault: Fault,
    },
    /// The program is about to end.
    #[error("interrupted")]
    Interrupted,
    /// This peer is the only one that says it has it.
    #[error("only this peer says that it has RFC {0}")]
    OnlyOurselves(RfcNumber),
}

impl Peer {
    /// Gets a document from whoever has it: LOOKUP, GET, and ADD where it goes into the folder.
    /// Each holder but ourselves is tried in turn until one delivers.
    pub fn get(
        &self,
        number: RfcNumber,
        title: &Title,
        place: Place<'_>,
        spread: &Spread,
    ) -> Result<Got, GetError> {
        let (file, mut may_replace) = match place {
            Place::File(path) => (Some(path), None),
            Place::Folder(may_replace) => (None, Some(may_replace)),
        };
        let mut replaces = false;
        let mut tried: Vec<Endpoint> = Vec::new();
        let mut is_known = self.library().title(number).is_some();
        let mut fault = Fault::Unreachable;
        let mut in_messages = false;
        let query = Query::Number {
            number,
            title: title.clone(),
        };
        for found in self.index.find(&query) {
            let found = match found {
                Ok(found) => found,
                Err(error) if tried.is_empty() => return Err(error.into()),
                Err(error) => {
                    self.events.tell(Topic::Life, || Event::NoMoreHolders {
                        number,
                        why: error.to_string().into(),
                    });
                    break;
                }
            };
            in_messages = found.in_messages;
            let found = found.records.into_iter().map(|listed| listed.record);
            let found: Vec<_> = found.collect();
            is_known |= !found.is_empty();
            let is_new =
                |record: &&Record| record.holder != *self.me() && !tried.contains(&record.holder);
            let mut left: Vec<&Record> = found.iter().filter(is_new).collect();
            if left.is_empty() {
                continue;
            }
            // Asked once, and not before there is somebody to get it from.
            if let Some(may_replace) = may_replace.take()
                && let Some(path) = self.library().path_of(number)
            {
                if !may_replace(&path) {
                    return Ok(Got::Kept(path));
                }
                replaces = true;
            }
            let begin = || match file {
                Some(path) => Incoming::at(path),
                None => self.library().receive(number, replaces),
            };
            while let Some((record, _turn)) = spread.next(&mut left) {
                tried.push(record.holder.clone());
                match self.downloader.download(number, &record.holder, begin) {
                    Ok(Fetched { path, bytes }) => {
                        if file.is_none() {
                            let title = Some(record.title.clone());
                            let title = title.filter(|title| !title.is_empty());
                            self.add(number, title).map_err(GetError::Unregistered)?;
                        }
                        return Ok(Got::Downloaded(Downloaded {
                            record: record.clone(),
                            path,
                            bytes,
                        }));
                    }
                    Err(DownloadError::Folder(error)) => return Err(error.into()),
                    Err(DownloadError::Interrupted) => return Err(GetError::Interrupted),
                    Err(error) => fault = fault.max(error.fault()),
                }
            }
        }
        match tried.len() {
            0 if is_known => Err(GetError::OnlyOurselves(number)),
            0 => Ok(Got::Unknown { in_messages }),
            holders => Err(GetError::NoHolder {
                number,
                holders,
                fault,
            }),
        }
    }

    /// The RFCs that are selected: all is what others have, by number.
    ///
    /// # Errors
    /// [`IndexError`] where the index has to be asked.
    pub fn selected(&self, selection: &Selection) -> Result<Vec<RfcNumber>, IndexError> {
        match selection {
            Selection::These(numbers) => Ok(numbers.iter().copied().collect()),
            Selection::All => {
                let found = self.index.find_first(&Query::All { fresh: true })?;
                let others = found.records.iter().map(|listed| &listed.record);
                let others = others.filter(|record| record.holder != *self.me());
                let mut numbers: Vec<_> = others.map(|record| record.number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                Ok(numbers)
            }
        }
    }
}
