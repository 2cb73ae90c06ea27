//! What the upload server of the peer answers.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::subject::{CHECK_TIME, Registered, Subject};
use crate::grade::check::{Finding, Held, Sheet, Unmet};
use crate::grade::excerpt::{Exchanged, usual_cause};
use crate::net::{Connection, operating_system};
use crate::wire::di::Origin;
use crate::wire::p2p::Codec;
use crate::wire::p2p::server::Offer;
use crate::wire::{
    Dialect, Endpoint, Head, Protocol, Record, RfcNumber, Source, Status, Waits, date,
};

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How much silence means that no more of an answer comes.
const SETTLE_TIME: Duration = Duration::from_millis(300);
/// How many downloaders read nothing.
const IDLE: usize = 3;

/// An answer to a GET.
#[derive(Debug)]
pub(super) struct Reply {
    sent: Vec<u8>,
    got: Vec<u8>,
    head: Vec<u8>,
    code: u16,
    length: Option<u64>,
    last_modified: Option<SystemTime>,
    pub(super) body: Vec<u8>,
    is_closed: bool,
}

fn codec() -> Codec {
    Codec::new(Protocol::Ci, Dialect::Text)
}

/// A GET as our own peer sends it.
fn get(number: RfcNumber, holder: &Endpoint) -> Vec<u8> {
    let os = operating_system();
    let origin = Origin {
        date: SystemTime::now(),
        os: &os,
    };
    codec().get(number, holder, origin)
}

pub(super) fn document(subject: &Subject<'_>, registered: &Registered, sheet: &mut Sheet) -> Held {
    let connection = sheet.judge("add-port", subject.connect(registered))?;
    let Some(record) = registered.records.last() else {
        return Err(Unmet::Skipped("it registered nothing".to_owned()));
    };
    let request = get(record.number, &record.holder);
    let reply = ask(subject, connection, &request, record.number, CHECK_TIME);
    let reply = sheet.judge("get-ok", reply.and_then(|reply| reply.with_code(200)))?;
    let _ = sheet.judge("get-body", body(&reply, subject.files(), record.number));
    let _ = sheet.judge("get-headers", headers(&reply, record));
    let closed = if reply.is_closed {
        Ok(())
    } else {
        let time = CHECK_TIME.as_secs();
        Err(Unmet::failed(format!(
            "the connection is still open {time} s after the body"
        )))
    };
    sheet.judge("get-closes", closed)
}

/// Whether the body is complete, no longer than announced, and that of the file.
fn body(reply: &Reply, files: Option<&Path>, number: RfcNumber) -> Held {
    let got = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
    match reply.length {
        None => {
            return Err(reply.unmet(&[], "Content-Length is missing or no number".to_owned()));
        }
        Some(length) if length != got => {
            let message = format!("Content-Length is {length}, and the body has {got} bytes");
            return Err(reply.unmet(&[], message));
        }
        Some(_) => {}
    }
    let Some(folder) = files else {
        return Ok(());
    };
    let candidates = files_of(folder, number);
    let Some(first) = candidates.first() else {
        return Err(Unmet::Skipped(format!(
            "no file in {} has {number} in its name",
            folder.display()
        )));
    };
    if candidates.contains(&reply.body) {
        return Ok(());
    }
    Err(reply.unmet(first, "the body is not that of the file".to_owned()))
}

/// The contents of the files with this number in their names.
fn files_of(folder: &Path, number: RfcNumber) -> Vec<Vec<u8>> {
    let has_number = |name: &str| {
        let numbers = name.split(|it: char| !it.is_ascii_digit());
        numbers
            .filter_map(|digits| digits.parse().ok())
            .any(|it: u32| it == number.get())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(has_number));
    named
        .filter_map(|entry| fs::read(entry.path()).ok())
        .collect()
}

