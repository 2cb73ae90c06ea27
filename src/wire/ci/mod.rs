//! P2P-CI/1.0: one central index, many peers.
//!
//! [`p2s`] has the requests of a peer to the index server. [`server`] is the server's side, and
//! [`responses`] the peer's, which reads every form of response that servers send. [`framed`]
//! converts messages to frames. Messages between peers are in [`p2p`](super::p2p).

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
/// Our version, as written in every start line.
const VERSION: &str = PROTOCOL.version();

/// Encodes a text message for the wire.
pub(super) fn encode(text: Vec<u8>, dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::Text => text,
        Dialect::Framed => framed::frame(&text).into_bytes(),
    }
}
