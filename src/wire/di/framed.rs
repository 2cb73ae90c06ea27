//! P2P-DI in frames, as existing systems use it: messages similar to HTTP/1.1, with JSON bodies.
//!
//! We write JSON objects with exactly the keys that are defined here.

use std::fmt::Display;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Origin;
use super::exchange::{Timed, TimedLine};
use super::registration::Registration;
use crate::wire::dates::http_date;
use crate::wire::frame::{Frame, MAX_FRAME, PREFIX};
use crate::wire::protocol::{check_fields, no_request_line, split_version};
use crate::wire::{Endpoint, Head, Host, Port, ReadError, Record, Reject, RfcNumber, Status};

/// The version in every start line.
const VERSION: &str = "HTTP/1.1";

/// Whether a head is a request in this format, and not one of P2P-CI.
pub(crate) fn is_request(head: &Head) -> bool {
    words(head).is_some()
}

/// The method of a request, in lowercase, and its host. The method is case-insensitive.
pub(crate) fn request_line(head: &Head) -> Result<(String, &str), Reject> {
    let (method, host) = words(head).ok_or_else(|| no_request_line(head))?;
    check_fields(head)?;
    Ok((method.to_ascii_lowercase(), host))
}

/// A framed request. `fields` are the header fields of its method.
pub(crate) fn request(method: &str, fields: &str, host: &Host, origin: Origin<'_>) -> Vec<u8> {
    let (os, date) = (origin.os, http_date(origin.date));
    let text = format!(
        "{method} {host} {VERSION}\r\n{fields}Host: {host}\r\nOS: {os}\r\nDate: {date}\r\n"
    );
    Frame::around(text.as_bytes()).into_bytes()
}

/// The method and the host of a request line.
fn words(head: &Head) -> Option<(&str, &str)> {
    let (words, version) = split_version(head)?;
    let words = words.split_once(' ')?;
    version.starts_with("HTTP/1.").then_some(words)
}

/// A response with a body. If the body is too long for a frame, the response is a 503 instead.
pub(crate) fn response(body: &[u8]) -> Vec<u8> {
    let content = [body_head(body.len()).as_bytes(), body].concat();
    if content.len() > MAX_FRAME {
        return without_body(Status::ServiceUnavailable);
    }
    Frame::around(&content).into_bytes()
}

/// The beginning of a frame with a response, up to its body of this length, which must fit.
pub(crate) fn response_head(length: u64) -> Vec<u8> {
    let head = body_head(length);
    let content = u64::try_from(head.len()).unwrap_or_default() + length;
    format!("{content:<PREFIX$}{head}").into_bytes()
}

/// Whether a body of this length fits into a frame.
pub(crate) fn fits(length: u64) -> bool {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    length.saturating_add(body_head(length).len()) <= MAX_FRAME
}

/// The head of a response with a body of this length.
pub(super) fn body_head(length: impl Display) -> String {
    format!("{VERSION} 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

/// A response without a body. Anything unknown or not found is a 403.
pub(crate) fn without_body(status: Status) -> Vec<u8> {
    let phrase = match status {
        Status::Ok => "200 OK",
        Status::BadRequest | Status::VersionNotSupported => "400 Bad Request",
        Status::RequestTimeout => "408 Request Timeout",
        Status::ServiceUnavailable => "503 Service Unavailable",
        _ => "403 Forbidden",
    };
    Frame::around(format!("{VERSION} {phrase}\r\n\r\n").as_bytes()).into_bytes()
}

/// A peer, as the registration server describes it. Cookie 0 hides the cookie from other peers.
#[derive(Serialize, Deserialize)]
pub(super) struct PeerObject {
    hostname: String,
    pub(super) cookie: u32,
    port: u16,
    /// In seconds since 1970.
    last_active_time: f64,
    registration_count: u32,
    active: bool,
    pub(super) ttl: u32,
}

/// A registration in JSON, with this cookie.
fn told(registration: &Registration, cookie: u32) -> String {
    let heard = registration.heard.duration_since(SystemTime::UNIX_EPOCH);
    json(&PeerObject {
        hostname: registration.peer.host.to_string(),
        cookie,
        port: registration.peer.port.get(),
        last_active_time: heard.unwrap_or_default().as_secs_f64(),
        registration_count: registration.registrations,
        active: registration.is_active,
        ttl: registration.ttl,
    })
}

fn json(value: &impl Serialize) -> String {
    // JSON can represent all of our values.
    serde_json::to_string(value).unwrap_or_default()
}

/// The body of the answer to register or keepalive: the peer that sent the request.
pub(super) fn peer(registration: &Registration) -> String {
    told(registration, registration.cookie.0)
}

/// A peer in the answer to pquery: a string that contains a JSON object. Cookies are never disclosed
/// to other peers.
pub(super) fn other_peer(registration: &Registration) -> String {
    json(&told(registration, 0))
}

/// Reads a peer in the answer to pquery: a string that contains a JSON object, or the object
/// itself.
fn active_peer(told: serde_json::Value) -> Option<Endpoint> {
    let object: PeerObject = match told {
        serde_json::Value::String(text) => serde_json::from_str(&text).ok()?,
        told => serde_json::from_value(told).ok()?,
    };
    Some(Endpoint {
        host: object.hostname.parse().ok()?,
        port: Port::new(object.port)?,
    })
}

/// A document, as a peer describes it.
#[derive(Serialize, Deserialize)]
struct DocumentObject {
    number: u32,
    title: String,
    hostname: String,
    path: String,
}

fn object(number: RfcNumber, title: &str, host: &str) -> DocumentObject {
    DocumentObject {
        number: number.get(),
        title: title.to_owned(),
        hostname: host.to_owned(),
        path: format!("rfc{number}.txt"),
    }
}

/// The body of the message that announces a document.
pub(crate) fn document(record: &Record) -> String {
    let Record {
        number,
        title,
        holder,
    } = record;
    json(&object(*number, title.as_str(), holder.host.as_str()))
}

/// The number of an announced document; `None` if the body is no such message.
pub(crate) fn document_number(body: &[u8]) -> Option<u32> {
    let told: DocumentObject = serde_json::from_slice(body).ok()?;
    Some(told.number)
}

/// The body of the answer to rfcquery. Once it is too long for a frame, the rest is left out: it
/// is [refused](response) anyway.
pub(crate) fn documents<'a>(records: impl Iterator<Item = TimedLine<'a>>) -> String {
    let mut length = 0;
    let fits = |line: &TimedLine<'_>| {
        let fits = length <= MAX_FRAME;
        length += line.title.len() + line.host.len();
        fits
    };
    let objects = records.take_while(fits);
    let objects = objects.map(|line| object(line.number, line.title, line.host));
    json(&objects.collect::<Vec<_>>())
}

