//! The index server's side of a connection: it reads requests and writes answers, in the dialect of
//! the peer.

use std::io::{self, Write};
use std::mem;
use std::time::Duration;

use super::p2s::{Request, sender};
use super::{PROTOCOL, RecordLines, encode};
use crate::wire::dialect::Incoming;
use crate::wire::frame::{MAX_FRAME, PREFIX, write_length};
use crate::wire::protocol::{Status, StatusLine, unknown_method};
use crate::wire::tolerance::manner::Manner;
use crate::wire::tolerance::wording;
use crate::wire::{
    Dialect, Endpoint, Head, ReadError, Received, Record, Reject, Source, Title, Waits,
};

/// A framed answer goes on in another buffer when one has this many bytes.
const PART: usize = 32 * 1024;
/// The room for one more record than that.
const LONGEST_RECORD: usize = 2 * 1024;

/// The conversation of the index server with one peer.
#[derive(Debug, Default)]
pub struct Conversation(Incoming);

impl Conversation {
    /// Reads the next request. It must be complete within `time` of its first byte; before that the
    /// peer may be silent forever. `Ok(None)`: the stream ended before a request began.
    pub fn next(
        &mut self,
        source: &mut impl Source,
        time: Duration,
    ) -> Result<Option<Received<Request>>, ReadError> {
        let waits = Waits {
            first: None,
            whole: time,
        };
        self.0.next(source, waits, parse)
    }

    /// Reads the next request if all of it has arrived. `None` says nothing about the stream.
    pub fn next_arrived(&mut self, source: &mut impl Source) -> Option<Received<Request>> {
        self.0.next_arrived(source, parse)
    }

    /// A complete answer without records.
    pub fn refusal(&self, status: Status) -> Vec<u8> {
        let text = format!("{}\r\n\r\n\r\n", StatusLine(PROTOCOL, status));
        encode(self.0.manner().refusal(text), self.0.dialect())
    }

    /// Begins an answer with records. Clears `out` and writes the answer into it. The excerpt for
    /// the log has at most `most_told` records; with `None` there is none. See [`Answer::told`].
    pub fn answer(&self, request: &Request, mut out: Vec<u8>, most_told: Option<usize>) -> Answer {
        out.clear();
        let dialect = self.0.dialect();
        let if_none = match request {
            Request::Lookup { .. } => Status::NotFound,
            Request::List(_) if dialect == Dialect::Framed => Status::NotFound,
            _ => Status::Ok,
        };
        let mut answer = Answer {
            dialect,
            manner: self.0.manner(),
            parts: Vec::new(),
            out,
            if_none,
            has_begun: false,
            is_full: false,
            records: 0,
            most_told,
            excerpt: None,
        };
        if let Request::Delete(Endpoint { host, port }) = request
            && dialect == Dialect::Framed
        {
            answer.begin(Status::Ok);
            // Name the peer first. Writing to memory does not fail.
            let _ = write!(answer.out, "\n{host} {port}");
        }
        answer
    }

    /// A complete answer with these records.
    pub fn whole_answer(&self, request: &Request, records: &[Record]) -> Vec<u8> {
        let mut answer = self.answer(request, Vec::new(), None);
        answer.records(&mut RecordLines::of(records));
        answer.end();
        answer.parts.push(answer.out);
        answer.parts.concat()
    }
}

fn parse(dialect: Dialect, head: &Head) -> Result<Request, Reject> {
    let mut request = match Request::parse(head) {
        Err(_) if dialect == Dialect::Text && wording::is_greeting(head) => Request::Greeting,
        Err(_) if dialect == Dialect::Text && wording::is_list(head) => {
            Request::List(sender(head)?)
        }
        parsed => parsed?,
    };
    match (&mut request, dialect) {
        (Request::Lookup { title, .. }, Dialect::Text) => *title = Title::default(),
        (Request::TakeBack { .. }, Dialect::Framed) => return Err(unknown_method("DEL RFC")),
        _ => {}
    }
    Ok(request)
}

