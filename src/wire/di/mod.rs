//! P2P-DI/1.0: a registration server that knows which peers are active, and peers that exchange
//! what they know.
//!
//! [`registration`] has the messages between a peer and the registration server; [`server`] and
//! [`client`] are the two sides. [`exchange`] has the messages between peers, and `framed` the form
//! of both in frames. Sections named here are those of P2P-DI/1.0.

pub(super) mod answer;
pub mod client;
pub mod exchange;
pub(super) mod framed;
pub mod registration;
pub mod server;

use std::io::Write;
use std::time::SystemTime;

use super::ReadError;
use super::dates::http_date;
use super::protocol::{Protocol, Status, StatusLine};

/// The well-known port of the registration server (section 1).
pub const REGISTRATION_PORT: u16 = 65243;

/// How long a registration and a first-hand record live (section 2), in seconds.
pub const TTL: u32 = 7200;

/// The protocol of these messages.
const PROTOCOL: Protocol = Protocol::Di;
/// Our version, as written in every start line.
const VERSION: &str = PROTOCOL.version();

/// What every response says about the responding host.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// When the response was made.
    pub date: SystemTime,
    /// Its operating system.
    pub os: &'a str,
}

/// Writes the head of a response: the status line, `Date`, `OS`, the given fields, and
/// `Content-Length`.
pub(super) fn write_head(
    status: Status,
    origin: Origin<'_>,
    fields: &[(&str, &dyn std::fmt::Display)],
    length: u64,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(256);
    // Writing to memory does not fail.
    let _ = write!(
        head,
        "{}\r\nDate: {}\r\nOS: {}\r\n",
        StatusLine(PROTOCOL, status),
        http_date(origin.date),
        origin.os
    );
    for (name, value) in fields {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {length}\r\n\r\n");
    head
}

/// An answer with a list of this many lines.
fn list((name, count): (&str, usize), lines: &str, origin: Origin<'_>) -> Vec<u8> {
    let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let mut out = write_head(Status::Ok, origin, &[(name, &count)], length);
    out.extend_from_slice(lines.as_bytes());
    out
}

/// A refusal, without a body.
pub fn refusal(status: Status, origin: Origin<'_>) -> Vec<u8> {
    if status == Status::NoActivePeers {
        return write_head(status, origin, &[("Peers", &0)], 0);
    }
    write_head(status, origin, &[], 0)
}

/// Parses the lines of a body, each of which must be `expected`.
fn lines<T>(
    body: &[u8],
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ReadError> {
    let lines = body.split(|&byte| byte == b'\n');
    let lines = lines.map(<[u8]>::trim_ascii_end);
    let lines = lines.filter(|line| !line.is_empty()).map(|line| {
        let read = str::from_utf8(line).ok().and_then(&read);
        read.ok_or_else(|| ReadError::malformed(line, expected))
    });
    lines.collect()
}
