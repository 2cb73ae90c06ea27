//! The registration server of P2P-DI/1.0: one request and one response for each connection, or
//! many of them in frames.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::debug;

use super::store::Register;
use super::table::{Registrar, Registration};
use crate::event::{Event, Events, Link, Role, Topic};
use crate::net::Sockets;
use crate::wire::di::registration::{
    ActivePeer, Cookie, Method, Registered, Request, kept_alive, left, peer_list,
};
use crate::wire::di::{self, Origin, refusal};
use crate::wire::frame::{self, Dialect, Frame, FrameError};
use crate::wire::{Endpoint, Head, HeadError, MAX_HEAD, Reject, Requests, Source, Status, Waits};

/// What all sessions of a registration server share.
#[derive(Debug, Clone)]
pub struct RegistrationServer {
    /// Who is active.
    pub register: Register,
    /// The connections of the sessions.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// How long a request may take, from the connection on.
    pub request_time: Duration,
    /// The `OS` header of the responses.
    pub os: Arc<str>,
}

/// What a request is answered with, in whatever dialect.
enum Answer {
    Registered(Registration),
    Left,
    Peers(Vec<Registration>),
    Alive(Registration),
}

impl RegistrationServer {
    /// Answers one request in text, or as many in frames as come. `connection` is its number among
    /// the sockets.
    pub fn serve(&self, stream: &mut (impl Source + Write), connection: u64, from: SocketAddr) {
        let link = Link {
            id: connection,
            role: Role::Registration,
            remote: from,
        };
        self.events.tell(Topic::Life, || Event::Opened(link));
        let session = Session { server: self, link };
        match frame::is_next(stream, Some(self.request_time)) {
            Ok(Some(true)) => session.serve_frames(stream),
            Ok(None) | Err(HeadError::Io(_)) => {}
            Ok(Some(false)) => session.serve_text(stream),
            Err(error) => session.give_up(stream, &error),
        }
    }

    /// Does what is asked. In text only REGISTER activates; in frames every sign of life does.
    fn answer(
        &self,
        method: Method,
        peer: Option<&Endpoint>,
        cookie: Option<Cookie>,
        dialect: Dialect,
    ) -> Result<Answer, Status> {
        let now = SystemTime::now();
        if method == Method::Register {
            let peer = peer.ok_or(Status::BadRequest)?;
            let registered = self
                .register
                .change(|table| table.register(peer, cookie, now))?;
            let Registration { cookie, peer, .. } = &registered;
            self.events.tell(Topic::Life, || Event::Entered {
                name: peer,
                cookie: Some(*cookie),
            });
            return Ok(Answer::Registered(registered));
        }
        let cookie = cookie.ok_or(Status::UnknownCookie)?;
        // In frames a peer does not say where it is reached.
        let check = |table: &Registrar| peer.map_or(Ok(()), |peer| table.check(cookie, peer));
        let alive = |table: &mut Registrar| match dialect {
            Dialect::Text => {
                check(table)?;
                table.keep_alive(cookie, now)
            }
            Dialect::Framed => table.revive(cookie, now),
        };
        match method {
            Method::Register | Method::KeepAlive => self.register.touch(alive).map(Answer::Alive),
            Method::PeerQuery => self.register.touch(|table| {
                alive(table)?;
                Ok(Answer::Peers(table.others(cookie, now)))
            }),
            Method::Leave => {
                let gone = self.register.change(|table| {
                    check(table)?;
                    table.leave(cookie, now)
                })?;
                self.say_left(&gone, false);
                Ok(Answer::Left)
            }
        }
    }

    /// Says whose time to live has run out after `before` and up to `now`.
    pub fn say_expired(&self, before: SystemTime, now: SystemTime) {
        let expired = self.register.look(|table| table.expired(before, now));
        for gone in expired {
            self.say_left(&gone, true);
        }
    }

    fn say_left(&self, gone: &Registration, is_expired: bool) {
        self.events.tell(Topic::Life, || Event::Left {
            name: &gone.peer,
            cookie: Some(gone.cookie),
            records: 0,
            is_expired,
        });
    }
}

/// One connection.
struct Session<'a> {
    server: &'a RegistrationServer,
    link: Link,
}

