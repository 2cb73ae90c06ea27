//! What can be done with a running node.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Activity, Failure, Standing, Status};
use crate::event::{Event, Events, Reader, Topic};
use crate::file_error::FileError;
use crate::index::{Index, IndexError, Kind, Records, State};
use crate::library::{Document, Library, Rfc};
use crate::net::Sockets;
use crate::transfer::Downloader;
use crate::wire::{Endpoint, Record, RfcNumber, Title};

/// Uses a running node. Clones use the same one. Once the node has left, actions fail.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) me: Endpoint,
    pub(super) kind: Kind,
    pub(super) library: Arc<Library>,
    pub(super) index: Arc<dyn Index>,
    pub(super) downloader: Downloader,
    pub(super) activity: Activity,
    pub(super) events: Events,
    /// Outgoing connections.
    pub(super) asking: Sockets,
    /// When the node started.
    pub(super) since: SystemTime,
}

impl Handle {
    /// The same node for a single action: `reader` gets the events of that action as well, and
    /// closing `sockets` interrupts its downloads.
    pub(crate) fn for_one_action(&self, reader: impl Reader + 'static, sockets: Sockets) -> Self {
        let events = self.events.and(reader);
        let node = self.with_downloads_on(sockets);
        let downloader = Downloader {
            events: events.clone(),
            ..node.downloader
        };
        Self {
            downloader,
            events,
            ..node
        }
    }

    /// The same node; closing `sockets` interrupts the downloads of this handle.
    pub(crate) fn with_downloads_on(&self, sockets: Sockets) -> Self {
        let downloader = Downloader {
            sockets,
            ..self.downloader.clone()
        };
        Self {
            downloader,
            ..self.clone()
        }
    }

    /// The endpoint that others connect to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.me
    }

    /// The kind of its index.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The counts of transfers, which outlive the node.
    pub(crate) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// The state of its index.
    pub(crate) fn standing(&self) -> Standing {
        self.index.standing()
    }

    /// What is known without asking anybody about who has what; `None` if only a server knows.
    pub(crate) fn known(&self) -> Option<Records> {
        self.index.known()
    }

    /// Every document that it shares, with the length of its file in bytes if there is one.
    pub(crate) fn documents(&self) -> Vec<(Rfc, Option<u64>)> {
        let shared = self.library.shared().into_iter();
        let documents = shared.map(|rfc| {
            let path = self.library.path_of(rfc.number);
            let length = path.and_then(|path| Some(path.metadata().ok()?.len()));
            (rfc, length)
        });
        documents.collect()
    }

    /// Opens a document that it shares.
    pub(crate) fn document(&self, number: RfcNumber) -> Result<Option<Document>, FileError> {
        if self.library.title(number).is_none() {
            return Ok(None);
        }
        self.library.document(number)
    }

    /// Whether no other node of its hash table answers.
    pub fn is_alone(&self) -> bool {
        self.standing().state == State::Alone
    }

    /// The number of documents that it shares, and their folder. An RFC without a file is not one.
    pub(crate) fn shared(&self) -> (usize, &Path) {
        let shared = self.library.shared().into_iter();
        let has_file = |rfc: &Rfc| self.library.path_of(rfc.number).is_some();
        (shared.filter(has_file).count(), self.library.folder())
    }

    /// Shares an RFC from now on, and returns whether the index accepted it.
    pub(super) fn register(
        &self,
        number: RfcNumber,
        title: Option<Title>,
    ) -> (Record, Result<bool, IndexError>) {
        let rfc = self.library.offer(number, title);
        if self.library.path_of(number).is_none() {
            let folder = self.library.folder();
            self.events
                .tell(Topic::Life, || Event::FileMissing { number, folder });
        }
        let taken = self.index.publish(std::slice::from_ref(&rfc));
        (rfc.held_by(&self.me), taken.map(|count| count > 0))
    }

    /// The state of the node.
    pub(super) fn state(&self) -> Result<Status, Failure> {
        let (shared, folder) = self.shared();
        let folder = std::path::absolute(folder).map_err(Failure::other)?;
        Ok(Status {
            peer: self.me.clone(),
            kind: self.kind,
            index: self.standing(),
            peers_known: self.index.peers_known(),
            shared,
            folder,
            counts: self.activity.counts(),
            pid: std::process::id(),
            since: self.since,
        })
    }
}