/// An answer with records, while it is written. A text answer can be sent piece by piece, so that
/// memory holds only a part of it. A framed answer is one frame and ends with the last record that
/// fits.
#[derive(Debug)]
pub struct Answer {
    dialect: Dialect,
    manner: Manner,
    /// What a framed answer has before `out`: its length must be known before the first is sent. The
    /// parts are small, because the system's allocator keeps large buffers when they are freed.
    parts: Vec<Vec<u8>>,
    out: Vec<u8>,
    /// The status of an answer without records.
    if_none: Status,
    has_begun: bool,
    is_full: bool,
    records: usize,
    most_told: Option<usize>,
    /// If the excerpt is not the whole answer: its bytes, and how many records it has.
    excerpt: Option<(Vec<u8>, usize)>,
}

impl Answer {
    /// Adds these records, unless the answer [is full](Self::is_full), and clears them.
    pub fn records(&mut self, lines: &mut RecordLines) {
        if lines.is_empty() {
            return;
        }
        if !self.has_begun {
            self.begin(Status::Ok);
        }
        match self.dialect {
            Dialect::Text if !self.manner.is_bare() => {
                let left = self
                    .most_told
                    .and_then(|most| most.checked_sub(self.records));
                if let Some(left) = left.filter(|left| *left < lines.len()) {
                    self.take_excerpt(self.records + left, lines.first(left));
                }
                self.records += lines.len();
                lines.move_to(&mut self.out);
            }
            _ => {
                lines.iter().for_each(|line| self.line(line));
                lines.clear();
            }
        }
    }

    /// Adds one record.
    fn line(&mut self, line: &[u8]) {
        if self.is_full {
            return;
        }
        if Some(self.records) == self.most_told {
            self.take_excerpt(self.records, b"");
        }
        match self.dialect {
            Dialect::Text => {
                self.out.extend_from_slice(line);
                self.out
                    .extend_from_slice(self.manner.line_end().as_bytes());
            }
            Dialect::Framed => {
                if self.out.len() >= PART {
                    self.take_excerpt(self.records, b"");
                    // Each buffer has its size from the beginning. Those that grow leave small ones
                    // behind, and a small one after large ones keeps their memory from the system.
                    self.parts
                        .reserve_exact(MAX_FRAME / PART + 1 - self.parts.len());
                    let next = Vec::with_capacity(PART + LONGEST_RECORD);
                    self.parts.push(mem::replace(&mut self.out, next));
                }
                if self.length() + 1 + line.len() > PREFIX + MAX_FRAME {
                    self.is_full = true;
                    return;
                }
                self.out.push(b'\n');
                self.out.extend_from_slice(line);
            }
        }
        self.records += 1;
    }

