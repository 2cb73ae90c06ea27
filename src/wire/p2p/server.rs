//! The side of the peer that answers: it reads the requests of other peers and writes answers, in
//! their protocol and dialect.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};

use super::{Codec, Wanted};
use crate::wire::ci;
use crate::wire::dates::http_date;
use crate::wire::di::exchange::{Digest, Snapshot, TimedLine, index_head};
use crate::wire::di::framed;
use crate::wire::di::{self, Origin};
use crate::wire::dialect::Incoming;
use crate::wire::frame::Frame;
use crate::wire::protocol::{StatusLine, host, required, unknown_method};
use crate::wire::tolerance::wording;
use crate::wire::{
    Dialect, Endpoint, Head, Protocol, ReadError, Received, Record, Reject, Source, Status, Waits,
};

/// The most bytes of a document in one frame of P2P-CI.
const PIECE: u64 = 1024;

/// The conversation with one peer that asks.
#[derive(Debug, Default)]
pub struct Conversation {
    incoming: Incoming,
    /// The protocol of the last request.
    protocol: Protocol,
}

impl Conversation {
    /// Reads the next request. It must begin within `time`, and be complete within `time` of its
    /// first byte. `Ok(None)`: the stream ended before a request began.
    pub fn next(
        &mut self,
        source: &mut impl Source,
        time: Duration,
    ) -> Result<Option<Received<Wanted>>, ReadError> {
        self.protocol = Protocol::Ci;
        let spoken = Cell::new(Protocol::Ci);
        let received = self
            .incoming
            .next(source, Waits::of(time), |dialect, head| {
                spoken.set(protocol(head, dialect));
                Codec::new(spoken.get(), dialect).wanted(head)
            })?;
        self.protocol = spoken.get();
        Ok(received)
    }

    /// Whether the last request was accepted before its end, so that more of it may arrive.
    pub fn has_unfinished(&self) -> bool {
        self.incoming.has_unfinished()
    }

    /// The codec for the answer to the last request, or to a read error.
    pub fn codec(&self) -> Codec {
        Codec {
            manner: self.incoming.manner(),
            ..Codec::new(self.protocol, self.incoming.dialect())
        }
    }
}

/// The protocol of a request; P2P-CI if it is unknown.
fn protocol(head: &Head, dialect: Dialect) -> Protocol {
    match dialect {
        Dialect::Text => Protocol::of_request(head).unwrap_or(Protocol::Ci),
        Dialect::Framed if framed::is_request(head) => Protocol::Di,
        Dialect::Framed => Protocol::Ci,
    }
}

/// A document that we offer to another peer.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Its number, its title, and our address.
    pub record: &'a Record,
    /// When its file was last modified.
    pub last_modified: SystemTime,
    /// Its length in bytes.
    pub length: u64,
}

impl Codec {
    fn wanted(self, head: &Head) -> Result<Wanted, Reject> {
        if let (Protocol::Di, Dialect::Framed) = (self.protocol, self.dialect) {
            let (method, _) = framed::request_line(head)?;
            return match method.as_str() {
                "rfcquery" => Ok(Wanted::Index),
                "getrfc" => Ok(Wanted::Document(required(head, "RFC-Number")?.parse()?)),
                _ => Err(unknown_method(&method)),
            };
        }
        // The order of checks of P2P-CI/1.0, section 3. A frame may have a version of either
        // protocol.
        let words = protocol(head, Dialect::Text).request_line(head)?;
        let sloppy = || match self.dialect {
            Dialect::Text => wording::number_to_get(head),
            Dialect::Framed => None,
        };
        let wanted = match words.strip_prefix("GET RFC ").or_else(sloppy) {
            Some(number) => Wanted::Document(number.parse()?),
            None if words == "GET RFC-Index" && self.protocol == Protocol::Di => Wanted::Index,
            None => return Err(unknown_method(words)),
        };
        // We ignore all other fields.
        host(head)?;
        Ok(wanted)
    }

    /// Whether another request may follow on the connection.
    pub fn stays_open(self) -> bool {
        self.protocol == Protocol::Di && self.dialect == Dialect::Framed
    }

