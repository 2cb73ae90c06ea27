//! How a peer takes part in an index.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::{CookieFile, IndexError, Known, Recent};
use crate::event::{Event, Events, IndexStep, Topic};
use crate::library::Library;
use crate::net::{Dialects, Ports, Sockets, Stop};
use crate::wire::Endpoint;

/// How a peer takes part in an index.
#[derive(Debug)]
pub struct Participation {
    /// The index server, the registration server, or the introducer.
    pub server: Endpoint,
    /// What this peer shares.
    pub library: Arc<Library>,
    /// This peer's endpoint, and what it knows about others.
    pub known: Known,
    /// The dialects of servers and other peers.
    pub dialects: Dialects,
    /// The connections of this peer.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// The `OS` header of the requests.
    pub os: Arc<str>,
    /// How many ADDs are sent before the first response is read; `None` finds out how many the
    /// server understands. Many servers treat whatever one read returns as one request.
    pub pipeline: Option<usize>,
    /// The ports of other peers that an index may name.
    pub ports: Ports,
    /// The file that keeps the cookie of a registration, if any.
    pub cookie_file: Option<CookieFile>,
    /// The documents that a hash table is told about.
    pub recent: Recent,
    /// This peer's node of a hash table.
    pub member: Member,
    /// Ends the work of the index.
    pub stop: Stop,
}

/// How a peer takes part in a distributed hash table.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// The local address of its node; `None` follows from the introducer.
    pub bind: Option<IpAddr>,
    /// The UDP port of its node; 0 for the number of its upload server's port, or any other if that
    /// is in use.
    pub port: u16,
    /// The file that keeps the nodes it knows between runs, if any.
    pub saved: Option<PathBuf>,
    /// Whether it joins the public network.
    pub public: bool,
    /// Whether it stays: then it announces what it shares, and waits for others where there are
    /// none. A peer for a single command is gone before anybody could ask it.
    pub stays: bool,
}

impl Participation {
    /// Reports an event about the index.
    pub(super) fn tell<'a>(&'a self, topic: Topic, step: impl FnOnce() -> IndexStep<'a>) {
        self.events.tell(topic, || Event::Index {
            server: &self.server,
            step: step(),
        });
    }

    /// Reports the beginning and the end of the work that registers `count` documents, and that
    /// returns how many were accepted.
    pub(super) fn publishing(
        &self,
        count: usize,
        work: impl FnOnce() -> Result<usize, IndexError>,
    ) -> Result<usize, IndexError> {
        self.tell(Topic::Messages, || IndexStep::PublishingAll { count });
        let done = work();
        let taken = *done.as_ref().unwrap_or(&0);
        self.tell(Topic::Messages, || IndexStep::PublishedAll { taken, count });
        done
    }
}
