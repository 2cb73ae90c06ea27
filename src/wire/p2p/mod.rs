//! Messages between two peers: GET of P2P-CI; `GetRFC` and `RFCQuery` of P2P-DI; each in text and
//! in frames.
//!
//! One port serves them all. [`server`] is the side of the peer that is asked, [`client`] that of
//! the peer that asks.

pub mod client;
pub mod server;

use super::{Dialect, Protocol, RfcNumber};

/// A request to another peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its index: `RFCQuery`.
    Index,
    /// A document: `GetRFC`, or GET of P2P-CI.
    Document(RfcNumber),
}

/// The protocol and dialect of a conversation between peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    protocol: Protocol,
    dialect: Dialect,
}

impl Codec {
    /// The codec for this protocol and dialect.
    pub fn new(protocol: Protocol, dialect: Dialect) -> Self {
        Self { protocol, dialect }
    }
}