    /// A refusal with this status.
    pub fn refusal(self, status: Status, origin: Origin<'_>) -> Vec<u8> {
        match (self.dialect, self.protocol) {
            (dialect, Protocol::Ci) => {
                let line = StatusLine(Protocol::Ci, status);
                ci::encode(self.manner.refusal(format!("{line}\r\n\r\n")), dialect)
            }
            (Dialect::Text, Protocol::Di) => di::head(status, origin, "", 0),
            (Dialect::Framed, Protocol::Di) => framed::without_body(status),
        }
    }

    /// The beginning of the answer to [`Wanted::Index`], and how many records of `known` follow it
    /// as lines. In frames none do: it is a whole frame with our own records, those whose holder is
    /// `me`.
    pub fn index(
        self,
        known: &impl Snapshot,
        me: &Endpoint,
        origin: Origin<'_>,
    ) -> (Vec<u8>, usize) {
        if self.dialect == Dialect::Text {
            return index_head(known, origin);
        }
        let is_ours = |line: &TimedLine<'_>| me.port == line.port && me.host.as_str() == line.host;
        let own = known.records().take_while(is_ours);
        (framed::response(framed::documents(own).as_bytes()), 0)
    }

    /// What we send before the bytes of a document. Calls `digest` only if the answer includes the
    /// digest. `None`: the document is too long for this codec.
    pub fn head<E>(
        self,
        offer: &Offer<'_>,
        origin: Origin<'_>,
        digest: impl FnOnce() -> Result<Digest, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let Offer { record, length, .. } = *offer;
        let last_modified = http_date(offer.last_modified);
        Ok(match (self.dialect, self.protocol) {
            (dialect, Protocol::Ci) => {
                let line = StatusLine(Protocol::Ci, Status::Ok);
                let (date, os) = (http_date(origin.date), origin.os);
                let head = format!(
                    "{line}\r\nDate: {date}\r\nOS: {os}\r\nLast-Modified: {last_modified}\r\n\
                     Content-Length: {length}\r\nContent-Type: text/plain\r\n\r\n",
                );
                Some(ci::encode(self.manner.head(head), dialect))
            }
            (Dialect::Text, Protocol::Di) => {
                let Record { number, title, .. } = record;
                let digest = digest()?;
                let fields = format!(
                    "RFC-Number: {number}\r\nRFC-Title: {title}\r\nContent-Type: text/plain\r\n\
                     Last-Modified: {last_modified}\r\nDigest: sha-256={digest}\r\n",
                );
                Some(di::head(Status::Ok, origin, &fields, length))
            }
            (Dialect::Framed, Protocol::Di) => {
                framed::fits(length).then(|| framed::response(framed::document(record).as_bytes()))
            }
        })
    }

    /// How long to wait between the head of a document and its bytes, for programs that take what one
    /// read returns as the head.
    pub fn pause_after_head(self) -> Option<Duration> {
        self.manner.pause()
    }

    /// Whether the bytes of a document are sent in frames, and not as they are.
    pub fn is_framed(self) -> bool {
        self.dialect == Dialect::Framed
    }

    /// Writes the `length` bytes of a document in frames. If the file is shorter, the error is
    /// [`io::ErrorKind::UnexpectedEof`].
    pub fn send_frames(
        self,
        mut file: impl Read,
        length: u64,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let is_whole = self.protocol == Protocol::Di;
        if is_whole {
            out.write_all(&framed::response_head(length))?;
        }
        let mut left = length;
        while left > 0 {
            let piece = exactly(left.min(PIECE), &mut file)?;
            if is_whole {
                out.write_all(&piece)?;
            } else {
                out.write_all(&Frame::around(&piece).into_bytes())?;
            }
            left = left.saturating_sub(PIECE);
        }
        Ok(())
    }
}

