//! One peer's connection to the index server: read a request, answer it, print both.
//!
//! The session sees a stream and a printout, and no socket.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tracing::{debug, warn};

use super::catalog::{Catalog, Cursor, Denied, Entrance, Gone, Left, PAGE, Presence, Scope};
use crate::net::Sockets;
use crate::transcript::Transcript;
use crate::wire::Record;
use crate::wire::ci::p2s::{Request, begin_response, end_response, refusal};
use crate::wire::{HeadError, Requests, Source, Waits};
use crate::wire::{Reject, Status};

/// The most records of a response that are printed. Those after them are counted.
const PRINTED_RECORDS: usize = 200;
// So that what is printed is still at hand when it turns out that there is more.
const _: () = assert!(PRINTED_RECORDS < PAGE);

/// What all sessions of a server share.
#[derive(Debug, Clone)]
pub struct Server {
    /// Who has what.
    pub catalog: Catalog,
    /// The connections of the sessions.
    pub sockets: Sockets,
    /// Where messages are printed.
    pub transcript: Transcript,
    /// How long a request may take from its first byte to its last, however slowly it drips in.
    /// Between requests a connection may be silent for ever: people read menus.
    pub request_time: Duration,
}

/// Why a session ends before its peer closes.
enum End {
    /// The connection failed, or has lost its name: there is nobody to answer.
    Gone,
    /// The stream is out of step: the last word is 400.
    OutOfStep(HeadError),
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
        self.transcript
            .line(format_args!("[SERVER] New TCP connection from {from}"));
        let presence = self.catalog.join(connection, from.ip());
        let mut session = Session {
            server: self,
            presence,
            connection,
            from,
            page: Vec::new(),
            out: Vec::new(),
        };
        if let Err(End::OutOfStep(error)) = session.run(stream) {
            warn!(%from, %error, "answered 400 and closed");
            // Where the peer is gone, nothing is lost with the answer.
            let _ = session.refuse(stream, Status::BadRequest);
        }
        let _ = stream.flush();
    }
}

struct Session<'a> {
    server: &'a Server,
    presence: Presence,
    connection: u64,
    from: SocketAddr,
    page: Vec<Record>,
    out: Vec<u8>,
}

impl Session<'_> {
    fn run(&mut self, stream: &mut (impl Source + Write)) -> Result<(), End> {
        let waits = Waits {
            first: None,
            whole: self.server.request_time,
        };
        let mut is_first = true;
        let mut requests = Requests::default();
        loop {
            let head = match requests.next(stream, waits, |head| Request::parse(head).is_ok()) {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(()),
                Err(HeadError::Io(error)) => return Err(error.into()),
                Err(error) => return Err(End::OutOfStep(error)),
            };
            if std::mem::take(&mut is_first) {
                self.server.sockets.heard(self.connection);
            }
            let title = format_args!("[SERVER] Request from {}:", self.from);
            self.server.transcript.message(title, head.text());
            let answered = match Request::parse(&head) {
                Ok(request) => self.answer(stream, request)?,
                Err(reject) => Err(reject),
            };
            if let Err(Reject { status, reason }) = answered {
                warn!(from = %self.from, %reason, "answered {}", status.code());
                self.refuse(stream, status)?;
            }
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
                let Record { number, holder, .. } = &record;
                let line = format_args!("[SERVER] Added RFC {number} from {}", holder.host);
                self.server.transcript.detail(line);
                self.page.clear();
                self.page.push(record);
                self.respond(stream, None)?;
            }
            Request::Lookup { number, .. } => {
                let next = self.first_page(Scope::Of(number));
                if self.page.is_empty() {
                    self.refuse(stream, Status::NotFound)?;
                } else {
                    self.respond(stream, next)?;
                }
            }
            Request::List { .. } => {
                let next = self.first_page(Scope::All);
                self.respond(stream, next)?;
            }
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
            self.print_left(&left);
        }
    }

    fn say_entrance(&self, entrance: Entrance, request: &Request) {
        if let (Entrance::New, Some(name)) = (entrance, request.name()) {
            self.server
                .transcript
                .line(format_args!("[SERVER] Added {name}"));
        }
    }

    fn first_page(&mut self, scope: Scope) -> Option<(Scope, Cursor)> {
        let next = self
            .server
            .catalog
            .page(scope, Cursor::default(), &mut self.page);
        next.map(|cursor| (scope, cursor))
    }

    fn print_left(&self, Left { name, records }: &Left) {
        self.server.transcript.line(format_args!(
            "[SERVER] Peer {name} left. Removed 1 peer(s), {records} RFC(s)."
        ));
    }

    /// Sends the page at hand and all those after it. Memory holds one page of them.
    fn respond(
        &mut self,
        stream: &mut impl Write,
        mut next: Option<(Scope, Cursor)>,
    ) -> io::Result<()> {
        let mut count = 0;
        let mut excerpt = None;
        self.out.clear();
        begin_response(Status::Ok, &mut self.out);
        loop {
            for record in &self.page {
                if count == PRINTED_RECORDS {
                    excerpt = Some(self.out.clone());
                }
                record.write(&mut self.out);
                count += 1;
            }
            let Some((scope, cursor)) = next else { break };
            stream.write_all(&self.out)?;
            self.out.clear();
            let after = self.server.catalog.page(scope, cursor, &mut self.page);
            next = after.map(|cursor| (scope, cursor));
        }
        end_response(&mut self.out);
        match excerpt {
            None => self.print_response(&self.out),
            Some(mut excerpt) => {
                // Writing to memory does not fail.
                let _ = writeln!(
                    excerpt,
                    "... and {} more records\n",
                    count - PRINTED_RECORDS
                );
                self.print_response(&excerpt);
            }
        }
        stream.write_all(&self.out)
    }

    fn refuse(&mut self, stream: &mut impl Write, status: Status) -> io::Result<()> {
        let response = refusal(status);
        self.print_response(&response);
        stream.write_all(&response)
    }

    fn print_response(&self, response: &[u8]) {
        let title = format_args!("[SERVER] Response to {}:", self.from);
        self.server.transcript.message(title, response);
    }
}

/// The peer is out of the list and its line printed in whatever way the session ends.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(left) = self.presence.leave() {
            self.print_left(&left);
        } else {
            let from = self.from;
            self.server
                .transcript
                .line(format_args!("[SERVER] Connection from {from} closed"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Shows;
    use crate::transcript::testing::Paper;
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
        let paper = Paper::default();
        let server = Server {
            catalog: Catalog::new(10),
            sockets: Sockets::default(),
            transcript: paper.transcript(Shows::Messages),
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
        let printed = paper.text(&server.transcript);
        assert!(
            printed.contains("[SERVER] Added RFC 1 from vm\n"),
            "{printed}"
        );
        assert!(
            printed.ends_with("[SERVER] Peer vm:9 left. Removed 1 peer(s), 1 RFC(s).\n"),
            "{printed}"
        );
        assert!(server.catalog.is_empty());
        let record = Record::parse("RFC 1 t vm 9").unwrap();
        assert!(other.add(&record, |_| {}).is_ok(), "the others go on");
    }
}
