//! A GET as the grader sends it, and the answer, as it came.

use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

use super::subject::{CHECK_TIME, Subject};
use crate::grade::check::{Finding, Held, Unmet};
use crate::grade::excerpt::Exchanged;
use crate::net::{Connection, operating_system};
use crate::wire::di::Origin;
use crate::wire::p2p::Codec;
use crate::wire::{Dialect, Endpoint, Protocol, RfcNumber, Source, Status};

/// The longest answer, in bytes.
pub(super) const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// An answer to a GET.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) sent: Vec<u8>,
    pub(super) got: Vec<u8>,
    pub(super) head: Vec<u8>,
    pub(super) code: u16,
    pub(super) length: Option<u64>,
    pub(super) body: Vec<u8>,
    pub(super) is_closed: bool,
}

pub(super) fn codec() -> Codec {
    Codec::new(Protocol::Ci, Dialect::Text)
}

/// A GET as our own peer sends it.
pub(super) fn get(number: RfcNumber, holder: &Endpoint) -> Vec<u8> {
    let os = operating_system();
    let origin = Origin {
        date: SystemTime::now(),
        os: &os,
    };
    codec().get(number, holder, origin)
}

/// A request for a document, and how a faithful peer answers it.
#[derive(Clone, Copy)]
pub(super) struct Get<'a> {
    pub(super) request: &'a [u8],
    pub(super) number: RfcNumber,
    pub(super) status: Status,
}

/// How the reading of an answer ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Closed,
    Complete,
    Incomplete,
}

/// Sends a request, and reads the answer. Once it is complete, waits for `linger` for more, or for
/// the close. Fails unless its status is the one expected.
pub(super) fn ask(
    subject: &Subject<'_>,
    connection: Connection,
    get: Get<'_>,
    linger: Duration,
) -> Held<Reply> {
    let (got, end) = receive(connection, get, linger);
    if let Some(reply) = only_status_line(get, &got, end) {
        return Ok(reply);
    }
    let printed = subject.printed();
    let (seconds, most) = (CHECK_TIME.as_secs(), MAX_ANSWER / 1024 / 1024);
    let why = match parse(get.request, &got, get.number) {
        _ if got.is_empty() && end == End::Closed => {
            format!("it closed the connection without an answer{printed}")
        }
        _ if got.is_empty() => format!("no answer within {seconds} s{printed}"),
        Ok(Reply { code, .. }) if end != End::Incomplete && code != get.status.code() => {
            format!("it answered {code} instead of {}", get.status.code())
        }
        Ok(reply) if end != End::Incomplete => {
            return Ok(Reply {
                is_closed: end == End::Closed,
                ..reply
            });
        }
        Ok(_) if got.len() > MAX_ANSWER => {
            format!("its answer is longer than {most} MiB{printed}")
        }
        Ok(_) => format!("no complete answer within {seconds} s{printed}"),
        Err(why) => format!("{why}{printed}"),
    };
    Err(Unmet::Failed(Box::new(Finding {
        message: why,
        cause: None,
        exchanged: Some(Exchanged::new(get.request, &bare(get.status), &got)),
    })))
}

/// A refusal that is its status line and no line end: the code is right, and the form is judged by it.
fn only_status_line(get: Get<'_>, got: &[u8], end: End) -> Option<Reply> {
    let has_end = got.contains(&b'\n');
    let line = [got, b"\r\n"].concat();
    let reply = parse(get.request, &line, get.number).ok()?;
    let is_it = !has_end && reply.code == get.status.code() && reply.code != Status::Ok.code();
    is_it.then(|| Reply {
        got: got.to_vec(),
        is_closed: end == End::Closed,
        ..reply
    })
}

/// Sends a request, and reads what comes until the answer is complete and `linger` is over.
fn receive(mut connection: Connection, get: Get<'_>, linger: Duration) -> (Vec<u8>, End) {
    let until = Instant::now() + CHECK_TIME;
    // If the peer has closed, reading says so.
    let _ = connection
        .write_all(get.request)
        .and_then(|()| connection.flush());
    let (mut got, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    let (mut whole, mut complete_since) = (None, None);
    let is_closed = loop {
        if whole.is_none() && got.len() <= buffer.len() {
            let reply = parse(get.request, &got, get.number);
            whole = reply.ok().and_then(|it| it.whole());
        }
        if complete_since.is_none() && whole.is_some_and(|whole| got.len() >= whole) {
            complete_since = Some(Instant::now());
        }
        let until = complete_since.map_or(until, |since: Instant| since + linger);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || got.len() > MAX_ANSWER {
            break false;
        }
        connection.allow(Some(left));
        match connection.read(&mut buffer) {
            Ok(0) => break true,
            Ok(count) => got.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) => break error.kind() != std::io::ErrorKind::TimedOut,
        }
    };
    let end = match complete_since {
        _ if is_closed => End::Closed,
        Some(_) => End::Complete,
        None => End::Incomplete,
    };
    (got, end)
}

/// The shortest answer with this status.
pub(super) fn bare(status: Status) -> Vec<u8> {
    let origin = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: "",
    };
    codec().refusal(status, origin)
}

/// Reads an answer liberally, as far as it has come.
fn parse(request: &[u8], got: &[u8], number: RfcNumber) -> Result<Reply, String> {
    let mut rest = got;
    let answered = codec().read_delivery(&mut rest, number, CHECK_TIME);
    let answered = answered.map_err(|error| error.to_string())?;
    let answer = answered.answer.map_err(|error| error.to_string())?;
    let (code, length) = match answer {
        Ok(delivery) if delivery.is_bare => {
            return Err("it sent bytes without a status line".to_owned());
        }
        Ok(delivery) => (200, delivery.length),
        Err(code) => (code, None),
    };
    Ok(Reply {
        sent: request.to_vec(),
        got: got.to_vec(),
        head: answered.bytes,
        code,
        length,
        body: rest.to_vec(),
        is_closed: false,
    })
}

impl Reply {
    /// How long the answer is to be, in bytes, once its head is there.
    fn whole(&self) -> Option<usize> {
        let mut ends = [&b"\n\r\n"[..], b"\n\n"].into_iter();
        if !ends.any(|end| self.head.ends_with(end)) {
            return None;
        }
        let before = self.got.len() - self.body.len();
        match self.length {
            Some(length) => before.checked_add(usize::try_from(length).ok()?),
            None if self.code == 200 => Some(usize::MAX),
            None => Some(before),
        }
    }

    /// A deviation of the body of this answer.
    pub(super) fn unmet(&self, expected: &[u8], message: String) -> Unmet {
        Unmet::Failed(Box::new(Finding {
            message,
            cause: None,
            exchanged: Some(Exchanged::new(&self.sent, expected, &self.body)),
        }))
    }
}