/// Whether each header has its form: it is a line that our own peer would send with its value.
fn headers(reply: &Reply, record: &Record) -> Held {
    let waits = Waits {
        first: None,
        whole: CHECK_TIME,
    };
    let head = Head::read(&mut reply.head.as_slice(), waits);
    let head = head.ok().flatten().unwrap_or_default();
    let field = |name| head.field(name).ok().flatten();
    let offer = Offer {
        record,
        last_modified: reply.last_modified.unwrap_or(SystemTime::UNIX_EPOCH),
        length: reply.length.unwrap_or_default(),
    };
    let origin = Origin {
        date: field("Date")
            .and_then(date)
            .unwrap_or(SystemTime::UNIX_EPOCH),
        os: field("OS").unwrap_or("…"),
    };
    let strict = codec().head(&offer, origin, || Err(()));
    let strict = String::from_utf8(strict.ok().flatten().unwrap_or_default()).unwrap_or_default();
    // Other kinds of text are text too.
    let kind = field("Content-Type").filter(|kind| kind.starts_with("text/"));
    let strict = strict.replace("text/plain", kind.unwrap_or("text/plain"));
    let got = String::from_utf8_lossy(&reply.head).into_owned();
    let lines: Vec<_> = got.split_inclusive('\n').collect();
    let mut expected = strict.split_inclusive('\n');
    match expected.find(|line| !lines.contains(line)) {
        None => Ok(()),
        Some(line) => {
            let name = line.split([':', '\r']).next().unwrap_or_default();
            Err(Unmet::Failed(Box::new(Finding {
                message: format!("{name} is missing, or not in its form"),
                cause: usual_cause(strict.as_bytes(), &reply.head),
                exchanged: Some(Exchanged::new(&reply.sent, strict.as_bytes(), &reply.head)),
            })))
        }
    }
}

pub(super) fn errors(subject: &Subject<'_>, registered: &Registered, sheet: &mut Sheet) -> Held {
    let Some(Record { holder, .. }) = registered.records.last() else {
        return Err(Unmet::Skipped("it registered nothing".to_owned()));
    };
    let (unknown, _) = subject.document(0)?;
    let right = get(unknown, holder);
    let text = String::from_utf8_lossy(&right).into_owned();
    let mut replies = Vec::new();
    for (check, request, status) in [
        ("get-404", text.clone(), Status::NotFound),
        (
            "get-400",
            text.replacen("GET", "BLAH", 1),
            Status::BadRequest,
        ),
        (
            "get-505",
            text.replacen("P2P-CI/1.0", "P2P-CI/2.0", 1),
            Status::VersionNotSupported,
        ),
    ] {
        let connection = subject
            .connect(registered)
            .map_err(|it| it.as_condition("a connection failed"))?;
        let reply = ask(
            subject,
            connection,
            request.as_bytes(),
            unknown,
            SETTLE_TIME,
        );
        let reply = reply.and_then(|reply| reply.with_code(status.code()));
        if let Ok(reply) = sheet.judge(check, reply) {
            replies.push((reply, status));
        }
    }
    if replies.is_empty() {
        return Err(Unmet::Skipped("no error was answered right".to_owned()));
    }
    let form = replies.iter().try_for_each(|(reply, status)| {
        let origin = Origin {
            date: SystemTime::UNIX_EPOCH,
            os: "",
        };
        let short = codec().refusal(*status, origin);
        let long = [short.as_slice(), b"\r\n"].concat();
        if [&short, &long].contains(&&reply.got) {
            return Ok(());
        }
        Err(Unmet::Failed(Box::new(Finding {
            message: "the answer is right, but not to the byte".to_owned(),
            cause: usual_cause(&short, &reply.got),
            exchanged: Some(Exchanged::new(&reply.sent, &short, &reply.got)),
        })))
    });
    sheet.judge("get-error-form", form)
}

pub(super) fn parallel(subject: &Subject<'_>, registered: &Registered, sheet: &mut Sheet) -> Held {
    let Some(record) = registered.records.last() else {
        return Err(Unmet::Skipped("it registered nothing".to_owned()));
    };
    if sheet.has_failed("get-ok") {
        return Err(Unmet::Skipped("get-ok does not hold".to_owned()));
    }
    let request = get(record.number, &record.holder);
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut connection = subject.connect(registered)?;
        // One that is refused holds up nobody either.
        let _ = connection
            .write_all(&request)
            .and_then(|()| connection.flush());
        idle.push(connection);
    }
    let held = fetch(subject, registered, record.number).map(drop);
    sheet.judge("get-parallel", held)
}

