//! Peer to registration server: REGISTER, LEAVE, PQUERY, KEEPALIVE (section 2).

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::wire::terms::decimal;
use crate::wire::{Endpoint, TermError};

/// The number by which a registration server recognizes a peer. Our server counts from 1, others
/// from 0. A cookie does not authenticate a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cookie(pub u32);

impl Cookie {
    /// The first cookie that our server assigns.
    pub const FIRST: Self = Self(1);
}

impl FromStr for Cookie {
    type Err = TermError;

    fn from_str(word: &str) -> Result<Self, TermError> {
        let number = decimal(word).map(Self);
        number.ok_or_else(|| TermError::new("a cookie is a whole number", word))
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request of a peer to the registration server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A peer is active from now on.
    Register {
        /// Where its upload server listens.
        peer: Endpoint,
        /// Its previous cookie, if any. Frames do not include it.
        cookie: Option<Cookie>,
    },
    /// A peer is no longer active.
    Leave(Claim),
    /// A peer asks which other peers are active.
    PeerQuery(Claim),
    /// A peer is still active.
    KeepAlive(Claim),
}

/// How a peer identifies itself as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its cookie.
    pub cookie: Cookie,
    /// The peer that the cookie must belong to; `None` in frames, which do not say.
    pub peer: Option<Endpoint>,
    /// Whether the request makes the peer active again: in text only REGISTER does, in frames every
    /// request does.
    pub activates: bool,
}

/// What the registration server knows about a peer at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its cookie.
    pub cookie: Cookie,
    /// Where its upload server listens.
    pub peer: Endpoint,
    /// Whether it is active.
    pub is_active: bool,
    /// For how many seconds it stays active without further contact.
    pub ttl: u32,
    /// How many times it registered in the last 30 days.
    pub registrations: u32,
    /// When it was last in contact.
    pub heard: SystemTime,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request of the peer `vm:5` with this cookie.
    pub(in crate::wire::di) type Ask = fn(u32) -> Request;
    pub(in crate::wire::di) const REGISTER: Ask = |cookie| Request::Register {
        peer: peer(),
        cookie: Some(Cookie(cookie)),
    };
    pub(in crate::wire::di) const LEAVE: Ask = |cookie| Request::Leave(claim(cookie));
    pub(in crate::wire::di) const PEER_QUERY: Ask = |cookie| Request::PeerQuery(claim(cookie));
    pub(in crate::wire::di) const KEEP_ALIVE: Ask = |cookie| Request::KeepAlive(claim(cookie));

    pub(in crate::wire::di) fn peer() -> Endpoint {
        Endpoint::parse("vm:5", crate::wire::Port::MIN).unwrap()
    }

    fn claim(cookie: u32) -> Claim {
        Claim {
            cookie: Cookie(cookie),
            peer: Some(peer()),
            activates: false,
        }
    }
}