/// Reads exactly `length` bytes of a file.
fn exactly(length: u64, file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(length).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read < length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::di::exchange;
    use crate::wire::frame::MAX_FRAME;
    use crate::wire::testing::Script;
    use std::convert::Infallible;

    const TIME: Duration = Duration::from_secs(1);
    const ORIGIN: Origin<'static> = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: "Test 1",
    };
    const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

    fn framed(content: &str) -> String {
        format!("{:<10}{content}", content.len())
    }

    fn received(stream: &str) -> (Received<Wanted>, Codec) {
        let mut conversation = Conversation::default();
        let next = conversation.next(&mut Script::of(stream), TIME);
        (next.unwrap().unwrap(), conversation.codec())
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_request_is_understood_and_refused_as_it_was_asked() {
        let document = Some(Wanted::Document("5".parse().unwrap()));
        let index = Some(Wanted::Index);
        let fields = format!("Date: {DATE}\r\nOS: Test 1\r\nContent-Length: 0\r\n\r\n");
        let ci = "P2P-CI/1.0 404 Not Found\r\n\r\n".to_owned();
        let di = format!("P2P-DI/1.0 404 Not Found\r\n{fields}");
        let ci_frame = framed("P2P-CI/1.0 404 NOT FOUND");
        let di_frame = framed("HTTP/1.1 403 Forbidden\r\n\r\n");
        let head = |line: &str| format!("{line}\r\nHost: vm\r\nOS: T\r\n\r\n");
        let frame = |line: &str| framed(&format!("{line}\nHOST: vm\nPORT: 1"));
        for (request, wanted, refusal) in [
            (head("GET RFC 5 P2P-CI/1.0"), document, &ci),
            (head("GET RFC 5 P2P-DI/1.0"), document, &di),
            (head("GET RFC-Index P2P-DI/1.0"), index, &di),
            (frame("GET RFC 5 P2P-CI/1.0"), document, &ci_frame),
            (frame("GET RFC 5 P2P-DI/1.0"), document, &ci_frame),
            (
                frame("getrfc vm HTTP/1.1\nRFC-Number: 5"),
                document,
                &di_frame,
            ),
            (frame("RFCQuery vm HTTP/1.1"), index, &di_frame),
            // Requests of an unknown protocol are answered in P2P-CI.
            (head("GET RFC 5 P2P-XX/1.0"), None, &ci),
            (head("GET RFC-Index P2P-CI/1.0"), None, &ci),
            (head("PUT RFC 5 P2P-DI/1.0"), None, &di),
            (frame("GET RFC-Index P2P-DI/1.0"), None, &ci_frame),
            (frame("LISTALL P2P-CI/1.0"), None, &ci_frame),
            (framed(""), None, &ci_frame),
            (frame("register vm HTTP/1.1"), None, &di_frame),
            (frame("leave vm HTTP/1.1\nPeer-Cookie: 5"), None, &di_frame),
            (frame("getrfc vm HTTP/1.1"), None, &di_frame),
        ] {
            let (received, codec) = received(&request);
            assert_eq!(text(received.bytes), request);
            assert_eq!(received.request.ok(), wanted, "{request}");
            assert_eq!(
                text(codec.refusal(Status::NotFound, ORIGIN)),
                *refusal,
                "{request}"
            );
            assert_eq!(codec.stays_open(), *refusal == di_frame, "{request}");
        }
    }

    #[test]
    fn every_wrong_get_is_refused() {
        let refused = |text: &str| received(text).0.request.unwrap_err().status.code();
        let rest = "Host: localhost\r\nOS: Mac\r\n\r\n";
        for line in [
            "BLAH RFC 123 P2P-CI/1.0",
            "get RFC 123 P2P-CI/1.0",
            "GET RFC 123",
            "GET RFC P2P-CI/1.0",
            "GET 123 P2P-CI/1.0",
            "GET RFC 0 P2P-CI/1.0",
            "GET RFC 4294967296 P2P-CI/1.0",
            "GET RFC -1 P2P-CI/1.0",
            "GET RFC ../../etc/passwd P2P-CI/1.0",
            "GET FYI 123 P2P-CI/1.0",
            "GET RFC-index P2P-DI/1.0",
            "GET RFC-Index 1 P2P-DI/1.0",
            "GET RFC x P2P-DI/1.0",
            "GET RFC P2P-DI/1.0",
        ] {
            assert_eq!(refused(&format!("{line}\r\n{rest}")), 400, "{line:?}");
        }
        for line in ["GET RFC 123 P2P-CI/2.0", "GET RFC-Index P2P-DI/0.1"] {
            assert_eq!(refused(&format!("{line}\r\n{rest}")), 505, "{line:?}");
        }
        for version in ["P2P-CI/1.0", "P2P-DI/1.0"] {
            for fields in [
                "OS: Mac",
                "Host: a b",
                "Host: a\r\nHost: a",
                "Host: a\r\nno field",
            ] {
                let text = format!("GET RFC 123 {version}\r\n{fields}\r\n\r\n");
                assert_eq!(refused(&text), 400, "{text:?}");
            }
            // We ignore the operating system of the peer that asks.
            let two = format!("GET RFC 1 {version}\nhost:x\nOS: a\nOS: b\n\n");
            assert!(received(&two).0.request.is_ok());
        }
    }

    #[test]
    fn what_can_not_be_read_is_answered_in_the_dialect_that_was_begun() {
        let bad = "P2P-CI/1.0 400 Bad Request\r\n\r\n".to_owned();
        let bad_frame = framed("P2P-CI/1.0 400 BAD REQUEST");
        for (stream, answer) in [
            ("", &bad),
            ("GET RFC 5 P2P-DI/1.0\r\n", &bad),
            ("5x        ", &bad_frame),
            ("8193      ", &bad_frame),
            ("50        getrfc vm HTTP/1.1", &bad_frame),
        ] {
            let mut conversation = Conversation::default();
            let silent = conversation.next(&mut Script::then_silence(stream), TIME);
            let status = silent.unwrap_err().reject().unwrap().status;
            let refusal = conversation.codec().refusal(status, ORIGIN);
            assert_eq!(text(refusal), *answer, "{stream:?}");
        }
    }

    #[test]
    fn a_connection_in_frames_of_p2p_di_has_many_requests() {
        let query = framed("rfcquery vm HTTP/1.1");
        let mut source = Script::of(query.repeat(2));
        let mut conversation = Conversation::default();
        for _ in 0..2 {
            let received = conversation.next(&mut source, TIME).unwrap().unwrap();
            assert_eq!(received.request, Ok(Wanted::Index));
        }
        assert!(conversation.next(&mut source, TIME).unwrap().is_none());
    }

    fn record(number: u32, port: u16) -> Record {
        Record::parse(&format!("RFC {number} T vm {port}")).unwrap()
    }

    #[test]
    fn in_frames_only_our_own_records_are_told() {
        let known = [(5, 1), (6, 2)].map(|(number, port)| exchange::Timed {
            record: record(number, port),
            ttl: 7200,
        });
        let me = record(5, 1).holder;
        let known = Vec::from(known);
        let index = |dialect| {
            let codec = Codec::new(Protocol::Di, dialect);
            let (mut out, count) = codec.index(&known, &me, ORIGIN);
            for record in known.records().take(count) {
                record.write(&mut out);
            }
            text(out)
        };
        let all = index(Dialect::Text);
        let lines = "Content-Length: 38\r\n\r\nRFC 5 7200 vm 1 T\r\nRFC 6 7200 vm 2 T\r\n";
        assert!(
            all.contains("\r\nRecords: 2\r\n") && all.ends_with(lines),
            "{all}"
        );
        let body = r#"[{"number":5,"title":"T","hostname":"vm","path":"rfc5.txt"}]"#;
        let own = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(index(Dialect::Framed), framed(&own));
        let many = vec![known[0].clone(); 20_000];
        let codec = Codec::new(Protocol::Di, Dialect::Framed);
        let too_long = framed("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        let (answer, count) = codec.index(&many, &me, ORIGIN);
        assert_eq!((text(answer), count), (too_long, 0));
    }

    /// What comes before the bytes of a document of this length.
    fn head(protocol: Protocol, dialect: Dialect, length: u64) -> Option<String> {
        let record = record(5, 1);
        let offer = Offer {
            record: &record,
            last_modified: SystemTime::UNIX_EPOCH,
            length,
        };
        let digest = || {
            assert_eq!((protocol, dialect), (Protocol::Di, Dialect::Text));
            Ok::<_, Infallible>(Digest([0xab; 32]))
        };
        let head = Codec::new(protocol, dialect).head(&offer, ORIGIN, digest);
        head.unwrap().map(text)
    }

    #[test]
    fn a_document_is_announced_as_it_was_asked_for() {
        let ci = format!(
            "P2P-CI/1.0 200 OK\r\nDate: {DATE}\r\nOS: Test 1\r\nLast-Modified: {DATE}\r\n\
             Content-Length: 5\r\nContent-Type: text/plain\r\n\r\n"
        );
        assert_eq!(head(Protocol::Ci, Dialect::Text, 5).unwrap(), ci);
        let ci_frame = framed(&format!(
            "P2P-CI/1.0 200 OK\nDATE: {DATE}\nOS: Test 1\nLAST-MODIFIED: {DATE}\n\
             CONTENT-LENGTH: 5\nCONTENT-TYPE: text/plain"
        ));
        assert_eq!(head(Protocol::Ci, Dialect::Framed, 5).unwrap(), ci_frame);
        let di = format!(
            "P2P-DI/1.0 200 OK\r\nDate: {DATE}\r\nOS: Test 1\r\nRFC-Number: 5\r\nRFC-Title: T\r\n\
             Content-Type: text/plain\r\nLast-Modified: {DATE}\r\nDigest: sha-256={}\r\n\
             Content-Length: 5\r\n\r\n",
            "ab".repeat(32)
        );
        assert_eq!(head(Protocol::Di, Dialect::Text, 5).unwrap(), di);
        let object = r#"{"number":5,"title":"T","hostname":"vm","path":"rfc5.txt"}"#;
        let about = framed(&format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{object}",
            object.len()
        ));
        assert_eq!(head(Protocol::Di, Dialect::Framed, 5).unwrap(), about);
        // The longest document that fits into one frame with the head of its message.
        let most = u64::try_from(MAX_FRAME).unwrap() - 44;
        for (length, fits) in [(most, true), (most + 1, false), (u64::MAX, false)] {
            assert_eq!(head(Protocol::Di, Dialect::Framed, length).is_some(), fits);
            assert!(head(Protocol::Ci, Dialect::Framed, length).is_some());
        }
    }

    /// The frames of a document.
    fn sent(protocol: Protocol, file: &[u8], length: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let codec = Codec::new(protocol, Dialect::Framed);
        codec.send_frames(file, length, &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_document_goes_in_small_frames_or_in_one() {
        let file: Vec<u8> = (0..=255).cycle().take(2500).collect();
        let frames: Vec<u8> = file
            .chunks(1024)
            .flat_map(|piece| Frame::around(piece).into_bytes())
            .collect();
        assert_eq!(sent(Protocol::Ci, &file, 2500).unwrap(), frames);
        assert_eq!(sent(Protocol::Ci, b"", 0).unwrap(), b"");
        // If the file has grown, only the announced length is sent.
        let two = Frame::around(b"ab").into_bytes();
        assert_eq!(sent(Protocol::Ci, b"abc", 2).unwrap(), two);
        let one = |body: &str| {
            let length = body.len();
            framed(&format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
        };
        for (body, length) in [("abc", 3), ("ab", 2), ("", 0)] {
            let frame = sent(Protocol::Di, b"abc", length).unwrap();
            assert_eq!(text(frame), one(body));
        }
        for protocol in [Protocol::Ci, Protocol::Di] {
            let shrunk = sent(protocol, b"abc", 5).unwrap_err();
            assert_eq!(shrunk.kind(), io::ErrorKind::UnexpectedEof);
            assert!(!Codec::new(protocol, Dialect::Text).is_framed());
        }
    }
}
