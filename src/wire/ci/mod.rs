//! P2P-CI/1.0: one central index, many peers.
//!
//! [`p2s`] has what a peer asks the index server. [`server`] is the side of the server, and
//! [`responses`] that of the peer, which reads what servers answer in all the forms that exist.
//! [`framed`] makes frames of messages. What two peers say to each other is in [`p2p`](super::p2p).

pub mod framed;
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
