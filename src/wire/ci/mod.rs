//! P2P-CI/1.0: one central index, many peers.
//!
//! [`p2s`] is what a peer and the index server say to each other, [`p2p`] what two peers do. A
//! message has one type for each direction, so that one that goes the wrong way can't be written.
//! [`responses`] reads what index servers answer, in all the forms that exist.

pub mod p2p;
pub mod p2s;
pub mod responses;

use std::fmt;

use super::{FieldError, Head, Host, TermError};

/// The version that we speak, as it stands in every start line.
pub const VERSION: &str = "P2P-CI/1.0";

/// The well-known port of the index server (section 1).
pub const SERVER_PORT: u16 = 7734;

/// The name of the protocol, before the number of the version.
const PROTOCOL: &str = "P2P-CI/";

/// The code and phrase of a response (section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 200: done.
    Ok,
    /// 400: the request does not follow the protocol.
    BadRequest,
    /// 404: nobody active has that RFC, or this peer does not.
    NotFound,
    /// 503: there is no room for one more connection.
    ServiceUnavailable,
    /// 505: the request is well formed, in another version of the protocol.
    VersionNotSupported,
}

impl Status {
    /// The number: programs act on this, and people read the phrase.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::BadRequest => 400,
            Self::NotFound => 404,
            Self::ServiceUnavailable => 503,
            Self::VersionNotSupported => 505,
        }
    }

    /// The status line, without its end.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::Ok => "P2P-CI/1.0 200 OK",
            Self::BadRequest => "P2P-CI/1.0 400 Bad Request",
            Self::NotFound => "P2P-CI/1.0 404 Not Found",
            Self::ServiceUnavailable => "P2P-CI/1.0 503 Service Unavailable",
            Self::VersionNotSupported => "P2P-CI/1.0 505 P2P-CI Version Not Supported",
        }
    }
}

/// The status line, without its end.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line())
    }
}

/// A request that was received whole and is refused. The connection can go on after the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Reject {
    /// What to answer.
    pub status: Status,
    /// Why, for the log: the protocol has no place for it in the answer.
    pub reason: String,
}

impl Reject {
    /// A request that does not follow the protocol.
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self {
            status: Status::BadRequest,
            reason: reason.into(),
        }
    }
}

impl From<TermError> for Reject {
    fn from(error: TermError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<FieldError> for Reject {
    fn from(error: FieldError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// Reads the request line: first its shape, then its version (section 3, order of checks). Returns
/// what stands before the version: a method and what it is about, one to three words.
fn request_line(head: &Head) -> Result<&str, Reject> {
    let malformed = || {
        Reject::bad_request(format!(
            "{:?} is no request line",
            printable(head.start_line())
        ))
    };
    let line = str::from_utf8(head.start_line()).map_err(|_| malformed())?;
    let (words, version) = line.rsplit_once(' ').ok_or_else(malformed)?;
    let mut count = 0;
    let is_shaped = words.split(' ').all(|word| {
        count += 1;
        !word.is_empty() && count <= 3
    });
    if !is_shaped || !is_version(version) {
        return Err(malformed());
    }
    if version == VERSION {
        Ok(words)
    } else {
        let reason = format!("the request is in version {version:?}, this is {VERSION}");
        Err(Reject {
            status: Status::VersionNotSupported,
            reason,
        })
    }
}

fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(80).collect()
}

/// Whether `word` is `P2P-CI/x.y`.
fn is_version(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    word.strip_prefix(PROTOCOL)
        .and_then(|number| number.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

fn unknown_method(words: &str) -> Reject {
    Reject::bad_request(format!("{words:?} is no request that is answered here"))
}

/// Checks the header lines as a whole and reads `Host`, which every request has.
fn fields(head: &Head) -> Result<Host, Reject> {
    if !head.is_well_formed() {
        return Err(Reject::bad_request("a header line is not `Name: value`"));
    }
    Ok(required(head, "Host")?.parse()?)
}

fn required<'a>(head: &'a Head, name: &'static str) -> Result<&'a str, Reject> {
    head.field(name)?
        .ok_or_else(|| Reject::bad_request(format!("the header {name} is missing")))
}

/// Reads the code of a status line. The phrase may be any, and the version any of this protocol:
/// the code decides (section 5).
fn status_code(line: &[u8]) -> Option<u16> {
    let line = str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|word| is_version(word))?;
    let code = words.next()?;
    let is_code = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    if is_code { code.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Waits;
    use crate::wire::testing::Script;
    use std::time::Duration;

    pub(super) fn head(text: &str) -> Head {
        let waits = Waits {
            first: None,
            whole: Duration::from_secs(1),
        };
        Head::read(&mut Script::of(text), waits).unwrap().unwrap()
    }

    fn refusal(line: &str) -> Option<Status> {
        request_line(&head(&format!("{line}\r\n\r\n")))
            .err()
            .map(|reject| reject.status)
    }

    #[test]
    fn the_shape_comes_before_the_version() {
        for line in [
            "GET RFC 123",
            "GET",
            "P2P-CI/1.0",
            "GET RFC 1 2 P2P-CI/2.0",
            "GET  RFC 1 P2P-CI/2.0",
        ] {
            assert_eq!(refusal(line), Some(Status::BadRequest), "{line:?}");
        }
        for line in [
            "A B p2p-ci/1.0",
            "A B P2P-CI/1",
            "A B P2P-CI/x.y",
            "A B P2P-DI/1.0",
            "A B HTTP/1.1",
        ] {
            assert_eq!(refusal(line), Some(Status::BadRequest), "{line:?}");
        }
        for line in [
            "GET RFC 123 P2P-CI/2.0",
            "BLAH P2P-CI/1.1",
            "GET RFC x P2P-CI/0.9",
            "A B P2P-CI/10.0",
        ] {
            assert_eq!(refusal(line), Some(Status::VersionNotSupported), "{line:?}");
        }
        assert_eq!(refusal("BLAH RFC 123 P2P-CI/1.0  "), None);
    }

    #[test]
    fn the_code_of_a_status_line_decides() {
        assert_eq!(status_code(b"P2P-CI/1.0 404 NOT FOUND"), Some(404));
        assert_eq!(status_code(b"P2P-CI/1.0 200"), Some(200));
        assert_eq!(
            status_code(b"P2P-CI/1.0 505 P2P-CI Version Not Supported"),
            Some(505)
        );
        for wrong in [
            b"HTTP/1.1 200 OK".as_slice(),
            b"P2P-CI/1.0",
            b"P2P-CI/1.0 2 0",
            b"P2P-CI/1.0 +20 OK",
            b"\xff",
        ] {
            assert_eq!(status_code(wrong), None);
        }
    }

    #[test]
    fn status_lines_are_as_the_protocol_prints_them() {
        assert_eq!(Status::Ok.to_string(), "P2P-CI/1.0 200 OK");
        assert_eq!(Status::BadRequest.to_string(), "P2P-CI/1.0 400 Bad Request");
        assert_eq!(Status::NotFound.to_string(), "P2P-CI/1.0 404 Not Found");
        let unavailable = Status::ServiceUnavailable.to_string();
        assert_eq!(unavailable, "P2P-CI/1.0 503 Service Unavailable");
        let version = Status::VersionNotSupported.to_string();
        assert_eq!(version, "P2P-CI/1.0 505 P2P-CI Version Not Supported");
    }
}
