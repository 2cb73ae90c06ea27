//! One peer's connection to the index server: read a request, answer it, tell of both.
//!
//! The session sees a stream, and no socket.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tracing::debug;

use super::catalog::{Catalog, Cursor, Denied, Entrance, Gone, Left, PAGE, Presence, Scope};
use crate::event::{Event, Events, Link, MOST_RECORDS, Role, Topic, Way};
use crate::net::Sockets;
use crate::wire::ci::framed;
use crate::wire::ci::p2s::{Request, begin_response, end_response, refusal};
use crate::wire::frame::{self, Dialect, Frame, FrameError, MAX_FRAME};
use crate::wire::{
    Endpoint, Head, HeadError, MAX_HEAD, Record, Reject, Requests, Source, Status, Title, Waits,
};

// So that what is told of a response is still at hand when it turns out that there is more.
const _: () = assert!(MOST_RECORDS < PAGE);

/// What all sessions of a server share.
#[derive(Debug, Clone)]
pub struct Server {
    /// Who has what.
    pub catalog: Catalog,
    /// The connections of the sessions.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// How long a request may take from its first byte to its last, however slowly it drips in.
    /// Between requests a connection may be silent for ever: people read menus.
    pub request_time: Duration,
}

/// Why a session ends before its peer closes.
enum End {
    /// The connection failed, or has lost its name: there is nobody to answer.
    Gone,
    /// The stream is out of step: the last word is 400.
    OutOfStep(OutOfStep),
}

/// Where the next request begins is not known any more.
#[derive(Debug, thiserror::Error)]
enum OutOfStep {
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A request that was received.
struct Received {
    /// The frame that it came in, where it did.
    frame: Option<Frame>,
    /// Its head, where it has one.
    head: Result<Head, Reject>,
}

impl Received {
    /// The message as it stood on the wire.
    fn message(&self) -> &[u8] {
        match (&self.frame, &self.head) {
            (Some(frame), _) => frame.bytes(),
            (None, Ok(head)) => head.text(),
            (None, Err(_)) => &[],
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        debug!(%error, "connection lost");
        Self::Gone
    }
}

impl Server {
    /// Serves one peer until it leaves. `connection` is its number among the sockets.
    pub fn serve(&self, stream: &mut (impl Source + Write), connection: u64, from: SocketAddr) {
        let link = Link {
            id: connection,
            role: Role::Session,
            remote: from,
        };
        self.events.tell(Topic::Life, || Event::Opened(link));
        let presence = self.catalog.join(connection, from.ip());
        let mut session = Session {
            server: self,
            presence,
            link,
            dialect: Dialect::Text,
            page: Vec::new(),
            wanted: None,
            out: Vec::new(),
        };
        if let Err(End::OutOfStep(error)) = session.run(stream) {
            // Where the peer is gone, nothing is lost with the answer.
            let _ = session.reject(stream, Reject::bad_request(error.to_string()));
        }
        let _ = stream.flush();
    }
}

struct Session<'a> {
    server: &'a Server,
    presence: Presence,
    link: Link,
    /// How this peer speaks: its first byte tells.
    dialect: Dialect,
    page: Vec<Record>,
    /// The title that records must have to be told, where it matters.
    wanted: Option<Title>,
    out: Vec<u8>,
}

impl Session<'_> {
    fn run(&mut self, stream: &mut (impl Source + Write)) -> Result<(), End> {
        self.dialect = match frame::is_next(stream, None) {
            Ok(Some(true)) => Dialect::Framed,
            Ok(Some(false)) => Dialect::Text,
            Ok(None) => return Ok(()),
            Err(HeadError::Io(error)) => return Err(error.into()),
            Err(error) => return Err(End::OutOfStep(error.into())),
        };
        let mut is_first = true;
        let mut requests = Requests::default();
        while let Some(received) = self.read(stream, &mut requests)? {
            if std::mem::take(&mut is_first) {
                self.server.sockets.heard(self.link.id);
            }
            self.server.events.received(self.link, received.message());
            let request = received.head.and_then(|head| Request::parse(&head));
            let may_end = matches!(request, Ok(Request::Close));
            let answered = match request {
                Ok(request) => self.answer(stream, request)?,
                Err(reject) => Err(reject),
            };
            if let Err(reject) = answered {
                self.reject(stream, reject)?;
            }
            if may_end {
                break;
            }
        }
        Ok(())
    }

