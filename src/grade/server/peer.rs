//! The grader as one peer of the server under test.

use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::form;
use super::stop::Stop;
use super::target::{CHECK_TIME, Target};
use crate::grade::check::{Finding, Held, Unmet};
use crate::grade::excerpt::Exchanged;
use crate::net::Connection;
use crate::wire::ci::p2s::{Request, Sender};
use crate::wire::ci::responses::Responses;
use crate::wire::{Dialect, Endpoint, ReadError, Record, RfcNumber, Source, Title};

/// The longest answer, in bytes. The grader's own records take much less.
const MAX_ANSWER: usize = 1024 * 1024;
/// How much silence means that nothing follows a complete answer, or one that stops where others of
/// this server did.
const SETTLE_TIME: Duration = Duration::from_millis(300);
/// How much silence means that no more of an answer comes. A part may be on its way.
const REST_TIME: Duration = Duration::from_secs(2);

/// A connection to the server under test, with the name of a peer.
pub(super) struct Peer<'a> {
    target: &'a Target<'a>,
    source: Recorded<'a>,
    responses: Responses,
    /// Whether an empty line before an answer may belong to the one before.
    was_answered: bool,
    pub(super) name: Endpoint,
}

impl Target<'_> {
    /// A new peer with a name of its own.
    pub(super) fn join(&self) -> Held<Peer<'_>> {
        self.join_as(self.another_name()?)
    }

    /// A new peer with this name.
    pub(super) fn join_as(&self, name: Endpoint) -> Held<Peer<'_>> {
        Ok(Peer::new(self, self.next_connection()?, name))
    }
}

impl<'a> Peer<'a> {
    fn new(target: &'a Target<'a>, connection: Connection, name: Endpoint) -> Self {
        Self {
            target,
            source: Recorded {
                connection,
                target,
                until: target.deadline(),
                came: Vec::new(),
                silence: REST_TIME,
                is_silent: false,
            },
            responses: Responses::new(Dialect::Text),
            was_answered: false,
            name,
        }
    }

    /// A record that this peer may add.
    pub(super) fn record(&self, number: RfcNumber, title: &str) -> Held<Record> {
        let title = title.parse::<Title>();
        Ok(Record {
            number,
            title: title.map_err(|error| Unmet::Skipped(error.to_string()))?,
            holder: self.name.clone(),
        })
    }

    /// A LOOKUP by this peer.
    pub(super) fn looks_up(&self, number: RfcNumber, title: &Title) -> Request {
        Request::Lookup {
            number,
            title: title.clone(),
            sender: self.name.clone().into(),
        }
    }

    /// A LIST by this peer.
    pub(super) fn lists(&self) -> Request {
        Request::List(Sender::from(self.name.clone()))
    }

    /// Adds a record as a condition of what follows. Returns the answer.
    pub(super) fn add(&mut self, record: &Record) -> Held<Answer> {
        let request = Request::Add(record.clone());
        let answer = self.ask(&request, std::slice::from_ref(record));
        let added = answer.and_then(|answer| answer.with_code(&[200]));
        added.map_err(|unmet| unmet.as_condition("an ADD failed"))
    }

    /// Looks up the RFC of a record by its number and title.
    pub(super) fn find(&mut self, record: &Record, expected: &[Record]) -> Held<Answer> {
        let request = self.looks_up(record.number, &record.title);
        self.ask(&request, expected)?.with_code(&[200])
    }

    /// Sends a request and reads the answer. `expected` has the records of a faithful one.
    pub(super) fn ask(&mut self, request: &Request, expected: &[Record]) -> Held<Answer> {
        let bytes = request.encode(Dialect::Text);
        self.ask_bytes(&bytes, request, form::answer(request, expected))
    }

    /// Sends bytes, and reads the answer as if they were this request.
    pub(super) fn ask_bytes(
        &mut self,
        bytes: &[u8],
        request: &Request,
        expected: Vec<u8>,
    ) -> Held<Answer> {
        self.source.skip_empty_lines();
        self.source.begin(self.target.deadline());
        let sent = self.write(bytes);
        sent.map_err(|error| self.failed(bytes, &expected, &error.into()))?;
        self.read(bytes, request, expected)
    }

