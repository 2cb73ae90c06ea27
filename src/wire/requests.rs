//! Finds the heads of messages in a stream, within limits, without knowing methods or versions.

use std::io;
use std::time::Duration;

use super::error::ReadError;
use super::head::{MAX_FIELDS, MAX_HEAD, field, trim_line_end};
use super::tolerance::{padding, unended};
use super::{Head, Source};

/// How long to wait for a message.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// The limit for its first byte; `None` waits forever (people take time to type).
    pub first: Option<Duration>,
    /// The limit for the whole message from its first byte on, however slowly it arrives. The empty
    /// lines before it are part of it.
    pub whole: Duration,
}

impl Waits {
    /// Waits up to `time` for the first byte, and up to `time` again for the rest.
    pub(super) fn of(time: Duration) -> Self {
        Self {
            first: Some(time),
            whole: time,
        }
    }

    /// Converts the error of a read. `began` says whether part of the message had arrived.
    pub(super) fn failed(self, error: std::io::Error, began: bool) -> ReadError {
        let first = self.first.filter(|_| !began);
        ReadError::of_wait(error, first.unwrap_or(self.whole), began)
    }
}

/// Reads the heads of requests from one connection.
///
/// Some programs omit the empty line after the last header and wait for the answer. So if a head is
/// already a complete request and nothing more arrives for a short while, it is accepted, even if its
/// last line has no end. A client that was only slow loses nothing: what follows within the time of
/// that head still belongs to it.
#[derive(Debug, Default)]
pub struct Requests {
    /// The last head, if it was accepted before its end.
    unfinished: Option<Box<Head>>,
    /// How many more empty lines belong to the message before them,
    surplus: usize,
    /// and how many more bytes of padding.
    padding: usize,
}

/// What [`Requests::read`] found.
#[derive(Debug)]
pub enum Next {
    /// The head of a request.
    Head(Head),
    /// The head before it, which was accepted before its end, and now has one more field.
    Late(Head),
}

/// How long to wait for more of a complete request that lacks its empty line.
const SHORT_WHILE: Duration = Duration::from_millis(250);
/// How many empty lines may follow a message without beginning the next one: some peers send one
/// too many after each message, and then nothing for hours.
const SURPLUS_LINES: usize = 2;

impl Requests {
    /// Reads the next head, at most 8 KiB. `Ok(None)`: the stream ended before a head began.
    /// `is_request` says whether a head has everything that its method needs.
    pub fn read(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        is_request: impl Fn(&Head) -> bool,
    ) -> Result<Option<Next>, ReadError> {
        self.next(source, waits, Some(&is_request))
    }

    /// Reads the head of a response: a close may also end it.
    pub(super) fn response(
        source: &mut impl Source,
        waits: Waits,
    ) -> Result<Option<Head>, ReadError> {
        let next = Self::default().next(source, waits, None)?;
        Ok(next.map(|(Next::Head(head) | Next::Late(head))| head))
    }

    fn next(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        is_request: Option<&dyn Fn(&Head) -> bool>,
    ) -> Result<Option<Next>, ReadError> {
        self.wait_for_rest(source, waits)?;
        if self.unfinished.is_none() {
            let waiting = source.fill_buf();
            waiting.map_err(|error| waits.failed(error, false))?;
            if let Some(head) = self.arrived(source) {
                source.allow(Some(waits.whole));
                return Ok(Some(Next::Head(head)));
            }
        }
        let next = self.in_parts(source, waits, is_request)?;
        if let Some(Next::Head(head) | Next::Late(head)) = &next {
            self.follow(head);
        }
        Ok(next)
    }

