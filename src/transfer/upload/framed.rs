//! Uploads in frames: one GET of P2P-CI for each connection, or as many rfcquery and getrfc as
//! come.

use std::fs::File;
use std::io::{self, Read, Write};

use tracing::debug;

use super::{Uploads, WAITS, wanted};
use crate::event::{Level, Role};
use crate::library::{Document, Rfc};
use crate::net::Connection;
use crate::wire::ci::framed;
use crate::wire::ci::p2p::refusal;
use crate::wire::di::exchange::Wanted;
use crate::wire::di::framed::{self as di_framed, DocumentObject, Request, response};
use crate::wire::frame::{self, Frame, FrameError, MAX_FRAME};
use crate::wire::{Head, MAX_HEAD, Protocol, Reject, Status};

/// The most of a file that goes into one frame of P2P-CI, in bytes.
const FILE_FRAME: usize = 1024;

impl Uploads {
    /// Answers what comes in frames.
    pub(super) fn serve_frames(&self, mut connection: Connection) {
        let link = connection.link(Role::Upload);
        loop {
            let frame = match frame::read(&mut connection, WAITS, MAX_HEAD) {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(FrameError::Io(_)) => return,
                Err(error) => {
                    let reject = Reject::bad_request(error.to_string());
                    let _ = self.refuse_frame(&mut connection, &reject);
                    return connection.finish();
                }
            };
            self.sockets.heard(connection.id());
            self.events.received(link, frame.bytes());
            let answered = match Head::parse(frame.content()) {
                Ok((head, _)) if Request::is_one(&head) => self.exchange(&mut connection, &head),
                Ok((head, _)) => {
                    // A connection of P2P-CI serves one GET.
                    let _ = self.get(&mut connection, &head);
                    return connection.finish();
                }
                Err(error) => {
                    let reject = Reject::bad_request(error.to_string());
                    let _ = self.refuse_frame(&mut connection, &reject);
                    return connection.finish();
                }
            };
            if let Err(error) = answered {
                debug!(from = %link.remote, %error, "the connection was lost");
                return;
            }
        }
    }

    /// P2P-CI: the head in one frame, and the file in frames of at most 1,024 bytes.
    fn get(&self, connection: &mut Connection, head: &Head) -> io::Result<()> {
        let number = match wanted(head) {
            Ok(Wanted::Document(number)) => number,
            Ok(Wanted::Index) => {
                let reject = Reject::bad_request("an index is asked for in another protocol");
                return self.refuse_frame(connection, &reject);
            }
            Err(reject) => return self.refuse_frame(connection, &reject),
        };
        let (document, head) = match self.open(Protocol::Ci, number) {
            Ok(Some(opened)) => opened,
            Ok(None) => return self.send(connection, &not_found()),
            Err(error) => {
                self.events.notice(Level::Warning, error);
                return self.send(connection, &not_found());
            }
        };
        self.send(connection, &framed::frame(&head))?;
        let Document { file, length, .. } = document;
        self.send_whole(connection, number, length, |connection| {
            self.send_pieces(connection, &file, length)
        })
    }

    fn send_pieces(&self, connection: &mut Connection, file: &File, length: u64) -> io::Result<()> {
        let mut rest = file.take(length);
        let mut piece = Vec::with_capacity(FILE_FRAME);
        let mut sent = 0;
        while sent < length {
            piece.clear();
            let limit = u64::try_from(FILE_FRAME).unwrap_or_default();
            let read = rest.by_ref().take(limit).read_to_end(&mut piece)?;
            let read = u64::try_from(read).unwrap_or_default();
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(pace) = &self.pace {
                pace.wait_for(read);
            }
            connection.write_all(Frame::around(&piece).bytes())?;
            connection.flush()?;
            sent += read;
        }
        Ok(())
    }

    /// P2P-DI: rfcquery or getrfc.
    fn exchange(&self, connection: &mut Connection, head: &Head) -> io::Result<()> {
        let number = match Request::parse(head) {
            Ok(Request::Index) => {
                let shared = self.library.shared().into_iter();
                let own: Vec<_> = shared.map(|rfc| rfc.held_by(self.known.me())).collect();
                let body = di_framed::documents(&own);
                let answer = response(Some(body.as_bytes()));
                return self.send(connection, &answer.unwrap_or_else(unavailable));
            }
            Ok(Request::Document(number)) => number,
            Ok(_) => return self.send(connection, &di_framed::refusal(Status::BadRequest)),
            Err(reject) => {
                let link = connection.link(Role::Upload);
                self.events
                    .refusing(link, Status::BadRequest, reject.reason);
                return self.send(connection, &di_framed::refusal(Status::BadRequest));
            }
        };
        let document = self.library.document(number).unwrap_or_else(|error| {
            self.events.notice(Level::Warning, error);
            None
        });
        let Some(document) = document else {
            return self.send(connection, &di_framed::refusal(Status::NotFound));
        };
        let title = self.library.title_of(&document);
        let record = Rfc { number, title }.held_by(self.known.me());
        let Document { file, length, .. } = document;
        let mut bytes = Vec::new();
        file.take(u64::try_from(MAX_FRAME).unwrap_or_default())
            .read_to_end(&mut bytes)?;
        let got = u64::try_from(bytes.len()).unwrap_or_default();
        // What is too long for a frame can't be had in this dialect.
        let Some(content) = response(Some(&bytes)).filter(|_| got == length) else {
            return self.send(connection, &di_framed::refusal(Status::NotFound));
        };
        let object = DocumentObject::from(&record).to_json();
        let about = response(Some(object.as_bytes())).unwrap_or_else(unavailable);
        self.send(connection, &about)?;
        self.send_whole(connection, number, length, |connection| {
            if let Some(pace) = &self.pace {
                pace.wait_for(length);
            }
            connection.write_all(content.bytes())?;
            connection.flush()
        })
    }

    fn refuse_frame(&self, connection: &mut Connection, reject: &Reject) -> io::Result<()> {
        let Reject { status, reason } = reject;
        let link = connection.link(Role::Upload);
        self.events.refusing(link, *status, reason);
        self.send(connection, &framed::frame(&refusal(*status)))
    }

    fn send(&self, connection: &mut Connection, frame: &Frame) -> io::Result<()> {
        self.events
            .sent(connection.link(Role::Upload), frame.bytes());
        connection.write_all(frame.bytes())?;
        connection.flush()
    }
}

fn not_found() -> Frame {
    framed::frame(&refusal(Status::NotFound))
}

fn unavailable() -> Frame {
    di_framed::refusal(Status::ServiceUnavailable)
}
