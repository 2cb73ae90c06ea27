//! What the upload server of the peer answers.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::Errno;

use super::get::{Get, MAX_ANSWER, Reply, ask, bare, codec, get};
use super::subject::{CHECK_TIME, Registered, Subject};
use crate::grade::check::{Finding, Held, Sheet, Unmet};
use crate::grade::excerpt::{Exchanged, usual_cause};
use crate::grade::file;
use crate::terminal::escape::escaped;
use crate::wire::di::Origin;
use crate::wire::p2p::server::Offer;
use crate::wire::{Head, Record, RfcNumber, Status, Waits, date};

/// How much silence means that no more of an answer comes.
const SETTLE_TIME: Duration = Duration::from_millis(300);
/// The headers that are dates.
const DATES: [&str; 2] = ["Date", "Last-Modified"];
/// The length of a date without its zone: `Sun, 26 Apr 2026 21:30:16`.
const DATE_AND_TIME: usize = 25;
/// How many downloaders send a whole GET, and read nothing.
const IDLE: usize = 3;

/// The contents of files that may be the document, and why others are not compared.
type Known = (Vec<Vec<u8>>, Vec<String>);

pub(super) fn document(subject: &Subject<'_>, registered: &Registered, sheet: &mut Sheet) -> Held {
    let connection = sheet.judge("add-port", subject.connect(registered))?;
    let Some(record) = registered.records.last() else {
        return Err(Unmet::Skipped("it registered nothing".to_owned()));
    };
    let request = get(record.number, &record.holder);
    let get = Get {
        request: &request,
        number: record.number,
        status: Status::Ok,
    };
    let reply = sheet.judge("get-ok", ask(subject, connection, get, CHECK_TIME))?;
    let known = subject.files.as_ref();
    let known = known.map(|folder| files_of(folder, record.number));
    let _ = sheet.judge("get-body", body(&reply, known.as_ref(), record.number));
    let first = known
        .as_ref()
        .and_then(|(candidates, _)| candidates.first());
    let length = length_of(first.unwrap_or(&reply.body));
    let _ = sheet.judge("get-headers", headers(&reply, record, length));
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
fn body(reply: &Reply, known: Option<&Known>, number: RfcNumber) -> Held {
    let got = length_of(&reply.body);
    let files = known.map_or(&[][..], |(candidates, _)| candidates);
    let announced = files
        .iter()
        .find(|file| reply.length == Some(length_of(file)));
    let message = match (reply.length, announced) {
        (None, _) => Some("Content-Length is missing or no number".to_owned()),
        (Some(length), Some(file)) if length != got => {
            return Err(other_length(reply, file));
        }
        (Some(length), _) if length != got => Some(format!(
            "Content-Length is {length}, and the body has {got} bytes"
        )),
        _ => None,
    };
    if let Some(message) = message {
        let field = format!("Content-Length: {got}\r\n");
        let exchanged = Exchanged {
            // The field may be anywhere in the head.
            differs: None,
            ..Exchanged::new(&reply.sent, field.as_bytes(), &reply.head)
        };
        return Err(Unmet::Failed(Box::new(Finding {
            message,
            cause: None,
            exchanged: Some(exchanged),
        })));
    }
    let Some((candidates, refused)) = known else {
        return Ok(());
    };
    let Some(first) = candidates.first() else {
        let none = || format!("no file of --files has {number} in its name");
        let reason = refused.first().cloned().unwrap_or_else(none);
        return Err(Unmet::Skipped(reason));
    };
    if candidates.contains(&reply.body) {
        return Ok(());
    }
    Err(reply.unmet(first, "the body is not that of the file".to_owned()))
}

/// The deviation of a body that is longer or shorter than its file, whose length the header has.
fn other_length(reply: &Reply, file: &[u8]) -> Unmet {
    let (got, length) = (reply.body.len(), file.len());
    let is = if got < length { "cut" } else { "too long" };
    let message = format!(
        "the body is {is}: Content-Length is {length}, as long as the file, and {got} bytes came"
    );
    let unmet = reply.unmet(file, message);
    let mut with_cr = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n");
        with_cr.extend_from_slice(text.unwrap_or(line));
        with_cr.extend_from_slice(if text.is_some() { b"\r\n" } else { b"" });
    }
    if with_cr == reply.body {
        unmet.usually("LF has become CRLF: read the file in binary mode, and send its bytes")
    } else {
        unmet
    }
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The contents of the files with this number in their names, and why others are not compared.
fn files_of(folder: &File, number: RfcNumber) -> Known {
    let has_number = |name: &str| {
        let numbers = name.split(|it: char| !it.is_ascii_digit());
        numbers
            .filter_map(|digits| digits.parse().ok())
            .any(|it: u32| it == number.get())
    };
    let (mut contents, mut refused) = (Vec::new(), Vec::new());
    for entry in Dir::read_from(folder).into_iter().flatten().flatten() {
        let Some(name) = entry.file_name().to_str().ok().filter(|it| has_number(it)) else {
            continue;
        };
        match content(folder, name) {
            Ok(content) => contents.push(content),
            Err(why) => {
                let name = escaped(name.as_bytes(), false);
                refused.push(format!("{name} is not compared: {why}"));
            }
        }
    }
    (contents, refused)
}

/// The content of a regular file in this folder. It belongs to who is graded: a link could show any
/// other file in the report.
fn content(folder: &File, name: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => io::Error::other("it is a link, not a regular file"),
        error => error.into(),
    })?;
    let most = u64::try_from(MAX_ANSWER).unwrap_or(u64::MAX);
    let too_long = || format!("it has more than {} MiB", most / 1024 / 1024);
    file::content(file.into(), most, too_long)
}

