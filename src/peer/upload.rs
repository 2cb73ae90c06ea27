//! The upload server: answers GET with a file of the library.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::warn;

use super::Activity;
use super::library::{Document, Library};
use crate::net::{Connection, Listener, Sockets};
use crate::transcript::Transcript;
use crate::wire::Status;
use crate::wire::ci::p2p::{Delivery, Get, refusal};
use crate::wire::{Head, HeadError, RfcNumber, Waits};

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
    /// Where what was uploaded is counted.
    pub activity: Activity,
    /// The connections of those who download.
    pub sockets: Sockets,
    /// Where requests and responses are printed.
    pub transcript: Transcript,
    /// The `OS` header of our responses.
    pub os: Arc<str>,
}

impl Uploads {
    /// Answers whoever connects, until the sockets are closed.
    pub fn run(self, listener: Listener) {
        let (sockets, no_room) = (self.sockets.clone(), refusal(Status::ServiceUnavailable));
        if let Err(error) = listener.serve("upload", &sockets, no_room, move |c| self.serve(c)) {
            warn!(%error, "uploads have ended");
        }
    }

    /// Answers one request and ends the connection.
    fn serve(&self, mut connection: Connection) {
        let from = connection.peer();
        let head = match Head::read(&mut connection, WAITS) {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(HeadError::Io(error)) => {
                warn!(%from, %error, "a connection for uploads was lost");
                return;
            }
            Err(error) => {
                warn!(%from, %error, "answered 400 and closed");
                return self.refuse(connection, Status::BadRequest);
            }
        };
        self.sockets.heard(connection.id());
        self.transcript
            .message(format_args!("[UPLOAD] Request from {from}:"), head.text());
        match Get::parse(&head) {
            Ok(get) => self.deliver(connection, get.number),
            Err(reject) => {
                warn!(%from, reason = %reject.reason, "answered {}", reject.status.code());
                self.refuse(connection, reject.status);
            }
        }
    }

    fn deliver(&self, mut connection: Connection, number: RfcNumber) {
        let Document {
            file,
            length,
            modified,
        } = match self.library.read(number) {
            Ok(Some(document)) => document,
            Ok(None) => return self.refuse(connection, Status::NotFound),
            Err(error) => {
                warn!("{error}");
                return self.refuse(connection, Status::NotFound);
            }
        };
        let delivery = Delivery {
            date: SystemTime::now(),
            os: &self.os,
            last_modified: modified,
            length,
        };
        self.respond(&mut connection, &delivery.to_bytes());
        let from = connection.peer();
        match connection.send_file(&file, length) {
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

    fn refuse(&self, mut connection: Connection, status: Status) {
        self.respond(&mut connection, &refusal(status));
        connection.finish();
    }

    fn respond(&self, connection: &mut Connection, head: &[u8]) {
        let title = format_args!("[UPLOAD] Response to {}:", connection.peer());
        self.transcript.message(title, head);
        // It is collected here and sent later, so a failure shows with what is sent after it.
        let _ = connection.write_all(head);
    }
}
