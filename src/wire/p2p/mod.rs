//! The messages between two peers: GET of P2P-CI, and `GetRFC` and `RFCQuery` of P2P-DI, each in
//! text and in frames, all on one port. [`server`] is the side of the peer that answers, [`client`]
//! the side of the peer that asks.

pub mod client;
pub mod server;

use super::tolerance::manner::Manner;
use super::{Dialect, Protocol, RfcNumber};

/// What one peer requests from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its index: `RFCQuery`.
    Index,
    /// A document: `GetRFC`, or GET of P2P-CI.
    Document(RfcNumber),
}

/// The protocol and dialect between two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    protocol: Protocol,
    dialect: Dialect,
    /// The manner of an answer.
    manner: Manner,
}

impl Codec {
    /// Uses this protocol in this dialect.
    pub fn new(protocol: Protocol, dialect: Dialect) -> Self {
        let manner = Manner::default();
        Self {
            protocol,
            dialect,
            manner,
        }
    }

    /// The dialect.
    pub fn dialect(self) -> Dialect {
        self.dialect
    }
}
