//! The side of the peer that asks for a document, or for an index.

use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use super::Codec;
use crate::wire::ci;
use crate::wire::dates::{body_length, last_modified};
use crate::wire::di::Origin;
use crate::wire::di::answer::Answer;
use crate::wire::di::exchange::{Digest, MAX_INDEX, Told, announced_digest};
use crate::wire::di::framed::{self, document_number, read_documents};
use crate::wire::frame::{Frame, MAX_FRAME};
use crate::wire::protocol::Status;
use crate::wire::tolerance::{bare_file, fields, swallowed};
use crate::wire::{
    Answered, Dialect, Endpoint, Head, Host, Port, Protocol, ReadError, RfcNumber, Source, Waits,
};

/// An announced document, whose bytes follow.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Its length in bytes. `None`: the document ends when the connection closes.
    pub length: Option<u64>,
    /// When its file was last modified.
    pub last_modified: Option<SystemTime>,
    /// The expected digest of its bytes.
    pub digest: Option<Digest>,
    /// Whether it came without a head, so that nothing says that it is whole.
    pub is_bare: bool,
    /// The line at the end of its head, if it may belong to the document.
    last_line: Vec<u8>,
    /// Whether it does.
    has_last_line: bool,
    /// The rest of the last frame, if the bytes arrive in frames.
    frames: Option<io::Cursor<Vec<u8>>>,
    /// How many bytes were read.
    got: u64,
}

impl Codec {
    /// Encodes the request for a document. `origin` describes the peer that asks.
    pub fn get(self, number: RfcNumber, holder: &Endpoint, origin: Origin<'_>) -> Vec<u8> {
        let Endpoint { host, port } = holder;
        let what = format!("RFC {number}");
        let os = format!("OS: {}\r\n", origin.os);
        match (self.dialect, self.protocol) {
            (Dialect::Text, protocol) => text_get(protocol, &what, host, &os),
            (Dialect::Framed, Protocol::Ci) => {
                let fields = format!("Port: {port}\r\n{os}");
                let text = text_get(Protocol::Ci, &what, host, &fields);
                ci::encode(text, Dialect::Framed)
            }
            (Dialect::Framed, Protocol::Di) => {
                let fields = format!("RFC-Number: {number}\r\n");
                framed::request("getrfc", &fields, host, origin)
            }
        }
    }

    /// Reads the answer to the request for the document `number`, up to its bytes, within `time`.
    /// The inner error is the code of a refusal. The bytes are empty if the document
    /// [is bare](Delivery::is_bare).
    pub fn read_delivery(
        self,
        source: &mut impl Source,
        number: RfcNumber,
        time: Duration,
    ) -> Result<Answered<Result<Delivery, u16>>, ReadError> {
        if self.dialect == Dialect::Text {
            if self.protocol == Protocol::Ci && begins_bare(source, time)? {
                return Ok(Answered {
                    bytes: Vec::new(),
                    answer: Ok(Ok(Delivery {
                        is_bare: true,
                        ..Delivery::default()
                    })),
                });
            }
            let head = Head::read(source, Waits::of(time))?.ok_or(ReadError::Closed)?;
            let answer = match self.announced(&head, number) {
                Ok(Ok(_)) if !head.is_whole => Err(ReadError::CutOff),
                answer => answer,
            };
            return Ok(Answered {
                bytes: head.text,
                answer,
            });
        }
        let frame = Frame::read_answer(source, time)?;
        let bytes = frame.clone().into_bytes();
        let answer = match self.protocol {
            Protocol::Ci => {
                Head::in_frame(frame.content()).and_then(|(head, _)| self.announced(&head, number))
            }
            Protocol::Di => in_one_frame(frame, source, number, time),
        };
        Ok(Answered { bytes, answer })
    }

    /// Parses the head of an answer.
    fn announced(self, head: &Head, number: RfcNumber) -> Result<Result<Delivery, u16>, ReadError> {
        let code = self.protocol.answered(head.start_line())?;
        let length = body_length(head)?;
        let digest = match self.protocol {
            Protocol::Ci => None,
            Protocol::Di => announced_digest(head)?,
        };
        if code != Status::Ok.code() {
            return Ok(Err(code));
        }
        if self.protocol == Protocol::Di {
            check_number(announced_number(head)?, number)?;
        }
        let is_text = self.dialect == Dialect::Text;
        let mut last_line = Vec::new();
        if is_text && self.protocol == Protocol::Ci {
            fields::check(head)?;
            last_line = swallowed::last_line(head);
        }
        Ok(Ok(Delivery {
            length,
            last_modified: last_modified(head),
            digest,
            last_line,
            frames: (!is_text).then(io::Cursor::default),
            ..Delivery::default()
        }))
    }
}

