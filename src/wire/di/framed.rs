//! P2P-DI in frames, as existing systems speak it: messages like those of HTTP/1.1, with JSON.
//!
//! It has the same meaning as the text dialect, so this module only formats and parses; the rules
//! are in the table of peers and in the index. JSON objects have exactly the keys named here.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::Origin;
use super::exchange::Timed;
use super::registration::{ActivePeer, Registration};
use crate::wire::dates::http_date;
use crate::wire::frame::{Frame, MAX_FRAME};
use crate::wire::protocol::{Reject, Status, printable};
use crate::wire::{Endpoint, Head, Host, Port, ReadError, Record, RfcNumber};

/// The version in start lines.
const VERSION: &str = "HTTP/1.1";

/// Whether a head is one of these messages, as opposed to one of P2P-CI.
pub(in crate::wire) fn is_request(head: &Head) -> bool {
    words(head).is_some()
}

/// The method of a request, in lower case (it may have any letter case), and its host.
pub(in crate::wire) fn request_line(head: &Head) -> Result<(String, &str), Reject> {
    let (method, host) = words(head).ok_or_else(|| {
        let line = printable(head.start_line());
        Reject::bad_request(format!("{line:?} is not a request line"))
    })?;
    if !head.is_well_formed() {
        return Err(Reject::bad_request("a header line is not `Name: value`"));
    }
    Ok((method.to_ascii_lowercase(), host))
}

/// A request. `fields` are those of its method.
pub(in crate::wire) fn request(
    method: &str,
    fields: &str,
    host: &Host,
    origin: Origin<'_>,
) -> Vec<u8> {
    let (os, date) = (origin.os, http_date(origin.date));
    let text = format!(
        "{method} {host} {VERSION}\r\n{fields}Host: {host}\r\nOS: {os}\r\nDate: {date}\r\n"
    );
    Frame::around(text.as_bytes()).into_bytes()
}

/// The method and the host of a request line.
fn words(head: &Head) -> Option<(&str, &str)> {
    let line = str::from_utf8(head.start_line()).ok()?;
    let (words, version) = line.rsplit_once(' ')?;
    let (method, host) = words.split_once(' ')?;
    version.starts_with("HTTP/1.").then_some((method, host))
}

/// A response with or without a body; `None` if it is too long for a frame.
pub(in crate::wire) fn response(body: Option<&[u8]>) -> Option<Frame> {
    let Some(body) = body else {
        return Some(Frame::around(
            format!("{VERSION} 200 OK\r\n\r\n").as_bytes(),
        ));
    };
    let content = [body_head(body.len()).as_bytes(), body].concat();
    (content.len() <= MAX_FRAME).then(|| Frame::around(&content))
}

/// Whether a body of this length fits into a frame.
pub(in crate::wire) fn fits(length: u64) -> bool {
    usize::try_from(length).is_ok_and(|length| {
        let head = body_head(length).len();
        length <= MAX_FRAME && head + length <= MAX_FRAME
    })
}

