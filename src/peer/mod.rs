//! The peer: a folder that is shared, and what its user can do.
//!
//! [`library`] is the folder and [`Uploads`] serves it to others. [`Peer`] does what the [`menu`]
//! offers: it asks the index, gets documents through a [`Downloader`], and adds what it got. The
//! peer never imports the server's side.

mod console;
mod download;
pub mod library;
pub mod menu;
pub mod name;
pub mod title;
mod upload;
pub mod watch;

pub use console::{Console, Hangup};
pub use download::{DownloadError, Downloader};
pub use library::Library;
pub use upload::Uploads;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::index::{Index, IndexError, Rfc};
use crate::transcript::Transcript;
use crate::wire::ci::p2s::Record;
use crate::wire::{Endpoint, RfcNumber, Title};
use library::LibraryError;

/// A peer that takes part: what its user can do.
#[derive(Debug)]
pub struct Peer<I> {
    /// The name under which others reach this peer.
    pub me: Endpoint,
    /// Who has what.
    pub index: I,
    /// How documents come from others.
    pub downloader: Downloader,
    /// Where all is printed.
    pub transcript: Transcript,
    /// What is registered, so that the watch knows what is new.
    registered: Mutex<BTreeMap<RfcNumber, Title>>,
}

/// Why a document could not be got.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The index gave no answer.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The folder is at fault, so that no other holder would help.
    #[error(transparent)]
    Library(#[from] LibraryError),
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
    },
    /// This peer is the only one that says it has it.
    #[error("only this peer says that it has RFC {0}")]
    OnlyOurselves(RfcNumber),
}

impl<I: Index> Peer<I> {
    /// A peer that has registered nothing yet.
    pub fn new(me: Endpoint, index: I, downloader: Downloader, transcript: Transcript) -> Self {
        Self {
            me,
            index,
            downloader,
            transcript,
            registered: Mutex::default(),
        }
    }

    fn library(&self) -> &Library {
        &self.downloader.library
    }

    /// Registers every document of the folder.
    ///
    /// # Errors
    /// [`GetError`] of the index or of the folder.
    pub fn register_all(&self) -> Result<(), GetError> {
        self.publish(&self.library().documents()?)?;
        Ok(())
    }

    /// Registers documents whose files are new, or print another title than before.
    fn register_changed(&self, numbers: &[RfcNumber]) -> Result<(), IndexError> {
        let titled = |&number| {
            Some(Rfc {
                number,
                title: self.library().title(number)?,
            })
        };
        let mut documents: Vec<_> = numbers.iter().filter_map(titled).collect();
        {
            let registered = self.registered();
            documents.retain(|Rfc { number, title }| registered.get(number) != Some(title));
        }
        if !documents.is_empty() {
            self.publish(&documents)?;
        }
        Ok(())
    }

    fn is_registered(&self, number: RfcNumber) -> bool {
        self.registered().contains_key(&number)
    }

    /// A file is gone. The index goes on naming us, for it can't take back one record.
    fn forget(&self, number: RfcNumber) {
        if self.registered().remove(&number).is_some() {
            self.index.withdraw(number);
            let folder = self.library().folder().display();
            self.transcript.line(format_args!(
                "[PEER] RFC {number} is gone from {folder}; others will get 404 Not Found."
            ));
        }
    }

    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        let titled = documents
            .iter()
            .map(|Rfc { number, title }| (*number, title.clone()));
        self.registered().extend(titled);
        self.index.publish(documents)
    }

    fn registered(&self) -> MutexGuard<'_, BTreeMap<RfcNumber, Title>> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers one document, under the title in its file where none is given. Others will get
    /// 404 for one without a file, and a warning says so. `Ok(false)`: the index has refused it,
    /// and that was printed.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn add(&self, number: RfcNumber, title: Option<Title>) -> Result<bool, IndexError> {
        let in_file = self.library().offer(number);
        if self.library().path_of(number).is_none() {
            let folder = self.library().folder().display();
            self.transcript.line(format_args!(
                "[PEER] Warning: {folder} has no file for RFC {number}; others will get 404 Not Found."
            ));
        }
        let title = title.or(in_file).unwrap_or_else(|| Title::fallback(number));
        Ok(self.publish(&[Rfc { number, title }])? > 0)
    }

    /// Gets a document from whoever has it and registers it: LOOKUP, GET, ADD. Each holder but
    /// ourselves is tried in turn until one delivers. `may_replace` is asked before a file that
    /// we have is replaced. `Ok(false)`: nobody has it, or it was not to be replaced.
    ///
    /// # Errors
    /// [`GetError`].
    pub fn get(
        &self,
        number: RfcNumber,
        title: &Title,
        may_replace: impl FnOnce(&Path) -> bool,
    ) -> Result<bool, GetError> {
        let found = self.index.lookup(number, title)?;
        if found.is_empty() {
            return Ok(false);
        }
        let holders: Vec<&Record> = found.iter().filter(|r| r.holder != self.me).collect();
        if holders.is_empty() {
            return Err(GetError::OnlyOurselves(number));
        }
        let replaces = match self.library().path_of(number) {
            Some(path) if may_replace(&path) => true,
            Some(_) => return Ok(false),
            None => false,
        };
        for record in &holders {
            match self.downloader.download(number, &record.holder, replaces) {
                Ok(()) => {
                    let title = Some(record.title.clone()).filter(|title| !title.is_empty());
                    self.add(number, title).map_err(GetError::Unregistered)?;
                    return Ok(true);
                }
                Err(DownloadError::Library(error)) => return Err(error.into()),
                Err(error) => {
                    let line = format_args!("[DOWNLOAD] Failed from {}: {error}", record.holder);
                    self.transcript.line(line);
                }
            }
        }
        Err(GetError::NoHolder {
            number,
            holders: holders.len(),
        })
    }
}