/// Whether an answer is a document without a head, as far as its first bytes show.
fn begins_bare(source: &mut impl Source, time: Duration) -> Result<bool, ReadError> {
    source.allow(Some(time));
    let begin = source.fill_buf();
    let begin = begin.map_err(|error| Waits::of(time).failed(error, false))?;
    Ok(bare_file::is_one(begin))
}

/// The number of the document in an answer of P2P-DI; `None` if the head does not say it.
fn announced_number(head: &Head) -> Result<Option<u32>, ReadError> {
    let wrong = || ReadError::Header("RFC-Number");
    let number = head.field("RFC-Number").map_err(|_| wrong())?;
    let number = number.map(|number| number.parse::<RfcNumber>().map_err(|_| wrong()));
    Ok(number.transpose()?.map(RfcNumber::get))
}

/// Checks that the announced document is the one that was requested.
fn check_number(announced: Option<u32>, requested: RfcNumber) -> Result<(), ReadError> {
    match announced {
        Some(announced) if announced != requested.get() => Err(ReadError::AnotherRfc(announced)),
        _ => Ok(()),
    }
}

/// Reads a document in frames of P2P-DI: the frame `about` announces it, and the next one contains
/// it.
fn in_one_frame(
    about: Frame,
    source: &mut impl Source,
    number: RfcNumber,
    time: Duration,
) -> Result<Result<Delivery, u16>, ReadError> {
    let about = Answer::framed(about)?;
    if about.code != Status::Ok.code() {
        return Ok(Err(about.code));
    }
    check_number(document_number(about.body()), number)?;
    let content = Answer::framed(Frame::read_answer(source, time)?)?;
    if content.code != Status::Ok.code() {
        return Ok(Err(content.code));
    }
    let bytes = content.body().to_vec();
    Ok(Ok(Delivery {
        length: u64::try_from(bytes.len()).ok(),
        frames: Some(io::Cursor::new(bytes)),
        ..Delivery::default()
    }))
}

impl Delivery {
    /// Reads the next bytes of the document and returns how many it read. Waits for them for at
    /// most `patience`. 0: the document ended.
    pub fn read(
        &mut self,
        source: &mut impl Source,
        into: &mut [u8],
        patience: Duration,
    ) -> Result<usize, ReadError> {
        let got = self.got;
        let left = self.length.map_or(u64::MAX, |length| length - got);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let into = into.get_mut(..most).unwrap_or_default();
        if into.is_empty() {
            return Ok(0);
        }
        let read = if let Some(frames) = &mut self.frames {
            read_frames(frames, source, into, patience)
        } else {
            source.allow(Some(patience));
            source.read(into)
        };
        let read = read.map_err(|reason| ReadError::Lost { got, reason })?;
        if read == 0
            && let Some(length) = self.length
        {
            self.has_last_line = swallowed::completes(&self.last_line, got, length);
            let short = || ReadError::Short { got, length };
            return self.has_last_line.then_some(0).ok_or_else(short);
        }
        if got == 0 && self.length.is_none() && !self.last_line.is_empty() {
            fields::check_document(into.get(..read).unwrap_or_default())?;
        }
        self.got += u64::try_from(read).unwrap_or_default();
        Ok(read)
    }

    /// What precedes the bytes that were read, once the document has ended: a line that was taken for
    /// the end of the head.
    pub fn first_line(&self) -> &[u8] {
        if self.has_last_line {
            &self.last_line
        } else {
            &[]
        }
    }
}

