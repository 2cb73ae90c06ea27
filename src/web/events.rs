//! The events of the stream: their names, and their data as JSON.
//!
//! An event is written on lines of its own, and JSON escapes every line end, so no text of a
//! stranger can begin another event.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::feed;
use super::first_line::{Kind, first_line};
use super::shown::{About, Peer, Record};
use crate::event::{Role, Way};

/// The longest first line that a message is shown with, in characters.
const MOST_LINE: usize = 200;

/// Writes an event.
pub(super) fn write(out: &mut String, id: u64, name: &str, data: &str) {
    // Writing to memory does not fail.
    let _ = write!(out, "id: {id}\nevent: {name}\ndata: {data}\n\n");
}

/// As JSON; it never fails for the types here.
pub(super) fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

/// A time in milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// What a watcher gets first.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot<'a> {
    #[serde(flatten)]
    pub(super) about: &'a About,
    pub(super) peers: &'a [Peer],
    pub(super) counts: &'a Counts,
}

#[derive(Debug, Serialize)]
pub(super) struct PeerEvent<'a> {
    pub(super) peer: &'a Peer,
}

#[derive(Debug, Serialize)]
pub(super) struct Left<'a> {
    pub(super) name: &'a str,
    pub(super) why: &'static str,
    pub(super) records: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct RecordEvent<'a> {
    pub(super) record: &'a Record,
    pub(super) added: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Counts {
    pub(super) peers: usize,
    pub(super) records: usize,
    pub(super) requests: u64,
    pub(super) refused: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) per_second: PerSecond,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct PerSecond {
    pub(super) requests: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Transfer<'a> {
    pub(super) id: u64,
    pub(super) way: &'static str,
    pub(super) number: u32,
    pub(super) other: &'a str,
    pub(super) step: &'static str,
    pub(super) done: u64,
    pub(super) length: Option<u64>,
    pub(super) why: Option<&'a str>,
}

/// Events that were not streamed.
#[derive(Debug, Serialize)]
pub(super) struct Missed {
    pub(super) missed: u64,
}

/// A message.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    id: u64,
    time: u64,
    way: &'static str,
    role: &'static str,
    link: u64,
    remote: SocketAddr,
    peer: Option<&'a str>,
    method: Option<&'static str>,
    status: Option<u16>,
    line: String,
    text: String,
    size: usize,
    cut: bool,
    more: usize,
    bad: bool,
}

impl<'a> Message<'a> {
    pub(super) fn new(id: u64, message: &feed::Message, peer: Option<&'a str>) -> Self {
        let line = String::from_utf8_lossy(first_line(&message.bytes));
        let (method, status) = match message.kind {
            Some(Kind::Request(place)) => (feed::method(place), None),
            Some(Kind::Response(status)) => (None, Some(status)),
            None => (None, None),
        };
        Self {
            id,
            time: millis(message.time),
            way: match message.way {
                Way::Sent => "sent",
                Way::Received => "received",
            },
            role: role(message.link.role),
            link: message.link.id,
            remote: message.link.remote,
            peer,
            method,
            status,
            line: line.chars().take(MOST_LINE).collect(),
            text: String::from_utf8_lossy(&message.bytes).into_owned(),
            size: message.size,
            cut: message.bytes.len() < message.size,
            more: message.more,
            bad: message.is_bad,
        }
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Session => "session",
        Role::Registration => "registration",
        Role::Introducer => "introducer",
        Role::Upload => "upload",
        Role::Download => "download",
        Role::Index => "index",
        Role::Control => "control",
        Role::Web => "web",
    }
}
