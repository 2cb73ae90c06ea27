//! P2P-DI/1.0: a registration server that knows which peers are active, and peers that exchange
//! their indexes.
//!
//! [`registration`] has the requests of a peer to the registration server; [`server`] and
//! [`client`] are the two sides, and [`peer_list`] is the one answer that may be long. [`exchange`] has the messages between peers. `framed` has the
//! framed format of both. Section numbers refer to P2P-DI/1.0.

pub(super) mod answer;
pub mod client;
pub mod exchange;
pub(super) mod framed;
pub mod peer_list;
pub mod registration;
pub mod server;

use std::time::SystemTime;

use super::ReadError;
use super::dates::http_date;
use super::protocol::{Protocol, Status, StatusLine};

/// The well-known port of the registration server (section 1).
pub const REGISTRATION_PORT: u16 = 65243;

/// The time to live of a registration and of a first-hand record (section 2), in seconds.
pub const TTL: u32 = 7200;

/// The protocol of these messages.
const PROTOCOL: Protocol = Protocol::Di;

/// What a message says about the host that sends it.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// When the message was created.
    pub date: SystemTime,
    /// The operating system of the host.
    pub os: &'a str,
}

/// A response: the status line, `Date`, `OS`, the `fields` of the message, `Content-Length`, and
/// the body.
fn response(status: Status, origin: Origin<'_>, fields: &str, body: &str) -> Vec<u8> {
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    [&*head(status, origin, fields, length), body.as_bytes()].concat()
}

/// The head of a response.
pub(super) fn head(status: Status, origin: Origin<'_>, fields: &str, length: u64) -> Vec<u8> {
    let line = StatusLine(PROTOCOL, status);
    let (date, os) = (http_date(origin.date), origin.os);
    format!("{line}\r\nDate: {date}\r\nOS: {os}\r\n{fields}Content-Length: {length}\r\n\r\n").into()
}

/// Parses the lines of a body. `expected` says what each line must be, for the error message.
fn lines<T>(
    body: &[u8],
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ReadError> {
    let read = |line| {
        let read = str::from_utf8(line).ok().and_then(&read);
        read.ok_or_else(|| ReadError::malformed(line, expected))
    };
    body_lines(body).map(read).collect()
}

/// The lines of a body that are not empty, without their ends.
fn body_lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = body.split(|&byte| byte == b'\n');
    let lines = lines.map(<[u8]>::trim_ascii_end);
    lines.filter(|line| !line.is_empty())
}
