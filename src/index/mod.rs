//! The peer's view of who has what, however it is found out.

mod central;
pub mod known;

pub use central::{Central, Membership};
pub use known::Known;

use std::io;
use std::sync::Arc;

use crate::net::ConnectError;
use crate::wire::Record;
use crate::wire::Status;
use crate::wire::ci::responses::ResponseError;
use crate::wire::{Endpoint, RfcNumber, Title};

/// A document as an index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rfc {
    /// Its number, which is its key.
    pub number: RfcNumber,
    /// Its title: several documents may have the same.
    pub title: Title,
}

impl From<(&RfcNumber, &Title)> for Rfc {
    fn from((number, title): (&RfcNumber, &Title)) -> Self {
        Self {
            number: *number,
            title: title.clone(),
        }
    }
}

/// Where a peer says what it has and asks who else has what.
pub trait Index: Send + Sync + std::fmt::Debug {
    /// Says that this peer has these documents, and returns how many were taken.
    ///
    /// It takes many at once, for some indexes announce a batch in the time of one.
    ///
    /// # Errors
    /// [`IndexError`] where the index was lost on the way; a document that is refused is
    /// printed and counted, and does not stop the others.
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError>;

    /// Who has an RFC? Nobody is an empty answer and no error. `title` is sent along where the
    /// protocol has a place for it.
    ///
    /// # Errors
    /// [`IndexError`].
    fn lookup(&self, number: RfcNumber, title: &Title) -> Result<Vec<Record>, IndexError>;

    /// All that anybody has.
    ///
    /// # Errors
    /// [`IndexError`].
    fn list(&self) -> Result<Vec<Record>, IndexError>;

    /// Publishes a document no longer. An index that can't take one back keeps it until this peer
    /// leaves or comes back to it.
    fn withdraw(&self, number: RfcNumber);

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
    #[must_use]
    pub fn is_of_protocol(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Lost { reason, .. } => matches!(**reason, ResponseError::Malformed(_)),
            Self::Unreachable(_) | Self::Away(_) | Self::NoKeeper(_) => false,
        }
    }

    /// Whether the index may come back by itself. A server of another kind will not.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away(_) => true,
            Self::Lost { reason, .. } => !matches!(**reason, ResponseError::Malformed(_)),
            Self::Unreachable(_) | Self::Refused(_) | Self::NoKeeper(_) => false,
        }
    }
}
