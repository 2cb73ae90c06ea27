//! P2P-CI/1.0: one central index, many peers.
//!
//! [`p2s`] is what a peer and the index server say to each other, [`p2p`] what two peers do. A
//! message has one type for each direction, so that one that goes the wrong way can't be written.
//! [`framed`] puts them into frames. [`responses`] reads what index servers answer, in all the forms that exist.

pub mod framed;
pub mod p2p;
pub mod p2s;
pub mod responses;
pub mod server;

use super::Dialect;
use super::protocol::Protocol;

/// The well-known port of the index server (section 1).
pub const SERVER_PORT: u16 = 7734;

/// The protocol of these messages.
const PROTOCOL: Protocol = Protocol::Ci;
/// The version that we speak, as it stands in every start line.
const VERSION: &str = PROTOCOL.version();

/// A message that is made in text, as it goes over the wire.
pub(super) fn encode(text: Vec<u8>, dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::Text => text,
        Dialect::Framed => framed::frame(&text).into_bytes(),
    }
}
