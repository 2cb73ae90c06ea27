//! Reads the responses of an index server.
//!
//! Servers in the wild disagree about the empty lines of a response, and a response has no length.
//! So the parser is lenient (section 5), and silence ends a response that nothing else ends.

use std::collections::HashMap;
use std::io;
use std::mem::{self, Discriminant};
use std::time::Duration;

use super::PROTOCOL;
use super::p2s::Request;
use crate::wire::error::is_silence;
use crate::wire::frame::Frame;
use crate::wire::protocol::StatusLine;
use crate::wire::tolerance::status;
use crate::wire::{Dialect, Endpoint, ReadError, Record, Source, Status, read_line};

/// The longest wait for a line of a response.
pub const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How much silence ends a response that may be complete, although the server did not mark its end.
const SHORT_WHILE: Duration = Duration::from_millis(250);
/// The same where more is likely, because the server may only have a slow connection: after a record
/// while it is not known whether the server marks the end of its records, before the first one that a
/// response should have, and in the middle of a line.
const LONGER_WHILE: Duration = Duration::from_secs(2);
/// The longest line, in bytes.
const MAX_LINE: usize = 8 * 1024;
/// How much of a response is kept, in bytes: a LIST of about a million records.
pub const MAX_KEPT: usize = 64 * 1024 * 1024;
/// The longest response, in bytes. What is beyond [`MAX_KEPT`] is read and dropped, so that the
/// connection stays usable.
const MAX_RESPONSE: usize = 256 * 1024 * 1024;

/// A response of the index server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The code of the status line.
    pub code: u16,
    /// The raw response, up to [`MAX_KEPT`].
    pub bytes: Vec<u8>,
    /// How many records are left out at its end.
    pub left_out: usize,
}

impl Response {
    /// The records, in the server's order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let lines = self.bytes.split(|&byte| byte == b'\n');
        lines.filter(|line| is_record(line)).filter_map(record)
    }

    /// Whether it accepts an ADD in text, with exactly the bytes of the agreement.
    pub fn accepts(&self, request: &Request) -> bool {
        let Request::Add(record) = request else {
            return false;
        };
        let mut answer = format!("{}\r\n\r\n", StatusLine(PROTOCOL, Status::Ok)).into_bytes();
        record.write(&mut answer);
        answer.extend_from_slice(b"\r\n\r\n");
        self.bytes == answer
    }
}

/// Reads the responses of one connection.
#[derive(Debug, Default)]
pub struct Responses {
    dialect: Dialect,
    /// The status line of the next response, if it was read in place of a record.
    ahead: Option<Vec<u8>>,
    /// Whether this server ends its records with an empty line, for each method that it has answered
    /// with records: many do so for some only. If it does, a pause in them means a slow connection and
    /// not their end.
    ends_records: HashMap<Discriminant<Request>, bool>,
}

/// The result of reading a line.
enum Line {
    Text(Vec<u8>),
    Empty(Vec<u8>),
    /// The connection closed before the end of the line.
    Cut(Vec<u8>),
    Silence,
    Close,
}

