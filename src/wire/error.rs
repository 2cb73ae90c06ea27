//! Why no message could be read, and whose fault that is.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::head::{MAX_FIELDS, MAX_HEAD};
use super::protocol::{Reject, printable};

/// Why no message could be read. The stream is out of step after any of these. A refusal is none:
/// it is a message like any other.
///
/// The texts are about the other side of a connection, as a client sees it; [`ReadError::reject`]
/// has the words of a server.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other side closed the connection before a message began.
    #[error("it closed the connection without an answer")]
    Closed,
    /// It closed the connection in the middle of a message.
    #[error("it closed the connection in the middle of a response")]
    CutOff,
    /// It closed the connection before the end of a body.
    #[error("it sent {got} of {length} bytes")]
    Short {
        /// How many bytes came.
        got: u64,
        /// How many were announced.
        length: u64,
    },
    /// The connection failed in the middle of a document.
    #[error("the connection failed after {got} bytes: {reason}")]
    Lost {
        /// How many bytes came.
        got: u64,
        /// How it failed.
        reason: io::Error,
    },
    /// The time for a message was up.
    #[error("no {}answer within {} s", if *.began { "complete " } else { "" }, .time.as_secs_f32())]
    TimedOut {
        /// How long it was waited for.
        time: Duration,
        /// Whether a part of it came.
        began: bool,
    },
    /// The head of a message passes its limit.
    #[error("the message head is longer than {MAX_HEAD} bytes")]
    LongHead,
    /// The head of a message has too many header fields.
    #[error("the message head has more than {MAX_FIELDS} header fields")]
    ManyFields,
    /// A frame passes its limit.
    #[error("the frame has {length} bytes, which exceeds {most} bytes")]
    LongFrame {
        /// How long it is, in bytes.
        length: u64,
        /// The limit, in bytes.
        most: usize,
    },
    /// An answer passes this limit, in bytes.
    #[error("its answer is longer than {} MiB", .0 / 1024 / 1024)]
    LongAnswer(u64),
    /// What came is not what belongs there.
    #[error("it answered {came:?}, which is not {expected}")]
    Malformed {
        /// The beginning of what came.
        came: String,
        /// What belongs there, with its article.
        expected: &'static str,
    },
    /// A header that the message needs is missing, repeated, or not what it should be.
    #[error("its header {0} is missing or invalid")]
    Header(&'static str),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Whose fault it is that something was not got from the other side, from the mildest to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is not there, or does not deliver. It may be there again later.
    Unreachable,
    /// It speaks another protocol or version.
    Protocol,
    /// What it sent is not what it announced.
    WrongBytes,
}

impl ReadError {
    /// What failed reading means, where it was waited for `time` and a part of the message `began`
    /// to come.
    pub(super) fn of_wait(error: io::Error, time: Duration, began: bool) -> Self {
        if is_silence(&error) {
            Self::TimedOut { time, began }
        } else {
            Self::Io(error)
        }
    }

    pub(super) fn malformed(came: &[u8], expected: &'static str) -> Self {
        let came = printable(came.trim_ascii_end());
        Self::Malformed { came, expected }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Closed | Self::CutOff | Self::TimedOut { .. } | Self::Io(_) => Fault::Unreachable,
            Self::Short { .. } | Self::Lost { .. } => Fault::WrongBytes,
            _ => Fault::Protocol,
        }
    }

    /// Whether the other side may speak in another dialect: it closed at once, or answered
    /// nonsense.
    pub fn may_speak_otherwise(&self) -> bool {
        match self {
            Self::Closed
            | Self::Malformed { .. }
            | Self::LongHead
            | Self::ManyFields
            | Self::LongFrame { .. } => true,
            Self::Io(error) => error.kind() == ErrorKind::ConnectionReset,
            _ => false,
        }
    }

    /// How a server answers what it could not read before it closes. `None`: there is nobody left to
    /// be answered.
    pub fn reject(&self) -> Option<Reject> {
        let reason = match self {
            Self::Closed | Self::Lost { .. } | Self::Io(_) => return None,
            Self::CutOff => "the connection was closed in the middle of a request".to_owned(),
            Self::TimedOut { time, began } => {
                let complete = if *began { "complete " } else { "" };
                format!("no {complete}request within {} s", time.as_secs_f32())
            }
            Self::Malformed { came, expected } => format!("{came:?} is not {expected}"),
            _ => self.to_string(),
        };
        Some(Reject::bad_request(reason))
    }
}

/// Whether a read failed because its time was up.
pub(super) fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed_out(began: bool) -> ReadError {
        ReadError::of_wait(
            io::ErrorKind::WouldBlock.into(),
            Duration::from_secs(30),
            began,
        )
    }

    #[test]
    fn each_error_says_what_it_means_for_the_other_side() {
        let length = 9;
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        for (error, fault, may_speak_otherwise) in [
            (ReadError::Closed, Fault::Unreachable, true),
            (ReadError::CutOff, Fault::Unreachable, false),
            (timed_out(false), Fault::Unreachable, false),
            (ReadError::Io(reset()), Fault::Unreachable, true),
            (ReadError::Io(aborted), Fault::Unreachable, false),
            (
                ReadError::malformed(b"x", "a record"),
                Fault::Protocol,
                true,
            ),
            (ReadError::Header("Digest"), Fault::Protocol, false),
            (ReadError::LongHead, Fault::Protocol, true),
            (ReadError::LongAnswer(1), Fault::Protocol, false),
            (
                ReadError::Short { got: 5, length },
                Fault::WrongBytes,
                false,
            ),
            (
                ReadError::Lost {
                    got: 5,
                    reason: reset(),
                },
                Fault::WrongBytes,
                false,
            ),
        ] {
            assert_eq!(error.fault(), fault, "{error}");
            assert_eq!(error.may_speak_otherwise(), may_speak_otherwise, "{error}");
        }
    }

    #[test]
    fn clients_and_servers_have_words_of_their_own() {
        for (error, client, server) in [
            (
                timed_out(false),
                "no answer within 30 s",
                "no request within 30 s",
            ),
            (
                timed_out(true),
                "no complete answer within 30 s",
                "no complete request within 30 s",
            ),
            (
                ReadError::malformed(b"abc       ", "the length of a frame"),
                "it answered \"abc\", which is not the length of a frame",
                "\"abc\" is not the length of a frame",
            ),
            (
                ReadError::CutOff,
                "it closed the connection in the middle of a response",
                "the connection was closed in the middle of a request",
            ),
        ] {
            assert_eq!(error.to_string(), client);
            assert_eq!(error.reject(), Some(Reject::bad_request(server)));
        }
        for gone in [ReadError::Closed, io::Error::other("gone").into()] {
            assert_eq!(gone.reject(), None);
        }
    }
}
