//! The peer's view of who has what.
//!
//! [`join`] joins an index, and [`Index`] is what can be done with it. The central and the
//! distributed index differ in their protocols. Staying connected to a server, and reconnecting to
//! it, works the same for both.

mod ask;
mod batch;
mod central;
mod cookie;
#[cfg(feature = "dht")]
mod dht;
mod distributed;
mod error;
mod keeper;
mod known;
#[cfg_attr(
    not(feature = "dht"),
    allow(dead_code, reason = "only a hash table is told about it")
)]
mod recent;
mod records;
mod view;

pub use cookie::{CookieFile, state_name};
pub use error::IndexError;
pub use known::Known;
pub use recent::Recent;
pub use records::Records;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};

use self::central::Central;
use self::distributed::Distributed;
use crate::event::{Event, Events, IndexStep, Topic};
use crate::library::{Library, Rfc};
use crate::net::{Dialects, Ports, Sockets, Stop};
use crate::wire::dht::INTRODUCER_PORT;
use crate::wire::di::exchange::Timed;
use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Host, Port, Record, RfcNumber, Title};
use crate::wire::{ci, di};

/// How peers learn who has what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From one server that knows all records: P2P-CI.
    Central,
    /// From each other; a server knows which peers are active: P2P-DI.
    Distributed,
    /// From each other; a distributed hash table leads to those who have it.
    Dht,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Central, Self::Distributed, Self::Dht];

    /// Its name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Central => "central",
            Self::Distributed => "distributed",
            Self::Dht => "dht",
        }
    }

    /// A short description.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Central => "One server knows who has what: P2P-CI",
            Self::Distributed => "The peers know it, and a server knows who is active: P2P-DI",
            Self::Dht => "The peers know it, and no server is needed: a distributed hash table",
        }
    }

    /// The well-known port of its server.
    pub fn port(self) -> Port {
        let port = match self {
            Self::Central => ci::SERVER_PORT,
            Self::Distributed => di::REGISTRATION_PORT,
            Self::Dht => INTRODUCER_PORT,
        };
        Port::new(port).unwrap_or(Port::MIN)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("unknown kind of index {name:?}"))
    }
}

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
    fn tell<'a>(&'a self, topic: Topic, step: impl FnOnce() -> IndexStep<'a>) {
        self.events.tell(topic, || Event::Index {
            server: &self.server,
            step: step(),
        });
    }

    /// Reports the beginning and the end of the work that registers `count` documents, and that
    /// returns how many were accepted.
    fn publishing(
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

/// Joins an index: connects to its server, or registers with it. A thread maintains the membership
/// until this peer leaves.
pub fn join(kind: Kind, participation: Participation) -> Result<Arc<dyn Index>, IndexError> {
    match kind {
        Kind::Central => Central::join(participation),
        Kind::Distributed => Distributed::join(participation),
        #[cfg(feature = "dht")]
        Kind::Dht => dht::join(participation),
        #[cfg(not(feature = "dht"))]
        Kind::Dht => Err(IndexError::NotBuilt),
    }
}

/// Where a peer publishes what it has, and asks what others have.
pub trait Index: Send + Sync + fmt::Debug {
    /// Announces documents that the library shares, and returns how many were accepted. A refused
    /// one is reported and does not stop the others.
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError>;

    /// Takes back documents that the library no longer shares. Where the index does not know how,
    /// they stay listed until this peer leaves or reconnects.
    fn take_back(&self, numbers: &[RfcNumber]) -> Result<(), IndexError>;

    /// Runs a query. Each item is everything found so far, and replaces the previous one. Later
    /// items cost more, and are only computed on demand.
    fn find<'a>(&'a self, query: &Query) -> Listings<'a>;

    /// Runs a query until a holder is found.
    fn find_first(&self, query: &Query) -> Result<Listing, IndexError> {
        let mut listing = Listing::default();
        for found in self.find(query) {
            listing = found?;
            if !listing.records.is_empty() {
                break;
            }
        }
        Ok(listing)
    }

    /// The state of the connection to the server.
    fn standing(&self) -> Standing;

    /// How many other peers this one knows of.
    fn peers_known(&self) -> usize {
        0
    }

    /// What is known without asking anybody: what this peer shares, and what other peers have told.
    /// `None` if only a server knows.
    fn known(&self) -> Option<Records> {
        None
    }

    /// Leaves the index, which removes everything that this peer has published.
    fn leave(&self);
}

/// The results of a query, one listing after the other.
pub type Listings<'a> = Box<dyn Iterator<Item = Result<Listing, IndexError>> + 'a>;

/// A query to an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// Who has this document?
    Number {
        /// Its number.
        number: RfcNumber,
        /// Its title, for protocols that have a field for it; empty if it does not matter.
        title: Title,
    },
    /// Who has what?
    All {
        /// Whether to ask every active peer, or use only what is already known. An index without a
        /// server always asks.
        fresh: bool,
    },
}

