//! Peer to peer: `RFCQuery` and `GetRFC` (section 2).

use std::fmt::{self, Write};

use super::{Origin, lines, response};
use crate::wire::{Endpoint, Head, ReadError, Record, Status};

/// A record of an index, with its time to live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// The record.
    pub record: Record,
    /// Its time to live, in seconds.
    pub ttl: u32,
}

/// The record as a line of a body, without its line end: `RFC number ttl host port title`.
impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, ttl } = self;
        let Record {
            number,
            title,
            holder: Endpoint { host, port },
        } = record;
        write!(f, "RFC {number} {ttl} {host} {port} {title}")
    }
}

/// The complete answer to `RFCQuery`.
pub(crate) fn index(records: &[Timed], origin: Origin<'_>) -> Vec<u8> {
    let mut lines = String::with_capacity(records.len() * 80);
    for record in records {
        // Writing to memory does not fail.
        let _ = write!(lines, "{record}\r\n");
    }
    let fields = format!("Records: {}\r\n", records.len());
    response(Status::Ok, origin, &fields, &lines)
}

/// Parses the body of the answer to `RFCQuery`.
pub(crate) fn read_index(body: &[u8]) -> Result<Vec<Timed>, ReadError> {
    lines(body, "a record", timed)
}

fn timed(line: &str) -> Option<Timed> {
    // The title comes last and may contain spaces, or be empty.
    let mut words = line.splitn(6, ' ');
    let is_record = words.next()? == "RFC";
    let number = words.next()?.parse().ok()?;
    let ttl = words.next()?.parse().ok()?;
    let host = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    let title = words.next().unwrap_or_default().parse().ok()?;
    let holder = Endpoint { host, port };
    let record = Record {
        number,
        title,
        holder,
    };
    is_record.then_some(Timed { record, ttl })
}

/// The SHA-256 of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

/// Hexadecimal, as `sha256sum` prints it.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Digest {
    fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, place) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(hex.get(place..place + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// The digest that the head of a response announces; `None` if it announces none, or one of an
/// unknown algorithm.
pub(crate) fn announced_digest(head: &Head) -> Result<Option<Digest>, ReadError> {
    let wrong = || ReadError::Header("Digest");
    let Some(value) = head.field("Digest").map_err(|_| wrong())? else {
        return Ok(None);
    };
    let (name, hex) = value.split_once('=').ok_or_else(wrong)?;
    if !name.eq_ignore_ascii_case("sha-256") {
        return Ok(None);
    }
    Digest::parse(hex).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocol::tests::head;
    use std::time::SystemTime;

    const ORIGIN: Origin<'static> = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: "Test 1",
    };
    const BEGIN: &str =
        "P2P-DI/1.0 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nOS: Test 1\r\n";

    #[test]
    fn the_index_is_written_and_read() {
        let lines = "RFC 1149 7200 vm 5 IP over Avian Carriers\r\nRFC 2 1 vm 5 \r\n";
        let records = read_index(lines.as_bytes()).unwrap();
        assert_eq!(records.len(), 2);
        assert!(records[1].record.title.is_empty());
        let text = String::from_utf8(index(&records, ORIGIN)).unwrap();
        let expected = format!(
            "{BEGIN}Records: 2\r\nContent-Length: {}\r\n\r\n{lines}",
            lines.len()
        );
        assert_eq!(text, expected);
        assert_eq!(read_index(b"RFC 2 1 vm 5\n").unwrap(), records[1..]);
        assert_eq!(read_index(b"").unwrap(), []);
        for wrong in [
            "RFC 2 1 vm",
            "RFC 2 -1 vm 5 x",
            "RFC 0 1 vm 5 x",
            "x",
            "RFC 2 1 a/b 5 x",
        ] {
            assert!(read_index(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_digest_is_known_or_wrong_or_none() {
        let announced = |fields: &str| {
            let head = head(&format!("P2P-DI/1.0 200 OK\r\n{fields}\r\n"));
            announced_digest(&head)
        };
        let digest = Digest([0xab; 32]);
        for text in [digest.to_string(), digest.to_string().to_uppercase()] {
            let announced = announced(&format!("Digest: SHA-256={text}\r\n"));
            assert_eq!(announced.unwrap(), Some(digest));
        }
        assert_eq!(announced("").unwrap(), None);
        assert_eq!(announced("Digest: md5=x\r\n").unwrap(), None);
        for wrong in ["sha-256=xyz", "sha-256", "md5=x\r\nDigest: md5=x"] {
            assert!(
                announced(&format!("Digest: {wrong}\r\n")).is_err(),
                "{wrong}"
            );
        }
    }
}
