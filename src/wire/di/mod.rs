//! P2P-DI/1.0: a registration server that knows who is active, and peers that exchange what they
//! know.
//!
//! [`registration`] is what a peer and the registration server say to each other, [`exchange`]
//! what two peers do, and [`framed`] both of it in frames. There is one request and one response for each connection, and every
//! response has the shape of [`Response`]. Where a comment here names a section, it is one of the
//! agreement of P2P-DI/1.0.

pub(super) mod answer;
pub mod client;
pub mod exchange;
pub mod framed;
pub mod registration;
pub mod server;

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use super::dates::{self, http_date};
use super::error::Limit;
use super::protocol::{Protocol, Status, StatusLine};
use super::{FieldError, Head, HeadError, ReadError, Source, Waits};

/// The well-known port of the registration server (section 1).
pub const REGISTRATION_PORT: u16 = 65243;

/// How long a registration and a first-hand record live (section 2), in seconds.
pub const TTL: u32 = 7200;

/// The protocol of these messages.
const PROTOCOL: Protocol = Protocol::Di;
/// The version that we speak, as it stands in every start line.
const VERSION: &str = PROTOCOL.version();

/// What every response says of the host that answers, besides its work.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// When the response was made.
    pub date: SystemTime,
    /// The operating system of the host that answers.
    pub os: &'a str,
}

/// Writes the head of a response: the status line, `Date`, `OS`, the fields of the message, and
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

/// The answer with a list of so many lines.
fn list((name, count): (&str, usize), lines: &str, origin: Origin<'_>) -> Vec<u8> {
    let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let mut out = write_head(Status::Ok, origin, &[(name, &count)], length);
    out.extend_from_slice(lines.as_bytes());
    out
}

/// A response without a body that says no.
pub fn refusal(status: Status, origin: Origin<'_>) -> Vec<u8> {
    if status == Status::NoActivePeers {
        return write_head(status, origin, &[("Peers", &0)], 0);
    }
    write_head(status, origin, &[], 0)
}

/// A response that was received: its head, and how long its body is.
#[derive(Debug, Clone)]
pub struct Response {
    /// The head.
    pub head: Head,
    /// The code of the status line.
    pub code: u16,
    /// The length of the body; without it the body goes on up to the close.
    pub length: Option<u64>,
}

/// Why a response can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The other side closed the connection without an answer.
    #[error("it closed the connection without an answer")]
    Closed,
    /// The head can't be read.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The first line is no status line of this protocol.
    #[error("it answers {0:?}, which is no {VERSION} status line")]
    NoStatusLine(String),
    /// A header that matters stands twice, or is not UTF-8.
    #[error("its head is wrong: {0}")]
    Field(#[from] FieldError),
    /// A header that the message needs is missing, or is not what it should be.
    #[error("its header {0} is missing or wrong")]
    WrongField(&'static str),
    /// The body is longer than is taken.
    #[error("its answer is longer than {} MiB", .0 / 1024 / 1024)]
    TooLong(u64),
    /// The body ended early.
    #[error("it sent {got} of {length} bytes")]
    CutOff {
        /// How many bytes came.
        got: u64,
        /// How many were announced.
        length: u64,
    },
    /// A line of the body can't be read.
    #[error("its answer has the line {0:?}")]
    Line(String),
    /// The other side refuses.
    #[error("it answers with code {0}")]
    Refused(u16),
}

impl ResponseError {
    /// Whether the other side may speak in another way: it closed, or answered nonsense.
    pub fn is_nonsense(&self) -> bool {
        match self {
            Self::Closed | Self::NoStatusLine(_) | Self::Line(_) => true,
            Self::Head(HeadError::Io(error)) => error.kind() == io::ErrorKind::ConnectionReset,
            Self::Head(error) => !matches!(error, HeadError::TimedOut | HeadError::CutOff),
            Self::CutOff { .. }
            | Self::Field(_)
            | Self::WrongField(_)
            | Self::TooLong(_)
            | Self::Refused(_) => false,
        }
    }
}

impl From<io::Error> for ResponseError {
    fn from(error: io::Error) -> Self {
        Self::Head(error.into())
    }
}

impl From<ReadError> for ResponseError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Closed => Self::Closed,
            ReadError::Short { got, length } => Self::CutOff { got, length },
            ReadError::TooLong(Limit::Answer(most)) => Self::TooLong(most),
            ReadError::TooLong(Limit::Frame { .. }) => Self::Line(error.to_string()),
            ReadError::Malformed { came, expected } if expected.ends_with(" response") => {
                Self::NoStatusLine(came)
            }
            ReadError::Malformed { came, .. } => Self::Line(came),
            ReadError::Header(name) => Self::WrongField(name),
            error => Self::Head(error.into()),
        }
    }
}

impl Response {
    /// Reads the head of a response.
    pub fn read(source: &mut impl Source, time: Duration) -> Result<Self, ResponseError> {
        let waits = Waits {
            first: Some(time),
            whole: time,
        };
        let head = Head::read_response(source, waits)?.ok_or(ResponseError::Closed)?;
        Self::parse(head)
    }

    /// Reads a head as that of a response.
    pub fn parse(head: Head) -> Result<Self, ResponseError> {
        let line = head.start_line();
        // Who has no room may say so before it knows in which protocol it is asked.
        let is_busy = |code: &u16| *code == Status::ServiceUnavailable.code();
        let code = PROTOCOL
            .status_code(line)
            .or_else(|| Protocol::Ci.status_code(line).filter(is_busy))
            .ok_or_else(|| ResponseError::NoStatusLine(super::protocol::printable(line)))?;
        let length = head
            .field("Content-Length")?
            .map(|value| {
                dates::content_length(value).ok_or(ResponseError::WrongField("Content-Length"))
            })
            .transpose()?;
        Ok(Self { head, code, length })
    }

    /// Reads the body, where it has at most `most` bytes, within `time`.
    ///
    /// # Errors
    /// [`ResponseError`]; a body that ends early is one.
    pub fn body(
        &self,
        source: &mut impl Source,
        most: u64,
        time: Duration,
    ) -> Result<Vec<u8>, ResponseError> {
        if self.length.is_some_and(|length| length > most) {
            return Err(ResponseError::TooLong(most));
        }
        source.allow(Some(time));
        let mut body = Vec::new();
        let limit = self.length.unwrap_or(most + 1);
        io::Read::read_to_end(&mut io::Read::take(source, limit), &mut body)?;
        let got = u64::try_from(body.len()).unwrap_or(u64::MAX);
        match self.length {
            Some(length) if got < length => Err(ResponseError::CutOff { got, length }),
            None if got > most => Err(ResponseError::TooLong(most)),
            _ => Ok(body),
        }
    }

    /// When the document was last modified, where the response says so in a way that can be read.
    pub fn last_modified(&self) -> Option<SystemTime> {
        dates::last_modified(&self.head)
    }
}

/// Reads the lines of a body, each of which is `expected`.
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
