//! One peer's connection to the index server: read a request, carry it out, write the answer.
//!
//! The session works on a stream and knows no sockets.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::iter;
use std::mem;
use std::time::Duration;

use tracing::debug;

use super::catalog::{Catalog, Cursor, Denied, Entrance, Gone, Left, Presence, Scope};
use crate::event::{Departure, Event, Events, Link, MOST_RECORDS, Topic, Way};
use crate::net::Sockets;
use crate::wire::ci::RecordLines;
use crate::wire::ci::p2s::Request;
use crate::wire::ci::server::{Answer, Conversation};
use crate::wire::{Endpoint, ReadError, Received, Record, Reject, Source, Status, Title};

/// What all sessions of an index server share.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// Who has what.
    pub catalog: Catalog,
    /// The open connections.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// How long a request may take from its first byte to its last. Between requests a connection
    /// may be silent forever, because people read menus.
    pub request_time: Duration,
}

impl Sessions {
    /// Serves one peer until it leaves. `link` names its connection in `sockets`.
    pub fn serve(&self, stream: &mut (impl Source + Write), link: Link) {
        self.events.tell(Topic::Life, || Event::Opened(link));
        let mut session = Session {
            shared: self,
            presence: self.catalog.join(link.id, link.remote.ip()),
            link,
            conversation: Conversation::default(),
            ahead: VecDeque::new(),
            added: 0,
            page: RecordLines::default(),
            out: Vec::new(),
            departure: Departure::Left,
        };
        if let Err(error) = session.run(stream) {
            debug!(%error, "connection lost");
            session.departure = Departure::Lost;
        }
        // If the peer is gone, the rest may be lost.
        let _ = stream.flush();
    }
}

struct Session<'a> {
    shared: &'a Sessions,
    presence: Presence,
    link: Link,
    conversation: Conversation,
    /// The requests that are read already.
    ahead: VecDeque<Received<Request>>,
    /// How many of the next requests are ADDs whose records are in the catalog.
    added: usize,
    /// The records that go into the answer next.
    page: RecordLines,
    /// The buffer of the last answer. If it or the page is large, it is freed: an idle connection
    /// holds nothing else of what it did.
    out: Vec<u8>,
    /// How its peer leaves.
    departure: Departure,
}

/// The largest buffer that is kept for the next answer, in bytes.
const KEPT_ANSWER: usize = 512;

/// Why a request was not carried out.
enum Undone {
    /// The connection failed or lost its name: there is nobody to answer.
    Gone(io::Error),
    /// The request is refused.
    Rejected(Reject),
}

impl From<io::Error> for Undone {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Denied> for Undone {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Replaced => Self::Gone(io::Error::other(denied)),
            denied => Self::Rejected(Reject::bad_request(denied.to_string())),
        }
    }
}

/// The record of an ADD.
fn record_of(received: &Received<Request>) -> Option<&Record> {
    match &received.request {
        Ok(Request::Add(record)) if !received.is_late => Some(record),
        _ => None,
    }
}