/// Whether each header has its form: it is a line that our own peer would send with its value. The
/// length is that of the document.
fn headers(reply: &Reply, record: &Record, length: u64) -> Held {
    let waits = Waits {
        first: None,
        whole: CHECK_TIME,
    };
    let head = Head::read(&mut reply.head.as_slice(), waits);
    let head = head.ok().flatten().unwrap_or_default();
    let field = |name| head.field(name).ok().flatten();
    // Its own times, also if only their zone is wrong.
    let time = |name| {
        let value: &str = field(name)?;
        let in_gmt = || date(&format!("{} GMT", value.get(..DATE_AND_TIME)?));
        date(value).or_else(in_gmt)
    };
    let offer = Offer {
        record,
        last_modified: time("Last-Modified").unwrap_or_else(SystemTime::now),
        length: reply.length.unwrap_or(length),
    };
    let origin = Origin {
        date: time("Date").unwrap_or_else(SystemTime::now),
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
            let name = line.split_once(": ").map(|(name, _)| name);
            let name = name.unwrap_or("the status line");
            let is_date = field(name).is_some_and(|value| date(value).is_none());
            let cause = usual_cause(strict.as_bytes(), &reply.head);
            let of_date = "the date is local, or in another form: email.utils.formatdate(usegmt=True) in Python";
            let cause = if is_date && DATES.contains(&name) {
                Some(of_date)
            } else {
                cause
            };
            Err(Unmet::Failed(Box::new(Finding {
                message: format!("{name} is missing, or not in its form"),
                cause,
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
        let get = Get {
            request: request.as_bytes(),
            number: unknown,
            status,
        };
        let reply = ask(subject, connection, get, SETTLE_TIME);
        if let Ok(reply) = sheet.judge(check, reply) {
            replies.push((reply, status));
        }
    }
    if replies.is_empty() {
        return Err(Unmet::Skipped("no error was answered right".to_owned()));
    }
    let form = replies.iter().try_for_each(|(reply, status)| {
        let short = bare(*status);
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
    // A small document fits in the buffers of those who read nothing. One that serves one at a time
    // waits for these two first.
    let silent = subject.connect(registered)?;
    let request = get(record.number, &record.holder);
    let line = request.split_inclusive(|byte| *byte == b'\n').next();
    let held = || {
        let mut idle = vec![silent];
        let others = std::iter::repeat_n(request.as_slice(), IDLE);
        for sent in line.into_iter().chain(others) {
            let mut connection = subject.connect(registered)?;
            // One that is refused holds up nobody either.
            let _ = connection.write_all(sent).and_then(|()| connection.flush());
            idle.push(connection);
        }
        fetch(subject, registered, record.number).map(drop)
    };
    let cause =
        "the upload server serves one downloader at a time: start a thread for each connection";
    let held = held().map_err(|it| it.when("while others wait").usually(cause));
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
    let get = Get {
        request: &get(number, holder),
        number,
        status: Status::Ok,
    };
    ask(subject, connection, get, SETTLE_TIME)
}

/// A message that should not have come.
pub(super) fn unexpected(what: &str, bytes: &[u8]) -> Unmet {
    Unmet::Failed(Box::new(Finding {
        message: format!("there is a {what} although nobody has the RFC"),
        cause: None,
        exchanged: Some(Exchanged::new(b"", b"", bytes)),
    }))
}
