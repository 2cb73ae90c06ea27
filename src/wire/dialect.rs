//! Text or frames: the first byte from a client shows which one it speaks.

use super::head::MAX_HEAD;
use super::protocol::Reject;
use super::{Head, ReadError, Requests, Source, Waits, frame::Frame};

/// How messages are written on a connection. A client chooses one and passes it to the codec of its
/// protocol; nothing else depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Text: lines, with an empty line at the end of a head.
    #[default]
    Text,
    /// In frames of a given length.
    Framed,
}

/// A request as received by a server.
#[derive(Debug)]
pub struct Received<T> {
    /// The message as on the wire.
    pub bytes: Vec<u8>,
    /// The request, or the reason to refuse it.
    pub request: Result<T, Reject>,
}

/// An answer as received by a client.
#[derive(Debug)]
pub struct Answered<T> {
    /// The message as on the wire, but without the bytes of a document.
    pub bytes: Vec<u8>,
    /// Its meaning, if it is understood.
    pub answer: Result<T, ReadError>,
}

/// Reads the messages of one client, in the dialect of its first byte: a frame begins with a digit,
/// a text request with a letter.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    dialect: Option<Dialect>,
    requests: Requests,
}

/// One message of a client.
#[derive(Debug)]
pub(super) struct Message {
    /// Its frame, in the framed dialect.
    frame: Option<Frame>,
    /// Its head, if it has one.
    head: Result<Head, Reject>,
}

impl Incoming {
    /// The client's dialect: text until it has sent something.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or_default()
    }

    /// Reads the next message. `Ok(None)` is the end of the stream between messages. `is_request`
    /// decides whether a head in text has everything that its method needs.
    pub(super) fn next(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        is_request: impl Fn(&Head) -> bool,
    ) -> Result<Option<Message>, ReadError> {
        let dialect = match self.dialect {
            Some(dialect) => dialect,
            None => match detect(source, waits)? {
                Some(dialect) => *self.dialect.insert(dialect),
                None => return Ok(None),
            },
        };
        Ok(match dialect {
            Dialect::Text => {
                let head = self.requests.read(source, waits, is_request)?;
                head.map(|head| Message {
                    frame: None,
                    head: Ok(head),
                })
            }
            Dialect::Framed => Frame::read(source, waits, MAX_HEAD)?.map(|frame| {
                let wrong = |error: ReadError| {
                    let reject = error.reject();
                    reject.unwrap_or_else(|| Reject::bad_request(error.to_string()))
                };
                let head = Head::in_frame(frame.content());
                Message {
                    head: head.map(|(head, _)| head).map_err(wrong),
                    frame: Some(frame),
                }
            }),
        })
    }
}

impl Message {
    /// Parses the head as a request.
    pub(super) fn received<T>(self, parse: impl FnOnce(&Head) -> Result<T, Reject>) -> Received<T> {
        match self.head {
            Ok(head) => Received {
                request: parse(&head),
                bytes: self
                    .frame
                    .map_or_else(|| head.into_text(), Frame::into_bytes),
            },
            Err(reject) => Received {
                request: Err(reject),
                bytes: self.frame.map(Frame::into_bytes).unwrap_or_default(),
            },
        }
    }
}

/// Detects a client's dialect. `None` is the end of the stream.
fn detect(source: &mut impl Source, waits: Waits) -> Result<Option<Dialect>, ReadError> {
    source.allow(waits.first);
    let first = source
        .fill_buf()
        .map_err(|error| waits.first_failed(error))?;
    Ok(first.first().map(|first| {
        if first.is_ascii_digit() {
            Dialect::Framed
        } else {
            Dialect::Text
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;
    use std::time::Duration;

    #[test]
    fn the_first_byte_tells_frames_from_text() {
        let detected = |text: &str| {
            let waits = Waits::of(Duration::from_secs(1));
            detect(&mut Script::of(text), waits).unwrap()
        };
        assert_eq!(detected("5    "), Some(Dialect::Framed));
        assert_eq!(detected("ADD"), Some(Dialect::Text));
        assert_eq!(detected("\r\nADD"), Some(Dialect::Text));
        assert_eq!(detected(""), None);
    }

    #[test]
    fn a_message_is_told_as_it_stood_on_the_wire() {
        for (text, expected, is_right) in [
            ("\r\nA 1\nB: 2\n\nC", "A 1\nB: 2\n\n", true),
            ("8         A 1\nB: 2C", "8         A 1\nB: 2", true),
            ("0         C", "0         ", false),
        ] {
            let mut incoming = Incoming::default();
            let waits = Waits::of(Duration::from_secs(1));
            let message = incoming.next(&mut Script::of(text), waits, |_| true);
            let received = message
                .unwrap()
                .unwrap()
                .received(|head| Ok(head.start_line().to_vec()));
            assert_eq!(String::from_utf8(received.bytes).unwrap(), expected);
            let request = received.request.ok();
            assert_eq!(request.as_deref(), is_right.then_some(b"A 1".as_slice()));
        }
    }
}
