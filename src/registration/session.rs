//! One connection to the registration server: read a request, carry it out, write the answer. In
//! text a connection carries one request, in frames any number.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::debug;

use super::store::Register;
use super::table::{ActivePeers, Now};
use crate::event::{Departure, Event, Events, Link, MOST_RECORDS, Topic, Way};
use crate::net::{Connection, Sockets};
use crate::wire::di::Origin;
use crate::wire::di::registration::{Registration, Request};
use crate::wire::di::server::{Answer, Conversation};
use crate::wire::{Reject, Status};

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
    pub fn serve(&self, stream: &mut Connection, link: Link) {
        self.events.tell(Topic::Life, || Event::Opened(link));
        let session = Session { shared: self, link };
        session.run(stream);
    }

    /// Reports peers whose time to live expired after `before` and not after `now`.
    pub fn tell_expired(&self, before: Instant, now: Now) {
        let expired = self.register.look(|table| table.expired(before, now));
        for gone in expired {
            self.tell_left(&gone, Departure::Expired);
        }
    }

    /// An answer as it goes over the wire now.
    pub(super) fn encode(&self, conversation: &Conversation, answer: &Answer) -> Vec<u8> {
        conversation.encode(answer, self.origin())
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            date: SystemTime::now(),
            os: &self.os,
        }
    }

    fn tell_left(&self, gone: &Registration, departure: Departure) {
        self.events.tell(Topic::Life, || Event::Left {
            name: &gone.peer,
            cookie: Some(gone.cookie),
            records: 0,
            departure,
        });
    }
}

/// The answer to a request.
enum Reply {
    Whole(Answer),
    /// A list of peers, which is sent in pieces.
    Peers(ActivePeers),
}

/// One connection.
struct Session<'a> {
    shared: &'a Sessions,
    link: Link,
}

