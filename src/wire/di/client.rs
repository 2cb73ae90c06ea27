//! The peer's side of its conversation with the registration server: one request and one answer, in
//! the dialect that the peer chose.

use std::str::FromStr;
use std::time::Duration;

use super::answer::Answer;
use super::framed::{self, read_peer, read_peers};
use super::registration::{Cookie, Request};
use super::{Origin, PROTOCOL, TTL, lines};
use crate::wire::{Answered, Dialect, Endpoint, Head, ReadError, Source, Status};

/// The longest list of peers, in bytes: about 400,000 peers.
pub(super) const MAX_PEER_LIST: u64 = 16 * 1024 * 1024;

/// An answer of the registration server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// To REGISTER.
    Registered {
        /// The cookie that identifies this peer from now on.
        cookie: Cookie,
        /// For how many seconds the peer stays active without further contact.
        ttl: u32,
    },
    /// To LEAVE.
    Left,
    /// To KEEPALIVE.
    Alive {
        /// For how many seconds the peer stays active without further contact.
        ttl: u32,
    },
    /// To PQUERY: the addresses of the other active peers.
    Peers(Vec<Endpoint>),
    /// The server refused the request.
    Refused {
        /// The status code.
        code: u16,
        /// Whether the server does not know the cookie, as opposed to an expired registration.
        /// Always false in frames, where REGISTER has no cookie.
        is_unknown_cookie: bool,
    },
}

impl Request {
    /// Encodes the request of the peer at `me` in this dialect.
    pub fn encode(&self, dialect: Dialect, me: &Endpoint, origin: Origin<'_>) -> Vec<u8> {
        let Endpoint { host, port } = me;
        let (words, method, cookie) = match self {
            Self::Register { cookie, .. } => ("REGISTER Peer", "register", *cookie),
            Self::Leave(claim) => ("LEAVE Peer", "leave", Some(claim.cookie)),
            Self::PeerQuery(claim) => ("PQUERY Peer-List", "pquery", Some(claim.cookie)),
            Self::KeepAlive(claim) => ("KEEPALIVE Peer", "keepalive", Some(claim.cookie)),
        };
        let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n"));
        let cookie = cookie.unwrap_or_default();
        if dialect == Dialect::Framed {
            let fields = match self {
                Self::Register { .. } => format!("port: {port}\r\n"),
                _ => format!("Peer-{cookie}"),
            };
            return framed::request(method, &fields, host, origin);
        }
        let version = PROTOCOL.version();
        let os = format!("OS: {}\r\n", origin.os);
        // The order of section 2: the cookie comes last in REGISTER.
        let [first, last] = match self {
            Self::Register { .. } => [os, cookie],
            _ => [cookie, os],
        };
        format!("{words} {version}\r\nHost: {host}\r\nPort: {port}\r\n{first}{last}\r\n").into()
    }

    /// Reads the answer to this request, within `time` for its head and again for its body.
    pub fn read_answer(
        &self,
        dialect: Dialect,
        source: &mut impl Source,
        time: Duration,
    ) -> Result<Answered<Response>, ReadError> {
        let answer = Answer::read(dialect, source, MAX_PEER_LIST, time)?;
        Ok(Answered {
            answer: self.understand(dialect, &answer),
            bytes: answer.bytes,
        })
    }

    fn understand(&self, dialect: Dialect, answer: &Answer) -> Result<Response, ReadError> {
        let Answer { code, head, .. } = answer;
        let is_text = dialect == Dialect::Text;
        if matches!(self, Self::PeerQuery(_)) && *code == Status::NoActivePeers.code() {
            return Ok(Response::Peers(Vec::new()));
        }
        if *code != Status::Ok.code() {
            return Ok(Response::Refused {
                code: *code,
                is_unknown_cookie: is_text && head.start_line().ends_with(b"Unknown Cookie"),
            });
        }
        Ok(match self {
            Self::Register { .. } if is_text => Response::Registered {
                cookie: match needed(head, "Cookie")? {
                    cookie if cookie < Cookie::FIRST => return Err(ReadError::Header("Cookie")),
                    cookie => cookie,
                },
                ttl: needed(head, "TTL")?,
            },
            Self::Register { .. } => {
                let peer = read_peer(answer.body())?;
                Response::Registered {
                    cookie: Cookie(peer.cookie),
                    ttl: peer.ttl,
                }
            }
            Self::Leave(_) => Response::Left,
            Self::PeerQuery(_) if is_text => Response::Peers(lines(answer.body(), "a peer", peer)?),
            Self::PeerQuery(_) => Response::Peers(read_peers(answer.body())?),
            Self::KeepAlive(_) => {
                let ttl = if is_text {
                    needed(head, "TTL")
                } else {
                    read_peer(answer.body()).map(|peer| peer.ttl)
                };
                Response::Alive {
                    ttl: ttl.unwrap_or(TTL),
                }
            }
        })
    }
}

/// The value of a required header.
fn needed<T: FromStr>(head: &Head, name: &'static str) -> Result<T, ReadError> {
    let value = head.field(name).ok().flatten();
    let value = value.and_then(|value| value.parse().ok());
    value.ok_or(ReadError::Header(name))
}

