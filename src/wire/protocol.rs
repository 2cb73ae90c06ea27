//! What the text protocols share: version tokens, status lines, the order of checks.

use std::fmt;

use super::{FieldError, Head, Host, ReadError, TermError};

/// A protocol, identified by its version token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// P2P-CI/1.0, the central index.
    Ci,
    /// P2P-DI/1.0, the distributed index.
    Di,
}

/// The code and phrase of a response (P2P-CI/1.0, section 3; P2P-DI/1.0, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 200: done.
    Ok,
    /// 400: the request does not follow the protocol.
    BadRequest,
    /// 403: the registration server does not know this cookie.
    UnknownCookie,
    /// 403: the peer with this cookie is not active.
    NotRegistered,
    /// 404: no active peer has that RFC, or this peer does not.
    NotFound,
    /// 404: no other peer is active.
    NoActivePeers,
    /// 408: the request was not complete in time.
    RequestTimeout,
    /// 503: the limit of connections or peers is reached.
    ServiceUnavailable,
    /// 505: the request is well formed, but in another version of the protocol.
    VersionNotSupported,
}

impl Status {
    /// The numeric code, which programs act on; the phrase is for people.
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::BadRequest => 400,
            Self::UnknownCookie | Self::NotRegistered => 403,
            Self::NotFound | Self::NoActivePeers => 404,
            Self::RequestTimeout => 408,
            Self::ServiceUnavailable => 503,
            Self::VersionNotSupported => 505,
        }
    }
}

/// A status line without the line end.
#[derive(Debug, Clone, Copy)]
pub struct StatusLine(pub Protocol, pub Status);

impl fmt::Display for StatusLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(protocol, status) = self;
        f.write_str(protocol.version())?;
        f.write_str(" ")?;
        f.write_str(match (status, protocol) {
            (Status::Ok, _) => "200 OK",
            (Status::BadRequest, _) => "400 Bad Request",
            (Status::UnknownCookie, _) => "403 Unknown Cookie",
            (Status::NotRegistered, _) => "403 Not Registered",
            (Status::NotFound, _) => "404 Not Found",
            (Status::NoActivePeers, _) => "404 No Active Peers",
            (Status::RequestTimeout, _) => "408 Request Timeout",
            (Status::ServiceUnavailable, Protocol::Ci) => "503 Service Unavailable",
            (Status::ServiceUnavailable, Protocol::Di) => "503 Busy",
            (Status::VersionNotSupported, Protocol::Ci) => "505 P2P-CI Version Not Supported",
            (Status::VersionNotSupported, Protocol::Di) => "505 P2P-DI Version Not Supported",
        })
    }
}

/// Why a complete request is refused. The connection can continue after the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Reject {
    /// The status of the answer.
    pub status: Status,
    /// The reason, for events: the answer has no field for it.
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

impl Protocol {
    /// Our version, as written in every start line.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Ci => "P2P-CI/1.0",
            Self::Di => "P2P-DI/1.0",
        }
    }

    /// What a response is called in error messages.
    pub(super) const fn response(self) -> &'static str {
        match self {
            Self::Ci => "a P2P-CI/1.0 response",
            Self::Di => "a P2P-DI/1.0 response",
        }
    }

    /// The protocol of a request, by its version token, if it is one of ours.
    pub fn of_request(head: &Head) -> Option<Self> {
        let line = str::from_utf8(head.start_line()).ok()?;
        let (_, version) = line.rsplit_once(' ')?;
        [Self::Ci, Self::Di]
            .into_iter()
            .find(|protocol| protocol.has_version(version))
    }

    /// Whether `word` is a version of this protocol, such as `P2P-CI/x.y`.
    fn has_version(self, word: &str) -> bool {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let name = self.version().trim_end_matches("1.0");
        word.strip_prefix(name)
            .and_then(|number| number.split_once('.'))
            .is_some_and(|(major, minor)| digits(major) && digits(minor))
    }

    /// Parses the request line: first its shape, then its version (P2P-CI/1.0, section 3, order of
    /// checks). Returns the part before the version: a method and its object, one to three words.
    pub(super) fn request_line(self, head: &Head) -> Result<&str, Reject> {
        let malformed = || {
            Reject::bad_request(format!(
                "{:?} is not a request line",
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
        if !is_shaped || !self.has_version(version) {
            return Err(malformed());
        }
        if version == self.version() {
            Ok(words)
        } else {
            let ours = self.version();
            let reason = format!("unsupported version {version:?}, expected {ours}");
            Err(Reject {
                status: Status::VersionNotSupported,
                reason,
            })
        }
    }

    /// The code of an answer. A full server may answer before it knows the protocol of the request.
    pub(super) fn answered(self, head: &Head) -> Result<u16, ReadError> {
        let line = head.start_line();
        let is_busy = |code: &u16| *code == Status::ServiceUnavailable.code();
        let code = self.status_code(line).or_else(|| match self {
            Self::Ci => None,
            Self::Di => Self::Ci.status_code(line).filter(is_busy),
        });
        code.ok_or_else(|| ReadError::malformed(line, self.response()))
    }

    /// Parses the code of a status line. It accepts any phrase and any version of this protocol:
    /// the code decides (P2P-CI/1.0, section 5).
    pub(super) fn status_code(self, line: &[u8]) -> Option<u16> {
        let line = str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| self.has_version(word))?;
        let code = words.next()?;
        let is_code = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
        if is_code { code.parse().ok() } else { None }
    }
}

/// The beginning of a line from a stranger, for an error message.
pub(super) fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(80).collect()
}

