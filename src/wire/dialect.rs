//! Text or frames: the first byte that a client sends says which it speaks.

use super::head::MAX_HEAD;
use super::{Head, ReadError, Reject, Requests, Source, Waits, frame::Frame};

/// How messages go over a connection. A client chooses one and hands it to the codec of its protocol;
/// nothing else needs to know which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// As text: lines, and an empty line at the end of a head.
    #[default]
    Text,
    /// In frames of a given length.
    Framed,
}

/// A request as a server has received it.
#[derive(Debug)]
pub struct Received<T> {
    /// The message as it stood on the wire.
    pub bytes: Vec<u8>,
    /// What it asks, or how it is refused.
    pub request: Result<T, Reject>,
}

/// An answer as a client has received it.
#[derive(Debug)]
pub struct Answered<T> {
    /// The message as it stood on the wire; of a document, what came before its bytes.
    pub bytes: Vec<u8>,
    /// What it says, where that can be understood.
    pub answer: Result<T, ReadError>,
}

/// Reads the requests of one client, in the dialect of its first byte: a frame begins with a digit,
/// and a request in text with a letter.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    dialect: Option<Dialect>,
    requests: Requests,
}

impl Incoming {
    /// How the client speaks. As long as it has said nothing, it is answered in text.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or_default()
    }

    /// Reads the next request. `Ok(None)` is the end of the stream before one began.
    pub(super) fn next<T>(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        parse: impl Fn(Dialect, &Head) -> Result<T, Reject>,
    ) -> Result<Option<Received<T>>, ReadError> {
        if self.dialect.is_none() {
            self.dialect = detect(source, waits)?;
        }
        match self.dialect {
            None => Ok(None),
            Some(Dialect::Text) => {
                let parse = |head: &Head| parse(Dialect::Text, head);
                let head = self
                    .requests
                    .read(source, waits, |head| parse(head).is_ok())?;
                Ok(head.map(|head| Received {
                    request: parse(&head),
                    bytes: head.text,
                }))
            }
            Some(Dialect::Framed) => {
                let frame = Frame::read(source, waits, MAX_HEAD)?;
                Ok(frame.map(|frame| Received {
                    request: match Head::in_frame(frame.content()) {
                        Ok((head, _)) => parse(Dialect::Framed, &head),
                        Err(error) => Err(error
                            .reject()
                            .unwrap_or_else(|| Reject::bad_request(error.to_string()))),
                    },
                    bytes: frame.into_bytes(),
                }))
            }
        }
    }
}

/// How a client speaks. `None` is the end of the stream.
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
            let parse = |_, head: &Head| Ok(head.start_line().to_vec());
            let received = incoming.next(&mut Script::of(text), waits, parse);
            let received = received.unwrap().unwrap();
            assert_eq!(String::from_utf8(received.bytes).unwrap(), expected);
            let request = received.request.ok();
            assert_eq!(request.as_deref(), is_right.then_some(b"A 1".as_slice()));
        }
    }
}