impl Session<'_> {
    /// Answers one request after the other. An error is one of the connection.
    fn run(&mut self, stream: &mut (impl Source + Write)) -> io::Result<()> {
        let mut is_first = true;
        loop {
            let received = match self.next(stream) {
                Ok(Some(received)) => received,
                Ok(None) => return Ok(()),
                // The stream is out of step, so this is the last answer.
                Err(error) => {
                    return match error.reject() {
                        Some(reject) => self.reject(stream, reject),
                        None => Err(io::Error::other(error)),
                    };
                }
            };
            if mem::take(&mut is_first) {
                self.shared.sockets.heard(self.link.id);
            }
            if received.is_late {
                self.let_in_late(&received)?;
                continue;
            }
            self.shared.events.asked(self.link, &received);
            let request = received.request.map_err(Undone::Rejected);
            let is_last = matches!(request, Ok(Request::Close));
            let answered = request.and_then(|request| {
                self.let_in(&request)?;
                self.answer(stream, &request)
            });
            match answered {
                Ok(()) => {}
                Err(Undone::Rejected(reject)) => self.reject(stream, reject)?,
                Err(Undone::Gone(error)) => return Err(error),
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The next request. Of ADDs that arrived together, the records are added together. Apart for the
    /// same reason as [`answer`](Self::answer).
    #[inline(never)]
    fn next(&mut self, stream: &mut impl Source) -> Result<Option<Received<Request>>, ReadError> {
        if let Some(received) = self.ahead.pop_front() {
            return Ok(Some(received));
        }
        self.ahead = VecDeque::new();
        let first = self.conversation.next(stream, self.shared.request_time)?;
        // Those who see the messages see what each one does before the next one.
        if !self.shared.events.wants(Topic::Messages)
            && let Some(received) = first.as_ref()
            && let Some(record) = record_of(received)
        {
            self.add_together(record, stream);
        }
        Ok(first)
    }

    /// Adds a record with those that have arrived after it. Apart for the same reason as
    /// [`answer`](Self::answer).
    #[inline(never)]
    fn add_together(&mut self, first: &Record, stream: &mut impl Source) {
        while self
            .ahead
            .back()
            .is_none_or(|last| record_of(last).is_some())
            && let Some(received) = self.conversation.next_arrived(stream)
        {
            self.ahead.push_back(received);
        }
        let records = iter::once(first).chain(self.ahead.iter().map_while(record_of));
        self.added = self.presence.add_known(records);
    }

    /// Carries out a request and answers it.
    ///
    /// Like the other steps, it has a stack frame of its own, of which nothing is in use during the
    /// next one: an idle session keeps every page of its stack that was ever used.
    #[inline(never)]
    fn answer(&mut self, stream: &mut impl Write, request: &Request) -> Result<(), Undone> {
        match request {
            Request::Add(record) => {
                let link = self.link;
                let added = || Event::Added { link, record };
                self.shared.events.tell(Topic::Messages, added);
                let Record {
                    number,
                    title,
                    holder,
                } = record;
                self.page.clear();
                self.page.push(*number, title, holder);
                self.respond(stream, request)?;
            }
            Request::Lookup { number, title, .. } => {
                self.respond_with_all(stream, request, Scope::Of(*number), title)?;
            }
            Request::List(_) => {
                self.respond_with_all(stream, request, Scope::All, &Title::default())?;
            }
            Request::Delete(name) => self.withdraw(stream, request, name)?,
            Request::TakeBack { number, peer } => match self.presence.take_back(peer, *number)? {
                Some(record) => {
                    if let Some(record) = &record.records().next() {
                        let link = self.link;
                        let removed = || Event::Removed { link, record };
                        self.shared.events.tell(Topic::Messages, removed);
                    }
                    self.page = record;
                    self.respond(stream, request)?;
                }
                None => self.refuse(stream, Status::NotFound)?,
            },
            Request::Close | Request::Greeting => self.refuse(stream, Status::Ok)?,
        }
        Ok(())
    }

    /// The first request that names its peer adds it to the list; ADD also adds its record.
    #[inline(never)]
    fn let_in(&mut self, request: &Request) -> Result<(), Denied> {
        if self.added > 0 {
            self.added -= 1;
            return Ok(());
        }
        let Some(name) = request.name() else {
            return Ok(());
        };
        let gone = |gone| self.tell_gone(gone);
        let entrance = match request {
            Request::Add(record) => self.presence.add(record, gone)?,
            _ => self.presence.introduce(&name, gone)?,
        };
        if entrance == Entrance::New {
            self.shared.events.tell(Topic::Life, || Event::Entered {
                name: &name,
                from: self.link.remote,
                cookie: None,
            });
        }
        Ok(())
    }

    /// A request whose name came after its answer adds its peer too. It can't be refused any more.
    #[cold]
    fn let_in_late(&mut self, received: &Received<Request>) -> io::Result<()> {
        let request = received.request.as_ref();
        match request.map_or(Ok(()), |request| self.let_in(request)) {
            Err(Denied::Replaced) => Err(io::Error::other(Denied::Replaced)),
            Err(denied) => {
                debug!(%denied, "a late name is ignored");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reports who left because of this session's peer, and closes the connection that lost its
    /// name.
    fn tell_gone(&self, gone: Gone) {
        let left = match gone {
            Gone::Renamed(left) => Some(left),
            Gone::Replaced(connection, left) => {
                self.shared.sockets.close(connection);
                left
            }
        };
        if let Some(Left { name, records }) = left {
            self.tell_left(&name, records);
        }
    }

    fn tell_left(&self, name: &Endpoint, records: usize) {
        self.shared.events.tell(Topic::Life, || Event::Left {
            name,
            cookie: None,
            records,
            departure: self.departure,
        });
    }

    /// Answers with the records of the page.
    fn respond(&mut self, stream: &mut impl Write, request: &Request) -> io::Result<()> {
        let mut answer = self.begin(request);
        answer.records(&mut self.page);
        self.end(stream, answer)
    }

    /// Answers with all records in the scope, or those with this title unless it is empty. Only one
    /// page or frame of them is in memory.
    fn respond_with_all(
        &mut self,
        stream: &mut impl Write,
        request: &Request,
        scope: Scope,
        title: &Title,
    ) -> io::Result<()> {
        let mut answer = self.begin(request);
        let mut next = Some(Cursor::default());
        while let Some(cursor) = next.filter(|_| !answer.is_full()) {
            answer.send_ready(stream)?;
            next = self.shared.catalog.page(scope, cursor, &mut self.page);
            if !title.is_empty() {
                self.page.retain_titled(title);
            }
            answer.records(&mut self.page);
        }
        self.end(stream, answer)
    }

    /// Removes the peer, and answers with its records. Each page of them is written before the next
    /// one is removed, so only one is in memory. A peer that does not read them loses its connection
    /// and with it the rest.
    fn withdraw(
        &mut self,
        stream: &mut impl Write,
        request: &Request,
        name: &Endpoint,
    ) -> Result<(), Undone> {
        let mut answer = self.begin(request);
        let Some(mut withdrawal) = self.presence.withdraw(name)? else {
            return Ok(self.refuse(stream, Status::NotFound)?);
        };
        let mut may_go_on = true;
        while may_go_on && !answer.is_full() {
            answer.send_ready(stream)?;
            may_go_on = withdrawal.page(&mut self.page)?;
            answer.records(&mut self.page);
        }
        let Left { name, records } = withdrawal.finish()?;
        self.tell_left(&name, records);
        Ok(self.end(stream, answer)?)
    }

    fn begin(&mut self, request: &Request) -> Answer {
        let out = mem::take(&mut self.out);
        let is_told = self.shared.events.wants(Topic::Messages);
        let most_told = is_told.then_some(MOST_RECORDS);
        self.conversation.answer(request, out, most_told)
    }

    fn end(&mut self, stream: &mut impl Write, mut answer: Answer) -> io::Result<()> {
        answer.end();
        if let Some((told, more)) = answer.told() {
            let events = &self.shared.events;
            events.message(self.link, Way::Sent, told, more);
        }
        self.out = answer.send(stream)?;
        if self.out.capacity() > KEPT_ANSWER {
            self.out = Vec::new();
        }
        self.page.free_above(KEPT_ANSWER);
        Ok(())
    }

    /// Refuses a request, and reports the reason, which the answer has no field for.
    #[cold]
    fn reject(&self, stream: &mut impl Write, reject: Reject) -> io::Result<()> {
        let Reject { status, reason } = reject;
        self.shared.events.refusing(self.link, status, reason);
        self.refuse(stream, status)
    }

    fn refuse(&self, stream: &mut impl Write, status: Status) -> io::Result<()> {
        let answer = self.conversation.refusal(status);
        self.shared.events.sent(self.link, &answer);
        stream.write_all(&answer)
    }
}

/// However the session ends, the peer leaves the list, and that is reported.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        let left = self.presence.leave();
        if let Some(Left { name, records }) = &left {
            self.tell_left(name, *records);
        }
        self.shared.events.tell(Topic::Life, || Event::Closed {
            link: self.link,
            had_name: left.is_some(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Role;
    use crate::event::testing::{Notes, link};
    use crate::wire::testing::Script;
    use std::io::{BufRead, Read};

    /// A peer whose session panics when it reads beyond what was sent.
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

        fn arrives_within(&mut self, time: Duration) -> io::Result<bool> {
            self.0.arrives_within(time)
        }

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
        let server = Sessions {
            catalog: Catalog::new(10),
            sockets: Sockets::default(),
            events: Events::default().and(notes.clone()),
            request_time: Duration::from_secs(1),
        };
        let (add, link) = (
            "ADD RFC 1 P2P-CI/1.0\nHost: vm\nPort: 9\nTitle: t\n\n",
            link(Role::Session),
        );
        let other = server.catalog.join(2, link.remote.ip());
        let (serving, mut trap) = (server.clone(), Trap(Script::of(add)));
        let session = std::thread::spawn(move || serving.serve(&mut trap, link));
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
