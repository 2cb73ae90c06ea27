//! The connection that an event belongs to.

use std::net::SocketAddr;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// An index server with a peer.
    Session,
    /// A registration server with a peer.
    Registration,
    /// An introducer with a peer.
    Introducer,
    /// A peer with another one that downloads from it.
    Upload,
    /// A peer with another one that it downloads from.
    Download,
    /// A peer with its index: a server, or another peer that it asks.
    Index,
    /// A peer in the background with a program on the same machine.
    Control,
    /// A program with a browser.
    Web,
}

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number among the connections of its kind in this program.
    pub id: u64,
    /// Its purpose.
    pub role: Role,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Sent by us.
    Sent,
    /// Received by us.
    Received,
}
