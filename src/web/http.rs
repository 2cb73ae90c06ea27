//! HTTP/1.1 (RFC 9112), as much of it as the page needs: reading a request, and writing a response.
//!
//! It knows no sockets and no paths. A request is read whole within one deadline, however slowly its
//! bytes arrive.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::wire::Source;

/// The longest head of a request, in bytes.
const MAX_HEAD: u64 = 16 * 1024;
/// The most header fields of a request.
const MAX_FIELDS: usize = 64;
/// The longest body of a request, in bytes.
const MAX_BODY: usize = 4 * 1024;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Without the query.
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: String,
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether another request may follow on the connection.
    pub(super) stays_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Other,
}

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    /// Only these methods are allowed.
    MethodNotAllowed(&'static str),
    TooLarge,
    HeadTooLarge,
    Failed,
    Unavailable,
    Version,
}

impl Status {
    /// Its code and its reason phrase.
    pub(super) const fn line(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed(_) => (405, "Method Not Allowed"),
            Self::TooLarge => (413, "Content Too Large"),
            Self::HeadTooLarge => (431, "Request Header Fields Too Large"),
            Self::Failed => (500, "Internal Server Error"),
            Self::Unavailable => (503, "Service Unavailable"),
            Self::Version => (505, "HTTP Version Not Supported"),
        }
    }
}

/// Why a request is not carried out, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(status: Status, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { status, why }
    }
}

impl Request {
    /// Reads a request, which must be complete within `time`. `Ok(None)`: nobody waits for an
    /// answer. After a refusal the stream is out of step.
    pub(super) fn read(source: &mut impl Source, time: Duration) -> Result<Option<Self>, Refusal> {
        source.allow(Some(time));
        let mut head = Vec::new();
        loop {
            let start = head.len();
            let left = MAX_HEAD.saturating_sub(u64::try_from(start).unwrap_or(MAX_HEAD));
            match source.by_ref().take(left).read_until(b'\n', &mut head) {
                Ok(0) if left == 0 => {
                    let why = format!("the head of a request has at most {MAX_HEAD} bytes");
                    return Err(Refusal::new(Status::HeadTooLarge, why));
                }
                Ok(0) => return Ok(None),
                // An empty line may come before a request.
                Ok(_) if head.trim_ascii().is_empty() => head.clear(),
                Ok(_) if matches!(head.get(start..), Some(b"\n" | b"\r\n")) => break,
                Ok(_) => {}
                // Whoever sends nothing is not answered.
                Err(_) if head.is_empty() => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    let why = format!("a request must be complete within {} s", time.as_secs());
                    return Err(Refusal::new(Status::BadRequest, why));
                }
                Err(_) => return Ok(None),
            }
        }
        let mut request = Self::parse(&head)?;
        request.read_body(source)?;
        Ok(Some(request))
    }

    /// Parses a head.
    fn parse(head: &[u8]) -> Result<Self, Refusal> {
        let bad = |why: &str| Refusal::new(Status::BadRequest, why);
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(bad("the head is incomplete")),
            Err(httparse::Error::TooManyHeaders) => {
                let why = format!("a request has at most {MAX_FIELDS} header fields");
                return Err(Refusal::new(Status::HeadTooLarge, why));
            }
            Err(httparse::Error::Version) => {
                return Err(Refusal::new(Status::Version, "use HTTP/1.1"));
            }
            Err(error) => return Err(bad(&error.to_string())),
        }
        let method = match parsed.method.unwrap_or_default() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            _ => Method::Other,
        };
        let target = parsed.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_path = path.starts_with('/');
        if !is_path && method != Method::Other {
            return Err(bad("the target of a request is a path"));
        }
        let mut fields = Vec::new();
        for field in parsed.headers.iter() {
            let value = str::from_utf8(field.value).map_err(|_| bad("a header is not UTF-8"))?;
            fields.push((field.name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            fields,
            body: Vec::new(),
            stays_open: false,
        };
        for name in ["host", "content-length", "origin", "authorization"] {
            let mut same = request.fields.iter().filter(|(field, _)| field == name);
            if same.nth(1).is_some() {
                return Err(bad(&format!("more than one {name}")));
            }
        }
        let is_closing = |value: &str| value.to_ascii_lowercase().contains("close");
        request.stays_open = parsed.version == Some(1)
            && method != Method::Other
            && !request.field("connection").is_some_and(is_closing);
        Ok(request)
    }

    fn read_body(&mut self, source: &mut impl Source) -> Result<(), Refusal> {
        if self.field("transfer-encoding").is_some() {
            let why = "send the body with a Content-Length";
            return Err(Refusal::new(Status::BadRequest, why));
        }
        let length = match self.field("content-length") {
            None => 0,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number that is too large for its type is too large for us.
                digits.parse().unwrap_or(usize::MAX)
            }
            Some(_) => {
                let why = "Content-Length is not a number";
                return Err(Refusal::new(Status::BadRequest, why));
            }
        };
        if length > MAX_BODY {
            let why = format!("the body of a request has at most {MAX_BODY} bytes");
            return Err(Refusal::new(Status::TooLarge, why));
        }
        self.body = vec![0; length];
        source
            .read_exact(&mut self.body)
            .map_err(|_| Refusal::new(Status::BadRequest, "the body is incomplete"))
    }

    /// The value of a header field, whose name is given in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the query, without percent-encoding: those that the page uses
    /// need none.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether the client asks for a stream of events.
    pub(super) fn wants_events(&self) -> bool {
        let accepts = |value: &str| value.contains("text/event-stream");
        self.field("accept").is_some_and(accepts)
    }
}

