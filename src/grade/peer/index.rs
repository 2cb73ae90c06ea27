//! The index server that the grader plays.

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::seen::{Asked, Seen, What};
use crate::central::catalog::Denied;
use crate::event::{Events, Link, Role};
use crate::net::{Connection, Limits, Place, Server, Stop};
use crate::program::Failure;
use crate::wire::ci::p2s::Request;
use crate::wire::ci::server::Conversation;
use crate::wire::{Dialect, Endpoint, Head, ReadError, Received, Record, Reject, Source, Waits};

/// How long a request may take from its first byte.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long the first answer waits for a second request, which is then answered together with it.
const TOGETHER_TIME: Duration = Duration::from_millis(300);
/// The pause between the pieces of an answer.
const PAUSE: Duration = Duration::from_millis(200);
/// The most records of a peer under test that are kept.
const MOST_RECORDS: usize = 1000;

/// How answers leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Each in one piece.
    Whole,
    /// Each in three pieces, none of which is whole lines.
    Pieces,
}

/// What all sessions share.
#[derive(Debug)]
struct Shared {
    seen: Seen,
    manner: Mutex<Manner>,
    /// Newest first; those of the peer under test with their connection.
    records: Mutex<Vec<(Option<u64>, Record)>>,
}

/// A running index server.
#[derive(Debug)]
pub(super) struct Index {
    shared: Arc<Shared>,
    server: Server,
}

