//! The upload server: answers GET with a file of the library, and with what this peer knows.
//!
//! P2P-CI/1.0 and P2P-DI/1.0 are told apart by the version token of each request, and text from
//! frames by the first byte of a connection.

mod framed;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::warn;

use super::Activity;
use crate::file_error::FileError;
use crate::index::Known;
use crate::library::{Document, Library};
use crate::net::{Connection, Listener, Pace, Sockets};
use crate::printout::Transcript;
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

/// What answers other peers. Clones share the library and the printout.
#[derive(Debug, Clone)]
pub struct Uploads {
    /// What is served.
    pub library: Arc<Library>,
    /// What is told of others to those who ask for the index.
    pub known: Known,
    /// How fast all uploads together may be.
    pub pace: Option<Pace>,
    /// Where what was uploaded is counted.
    pub activity: Activity,
    /// The connections of those who download.
    pub sockets: Sockets,
    /// Where requests and responses are printed.
    pub transcript: Transcript,
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
        let (sockets, no_room) = (self.sockets.clone(), refusal(Status::ServiceUnavailable));
        if let Err(error) = listener.serve("upload", &sockets, no_room, move |c| self.serve(c)) {
            warn!(%error, "uploads have ended");
        }
    }

    /// Answers what a connection asks, and ends it.
    fn serve(&self, mut connection: Connection) {
        let from = connection.peer();
        if let Ok(Some(true)) = frame::is_next(&mut connection, WAITS.first) {
            return self.serve_frames(connection);
        }
        let head =
            match Requests::default().next(&mut connection, WAITS, |head| wanted(head).is_ok()) {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(HeadError::Io(error)) => {
                    warn!(%from, %error, "a connection for uploads was lost");
                    return;
                }
                Err(error) => {
                    warn!(%from, %error, "answered 400 and closed");
                    return self.refuse(connection, Protocol::Ci, Status::BadRequest);
                }
            };
        self.sockets.heard(connection.id());
        self.transcript
            .message(format_args!("[UPLOAD] Request from {from}:"), head.text());
        let protocol = Protocol::of_request(&head).unwrap_or(Protocol::Ci);
        match wanted(&head) {
            Ok(Wanted::Document(number)) => self.deliver(connection, protocol, number),
            Ok(Wanted::Index) => self.tell(connection),
            Err(reject) => {
                warn!(%from, reason = %reject.reason, "answered {}", reject.status.code());
                self.refuse(connection, protocol, reject.status);
            }
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
                warn!("{error}");
                return self.refuse(connection, protocol, Status::NotFound);
            }
        };
        self.respond(&mut connection, &head);
        let Document { file, length, .. } = document;
        let from = connection.peer();
        match connection.send_file(&file, length, self.pace.as_ref()) {
            Ok(()) => {
                let line = format_args!("[UPLOAD] Sent RFC {number} to {from} ({length} bytes)");
                self.transcript.detail(line);
                self.activity
                    .uploaded(number, from, length, SystemTime::now());
                connection.end();
            }
            Err(error) => {
                let line =
                    format_args!("[UPLOAD] RFC {number} was not sent whole to {from}: {error}");
                self.transcript.detail(line);
            }
        }
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
        let title = format_args!("[UPLOAD] Response to {}:", connection.peer());
        self.transcript.message(title, head);
        // It is collected here and sent later, so a failure shows with what is sent after it.
        let _ = connection.write_all(head);
    }
}
