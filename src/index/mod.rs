//! The peer's view of who has what, however it is found out.
//!
//! [`join`] takes part in an index; what can be asked of it is an [`Index`]. The central index and
//! the distributed one differ in what they say to whom. How a peer stays with its server, and comes
//! back to one that was lost, is the same for both.

mod central;
mod cookie;
mod distributed;
mod error;
mod keeper;
mod known;

pub use cookie::CookieFile;
pub use error::IndexError;
pub use known::Known;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Local};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use self::central::Central;
use self::distributed::Distributed;
use crate::event::{Event, Events, IndexStep, Topic};
use crate::library::{Library, Rfc};
use crate::net::{Dialects, Sockets};
use crate::wire::di::exchange::Timed;
use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Port, Record, RfcNumber, Title};
use crate::wire::{ci, di};

/// How peers learn who has what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From one server that knows it: P2P-CI.
    Central,
    /// From each other; a server knows who is active: P2P-DI.
    Distributed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Central, Self::Distributed];

    /// What it is called in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Central => "central",
            Self::Distributed => "distributed",
        }
    }

    /// What it is, in a few words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Central => "From one server that knows it: P2P-CI",
            Self::Distributed => "From each other; a server knows who is active: P2P-DI",
        }
    }

    /// The well-known port of its server.
    pub fn port(self) -> Port {
        let port = match self {
            Self::Central => ci::SERVER_PORT,
            Self::Distributed => di::REGISTRATION_PORT,
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
    /// The index server, or the registration server.
    pub server: Endpoint,
    /// What this peer shares.
    pub library: Arc<Library>,
    /// Where this peer is reached, and what it knows of others.
    pub known: Known,
    /// How servers and other peers are spoken to.
    pub dialects: Dialects,
    /// The connections of this peer.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// The `OS` header of the requests.
    pub os: Arc<str>,
    /// How many ADDs are sent before the first response is read. Many servers take what one read
    /// gives them for one request, so more than 1 is for those that are known not to.
    pub pipeline: usize,
    /// The file that keeps the cookie of a registration, where there is one.
    pub cookie_file: Option<CookieFile>,
}

impl Participation {
    /// Tells what happens between this peer and the index.
    fn tell<'a>(&'a self, topic: Topic, step: impl FnOnce() -> IndexStep<'a>) {
        self.events.tell(topic, || Event::Index {
            server: &self.server,
            step: step(),
        });
    }
}

/// Joins an index: connects to its server, or registers with it. A thread keeps this peer there
/// until it leaves.
pub fn join(kind: Kind, participation: Participation) -> Result<Arc<dyn Index>, IndexError> {
    match kind {
        Kind::Central => Central::join(participation),
        Kind::Distributed => Distributed::join(participation),
    }
}

/// Where a peer says what it has and asks who else has what.
pub trait Index: Send + Sync + fmt::Debug {
    /// Says that this peer has these documents, which its library shares, and returns how many were
    /// taken. One that is refused is told, and does not stop the others. There is no way to take a
    /// document back: it is named until this peer leaves or comes back.
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError>;

    /// Asks. Each item is everything that was found so far, and replaces the one before. A later one
    /// costs more, and nobody is asked for it before it is wanted.
    fn find<'a>(&'a self, query: &Query) -> Listings<'a>;

    /// Asks until somebody is found.
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

    /// How this peer stands with the server.
    fn standing(&self) -> Standing;

    /// Leaves the index, with all that this peer has published.
    fn leave(&self);
}

/// What an [`Index`] finds, one listing after the other.
pub type Listings<'a> = Box<dyn Iterator<Item = Result<Listing, IndexError>> + 'a>;

/// A question to an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Who has this document?
    Number {
        /// Its number.
        number: RfcNumber,
        /// Its title, for protocols that have a place for it; empty where it does not matter.
        title: Title,
    },
    /// Who has what?
    All {
        /// Whether everybody is asked who can be, or what is known already is enough.
        fresh: bool,
    },
}

/// What was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Listing {
    /// Who has what, this peer as well.
    pub records: Vec<Listed>,
    /// How many were asked for it: the server, or other peers.
    #[serde(skip)]
    pub asked: usize,
    /// How many of them answered.
    #[serde(skip)]
    pub answered: usize,
    /// Whether one message on the wire has exactly these records.
    #[serde(skip)]
    pub in_messages: bool,
}

/// A record as an index lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The record.
    pub record: Record,
    /// For how many seconds it lives, where that is limited.
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

/// The record as its protocol writes it, without the end of the line.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, ttl } = self.clone();
        match ttl {
            Some(ttl) => Timed { record, ttl }.fmt(f),
            None => record.fmt(f),
        }
    }
}

/// `{number, title, host, port}`, and `ttl` where it is limited.
impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record {
            number,
            title,
            holder: Endpoint { host, port },
        } = &self.record;
        let count = 4 + usize::from(self.ttl.is_some());
        let mut fields = serializer.serialize_struct("Listed", count)?;
        fields.serialize_field("number", &number.get())?;
        fields.serialize_field("title", title.as_str())?;
        fields.serialize_field("host", host.as_str())?;
        fields.serialize_field("port", &port.get())?;
        if let Some(ttl) = self.ttl {
            fields.serialize_field("ttl", &ttl)?;
        }
        fields.end()
    }
}

/// How a peer stands with the server of its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which server.
    pub server: Endpoint,
    /// Whether it is there.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// By what a registration server knows this peer.
    pub cookie: Option<Cookie>,
}

/// Whether a server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// This peer is connected to it.
    Connected,
    /// This peer is registered with it.
    Registered,
    /// It is lost, and the tries to reconnect go on.
    Away,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        let state = match self.state {
            State::Connected => "connected",
            State::Registered => "registered",
            State::Away => "away",
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
            (State::Away, None, format!("vm:5, away since {time}")),
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