    /// Whether no more records fit.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Sends what can be sent before the answer is complete.
    pub fn send_ready(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.dialect == Dialect::Text && !self.out.is_empty() {
            self.take_excerpt(self.records, b"");
            out.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Completes the answer.
    pub fn end(&mut self) {
        if !self.has_begun {
            self.begin(self.if_none);
        }
        match self.dialect {
            Dialect::Text => {
                if !self.manner.is_bare() {
                    self.out.extend_from_slice(b"\r\n");
                }
                if let Some((excerpt, records)) = &mut self.excerpt
                    && *records == self.records
                {
                    // The excerpt already has all records; only the end is missing.
                    excerpt.extend_from_slice(&self.out);
                }
            }
            Dialect::Framed => {
                let length = self.length();
                let excerpt = self.excerpt.as_mut().map(|(excerpt, _)| excerpt);
                write_length(self.parts.first_mut().unwrap_or(&mut self.out), length);
                if let Some(excerpt) = excerpt {
                    write_length(excerpt, length);
                }
            }
        }
    }

    /// The excerpt of a complete answer, and how many records of the answer follow it. `None` if
    /// nobody wants it.
    pub fn told(&self) -> Option<(&[u8], usize)> {
        self.most_told?;
        Some(match &self.excerpt {
            Some((excerpt, records)) => (excerpt, self.records - records),
            None => (&self.out, 0),
        })
    }

    /// Sends the rest of a complete answer. Returns the buffer, so that the next answer can reuse
    /// it.
    pub fn send(self, out: &mut impl Write) -> io::Result<Vec<u8>> {
        for part in &self.parts {
            out.write_all(part)?;
        }
        out.write_all(&self.out)?;
        Ok(self.out)
    }

    /// The length of a framed answer so far, with its prefix.
    fn length(&self) -> usize {
        self.parts.iter().map(Vec::len).sum::<usize>() + self.out.len()
    }

    fn begin(&mut self, status: Status) {
        self.has_begun = true;
        let prefix = match self.dialect {
            Dialect::Text => 0,
            Dialect::Framed => PREFIX,
        };
        self.out.resize(prefix, b' ');
        StatusLine(PROTOCOL, status).write(&mut self.out);
        match self.dialect {
            Dialect::Text if self.manner.is_bare() => {
                let line_end = self.manner.line_end();
                self.out.extend_from_slice(line_end.as_bytes());
            }
            Dialect::Text => self.out.extend_from_slice(b"\r\n\r\n"),
            Dialect::Framed => self.out.make_ascii_uppercase(),
        }
    }

    /// Keeps what is written so far and these lines, with so many records in all, as the excerpt.
    fn take_excerpt(&mut self, records: usize, lines: &[u8]) {
        if self.most_told.is_some() && self.excerpt.is_none() {
            self.excerpt = Some(([self.out.as_slice(), lines].concat(), records));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::Frame;
    use crate::wire::testing::Script;

    const TIME: Duration = Duration::from_secs(1);

    fn framed(content: &str) -> String {
        format!("{:<10}{content}", content.len())
    }

    fn record(number: u32) -> Record {
        Record::parse(&format!("RFC {number} A: b vm 5")).unwrap()
    }

    fn lines(numbers: &[u32]) -> RecordLines {
        let records: Vec<_> = numbers.iter().copied().map(record).collect();
        RecordLines::of(&records)
    }

    /// A conversation after its first request, and that request.
    fn asked(text: &str) -> (Conversation, Request) {
        let mut conversation = Conversation::default();
        let received = conversation.next(&mut Script::of(text), TIME);
        let request = received.unwrap().unwrap().request.unwrap();
        (conversation, request)
    }

    /// The answer to the request `text` with these records.
    fn answered(text: &str, records: &[Record]) -> String {
        let (conversation, request) = asked(text);
        String::from_utf8(conversation.whole_answer(&request, records)).unwrap()
    }

    #[test]
    fn requests_in_a_row_are_read_with_what_stood_on_the_wire() {
        let list = "LIST ALL P2P-CI/1.0\nHost: vm\n\n";
        let frame = framed("LISTALL P2P-CI/1.0\nHOST: vm");
        let wrong = framed("");
        for (stream, expected) in [
            (format!("\n\n{list}\n{list}"), [list, list]),
            (format!("{frame}{wrong}"), [&frame, &wrong]),
        ] {
            let (mut source, mut conversation) = (Script::of(stream), Conversation::default());
            for expected in expected {
                let received = conversation.next(&mut source, TIME).unwrap().unwrap();
                assert_eq!(String::from_utf8(received.bytes).unwrap(), expected);
                assert_eq!(received.request.is_ok(), expected != wrong);
            }
            assert!(conversation.next(&mut source, TIME).unwrap().is_none());
        }
    }

    #[test]
    fn what_can_not_be_read_is_answered_in_the_dialect_that_was_begun() {
        for (stream, answer) in [
            ("5x        ", framed("P2P-CI/1.0 400 BAD REQUEST")),
            ("9999999999", framed("P2P-CI/1.0 400 BAD REQUEST")),
            ("8193      ", framed("P2P-CI/1.0 400 BAD REQUEST")),
            ("LIST", "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n".to_owned()),
        ] {
            let mut conversation = Conversation::default();
            let error = conversation.next(&mut Script::of(stream), TIME);
            let status = error.unwrap_err().reject().unwrap().status;
            assert_eq!(conversation.refusal(status), answer.as_bytes(), "{stream}");
        }
        let unasked = Conversation::default().refusal(Status::ServiceUnavailable);
        let expected = b"P2P-CI/1.0 503 Service Unavailable\r\n\r\n\r\n";
        assert_eq!(unasked, expected);
    }

    #[test]
    fn in_frames_a_title_matters_and_in_text_it_takes_no_part() {
        for (text, expected) in [
            (
                "LOOKUP RFC 5 P2P-CI/1.0\nHost: vm\nTitle: T\n\n".to_owned(),
                "",
            ),
            (framed("LOOKUP RFC 5 P2P-CI/1.0\nHOST: vm\nTITLE: T"), "T"),
        ] {
            let (_, request) = asked(&text);
            let Request::Lookup { title, .. } = request else {
                panic!("{request:?}");
            };
            assert_eq!(title.as_str(), expected);
        }
    }

    #[test]
    fn records_are_told_in_the_dialect_of_the_peer() {
        let add = "ADD RFC 1 P2P-CI/1.0\nHost: vm\nPort: 5\nTitle: T";
        let lookup = "LOOKUP RFC 1 P2P-CI/1.0\nHost: vm";
        let list = "LIST ALL P2P-CI/1.0\nHost: vm";
        let delete = "DEL P2P-CI/1.0\nHost: fe80::1\nPort: 5";
        let two = [record(2), record(1)];
        let text = "P2P-CI/1.0 200 OK\r\n\r\nRFC 2 A: b vm 5\r\nRFC 1 A: b vm 5\r\n\r\n";
        let frame = framed("P2P-CI/1.0 200 OK\nRFC 2 A: b vm 5\nRFC 1 A: b vm 5");
        for request in [add, lookup, list] {
            assert_eq!(answered(&format!("{request}\n\n"), &two), text);
            assert_eq!(answered(&framed(request), &two), frame);
        }
        assert_eq!(answered(&format!("{delete}\n\n"), &two), text);
        assert_eq!(
            answered(&framed(delete), &two),
            framed("P2P-CI/1.0 200 OK\nfe80::1 5\nRFC 2 A: b vm 5\nRFC 1 A: b vm 5")
        );
        // The answer without records depends on the request.
        let (empty, none) = (
            "P2P-CI/1.0 200 OK\r\n\r\n\r\n",
            "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n",
        );
        for (request, text, frame) in [
            (lookup, none, "P2P-CI/1.0 404 NOT FOUND"),
            (list, empty, "P2P-CI/1.0 404 NOT FOUND"),
            (delete, empty, "P2P-CI/1.0 200 OK\nfe80::1 5"),
        ] {
            assert_eq!(answered(&format!("{request}\n\n"), &[]), text);
            assert_eq!(answered(&framed(request), &[]), framed(frame));
        }
    }

    #[test]
    fn an_answer_that_leaves_in_pieces_is_the_same_and_told_in_part() {
        let list = "LIST ALL P2P-CI/1.0\nHost: vm";
        for (request, is_text) in [(format!("{list}\n\n"), true), (framed(list), false)] {
            let (conversation, request) = asked(&request);
            for (count, told) in [(1, 5), (5, 5), (6, 5), (6, 100), (6, 0), (4, 100)] {
                let mut answer = conversation.answer(&request, Vec::new(), Some(told));
                let (mut sent, mut whole) = (
                    Vec::new(),
                    conversation.answer(&request, Vec::new(), Some(99)),
                );
                let numbers: Vec<u32> = (1..=count).collect();
                for page in numbers.chunks(4) {
                    let mut lines = lines(page);
                    whole.records(&mut lines.clone());
                    answer.records(&mut lines);
                    if page.len() == 4 {
                        answer.send_ready(&mut sent).unwrap();
                        assert_eq!(sent.is_empty(), !is_text);
                    }
                }
                answer.end();
                whole.end();
                let (excerpt, more) = answer.told().unwrap();
                let excerpt = excerpt.to_vec();
                answer.send(&mut sent).unwrap();
                assert_eq!(sent, whole.told().unwrap().0);
                let lines = excerpt.split(|&byte| byte == b'\n');
                let lines = lines.filter(|line| line.starts_with(b"RFC ")).count();
                assert_eq!(lines + more, usize::try_from(count).unwrap());
                assert!(lines <= told && sent.starts_with(&excerpt));
                assert_eq!(more == 0, sent == excerpt);
            }
        }
    }

    #[test]
    fn what_is_too_long_for_a_frame_loses_whole_records() {
        let (conversation, request) = asked(&framed("LISTALL P2P-CI/1.0\nHOST: vm"));
        let mut answer = conversation.answer(&request, Vec::new(), Some(200));
        let line = "RFC 5 A title of some length vm 1234";
        while !answer.is_full() {
            let mut lines = RecordLines::default();
            lines.extend(format!("{line}\r\n").as_bytes(), 1);
            answer.records(&mut lines);
        }
        answer.end();
        let mut bytes = Vec::new();
        answer.send(&mut bytes).unwrap();
        let frame = Frame::read_answer(&mut Script::of(bytes.as_slice()), TIME);
        let frame = frame.unwrap();
        assert_eq!(frame.clone().into_bytes(), bytes);
        assert!(frame.content().len() > MAX_FRAME - 40);
        assert!(frame.content().ends_with(line.as_bytes()));
    }
}