impl Responses {
    /// Reads the responses of a connection that uses this dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::default()
        }
    }

    /// The dialect of the connection.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether a part of the next response was read with the last one.
    pub fn has_begun(&self) -> bool {
        self.ahead.is_some()
    }

    /// The request that a peer sends before it closes the connection, if its dialect has one.
    pub fn goodbye(&self, me: &Endpoint) -> Option<Request> {
        (self.dialect == Dialect::Framed).then(|| Request::Delete(me.clone()))
    }

    /// Reads the response to `request`. Waits at most [`ANSWER_TIME`] for each line of text, or for
    /// the frame.
    pub fn next(
        &mut self,
        source: &mut impl Source,
        request: &Request,
    ) -> Result<Response, ReadError> {
        match self.dialect {
            Dialect::Text => self.text(source, Some(request)),
            Dialect::Framed => framed(source),
        }
    }

    /// Reads a response that a server sends without a request before it closes the connection. It
    /// is always text: the server may not know the client's dialect yet.
    pub fn last_word(&mut self, source: &mut impl Source) -> Result<Response, ReadError> {
        self.text(source, None)
    }

    fn text(
        &mut self,
        source: &mut impl Source,
        request: Option<&Request>,
    ) -> Result<Response, ReadError> {
        // A response to ADD has only one record.
        let is_add = matches!(request, Some(Request::Add(_)));
        let method = request.map(mem::discriminant);
        let (code, bytes) = self.status_line(source)?;
        let mut ends_records = method.and_then(|method| self.ends_records.get(&method).copied());
        let mut response = Response {
            code,
            bytes,
            left_out: 0,
        };
        // Many servers accept an ADD without its record, but what is found has one.
        let is_search = matches!(request, Some(Request::Lookup { .. } | Request::List(_)));
        let has_some = code == Status::Ok.code() && is_search;
        let mut dropped = 0;
        let mut empty_lines = 0;
        let mut has_records = false;
        loop {
            if has_records && is_add && !source.buffered().contains(&b'\n') {
                break;
            }
            let patience = match (has_records, ends_records) {
                (true, Some(true)) => ANSWER_TIME,
                (true, None) => LONGER_WHILE,
                (false, _) if has_some => LONGER_WHILE,
                _ => SHORT_WHILE,
            };
            match next_line(source, patience, |_| patience < ANSWER_TIME)? {
                Line::Silence if patience == ANSWER_TIME => return Err(timed_out(true)),
                Line::Silence => {
                    if has_records {
                        ends_records = Some(false);
                    }
                    break;
                }
                // A server that does not mark the end of its records may close there.
                Line::Close if !has_records || is_add || ends_records == Some(false) => break,
                Line::Close | Line::Cut(_) => return Err(ReadError::CutOff),
                Line::Empty(line) => {
                    response.bytes.extend(line);
                    empty_lines += 1;
                    if has_records {
                        ends_records = Some(true);
                    }
                    if has_records || empty_lines == 2 {
                        break;
                    }
                }
                Line::Text(line) if line.starts_with(b"P2P-CI/") => {
                    self.ahead = Some(line);
                    break;
                }
                Line::Text(line) if is_record(&line) => {
                    has_records = true;
                    // An invalid record stays in `bytes`, for printing, but is otherwise ignored.
                    if response.left_out == 0 && response.bytes.len() + line.len() <= MAX_KEPT {
                        response.bytes.extend(line);
                    } else {
                        response.left_out += 1;
                        dropped += line.len();
                        if response.bytes.len() + dropped > MAX_RESPONSE {
                            return Err(too_long());
                        }
                    }
                }
                Line::Text(line) => return Err(PROTOCOL.no_response(&line)),
            }
        }
        if let Some((method, ends)) = method.zip(ends_records) {
            self.ends_records.insert(method, ends);
        }
        Ok(response)
    }

    fn status_line(&mut self, source: &mut impl Source) -> Result<(u16, Vec<u8>), ReadError> {
        if let Some(line) = self.ahead.take() {
            return Ok((PROTOCOL.answered(&line)?, line));
        }
        let mut skipped = 0;
        loop {
            match next_line(source, ANSWER_TIME, status::may_be_whole)? {
                Line::Silence => return Err(timed_out(false)),
                Line::Close => return Err(ReadError::Closed),
                Line::Empty(line) => skipped += line.len(),
                // A late record of the previous response, which silence ended too early.
                Line::Text(line) if is_record(&line) => {
                    self.ends_records.retain(|_, ends| *ends);
                    skipped += line.len();
                }
                Line::Text(line) | Line::Cut(line) => return Ok((PROTOCOL.answered(&line)?, line)),
            }
            if skipped > MAX_RESPONSE {
                return Err(too_long());
            }
        }
    }
}

