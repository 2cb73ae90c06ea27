//! Peer to registration server: REGISTER, LEAVE, PQUERY, KEEPALIVE (section 2).

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::time::SystemTime;

use super::{VERSION, lines};
use crate::wire::protocol::Reject;
use crate::wire::{Endpoint, ReadError};

/// The small number by which a registration server recognizes a peer. Our server counts from 1,
/// others from 0. It authenticates nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(u32);

impl Cookie {
    /// The first cookie that our server assigns.
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
    type Err = Reject;

    fn from_str(word: &str) -> Result<Self, Reject> {
        let is_decimal = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_decimal { word.parse().ok() } else { None };
        number.map(Self).ok_or_else(|| {
            let shown: String = word.chars().take(40).collect();
            Reject::bad_request(format!("a cookie is a whole number, not {shown:?}"))
        })
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The method of a request to the registration server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The peer becomes active.
    Register,
    /// The peer is no longer active.
    Leave,
    /// The peer asks which others are active.
    PeerQuery,
    /// The peer is still active.
    KeepAlive,
}

impl Method {
    const ALL: [Self; 4] = [
        Self::Register,
        Self::Leave,
        Self::PeerQuery,
        Self::KeepAlive,
    ];

    /// The method with these words.
    pub(super) fn of(words: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|method| method.words() == words)
    }

    /// The method and its object, as in the request line.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Register => "REGISTER Peer",
            Self::Leave => "LEAVE Peer",
            Self::PeerQuery => "PQUERY Peer-List",
            Self::KeepAlive => "KEEPALIVE Peer",
        }
    }
}

/// A request of a peer to the registration server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The endpoint of the peer's upload server.
    pub peer: Endpoint,
    /// The peer's cookie; only REGISTER may omit it.
    pub cookie: Option<Cookie>,
}

impl Request {
    /// The request in text; `os` is the operating system of the sender.
    pub fn to_bytes(&self, os: &str) -> Vec<u8> {
        let Self {
            method,
            peer: Endpoint { host, port },
            cookie,
        } = self;
        let words = method.words();
        let mut out = format!("{words} {VERSION}\r\nHost: {host}\r\nPort: {port}\r\n").into_bytes();
        // The order of section 2: REGISTER has the cookie last. Writing to memory can't fail.
        let _ = match (method, cookie) {
            (Method::Register, Some(cookie)) => write!(out, "OS: {os}\r\nCookie: {cookie}\r\n"),
            (_, Some(cookie)) => write!(out, "Cookie: {cookie}\r\nOS: {os}\r\n"),
            (_, None) => write!(out, "OS: {os}\r\n"),
        };
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// What the registration server knows about a peer at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its cookie.
    pub cookie: Cookie,
    /// The endpoint of its upload server.
    pub peer: Endpoint,
    /// Whether it is active.
    pub is_active: bool,
    /// Its time to live, in seconds.
    pub ttl: u32,
    /// How often it registered in the last 30 days.
    pub registrations: u32,
    /// When it was last heard from.
    pub heard: SystemTime,
}

/// An active peer, as listed by PQUERY. Cookies are never disclosed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivePeer {
    /// The endpoint of its upload server.
    pub peer: Endpoint,
    /// Its time to live, in seconds.
    pub ttl: u32,
}

/// Reads the body of the answer to PQUERY.
pub fn read_peer_list(body: &[u8]) -> Result<Vec<ActivePeer>, ReadError> {
    lines(body, "a peer", active_peer)
}

fn active_peer(line: &str) -> Option<ActivePeer> {
    let mut words = line.split_ascii_whitespace();
    let is_peer = words.next()? == "Peer";
    let host = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    let ttl = words.next()?.parse().ok()?;
    let peer = Endpoint { host, port };
    (is_peer && words.next().is_none()).then_some(ActivePeer { peer, ttl })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;

    #[test]
    fn the_peer_list_is_read() {
        let peers = [5, 6].map(|port| ActivePeer {
            peer: Endpoint::parse(&format!("vm:{port}"), Port::MIN).unwrap(),
            ttl: 7200,
        });
        let body = b"Peer vm 5 7200\r\nPeer vm 6 7200\r\n";
        assert_eq!(read_peer_list(body).unwrap(), peers);
        for wrong in [
            "Peer vm 5",
            "Peer vm 0 1",
            "peer vm 5 1",
            "Peer a/b 5 1",
            "Peer vm 5 1 2",
            "\u{7}",
        ] {
            assert!(read_peer_list(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(read_peer_list(b"Peer \xff 5 1\r\n").is_err());
    }
}