    /// Waits for more of the unfinished head, in what is left of its time. From then on a first byte
    /// may take its time.
    fn wait_for_rest(&mut self, source: &mut impl Source, waits: Waits) -> Result<(), ReadError> {
        if self.unfinished.is_some() {
            match source.fill_buf() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => self.unfinished = None,
                Err(error) => return Err(waits.failed(error, false)),
            }
        }
        source.allow(waits.first);
        Ok(())
    }

    /// Reads a head line by line. Apart, because what waits for the next request should need little of
    /// its stack: an idle session keeps every page that was ever used.
    #[inline(never)]
    fn in_parts(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        is_request: Option<&dyn Fn(&Head) -> bool>,
    ) -> Result<Option<Next>, ReadError> {
        let reading = Reading {
            source,
            waits,
            before: self,
            is_request,
        };
        reading.next()
    }

    /// Reads the next head if all of it has arrived and nothing precedes it. `None` says nothing
    /// about the stream.
    pub fn arrived(&mut self, source: &mut impl Source) -> Option<Head> {
        let arrived = source.buffered();
        let is_preceded = match arrived.first()? {
            b'\r' | b'\n' => true,
            _ => self.padding > 0 && padding::prefix(arrived) > 0,
        };
        if is_preceded || self.unfinished.is_some() {
            return None;
        }
        let head = Head::arrived(arrived)?;
        source.consume(head.text.len());
        self.follow(&head);
        Some(head)
    }

    /// Remembers what may follow this head and belong to it.
    fn follow(&mut self, head: &Head) {
        self.unfinished = (!head.is_whole).then(|| Box::new(head.clone()));
        self.surplus = SURPLUS_LINES;
        self.padding = if head.is_faithful() { 0 } else { MAX_HEAD };
    }

    /// Whether the last head was accepted before its end, so that more of it may arrive.
    pub fn has_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }
}

/// Reads one head, whose first bytes have arrived.
///
/// Its time limit runs from the first byte to the end of the head and is set once: neither empty
/// lines nor lines of spaces nor slow fields extend it.
struct Reading<'a, S> {
    source: &'a mut S,
    waits: Waits,
    /// What may still belong to the message before.
    before: &'a mut Requests,
    /// Says whether a head is a complete request even without its empty line. `None`: the head is
    /// that of a response.
    is_request: Option<&'a dyn Fn(&Head) -> bool>,
}

/// The first line that is not empty.
enum First {
    /// A start line, with this many bytes left for the head.
    Start(usize),
    /// The whole request: a start line without its end.
    Unended,
    /// A field of the head before it.
    Late(Head),
    /// The stream ended.
    End,
}

/// The end of a line.
#[derive(PartialEq, Eq)]
enum LineEnd {
    There,
    /// There is none, and nothing else arrives. The head has taken in the line.
    Missing,
    /// The connection closed.
    Closed,
}

