//! The peer: a folder that is shared, and what its user can do.
//!
//! [`Library`] is the folder, and [`Uploads`](crate::transfer::Uploads) serve it to others. [`Peer`]
//! does what the [`doors`](crate::doors) offer: it asks the index, gets documents through a
//! [`Downloader`] ([`get`]), and adds what it got. The peer never imports the server's side.

mod activity;
pub mod get;
pub mod name;
pub mod numbers;
pub mod watch;

pub use activity::{Activity, Counts, LastUpload};
pub use get::GetError;

use crate::event::{Event, Events, Topic};
use crate::index::{Index, IndexError, Known};
use crate::library::{Library, LibraryError, Rfc};
use crate::transfer::Downloader;
use crate::wire::Record;
use crate::wire::{Endpoint, RfcNumber, Title};

/// A peer that takes part: what its user can do.
#[derive(Debug)]
pub struct Peer {
    /// What this peer has, and what it knows of others.
    pub known: Known,
    /// Who has what.
    pub index: Box<dyn Index>,
    /// How documents come from others.
    pub downloader: Downloader,
    /// What was uploaded and downloaded.
    pub activity: Activity,
    /// Those who want to know what happens.
    pub events: Events,
}

/// Why the folder could not be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The index was lost on the way.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The folder can't be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl Peer {
    /// A peer that has registered nothing yet.
    pub fn new(
        known: Known,
        index: Box<dyn Index>,
        downloader: Downloader,
        activity: Activity,
        events: Events,
    ) -> Self {
        Self {
            known,
            index,
            downloader,
            activity,
            events,
        }
    }

    /// The name under which others reach this peer.
    pub fn me(&self) -> &Endpoint {
        self.known.me()
    }

    pub(crate) fn library(&self) -> &Library {
        &self.downloader.library
    }

    /// Registers every document of the folder, and returns how many there are.
    pub fn register_all(&self) -> Result<usize, RegisterError> {
        let documents = self.library().documents()?;
        self.publish(&documents)?;
        Ok(documents.len())
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
        documents
            .retain(|Rfc { number, title }| self.known.own_title(*number).as_ref() != Some(title));
        if !documents.is_empty() {
            self.publish(&documents)?;
        }
        Ok(())
    }

    fn is_registered(&self, number: RfcNumber) -> bool {
        self.known.own_title(number).is_some()
    }

    /// A file is gone. The index goes on naming us, for it can't take back one record.
    fn forget(&self, number: RfcNumber) {
        if self.known.withdraw(number) {
            self.index.withdraw(number);
            let folder = self.library().folder();
            self.events
                .tell(Topic::Life, || Event::FileGone { number, folder });
        }
    }

    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        self.known.publish(documents);
        self.index.publish(documents)
    }

    /// Registers one document, under the title in its file where none is given, and returns its
    /// record. Others will get 404 for one without a file, and a warning says so. `None`: the index
    /// has refused it, and that was printed.
    pub fn add(
        &self,
        number: RfcNumber,
        title: Option<Title>,
    ) -> Result<Option<Record>, IndexError> {
        let in_file = self.library().offer(number);
        if self.library().path_of(number).is_none() {
            let folder = self.library().folder();
            self.events
                .tell(Topic::Life, || Event::FileMissing { number, folder });
        }
        let title = title.or(in_file).unwrap_or_else(|| Title::fallback(number));
        let record = Record {
            number,
            title: title.clone(),
            holder: self.me().clone(),
        };
        let taken = self.publish(&[Rfc { number, title }])? > 0;
        Ok(taken.then_some(record))
    }
}
