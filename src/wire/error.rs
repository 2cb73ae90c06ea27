//! Why reading a message failed, and whose fault that is.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::head::{MAX_FIELDS, MAX_HEAD};
use super::protocol::{Reject, printable};

/// Why reading a message failed. After any of these errors the stream is out of step. A refusal is
/// not an error: it is a message like any other.
///
/// The error texts describe the other side from a client's view; [`ReadError::reject`] has the
/// server's wording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other side closed the connection before a message began.
    #[error("it closed the connection without an answer")]
    Closed,
    /// The other side closed the connection in the middle of a message.
    #[error("it closed the connection in the middle of a response")]
    CutOff,
    /// The other side closed the connection before the end of a body.
    #[error("it sent {got} of {length} bytes")]
    Short {
        /// How many bytes arrived.
        got: u64,
        /// How many bytes were announced.
        length: u64,
    },
    /// The connection failed in the middle of a document.
    #[error("the connection failed after {got} bytes: {reason}")]
    Lost {
        /// How many bytes arrived.
        got: u64,
        /// The cause.
        reason: io::Error,
    },
    /// No message, or only part of one, arrived in time.
    #[error("no {}answer within {} s", if *.began { "complete " } else { "" }, .time.as_secs_f32())]
    TimedOut {
        /// The time limit.
        time: Duration,
        /// Whether part of the message arrived.
        began: bool,
    },
    /// The head of a message exceeds the size limit.
    #[error("the message head is longer than {MAX_HEAD} bytes")]
    LongHead,
    /// The head of a message has too many header fields.
    #[error("the message head has more than {MAX_FIELDS} header fields")]
    ManyFields,
    /// A frame exceeds the size limit.
    #[error("the frame has {length} bytes, which exceeds {most} bytes")]
    LongFrame {
        /// The announced length, in bytes.
        length: u64,
        /// The limit, in bytes.
        most: usize,
    },
    /// An answer exceeds this limit, in bytes.
    #[error("its answer is longer than {} MiB", .0 / 1024 / 1024)]
    LongAnswer(u64),
    /// The other side sent something other than expected.
    #[error("it answered {came:?}, which is not {expected}")]
    Malformed {
        /// The beginning of what it sent.
        came: String,
        /// What was expected, with its article.
        expected: &'static str,
    },
    /// The head of a document has something that is no header field.
    #[error("its answer mixes header fields and the document")]
    MixedHead,
    /// The other side does not answer in text, but in frames.
    #[error("it answers only in frames")]
    OnlyFrames,
    /// A required header is missing, repeated, or invalid.
    #[error("its header {0} is missing or invalid")]
    Header(&'static str),
    /// The document is another one than the requested one.
    #[error("it sent RFC {0} instead")]
    AnotherRfc(u32),
    /// It answers other requests than those that were sent.
    #[error("its answers do not match the requests")]
    OutOfStep,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// What was wrong with the other side, from the mildest fault to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It cannot be reached, or does not deliver; a later attempt may succeed.
    Unreachable,
    /// It uses another protocol or version.
    Protocol,
    /// The bytes it sent do not match what it announced.
    WrongBytes,
}

impl ReadError {
    /// Converts the error of a read that could wait for `time`. `began` says whether part of the
    /// message had arrived.
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

    /// What was wrong with the other side.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Closed | Self::CutOff | Self::TimedOut { .. } | Self::OutOfStep | Self::Io(_) => {
                Fault::Unreachable
            }
            Self::Short { .. } | Self::Lost { .. } | Self::AnotherRfc(_) => Fault::WrongBytes,
            _ => Fault::Protocol,
        }
    }

    /// Whether the other side may use another dialect: it closed the connection at once, or its
    /// answer made no sense.
    pub fn may_speak_otherwise(&self) -> bool {
        match self {
            Self::Closed
            | Self::Malformed { .. }
            | Self::OnlyFrames
            | Self::LongHead
            | Self::ManyFields
            | Self::LongFrame { .. } => true,
            Self::Io(error) => error.kind() == ErrorKind::ConnectionReset,
            _ => false,
        }
    }

    /// What a server answers after this error, before it closes the connection. `None`: the client
    /// is gone.
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

/// Whether a read timed out.
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
            (ReadError::MixedHead, Fault::Protocol, false),
            (ReadError::OnlyFrames, Fault::Protocol, true),
            (ReadError::LongHead, Fault::Protocol, true),
            (ReadError::LongAnswer(1), Fault::Protocol, false),
            (ReadError::AnotherRfc(7), Fault::WrongBytes, false),
            (ReadError::OutOfStep, Fault::Unreachable, false),
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