/// Nothing is loaded from elsewhere, nobody frames the page, and no text of a stranger becomes a
/// script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A response.
pub(super) struct Response {
    pub(super) status: Status,
    /// The type of the body.
    pub(super) kind: &'static str,
    /// It may be shared with other responses.
    pub(super) body: Arc<dyn AsRef<[u8]>>,
}

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

impl Response {
    pub(super) fn ok(kind: &'static str, body: Arc<dyn AsRef<[u8]>>) -> Self {
        Self {
            status: Status::Ok,
            kind,
            body,
        }
    }

    /// Writes a response to a request of this method, and whether the connection stays open.
    pub(super) fn write(
        &self,
        out: &mut impl Write,
        method: Method,
        stays_open: bool,
    ) -> io::Result<()> {
        let body = (*self.body).as_ref();
        let length = u64::try_from(body.len()).ok();
        let head = head(self.status, self.kind, length, stays_open);
        out.write_all(head.as_bytes())?;
        if method != Method::Head {
            out.write_all(body)?;
        }
        out.flush()
    }
}

impl From<Refusal> for Response {
    fn from(Refusal { status, why }: Refusal) -> Self {
        Self {
            status,
            kind: TEXT,
            body: Arc::new(format!("{why}\n")),
        }
    }
}

/// The head of a response. Without a `length`, the body ends with the connection.
pub(super) fn head(status: Status, kind: &str, length: Option<u64>, stays_open: bool) -> String {
    let (code, reason) = status.line();
    let mut head = format!(
        "HTTP/1.1 {code} {reason}\r\n\
         Content-Type: {kind}\r\n\
         Content-Security-Policy: {POLICY}\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Cache-Control: no-store\r\n"
    );
    // Writing to memory does not fail.
    if let Some(length) = length {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if let Status::MethodNotAllowed(methods) = status {
        let _ = write!(head, "Allow: {methods}\r\n");
    }
    if status == Status::Unavailable {
        head.push_str("Retry-After: 5\r\n");
    }
    if status == Status::Unauthorized {
        head.push_str("WWW-Authenticate: Bearer\r\n");
    }
    head.push_str(if stays_open {
        "Connection: keep-alive\r\n\r\n"
    } else {
        "Connection: close\r\n\r\n"
    });
    head
}
