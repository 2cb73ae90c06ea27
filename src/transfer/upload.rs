//! The upload server: sends documents of the library, and this peer's index.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tracing::debug;

use crate::event::{Event, Events, Level, MOST_RECORDS, Role, Step, Topic, Way};
use crate::file_error::FileError;
use crate::library::{Document, Library, Rfc};
use crate::net::{Connection, Listener, Pace, Paced, Sockets};
use crate::wire::di::Origin;
use crate::wire::di::exchange::Snapshot;
use crate::wire::p2p::server::{Conversation, Offer};
use crate::wire::p2p::{Codec, Wanted};
use crate::wire::{Endpoint, Reject, RfcNumber, Status};

/// How long a request may take to begin, and then to complete: a peer that connects has a request
/// ready.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Answers other peers.
#[derive(Debug)]
pub struct Uploads<K> {
    /// What is shared.
    pub library: Arc<Library>,
    /// Where this peer is reached.
    pub me: Endpoint,
    /// Returns this peer's index as it is now: what it shares, and what it knows about others.
    pub known: K,
    /// The upload rate of all connections together.
    pub pace: Option<Pace>,
    /// The connections of those who download.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// The `OS` header of our responses.
    pub os: Arc<str>,
}

impl<S: Snapshot, K: Fn() -> S + Send + Sync + 'static> Uploads<K> {
    /// Answers connections until the sockets are closed.
    pub fn serve(self, listener: Listener) {
        let (sockets, events) = (self.sockets.clone(), self.events.clone());
        let codec = Conversation::default().codec();
        let no_room = codec.refusal(Status::ServiceUnavailable, self.origin());
        let answer = move |connection: &mut Connection| {
            let link = connection.link(Role::Upload);
            self.answer(connection);
            let had_name = false;
            let closed = || Event::Closed { link, had_name };
            self.events.tell(Topic::Life, closed);
        };
        if let Err(error) = listener.serve(Role::Upload, &sockets, no_room, &events, answer) {
            let what = format_args!("cannot accept uploads: {error}");
            events.notice(Level::Warning, what);
        }
    }

    /// Answers the requests on a connection, and ends it.
    fn answer(&self, connection: &mut Connection) {
        let link = connection.link(Role::Upload);
        let mut conversation = Conversation::default();
        loop {
            let received = match conversation.next(connection, REQUEST_TIME) {
                Ok(Some(received)) => received,
                Ok(None) => return,
                Err(error) => {
                    let Some(reject) = error.reject() else {
                        return debug!(from = %link.remote, %error, "the connection was lost");
                    };
                    self.reject(connection, conversation.codec(), reject);
                    return connection.finish();
                }
            };
            self.sockets.heard(connection.id());
            self.events.asked(link, &received);
            let codec = conversation.codec();
            let sent = match received.request {
                Ok(Wanted::Document(number)) => self.deliver(connection, codec, number),
                Ok(Wanted::Index) => self.tell_index(connection, codec).map(|()| None),
                Err(reject) => {
                    self.reject(connection, codec, reject);
                    Ok(None)
                }
            };
            match sent {
                Err(error) => {
                    return debug!(from = %link.remote, %error, "the answer was not sent");
                }
                Ok(_) if codec.stays_open() => self.sockets.answered(connection.id()),
                Ok(Some(length)) if !conversation.has_unfinished() => {
                    return connection.end(length);
                }
                // The other side may still write, and would lose the answer to a reset.
                Ok(_) => return connection.finish(),
            }
        }
    }

    /// Sends this peer's index, of which only a page is in memory: an index is long, and whoever
    /// asks may be gone after the first one.
    fn tell_index(&self, connection: &mut Connection, codec: Codec) -> io::Result<()> {
        let known = (self.known)();
        let (mut page, count) = codec.index(&known, &self.me, self.origin());
        let mut records = known.records().take(count);
        for record in records.by_ref().take(MOST_RECORDS) {
            record.write(&mut page);
        }
        let link = connection.link(Role::Upload);
        let more = count.saturating_sub(MOST_RECORDS);
        self.events.message(link, Way::Sent, &page, more);
        connection.write_all(&page)?;
        for record in records {
            page.clear();
            record.write(&mut page);
            connection.write_all(&page)?;
        }
        Ok(())
    }

    /// Sends a document, or answers that it is not available. Returns the length of the
    /// document in bytes, or `None` if it was refused. An error leaves the answer incomplete.
    fn deliver(
        &self,
        connection: &mut Connection,
        codec: Codec,
        number: RfcNumber,
    ) -> io::Result<Option<u64>> {
        let opened = match self.open(connection, codec, number) {
            Ok(opened) => opened,
            // Its digest was not computed, because nobody waits for it.
            Err(_) if connection.is_gone() => return Err(io::ErrorKind::ConnectionAborted.into()),
            Err(error) => {
                // The library warns of it once. A stranger could ask any number of times.
                debug!("{error}");
                None
            }
        };
        let Some((document, head)) = opened else {
            let refusal = codec.refusal(Status::NotFound, self.origin());
            self.respond(connection, &refusal);
            return Ok(None);
        };
        self.respond(connection, &head);
        let link = connection.link(Role::Upload);
        let tell = |step| {
            let event = || Event::Upload { link, number, step };
            self.events.tell(Topic::Life, event);
        };
        let bytes = document.stamp.length;
        tell(Step::Began {
            length: Some(bytes),
        });
        let sent = self.send(connection, codec, &document);
        tell(match &sent {
            Ok(()) => Step::Done { bytes, path: None },
            Err(error) => Step::Failed {
                why: error.to_string().into(),
            },
        });
        sent.map(|()| Some(bytes))
    }

    /// Opens a document, and builds the head of its answer. `None` if it is not available in this
    /// way.
    fn open(
        &self,
        connection: &Connection,
        codec: Codec,
        number: RfcNumber,
    ) -> Result<Option<(Document, Vec<u8>)>, FileError> {
        let Some(document) = self.library.document(number)? else {
            return Ok(None);
        };
        let title = self.library.title_of(&document);
        let offer = Offer {
            record: &Rfc { number, title }.held_by(&self.me),
            last_modified: document.stamp.modified,
            length: document.stamp.length,
        };
        let digest = || self.library.digest(&document, || !connection.is_gone());
        let head = codec.head(&offer, self.origin(), digest)?;
        Ok(head.map(|head| (document, head)))
    }

    /// Sends a whole document, or fails.
    fn send(
        &self,
        connection: &mut Connection,
        codec: Codec,
        document: &Document,
    ) -> io::Result<()> {
        let (file, length) = (&document.file, document.stamp.length);
        let pace = self.pace.as_ref();
        if let Some(pause) = codec.pause_after_head() {
            connection.flush()?;
            thread::sleep(pause);
        }
        if !codec.is_framed() {
            if !codec.stays_open() {
                connection.send_with_end();
            }
            return connection.send_file(file, length, pace);
        }
        // The head of the message is not part of the document.
        connection.flush()?;
        let mut out = Paced {
            out: &mut *connection,
            pace,
        };
        codec.send_frames(file, length, &mut out)?;
        connection.flush()
    }

    /// Refuses a request, and reports the reason, which the answer has no field for.
    fn reject(&self, connection: &mut Connection, codec: Codec, reject: Reject) {
        let Reject { status, reason } = reject;
        let link = connection.link(Role::Upload);
        self.events.refusing(link, status, reason);
        self.respond(connection, &codec.refusal(status, self.origin()));
    }

    fn respond(&self, connection: &mut Connection, message: &[u8]) {
        self.events.sent(connection.link(Role::Upload), message);
        // The output is buffered and sent later, so a failure shows in what follows.
        let _ = connection.write_all(message);
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            date: SystemTime::now(),
            os: &self.os,
        }
    }
}
