//! The registration server's side of a connection: it reads requests and writes answers, in the
//! dialect of the peer.
//!
//! A text connection has one request. A framed connection may have many, with any pause between
//! them.

use std::time::Duration;

use super::framed;
use super::peer_list::PeerList;
use super::registration::{Claim, Cookie, Registration, Request};
use super::{Origin, PROTOCOL, head, response};
use crate::wire::dialect::Incoming;
use crate::wire::protocol::{peer, required, unknown_method};
use crate::wire::{Dialect, Endpoint, Head, ReadError, Received, Reject, Source, Status, Waits};

/// An answer of the registration server, except for a [`PeerList`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The peer is registered.
    Registered(Registration),
    /// The peer has left.
    Left,
    /// The peer is still active.
    Alive(Registration),
    /// The request is refused.
    Refused(Status),
}

/// The conversation of a registration server with one peer.
#[derive(Debug, Default)]
pub struct Conversation {
    incoming: Incoming,
    has_begun: bool,
}

impl Conversation {
    /// Reads the next request. The first one must begin within `time`, and each must be complete
    /// within `time` of its first byte. `Ok(None)`: there are no more requests.
    pub fn next(
        &mut self,
        source: &mut impl Source,
        time: Duration,
    ) -> Result<Option<Received<Request>>, ReadError> {
        if self.has_begun && self.incoming.dialect() == Dialect::Text {
            return Ok(None);
        }
        let waits = Waits {
            first: (!self.has_begun).then_some(time),
            whole: time,
        };
        self.has_begun = true;
        self.incoming
            .next(source, waits, |dialect, head| match dialect {
                Dialect::Text => in_text(head),
                Dialect::Framed => in_frame(head),
            })
    }

    /// The answer after a read error; `None` if the peer is gone.
    pub fn reject(&self, error: &ReadError) -> Option<Reject> {
        let mut reject = error.reject()?;
        if matches!(error, ReadError::TimedOut { .. }) && self.incoming.dialect() == Dialect::Text {
            reject.status = Status::RequestTimeout;
        }
        Some(reject)
    }

    /// The answer with the other active peers: as many of the first ones as fit.
    pub fn peers<I>(&self, others: I, origin: Origin<'_>) -> PeerList<I>
    where
        I: Iterator<Item = Registration> + Clone,
    {
        PeerList::new(self.incoming.dialect(), others, origin)
    }

    /// Encodes an answer in the dialect of the peer.
    pub fn encode(&self, answer: &Answer, origin: Origin<'_>) -> Vec<u8> {
        match self.incoming.dialect() {
            Dialect::Text => answer.to_text(origin),
            Dialect::Framed => answer.to_frame(),
        }
    }
}

/// Parses a text request, in the order of checks of P2P-CI/1.0, section 3.
fn in_text(head: &Head) -> Result<Request, Reject> {
    let cookie = |word: &str| match word.parse()? {
        cookie if cookie < Cookie::FIRST => Err(Reject::bad_request("cookies are counted from 1")),
        cookie => Ok(cookie),
    };
    let claim = || {
        Ok(Claim {
            peer: Some(peer(head)?),
            cookie: cookie(required(head, "Cookie")?)?,
            activates: false,
        })
    };
    match PROTOCOL.request_line(head)? {
        "REGISTER Peer" => Ok(Request::Register {
            peer: peer(head)?,
            cookie: head.field("Cookie")?.map(cookie).transpose()?,
        }),
        "LEAVE Peer" => claim().map(Request::Leave),
        "PQUERY Peer-List" => claim().map(Request::PeerQuery),
        "KEEPALIVE Peer" => claim().map(Request::KeepAlive),
        words => Err(unknown_method(words)),
    }
}

fn in_frame(head: &Head) -> Result<Request, Reject> {
    let (method, host) = framed::request_line(head)?;
    let claim = || {
        Ok(Claim {
            cookie: required(head, "Peer-Cookie")?.parse()?,
            peer: None,
            activates: true,
        })
    };
    match method.as_str() {
        "register" => Ok(Request::Register {
            peer: Endpoint {
                host: host.parse()?,
                port: required(head, "Port")?.parse()?,
            },
            cookie: None,
        }),
        "leave" => claim().map(Request::Leave),
        "pquery" => claim().map(Request::PeerQuery),
        "keepalive" => claim().map(Request::KeepAlive),
        _ => Err(unknown_method(&method)),
    }
}

impl Answer {
    fn to_text(&self, origin: Origin<'_>) -> Vec<u8> {
        let fields = match self {
            Self::Registered(peer) => {
                let (cookie, ttl, count) = (peer.cookie, peer.ttl, peer.registrations);
                format!("Cookie: {cookie}\r\nTTL: {ttl}\r\nRegistrations: {count}\r\n")
            }
            Self::Left => String::new(),
            Self::Alive(peer) => format!("TTL: {}\r\n", peer.ttl),
            Self::Refused(status) => return head(*status, origin, "", 0),
        };
        response(Status::Ok, origin, &fields, "")
    }