fn body_head(length: usize) -> String {
    format!("{VERSION} 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

/// A refusal. Unknown and missing things are 403.
pub(in crate::wire) fn refusal(status: Status) -> Frame {
    let phrase = match status {
        Status::BadRequest | Status::VersionNotSupported => "400 Bad Request",
        Status::RequestTimeout => "408 Request Timeout",
        Status::ServiceUnavailable => "503 Service Unavailable",
        _ => "403 Forbidden",
    };
    Frame::around(format!("{VERSION} {phrase}\r\n\r\n").as_bytes())
}

/// A peer as the registration server describes it; the cookie is 0 unless disclosed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::wire) struct PeerObject {
    hostname: String,
    pub(super) cookie: u32,
    port: u16,
    /// In seconds since 1970.
    last_active_time: f64,
    registration_count: u32,
    active: bool,
    pub(super) ttl: u32,
}

impl PeerObject {
    /// A peer, under this cookie.
    pub(super) fn of(registration: &Registration, cookie: u32) -> Self {
        let Endpoint { host, port } = &registration.peer;
        Self {
            hostname: host.to_string(),
            cookie,
            port: port.get(),
            last_active_time: seconds(registration.heard),
            registration_count: registration.registrations,
            active: registration.is_active,
            ttl: registration.ttl,
        }
    }

    /// The object as JSON.
    pub(in crate::wire) fn to_json(&self) -> String {
        // Its contents are always valid JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A time in the format of these objects.
fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}

/// The body of the answer to pquery: an array of strings, each a JSON object.
pub(in crate::wire) fn peers(peers: &[PeerObject]) -> String {
    let encoded: Vec<_> = peers.iter().map(PeerObject::to_json).collect();
    serde_json::to_string(&encoded).unwrap_or_default()
}

/// A peer in the answer to pquery.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Encoded(String),
    Plain(PeerObject),
    Other(serde::de::IgnoredAny),
}

fn active_peer(told: Told) -> Option<ActivePeer> {
    let object = match told {
        Told::Plain(object) => object,
        Told::Encoded(text) => serde_json::from_str(&text).ok()?,
        Told::Other(_) => return None,
    };
    let peer = Endpoint {
        host: object.hostname.parse().ok()?,
        port: Port::new(object.port)?,
    };
    let ttl = object.ttl;
    Some(ActivePeer { peer, ttl })
}

/// A document, as a peer describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::wire) struct DocumentObject {
    number: u32,
    title: String,
    hostname: String,
    path: String,
}

impl From<&Record> for DocumentObject {
    fn from(record: &Record) -> Self {
        Self {
            number: record.number.get(),
            title: record.title.to_string(),
            hostname: record.holder.host.to_string(),
            path: format!("rfc{}.txt", record.number),
        }
    }
}

impl DocumentObject {
    /// The object as JSON.
    pub(in crate::wire) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The body of the answer to rfcquery.
pub(in crate::wire) fn documents<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    let objects: Vec<_> = records.into_iter().map(DocumentObject::from).collect();
    serde_json::to_string(&objects).unwrap_or_default()
}

/// The code of an answer.
pub(super) fn http_code(head: &Head) -> Result<u16, ReadError> {
    let line = head.start_line();
    let mut words = str::from_utf8(line)
        .unwrap_or_default()
        .split_ascii_whitespace();
    let version = words.next().filter(|word| word.starts_with("HTTP/1."));
    let code = version.and(words.next()).and_then(|code| code.parse().ok());
    code.ok_or_else(|| ReadError::malformed(line, "an HTTP/1.1 response"))
}

/// The peer of an answer to register or keepalive.
pub(super) fn read_peer(body: &[u8]) -> Result<PeerObject, ReadError> {
    serde_json::from_slice(body).map_err(|_| ReadError::malformed(body, "a peer"))
}

/// The peers in an answer to pquery. It also accepts objects that are not encoded twice, and skips
/// anything that is not a peer.
pub(super) fn read_peers(body: &[u8]) -> Result<Vec<ActivePeer>, ReadError> {
    let told: Result<Vec<Told>, _> = serde_json::from_slice(body);
    let told = told.map_err(|_| ReadError::malformed(body, "a list of peers"))?;
    Ok(told.into_iter().filter_map(active_peer).collect())
}

