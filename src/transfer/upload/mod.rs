//! The upload server: answers GET with a file of the library, and with what this peer knows.
//!
//! P2P-CI/1.0 and P2P-DI/1.0 are told apart by the version token of each request, and text from
//! frames by the first byte of a connection.

mod framed;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::debug;

use crate::event::{Event, Events, Level, Role, Step, Topic};
use crate::file_error::FileError;
use crate::index::Known;
use crate::library::{Document, Library};
use crate::net::{Connection, Listener, Pace, Sockets};
use crate::wire::ci::p2p::{Delivery, Get, refusal};
use crate::wire::di::exchange::{self, Wanted, index};
use crate::wire::di::{self, Origin};
use crate::wire::frame;
use crate::wire::{Head, HeadError, Protocol, Reject, Requests, RfcNumber, Status, Waits};

/// Another peer connects to ask at once, so it has little time to begin.
const WAITS: Waits = Waits {
    first: Some(Duration::from_secs(30)),
    whole: Duration::from_secs(30),
};

/// What answers other peers. Clones share the library.
#[derive(Debug, Clone)]
pub struct Uploads {
    /// What is served.
    pub library: Arc<Library>,
    /// What is told of others to those who ask for the index.
    pub known: Known,
    /// How fast all uploads together may be.
    pub pace: Option<Pace>,
    /// The connections of those who download.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// The `OS` header of our responses.
    pub os: Arc<str>,
}

/// Reads a request in either protocol.
fn wanted(head: &Head) -> Result<Wanted, Reject> {
    match Protocol::of_request(head) {
        Some(Protocol::Di) => exchange::Get::parse(head).map(|get| get.wanted),
        Some(Protocol::Ci) | None => Get::parse(head).map(|get| Wanted::Document(get.number)),
    }
}

impl Uploads {
    /// Answers whoever connects, until the sockets are closed.
    pub fn run(self, listener: Listener) {
        let (sockets, events) = (self.sockets.clone(), self.events.clone());
        let no_room = refusal(Status::ServiceUnavailable);
        let serve = move |connection| self.serve(connection);
        if let Err(error) = listener.serve(Role::Upload, &sockets, no_room, &events, serve) {
            let what = format_args!("uploads have ended: {error}");
            events.notice(Level::Warning, what);
        }
    }

    /// Answers what a connection asks, and ends it.
    fn serve(&self, mut connection: Connection) {
        let link = connection.link(Role::Upload);
        if let Ok(Some(true)) = frame::is_next(&mut connection, WAITS.first) {
            return self.serve_frames(connection);
        }
        let head =
            match Requests::default().next(&mut connection, WAITS, |head| wanted(head).is_ok()) {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(HeadError::Io(error)) => {
                    debug!(from = %link.remote, %error, "a connection for uploads was lost");
                    return;
                }
                Err(error) => {
                    let reject = Reject::bad_request(error.to_string());
                    return self.reject(connection, Protocol::Ci, reject);
                }
            };
        self.sockets.heard(connection.id());
        self.events.received(link, head.text());
        let protocol = Protocol::of_request(&head).unwrap_or(Protocol::Ci);
        match wanted(&head) {
            Ok(Wanted::Document(number)) => self.deliver(connection, protocol, number),
            Ok(Wanted::Index) => self.tell(connection),
            Err(reject) => self.reject(connection, protocol, reject),
        }
    }

    /// Tells what this peer has, and what it knows of others.
    fn tell(&self, mut connection: Connection) {
        let records = self.known.all(self.library.shared(), Instant::now());
        self.respond(&mut connection, &index(&records, self.origin()));
        connection.finish();
    }

    fn deliver(&self, mut connection: Connection, protocol: Protocol, number: RfcNumber) {
        let (document, head) = match self.open(protocol, number) {
            Ok(Some(opened)) => opened,
            Ok(None) => return self.refuse(connection, protocol, Status::NotFound),
            Err(error) => {
                self.events.notice(Level::Warning, error);
                return self.refuse(connection, protocol, Status::NotFound);
            }
        };
        self.respond(&mut connection, &head);
        let Document { file, length, .. } = document;
        let pace = self.pace.as_ref();
        let sent = self.send_whole(&mut connection, number, length, |connection| {
            connection.send_file(&file, length, pace)
        });
        if sent.is_ok() {
            connection.end();
        }
    }

    /// Tells how a document begins to leave, and whether all of its `length` has left in the end.
    fn send_whole(
        &self,
        connection: &mut Connection,
        number: RfcNumber,
        length: u64,
        send: impl FnOnce(&mut Connection) -> io::Result<()>,
    ) -> io::Result<()> {
        let link = connection.link(Role::Upload);
        let tell = |step| {
            self.events
                .tell(Topic::Life, || Event::Upload { link, number, step });
        };
        tell(Step::Began {
            length: Some(length),
        });
        let ended = send(connection);
        tell(match &ended {
            Ok(()) => Step::Done {
                bytes: length,
                path: None,
            },
            Err(error) => Step::Failed {
                why: error.to_string().into(),
            },
        });
        ended
    }

    /// Opens a document, and makes the head of the response that carries it.
    fn open(
        &self,
        protocol: Protocol,
        number: RfcNumber,
    ) -> Result<Option<(Document, Vec<u8>)>, FileError> {
        let Some(document) = self.library.document(number)? else {
            return Ok(None);
        };
        let (length, last_modified) = (document.length, document.modified);
        let head = match protocol {
            Protocol::Ci => Delivery {
                date: SystemTime::now(),
                os: &self.os,
                last_modified,
                length,
            }
            .to_bytes(),
            Protocol::Di => exchange::Delivery {
                number,
                title: &self.library.title_of(&document),
                last_modified,
                digest: self.library.digest(&document)?,
                length,
            }
            .to_bytes(self.origin()),
        };
        Ok(Some((document, head)))
    }

    /// Refuses for a reason that the answer has no place for.
    fn reject(&self, connection: Connection, protocol: Protocol, reject: Reject) {
        let Reject { status, reason } = reject;
        let link = connection.link(Role::Upload);
        self.events.refusing(link, status, reason);
        self.refuse(connection, protocol, status);
    }

    fn refuse(&self, mut connection: Connection, protocol: Protocol, status: Status) {
        let response = match protocol {
            Protocol::Ci => refusal(status),
            Protocol::Di => di::refusal(status, self.origin()),
        };
        self.respond(&mut connection, &response);
        connection.finish();
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            date: SystemTime::now(),
            os: &self.os,
        }
    }

    fn respond(&self, connection: &mut Connection, head: &[u8]) {
        self.events.sent(connection.link(Role::Upload), head);
        // It is collected here and sent later, so a failure shows with what is sent after it.
        let _ = connection.write_all(head);
    }
}
