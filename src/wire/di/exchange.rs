//! Peer to peer: `RFCQuery` and `GetRFC` (section 2).

use std::fmt::{self, Write};
use std::io;
use std::ops::Range;

use super::{Origin, body_lines, head};
use crate::wire::{Endpoint, Head, Port, ReadError, Record, RfcNumber, Status};

/// The longest body of an answer to `RFCQuery`, in bytes: about a million records. We neither read
/// nor send more.
pub const MAX_INDEX: u64 = 64 * 1024 * 1024;

/// A record of an index, with its time to live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// The record.
    pub record: Record,
    /// Its time to live, in seconds.
    pub ttl: u32,
}

/// The record as a line of a body, without its line end.
impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TimedLine::from(self).fmt(f)
    }
}

/// The same, in a text that somebody else keeps: an index may have a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedLine<'a> {
    /// The number of the RFC.
    pub number: RfcNumber,
    /// Its time to live, in seconds.
    pub ttl: u32,
    /// The host of the holder,
    pub host: &'a str,
    /// and its port.
    pub port: Port,
    /// The title.
    pub title: &'a str,
}

impl<'a> From<&'a Timed> for TimedLine<'a> {
    fn from(Timed { record, ttl }: &'a Timed) -> Self {
        let Endpoint { host, port } = &record.holder;
        Self {
            number: record.number,
            ttl: *ttl,
            host: host.as_str(),
            port: *port,
            title: record.title.as_str(),
        }
    }
}

/// The record as a line of a body, without its line end: `RFC number ttl host port title`.
impl fmt::Display for TimedLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            ttl,
            host,
            port,
            title,
        } = self;
        write!(f, "RFC {number} {ttl} {host} {port} {title}")
    }
}

impl<'a> TimedLine<'a> {
    /// Splits a line of a body, without checking its host and its title.
    fn split(line: &'a str) -> Option<Self> {
        // The title comes last and may contain spaces, or be empty.
        let mut words = line.splitn(6, ' ');
        let is_record = words.next()? == "RFC";
        let split = Self {
            number: words.next()?.parse().ok()?,
            ttl: words.next()?.parse().ok()?,
            host: words.next()?,
            port: words.next()?.parse().ok()?,
            title: words.next().unwrap_or_default(),
        };
        is_record.then_some(split)
    }

    /// Parses a line of a body.
    pub fn parse(line: &'a str) -> Option<Timed> {
        Self::split(line)?.check()
    }

    /// Checks the host and the title.
    pub fn check(&self) -> Option<Timed> {
        let host = self.host.parse().ok()?;
        let port = self.port;
        let record = Record {
            number: self.number,
            title: self.title.parse().ok()?,
            holder: Endpoint { host, port },
        };
        let ttl = self.ttl;
        Some(Timed { record, ttl })
    }

    /// Appends the line with its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = io::Write::write_fmt(out, format_args!("{self}\r\n"));
    }

    /// The length of the line with its end, in bytes.
    fn length(&self) -> u64 {
        let mut counted = Counted(0);
        // Counting does not fail.
        let _ = write!(counted, "{self}\r\n");
        counted.0
    }
}

/// Counts the bytes that are written.
struct Counted(u64);

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += u64::try_from(text.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// The records of an answer to `RFCQuery`, which was checked.
#[derive(Debug)]
pub struct Told {
    /// Where in the message the lines of a text answer are.
    body: Range<usize>,
    /// The records of a framed answer.
    framed: Vec<Timed>,
}

impl Told {
    /// Checks the lines in this range of a text answer. They stay where they are.
    pub(crate) fn lines(message: &[u8], body: Range<usize>) -> Result<Self, ReadError> {
        for line in body_lines(message.get(body.clone()).unwrap_or_default()) {
            let text = str::from_utf8(line).ok();
            let checked = text.and_then(TimedLine::parse);
            checked.ok_or_else(|| ReadError::malformed(line, "a record"))?;
        }
        let framed = Vec::new();
        Ok(Self { body, framed })
    }

    /// The records of a framed answer.
    pub(crate) fn framed(framed: Vec<Timed>) -> Self {
        let body = 0..0;
        Self { body, framed }
    }

    /// The records, of which the text ones are in `message`, the answer as it was received.
    pub fn records<'a>(&'a self, message: &'a [u8]) -> impl Iterator<Item = TimedLine<'a>> {
        let body = message.get(self.body.clone()).unwrap_or_default();
        let line = |line| TimedLine::split(str::from_utf8(line).ok()?);
        let framed = self.framed.iter().map(TimedLine::from);
        body_lines(body).filter_map(line).chain(framed)
    }
}

/// What a peer answers to `RFCQuery`. It does not change while it is sent, so its length is known
/// before.
pub trait Snapshot {
    /// The records in the order in which they are sent. Our own come first.
    fn records(&self) -> impl Iterator<Item = TimedLine<'_>>;
}

/// The head of the answer to `RFCQuery`, and how many records follow: the first ones, as many as
/// others read.
pub(crate) fn index_head(snapshot: &impl Snapshot, origin: Origin<'_>) -> (Vec<u8>, usize) {
    let (mut count, mut length) = (0, 0);
    for record in snapshot.records() {
        let more = record.length();
        if length + more > MAX_INDEX {
            break;
        }
        length += more;
        count += 1;
    }
    let fields = format!("Records: {count}\r\n");
    (head(Status::Ok, origin, &fields, length), count)
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

    impl Snapshot for Vec<Timed> {
        fn records(&self) -> impl Iterator<Item = TimedLine<'_>> {
            self.iter().map(TimedLine::from)
        }
    }

    fn read(body: &str) -> Result<Vec<Timed>, ReadError> {
        let told = Told::lines(body.as_bytes(), 0..body.len())?;
        let records = told.records(body.as_bytes());
        Ok(records.map(|line| line.check().unwrap()).collect())
    }

    #[test]
    fn an_index_that_nobody_reads_is_cut_before_it_is_sent() {
        let line = format!("RFC 1 7200 vm 5 {}", "t".repeat(1000));
        let records = vec![TimedLine::parse(&line).unwrap(); 70_000];
        let (head, count) = index_head(&records, ORIGIN);
        let length = count * (line.len() + 2);
        assert!(u64::try_from(length).is_ok_and(|length| length <= MAX_INDEX));
        assert!(u64::try_from(length + line.len() + 2).is_ok_and(|more| more > MAX_INDEX));
        let fields = format!("Records: {count}\r\nContent-Length: {length}\r\n");
        assert!(String::from_utf8(head).unwrap().contains(&fields));
    }

    #[test]
    fn the_index_is_written_and_read() {
        let lines = "RFC 1149 7200 vm 5 IP over Avian Carriers\r\nRFC 2 1 vm 5 \r\n";
        let records = read(lines).unwrap();
        assert_eq!(records.len(), 2);
        assert!(records[1].record.title.is_empty());
        let (head, count) = index_head(&records, ORIGIN);
        let expected = format!(
            "{BEGIN}Records: 2\r\nContent-Length: {}\r\n\r\n",
            lines.len()
        );
        assert_eq!((String::from_utf8(head).unwrap(), count), (expected, 2));
        assert_eq!(read("RFC 2 1 vm 5\n").unwrap(), records[1..]);
        assert_eq!(read("").unwrap(), []);
        for wrong in [
            "RFC 2 1 vm",
            "RFC 2 -1 vm 5 x",
            "RFC 0 1 vm 5 x",
            "x",
            "RFC 2 1 a/b 5 x",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
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