impl Session<'_> {
    fn serve_text(&self, stream: &mut (impl Source + Write)) {
        let waits = Waits {
            first: Some(self.server.request_time),
            whole: self.server.request_time,
        };
        let is_request = |head: &Head| Request::parse(head).is_ok();
        let head = match Requests::default().next(stream, waits, is_request) {
            Ok(Some(head)) => head,
            Ok(None) | Err(HeadError::Io(_)) => return,
            Err(error) => return self.give_up(stream, &error),
        };
        self.heard(head.text());
        let origin = Origin {
            date: SystemTime::now(),
            os: &self.server.os,
        };
        let answered = Request::parse(&head).map_err(|reject| self.reject(reject));
        let answered = answered.and_then(|request| {
            let Request {
                method,
                peer,
                cookie,
            } = request;
            self.server
                .answer(method, Some(&peer), cookie, Dialect::Text)
        });
        let answer = match answered {
            Ok(answer) => answer.to_text(origin),
            Err(status) => refusal(status, origin),
        };
        self.send(stream, &answer);
    }

    /// A connection in frames stays open for many exchanges.
    fn serve_frames(&self, stream: &mut (impl Source + Write)) {
        let waits = Waits {
            first: None,
            whole: self.server.request_time,
        };
        loop {
            let frame = match frame::read(stream, waits, MAX_HEAD) {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(FrameError::Io(_)) => return,
                Err(error) => {
                    self.reject(Reject::bad_request(error.to_string()));
                    let answer = di::framed::refusal(Status::BadRequest);
                    self.send(stream, answer.bytes());
                    return;
                }
            };
            self.heard(frame.bytes());
            let head = Head::parse(frame.content());
            let head = head.map_err(|error| Reject::bad_request(error.to_string()));
            let request = head.and_then(|(head, _)| di::framed::Request::parse(&head));
            let answered = request.map_err(|reject| self.reject(reject));
            let answered = answered.and_then(|request| {
                let (method, peer, cookie) = match request {
                    di::framed::Request::Register(peer) => (Method::Register, Some(peer), None),
                    di::framed::Request::Leave(cookie) => (Method::Leave, None, Some(cookie)),
                    di::framed::Request::PeerQuery(cookie) => {
                        (Method::PeerQuery, None, Some(cookie))
                    }
                    di::framed::Request::KeepAlive(cookie) => {
                        (Method::KeepAlive, None, Some(cookie))
                    }
                    di::framed::Request::Index | di::framed::Request::Document(_) => {
                        return Err(Status::BadRequest);
                    }
                };
                self.server
                    .answer(method, peer.as_ref(), cookie, Dialect::Framed)
            });
            let answer = match answered {
                Ok(answer) => answer.to_frame(),
                Err(status) => di::framed::refusal(status),
            };
            if !self.send(stream, answer.bytes()) {
                return;
            }
        }
    }

    fn heard(&self, message: &[u8]) {
        self.server.sockets.heard(self.link.id);
        self.server.events.received(self.link, message);
    }

    /// Tells why a request is refused, and returns with what.
    fn reject(&self, reject: Reject) -> Status {
        let Reject { status, reason } = reject;
        self.server.events.refusing(self.link, status, reason);
        status
    }

    /// The end of a request was not found.
    fn give_up(&self, stream: &mut impl Write, error: &HeadError) {
        let status = match error {
            HeadError::TimedOut => Status::RequestTimeout,
            _ => Status::BadRequest,
        };
        self.server.events.refusing(self.link, status, error);
        let origin = Origin {
            date: SystemTime::now(),
            os: &self.server.os,
        };
        self.send(stream, &refusal(status, origin));
    }

    /// Sends an answer, and says whether that went well.
    fn send(&self, stream: &mut impl Write, answer: &[u8]) -> bool {
        self.server.events.sent(self.link, answer);
        let sent = stream.write_all(answer).and_then(|()| stream.flush());
        if let Err(error) = &sent {
            debug!(from = %self.link.remote, %error, "the response was not sent");
        }
        sent.is_ok()
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.server.events.tell(Topic::Life, || Event::Closed {
            link: self.link,
            had_name: false,
        });
    }
}

impl Answer {
    fn to_text(&self, origin: Origin<'_>) -> Vec<u8> {
        match self {
            Self::Registered(registration) => Registered {
                cookie: registration.cookie,
                ttl: registration.ttl,
                registrations: registration.registrations,
            }
            .to_bytes(origin),
            Self::Left => left(origin),
            Self::Alive(registration) => kept_alive(registration.ttl, origin),
            Self::Peers(others) => {
                let told = |other: &Registration| ActivePeer {
                    peer: other.peer.clone(),
                    ttl: other.ttl,
                };
                let peers: Vec<_> = others.iter().map(told).collect();
                peer_list(&peers, origin)
            }
        }
    }

    fn to_frame(&self) -> Frame {
        let body = match self {
            Self::Registered(registration) | Self::Alive(registration) => {
                Some(object(registration, registration.cookie.get()).to_json())
            }
            Self::Left => None,
            Self::Peers(others) => {
                // No cookie is ever disclosed to others.
                let objects: Vec<_> = others.iter().map(|other| object(other, 0)).collect();
                Some(di::framed::peers(&objects))
            }
        };
        let frame = di::framed::response(body.as_deref().map(str::as_bytes));
        frame.unwrap_or_else(|| di::framed::refusal(Status::ServiceUnavailable))
    }
}

fn object(registration: &Registration, cookie: u32) -> di::framed::PeerObject {
    let Endpoint { host, port } = &registration.peer;
    di::framed::PeerObject {
        hostname: host.to_string(),
        cookie,
        port: port.get(),
        last_active_time: di::framed::seconds(registration.heard),
        registration_count: registration.registrations,
        active: registration.is_active,
        ttl: registration.ttl,
    }
}
