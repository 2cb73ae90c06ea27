//! What happens, as data.
//!
//! Sessions, uploads, downloads and indexes report [`Event`]s to [`Events`], and readers decide
//! what to make of them: the printout prints lines, a progress bar moves, a test checks them.
//! Nothing here knows how an event is shown.

mod link;
mod readers;
mod steps;
#[cfg(test)]
pub(crate) mod testing;
mod topic;

pub use link::{Link, Role, Way};
pub use readers::{Events, Reader};
pub use steps::{DhtStep, IndexStep, Step};
pub use topic::{Topic, Topics};

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Host, Record, RfcNumber};

/// The most records of a message that an event carries, because an index that is sent is never
/// whole in memory. The rest are counted.
pub const MOST_RECORDS: usize = 200;

/// Something that happens.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name says"
)]
pub enum Event<'a> {
    /// A server listens on a port.
    Listening { role: Role, port: u16 },
    /// The program is about to end.
    Stopping,
    /// A server has stopped.
    Stopped {
        /// Whether sessions were cut off.
        cut_off: bool,
    },
    /// A program connected to a server.
    Opened(Link),
    /// This program connected to another one, in order to ask it.
    Dialed {
        link: Link,
        /// The name under which it was looked up.
        name: &'a Endpoint,
    },
    /// A connection to a server, or to a peer that uploads, ended.
    Closed {
        link: Link,
        /// Whether its peer left with it, as [`Event::Left`] has reported.
        had_name: bool,
    },
    /// A connection was turned away.
    TurnedAway {
        role: Role,
        /// The remote address, if the system knows it.
        from: Option<IpAddr>,
        why: Cow<'a, str>,
        /// How many others were turned away since the last such event.
        before: u64,
    },
    /// A message, exactly as on the wire. A message we send is reported before it is sent.
    Message {
        link: Link,
        way: Way,
        /// The whole message; but at most [`MOST_RECORDS`] records or peers of an answer of a
        /// server, and only the head of an answer with a document.
        bytes: &'a [u8],
        /// How many records follow that are not shown.
        more: usize,
        /// Whether it is a request that is going to be refused because it is invalid.
        is_bad: bool,
    },
    /// A request is refused. The protocol's answer has no field for the reason.
    Refusing {
        link: Link,
        /// The code of the answer.
        code: u16,
        reason: Cow<'a, str>,
    },
    /// A peer entered a server's list, or became active.
    Entered {
        name: &'a Endpoint,
        /// The address of the connection on which it came.
        from: SocketAddr,
        /// Its cookie, on a registration server.
        cookie: Option<Cookie>,
    },
    /// A peer left a server's list, or is no longer active.
    Left {
        name: &'a Endpoint,
        /// Its cookie, on a registration server.
        cookie: Option<Cookie>,
        /// How many of its records were removed.
        records: usize,
        /// How it left.
        departure: Departure,
    },
    /// A record was added to the central index.
    Added { link: Link, record: &'a Record },
    /// A record was taken back from the central index by its peer, which stays.
    Removed { link: Link, record: &'a Record },
    /// The name under which others reach this peer.
    Named {
        host: &'a Host,
        /// Why this name was chosen.
        reason: Cow<'a, str>,
    },
    /// What happens between this peer and its index.
    Index {
        /// The index server or the registration server.
        server: &'a Endpoint,
        step: IndexStep<'a>,
    },
    /// What happens to this program's node of the distributed hash table.
    Dht(DhtStep),
    /// Somebody downloads a document from this peer.
    Upload {
        link: Link,
        number: RfcNumber,
        step: Step<'a>,
    },
    /// This peer downloads a document.
    Download {
        /// The number of this download.
        id: u64,
        number: RfcNumber,
        holder: &'a Endpoint,
        step: Step<'a>,
    },
    /// An index or a holder is silent in text, and is about to be asked in frames as well.
    AskingInFrames { role: Role, other: &'a Endpoint },
    /// The search for more holders of a document has failed.
    NoMoreHolders {
        number: RfcNumber,
        why: Cow<'a, str>,
    },
    /// The file of a shared document has disappeared.
    FileGone { number: RfcNumber, folder: &'a Path },
    /// A registered document has no file.
    FileMissing { number: RfcNumber, folder: &'a Path },
    /// A message to the user.
    Notice { level: Level, text: Cow<'a, str> },
}

/// How a peer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It said so, or closed its connection.
    Left,
    /// Its connection failed.
    Lost,
    /// Its time to live expired without notice from it.
    Expired,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Info,
    /// Something is wrong.
    Warning,
}