/// The records in an answer to rfcquery. They have no port, so each gets the port that `ports`
/// knows for its host. Records of unknown hosts are skipped, because nobody could request them, and
/// so are invalid ones.
pub(in crate::wire) fn read_documents(
    body: &[u8],
    ports: impl Fn(&Host) -> Option<Port>,
) -> Result<Vec<Timed>, ReadError> {
    let told: Result<Vec<DocumentObject>, _> = serde_json::from_slice(body);
    let told = told.map_err(|_| ReadError::malformed(body, "a list of documents"))?;
    let record = |object: DocumentObject| {
        let host: Host = object.hostname.parse().ok()?;
        let port = ports(&host)?;
        Some(Record {
            number: RfcNumber::new(object.number)?,
            title: object.title.parse().ok()?,
            holder: Endpoint { host, port },
        })
    };
    let timed = |record| Timed {
        record,
        ttl: super::TTL,
    };
    Ok(told.into_iter().filter_map(record).map(timed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocol::tests::head;

    #[test]
    fn a_method_may_have_any_letter_case() {
        for line in [
            "pquery vm HTTP/1.1",
            "PQUERY vm HTTP/1.0",
            "PQuery vm HTTP/1.1",
        ] {
            let head = head(&format!("{line}\r\n\r\n"));
            assert!(is_request(&head));
            assert_eq!(request_line(&head), Ok(("pquery".to_owned(), "vm")));
        }
        for line in [
            "pquery HTTP/1.1",
            "pquery vm HTTP/2",
            "LISTALL P2P-CI/1.0",
            "x",
        ] {
            let head = head(&format!("{line}\r\n\r\n"));
            assert!(!is_request(&head) && request_line(&head).is_err());
        }
    }

    #[test]
    fn objects_have_exactly_the_agreed_keys() {
        let peer = PeerObject {
            hostname: "vm".to_owned(),
            cookie: 3,
            port: 1235,
            last_active_time: 1.5,
            registration_count: 2,
            active: true,
            ttl: 7200,
        };
        let json = r#"{"hostname":"vm","cookie":3,"port":1235,"last_active_time":1.5,"registration_count":2,"active":true,"ttl":7200}"#;
        assert_eq!(peer.to_json(), json);
        let encoded = peers(std::slice::from_ref(&peer));
        assert_eq!(
            encoded,
            format!("[{}]", serde_json::to_string(json).unwrap())
        );
        assert_eq!(peers(&[]), "[]");
        let expected = ActivePeer {
            peer: Endpoint::parse("vm:1235", Port::MIN).unwrap(),
            ttl: 7200,
        };
        // A peer that is not encoded twice is accepted too.
        for body in [encoded, format!(r#"[{json}, 5, "x", {{}}]"#)] {
            let told = read_peers(body.as_bytes()).unwrap();
            assert_eq!(told, std::slice::from_ref(&expected));
        }

        let record = Record::parse("RFC 48 A \"title\" vm 5").unwrap();
        let body = documents(std::slice::from_ref(&record));
        let json = r#"[{"number":48,"title":"A \"title\"","hostname":"vm","path":"rfc48.txt"}]"#;
        assert_eq!(body, json);
        let told = read_documents(body.as_bytes(), |_| Port::new(5)).unwrap();
        assert_eq!((told.len(), &told[0].record), (1, &record));
        assert!(
            read_documents(body.as_bytes(), |_| None)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_response_goes_into_a_frame_or_not() {
        let content = |frame: Frame| String::from_utf8(frame.content().to_vec()).unwrap();
        let empty = response(None).unwrap();
        assert_eq!(content(empty), "HTTP/1.1 200 OK\r\n\r\n");
        let body = response(Some(b"ab")).unwrap();
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(content(body), expected);
        for length in [MAX_FRAME - 44, MAX_FRAME - 43, MAX_FRAME] {
            let fits = fits(u64::try_from(length).unwrap());
            assert_eq!(response(Some(&vec![0; length])).is_some(), fits);
        }
        for (status, line) in [
            (Status::VersionNotSupported, "400 Bad Request"),
            (Status::UnknownCookie, "403 Forbidden"),
            (Status::NotFound, "403 Forbidden"),
            (Status::RequestTimeout, "408 Request Timeout"),
            (Status::ServiceUnavailable, "503 Service Unavailable"),
        ] {
            assert_eq!(content(refusal(status)), format!("HTTP/1.1 {line}\r\n\r\n"));
        }
    }
}
