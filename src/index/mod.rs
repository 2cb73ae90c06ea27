//! The peer's view of who has what.
//!
//! [`join`] joins an index, and [`Index`] is what can be done with it. The central and the
//! distributed index differ in their protocols; staying connected to a server, and reconnecting to
//! it, works the same for both. A hash table needs no server.

mod ask;
mod batch;
mod central;
mod cookie;
#[cfg(feature = "dht")]
mod dht;
mod distributed;
mod error;
mod keeper;
mod kind;
mod known;
mod listed;
mod participation;
mod query;
#[cfg_attr(
    not(feature = "dht"),
    allow(dead_code, reason = "only a hash table is told about it")
)]
mod recent;
mod records;
mod standing;
mod view;

pub use cookie::{CookieFile, state_name};
pub use error::IndexError;
pub use kind::Kind;
pub use known::Known;
pub use listed::Listed;
pub use participation::{Member, Participation};
pub use query::{Coverage, Listing, Query};
pub use recent::Recent;
pub use records::Records;
pub use standing::{Standing, State};

use std::fmt;
use std::sync::Arc;

use self::central::Central;
use self::distributed::Distributed;
use crate::library::Rfc;
use crate::wire::RfcNumber;

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