    /// Reads the next request.
    fn read(
        &self,
        stream: &mut impl Source,
        requests: &mut Requests,
    ) -> Result<Option<Received>, End> {
        let waits = Waits {
            first: None,
            whole: self.server.request_time,
        };
        match self.dialect {
            Dialect::Text => {
                let is_request = |head: &Head| Request::parse(head).is_ok();
                match requests.next(stream, waits, is_request) {
                    Ok(head) => Ok(head.map(|head| Received {
                        frame: None,
                        head: Ok(head),
                    })),
                    Err(HeadError::Io(error)) => Err(error.into()),
                    Err(error) => Err(End::OutOfStep(error.into())),
                }
            }
            Dialect::Framed => match frame::read(stream, waits, MAX_HEAD) {
                Ok(frame) => Ok(frame.map(|frame| {
                    let head = Head::parse(frame.content());
                    let head = head.map(|(head, _)| head);
                    let wrong = |error: HeadError| Reject::bad_request(error.to_string());
                    Received {
                        head: head.map_err(wrong),
                        frame: Some(frame),
                    }
                })),
                Err(FrameError::Io(error)) => Err(error.into()),
                Err(error) => Err(End::OutOfStep(error.into())),
            },
        }
    }

    /// Does what the request asks. The outer error ends the session, the inner one is answered.
    fn answer(
        &mut self,
        stream: &mut impl Write,
        request: Request,
    ) -> Result<Result<(), Reject>, End> {
        let named = match (&request, request.name()) {
            (Request::Add(record), _) => self.presence.add(record, |gone| self.say_gone(gone)),
            (_, Some(name)) => self.presence.introduce(&name, |gone| self.say_gone(gone)),
            (_, None) => Ok(Entrance::Known),
        };
        match named {
            Ok(entrance) => self.say_entrance(entrance, &request),
            Err(Denied::Replaced) => return Err(End::Gone),
            Err(error) => return Ok(Err(Reject::bad_request(error.to_string()))),
        }
        match request {
            Request::Add(record) => {
                self.server.events.tell(Topic::Messages, || Event::Added {
                    link: self.link,
                    record: &record,
                });
                self.respond_with(stream, b"", vec![record])?;
            }
            Request::Lookup { number, title, .. } => {
                let next = self.first_page(Scope::Of(number));
                // In frames a title that is given must match; in text it takes no part.
                let is_exact = self.dialect == Dialect::Framed && !title.is_empty();
                self.wanted = is_exact.then_some(title);
                self.keep_wanted();
                if self.page.is_empty() && next.is_none() {
                    self.refuse(stream, Status::NotFound)?;
                } else {
                    self.respond(stream, b"", next)?;
                }
                self.wanted = None;
            }
            Request::List { .. } => {
                let next = self.first_page(Scope::All);
                if self.page.is_empty() && self.dialect == Dialect::Framed {
                    self.refuse(stream, Status::NotFound)?;
                } else {
                    self.respond(stream, b"", next)?;
                }
            }
            Request::Delete(name) => match self.presence.withdraw(&name) {
                Ok(Some(records)) => {
                    let count = records.len();
                    let Endpoint { host, port } = &name;
                    let peer = match self.dialect {
                        Dialect::Text => String::new(),
                        Dialect::Framed => format!("{host} {port}\r\n"),
                    };
                    self.say_left(&Left {
                        name: name.clone(),
                        records: count,
                    });
                    self.respond_with(stream, peer.as_bytes(), records)?;
                }
                Ok(None) => self.refuse(stream, Status::NotFound)?,
                Err(Denied::Replaced) => return Err(End::Gone),
                Err(error) => return Ok(Err(Reject::bad_request(error.to_string()))),
            },
            Request::Close => self.refuse(stream, Status::Ok)?,
        }
        Ok(Ok(()))
    }

    /// Says who left for the peer of this session, and closes the connection that lost its name.
    fn say_gone(&self, gone: Gone) {
        let left = match gone {
            Gone::Renamed(left) => Some(left),
            Gone::Replaced(connection, left) => {
                self.server.sockets.close(connection);
                left
            }
        };
        if let Some(left) = left {
            self.say_left(&left);
        }
    }

    fn say_entrance(&self, entrance: Entrance, request: &Request) {
        if let (Entrance::New, Some(name)) = (entrance, request.name()) {
            self.server.events.tell(Topic::Life, || Event::Entered {
                name: &name,
                cookie: None,
            });
        }
    }

    fn first_page(&mut self, scope: Scope) -> Option<(Scope, Cursor)> {
        let next = self
            .server
            .catalog
            .page(scope, Cursor::default(), &mut self.page);
        next.map(|cursor| (scope, cursor))
    }

    /// Leaves out of the page at hand what has another title than the one that is wanted.
    fn keep_wanted(&mut self) {
        if let Some(title) = &self.wanted {
            self.page.retain(|record| record.title == *title);
        }
    }

    fn say_left(&self, Left { name, records }: &Left) {
        self.server.events.tell(Topic::Life, || Event::Left {
            name,
            cookie: None,
            records: *records,
            is_expired: false,
        });
    }