/// Fetches a document that the peer has.
pub(super) fn fetch(
    subject: &Subject<'_>,
    registered: &Registered,
    number: RfcNumber,
) -> Held<Reply> {
    let Some(Record { holder, .. }) = registered.records.last() else {
        return Err(Unmet::Skipped("it registered nothing".to_owned()));
    };
    let connection = subject.connect(registered)?;
    let request = get(number, holder);
    ask(subject, connection, &request, number, SETTLE_TIME)?.with_code(200)
}

/// Sends a request, and reads the answer. Once it is complete, waits for `linger` for more, or for
/// the close.
fn ask(
    subject: &Subject<'_>,
    mut connection: Connection,
    request: &[u8],
    number: RfcNumber,
    linger: Duration,
) -> Held<Reply> {
    let until = Instant::now() + CHECK_TIME;
    // If the peer has closed, reading says so.
    let _ = connection
        .write_all(request)
        .and_then(|()| connection.flush());
    let (mut got, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    let (mut whole, mut complete_since) = (None, None);
    let ended = loop {
        if whole.is_none() && got.len() <= buffer.len() {
            whole = parse(request, &got, number).ok().and_then(|it| it.whole());
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
    let failed = |why: String| {
        Unmet::Failed(Box::new(Finding {
            message: format!("{why}{}", subject.printed()),
            cause: None,
            exchanged: Some(Exchanged::new(request, b"", &got)),
        }))
    };
    let seconds = CHECK_TIME.as_secs();
    match parse(request, &got, number) {
        _ if got.is_empty() && ended => Err(failed(
            "it closed the connection without an answer".to_owned(),
        )),
        _ if got.is_empty() => Err(failed(format!("no answer within {seconds} s"))),
        Ok(reply) if ended || complete_since.is_some() => Ok(Reply {
            is_closed: ended,
            ..reply
        }),
        Ok(_) => Err(failed(format!("no complete answer within {seconds} s"))),
        Err(why) => Err(failed(why)),
    }
}

/// Reads an answer liberally, as far as it has come.
fn parse(request: &[u8], got: &[u8], number: RfcNumber) -> Result<Reply, String> {
    let mut rest = got;
    let answered = codec().read_delivery(&mut rest, number, CHECK_TIME);
    let answered = answered.map_err(|error| error.to_string())?;
    let answer = answered.answer.map_err(|error| error.to_string())?;
    let (code, length, last_modified) = match answer {
        Ok(delivery) => (200, delivery.length, delivery.last_modified),
        Err(code) => (code, None, None),
    };
    Ok(Reply {
        sent: request.to_vec(),
        got: got.to_vec(),
        head: answered.bytes,
        code,
        length,
        last_modified,
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

    fn with_code(self, code: u16) -> Held<Self> {
        if self.code == code {
            return Ok(self);
        }
        let message = format!("it answered {} instead of {code}", self.code);
        Err(self.unmet(b"", message))
    }

    /// A deviation of this answer; `expected` is its body, if that is known.
    pub(super) fn unmet(&self, expected: &[u8], message: String) -> Unmet {
        let (expected, got) = match expected {
            [] => (Vec::new(), &self.got),
            body => (body.to_vec(), &self.body),
        };
        Unmet::Failed(Box::new(Finding {
            message,
            cause: None,
            exchanged: Some(Exchanged::new(&self.sent, &expected, got)),
        }))
    }
}

/// A message that should not have come.
pub(super) fn unexpected(what: &str, bytes: &[u8]) -> Unmet {
    Unmet::Failed(Box::new(Finding {
        message: format!("there is a {what} although nobody has the RFC"),
        cause: None,
        exchanged: Some(Exchanged::new(b"", b"", bytes)),
    }))
}