    /// Sends bytes and reads nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.source.connection.write_all(bytes)?;
        self.source.connection.flush()
    }

    /// Begins to wait for an answer.
    pub(super) fn wait(&mut self) {
        self.source.begin(self.target.deadline());
    }

    /// Reads the answer to what was sent.
    pub(super) fn read(
        &mut self,
        sent: &[u8],
        request: &Request,
        expected: Vec<u8>,
    ) -> Held<Answer> {
        match self.responses.next(&mut self.source, request) {
            Ok(response) if !self.source.is_late() => {
                self.source.complete();
                if self.was_answered {
                    self.source.drop_empty_lines();
                }
                self.was_answered = true;
                Ok(Answer {
                    code: response.code,
                    records: response.records().collect(),
                    sent: sent.to_vec(),
                    got: self.source.came.clone(),
                    expected,
                })
            }
            // Silence ends an answer for a liberal reader, and so did the deadline.
            Ok(_) => Err(self.failed(sent, &expected, &late(true))),
            Err(error) => Err(self.failed(sent, &expected, &error)),
        }
    }

    /// What has come since the last wait began.
    pub(super) fn came(&self) -> &[u8] {
        &self.source.came
    }

    /// Reads what follows the answer, until there is silence or too much: then its form can be
    /// judged.
    pub(super) fn settle(&mut self, answer: &mut Answer) {
        while self.source.came.len() <= MAX_ANSWER {
            let arrived = self.source.arrives_within(SETTLE_TIME);
            let more = self.source.buffered().len();
            if more == 0 || !arrived.unwrap_or(false) {
                break;
            }
            self.source.consume(more);
        }
        answer.got.clone_from(&self.source.came);
    }

    /// Returns whether an answer begins within this time.
    pub(super) fn has_answer_within(&mut self, time: Duration) -> bool {
        self.source.begin(self.target.deadline());
        let arrived = self.source.arrives_within(time);
        arrived.unwrap_or(false) && !self.source.buffered().is_empty()
    }

    /// Waits until the server answers or closes, a short while at most.
    pub(super) fn await_reaction(&mut self) {
        // How it reacts is not judged.
        let _ = self.source.arrives_within(REST_TIME);
    }

    /// The server that it talks to.
    pub(super) fn target(&self) -> &'a Target<'a> {
        self.target
    }

    /// Leaves, and waits a short while until the server has seen it.
    pub(super) fn finish(mut self) {
        self.source.connection.finish();
    }

    /// Leaves with a reset; dropping a peer closes its connection.
    pub(super) fn reset(self) {
        self.source.connection.reset();
    }

    /// A failure to get an answer, with what the program printed last.
    fn failed(&self, sent: &[u8], expected: &[u8], error: &ReadError) -> Unmet {
        // A wait that the end of all checks has cut short says nothing about the server.
        if self.source.is_late()
            && let Err(over) = self.target.in_time()
        {
            return over;
        }
        let came = &self.source.came;
        let has_closed = match error {
            ReadError::Io(error) => error.kind() != io::ErrorKind::Other,
            ReadError::Closed | ReadError::CutOff => !self.source.is_late(),
            _ => false,
        };
        let message = match error {
            // Which of these it is depends on what was on the way.
            _ if has_closed && came.is_empty() => ReadError::Closed.to_string(),
            _ if has_closed => ReadError::CutOff.to_string(),
            ReadError::TimedOut { .. } => late(!came.is_empty()).to_string(),
            error if self.source.is_late() => format!("{} ({error})", late(!came.is_empty())),
            error => error.to_string(),
        };
        Unmet::Failed(Box::new(Finding {
            message: message + &self.target.last_words(has_closed),
            cause: None,
            exchanged: Some(Exchanged::new(sent, expected, came)),
        }))
    }
}