/// Parses a line of the answer to PQUERY: `Peer host port ttl`.
fn peer(line: &str) -> Option<Endpoint> {
    let mut words = line.split_ascii_whitespace();
    let is_peer = words.next()? == "Peer";
    let host = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    let _ttl: u32 = words.next()?.parse().ok()?;
    (is_peer && words.next().is_none()).then_some(Endpoint { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;
    use crate::wire::di::registration;
    use crate::wire::di::registration::tests::{Ask, KEEP_ALIVE, LEAVE, PEER_QUERY, REGISTER};
    use crate::wire::testing::Script;
    use std::time::SystemTime;

    const TIME: Duration = Duration::from_secs(1);

    fn answer(ask: Ask, dialect: Dialect, text: &str) -> Answered<Response> {
        let text = match dialect {
            Dialect::Text => text.to_owned(),
            Dialect::Framed => format!("{:<10}{text}", text.len()),
        };
        let answered = ask(7).read_answer(dialect, &mut Script::of(text.as_str()), TIME);
        let answered = answered.unwrap();
        assert_eq!(answered.bytes, text.as_bytes());
        answered
    }

    #[test]
    fn requests_are_written_in_both_dialects() {
        let origin = Origin {
            date: SystemTime::UNIX_EPOCH,
            os: "Test 1",
        };
        for (request, text, framed) in [
            (
                Request::Register {
                    peer: registration::tests::peer(),
                    cookie: None,
                },
                "REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\nOS: Test 1\r\n",
                "register vm HTTP/1.1\r\nport: 5\r\n",
            ),
            (
                REGISTER(7),
                "REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\nOS: Test 1\r\nCookie: 7\r\n",
                "register vm HTTP/1.1\r\nport: 5\r\n",
            ),
            (
                LEAVE(7),
                "LEAVE Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\nCookie: 7\r\nOS: Test 1\r\n",
                "leave vm HTTP/1.1\r\nPeer-Cookie: 7\r\n",
            ),
            (
                PEER_QUERY(7),
                "PQUERY Peer-List P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\nCookie: 7\r\nOS: Test 1\r\n",
                "pquery vm HTTP/1.1\r\nPeer-Cookie: 7\r\n",
            ),
            (
                KEEP_ALIVE(0),
                "KEEPALIVE Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\nCookie: 0\r\nOS: Test 1\r\n",
                "keepalive vm HTTP/1.1\r\nPeer-Cookie: 0\r\n",
            ),
        ] {
            let written = |dialect| {
                let bytes = request.encode(dialect, &registration::tests::peer(), origin);
                String::from_utf8(bytes).unwrap()
            };
            assert_eq!(written(Dialect::Text), format!("{text}\r\n"));
            let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
            let framed = format!("{framed}Host: vm\r\nOS: Test 1\r\n{date}");
            let framed = format!("{:<10}{framed}", framed.len());
            assert_eq!(written(Dialect::Framed), framed);
        }
    }

    #[test]
    fn cookies_are_counted_from_1_in_text_and_from_0_in_frames() {
        let wrong = "P2P-DI/1.0 200 OK\r\nCookie: 0\r\nTTL: 5\r\n\r\n";
        let registered = answer(REGISTER, Dialect::Text, wrong).answer;
        assert!(matches!(registered, Err(ReadError::Header("Cookie"))));
        let framed = "HTTP/1.1 200 OK\r\n\r\n{\"hostname\":\"vm\",\"cookie\":0,\"port\":5,\
             \"last_active_time\":1,\"registration_count\":1,\"active\":true,\"ttl\":5}";
        let registered = answer(REGISTER, Dialect::Framed, framed).answer;
        let expected = Response::Registered {
            cookie: Cookie(0),
            ttl: 5,
        };
        assert_eq!(registered.unwrap(), expected);
    }

    #[test]
    fn a_time_to_live_that_is_not_told_is_a_whole_one() {
        for (dialect, text) in [
            (Dialect::Text, "P2P-DI/1.0 200 OK\r\nTTL: x\r\n\r\n"),
            (Dialect::Framed, "HTTP/1.1 200 OK\r\n\r\n"),
        ] {
            let alive = answer(KEEP_ALIVE, dialect, text).answer.unwrap();
            assert_eq!(alive, Response::Alive { ttl: TTL });
        }
    }

    #[test]
    fn what_can_not_be_understood_is_told_all_the_same() {
        for (method, dialect, text) in [
            (
                PEER_QUERY,
                Dialect::Text,
                "P2P-DI/1.0 200 OK\r\n\r\nPeer a/b 5 1\r\n",
            ),
            (PEER_QUERY, Dialect::Framed, "HTTP/1.1 200 OK\r\n\r\n{}"),
            (
                REGISTER,
                Dialect::Text,
                "P2P-DI/1.0 200 OK\r\nCookie: 1\r\n\r\n",
            ),
            (REGISTER, Dialect::Framed, "HTTP/1.1 200 OK\r\n\r\n[]"),
        ] {
            let answer = answer(method, dialect, text).answer;
            let fault = answer.unwrap_err().fault();
            assert_eq!(fault, crate::wire::Fault::Protocol, "{text}");
        }
    }

    #[test]
    fn the_peer_list_is_read() {
        let read = |body: &[u8]| lines(body, "a peer", peer);
        let peers = ["vm:5", "vm:6"].map(|peer| Endpoint::parse(peer, Port::MIN).unwrap());
        let body = b"Peer vm 5 7200\r\nPeer vm 6 7200\r\n";
        assert_eq!(read(body).unwrap(), peers);
        for wrong in [
            "Peer vm 5",
            "Peer vm 5 x",
            "Peer vm 0 1",
            "peer vm 5 1",
            "Peer a/b 5 1",
            "Peer vm 5 1 2",
            "\u{7}",
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(read(b"Peer \xff 5 1\r\n").is_err());
    }
}