impl<S: Source> Reading<'_, S> {
    fn next(mut self) -> Result<Option<Next>, ReadError> {
        let mut head = Head::default();
        let limit = match self.start_line(&mut head)? {
            First::Start(limit) => limit,
            First::Unended => return Ok(Some(Next::Head(head))),
            First::Late(head) => return Ok(Some(Next::Late(head))),
            First::End => return self.closed(head),
        };
        let mut lines = 0;
        while !head.is_whole && !self.is_over(&head)? {
            let start = head.text.len();
            match self.line(&mut head, limit - start)? {
                LineEnd::There => head.is_whole = head.take_line(start),
                LineEnd::Missing => break,
                LineEnd::Closed => return self.closed(head),
            }
            lines += 1;
            if lines > MAX_FIELDS && !head.is_whole {
                return Err(ReadError::ManyFields);
            }
        }
        Ok(Some(Next::Head(head)))
    }

    /// The result when the connection closed before the end of `head`.
    fn closed(&self, head: Head) -> Result<Option<Next>, ReadError> {
        match self.is_request {
            _ if head.text.is_empty() => Ok(None),
            Some(_) => Err(ReadError::CutOff),
            None => Ok(Some(Next::Head(head))),
        }
    }

    /// Reads the start line and skips what may precede it: the rest of the head before it, and empty
    /// lines, which count toward the limit of this head.
    fn start_line(&mut self, head: &mut Head) -> Result<First, ReadError> {
        let mut limit = MAX_HEAD;
        let mut has_begun = false;
        while limit > 0 {
            let waiting = self.source.fill_buf();
            let waiting = waiting.map_err(|error| self.waits.failed(error, false))?;
            if waiting.is_empty() {
                return Ok(First::End);
            }
            let padding = padding::prefix(waiting).min(self.before.padding);
            if padding > 0 {
                self.source.consume(padding);
                self.before.padding -= padding;
                continue;
            }
            let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let empty = waiting.iter().position(|byte| !is_end(byte));
            let empty = empty.unwrap_or(waiting.len());
            let ends = waiting.get(..empty).unwrap_or_default();
            let lines = ends.iter().map(|byte| usize::from(*byte == b'\n')).sum();
            if !has_begun && (empty == 0 || !self.belongs_before(lines)) {
                has_begun = true;
                if self.before.unfinished.is_none() {
                    self.source.allow(Some(self.waits.whole));
                }
            }
            if empty > 0 {
                self.source.consume(empty);
                limit = limit.saturating_sub(empty);
                continue;
            }
            head.text.clear();
            match self.line(head, limit)? {
                LineEnd::There => {}
                LineEnd::Missing => return Ok(First::Unended),
                LineEnd::Closed => return Ok(First::End),
            }
            if self.before.unfinished.is_some() {
                if let Some(late) = self.late_field(&head.text)? {
                    return Ok(First::Late(late));
                }
                // It is the start line of another request.
                self.before.unfinished = None;
                self.source.allow(Some(self.waits.whole));
            }
            if !head.take_line(0) {
                return Ok(First::Start(limit));
            }
            // A line of white space before the start line counts as empty.
            limit -= head.text.len();
            head.text.clear();
        }
        Err(ReadError::LongHead)
    }

    /// Takes empty lines that belong to the message before. `false`: there are too many.
    #[cold]
    fn belongs_before(&mut self, mut lines: usize) -> bool {
        if lines > 0
            && let Some(head) = self.before.unfinished.as_mut()
            && head.is_unended
        {
            // The first one ends its last line.
            head.text.push(b'\n');
            head.is_unended = false;
            lines -= 1;
        }
        if lines > 0 && self.before.unfinished.take().is_some() {
            // The first one ends its head.
            self.before.surplus += 1;
            self.source.allow(self.waits.first);
        }
        let left = self.before.surplus.checked_sub(lines);
        self.before.surplus = left.unwrap_or_default();
        left.is_some()
    }

    /// The unfinished head with one more field, if this line is one or the rest of one.
    #[cold]
    fn late_field(&mut self, line: &[u8]) -> Result<Option<Head>, ReadError> {
        let is_field = field(trim_line_end(line)).is_some();
        let head = match self.before.unfinished.take() {
            Some(head) if head.is_unended => unended::continued(&head, line),
            Some(head) if is_field => {
                let mut head = *head;
                let start = head.text.len();
                head.text.extend_from_slice(line);
                head.take_line(start);
                Some(head)
            }
            unfinished => {
                self.before.unfinished = unfinished;
                None
            }
        };
        let Some(head) = head else {
            return Ok(None);
        };
        if head.text.len() > MAX_HEAD {
            return Err(ReadError::LongHead);
        }
        if head.count() > MAX_FIELDS {
            return Err(ReadError::ManyFields);
        }
        Ok(Some(head))
    }

    /// Reads a line of at most `limit` bytes.
    fn line(&mut self, head: &mut Head, limit: usize) -> Result<LineEnd, ReadError> {
        let start = head.text.len();
        let waits = self.waits;
        let failed = |error| waits.failed(error, true);
        let mut left = limit;
        while left > 0 {
            let arrived = self.source.fill_buf().map_err(failed)?;
            if arrived.is_empty() {
                return Ok(LineEnd::Closed);
            }
            let arrived = arrived.get(..left).unwrap_or(arrived);
            let end = memchr::memchr(b'\n', arrived);
            let count = end.map_or(arrived.len(), |end| end + 1);
            let is_ended = end.is_some();
            let line = arrived.get(..count).unwrap_or(arrived);
            head.text.extend_from_slice(line);
            self.source.consume(count);
            if is_ended {
                return Ok(LineEnd::There);
            }
            left -= count;
            if let Some(whole) = self.whole_without_end(head, start)? {
                *head = whole;
                return Ok(LineEnd::Missing);
            }
        }
        Err(ReadError::LongHead)
    }

    /// The head as a complete request whose last line, from `start` on, has no end. `None` if it is
    /// none, or if more arrives within a short while.
    fn whole_without_end(&mut self, head: &Head, start: usize) -> Result<Option<Head>, ReadError> {
        let Some(is_request) = self.is_request else {
            return Ok(None);
        };
        if !self.source.buffered().is_empty() || self.source.arrives_within(SHORT_WHILE)? {
            return Ok(None);
        }
        Ok(unended::head(head, start).filter(|head| is_request(head)))
    }

    /// Whether the head is a complete request that its sender ended without an empty line. If the
    /// next line has not arrived yet, waits a short while for it. A close does not end a head.
    fn is_over(&mut self, head: &Head) -> Result<bool, ReadError> {
        let Some(is_request) = self.is_request else {
            return Ok(false);
        };
        if !self.source.buffered().is_empty() || !is_request(head) {
            return Ok(false);
        }
        Ok(!self.source.arrives_within(SHORT_WHILE)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;
    use proptest::prelude::*;

    const WAITS: Waits = Waits {
        first: None,
        whole: Duration::from_secs(1),
    };

    fn read_next(source: &mut Script) -> Result<Option<Head>, ReadError> {
        let next = Requests::default().read(source, WAITS, |_| false)?;
        Ok(next.map(|(Next::Head(head) | Next::Late(head))| head))
    }

    fn read(text: &str) -> Result<Option<Head>, ReadError> {
        read_next(&mut Script::of(text))
    }

    #[test]
    fn bare_lf_and_empty_lines_before_it_are_read() {
        let head = read("\r\n\n \r\nA  \nHost: x\n \n").unwrap().unwrap();
        assert_eq!(head.start_line(), b"A");
        assert_eq!(head.field("host"), Ok(Some("x")));
    }

    #[test]
    fn the_end_of_the_stream_is_not_an_error_between_messages() {
        assert!(read("").unwrap().is_none());
        assert!(read("\r\n\r\n").unwrap().is_none());
        assert!(matches!(read("GET"), Err(ReadError::CutOff)));
        assert!(matches!(read("GET\r\nHost: x\r\n"), Err(ReadError::CutOff)));
    }

    #[test]
    fn endless_line_is_given_up_at_the_limit() {
        let mut source = Script::of("x".repeat(20_000));
        assert!(matches!(read_next(&mut source), Err(ReadError::LongHead)));
        assert_eq!(source.read_so_far(), MAX_HEAD);
    }

    #[test]
    fn endless_empty_lines_are_given_up_near_the_limit() {
        let mut source = Script::of("\r\n".repeat(20_000));
        assert!(matches!(read_next(&mut source), Err(ReadError::LongHead)));
    }

    #[test]
    fn header_flood_is_given_up_at_the_limit() {
        let head = |fields| format!("A\n{}\n", "N: v\n".repeat(fields));
        assert!(read(&head(MAX_FIELDS)).is_ok());
        assert!(matches!(
            read(&head(MAX_FIELDS + 1)),
            Err(ReadError::ManyFields)
        ));
    }

    #[test]
    fn a_head_of_exactly_the_limit_is_read() {
        let text = format!("A\nN: {}\n\n", "v".repeat(MAX_HEAD - 7));
        assert_eq!(text.len(), MAX_HEAD);
        assert!(read(&text).unwrap().is_some());
        assert!(matches!(
            read(&format!("A{text}")),
            Err(ReadError::LongHead)
        ));
    }

    /// All heads that are read, and the final error. A head with the field `B` is a complete
    /// request.
    fn all(mut source: Script) -> Vec<String> {
        let mut requests = Requests::default();
        let is_request = |head: &Head| {
            head.is_well_formed() && head.field("B").is_ok_and(|field| field.is_some())
        };
        let mut read = Vec::new();
        loop {
            match requests.read(&mut source, WAITS, is_request) {
                Ok(Some(Next::Late(head))) => {
                    let line = head.text().split(|byte| *byte == b'\n').rev().nth(1);
                    let line = String::from_utf8_lossy(line.unwrap()).into_owned();
                    read.push(format!("late {}", line.trim_end()));
                }
                Ok(Some(Next::Head(head))) => {
                    let lines = String::from_utf8_lossy(head.text());
                    read.push(lines.replace("\r\n", "\n").replace('\n', "|"));
                }
                Ok(None) => return read,
                Err(error) => {
                    read.extend(error.reject().map(|reject| reject.reason));
                    return read;
                }
            }
        }
    }

    #[test]
    fn a_whole_request_without_its_empty_line_is_read_after_a_short_while() {
        let read = all(Script::with_pauses(&["X 1\nA: 1\nB: 2\n", "X 2\nB: 3\n"]));
        assert_eq!(read, ["X 1|A: 1|B: 2|", "X 2|B: 3|"]);
        // An incomplete request waits for the rest.
        let read = all(Script::then_silence("X 1\nA: 1\n"));
        assert_eq!(read, ["no complete request within 1 s"]);
        // A part of a line that is no field does not end a head either.
        let read = all(Script::then_silence("X 1\nB: 1\nTit"));
        assert_eq!(read, ["no complete request within 1 s"]);
        // A close does not end a request.
        assert_eq!(
            all(Script::of("X 1\nB: 1\n")),
            ["the connection was closed in the middle of a request"]
        );
    }

    #[test]
    fn a_last_line_without_its_end_is_read_after_a_short_while() {
        let read = |first: &str, rest: &str| {
            let mut script = Script::with_pauses(&[first]);
            script.then(rest);
            all(script)
        };
        let next = "X 2 P2P-CI/1.0\nB: 3\n\n";
        let (one, two) = ("X 1|B: 1", "X 2 P2P-CI/1.0|B: 3||");
        // The next request, with or without the end of the line before it.
        assert_eq!(read("X 1\nB: 1", next), [one, two]);
        assert_eq!(read("X 1\nB: 1", &format!("\r\n\r\n{next}")), [one, two]);
        // The rest of the line, and fields after it.
        let late = read("X 1\nB: 1", &format!("2 \r\nC: 3\r\n\r\n{next}"));
        assert_eq!(late, [one, "late B: 12", "late C: 3", two]);
        let late = read("X 1\nB: 1", &format!("\r\nC: 3\r\n{next}"));
        assert_eq!(late, [one, "late C: 3", two]);
        // Padding, also what arrives after the answer.
        assert_eq!(
            read("X 1\nB: 1~~~~", &format!("~~~~{next}")),
            ["X 1|B: 1~~~~", two]
        );
        assert_eq!(
            read("X 1\nB: 1\n!!", &format!("!!{next}")),
            ["X 1|B: 1|!!", two]
        );
        // A close does not end a request.
        let cut = "the connection was closed in the middle of a request";
        assert_eq!(all(Script::of("X 1\nB: 1")), [cut]);
    }

    #[test]
    fn a_faithful_request_waits_for_nothing_and_padding_does_not_follow_it() {
        let text = "X 1\r\nB: 1\r\n\r\n".repeat(3);
        let mut script = Script::of(text);
        let mut requests = Requests::default();
        while let Ok(Some(Next::Head(head))) = requests.read(&mut script, WAITS, |_| true) {
            assert!(head.is_faithful() && !head.is_unended);
        }
        assert_eq!(script.short_waits(), 0);
        let padded = all(Script::of("X 1\r\nB: 1\r\n\r\n~~X 2\r\nB: 1\r\n\r\n"));
        assert_eq!(padded, ["X 1|B: 1||", "~~X 2|B: 1||"]);
    }

    #[test]
    fn a_slow_client_loses_nothing() {
        // The rest of a head arrives after its answer, in pieces, with or without the next request.
        let late = &["late C: 2"][..];
        for (pieces, late) in [
            (
                &["X 1\r\nB: 1\r\n", "C: 2\r\n\r\nX 2\r\nB: 2\r\n\r\n"][..],
                late,
            ),
            (
                &["X 1\r\nB: 1\r\n", "C: 2\r\n", "X 2\r\nB: 2\r\n\r\n"],
                late,
            ),
            (&["X 1\r\nB: 1\r\n", "\r\n", "X 2\r\nB: 2\r\n\r\n"], &[]),
            (&["X 1\r\nB: 1\r\n", "X 2\r\nB: 2\r\n\r\n"], &[]),
        ] {
            // The wait between requests has no limit, so the script needs no pauses there.
            let pieces: Vec<_> = pieces.to_vec();
            let mut script = Script::with_pauses(&pieces[..1]);
            script.then(pieces[1..].concat());
            let expected = [&["X 1|B: 1|"], late, &["X 2|B: 2||"]].concat();
            assert_eq!(all(script), expected, "{pieces:?}");
        }
    }

    #[test]
    fn a_head_that_was_accepted_early_does_not_grow_beyond_its_limits() {
        for (line, count, reason) in [
            (
                "C: 1\n".to_owned(),
                63,
                "the message head has more than 64 header fields",
            ),
            (
                format!("C: {}\n", "c".repeat(1000)),
                8,
                "the message head is longer than 8192 bytes",
            ),
        ] {
            let mut script = Script::with_pauses(&["X 1\nB: 1\n"]);
            script.then(line.repeat(100));
            let read = all(script);
            assert_eq!(
                (read.len(), read.last().unwrap().as_str()),
                (count + 2, reason)
            );
        }
    }

    /// The time limits that are set while this is read until the stream ends.
    fn limits(stream: &str) -> Vec<Option<Duration>> {
        let (mut source, mut requests) = (Script::of(stream), Requests::default());
        while let Ok(Some(_)) = requests.read(&mut source, WAITS, |_| true) {}
        source.allowed().to_vec()
    }

    #[test]
    fn one_time_limit_covers_everything_from_the_first_byte_to_the_end_of_the_head() {
        let (idle, whole) = (WAITS.first, Some(WAITS.whole));
        for before in ["", "\r\n", "\n\n\n\n", " \r\n", " \n\n \n \n\n", "\t\n"] {
            let head = format!("{before}A\r\nB: 1\r\nC: 2\r\n\r\n");
            assert_eq!(limits(&head), [idle, whole, idle], "{before:?}");
        }
        // Lines of spaces never end in a head, and the limit stays as it is.
        assert_eq!(limits(&" \r\n".repeat(50)), [idle, whole]);
    }

    #[test]
    fn an_empty_line_too_many_after_a_message_begins_nothing() {
        let (idle, whole) = (WAITS.first, Some(WAITS.whole));
        assert_eq!(limits("A\n\n\r\n\r\n"), [idle, whole, idle]);
        assert_eq!(limits("A\n\n\n\n\n"), [idle, whole, idle, whole]);
        // Nor does the end of a head that was accepted without it.
        let mut script = Script::with_pauses(&["X 1\nB: 1\n"]);
        script.then("\n");
        script.then("\n\n");
        let mut requests = Requests::default();
        for _ in 0..2 {
            let _ = requests.read(&mut script, WAITS, |head| !head.text().is_empty());
        }
        assert_eq!(script.allowed(), [idle, whole, idle]);
    }

    /// Lines of heads, and what is between them.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => Just(String::new()),
            8 => "[A-Z]{1,5}: {0,2}[a-z]{0,5} {0,2}",
            2 => "[A-Z]{1,5} [a-z0-9]{1,9} P2P-CI/1\\.0",
            1 => "\r{1,2}[A-Z]{1,5} [a-z]{1,3}",
            2 => "[ \t:~!é]{0,3}",
            1 => "x{3000}",
        ]
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut source = Script::of(bytes);
            while let Ok(Some(head)) = read_next(&mut source) {
                let _ = (head.start_line(), head.field("Host"), head.is_well_formed());
            }
        }

        #[test]
        fn heads_that_arrive_whole_are_those_that_arrive_in_parts(
            lines in prop::collection::vec((line(), prop::bool::ANY), 0..90),
            cuts in prop::collection::vec(1_usize..30, 1..40),
        ) {
            let end = |has_cr| if has_cr { "\r\n" } else { "\n" };
            let lines = lines.into_iter().map(|(line, has_cr)| line + end(has_cr));
            let text: String = lines.collect();
            prop_assert_eq!(all(Script::of(text.as_str())), all(Script::in_pieces(&text, &cuts)));
        }

        #[test]
        fn any_split_gives_the_same_heads(cuts in prop::collection::vec(1_usize..20, 1..40)) {
            let text = "A B C\r\nHost: vm\r\n\r\n\r\nLIST\nPort: 5\n\nX\r\nTitle: a b\r\n\r\n";
            let all = |mut source: Script| {
                let mut heads = Vec::new();
                while let Some(head) = read_next(&mut source).unwrap() {
                    heads.push(head.text().to_vec());
                }
                heads
            };
            prop_assert_eq!(all(Script::of(text)), all(Script::in_pieces(text, &cuts)));
        }
    }
}
