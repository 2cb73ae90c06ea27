//! What the text protocols share: version tokens, status lines, the order of checks.

use std::fmt;

use super::terms::decimal;
use super::{Endpoint, Head, Host, ReadError, TermError};

/// A protocol, identified by its version token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// P2P-CI/1.0, the central index.
    #[default]
    Ci,
    /// P2P-DI/1.0, the distributed index.
    Di,
}

/// The code and phrase of a response (P2P-CI/1.0, section 3; P2P-DI/1.0, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 200: success.
    Ok,
    /// 400: the request does not follow the protocol.
    BadRequest,
    /// 403: the registration server does not know this cookie.
    UnknownCookie,
    /// 403: the peer with this cookie is not active.
    NotRegistered,
    /// 404: no active peer has that RFC, or this peer does not have it.
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
    /// The numeric code. Programs act on the code; the phrase is for people.
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

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

/// A status line, without its line end.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatusLine(pub(super) Protocol, pub(super) Status);

impl StatusLine {
    /// Writes the line. Every answer has one, so nothing is formatted.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        for part in self.parts() {
            out.extend_from_slice(part.as_bytes());
        }
    }

    fn parts(self) -> [&'static str; 3] {
        let Self(protocol, status) = self;
        let status = match (status, protocol) {
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
        };
        [protocol.version(), " ", status]
    }
}

impl fmt::Display for StatusLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.parts().into_iter();
        parts.try_for_each(|part| f.write_str(part))
    }
}

/// Why a complete request is refused. The connection stays usable after the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Reject {
    /// The status of the answer.
    pub status: Status,
    /// The reason, for the log: the protocol's answers have no field for it.
    pub reason: String,
}

impl Reject {
    /// Refuses a request that does not follow the protocol.
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

impl Protocol {
    /// The version that we use, as it appears in every start line.
    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::Ci => "P2P-CI/1.0",
            Self::Di => "P2P-DI/1.0",
        }
    }

    /// The protocol of a request, from its version token; `None` for an unknown protocol.
    pub(super) fn of_request(head: &Head) -> Option<Self> {
        let (_, version) = split_version(head)?;
        let mut protocols = [Self::Ci, Self::Di].into_iter();
        protocols.find(|protocol| protocol.has_version(version))
    }

    /// Whether `word` is a version of this protocol, in the form `P2P-CI/x.y`.
    pub fn has_version(self, word: &str) -> bool {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let name = self.version().strip_suffix("1.0");
        let number = name.and_then(|name| word.strip_prefix(name));
        let number = number.and_then(|number| number.split_once('.'));
        number.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
    }

    /// Checks the request line: first its format, then its version (P2P-CI/1.0, section 3, order of
    /// checks). Returns what precedes the version: a method and its arguments, one to three words.
    pub(super) fn request_line(self, head: &Head) -> Result<&str, Reject> {
        let (words, version) = split_version(head).ok_or_else(|| no_request_line(head))?;
        let ours = self.version();
        if !is_one_to_three_words(words) || !(version == ours || self.has_version(version)) {
            return Err(no_request_line(head));
        }
        if version != ours {
            return Err(Reject {
                status: Status::VersionNotSupported,
                reason: format!("unsupported version {version:?}, expected {ours}"),
            });
        }
        Ok(words)
    }

    /// The code of an answer. A server at its connection limit may refuse before it knows the
    /// protocol of the client; it then answers in P2P-CI.
    pub(super) fn answered(self, line: &[u8]) -> Result<u16, ReadError> {
        let is_busy = |code: &u16| *code == Status::ServiceUnavailable.code();
        let busy = || Self::Ci.status_code(line).filter(is_busy);
        let code = self.status_code(line).or_else(busy);
        code.ok_or_else(|| self.no_response(line))
    }

    /// The error for something that is not a response of this protocol.
    pub(super) fn no_response(self, came: &[u8]) -> ReadError {
        let expected = match self {
            Self::Ci => "a P2P-CI/1.0 response",
            Self::Di => "a P2P-DI/1.0 response",
        };
        ReadError::malformed(came, expected)
    }

    /// Reads the code of a status line. Any phrase and any version of this protocol are accepted;
    /// only the code matters (P2P-CI/1.0, section 5).
    pub(super) fn status_code(self, line: &[u8]) -> Option<u16> {
        let line = str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| self.has_version(word))?;
        decimal(words.next().filter(|code| code.len() == 3)?)
    }
}

/// Whether a text is one to three words, with one space between two of them.
fn is_one_to_three_words(text: &str) -> bool {
    let mut words = text.as_bytes().split(|&byte| byte == b' ');
    let are_words = words.by_ref().take(3).all(|word| !word.is_empty());
    are_words && words.next().is_none()
}

/// Splits a request line into the words before its version, and the version.
pub(super) fn split_version(head: &Head) -> Option<(&str, &str)> {
    let line = str::from_utf8(head.start_line()).ok()?;
    // The version is short, so this finds the space sooner than a search in large steps.
    let space = line.bytes().rposition(|byte| byte == b' ')?;
    Some((line.get(..space)?, line.get(space + 1..)?))
}

pub(super) fn no_request_line(head: &Head) -> Reject {
    let line = printable(head.start_line());
    Reject::bad_request(format!("{line:?} is not a request line"))
}

/// The beginning of an untrusted line, for an error message.
pub(super) fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(80).collect()
}

/// Refuses a request that this server does not support.
pub(super) fn unknown_method(words: &str) -> Reject {
    let method = words.split(' ').next().unwrap_or_default();
    Reject::bad_request(match method {
        "ADD" | "LOOKUP" | "LIST" | "LISTALL" | "DEL" | "CLOSE" | "GET" | "REGISTER" | "LEAVE"
        | "PQUERY" | "KEEPALIVE" => format!("unsupported request {words:?}"),
        method => format!("{method:?} is no method"),
    })
}

/// Checks that every header line is a field.
pub(super) fn check_fields(head: &Head) -> Result<(), Reject> {
    let reject = || Reject::bad_request("a header line is not `Name: value`");
    head.is_well_formed().then_some(()).ok_or_else(reject)
}

/// Checks the header lines and reads `Host`, which every text request has.
pub(super) fn host(head: &Head) -> Result<Host, Reject> {
    check_fields(head)?;
    Ok(required(head, "Host")?.parse()?)
}

/// The peer that sent a request, from `Host` and `Port`.
pub(super) fn peer(head: &Head) -> Result<Endpoint, Reject> {
    Ok(Endpoint {
        host: host(head)?,
        port: required(head, "Port")?.parse()?,
    })
}

/// The value of a required header.
pub(super) fn required<'a>(head: &'a Head, name: &'static str) -> Result<&'a str, Reject> {
    head.field(name)?.ok_or_else(|| missing(name))
}

/// Apart, so that a request without errors needs no stack for it.
#[cold]
#[inline(never)]
fn missing(name: &str) -> Reject {
    Reject::bad_request(format!("missing header {name}"))
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
