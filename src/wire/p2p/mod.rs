//! What two peers say to each other: GET of P2P-CI; `GetRFC` and `RFCQuery` of P2P-DI; each in text
//! and in frames, and all on one port. [`server`] is the side of the peer that is asked, [`client`]
//! that of the peer that asks.

pub mod client;
pub mod server;

use super::{Dialect, Protocol, RfcNumber};

/// What a peer asks another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its index: `RFCQuery`.
    Index,
    /// A document: `GetRFC`, or GET of P2P-CI.
    Document(RfcNumber),
}

/// How two peers speak about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    protocol: Protocol,
    dialect: Dialect,
}

impl Codec {
    /// Speaks this protocol in this dialect.
    pub fn new(protocol: Protocol, dialect: Dialect) -> Self {
        Self { protocol, dialect }
    }
}