/// The refusal of an unknown or unsupported method.
pub(super) fn unknown_method(words: &str) -> Reject {
    let method = words.split(' ').next().unwrap_or_default();
    Reject::bad_request(match method {
        "ADD" | "LOOKUP" | "LIST" | "LISTALL" | "DEL" | "CLOSE" | "GET" | "REGISTER" | "LEAVE"
        | "PQUERY" | "KEEPALIVE" => format!("unsupported request {words:?}"),
        method => format!("{method:?} is no method"),
    })
}

/// Checks the header lines as a whole and parses `Host`, which every request has.
pub(super) fn fields(head: &Head) -> Result<Host, Reject> {
    if !head.is_well_formed() {
        return Err(Reject::bad_request("a header line is not `Name: value`"));
    }
    Ok(required(head, "Host")?.parse()?)
}

/// A required header.
pub(super) fn required<'a>(head: &'a Head, name: &'static str) -> Result<&'a str, Reject> {
    head.field(name)?
        .ok_or_else(|| Reject::bad_request(format!("missing header {name}")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::wire) fn head(text: &str) -> Head {
        Head::in_frame(text.as_bytes()).unwrap().0
    }

    fn refusal(line: &str) -> Option<Status> {
        Protocol::Ci
            .request_line(&head(&format!("{line}\r\n\r\n")))
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
        assert_eq!(
            Protocol::Ci.status_code(b"P2P-CI/1.0 404 NOT FOUND"),
            Some(404)
        );
        assert_eq!(Protocol::Ci.status_code(b"P2P-CI/1.0 200"), Some(200));
        assert_eq!(
            Protocol::Ci.status_code(b"P2P-CI/1.0 505 P2P-CI Version Not Supported"),
            Some(505)
        );
        for wrong in [
            b"HTTP/1.1 200 OK".as_slice(),
            b"P2P-CI/1.0",
            b"P2P-CI/1.0 2 0",
            b"P2P-CI/1.0 +20 OK",
            b"\xff",
        ] {
            assert_eq!(Protocol::Ci.status_code(wrong), None);
        }
    }

    #[test]
    fn status_lines_are_as_the_protocol_prints_them() {
        let line = |status| StatusLine(Protocol::Ci, status).to_string();
        assert_eq!(line(Status::Ok), "P2P-CI/1.0 200 OK");
        assert_eq!(line(Status::BadRequest), "P2P-CI/1.0 400 Bad Request");
        assert_eq!(line(Status::NotFound), "P2P-CI/1.0 404 Not Found");
        let unavailable = line(Status::ServiceUnavailable);
        assert_eq!(unavailable, "P2P-CI/1.0 503 Service Unavailable");
        let version = line(Status::VersionNotSupported);
        assert_eq!(version, "P2P-CI/1.0 505 P2P-CI Version Not Supported");
    }
}