/// Reads the next bytes from a sequence of frames, until the connection closes.
fn read_frames(
    frames: &mut io::Cursor<Vec<u8>>,
    source: &mut impl Source,
    into: &mut [u8],
    patience: Duration,
) -> io::Result<usize> {
    loop {
        let read = frames.read(into)?;
        if read > 0 {
            return Ok(read);
        }
        match Frame::read(source, Waits::of(patience), MAX_FRAME) {
            Ok(None) => return Ok(0),
            // An empty frame ends the document, as a close does: otherwise a holder that sends only
            // empty frames could keep us here forever.
            Ok(Some(frame)) if frame.content().is_empty() => return Ok(0),
            Ok(Some(frame)) => *frames = io::Cursor::new(frame.content().to_vec()),
            Err(ReadError::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// Encodes the request for the index of the peer `asked` (`RFCQuery`). `me` and `origin` describe
/// the peer that asks.
pub fn rfc_query(dialect: Dialect, asked: &Endpoint, me: &Host, origin: Origin<'_>) -> Vec<u8> {
    match dialect {
        Dialect::Text => {
            let os = format!("OS: {}\r\n", origin.os);
            text_get(Protocol::Di, "RFC-Index", &asked.host, &os)
        }
        Dialect::Framed => framed::request("rfcquery", "", me, origin),
    }
}

/// A text request to the peer at `host`.
fn text_get(protocol: Protocol, what: &str, host: &Host, fields: &str) -> Vec<u8> {
    let version = protocol.version();
    format!("GET {what} {version}\r\nHost: {host}\r\n{fields}\r\n").into()
}

/// Reads the answer to `RFCQuery`, within `time` for its head and again for its body. The inner
/// error is the code of a refusal.
///
/// In frames, records have no port. Records at the host of the peer `asked` get its port; for other
/// hosts, `ports` gives the port. Records without a known port are skipped.
pub fn read_rfc_index(
    dialect: Dialect,
    source: &mut impl Source,
    asked: &Endpoint,
    ports: impl Fn(&Host) -> Option<Port>,
    time: Duration,
) -> Result<Answered<Result<Told, u16>>, ReadError> {
    let answer = Answer::read(dialect, source, MAX_INDEX, time)?;
    let own_port = |host: &Host| (*host == asked.host).then_some(asked.port);
    let port_at = |host: &Host| own_port(host).or_else(|| ports(host));
    let records = match dialect {
        _ if answer.code != Status::Ok.code() => Ok(Err(answer.code)),
        Dialect::Text => Told::lines(&answer.bytes, answer.body_range()).map(Ok),
        Dialect::Framed => {
            let records = read_documents(answer.body(), port_at);
            records.map(|records| Ok(Told::framed(records)))
        }
    };
    Ok(Answered {
        bytes: answer.bytes,
        answer: records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Record;
    use crate::wire::p2p::Wanted;
    use crate::wire::p2p::server::{Conversation, Offer};
    use crate::wire::testing::Script;
    use std::convert::Infallible;

    const TIME: Duration = Duration::from_secs(1);
    const ORIGIN: Origin<'static> = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: "Test 1",
    };

    fn all() -> impl Iterator<Item = Codec> {
        [Protocol::Ci, Protocol::Di]
            .into_iter()
            .flat_map(|protocol| {
                [Dialect::Text, Dialect::Framed].map(|dialect| Codec::new(protocol, dialect))
            })
    }

    /// The document that is requested.
    fn number() -> RfcNumber {
        record().number
    }

    fn record() -> Record {
        Record::parse("RFC 5 T vm 1234").unwrap()
    }

    fn framed(content: &str) -> String {
        format!("{:<10}{content}", content.len())
    }

    #[test]
    fn requests_are_written_in_every_way() {
        let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        let expected = [
            "GET RFC 5 P2P-CI/1.0\r\nHost: vm\r\nOS: Test 1\r\n\r\n".to_owned(),
            framed("GET RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nOS: Test 1"),
            "GET RFC 5 P2P-DI/1.0\r\nHost: vm\r\nOS: Test 1\r\n\r\n".to_owned(),
            framed(&format!(
                "getrfc vm HTTP/1.1\r\nRFC-Number: 5\r\nHost: vm\r\nOS: Test 1\r\n{date}"
            )),
        ];
        for (codec, expected) in all().zip(expected) {
            let Record { number, holder, .. } = record();
            let request = codec.get(number, &holder, ORIGIN);
            assert_eq!(String::from_utf8(request.clone()).unwrap(), expected);
            let mut conversation = Conversation::default();
            let received = conversation.next(&mut Script::of(request), TIME);
            let received = received.unwrap().unwrap();
            assert_eq!(received.request, Ok(Wanted::Document(number)));
            assert_eq!(conversation.codec(), codec);
        }
        let me: Host = "me".parse().unwrap();
        for (dialect, expected) in [
            (
                Dialect::Text,
                "GET RFC-Index P2P-DI/1.0\r\nHost: vm\r\nOS: Test 1\r\n\r\n".to_owned(),
            ),
            (
                Dialect::Framed,
                framed(&format!(
                    "rfcquery me HTTP/1.1\r\nHost: me\r\nOS: Test 1\r\n{date}"
                )),
            ),
        ] {
            let request = rfc_query(dialect, &record().holder, &me, ORIGIN);
            assert_eq!(String::from_utf8(request).unwrap(), expected);
        }
    }

    /// Reads a whole delivery, in pieces of at most `piece` bytes.
    fn take(
        delivery: &mut Delivery,
        source: &mut Script,
        piece: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            match delivery.read(source, &mut buffer, TIME)? {
                0 => return Ok(bytes),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }

    #[test]
    fn what_is_delivered_in_any_way_is_received_the_same() {
        let file: Vec<u8> = (0..=255).cycle().take(2500).collect();
        for codec in all() {
            for length in [0, 1, 1024, 2500] {
                let (file, record) = (&file[..length], record());
                let offer = Offer {
                    record: &record,
                    last_modified: SystemTime::UNIX_EPOCH,
                    length: u64::try_from(length).unwrap(),
                };
                let digest = Digest([0xab; 32]);
                let head = codec.head(&offer, ORIGIN, || Ok::<_, Infallible>(digest));
                let head = head.unwrap().unwrap();
                let mut stream = head.clone();
                if codec.is_framed() {
                    let sent = codec.send_frames(file, offer.length, &mut stream);
                    sent.unwrap();
                } else {
                    stream.extend_from_slice(file);
                }
                for cuts in [&[9999][..], &[7, 1, 30]] {
                    let mut source = Script::in_pieces(&stream, cuts);
                    let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
                    assert_eq!(answered.bytes, head);
                    let mut delivery = answered.answer.unwrap().unwrap();
                    assert_eq!(delivery.length, Some(offer.length));
                    let is_one_frame = codec.protocol == Protocol::Di;
                    if codec.dialect == Dialect::Text || !is_one_frame {
                        assert_eq!(delivery.last_modified, Some(SystemTime::UNIX_EPOCH));
                    }
                    let is_told = codec == Codec::new(Protocol::Di, Dialect::Text);
                    assert_eq!(delivery.digest, is_told.then_some(digest));
                    assert_eq!(take(&mut delivery, &mut source, 100).unwrap(), file);
                }
            }
            let refusal = codec.refusal(Status::NotFound, ORIGIN);
            let mut source = Script::of(refusal.as_slice());
            let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
            assert_eq!(answered.bytes, refusal);
            let is_http = codec == Codec::new(Protocol::Di, Dialect::Framed);
            let code = if is_http { 403 } else { 404 };
            assert_eq!(answered.answer.unwrap().unwrap_err(), code);
        }
    }

    fn ask(codec: Codec, text: &str) -> Result<Delivery, String> {
        let mut source = Script::then_silence(text);
        let answered = codec.read_delivery(&mut source, number(), TIME);
        let answer = answered.and_then(|answered| answered.answer);
        match answer {
            Ok(Ok(delivery)) => Ok(delivery),
            Ok(Err(code)) => Err(code.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The usual codec.
    fn ci() -> Codec {
        Codec::new(Protocol::Ci, Dialect::Text)
    }

    #[test]
    fn answers_are_read_liberally() {
        assert_eq!(
            ask(ci(), "P2P-CI/1.0 404 NOT FOUND\n\n").unwrap_err(),
            "404"
        );
        let old = "P2P-CI/1.0 200 OK\nLast Modified: Sat, 17 Apr 2026 16:08:18 GMT\n\n";
        let delivery = ask(ci(), old).unwrap();
        assert!(delivery.last_modified.is_some() && delivery.length.is_none());
        let odd = "\r\n\r\nP2P-CI/1.0 200 OK\nLast-Modified: yesterday\ncontent-length:5\n\n";
        let delivery = ask(ci(), odd).unwrap();
        assert_eq!((delivery.length, delivery.last_modified), (Some(5), None));
        // A refusal may be cut off after its code; the head of a document may not.
        let cut = |text: &str| {
            let answered = ci()
                .read_delivery(&mut Script::of(text), number(), TIME)
                .unwrap();
            answered.answer.map(Result::unwrap_err)
        };
        assert_eq!(cut("P2P-CI/1.0 404 NOT FOUND\n").unwrap(), 404);
        assert!(matches!(cut("P2P-CI/1.0 200 OK\n"), Err(ReadError::CutOff)));
    }

    #[test]
    fn lying_lengths_are_refused() {
        let lengths = ["-1", "9223372036854775808", "1e3", "", "5, 5", "+5", "0x10"];
        for length in lengths.into_iter().chain(["5\nContent-Length: 6"]) {
            let text = format!("P2P-CI/1.0 200 OK\nContent-Length: {length}\n\n");
            let said = "its header Content-Length is missing or invalid";
            assert_eq!(ask(ci(), &text).unwrap_err(), said, "{length:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_said() {
        for (codec, text, said) in all().flat_map(|codec| {
            let is_text = codec.dialect == Dialect::Text;
            let response = match (codec.protocol, is_text) {
                (Protocol::Di, false) => "an HTTP/1.1 response",
                (Protocol::Ci, _) => "a P2P-CI/1.0 response",
                (Protocol::Di, true) => "a P2P-DI/1.0 response",
            };
            let message = |text: &str| {
                if is_text {
                    format!("{text}\r\n\r\n")
                } else {
                    framed(text)
                }
            };
            let garbage = ["HTTP/2 200 OK", "P2P-XX/1.0 200 OK", "\u{1}\u{2}"].map(|line| {
                let said = format!("it answered {line:?}, which is not {response}");
                (codec, message(line), said)
            });
            let silent = (codec, String::new(), "no answer within 1 s".to_owned());
            garbage.into_iter().chain([silent])
        }) {
            assert_eq!(ask(codec, &text).unwrap_err(), said, "{codec:?}");
        }
        let closed = |codec: Codec| codec.read_delivery(&mut Script::of(""), number(), TIME);
        assert!(all().all(|codec| matches!(closed(codec), Err(ReadError::Closed))));
    }

    #[test]
    fn the_frame_that_brings_a_document_may_fail_after_the_one_about_it() {
        let codec = Codec::new(Protocol::Di, Dialect::Framed);
        let about = framed("HTTP/1.1 200 OK\r\n\r\n{}");
        for (content, said) in [
            (framed("HTTP/1.1 403 Forbidden\r\n\r\n"), "403"),
            (
                framed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"),
                "it sent 3 of 5 bytes",
            ),
            (String::new(), "no answer within 1 s"),
        ] {
            let stream = format!("{about}{content}");
            assert_eq!(ask(codec, &stream).unwrap_err(), said);
            let mut source = Script::then_silence(stream);
            let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
            assert_eq!(answered.bytes, about.as_bytes());
        }
    }

    #[test]
    fn a_document_that_does_not_come_whole_is_an_error() {
        let frames = Codec::new(Protocol::Ci, Dialect::Framed);
        let head = framed("P2P-CI/1.0 200 OK\nCONTENT-LENGTH: 9");
        let text = "P2P-CI/1.0 200 OK\nContent-Length: 9\n\nshort".to_owned();
        let empty = format!("{head}{}", framed("").repeat(3));
        for (codec, stream, got) in [
            (ci(), text.clone(), 5),
            (frames, format!("{head}{}", framed("short")), 5),
            (frames, empty, 0),
        ] {
            let mut source = Script::of(stream);
            let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
            let mut delivery = answered.answer.unwrap().unwrap();
            let error = take(&mut delivery, &mut source, 100).unwrap_err();
            assert_eq!(error.to_string(), format!("it sent {got} of 9 bytes"));
        }
        for (codec, stream) in [
            (ci(), text),
            (ci(), "P2P-CI/1.0 200 OK\n\nshort".to_owned()),
            (frames, format!("{head}{}4   ", framed("short"))),
            (frames, format!("{head}{}abc       ", framed("short"))),
        ] {
            let mut source = Script::then_silence(stream);
            let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
            let mut delivery = answered.answer.unwrap().unwrap();
            let error = take(&mut delivery, &mut source, 100).unwrap_err();
            assert!(matches!(error, ReadError::Lost { got: 5, .. }), "{error}");
        }
    }

    #[test]
    fn a_document_ends_at_its_length_or_with_the_connection() {
        let frames = Codec::new(Protocol::Ci, Dialect::Framed);
        let head = framed("P2P-CI/1.0 200 OK\nCONTENT-LENGTH: 5");
        let endless = framed("P2P-CI/1.0 200 OK");
        for (codec, stream) in [
            (
                ci(),
                "P2P-CI/1.0 200 OK\nContent-Length: 5\n\nwhole and more".to_owned(),
            ),
            (ci(), "P2P-CI/1.0 200 OK\n\nwhole".to_owned()),
            (frames, format!("{head}{}", framed("whole and more"))),
            (
                frames,
                format!("{endless}{}{}", framed("who"), framed("le")),
            ),
        ] {
            let mut source = Script::of(stream);
            let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
            let mut delivery = answered.answer.unwrap().unwrap();
            assert_eq!(take(&mut delivery, &mut source, 2).unwrap(), b"whole");
        }
    }

    #[test]
    fn another_document_than_the_requested_one_is_refused() {
        let object = |number: u32| {
            let object =
                format!(r#"{{"number":{number},"title":"T","hostname":"vm","path":"rfc5.txt"}}"#);
            let about = framed(&format!("HTTP/1.1 200 OK\r\n\r\n{object}"));
            format!("{about}{}", framed("HTTP/1.1 200 OK\r\n\r\nbytes"))
        };
        let text =
            |number: &str| format!("P2P-DI/1.0 200 OK\r\n{number}Content-Length: 5\r\n\r\nbytes");
        let read = |dialect, text: String| {
            let mut source = Script::of(text);
            let codec = Codec::new(Protocol::Di, dialect);
            let answered = codec.read_delivery(&mut source, number(), TIME).unwrap();
            answered
                .answer
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        for right in ["RFC-Number: 5\r\n", "RFC-Number: 005\r\n", ""] {
            assert_eq!(read(Dialect::Text, text(right)), Ok(()), "{right:?}");
        }
        assert_eq!(read(Dialect::Framed, object(5)), Ok(()));
        let other = Err("it sent RFC 6 instead".to_owned());
        assert_eq!(read(Dialect::Text, text("RFC-Number: 6\r\n")), other);
        assert_eq!(read(Dialect::Framed, object(6)), other);
        for wrong in ["RFC-Number: x\r\n", "RFC-Number: 5\r\nRFC-Number: 5\r\n"] {
            let said = "its header RFC-Number is missing or invalid".to_owned();
            assert_eq!(read(Dialect::Text, text(wrong)), Err(said), "{wrong:?}");
        }
    }

    #[test]
    fn an_index_is_read_in_both_dialects() {
        let asked = record().holder;
        let port_of = |host: &Host| (host.as_str() == "other").then(|| Port::new(7)).flatten();
        let read = |dialect, text: &str| {
            let mut source = Script::of(text);
            read_rfc_index(dialect, &mut source, &asked, port_of, TIME).unwrap()
        };
        let told = |dialect, text: &str| {
            let Answered { bytes, answer } = read(dialect, text);
            let told = answer.unwrap().unwrap();
            let records: Vec<_> = told.records(&bytes).map(|line| line.to_string()).collect();
            records.join("; ")
        };
        let text = "P2P-DI/1.0 200 OK\r\n\r\nRFC 5 60 vm 1234 T\r\nRFC 6 1 x 9 \r\n";
        assert_eq!(
            told(Dialect::Text, text),
            "RFC 5 60 vm 1234 T; RFC 6 1 x 9 "
        );
        // In frames there are no ports.
        let document = |number: u32, host: &str| {
            format!(r#"{{"number":{number},"title":"T","hostname":"{host}","path":"x"}}"#)
        };
        let body = [(5, "vm"), (6, "other"), (7, "x"), (0, "vm"), (8, "a/b")]
            .map(|(number, host)| document(number, host))
            .join(",");
        let frame = framed(&format!("HTTP/1.1 200 OK\r\n\r\n[{body}]"));
        let expected = "RFC 5 7200 vm 1234 T; RFC 6 7200 other 7 T";
        assert_eq!(told(Dialect::Framed, &frame), expected);
        for (dialect, text) in [
            (Dialect::Text, "P2P-DI/1.0 503 Busy\r\n\r\nRFC x".to_owned()),
            (Dialect::Framed, framed("HTTP/1.1 503 Service Unavailable")),
        ] {
            let refused = read(dialect, &text);
            assert_eq!(refused.bytes, text.as_bytes());
            assert_eq!(refused.answer.unwrap().unwrap_err(), 503);
        }
        for (dialect, text) in [
            (
                Dialect::Text,
                "P2P-DI/1.0 200 OK\r\n\r\nRFC x\r\n".to_owned(),
            ),
            (Dialect::Framed, framed("HTTP/1.1 200 OK\r\n\r\n{}")),
        ] {
            let wrong = read(dialect, &text);
            assert_eq!(wrong.bytes, text.as_bytes());
            assert!(matches!(wrong.answer, Err(ReadError::Malformed { .. })));
        }
    }
}
