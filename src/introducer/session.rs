//! One connection to the introducer: one request, and its answer.

use std::fmt::Write as _;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::debug;

use super::table::Table;
use crate::event::{Event, Events, Link, Topic};
use crate::net::Sockets;
use crate::wire::control::{self, Request, Status};
use crate::wire::{Port, Source};

/// The longest name of a peer, in bytes.
const MAX_NAME: usize = 255;

/// What all sessions of an introducer share.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The peers that have joined.
    pub table: Arc<Mutex<Table>>,
    /// The open connections.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// How long a request may take, from the connection on.
    pub request_time: Duration,
}

/// Why a request is refused.
type Refusal = (Status, String);

impl Sessions {
    /// Serves one connection. `link` names it in `sockets`.
    pub fn serve(&self, stream: &mut (impl Source + Write), link: Link) {
        self.events.tell(Topic::Life, || Event::Opened(link));
        if let Some(answer) = self.answer(stream, link) {
            self.events.sent(link, &answer);
            let sent = stream.write_all(&answer).and_then(|()| stream.flush());
            if let Err(error) = sent {
                debug!(from = %link.remote, %error, "the response was not sent");
            }
        }
        self.events.tell(Topic::Life, || Event::Closed {
            link,
            had_name: false,
        });
    }

    /// Reads a request and carries it out. `None`: nobody waits for an answer.
    fn answer(&self, stream: &mut impl Source, link: Link) -> Option<Vec<u8>> {
        let answer = match Request::read(stream, self.request_time) {
            Ok(None) => return None,
            Ok(Some(request)) => {
                self.sockets.heard(link.id);
                self.events.received(link, request.bytes());
                self.carry_out(&request, link.remote.ip().to_canonical())
            }
            Err(error) => Err(control::reject(&error)?),
        };
        let (status, body) = answer.map_or_else(
            |(status, reason)| {
                self.events.refusing(link, status, reason);
                (status, String::new())
            },
            |body| (Status::Ok, body),
        );
        Some(control::response(status, body.as_bytes()))
    }

    fn carry_out(&self, request: &Request, from: IpAddr) -> Result<String, Refusal> {
        let mut arguments = request.arguments();
        let mut next = |what: &str| arguments.next().ok_or_else(|| malformed(what));
        match request.operation() {
            "JOIN" => {
                let name = name(next("the name of the peer is missing")?)?;
                let address = next("the address is missing")?;
                let port = next("the port is missing")?;
                let port = port.parse::<Port>().map_err(|error| malformed(&error))?;
                let address = address.parse::<IpAddr>();
                if address.map(|address| address.to_canonical()) != Ok(from) {
                    return Err(malformed("the address is not that of the connection"));
                }
                Ok(self.join(name, from, port))
            }
            "DELETE" => {
                let name = name(next("the name of the peer is missing")?)?;
                self.table.lock().remove(from, name);
                Ok(String::new())
            }
            "" => Err(malformed("the line is empty")),
            other => Err((
                Status::OperationUnknown,
                format!("{other:?} is not an operation"),
            )),
        }
    }

    /// The lines of those handed out to a peer that joins.
    fn join(&self, name: &str, address: IpAddr, port: Port) -> String {
        let others = self.table.lock().join(name, address, port, Instant::now());
        let mut lines = String::new();
        for other in others {
            // Writing to memory does not fail.
            let _ = write!(
                lines,
                "{},{},{},{}\r\n",
                other.row, other.name, other.address, other.port
            );
        }
        lines
    }
}

/// Checks the name of a peer, which becomes a field of a line.
fn name(word: &str) -> Result<&str, Refusal> {
    let is_field = |c: char| c != ',' && !c.is_control();
    if word.len() <= MAX_NAME && word.chars().all(is_field) {
        Ok(word)
    } else {
        let what = format!("a name has at most {MAX_NAME} bytes and no commas");
        Err(malformed(&what))
    }
}

fn malformed(what: &(impl std::fmt::Display + ?Sized)) -> Refusal {
    (Status::Malformed, what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Role;
    use crate::event::testing::link;
    use crate::wire::testing::Script;
    use std::io;

    /// A conversation with a client: what it sends, and what it gets.
    struct Client(Script, Vec<u8>);

    impl io::Read for Client {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl io::BufRead for Client {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.0.fill_buf()
        }

        fn consume(&mut self, count: usize) {
            self.0.consume(count);
        }
    }

    impl Source for Client {
        fn allow(&mut self, _: Option<Duration>) {}

        fn arrives_within(&mut self, time: Duration) -> io::Result<bool> {
            self.0.arrives_within(time)
        }

        fn buffered(&self) -> &[u8] {
            self.0.buffered()
        }
    }

    impl Write for Client {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sessions() -> Sessions {
        Sessions {
            table: Arc::default(),
            sockets: Sockets::default(),
            events: Events::default(),
            request_time: Duration::from_secs(1),
        }
    }

    /// The answer to a request from 10.0.0.1.
    fn answer(sessions: &Sessions, script: Script) -> String {
        let mut client = Client(script, Vec::new());
        sessions.serve(&mut client, link(Role::Introducer));
        String::from_utf8(client.1).unwrap()
    }

    #[test]
    fn peers_join_and_leave() {
        let sessions = sessions();
        let say = |line: &str| answer(&sessions, Script::of(line));
        assert_eq!(say("JOIN a 10.0.0.1 5\r\n"), "200 OK 0\r\n");
        assert_eq!(
            say("JOIN b 10.0.0.1 6 \r\n"),
            "200 OK 16\r\n1,a,10.0.0.1,5\r\n"
        );
        assert_eq!(say("DELETE a\r\n"), "200 OK 0\r\n");
        assert_eq!(say("DELETE a\r\n"), "200 OK 0\r\n");
        assert_eq!(
            say("JOIN c ::ffff:10.0.0.1 7\n"),
            "200 OK 16\r\n2,b,10.0.0.1,6\r\n"
        );
    }

    #[test]
    fn whatever_can_be_answered_is_answered() {
        let sessions = sessions();
        for (script, expected) in [
            (Script::of("LEAVE a\r\n"), "404 OPERATION UNKNOWN 0\r\n"),
            (
                Script::of("join a 10.0.0.1 5\r\n"),
                "404 OPERATION UNKNOWN 0\r\n",
            ),
            (Script::of("JOIN a 10.0.0.2 5\r\n"), "422 MALFORMED 0\r\n"),
            (Script::of("JOIN a,b 10.0.0.1 5\r\n"), "422 MALFORMED 0\r\n"),
            (Script::of("JOIN a"), "422 MALFORMED 0\r\n"),
            (Script::then_silence("JOIN a"), "422 MALFORMED 0\r\n"),
            (Script::of("x".repeat(9000)), "422 MALFORMED 0\r\n"),
            (Script::of(b"JOIN \xff\r\n"), "422 MALFORMED 0\r\n"),
            (Script::of(""), ""),
        ] {
            assert_eq!(answer(&sessions, script), expected);
        }
    }
}