impl Session<'_> {
    fn run(&self, stream: &mut Connection) {
        let mut conversation = Conversation::default();
        loop {
            let (reply, is_last) = match conversation.next(stream, self.shared.request_time) {
                Ok(Some(received)) => {
                    self.shared.sockets.heard(self.link.id);
                    self.shared.events.asked(self.link, &received);
                    let request = received.request.map_err(|reject| self.refusing(reject));
                    (request.and_then(|request| self.answer(request)), false)
                }
                Ok(None) => return,
                // The end of the request was not found, so this is the last answer.
                Err(error) => match conversation.reject(&error) {
                    Some(reject) => (Err(self.refusing(reject)), true),
                    None => return,
                },
            };
            let reply = reply.unwrap_or_else(|status| Reply::Whole(Answer::Refused(status)));
            let sent = match reply {
                Reply::Whole(answer) => self.send(stream, &conversation, &answer),
                Reply::Peers(others) => self.send_peers(stream, &conversation, others),
            };
            if let Err(error) = &sent {
                debug!(from = %self.link.remote, %error, "the response was not sent");
            }
            if sent.is_err() || is_last {
                return;
            }
        }
    }

    /// Carries out a request.
    fn answer(&self, request: Request) -> Result<Reply, Status> {
        let now = Now::read();
        let Sessions {
            register, events, ..
        } = self.shared;
        let answer = match request {
            Request::Register { peer, cookie } => {
                let from = self.link.remote.ip();
                let registered = register.change(|table| table.register(&peer, cookie, from, now));
                let registered = registered.flatten().map_err(|why| self.refusing(why))?;
                events.tell(Topic::Life, || Event::Entered {
                    name: &registered.peer,
                    from: self.link.remote,
                    cookie: Some(registered.cookie),
                });
                Answer::Registered(registered)
            }
            Request::KeepAlive(claim) => {
                Answer::Alive(register.touch(|table| table.keep_alive(&claim, now))?)
            }
            Request::PeerQuery(claim) => {
                let others = register.touch(|table| {
                    table.keep_alive(&claim, now)?;
                    Ok(table.others(claim.cookie, now))
                });
                return others.map(Reply::Peers);
            }
            Request::Leave(claim) => {
                let gone = register.change(|table| table.leave(&claim, now));
                let gone = gone.map_err(|why| self.refusing(why))??;
                self.shared.tell_left(&gone, Departure::Left);
                Answer::Left
            }
        };
        Ok(Reply::Whole(answer))
    }

    /// Reports why a request is refused, and returns the status.
    fn refusing(&self, reject: Reject) -> Status {
        let Reject { status, reason } = reject;
        self.shared.events.refusing(self.link, status, reason);
        status
    }

    fn send(
        &self,
        stream: &mut impl Write,
        conversation: &Conversation,
        answer: &Answer,
    ) -> io::Result<()> {
        let answer = self.shared.encode(conversation, answer);
        self.shared.events.sent(self.link, &answer);
        stream.write_all(&answer)?;
        stream.flush()
    }

    /// Sends these peers, ordered by cookie; if they do not all fit, as many as do, chosen at
    /// random.
    fn send_peers(
        &self,
        stream: &mut Connection,
        conversation: &Conversation,
        mut others: ActivePeers,
    ) -> io::Result<()> {
        let origin = self.shared.origin();
        others.sort();
        if conversation.peers(others.iter(), origin).len() < others.len() {
            others.shuffle();
        }
        let list = conversation.peers(others.iter(), origin);
        let mut shown = Vec::new();
        list.write(MOST_RECORDS, &mut shown)?;
        let more = list.len().saturating_sub(MOST_RECORDS);
        let events = &self.shared.events;
        events.message(self.link, Way::Sent, &shown, more);
        stream.send_in_time(|stream| list.write(usize::MAX, stream))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Role;
    use crate::event::testing::Notes;
    use crate::net::{Limits, Place, Server, Stop};
    use crate::wire::di::client::Response;
    use crate::wire::di::registration::Claim;
    use crate::wire::testing::Script;
    use crate::wire::{Dialect, Endpoint, Port};
    use std::collections::HashSet;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpStream};
    use std::thread;

    const QUERY: Request = Request::PeerQuery(Claim {
        cookie: crate::wire::di::registration::Cookie(1),
        peer: None,
        activates: false,
    });

    /// A peer whose name is this long.
    fn peer(port: u16, name: usize) -> Endpoint {
        let host = "x".repeat(name);
        Endpoint::parse(&format!("{host}:{port}"), Port::MIN).unwrap()
    }

    /// A server with peers at the ports from 1 on, whose names are this long.
    fn serving(peers: u16, name: usize, events: Events, send_time: Duration) -> Server {
        let (register, _) = Register::open(None, Duration::from_hours(2), events.clone()).unwrap();
        let (from, now) = (Ipv4Addr::LOCALHOST.into(), Now::read());
        for port in 1..=peers {
            let registered =
                register.change(|table| table.register(&peer(port, name), None, from, now));
            registered.flatten().unwrap();
        }
        let place = Place {
            bind: Some(from),
            limits: Limits {
                send_time,
                ..Limits::default()
            },
            ..Place::default()
        };
        let open = place.listen(Role::Registration, &events, &Stop::default());
        let open = open.unwrap();
        let sessions = Sessions {
            register,
            sockets: open.sockets().clone(),
            events,
            request_time: Duration::from_secs(20),
            os: "Test 1".into(),
        };
        let serve = move |stream: &mut Connection, link| sessions.serve(stream, link);
        open.serve(Vec::new(), serve, || ()).unwrap()
    }

    /// A connection of the first peer, which has asked for the others.
    fn asking(server: &Server, dialect: Dialect, name: usize) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let origin = Origin {
            date: SystemTime::UNIX_EPOCH,
            os: "Test 1",
        };
        let query = QUERY.encode(dialect, &peer(1, name), origin);
        stream.write_all(&query).unwrap();
        stream
    }

    /// The ports of the others, in the order of the answer.
    fn told(server: &Server, dialect: Dialect) -> Vec<u16> {
        let mut stream = asking(server, dialect, 2);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = QUERY.read_answer(dialect, &mut Script::of(answer), Duration::from_secs(1));
        match answer.unwrap().answer.unwrap() {
            Response::Peers(told) => told.iter().map(|told| told.port.get()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn if_not_all_peers_fit_each_is_as_likely_in_the_answer_as_any_other() {
        let server = serving(20_000, 2, Events::default(), Duration::from_secs(30));
        let all = told(&server, Dialect::Text);
        assert_eq!(all, (2..=20_000).collect::<Vec<_>>());

        let samples = [(); 2].map(|()| told(&server, Dialect::Framed));
        assert_ne!(samples[0], samples[1]);
        for sample in samples {
            let count = sample.len();
            assert!(
                (5000..10_000).contains(&count),
                "{count} of 20,000 are in a frame"
            );
            let late = sample.iter().filter(|port| **port > 10_000).count();
            assert!(
                (count * 2 / 5..count * 3 / 5).contains(&late),
                "{late} of {count}"
            );
            assert_eq!(sample.iter().collect::<HashSet<_>>().len(), count);
        }
    }

    #[test]
    fn a_slow_reader_of_a_list_is_cut_off_although_it_never_pauses_for_the_send_time() {
        let notes = Notes::default();
        // More than the buffers of both sides hold.
        let events = Events::default().and(notes.clone());
        let server = serving(50_000, 200, events, Duration::from_secs(1));
        let mut stream = asking(&server, Dialect::Text, 200);
        let mut read = 0;
        let end = Instant::now() + Duration::from_secs(20);
        while !notes.all().iter().any(|event| event.starts_with("Closed")) {
            assert!(Instant::now() < end, "it is still served");
            read += stream.read(&mut [0; 1000]).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        // The end of the connection may be a reset.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(read + rest.len() < 50_000 * 200, "it was sent whole");
    }
}
