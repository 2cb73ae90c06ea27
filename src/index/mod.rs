//! The peer's view of who has what, however it is found out.

mod central;
mod cookie;
mod distributed;
pub mod known;

pub use central::{Central, Membership};
pub use cookie::CookieFile;
pub use distributed::{Distributed, Participation};
pub use known::Known;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::library::Rfc;
use crate::net::ConnectError;
use crate::wire::Record;
use crate::wire::Status;
use crate::wire::ci::responses::ResponseError;
use crate::wire::di::exchange::Timed;
use crate::wire::{Endpoint, HeadError, Port, RfcNumber, Title};
use crate::wire::{ci, di};

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
        Self {
            record,
            ttl: Some(ttl),
        }
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

/// Where a peer says what it has and asks who else has what.
pub trait Index: Send + Sync + std::fmt::Debug {
    /// Says that this peer has these documents, which its library shares, and returns how many were
    /// taken. An index that can't take back what is shared no longer names it until this peer leaves
    /// or comes back to it.
    ///
    /// It takes many at once, for some indexes announce a batch in the time of one.
    ///
    /// # Errors
    /// [`IndexError`] where the index was lost on the way; a document that is refused is
    /// printed and counted, and does not stop the others.
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError>;

    /// Who has an RFC? Nobody is an empty answer and no error. `title` is sent along where the
    /// protocol has a place for it.
    fn lookup(&self, number: RfcNumber, title: &Title) -> Result<Vec<Listed>, IndexError>;

    /// Who has an RFC, a few holders at a time: what comes later costs more to find out, and is
    /// not found out where nobody asks for it.
    fn search<'a>(
        &'a self,
        number: RfcNumber,
        title: &Title,
    ) -> Box<dyn Iterator<Item = Result<Vec<Record>, IndexError>> + 'a> {
        let found = self.lookup(number, title);
        let records = found.map(|found| found.into_iter().map(|found| found.record).collect());
        Box::new(std::iter::once(records))
    }

    /// All that is known.
    fn list(&self) -> Result<Vec<Listed>, IndexError>;

    /// All that anybody has, found out anew.
    fn survey(&self) -> Result<Vec<Listed>, IndexError> {
        self.list()
    }

    /// Whether the messages that are printed show who has what.
    fn answers_in_messages(&self) -> bool {
        true
    }

    /// How this peer stands with the index, in words: with whom, and since when.
    fn standing(&self) -> String;

    /// Leaves the index, with all that this peer has published.
    fn leave(&self);
}

/// Why the index gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no connection to the index server, and none could be made.
    #[error(transparent)]
    Unreachable(#[from] ConnectError),
    /// The index server is away, and a try to come back to it goes on.
    #[error("the index server {0} is away")]
    Away(Endpoint),
    /// The index server gave no usable answer.
    #[error("the index server {server} is lost: {reason}")]
    Lost {
        /// Which server.
        server: Endpoint,
        /// What happened.
        reason: Arc<ResponseError>,
    },
    /// The registration server gave no usable answer.
    #[error("the registration server {server} gave no usable answer: {reason}")]
    Unanswered {
        /// Which server.
        server: Endpoint,
        /// What happened.
        reason: Arc<di::ResponseError>,
    },
    /// There is no thread to watch the connection to the index server.
    #[error("cannot start a thread for the index: {0}")]
    NoKeeper(io::Error),
    /// The index server refused the request.
    #[error("the index server refused it with code {0}{hint}", hint = hint(*.0))]
    Refused(u16),
}

/// What a person can do about a refusal.
fn hint(code: u16) -> &'static str {
    if code == Status::BadRequest.code() {
        ": another peer may have this name and port (--hostname and --upload-port choose others), \
         or the server takes no more RFCs of one peer"
    } else {
        ""
    }
}

impl IndexError {
    /// Whether the server speaks another protocol or version, or refuses what was asked.
    pub fn is_of_protocol(&self) -> bool {
        match self {
            // A server that is busy is as good as away.
            Self::Refused(code) => *code != Status::ServiceUnavailable.code(),
            Self::Lost { reason, .. } => matches!(**reason, ResponseError::Malformed(_)),
            Self::Unanswered { reason, .. } => !matches!(
                **reason,
                di::ResponseError::Closed
                    | di::ResponseError::CutOff { .. }
                    | di::ResponseError::Head(HeadError::Io(_) | HeadError::TimedOut)
            ),
            Self::Unreachable(_) | Self::Away(_) | Self::NoKeeper(_) => false,
        }
    }

    /// Whether the index may come back by itself. A server of another kind will not.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away(_) => true,
            Self::Lost { reason, .. } => !matches!(**reason, ResponseError::Malformed(_)),
            Self::Unanswered { .. } => !self.is_of_protocol(),
            Self::Unreachable(_) | Self::Refused(_) | Self::NoKeeper(_) => false,
        }
    }
}

/// Something between half of `pause` and all of it: the peers of a server that was restarted
/// must not all come back in the same moment.
fn jittered(pause: Duration) -> Duration {
    // The seeds of hash maps are the standard library's only source of chance.
    let chance = RandomState::new().hash_one(Instant::now()) % 1000;
    let share = u32::try_from(chance).unwrap_or_default();
    pause / 2 + pause / 2000 * share
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
