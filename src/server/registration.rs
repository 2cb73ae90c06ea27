//! The registration server of P2P-DI/1.0: one request and one response for each connection.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::warn;

use super::register::Register;
use super::registrar::Registration;
use crate::net::Sockets;
use crate::transcript::Transcript;
use crate::wire::di::registration::{Method, Registered, Request, kept_alive, left, peer_list};
use crate::wire::di::{Origin, refusal};
use crate::wire::{HeadError, Reject, Requests, Source, Status, Waits};

/// What all sessions of a registration server share.
#[derive(Debug, Clone)]
pub struct RegistrationServer {
    /// Who is active.
    pub register: Register,
    /// The connections of the sessions.
    pub sockets: Sockets,
    /// Where messages are printed.
    pub transcript: Transcript,
    /// How long a request may take, from the connection on.
    pub request_time: Duration,
    /// The `OS` header of the responses.
    pub os: Arc<str>,
}

impl RegistrationServer {
    /// Answers one request. `connection` is its number among the sockets.
    pub fn serve(&self, stream: &mut (impl Source + Write), connection: u64, from: SocketAddr) {
        self.transcript
            .line(format_args!("[SERVER] New TCP connection from {from}"));
        let waits = Waits {
            first: Some(self.request_time),
            whole: self.request_time,
        };
        let mut requests = Requests::default();
        let answer = match requests.next(stream, waits, |head| Request::parse(head).is_ok()) {
            Ok(Some(head)) => {
                self.sockets.heard(connection);
                let title = format_args!("[SERVER] Request from {from}:");
                self.transcript.message(title, head.text());
                match Request::parse(&head) {
                    Ok(request) => self.answer(&request),
                    Err(Reject { status, reason }) => {
                        warn!(%from, %reason, "answered {}", status.code());
                        self.refuse(status)
                    }
                }
            }
            Ok(None) | Err(HeadError::Io(_)) => return,
            Err(error) => {
                let status = match error {
                    HeadError::TimedOut => Status::RequestTimeout,
                    _ => Status::BadRequest,
                };
                warn!(%from, %error, "answered {} and closed", status.code());
                self.refuse(status)
            }
        };
        let title = format_args!("[SERVER] Response to {from}:");
        self.transcript.message(title, &answer);
        if let Err(error) = send(stream, &answer) {
            warn!(%from, %error, "the response was not sent");
        }
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let Request {
            method,
            peer,
            cookie,
        } = request;
        let now = SystemTime::now();
        let origin = self.origin(now);
        let Some(known) = *cookie else {
            return self.register(request, now);
        };
        let answered = match method {
            Method::Register => return self.register(request, now),
            Method::Leave => self.register.change(|table| {
                let gone = table.leave(known, now)?;
                self.say(format_args!("{} (cookie {known}) left", gone.peer));
                Ok(left(origin))
            }),
            Method::PeerQuery => self.register.touch(|table| {
                table.check(known, peer)?;
                let peers = table.peers(known, now)?;
                Ok(peer_list(&peers, origin))
            }),
            Method::KeepAlive => self.register.touch(|table| {
                table.check(known, peer)?;
                Ok(kept_alive(table.keep_alive(known, now)?.ttl, origin))
            }),
        };
        answered.unwrap_or_else(|status: Status| {
            let code = status.code();
            warn!(%peer, cookie = %known, "answered {code}");
            self.refuse(status)
        })
    }

    fn register(&self, request: &Request, now: SystemTime) -> Vec<u8> {
        let registered = self
            .register
            .change(|table| table.register(&request.peer, request.cookie, now));
        match registered {
            Ok(Registration {
                cookie,
                peer,
                ttl,
                registrations,
                ..
            }) => {
                self.say(format_args!("Registered {peer} with cookie {cookie}"));
                let registered = Registered {
                    cookie,
                    ttl,
                    registrations,
                };
                registered.to_bytes(self.origin(now))
            }
            Err(status) => self.refuse(status),
        }
    }

    /// Says whose time to live has run out after `before` and up to `now`.
    pub fn say_expired(&self, before: SystemTime, now: SystemTime) {
        let expired = self.register.look(|table| table.expired(before, now));
        for Registration { peer, cookie, .. } in expired {
            self.say(format_args!(
                "{peer} (cookie {cookie}) is not active any more"
            ));
        }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.transcript.line(format_args!("[SERVER] {what}"));
    }

    fn refuse(&self, status: Status) -> Vec<u8> {
        refusal(status, self.origin(SystemTime::now()))
    }

    fn origin(&self, date: SystemTime) -> Origin<'_> {
        Origin { date, os: &self.os }
    }
}

fn send(stream: &mut impl Write, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer)?;
    stream.flush()
}
