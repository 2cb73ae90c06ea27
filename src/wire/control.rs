//! Requests and responses of one line, for the introducer and the control socket.
//!
//! ```text
//! request    op SP arg ... CRLF               one for each connection
//! response   code SP message SP n CRLF        and then n bytes
//! ```
//!
//! A bare LF ends a line too, and spaces may precede the line end.

use std::time::Duration;

use super::head::trim_line_end;
use super::{ReadError, Reject, Source, read_line};

/// The longest request, in bytes, with its line end.
pub const MAX_LINE: usize = 8 * 1024;

/// The code and message of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 200: success.
    Ok,
    /// 404: nobody has it.
    NotFound,
    /// 404: the word is not an operation.
    OperationUnknown,
    /// 422: an argument is missing or invalid.
    Malformed,
    /// 500: the operation failed.
    ErrorOccurred,
}

impl Status {
    /// The numeric code.
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::NotFound | Self::OperationUnknown => 404,
            Self::Malformed => 422,
            Self::ErrorOccurred => 500,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::NotFound => "NOT FOUND",
            Self::OperationUnknown => "OPERATION UNKNOWN",
            Self::Malformed => "MALFORMED",
            Self::ErrorOccurred => "ERROR OCCURRED",
        }
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

/// A request: an operation and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
    line: String,
}

impl Request {
    /// Reads the request of a connection, of at most [`MAX_LINE`] bytes, within `time` from now.
    /// `Ok(None)`: the stream ended before a request began.
    pub fn read(source: &mut impl Source, time: Duration) -> Result<Option<Self>, ReadError> {
        let mut bytes = Vec::new();
        source.allow(Some(time));
        let read = read_line(source, MAX_LINE, &mut bytes);
        read.map_err(|error| ReadError::of_wait(error, time, !bytes.is_empty()))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.last() != Some(&b'\n') {
            return Err(if bytes.len() == MAX_LINE {
                ReadError::LongHead
            } else {
                ReadError::CutOff
            });
        }
        let line = str::from_utf8(trim_line_end(&bytes));
        let line = line.map_err(|_| ReadError::malformed(&bytes, "a request in UTF-8"))?;
        Ok(Some(Self {
            line: line.to_owned(),
            bytes,
        }))
    }

    /// The raw line, with its line end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The operation.
    pub fn operation(&self) -> &str {
        self.split().0
    }

    /// Everything after the operation and one space, for operations with one argument that may
    /// contain spaces.
    pub fn rest(&self) -> &str {
        self.split().1
    }

    /// The arguments. More than one space may precede each.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.rest().split(' ').filter(|word| !word.is_empty())
    }

    fn split(&self) -> (&str, &str) {
        self.line.split_once(' ').unwrap_or((&self.line, ""))
    }
}

/// The status of the answer to something that is not a request, and the reason. `None`: the client
/// is gone.
pub fn reject(error: &ReadError) -> Option<(Status, String)> {
    let Reject { reason, .. } = error.reject()?;
    Some((Status::Malformed, reason))
}

/// A response with `body`, whose format depends on the operation.
pub fn response(status: Status, body: &[u8]) -> Vec<u8> {
    let head = response_head(status, u64::try_from(body.len()).unwrap_or(u64::MAX));
    [head.as_bytes(), body].concat()
}

/// The first line of a response whose body has `length` bytes.
pub fn response_head(status: Status, length: u64) -> String {
    let (code, message) = (status.code(), status.message());
    format!("{code} {message} {length}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;

    const TIME: Duration = Duration::from_secs(1);

    fn read(text: impl Into<Vec<u8>>) -> Result<Option<Request>, ReadError> {
        Request::read(&mut Script::of(text), TIME)
    }

    #[test]
    fn a_request_is_an_operation_and_its_arguments() {
        for (text, operation, rest, arguments) in [
            (
                "JOIN a 10.0.0.1 5\r\n",
                "JOIN",
                "a 10.0.0.1 5",
                vec!["a", "10.0.0.1", "5"],
            ),
            (
                "JOIN a 10.0.0.1 5 \r\n",
                "JOIN",
                "a 10.0.0.1 5",
                vec!["a", "10.0.0.1", "5"],
            ),
            ("SEARCH  a  b\n", "SEARCH", " a  b", vec!["a", "b"]),
            ("STOP \r\n", "STOP", "", vec![]),
            ("\r\n", "", "", vec![]),
        ] {
            let request = read(text).unwrap().unwrap();
            assert_eq!((request.operation(), request.rest()), (operation, rest));
            assert_eq!(request.arguments().collect::<Vec<_>>(), arguments);
            assert_eq!(request.bytes(), text.as_bytes());
        }
    }

    #[test]
    fn what_follows_the_line_is_left() {
        let mut source = Script::of("STOP\r\nSTOP\r\n");
        Request::read(&mut source, TIME).unwrap().unwrap();
        assert_eq!(source.read_so_far(), 6);
    }

    #[test]
    fn a_request_has_an_end_a_length_and_a_deadline() {
        assert_eq!(read("").unwrap(), None);
        assert!(matches!(read("STOP"), Err(ReadError::CutOff)));
        let longest = format!("{}\n", "x".repeat(MAX_LINE - 1));
        assert!(read(longest.clone()).is_ok());
        assert!(matches!(
            read(format!("x{longest}")),
            Err(ReadError::LongHead)
        ));
        assert!(matches!(read(*b"\xff\n"), Err(ReadError::Malformed { .. })));
        for (text, began) in [("", false), ("STOP", true)] {
            let read = Request::read(&mut Script::then_silence(text), TIME);
            let is_late =
                |error| matches!(error, ReadError::TimedOut { began: it, .. } if it == began);
            assert!(read.is_err_and(is_late));
        }
    }

    #[test]
    fn whoever_is_still_there_gets_an_answer() {
        let (status, reason) = reject(&ReadError::LongHead).unwrap();
        assert_eq!((status, reason.is_empty()), (Status::Malformed, false));
        assert_eq!(reject(&ReadError::Closed), None);
    }

    #[test]
    fn a_response_has_the_length_of_its_body() {
        for (status, body, text) in [
            (Status::Ok, "", "200 OK 0\r\n"),
            (Status::Ok, "a\r\n", "200 OK 3\r\na\r\n"),
            (Status::NotFound, "", "404 NOT FOUND 0\r\n"),
            (Status::OperationUnknown, "", "404 OPERATION UNKNOWN 0\r\n"),
            (Status::Malformed, "", "422 MALFORMED 0\r\n"),
            (Status::ErrorOccurred, "", "500 ERROR OCCURRED 0\r\n"),
        ] {
            assert_eq!(response(status, body.as_bytes()), text.as_bytes());
        }
    }
}
