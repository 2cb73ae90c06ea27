//! Peer to registration server: REGISTER, LEAVE, PQUERY, KEEPALIVE (section 2).

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::wire::terms::decimal;
use crate::wire::{Endpoint, TermError};

/// By what a registration server knows a peer again: a small number, which ours count from 1 and
/// others from 0. It authenticates nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u32);

impl Cookie {
    /// The first cookie that our server gives out.
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

/// What a peer asks of the registration server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A peer is active from now on.
    Register {
        /// Where its upload server is reached.
        peer: Endpoint,
        /// By what it was known before. Frames do not say it.
        cookie: Option<Cookie>,
    },
    /// A peer is active no longer.
    Leave(Claim),
    /// A peer asks who else is active.
    PeerQuery(Claim),
    /// A peer is still active.
    KeepAlive(Claim),
}

/// How a peer says that it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// By what it is known.
    pub cookie: Cookie,
    /// Whose cookie it must be, where that is said: in frames it is not.
    pub peer: Option<Endpoint>,
    /// Whether it makes the peer active again: in text only REGISTER activates, in frames every sign
    /// of life does.
    pub activates: bool,
}

/// A peer as the registration server knows it at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// By what the peer is known.
    pub cookie: Cookie,
    /// Where its upload server is reached.
    pub peer: Endpoint,
    /// Whether it is active.
    pub is_active: bool,
    /// For how many seconds it is active, unless it says so again.
    pub ttl: u32,
    /// How often it has registered in the last 30 days.
    pub registrations: u32,
    /// When it was last heard of.
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