/// Reads a line. Waits at most `patience` for its first byte. Silence ends a line that has no end if
/// it `may_be_whole`.
fn next_line(
    source: &mut impl Source,
    patience: Duration,
    may_be_whole: impl Fn(&[u8]) -> bool,
) -> Result<Line, ReadError> {
    source.allow(Some(patience));
    match source.fill_buf() {
        Ok([]) => return Ok(Line::Close),
        Ok(_) => {}
        Err(error) if is_silence(&error) => return Ok(Line::Silence),
        Err(error) => return Err(error.into()),
    }
    let mut line = Vec::new();
    let mut read = |time, line: &mut Vec<u8>| {
        source.allow(Some(time));
        let left = MAX_LINE - line.len();
        read_line(source, left, line)
    };
    let is_silent = |read: &io::Result<usize>| read.as_ref().is_err_and(is_silence);
    let mut ended = read(LONGER_WHILE, &mut line);
    let is_unended = is_silent(&ended) && may_be_whole(&line);
    if is_silent(&ended) && !is_unended {
        ended = read(patience.saturating_sub(LONGER_WHILE), &mut line);
    }
    match ended {
        _ if is_unended || line.ends_with(b"\n") => {}
        Ok(_) if line.len() == MAX_LINE => return Err(PROTOCOL.no_response(&line)),
        Ok(_) => return Ok(Line::Cut(line)),
        Err(error) => return Err(ReadError::of_wait(error, patience, true)),
    }
    Ok(match line.trim_ascii_end() {
        [] => Line::Empty(line),
        _ => Line::Text(line),
    })
}

/// Whether a line is a record. One that says so may break the rules.
fn is_record(line: &[u8]) -> bool {
    line.starts_with(b"RFC ") || record(line).is_some()
}

pub(super) fn record(line: &[u8]) -> Option<Record> {
    Record::parse(str::from_utf8(line).ok()?)
}

fn too_long() -> ReadError {
    ReadError::LongAnswer(u64::try_from(MAX_RESPONSE).unwrap_or(u64::MAX))
}

fn timed_out(began: bool) -> ReadError {
    let time = ANSWER_TIME;
    ReadError::TimedOut { time, began }
}