/// What was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The records, including this peer's own.
    pub records: Records,
    /// How many were asked: the server, or other peers.
    #[serde(skip)]
    pub asked: usize,
    /// How many of them answered.
    #[serde(skip)]
    pub answered: usize,
    /// Whether exactly these records came in one message on the wire.
    #[serde(skip)]
    pub in_messages: bool,
    /// How many peers the records come from, if nobody knows all peers.
    #[serde(rename = "peers", default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// How many peers a listing comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// How many addresses were found.
    pub found: usize,
    /// How many of them were asked in time.
    pub asked: usize,
    /// How many of these answered.
    pub answered: usize,
    /// Whether there are probably more peers than were found.
    pub is_sample: bool,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            found,
            asked,
            answered,
            is_sample,
        } = self;
        write!(
            f,
            "{found} peer(s) found, {asked} asked, {answered} answered"
        )?;
        if *is_sample {
            f.write_str("; there are more, so this is a sample")?;
        }
        Ok(())
    }
}

/// A record as an index lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Listed {
    /// The record.
    pub record: Record,
    /// Its remaining lifetime in seconds, if limited.
    pub ttl: Option<u32>,
}

impl From<Timed> for Listed {
    fn from(Timed { record, ttl }: Timed) -> Self {
        let ttl = Some(ttl);
        Self { record, ttl }
    }
}

impl From<Record> for Listed {
    fn from(record: Record) -> Self {
        Self { record, ttl: None }
    }
}

/// The record as its protocol writes it, without the line end.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, ttl } = self.clone();
        match ttl {
            Some(ttl) => Timed { record, ttl }.fmt(f),
            None => record.fmt(f),
        }
    }
}

/// A listed record in JSON.
#[derive(Serialize, Deserialize)]
struct Fields {
    number: RfcNumber,
    title: Title,
    host: Host,
    port: Port,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}

impl From<Listed> for Fields {
    fn from(Listed { record, ttl }: Listed) -> Self {
        let Record {
            number,
            title,
            holder: Endpoint { host, port },
        } = record;
        Self {
            number,
            title,
            host,
            port,
            ttl,
        }
    }
}

impl From<Fields> for Listed {
    fn from(fields: Fields) -> Self {
        let Fields {
            number,
            title,
            host,
            port,
            ttl,
        } = fields;
        let holder = Endpoint { host, port };
        let record = Record {
            number,
            title,
            holder,
        };
        Self { record, ttl }
    }
}

/// The state of the connection to the index's server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The server.
    pub server: Endpoint,
    /// Its state.
    pub state: State,
    /// When that state began.
    #[serde(with = "crate::wire::json::time")]
    pub since: SystemTime,
    /// The cookie from a registration server.
    pub cookie: Option<Cookie>,
}

/// Whether the server is reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// This peer is connected.
    Connected,
    /// This peer is registered.
    Registered,
    /// This peer is in contact with others.
    Joined,
    /// No other peer answers.
    Alone,
    /// The connection is lost, and this peer is reconnecting.
    Away,
}

impl Standing {
    /// Whether this peer has joined, and has not lost the connection since.
    pub fn is_joined(&self) -> bool {
        !matches!(self.state, State::Away | State::Alone)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        let state = match self.state {
            State::Connected => "connected",
            State::Registered => "registered",
            State::Joined => "joined",
            State::Alone => "alone",
            State::Away => "disconnected",
        };
        let since = DateTime::<Local>::from(self.since).format("%F %T");
        write!(f, "{server}, {state} since {since}")?;
        match self.cookie {
            Some(cookie) => write!(f, ", cookie {cookie}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_listed_as_its_protocol_writes_it_and_in_json() {
        let record = Record::parse("RFC 5 A: \"b\" vm 1234").unwrap();
        let timed = Listed {
            record: record.clone(),
            ttl: Some(9),
        };
        for (listed, line, json) in [
            (
                Listed::from(record),
                "RFC 5 A: \"b\" vm 1234",
                r#"{"number":5,"title":"A: \"b\"","host":"vm","port":1234}"#,
            ),
            (
                timed,
                "RFC 5 9 vm 1234 A: \"b\"",
                r#"{"number":5,"title":"A: \"b\"","host":"vm","port":1234,"ttl":9}"#,
            ),
        ] {
            assert_eq!(listed.to_string(), line);
            assert_eq!(serde_json::to_string(&listed).unwrap(), json);
            assert_eq!(serde_json::from_str::<Listed>(json).unwrap(), listed);
        }
    }

    #[test]
    fn a_standing_names_the_server_and_the_cookie() {
        let since = SystemTime::now();
        let time = DateTime::<Local>::from(since).format("%F %T");
        for (state, cookie, expected) in [
            (
                State::Connected,
                None,
                format!("vm:5, connected since {time}"),
            ),
            (
                State::Registered,
                Some(Cookie::FIRST),
                format!("vm:5, registered since {time}, cookie 1"),
            ),
            (
                State::Away,
                None,
                format!("vm:5, disconnected since {time}"),
            ),
        ] {
            let standing = Standing {
                server: Endpoint::parse("vm:5", Port::MIN).unwrap(),
                state,
                since,
                cookie,
            };
            assert_eq!(standing.to_string(), expected);
        }
    }
}
