//! An answer of P2P-DI, as received, in either dialect.

use std::io::Read;
use std::ops::Range;
use std::time::Duration;

use super::PROTOCOL;
use super::framed::http_code;
use crate::wire::dates::body_length;
use crate::wire::frame::{Frame, PREFIX};
use crate::wire::{Dialect, Head, ReadError, Source, Waits};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The code of the status line.
    pub(crate) code: u16,
    pub(crate) head: Head,
    /// The raw message.
    pub(crate) bytes: Vec<u8>,
    body: Range<usize>,
}

impl Answer {
    /// Reads an answer, within `time` for its head and again for its body. A text body has at most
    /// `most` bytes.
    pub(crate) fn read(
        dialect: Dialect,
        source: &mut impl Source,
        most: u64,
        time: Duration,
    ) -> Result<Self, ReadError> {
        match dialect {
            Dialect::Text => Self::text(source, most, time),
            Dialect::Framed => Self::framed(Frame::read_answer(source, time)?),
        }
    }

    fn text(source: &mut impl Source, most: u64, time: Duration) -> Result<Self, ReadError> {
        let head = Head::read(source, Waits::of(time))?.ok_or(ReadError::Closed)?;
        let code = PROTOCOL.answered(head.start_line())?;
        let length = body_length(&head)?;
        if length.is_some_and(|length| length > most) {
            return Err(ReadError::LongAnswer(most));
        }
        source.allow(Some(time));
        let mut bytes = head.text().to_vec();
        let limit = length.unwrap_or(most + 1);
        let got = source.take(limit).read_to_end(&mut bytes);
        let got = got.map_err(|error| ReadError::of_wait(error, time, true))?;
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        match length {
            Some(length) if got < length => return Err(ReadError::Short { got, length }),
            None if got > most => return Err(ReadError::LongAnswer(most)),
            _ => {}
        }
        Ok(Self {
            code,
            body: head.text().len()..bytes.len(),
            head,
            bytes,
        })
    }

    /// Parses the answer in a frame.
    pub(crate) fn framed(frame: Frame) -> Result<Self, ReadError> {
        let (head, rest) = Head::in_frame(frame.content())?;
        let code = http_code(&head)?;
        let got = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        let length = body_length(&head)?.unwrap_or(got);
        if got < length {
            return Err(ReadError::Short { got, length });
        }
        let start = PREFIX + frame.content().len() - rest.len();
        let length = usize::try_from(length).unwrap_or(rest.len());
        Ok(Self {
            code,
            head,
            bytes: frame.into_bytes(),
            body: start..start + length,
        })
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body_range()).unwrap_or_default()
    }

    /// Where the body is in the raw message.
    pub(crate) fn body_range(&self) -> Range<usize> {
        self.body.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;

    const TIME: Duration = Duration::from_secs(1);

    fn read(dialect: Dialect, text: &str) -> Result<Answer, ReadError> {
        let mut source = Script::of(text);
        let answer = Answer::read(dialect, &mut source, 5, TIME)?;
        assert_eq!(answer.bytes.len(), source.read_so_far());
        Ok(answer)
    }

    fn framed(content: &str) -> Result<Answer, ReadError> {
        read(Dialect::Framed, &format!("{:<10}{content}", content.len()))
    }

    #[test]
    fn answers_are_told_by_their_code_and_length() {
        for (text, code, body) in [
            (
                "P2P-DI/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
                200,
                "ab",
            ),
            ("P2P-DI/1.0 403 x\n\nabc", 403, "abc"),
            ("P2P-DI/1.0 404 x\n", 404, ""),
            // A server at its connection limit may not know the client's protocol yet.
            ("P2P-CI/1.0 503 Service Unavailable\r\n\r\n", 503, ""),
        ] {
            let answer = read(Dialect::Text, text).unwrap();
            assert_eq!((answer.code, answer.body()), (code, body.as_bytes()));
        }
        for (text, code, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", 200, "ab"),
            ("HTTP/1.0 200 OK\n\nabc", 200, "abc"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", 403, ""),
        ] {
            let answer = framed(text).unwrap();
            assert_eq!((answer.code, answer.body()), (code, body.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_answer_is_said() {
        let text = |text: &str| read(Dialect::Text, text).unwrap_err().to_string();
        let wrong = "its header Content-Length is missing or invalid";
        for (sent, said) in [
            ("", "it closed the connection without an answer"),
            (
                "HTTP/1.1 200 OK\r\n\r\n",
                "it answered \"HTTP/1.1 200 OK\", which is not a P2P-DI/1.0 response",
            ),
            (
                "P2P-CI/1.0 400 Bad Request\r\n\r\n",
                "it answered \"P2P-CI/1.0 400 Bad Request\", which is not a P2P-DI/1.0 response",
            ),
            (
                "P2P-DI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nab",
                "it sent 2 of 5 bytes",
            ),
            (
                "P2P-DI/1.0 200 OK\r\nContent-Length: 6\r\n\r\n",
                "its answer is longer than 0 MiB",
            ),
            (
                "P2P-DI/1.0 200 OK\r\n\r\nabcdef",
                "its answer is longer than 0 MiB",
            ),
            ("P2P-DI/1.0 200 OK\r\nContent-Length: x\r\n\r\n", wrong),
            (
                "P2P-DI/1.0 200 OK\nContent-Length: 1\nContent-Length: 1\n\n",
                wrong,
            ),
        ] {
            assert_eq!(text(sent), said, "{sent:?}");
        }
        for (sent, said) in [
            ("", "it answered \"\", which is not a message"),
            (
                "P2P-CI/1.0 200 OK",
                "it answered \"P2P-CI/1.0 200 OK\", which is not an HTTP/1.1 response",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                "it sent 3 of 9 bytes",
            ),
        ] {
            assert_eq!(framed(sent).unwrap_err().to_string(), said);
        }
        let mut silent = Script::then_silence("P2P-DI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nab");
        let silent = Answer::read(Dialect::Text, &mut silent, 5, TIME).unwrap_err();
        assert_eq!(silent.to_string(), "no complete answer within 1 s");
    }
}