    fn to_frame(&self) -> Vec<u8> {
        let body = match self {
            Self::Registered(registration) | Self::Alive(registration) => {
                framed::peer(registration)
            }
            Self::Left => return framed::without_body(Status::Ok),
            Self::Refused(status) => return framed::without_body(*status),
        };
        framed::response(body.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::di::client::Response;
    use crate::wire::di::registration::tests::{
        self, Ask, KEEP_ALIVE, LEAVE, PEER_QUERY, REGISTER,
    };
    use crate::wire::testing::Script;
    use std::time::SystemTime;

    const TIME: Duration = Duration::from_secs(1);
    const ORIGIN: Origin<'static> = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: "Test 1",
    };
    fn vm(port: u16) -> Endpoint {
        Endpoint::parse(&format!("vm:{port}"), crate::wire::Port::MIN).unwrap()
    }

    fn registration(cookie: u32, port: u16) -> Registration {
        Registration {
            cookie: Cookie(cookie),
            peer: vm(port),
            is_active: true,
            ttl: 7199,
            registrations: 2,
            heard: SystemTime::UNIX_EPOCH,
        }
    }

    fn encode(request: &Request, dialect: Dialect) -> Vec<u8> {
        request.encode(dialect, &tests::peer(), ORIGIN)
    }

    #[test]
    fn every_request_is_understood_in_both_dialects() {
        for (dialect, peer, activates) in [
            (Dialect::Text, Some(vm(5)), false),
            (Dialect::Framed, None, true),
        ] {
            let claim = Claim {
                cookie: Cookie(7),
                peer,
                activates,
            };
            let known = (dialect == Dialect::Text).then_some(Cookie(7));
            let expected = [
                Request::Register {
                    peer: vm(5),
                    cookie: known,
                },
                Request::Leave(claim.clone()),
                Request::PeerQuery(claim.clone()),
                Request::KeepAlive(claim),
            ];
            let asks = [REGISTER, LEAVE, PEER_QUERY, KEEP_ALIVE];
            for (ask, expected) in asks.into_iter().zip(expected) {
                let bytes = encode(&ask(7), dialect);
                let mut conversation = Conversation::default();
                let received = conversation.next(&mut Script::of(bytes.as_slice()), TIME);
                let received = received.unwrap().unwrap();
                assert_eq!(received.request, Ok(expected));
                assert_eq!(received.bytes, bytes);
            }
        }
    }

    #[test]
    fn every_wrong_request_in_text_is_refused() {
        let refused = |text: &str| {
            let received = Conversation::default().next(&mut Script::of(text), TIME);
            received
                .unwrap()
                .unwrap()
                .request
                .unwrap_err()
                .status
                .code()
        };
        let rest = "Host: vm\r\nPort: 5\r\nCookie: 7\r\n\r\n";
        for line in [
            "REGISTER P2P-DI/1.0",
            "register Peer P2P-DI/1.0",
            "PQUERY Peer P2P-DI/1.0",
            "LEAVE Peer P2P-CI/1.0",
            "LEAVE Peer",
            "GET RFC-Index P2P-DI/1.0",
        ] {
            assert_eq!(refused(&format!("{line}\r\n{rest}")), 400, "{line}");
        }
        assert_eq!(refused(&format!("LEAVE Peer P2P-DI/2.0\r\n{rest}")), 505);
        for fields in [
            "Port: 5\r\nCookie: 7",
            "Host: vm\r\nCookie: 7",
            "Host: vm\r\nPort: 5",
            "Host: vm\r\nPort: 5\r\nCookie: x",
            "Host: vm\r\nPort: 5\r\nCookie: 0",
            "Host: vm\r\nPort: 5\r\nCookie: 4294967296",
            "Host: vm\r\nPort: 5\r\nCookie: 7\r\nCookie: 8",
        ] {
            let text = format!("KEEPALIVE Peer P2P-DI/1.0\r\n{fields}\r\n\r\n");
            assert_eq!(refused(&text), 400, "{text}");
        }
    }

    #[test]
    fn text_has_one_request_and_frames_have_many() {
        let keepalive = KEEP_ALIVE(7);
        let text = encode(&keepalive, Dialect::Text).repeat(2);
        let (mut source, mut conversation) = (Script::of(text), Conversation::default());
        assert!(conversation.next(&mut source, TIME).unwrap().is_some());
        assert!(conversation.next(&mut source, TIME).unwrap().is_none());

        let wrong = [
            "dance vm HTTP/1.1",
            "register vm HTTP/1.1",
            "register a/b HTTP/1.1\nport: 5",
            "register vm HTTP/1.1\nport: 0",
            "register HTTP/1.1\nport: 5",
            "leave vm HTTP/1.1",
            "leave vm HTTP/1.1\nPeer-Cookie: x",
            "leave vm HTTP/1.1\nPeer-Cookie: 7\nno field",
            "getrfc vm HTTP/1.1\nRFC-Number: 5",
            "rfcquery vm HTTP/1.1",
            "LISTALL P2P-CI/1.0\nHOST: vm",
            "",
        ];
        let wrong = wrong.map(|content| format!("{:<10}{content}", content.len()).into_bytes());
        let framed = encode(&keepalive, Dialect::Framed);
        let stream = [wrong.concat(), framed].concat();
        let (mut source, mut conversation) = (Script::of(stream), Conversation::default());
        for bytes in wrong {
            let received = conversation.next(&mut source, TIME).unwrap().unwrap();
            assert_eq!(received.bytes, bytes);
            assert_eq!(received.request.unwrap_err().status, Status::BadRequest);
        }
        let received = conversation.next(&mut source, TIME).unwrap().unwrap();
        assert!(received.request.is_ok());
        assert!(conversation.next(&mut source, TIME).unwrap().is_none());
    }

    #[test]
    fn who_is_too_slow_is_told_so_in_text() {
        for (begun, answer) in [
            ("", "P2P-DI/1.0 408 Request Timeout\r\n"),
            ("KEEPALIVE", "P2P-DI/1.0 408 Request Timeout\r\n"),
            ("100       keep", "28        HTTP/1.1 400 Bad Request\r\n"),
        ] {
            let mut conversation = Conversation::default();
            let silent = conversation.next(&mut Script::then_silence(begun), TIME);
            let reject = conversation.reject(&silent.unwrap_err()).unwrap();
            let answered = conversation.encode(&Answer::Refused(reject.status), ORIGIN);
            assert!(String::from_utf8(answered).unwrap().starts_with(answer));
        }
    }

    /// The encoded answer, and how the peer that asked parses it.
    fn told(dialect: Dialect, ask: Ask, answer: &Answer) -> (String, Response) {
        let request = ask(7);
        let bytes = encode(&request, dialect);
        let mut conversation = Conversation::default();
        let asked = conversation.next(&mut Script::of(bytes), TIME);
        assert!(asked.unwrap().is_some());
        let bytes = conversation.encode(answer, ORIGIN);
        let mut source = Script::then_silence(bytes.as_slice());
        let told = request.read_answer(dialect, &mut source, TIME).unwrap();
        assert_eq!(told.bytes, bytes);
        (String::from_utf8(bytes).unwrap(), told.answer.unwrap())
    }

    #[test]
    fn every_answer_is_understood_in_both_dialects() {
        let ttl = 7199;
        let registered = Response::Registered {
            cookie: Cookie(7),
            ttl,
        };
        let refused = |code, is_unknown_cookie| Response::Refused {
            code,
            is_unknown_cookie,
        };
        for dialect in [Dialect::Text, Dialect::Framed] {
            let is_text = dialect == Dialect::Text;
            for (method, answer, expected) in [
                (
                    REGISTER,
                    Answer::Registered(registration(7, 5)),
                    registered.clone(),
                ),
                (LEAVE, Answer::Left, Response::Left),
                (
                    KEEP_ALIVE,
                    Answer::Alive(registration(7, 5)),
                    Response::Alive { ttl },
                ),
                (
                    KEEP_ALIVE,
                    Answer::Refused(Status::UnknownCookie),
                    refused(403, is_text),
                ),
                (
                    KEEP_ALIVE,
                    Answer::Refused(Status::NotRegistered),
                    refused(403, false),
                ),
                (
                    REGISTER,
                    Answer::Refused(Status::ServiceUnavailable),
                    refused(503, false),
                ),
            ] {
                assert_eq!(told(dialect, method, &answer).1, expected, "{dialect:?}");
            }
        }
    }

    #[test]
    fn answers_in_text_say_who_answers_and_when() {
        let text = |method, answer: &Answer| told(Dialect::Text, method, answer).0;
        let head = |status: &str, fields: &str, length: usize| {
            format!(
                "P2P-DI/1.0 {status}\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nOS: Test 1\r\n\
                 {fields}Content-Length: {length}\r\n\r\n"
            )
        };
        let fields = "Cookie: 7\r\nTTL: 7199\r\nRegistrations: 2\r\n";
        let registered = Answer::Registered(registration(7, 5));
        let expected = head("200 OK", fields, 0);
        assert_eq!(text(REGISTER, &registered), expected);
        let alive = Answer::Alive(registration(7, 5));
        let expected = head("200 OK", "TTL: 7199\r\n", 0);
        assert_eq!(text(KEEP_ALIVE, &alive), expected);
        assert_eq!(text(LEAVE, &Answer::Left), head("200 OK", "", 0));
    }

    #[test]
    fn in_frames_a_peer_is_a_json_object() {
        let framed = |method, answer: &Answer| told(Dialect::Framed, method, answer).0;
        let object = |cookie: u32| {
            format!(
                r#"{{"hostname":"vm","cookie":{cookie},"port":5,"last_active_time":0.0,"registration_count":2,"active":true,"ttl":7199}}"#
            )
        };
        let http = |body: &str| {
            let content = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            format!("{:<10}{content}", content.len())
        };
        let registered = Answer::Registered(registration(7, 5));
        assert_eq!(framed(REGISTER, &registered), http(&object(7)));
        assert_eq!(
            framed(LEAVE, &Answer::Left),
            "19        HTTP/1.1 200 OK\r\n\r\n"
        );
    }
}