/// Reads a framed response.
fn framed(source: &mut impl Source) -> Result<Response, ReadError> {
    let frame = Frame::read_answer(source, ANSWER_TIME)?;
    let mut lines = frame.content().split(|&byte| byte == b'\n');
    Ok(Response {
        code: PROTOCOL.answered(lines.next().unwrap_or_default())?,
        bytes: frame.into_bytes(),
        left_out: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;
    use crate::wire::{Port, RfcNumber, Title};
    use proptest::prelude::*;

    /// The code of a response, and the numbers and titles of its records.
    fn told(response: &Response) -> (u16, Vec<String>) {
        let records = response
            .records()
            .map(|r| format!("{} {}", r.number, r.title));
        (response.code, records.collect())
    }

    fn add() -> Request {
        Request::Add(Record::parse("RFC 1 A vm 5").unwrap())
    }

    fn list() -> Request {
        Request::List(Endpoint::parse("vm:5", Port::MIN).unwrap().into())
    }

    fn read(asked: &Request, text: &str) -> (u16, Vec<String>) {
        let response = Responses::default()
            .next(&mut Script::then_silence(text), asked)
            .unwrap();
        told(&response)
    }

    fn records(expected: &[&str]) -> (u16, Vec<String>) {
        (200, expected.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_strict_form_is_read_to_its_last_byte() {
        for text in [
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A b vm 5\r\nRFC 2  vm 5\r\n\r\n",
            "P2P-CI/1.0 200 OK\r\n\r\n\r\n",
            "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n",
        ] {
            let mut source = Script::then_silence(text);
            let response = Responses::default().next(&mut source, &list()).unwrap();
            assert_eq!(response.bytes, text.as_bytes());
            assert_eq!(source.read_so_far(), text.len());
        }
    }

    #[test]
    fn only_the_exact_answer_to_an_add_accepts_it() {
        let exact = "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A vm 5\r\n\r\n";
        let accepts = |text: &str, asked: &Request| {
            let response = Responses::default().next(&mut Script::then_silence(text), asked);
            response.unwrap().accepts(asked)
        };
        assert!(accepts(exact, &add()) && !accepts(exact, &list()));
        for other in [
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A vm 5\r\n",
            "P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n\n",
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 2 A vm 5\r\n\r\n",
            "P2P-CI/1.0 200 OK\r\n\r\n\r\n",
            "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n",
        ] {
            assert!(!accepts(other, &add()), "{other:?}");
        }
    }

    #[test]
    fn every_form_seen_in_the_wild_is_read() {
        let (add, list) = (&add(), &list());
        let two = records(&["1 A", "2 B c"]);
        assert_eq!(
            read(
                list,
                "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A vm 5\r\nRFC 2 B c vm 6\r\n\r\n"
            ),
            two
        );
        assert_eq!(
            read(list, "P2P-CI/1.0 200 OK\nRFC 1 A vm 5\nRFC 2 B c vm 6\n\n"),
            two
        );
        assert_eq!(
            read(list, "P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\nRFC 2 B c vm 6\n"),
            two
        );
        assert_eq!(
            read(
                list,
                "\r\n\r\nP2P-CI/1.0 200 ok\r\nRFC 1 A vm 5\r\nRFC 2 B c vm 6"
            ),
            two
        );
        assert_eq!(
            read(add, "P2P-CI/1.0 200 OK\r\nRFC 1 A vm 5\r\n"),
            records(&["1 A"])
        );
        for text in [
            "P2P-CI/1.0 200 OK\n1 A vm 5\n2 B c vm 6\n\n",
            "P2P-CI/1.0 200 OK\nRFC: 1 A vm 5\nRFC:2 B c vm 6",
        ] {
            assert_eq!(read(list, text), two);
        }
        for text in [
            "P2P-CI/1.0 200 OK",
            "P2P-CI/1.0 200 OK\r\n",
            "P2P-CI/1.0 200 OK\r\n\r\n",
            "P2P-CI/1.0 200 OK\n\n\n",
        ] {
            assert_eq!(read(list, text), records(&[]));
            assert_eq!(read(add, text), records(&[]));
        }
        for text in [
            "P2P-CI/1.0 404 NOT FOUND",
            "P2P-CI/1.0 404 NOT FOUND\n",
            "P2P-CI/1.0 404 x\n\n",
            "P2P-CI/1.0 404 x\n\n\n\n",
        ] {
            assert_eq!(read(list, text), (404, vec![]));
        }
    }

    #[test]
    fn a_close_ends_a_response_without_records_and_cuts_off_one_with_records() {
        let read = |text: &str| Responses::default().next(&mut Script::of(text), &list());
        assert_eq!(told(&read("P2P-CI/1.0 200 OK\r\n").unwrap()), records(&[]));
        assert_eq!(told(&read("P2P-CI/1.0 404 x").unwrap()), (404, vec![]));
        assert!(matches!(read(""), Err(ReadError::Closed)));
        for cut in ["RFC 1 A vm 5\n", "RFC 1 A vm 5", "RFC 1 A vm 5\nRFC 2 B"] {
            let read = read(&format!("P2P-CI/1.0 200 OK\n\n{cut}"));
            assert!(matches!(read, Err(ReadError::CutOff)), "{cut:?}");
        }
        let mut source = Script::of("P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n");
        let added = Responses::default().next(&mut source, &add()).unwrap();
        assert_eq!(told(&added), records(&["1 A"]));
    }

    #[test]
    fn responses_in_a_row_are_told_apart_in_any_form() {
        let mut source = Script::of(
            "P2P-CI/1.0 200 OK\nRFC 1 A vm 5\nP2P-CI/1.0 404 x\n\n\n\nP2P-CI/1.0 200 OK\n\n\
             RFC 2 B vm 5\n\nRFC 3 late vm 5\nP2P-CI/1.0 200 OK\n\n\n",
        );
        let mut responses = Responses::default();
        let mut next = || told(&responses.next(&mut source, &list()).unwrap());
        assert_eq!(next(), records(&["1 A"]));
        assert_eq!(next(), (404, vec![]));
        assert_eq!(next(), records(&["2 B"]));
        assert_eq!(next(), records(&[]));
    }

    #[test]
    fn a_pause_in_the_records_of_a_server_that_ends_them_is_no_end() {
        let text = "P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n\nP2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n";
        let mut source = Script::then_silence(text);
        let mut responses = Responses::default();
        assert!(responses.next(&mut source, &list()).is_ok());
        let paused = responses.next(&mut source, &list());
        assert!(matches!(paused, Err(ReadError::TimedOut { .. })));
    }

    fn lookup() -> Request {
        Request::Lookup {
            number: RfcNumber::new(1).unwrap(),
            title: Title::default(),
            sender: Endpoint::parse("vm:5", Port::MIN).unwrap().into(),
        }
    }

    fn take_back() -> Request {
        Request::TakeBack {
            number: RfcNumber::new(1).unwrap(),
            peer: Endpoint::parse("vm:5", Port::MIN).unwrap(),
        }
    }

    /// Silence has ended the first list too early, so it does not end the next one sooner.
    #[test]
    fn a_late_record_says_that_silence_is_no_end() {
        let mut source = Script::with_pauses(&["P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n"]);
        source.then("RFC 2 B vm 5\n\nP2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n");
        let mut responses = Responses::default();
        let cut = responses.next(&mut source, &list()).unwrap();
        assert_eq!(told(&cut), records(&["1 A"]));
        source.then("RFC 2 B vm 5\n\n");
        let before = source.allowed().len();
        let whole = responses.next(&mut source, &list()).unwrap();
        assert_eq!(told(&whole), records(&["1 A", "2 B"]));
        let waits = &source.allowed()[before..];
        assert!(!waits.contains(&Some(SHORT_WHILE)), "{waits:?}");
    }

    #[test]
    fn the_first_record_is_waited_for_where_there_should_be_one() {
        let waited = |asked: &Request, text: &str| {
            let mut source = Script::then_silence(text);
            Responses::default().next(&mut source, asked).unwrap();
            source.allowed().last().copied().flatten()
        };
        let (found, none) = ("P2P-CI/1.0 200 OK\r\n\r\n", "P2P-CI/1.0 404 x\r\n\r\n");
        for (asked, text, time) in [
            (lookup(), found, LONGER_WHILE),
            (list(), found, LONGER_WHILE),
            (add(), found, SHORT_WHILE),
            (lookup(), none, SHORT_WHILE),
            (take_back(), found, SHORT_WHILE),
        ] {
            assert_eq!(waited(&asked, text), Some(time), "{asked:?} {text}");
        }
    }

    #[test]
    fn what_ends_the_records_of_one_method_says_nothing_of_another() {
        let mut source = Script::then_silence(
            "P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n\nP2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n\n\
             P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n",
        );
        let mut responses = Responses::default();
        for asked in [add(), lookup(), list()] {
            let response = responses.next(&mut source, &asked).unwrap();
            assert_eq!(told(&response), records(&["1 A"]));
        }
    }

    #[test]
    fn a_record_that_breaks_the_rules_costs_no_other_one() {
        let text = "P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\nRFC 2 B bad/host 5\nRFC 3 \u{7} vm 5\nRFC\u{20}\nRFC 4 D vm 5\n\n";
        assert_eq!(read(&list(), text), records(&["1 A", "4 D"]));
        let latin = b"P2P-CI/1.0 200 OK\n\nRFC 1 \xe9 vm 5\nRFC 2 B vm 5\n\n".as_slice();
        let response = Responses::default()
            .next(&mut Script::of(latin), &list())
            .unwrap();
        assert_eq!(told(&response), records(&["2 B"]));
        assert_eq!(response.bytes, latin);
    }

    #[test]
    fn a_status_line_that_stops_in_the_middle_waits_for_its_rest() {
        let mut source = Script::with_pauses(&["P2P-CI/1.0 4"]);
        source.then("04 Not Found\r\n\r\n\r\n");
        let response = Responses::default().next(&mut source, &list()).unwrap();
        assert_eq!(told(&response), (404, vec![]));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "P2P-CI/1.0 OK\n",
            "P2P-CI/1.0 200 OK\n\nnonsense\n",
            "RFC\n",
        ] {
            let read = Responses::default().next(&mut Script::of(text), &list());
            assert!(matches!(read, Err(ReadError::Malformed { .. })), "{text:?}");
        }
        let endless = "x".repeat(20_000);
        let read = Responses::default().next(&mut Script::of(endless), &list());
        assert!(matches!(read, Err(ReadError::Malformed { .. })));
    }

    #[test]
    fn in_frames_each_frame_is_a_response() {
        let frames = [
            "P2P-CI/1.0 200 OK\nRFC 1 A vm 5\nRFC 2 B bad/host 5",
            "P2P-CI/1.0 404 NOT FOUND",
            "P2P-CI/1.0 200 OK\nvm 5\nRFC 3 C vm 5\n",
        ]
        .map(|content| Frame::around(content.as_bytes()).into_bytes());
        let mut source = Script::of(frames.concat());
        let mut responses = Responses::new(Dialect::Framed);
        let expected = [records(&["1 A"]), (404, vec![]), records(&["3 C"])];
        for (frame, expected) in frames.into_iter().zip(expected) {
            let response = responses.next(&mut source, &list()).unwrap();
            assert_eq!(told(&response), expected);
            assert_eq!(response.bytes, frame);
        }
        let closed = responses.next(&mut source, &list());
        assert!(matches!(closed, Err(ReadError::Closed)));
        for (wrong, is_nonsense) in [
            ("15        HTTP/1.1 200 OK", true),
            ("P2P-CI/1.0 503", true),
            ("0         ", true),
            ("1048577   ", true),
            ("25        HTTP/1.1 200 OK", false),
        ] {
            let read = responses.next(&mut Script::of(wrong), &list());
            let error = read.unwrap_err();
            assert_eq!(error.may_speak_otherwise(), is_nonsense, "{error}");
        }
    }

    #[test]
    fn the_last_word_of_a_server_is_in_text_whatever_it_was_asked() {
        for dialect in [Dialect::Text, Dialect::Framed] {
            let mut source = Script::of("P2P-CI/1.0 503 Service Unavailable\r\n\r\n\r\n");
            let mut responses = Responses::new(dialect);
            assert_eq!(responses.last_word(&mut source).unwrap().code, 503);
            let me = Endpoint::parse("vm:5", crate::wire::Port::MIN).unwrap();
            let goodbye = responses
                .goodbye(&me)
                .map(|goodbye| goodbye.encode(dialect));
            let framed = b"31        DEL P2P-CI/1.0\nHOST: vm\nPORT: 5".to_vec();
            assert_eq!(goodbye, (dialect == Dialect::Framed).then_some(framed));
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_responses(cuts in prop::collection::vec(1_usize..30, 1..40)) {
            let text = "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A b vm 5\r\nRFC 2  vm 5\r\n\r\n\
                        P2P-CI/1.0 404 Not Found\r\n\r\n\r\nP2P-CI/1.0 200 OK\r\n\r\n\r\n";
            let all = |mut source: Script| {
                let mut responses = Responses::default();
                let mut next = || responses.next(&mut source, &list()).unwrap();
                [next(), next(), next()]
            };
            prop_assert_eq!(all(Script::of(text)), all(Script::in_pieces(text, &cuts)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut source = Script::of(bytes);
            let _ = Responses::default().next(&mut source, &add());
        }
    }
}
