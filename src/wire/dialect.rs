//! Text or frames: the first byte that a client sends shows which one it uses.

use std::time::Duration;

use super::head::MAX_HEAD;
use super::requests::Next;
use super::tolerance::manner::Manner;
use super::{Head, ReadError, Reject, Requests, Source, Waits, frame::Frame};

/// How messages are encoded on a connection. A client chooses one and passes it to the codec of its
/// protocol; nothing else needs to know which one is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Text: lines, with an empty line at the end of a head.
    #[default]
    Text,
    /// Length-prefixed frames.
    Framed,
}

/// A request that a server received.
#[derive(Debug)]
pub struct Received<T> {
    /// The raw message.
    pub bytes: Vec<u8>,
    /// The parsed request, or why the server refuses it.
    pub request: Result<T, Reject>,
    /// Whether the request was answered before, when it lacked a field that has arrived now. There
    /// is no second answer. Only text that is not one request per connection has this.
    pub is_late: bool,
}

/// An answer that a client received.
#[derive(Debug)]
pub struct Answered<T> {
    /// The raw message; for a document, only what precedes its content.
    pub bytes: Vec<u8>,
    /// The parsed answer.
    pub answer: Result<T, ReadError>,
}

/// Reads the requests of one client. Its first byte shows the dialect: a frame begins with a digit,
/// a text request with a letter.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    dialect: Option<Dialect>,
    requests: Requests,
    /// The manner of the last request.
    manner: Manner,
}

impl Incoming {
    /// The client's dialect; text until the client has sent something.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or_default()
    }

    /// The manner of the answer to the last request, or to a read error.
    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    /// Whether the last request was accepted before its end, so that more of it may arrive.
    pub(super) fn has_unfinished(&self) -> bool {
        self.requests.has_unfinished()
    }

    /// Reads the next request. `Ok(None)`: the stream ended before a request began.
    pub(super) fn next<T>(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        parse: impl Fn(Dialect, &Head) -> Result<T, Reject>,
    ) -> Result<Option<Received<T>>, ReadError> {
        if self.dialect.is_none() {
            self.dialect = detect(source, waits)?;
        }
        self.manner = Manner::default();
        match self.dialect {
            None => Ok(None),
            Some(Dialect::Text) => {
                let parse = |head: &Head| parse(Dialect::Text, head);
                let is_request = |head: &Head| parse(head).is_ok();
                loop {
                    let (head, is_late) = match self.requests.read(source, waits, is_request)? {
                        None => return Ok(None),
                        Some(Next::Head(head)) => (head, false),
                        Some(Next::Late(head)) => (head, true),
                    };
                    let request = parse(&head);
                    self.manner = Manner::of(&head);
                    // It was a valid request when it was answered.
                    if !is_late || request.is_ok() {
                        return Ok(Some(Received {
                            request,
                            bytes: head.text,
                            is_late,
                        }));
                    }
                }
            }
            Some(Dialect::Framed) => {
                let frame = Frame::read(source, waits, MAX_HEAD)?;
                Ok(frame.map(|frame| in_frame(frame, parse)))
            }
        }
    }

    /// Reads the next request if all of it has arrived, so that nothing waits for it. `None` says
    /// nothing about the stream.
    pub(super) fn next_arrived<T>(
        &mut self,
        source: &mut impl Source,
        parse: impl Fn(Dialect, &Head) -> Result<T, Reject>,
    ) -> Option<Received<T>> {
        match self.dialect? {
            Dialect::Text => {
                let head = self.requests.arrived(source)?;
                self.manner = Manner::default();
                Some(Received {
                    request: parse(Dialect::Text, &head),
                    bytes: head.text,
                    is_late: false,
                })
            }
            Dialect::Framed => {
                let mut rest = source.buffered();
                let before = rest.len();
                let frame = Frame::read(&mut rest, Waits::of(Duration::MAX), MAX_HEAD);
                let count = before - rest.len();
                let frame = frame.ok().flatten()?;
                source.consume(count);
                Some(in_frame(frame, parse))
            }
        }
    }
}

/// The request in a frame.
fn in_frame<T>(frame: Frame, parse: impl Fn(Dialect, &Head) -> Result<T, Reject>) -> Received<T> {
    Received {
        request: match Head::in_frame(frame.content()) {
            Ok((head, _)) => parse(Dialect::Framed, &head),
            Err(error) => Err(error
                .reject()
                .unwrap_or_else(|| Reject::bad_request(error.to_string()))),
        },
        bytes: frame.into_bytes(),
        is_late: false,
    }
}

/// Detects a client's dialect. `None`: the stream ended.
fn detect(source: &mut impl Source, waits: Waits) -> Result<Option<Dialect>, ReadError> {
    source.allow(waits.first);
    let first = source.fill_buf();
    let first = first.map_err(|error| waits.failed(error, false))?.first();
    Ok(first.map(|first| match first {
        b'0'..=b'9' => Dialect::Framed,
        _ => Dialect::Text,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;

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
    fn a_request_that_has_arrived_in_part_is_left_for_later() {
        let parse = |_, head: &Head| Ok(head.start_line().to_vec());
        for rest in ["", "\r\n", "A 3", "A 3\nB: 2\n", "\nA 3\nB: 2"] {
            let text = format!("A 1\nB: 2\n\nA 2\nB: 2\n\n{rest}");
            let (mut source, mut incoming) = (Script::of(text), Incoming::default());
            assert!(incoming.next_arrived(&mut source, parse).is_none());
            let waits = Waits::of(Duration::from_secs(1));
            incoming.next(&mut source, waits, parse).unwrap().unwrap();
            let received = incoming.next_arrived(&mut source, parse).unwrap();
            assert_eq!(received.request.unwrap(), b"A 2");
            assert!(incoming.next_arrived(&mut source, parse).is_none());
            assert_eq!(source.buffered(), rest.as_bytes());
            source.then("\nB: 2\n\n");
        }
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
            let parse = |_, head: &Head| Ok(head.start_line().to_vec());
            let received = incoming.next(&mut Script::of(text), waits, parse);
            let received = received.unwrap().unwrap();
            assert_eq!(String::from_utf8(received.bytes).unwrap(), expected);
            let request = received.request.ok();
            assert_eq!(request.as_deref(), is_right.then_some(b"A 1".as_slice()));
        }
    }
}