/// The code of an answer.
pub(super) fn http_code(head: &Head) -> Result<u16, ReadError> {
    let line = head.start_line();
    let text = str::from_utf8(line).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let version = words.next().filter(|word| word.starts_with("HTTP/1."));
    let code = version.and(words.next()).and_then(|code| code.parse().ok());
    code.ok_or_else(|| ReadError::malformed(line, "an HTTP/1.1 response"))
}

/// Parses a JSON body. `expected` says what it must be, for the error message.
fn read<T: DeserializeOwned>(body: &[u8], expected: &'static str) -> Result<T, ReadError> {
    serde_json::from_slice(body).map_err(|_| ReadError::malformed(body, expected))
}

/// Parses the body of the answer to register or keepalive.
pub(super) fn read_peer(body: &[u8]) -> Result<PeerObject, ReadError> {
    read(body, "a peer")
}

/// Parses the body of the answer to pquery. Skips invalid peers.
pub(super) fn read_peers(body: &[u8]) -> Result<Vec<Endpoint>, ReadError> {
    let told: Vec<_> = read(body, "a list of peers")?;
    Ok(told.into_iter().filter_map(active_peer).collect())
}

/// Parses the body of the answer to rfcquery. The records have no port; `ports` gives the port of
/// the peer at their host. Skips invalid records, and records of a host without a known port, since
/// nobody could download them.
pub(crate) fn read_documents(
    body: &[u8],
    ports: impl Fn(&Host) -> Option<Port>,
) -> Result<Vec<Timed>, ReadError> {
    let told: Vec<_> = read(body, "a list of documents")?;
    let record = |object: DocumentObject| {
        let host: Host = object.hostname.parse().ok()?;
        let port = ports(&host)?;
        Some(Record {
            number: RfcNumber::new(object.number)?,
            title: object.title.parse().ok()?,
            holder: Endpoint { host, port },
        })
    };
    let ttl = super::TTL;
    let timed = |record| Timed { record, ttl };
    Ok(told.into_iter().filter_map(record).map(timed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::di::registration::Cookie;
    use crate::wire::protocol::tests::head;
    use std::time::Duration;

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
    fn objects_have_exactly_the_keys_that_are_agreed() {
        let expected = Endpoint::parse("vm:1235", Port::MIN).unwrap();
        let registration = Registration {
            cookie: Cookie(3),
            peer: expected.clone(),
            is_active: true,
            ttl: 7200,
            registrations: 2,
            heard: SystemTime::UNIX_EPOCH + Duration::from_millis(1500),
        };
        let json = r#"{"hostname":"vm","cookie":3,"port":1235,"last_active_time":1.5,"registration_count":2,"active":true,"ttl":7200}"#;
        assert_eq!(peer(&registration), json);
        let json = json.replace("\"cookie\":3", "\"cookie\":0");
        let encoded = other_peer(&registration);
        assert_eq!(encoded, serde_json::to_string(&json).unwrap());
        // An object that is not wrapped in a string is a peer as well.
        for body in [format!("[{encoded}]"), format!(r#"[{json}, 5, "x", {{}}]"#)] {
            let told = read_peers(body.as_bytes()).unwrap();
            assert_eq!(told, std::slice::from_ref(&expected));
        }

        let record = Record::parse("RFC 48 A \"title\" vm 5").unwrap();
        let timed = Timed {
            record: record.clone(),
            ttl: 1,
        };
        let body = documents([TimedLine::from(&timed)].into_iter());
        assert_eq!(document_number(document(&record).as_bytes()), Some(48));
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
        let content = |frame: Vec<u8>| String::from_utf8(frame[10..].to_vec()).unwrap();
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(content(response(b"ab")), expected);
        for length in [MAX_FRAME - 44, MAX_FRAME - 43, MAX_FRAME] {
            let is_whole = content(response(&vec![0; length])).starts_with("HTTP/1.1 200 OK");
            assert_eq!(is_whole, fits(u64::try_from(length).unwrap()));
        }
        for (status, line) in [
            (Status::Ok, "200 OK"),
            (Status::VersionNotSupported, "400 Bad Request"),
            (Status::UnknownCookie, "403 Forbidden"),
            (Status::NotFound, "403 Forbidden"),
            (Status::RequestTimeout, "408 Request Timeout"),
            (Status::ServiceUnavailable, "503 Service Unavailable"),
        ] {
            assert_eq!(
                content(without_body(status)),
                format!("HTTP/1.1 {line}\r\n\r\n")
            );
        }
    }
}
