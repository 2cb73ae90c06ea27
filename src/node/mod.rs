//! The peer: a folder that is shared, and what its user can do.
//!
//! [`Peer`] does what the doors offer: it asks the index, gets documents through a [`Downloader`]
//! ([`get`]), adds what it got, and registers what comes into the folder ([`watch`]). It never imports
//! the server's side.

mod activity;
pub mod get;
pub mod name;
pub mod numbers;
pub mod watch;

pub use activity::{Activity, Counts, LastUpload};
pub use get::GetError;

use std::sync::Arc;

use crate::event::{Event, Events, Topic};
use crate::index::{Index, IndexError};
use crate::library::Library;
use crate::transfer::Downloader;
use crate::wire::{Endpoint, Record, RfcNumber, Title};

/// A peer that takes part: what its user can do.
#[derive(Debug)]
pub struct Peer {
    me: Endpoint,
    library: Arc<Library>,
    /// Who has what.
    pub index: Arc<dyn Index>,
    /// How documents come from others.
    pub downloader: Downloader,
    /// What was uploaded and downloaded.
    pub activity: Activity,
    /// Those who want to know what happens.
    pub events: Events,
}

impl Peer {
    /// A peer that has registered nothing yet.
    pub fn new(
        me: Endpoint,
        library: Arc<Library>,
        index: Arc<dyn Index>,
        downloader: Downloader,
        activity: Activity,
        events: Events,
    ) -> Self {
        Self {
            me,
            library,
            index,
            downloader,
            activity,
            events,
        }
    }

    /// The name under which others reach this peer.
    pub fn me(&self) -> &Endpoint {
        &self.me
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// Registers everything that is shared, and returns how much that is.
    pub fn register_all(&self) -> Result<usize, IndexError> {
        let shared = self.library().shared();
        self.index.publish(&shared)?;
        Ok(shared.len())
    }

    /// Registers one document, under the title in its file where none is given, and returns its
    /// record. Others will get 404 for one without a file, and a warning says so. `None`: the index
    /// has refused it, and that was printed.
    pub fn add(
        &self,
        number: RfcNumber,
        title: Option<Title>,
    ) -> Result<Option<Record>, IndexError> {
        let rfc = self.library().offer(number, title);
        if self.library().path_of(number).is_none() {
            let folder = self.library().folder();
            self.events
                .tell(Topic::Life, || Event::FileMissing { number, folder });
        }
        let taken = self.index.publish(std::slice::from_ref(&rfc))? > 0;
        Ok(taken.then(|| rfc.held_by(&self.me)))
    }
}