/// Whether a failure is that no answer came in time.
pub(super) fn is_silence(message: &str) -> bool {
    message.contains(&late(false).to_string())
}

fn late(began: bool) -> ReadError {
    ReadError::TimedOut {
        time: CHECK_TIME,
        began,
    }
}

/// A connection that keeps what was read since the last request, within a limit and a deadline.
struct Recorded<'a> {
    connection: Connection,
    target: &'a Target<'a>,
    until: Instant,
    came: Vec<u8>,
    /// How long the server may be silent.
    silence: Duration,
    /// Whether the last wait for more ended with silence.
    is_silent: bool,
}

impl Recorded<'_> {
    fn begin(&mut self, until: Instant) {
        self.until = until;
        self.came.clear();
        self.is_silent = false;
    }

    fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Skips surplus empty lines of the previous answer. Its form was judged if it is.
    fn skip_empty_lines(&mut self) {
        let waiting = self.connection.buffered();
        let surplus = waiting.len() - waiting.trim_ascii_start().len();
        self.connection.consume(surplus);
    }

    /// Drops such lines if they came only after the request.
    fn drop_empty_lines(&mut self) {
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let surplus = self.came.iter().take_while(is_end).count();
        self.came.drain(..surplus);
    }

    /// Reads the rest of an answer that is not complete, up to its end or the next answer. So nothing
    /// of it is taken for a part of the next one, in however many pieces the server writes.
    fn complete(&mut self) {
        while !Stop::of(&self.came).is_end() && self.came.len() <= MAX_ANSWER {
            if self.connection.buffered().is_empty() && !self.is_silent {
                let arrived = self.arrives_within(self.patience());
                self.is_silent = matches!(arrived, Ok(false));
            }
            if self.is_silent && !self.is_late() {
                self.target.note_stop(Stop::of(&self.came));
            }
            let waiting = self.connection.buffered();
            let is_next = self.came.ends_with(b"\n") && waiting.starts_with(b"P2P-");
            if waiting.is_empty() || is_next {
                return;
            }
            let end = waiting.iter().position(|byte| *byte == b'\n');
            self.consume(end.map_or(waiting.len(), |end| end + 1));
        }
    }

    /// How long to wait for more of this answer.
    fn patience(&self) -> Duration {
        if self.has_stopped_here() {
            SETTLE_TIME
        } else {
            REST_TIME
        }
    }

    /// Whether another answer of this server has ended where this one is.
    fn has_stopped_here(&self) -> bool {
        self.target.has_stopped(Stop::of(&self.came))
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Read for Recorded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let waiting = self.fill_buf()?;
        let count = waiting.len().min(into.len());
        for (to, from) in into.iter_mut().zip(waiting) {
            *to = *from;
        }
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Recorded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.came.len() > MAX_ANSWER {
            let reason = format!("its answer is longer than {} MiB", MAX_ANSWER / 1024 / 1024);
            return Err(io::Error::other(reason));
        }
        // Each byte gives more time: a slow line is not a silent one.
        self.is_silent =
            self.connection.buffered().is_empty() && !self.arrives_within(self.silence)?;
        if self.is_silent {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.connection.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        let bytes = self.connection.buffered().get(..count);
        self.came.extend_from_slice(bytes.unwrap_or_default());
        self.connection.consume(count);
    }
}

impl Source for Recorded<'_> {
    fn allow(&mut self, time: Option<Duration>) {
        let left = self.left();
        // A liberal reader takes a short silence for the end, and the grader must be sure. But what the
        // reader learns of a connection, the grader knows of the server.
        self.silence = match time {
            _ if !self.came.is_empty() && self.has_stopped_here() => SETTLE_TIME.min(left),
            Some(time) => time.max(REST_TIME).min(left),
            None => left,
        };
    }

    fn arrives_within(&mut self, time: Duration) -> io::Result<bool> {
        self.connection.allow(Some(self.left()));
        self.connection.arrives_within(time)
    }

    fn buffered(&self) -> &[u8] {
        self.connection.buffered()
    }
}
