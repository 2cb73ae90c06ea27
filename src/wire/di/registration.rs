//! Peer to registration server: REGISTER, LEAVE, PQUERY, KEEPALIVE (section 2).

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::wire::terms::decimal;
use crate::wire::{Endpoint, TermError};

/// By what a registration server knows a peer again: a small number, which ours count from 1 and
/// others from 0. It authenticates nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(u32);

impl Cookie {
    /// The first cookie that our server gives out.
    pub const FIRST: Self = Self(1);

    /// The cookie as an integer.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl From<u32> for Cookie {
    fn from(number: u32) -> Self {
        Self(number)
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It is active from now on.
    Register,
    /// It is active no longer.
    Leave,
    /// Who else is active?
    PeerQuery,
    /// It is still active.
    KeepAlive,
}

impl Method {
    /// The method that has these words in a request line in text.
    pub(super) fn of(words: &str) -> Option<Self> {
        let mut all = [
            Self::Register,
            Self::Leave,
            Self::PeerQuery,
            Self::KeepAlive,
        ]
        .into_iter();
        all.find(|method| method.words() == words)
    }

    /// The method and what it is about, as they stand in a request line in text.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Register => "REGISTER Peer",
            Self::Leave => "LEAVE Peer",
            Self::PeerQuery => "PQUERY Peer-List",
            Self::KeepAlive => "KEEPALIVE Peer",
        }
    }
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
