//! One connection to the registration server: read a request, carry it out, write the answer. In
//! text a connection carries one request, in frames any number.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::debug;

use super::store::Register;
use crate::event::{Event, Events, Link, Topic};
use crate::net::Sockets;
use crate::wire::di::Origin;
use crate::wire::di::registration::{Registration, Request};
use crate::wire::di::server::{Answer, Conversation};
use crate::wire::{Reject, Source, Status};

/// What all sessions of a registration server share.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The active peers.
    pub register: Register,
    /// The open connections.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// How long a request may take. The time for the first one starts with the connection.
    pub request_time: Duration,
    /// The `OS` header of the responses.
    pub os: Arc<str>,
}

impl Sessions {
    /// Serves one connection. `link` names it in `sockets`.
    pub fn serve(&self, stream: &mut (impl Source + Write), link: Link) {
        self.events.tell(Topic::Life, || Event::Opened(link));
        let session = Session { shared: self, link };
        session.run(stream);
    }

    /// Carries out a request.
    fn answer(&self, request: Request) -> Result<Answer, Status> {
        let now = SystemTime::now();
        match request {
            Request::Register { peer, cookie } => {
                let register = &self.register;
                let registered = register.change(|table| table.register(&peer, cookie, now))?;
                self.events.tell(Topic::Life, || Event::Entered {
                    name: &registered.peer,
                    cookie: Some(registered.cookie),
                });
                Ok(Answer::Registered(registered))
            }
            Request::KeepAlive(claim) => {
                let alive = self.register.touch(|table| table.keep_alive(&claim, now))?;
                Ok(Answer::Alive(alive))
            }
            Request::PeerQuery(claim) => self.register.touch(|table| {
                table.keep_alive(&claim, now)?;
                Ok(Answer::Peers(table.others(claim.cookie, now)))
            }),
            Request::Leave(claim) => {
                let gone = self.register.change(|table| table.leave(&claim, now))?;
                self.tell_left(&gone, false);
                Ok(Answer::Left)
            }
        }
    }

    /// Reports peers whose time to live expired after `before` and not after `now`.
    pub fn tell_expired(&self, before: SystemTime, now: SystemTime) {
        let expired = self.register.look(|table| table.expired(before, now));
        for gone in expired {
            self.tell_left(&gone, true);
        }
    }

    /// An answer as it goes over the wire now.
    pub(super) fn encode(&self, conversation: &Conversation, answer: &Answer) -> Vec<u8> {
        let origin = Origin {
            date: SystemTime::now(),
            os: &self.os,
        };
        conversation.encode(answer, origin)
    }

    fn tell_left(&self, gone: &Registration, is_expired: bool) {
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
    shared: &'a Sessions,
    link: Link,
}

impl Session<'_> {
    fn run(&self, stream: &mut (impl Source + Write)) {
        let mut conversation = Conversation::default();
        loop {
            let (answer, is_last) = match conversation.next(stream, self.shared.request_time) {
                Ok(Some(received)) => {
                    self.shared.sockets.heard(self.link.id);
                    self.shared.events.received(self.link, &received.bytes);
                    let request = received.request.map_err(|reject| self.refusing(reject));
                    let answer = request.and_then(|request| self.shared.answer(request));
                    (answer, false)
                }
                Ok(None) => return,
                // The end of the request was not found, so this is the last answer.
                Err(error) => match conversation.reject(&error) {
                    Some(reject) => (Err(self.refusing(reject)), true),
                    None => return,
                },
            };
            let answer = answer.unwrap_or_else(Answer::Refused);
            let answer = self.shared.encode(&conversation, &answer);
            if !self.send(stream, &answer) || is_last {
                return;
            }
        }
    }

    /// Reports why a request is refused, and returns the status.
    fn refusing(&self, reject: Reject) -> Status {
        let Reject { status, reason } = reject;
        self.shared.events.refusing(self.link, status, reason);
        status
    }

    /// Sends an answer, and returns whether that worked.
    fn send(&self, stream: &mut impl Write, answer: &[u8]) -> bool {
        self.shared.events.sent(self.link, answer);
        let sent = stream.write_all(answer).and_then(|()| stream.flush());
        if let Err(error) = &sent {
            debug!(from = %self.link.remote, %error, "the response was not sent");
        }
        sent.is_ok()
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.shared.events.tell(Topic::Life, || Event::Closed {
            link: self.link,
            had_name: false,
        });
    }
}