    /// Sends records that are all at hand.
    fn respond_with(
        &mut self,
        stream: &mut impl Write,
        before: &[u8],
        records: Vec<Record>,
    ) -> io::Result<()> {
        self.page = records;
        let sent = self.respond(stream, before, None);
        self.page = Vec::new();
        sent
    }

    /// Sends the line `before`, the page at hand and all those after it. Memory holds one page of
    /// them, or one frame.
    fn respond(
        &mut self,
        stream: &mut impl Write,
        before: &[u8],
        mut next: Option<(Scope, Cursor)>,
    ) -> io::Result<()> {
        let mut count = 0;
        let mut excerpt = None;
        self.out.clear();
        begin_response(Status::Ok, &mut self.out);
        self.out.extend_from_slice(before);
        loop {
            for record in &self.page {
                if count == MOST_RECORDS {
                    excerpt = Some(self.out.clone());
                }
                record.write(&mut self.out);
                count += 1;
            }
            let is_full = self.dialect == Dialect::Framed && self.out.len() > MAX_FRAME;
            let Some((scope, cursor)) = next.filter(|_| !is_full) else {
                break;
            };
            if self.dialect == Dialect::Text {
                stream.write_all(&self.out)?;
                self.out.clear();
            }
            let after = self.server.catalog.page(scope, cursor, &mut self.page);
            self.keep_wanted();
            next = after.map(|cursor| (scope, cursor));
        }
        end_response(&mut self.out);
        let framed = (self.dialect == Dialect::Framed).then(|| framed::frame(&self.out));
        let message = framed.as_ref().map_or(self.out.as_slice(), Frame::bytes);
        let told = excerpt.as_deref().unwrap_or(message);
        let more = excerpt.as_ref().map_or(0, |_| count - MOST_RECORDS);
        let events = &self.server.events;
        events.message(self.link, Way::Sent, told, more);
        stream.write_all(message)
    }

    /// Refuses for a reason that the answer has no place for.
    fn reject(&mut self, stream: &mut impl Write, reject: Reject) -> io::Result<()> {
        let Reject { status, reason } = reject;
        self.server.events.refusing(self.link, status, reason);
        self.refuse(stream, status)
    }

    fn refuse(&mut self, stream: &mut impl Write, status: Status) -> io::Result<()> {
        let text = refusal(status);
        let response = match self.dialect {
            Dialect::Text => text,
            Dialect::Framed => framed::frame(&text).bytes().to_vec(),
        };
        self.server.events.sent(self.link, &response);
        stream.write_all(&response)
    }
}

/// The peer is out of the list, and that is told, in whatever way the session ends.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        let left = self.presence.leave();
        if let Some(left) = &left {
            self.say_left(left);
        }
        self.server.events.tell(Topic::Life, || Event::Closed {
            link: self.link,
            had_name: left.is_some(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::Notes;
    use crate::wire::testing::Script;
    use std::io::{BufRead, Read};

    /// A peer whose session panics when it asks for more than was sent.
    struct Trap(Script);

    impl Read for Trap {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl BufRead for Trap {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            assert!(!self.0.buffered().is_empty(), "a fault in a session");
            self.0.fill_buf()
        }

        fn consume(&mut self, count: usize) {
            self.0.consume(count);
        }
    }

    impl Source for Trap {
        fn allow(&mut self, _: Option<Duration>) {}

        fn buffered(&self) -> &[u8] {
            self.0.buffered()
        }
    }

    impl Write for Trap {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_ends_its_session_only_and_its_records_go() {
        let notes = Notes::default();
        let server = Server {
            catalog: Catalog::new(10),
            sockets: Sockets::default(),
            events: Events::default().and(notes.clone()),
            request_time: Duration::from_secs(1),
        };
        let (add, from) = (
            "ADD RFC 1 P2P-CI/1.0\nHost: vm\nPort: 9\nTitle: t\n\n",
            ([127, 0, 0, 1], 5).into(),
        );
        let other = server.catalog.join(2, [127, 0, 0, 1].into());
        let (serving, mut trap) = (server.clone(), Trap(Script::of(add)));
        let session = std::thread::spawn(move || serving.serve(&mut trap, 1, from));
        assert!(session.join().is_err());
        let told = notes.all();
        assert!(told.iter().any(|event| event.starts_with("Added ")));
        let [.., left, closed] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert!(left.starts_with("Left ") && left.contains("records: 1,"));
        assert!(closed.starts_with("Closed ") && closed.contains("had_name: true"));
        assert!(server.catalog.is_empty());
        let record = Record::parse("RFC 1 t vm 9").unwrap();
        assert!(other.add(&record, |_| {}).is_ok(), "the others go on");
    }
}