impl Index {
    /// Listens on the port; 0 is any free one.
    pub(super) fn start(port: u16, seen: &Seen, stop: &Stop) -> Result<Self, Failure> {
        let open = place(port).listen(Role::Session, &Events::default(), stop);
        let open = open.map_err(|error| {
            let way_out = "; or choose another with --port, or use --isolated";
            Failure::other(format!("{error}{way_out}"))
        })?;
        let shared = Arc::new(Shared {
            seen: seen.clone(),
            manner: Mutex::new(Manner::Whole),
            records: Mutex::default(),
        });
        let sessions = Arc::clone(&shared);
        let session = move |connection: &mut Connection, link: Link| {
            sessions.serve(connection, link.id);
            sessions.forget(link.id);
            sessions.seen.add(link.id, What::Left);
        };
        let server = open.serve(Vec::new(), session, || {});
        Ok(Self {
            server: server.map_err(Failure::other)?,
            shared,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port()
    }

    /// Adds a record of another peer.
    pub(super) fn add(&self, record: Record) {
        self.shared.records.lock().insert(0, (None, record));
    }

    /// How answers leave from now on.
    pub(super) fn answer_in(&self, manner: Manner) {
        *self.shared.manner.lock() = manner;
    }
}

/// Where a server of the grader listens: everywhere, because the peer may be on another machine.
pub(super) fn place(port: u16) -> Place {
    Place {
        port,
        limits: Limits {
            total: 100,
            send_time: REQUEST_TIME,
            ..Limits::default()
        },
        ..Place::default()
    }
}

impl Shared {
    fn serve(&self, connection: &mut Connection, link: u64) {
        let mut conversation = Conversation::default();
        let mut is_first = true;
        self.seen.add(link, What::Came(connection.peer()));
        loop {
            let received = match conversation.next(connection, REQUEST_TIME) {
                Ok(Some(received)) => received,
                // A program that ends with unread answers resets its connection, and has left too.
                Ok(None) | Err(ReadError::Io(_)) => return,
                Err(error) => {
                    let reject = error.reject();
                    self.seen
                        .add(link, What::Wrong(Vec::new(), error.to_string()));
                    if let Some(reject) = reject {
                        let _ = connection.write_all(&conversation.refusal(reject.status));
                    }
                    return;
                }
            };
            if received.is_late {
                continue;
            }
            if std::mem::take(&mut is_first) && connection.buffered().is_empty() {
                // Whether more came is seen below.
                let _ = connection.arrives_within(TOGETHER_TIME);
            }
            let answered = self.answer(&conversation, received, link, connection.buffered());
            // A peer that is gone is found by the next read.
            let is_known = answered.is_some_and(|answer| self.send(connection, &answer).is_ok());
            if !is_known {
                return;
            }
        }
    }

    /// Notes a request and makes its answer. `None`: there were too many.
    fn answer(
        &self,
        conversation: &Conversation,
        received: Received<Request>,
        link: u64,
        next: &[u8],
    ) -> Option<Vec<u8>> {
        let request = match received.request {
            Ok(request) => request,
            Err(reject) => {
                return self.refuse(conversation, link, received.bytes, &reject);
            }
        };
        if let Request::Add(record) = &request
            && let Some(other) = self.other_name(record, link)
        {
            let reject = Reject::bad_request(Denied::Other(other).to_string());
            return self.refuse(conversation, link, received.bytes, &reject);
        }
        let records = self.records_for(&request, link);
        let answer = conversation.whole_answer(&request, &records);
        let is_whole = |end: &[u8]| next.windows(end.len()).any(|it| it == end);
        let asked = Asked {
            request: with_title(&received.bytes).unwrap_or(request),
            bytes: received.bytes,
            is_answered_together: is_whole(b"\n\r\n") || is_whole(b"\n\n"),
        };
        let is_kept = self.seen.add(link, What::Asked(asked));
        is_kept.then_some(answer)
    }

    /// Notes what is refused, and makes the answer.
    fn refuse(
        &self,
        conversation: &Conversation,
        link: u64,
        bytes: Vec<u8>,
        reject: &Reject,
    ) -> Option<Vec<u8>> {
        let is_kept = self.seen.add(link, What::Wrong(bytes, reject.to_string()));
        is_kept.then(|| conversation.refusal(reject.status))
    }

    /// The name of earlier ADDs of this connection, if that of the record is another.
    fn other_name(&self, record: &Record, link: u64) -> Option<Endpoint> {
        let records = self.records.lock();
        let mut own = records.iter().filter(|(owner, _)| *owner == Some(link));
        let name = own.next().map(|(_, it)| &it.holder);
        name.filter(|it| **it != record.holder).cloned()
    }

    /// Does what the request asks, and returns the records of its answer.
    fn records_for(&self, request: &Request, link: u64) -> Vec<Record> {
        let mut records = self.records.lock();
        match request {
            Request::Add(record) => {
                let is_same = |(_, it): &(Option<u64>, Record)| {
                    it.number == record.number && it.holder == record.holder
                };
                records.retain(|it| !is_same(it));
                if records.len() < MOST_RECORDS {
                    records.insert(0, (Some(link), record.clone()));
                }
                vec![record.clone()]
            }
            Request::Lookup { number, .. } => {
                let found = records.iter().filter(|(_, it)| it.number == *number);
                found.map(|(_, record)| record.clone()).collect()
            }
            Request::List(_) => records.iter().map(|(_, record)| record.clone()).collect(),
            Request::Delete(_) | Request::Close => {
                records.retain(|(owner, _)| *owner != Some(link));
                Vec::new()
            }
            Request::Greeting => Vec::new(),
            Request::TakeBack { number, .. } => {
                records.retain(|(owner, it)| *owner != Some(link) || it.number != *number);
                Vec::new()
            }
        }
    }

    fn forget(&self, link: u64) {
        let mut records = self.records.lock();
        records.retain(|(owner, _)| *owner != Some(link));
    }

    fn send(&self, connection: &mut Connection, answer: &[u8]) -> std::io::Result<()> {
        let manner = *self.manner.lock();
        match manner {
            // It leaves before the next wait, so together with the next one if that is here.
            Manner::Whole => connection.write_all(answer),
            Manner::Pieces => {
                for piece in answer.chunks(answer.len() / 3 + 1) {
                    connection.write_all(piece)?;
                    connection.flush()?;
                    thread::sleep(PAUSE);
                }
                Ok(())
            }
        }
    }
}

/// The request with the title that a server ignores.
fn with_title(bytes: &[u8]) -> Option<Request> {
    let waits = Waits {
        first: None,
        whole: REQUEST_TIME,
    };
    let head = Head::read(&mut &*bytes, waits).ok()??;
    Request::parse(&head).ok()
}

/// What our own peer sends for this request.
pub(super) fn strict(request: &Request) -> Vec<u8> {
    request.encode(Dialect::Text)
}
