//! What happens step by step: to a peer's index, to a node of a hash table, to a transfer.

use std::borrow::Cow;
use std::path::Path;

use crate::wire::dht::Key;
use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Record, RfcNumber, Title};

/// What happens between a peer and its index.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name says"
)]
pub enum IndexStep<'a> {
    /// The first connection attempt begins.
    Connecting,
    /// It is connected to the central index.
    Connected,
    /// It is registered with the registration server.
    Registered {
        /// The cookie.
        cookie: Cookie,
        /// The time to live, in seconds.
        ttl: u32,
    },
    /// It is about to register documents, each of which is reported as well.
    PublishingAll { count: usize },
    /// That is done.
    PublishedAll {
        /// How many were accepted,
        taken: usize,
        /// of how many.
        count: usize,
    },
    /// It is about to register a document.
    Publishing {
        number: RfcNumber,
        title: &'a Title,
        /// Whether this peer keeps the index itself, so that no server is involved.
        is_local: bool,
    },
    /// A server has accepted a record of this peer.
    Published { record: &'a Record },
    /// A document was not registered.
    NotPublished {
        number: RfcNumber,
        why: Cow<'a, str>,
    },
    /// Another peer did not send its index.
    Untold {
        peer: &'a Endpoint,
        why: Cow<'a, str>,
    },
    /// The connection to the server is lost. The peer keeps sharing and tries to reconnect.
    Lost {
        /// The reason, in words that need not name the server.
        why: Cow<'a, str>,
    },
    /// The peer is connected again, and has registered everything again.
    Back {
        /// How many documents the server accepted,
        taken: usize,
        /// of how many.
        all: usize,
    },
    /// The peer leaves.
    Leaving,
}

/// What happens to a node of a distributed hash table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhtStep {
    /// It is in contact with so many other nodes, after it was alone.
    Joined {
        /// How many of them answer.
        nodes: usize,
    },
    /// No other node answers.
    Alone,
    /// The nodes that are in contact with it have changed.
    Changed,
    /// It ended unexpectedly, and was started again.
    Rebuilt,
    /// It announced a peer for a key.
    Announced {
        /// The key.
        key: Key,
        /// The port of the peer's upload server.
        port: u16,
    },
    /// This peer has looked for the peers of a key, and asked those that it found.
    LookedUp {
        /// The key.
        key: Key,
        /// How many addresses it found.
        found: usize,
        /// How many of them have answered.
        answered: usize,
    },
}

/// A step of a transfer.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name says"
)]
pub enum Step<'a> {
    /// A download connects to the peer that has the document.
    Connecting,
    /// The transfer begins.
    Began {
        /// The length in bytes, if known.
        length: Option<u64>,
    },
    /// So many more bytes were transferred.
    Moved(u64),
    /// The transfer is complete.
    Done {
        /// The length in bytes.
        bytes: u64,
        /// Where the download was saved.
        path: Option<&'a Path>,
    },
    /// The transfer failed because of the other side.
    Failed { why: Cow<'a, str> },
    /// The transfer ended for a local reason (the folder failed, or the program ends), which its
    /// caller reports.
    GivenUp,
}
