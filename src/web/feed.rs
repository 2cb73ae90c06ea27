//! The reader of events: it counts, and copies what a page shows into a bounded queue.
//!
//! It runs in the threads of the sessions, so it does as little as it can: it renders nothing and
//! wakes nobody who is busy. Under load most messages are only counted.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};

use super::counters::{Counters, Reason};
use super::first_line::{Kind, METHODS, OTHER, kind};
use crate::event::{
    Departure, DhtStep, Event, IndexStep, Link, Reader, Role, Step, Topic, Topics, Way,
};
use crate::wire::{Endpoint, Record, RfcNumber};

/// The most of a message that is shown, in bytes.
const MOST_TEXT: usize = 8 * 1024;
/// The room that a message takes besides its bytes.
const MESSAGE_COST: usize = 400;
/// The bytes of messages that are shown at once,
const MESSAGES: usize = 1024 * 1024;
/// and in each second from then on.
const MESSAGES_PER_SECOND: usize = 96 * 1024;
/// The records that are shown as they change at once,
const RECORDS: usize = 2_000;
/// and in each second from then on.
const RECORDS_PER_SECOND: usize = 500;
/// The most other changes that wait.
const CHANGES: usize = 20_000;

/// A message, as it was on the wire.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) time: SystemTime,
    pub(super) link: Link,
    pub(super) way: Way,
    pub(super) kind: Option<Kind>,
    /// Its first bytes.
    pub(super) bytes: Vec<u8>,
    pub(super) size: usize,
    pub(super) more: usize,
    pub(super) is_bad: bool,
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) id: u64,
    pub(super) is_upload: bool,
    pub(super) number: RfcNumber,
    pub(super) other: Other,
    pub(super) step: TransferStep,
}

impl Transfer {
    /// Takes in the next step, if both are pieces of the same document.
    fn moves_on(&mut self, next: &Self) -> bool {
        let is_same = (self.id, self.is_upload) == (next.id, next.is_upload);
        match (&mut self.step, &next.step) {
            (TransferStep::Moved(bytes), TransferStep::Moved(more)) if is_same => {
                *bytes = bytes.saturating_add(*more);
                true
            }
            _ => false,
        }
    }
}

/// The other side of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Other {
    Address(SocketAddr),
    Peer(Endpoint),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TransferStep {
    Began(Option<u64>),
    Moved(u64),
    Done(u64),
    Failed(String),
}

/// Something that a page shows.
#[derive(Debug)]
pub(super) enum Change {
    Message(Message),
    Closed(Link),
    /// Who is at an address to which this program has connected.
    Dialed(SocketAddr, Endpoint),
    Entered(Endpoint),
    Left {
        name: Endpoint,
        records: usize,
        departure: Departure,
    },
    Record {
        record: Record,
        is_added: bool,
    },
    /// The index has accepted a record of this peer.
    Published(Record),
    Transfer(Transfer),
    /// The nodes of the hash table in contact have changed.
    Nodes,
}

/// What has happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) changes: Vec<Change>,
    /// How many other changes are lost.
    pub(super) lost: usize,
}

/// The queue between the sessions and the thread of the page. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    counters: Counters,
    queue: Mutex<Queue>,
    came: Condvar,
    /// The bytes of messages for which there is room, and the number of records. They are checked
    /// without the lock.
    messages: AtomicUsize,
    records: AtomicUsize,
    lost: AtomicUsize,
}

#[derive(Debug, Default)]
struct Queue {
    changes: Vec<Change>,
    /// Whether the thread of the page waits for a change.
    is_awaited: bool,
    is_ended: bool,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            counters: Counters::default(),
            queue: Mutex::default(),
            came: Condvar::new(),
            messages: MESSAGES.into(),
            records: RECORDS.into(),
            lost: 0.into(),
        }
    }
}

thread_local! {
    /// The request that the session of this thread is carrying out: its method, and when it came if
    /// it is timed. A session answers one request after the other.
    static PENDING: Cell<Option<(usize, Option<Instant>)>> = const { Cell::new(None) };
}

impl Feed {
    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Waits until something came, at most `time` if given. Returns whether there was an end.
    pub(super) fn wait(&self, time: Option<Duration>) -> bool {
        let mut queue = self.0.queue.lock();
        let is_idle = |queue: &mut Queue| queue.changes.is_empty() && !queue.is_ended;
        match time {
            None => {
                queue.is_awaited = true;
                self.0.came.wait_while(&mut queue, is_idle);
                queue.is_awaited = false;
            }
            Some(time) => {
                let goes_on = |queue: &mut Queue| !queue.is_ended;
                self.0.came.wait_while_for(&mut queue, goes_on, time);
            }
        }
        queue.is_ended
    }

    /// Ends all waits.
    pub(super) fn end(&self) {
        self.0.queue.lock().is_ended = true;
        self.0.came.notify_all();
    }

    /// Takes what has happened, and makes room for as much as `time` allows. Returns it, and whether
    /// there is all the room there can be.
    pub(super) fn take(&self, time: Duration) -> (Taken, bool) {
        let changes = std::mem::take(&mut self.0.queue.lock().changes);
        let millis = usize::try_from(time.as_millis()).unwrap_or(usize::MAX);
        let refill = |room: &AtomicUsize, most: usize, per_second: usize| {
            let more = per_second.saturating_mul(millis) / 1000;
            let grown = |room: usize| Some(room.saturating_add(more).min(most));
            // This always succeeds.
            let before = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
            before == Ok(most)
        };
        let messages = refill(&self.0.messages, MESSAGES, MESSAGES_PER_SECOND);
        let records = refill(&self.0.records, RECORDS, RECORDS_PER_SECOND);
        let taken = Taken {
            changes,
            lost: self.0.lost.swap(0, Ordering::Relaxed),
        };
        (taken, messages && records)
    }

    fn push(&self, change: Change) {
        let mut queue = self.0.queue.lock();
        if let (Some(Change::Transfer(last)), Change::Transfer(next)) =
            (queue.changes.last_mut(), &change)
            && last.moves_on(next)
        {
            return;
        }
        if queue.changes.len() >= CHANGES {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.changes.push(change);
        if queue.is_awaited {
            self.0.came.notify_one();
        }
    }

    fn message(&self, link: Link, way: Way, bytes: &[u8], more: usize, is_bad: bool) {
        let kind = kind(bytes);
        let shown = bytes.get(..MOST_TEXT).unwrap_or(bytes);
        let has_room = take_room(&self.0.messages, shown.len() + MESSAGE_COST);
        self.count(link.role, way, kind, bytes.len(), has_room);
        if !has_room {
            return;
        }
        self.push(Change::Message(Message {
            time: SystemTime::now(),
            link,
            way,
            kind,
            bytes: shown.to_vec(),
            size: bytes.len(),
            more,
            is_bad,
        }));
    }

    /// Counts a message. Under load only the requests that are shown are timed: reading the clock
    /// costs as much as all else here.
    fn count(&self, role: Role, way: Way, kind: Option<Kind>, size: usize, is_shown: bool) {
        let counters = self.0.counters.mine();
        if !is_shown {
            counters.skipped.add(1);
        }
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        match way {
            Way::Sent => counters.bytes_out.add(size),
            Way::Received => counters.bytes_in.add(size),
        }
        let is_ours = matches!(role, Role::Index | Role::Download);
        match (kind, way, is_ours) {
            (Some(Kind::Response(status)), Way::Sent, false) => {
                let pending = PENDING.take();
                let method = pending.map_or(OTHER, |(method, _)| method);
                counters.answered.count(method, status);
                if let Some((_, Some(since))) = pending {
                    counters.latency.observe(since.elapsed());
                }
            }
            (Some(Kind::Response(status)), Way::Received, true) => {
                let method = PENDING.get().map_or(OTHER, |(method, _)| method);
                counters.asked.count(method, status);
            }
            (Some(Kind::Request(method)), _, _) => {
                PENDING.set(Some((method, is_shown.then(Instant::now))));
            }
            (None, Way::Received, false) => {
                PENDING.set(Some((OTHER, is_shown.then(Instant::now))));
            }
            _ => {}
        }
    }

    fn record(&self, record: &Record, is_added: bool) {
        if !take_room(&self.0.records, 1) {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let record = record.clone();
        self.push(Change::Record { record, is_added });
    }

    fn transfer(&self, id: u64, is_upload: bool, number: RfcNumber, other: Other, step: &Step<'_>) {
        let step = match step {
            Step::Connecting => return,
            Step::Began { length } => TransferStep::Began(*length),
            Step::Moved(bytes) => TransferStep::Moved(*bytes),
            Step::Done { bytes, .. } => TransferStep::Done(*bytes),
            Step::Failed { why } => TransferStep::Failed(why.clone().into_owned()),
            Step::GivenUp => TransferStep::Failed("interrupted".to_owned()),
        };
        match &step {
            TransferStep::Moved(bytes) if !is_upload => self.0.counters.mine().bytes_in.add(*bytes),
            TransferStep::Done(bytes) if is_upload => self.0.counters.mine().bytes_out.add(*bytes),
            _ => {}
        }
        self.push(Change::Transfer(Transfer {
            id,
            is_upload,
            number,
            other,
            step,
        }));
    }
}

/// Takes room if there is any left.
fn take_room(room: &AtomicUsize, cost: usize) -> bool {
    let less = |room: usize| room.checked_sub(cost);
    room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .is_ok()
}

impl Reader for Feed {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life, Topic::Messages, Topic::Progress])
    }

    fn read(&self, event: &Event<'_>) {
        match event {
            Event::Message {
                link,
                way,
                bytes,
                more,
                is_bad,
            } => self.message(*link, *way, bytes, *more, *is_bad),
            Event::Added { record, .. } => self.record(record, true),
            Event::Removed { record, .. } => self.record(record, false),
            Event::Index {
                step: IndexStep::Published { record },
                ..
            } => self.push(Change::Published((*record).clone())),
            Event::Entered { name, .. } => self.push(Change::Entered((*name).clone())),
            Event::Left {
                name,
                records,
                departure,
                ..
            } => self.push(Change::Left {
                name: (*name).clone(),
                records: *records,
                departure: *departure,
            }),
            Event::Dht(DhtStep::Changed) => self.push(Change::Nodes),
            Event::Closed { link, .. } => self.push(Change::Closed(*link)),
            Event::Dialed { link, name } => {
                self.push(Change::Dialed(link.remote, (*name).clone()));
            }
            Event::Refusing { code, .. } => self.0.counters.mine().refuse(Reason::of(*code), 1),
            Event::TurnedAway { before, .. } => {
                let reason = Reason::ConnectionLimit;
                self.0
                    .counters
                    .mine()
                    .refuse(reason, before.saturating_add(1));
            }
            Event::Upload { link, number, step } => {
                let other = Other::Address(link.remote);
                self.transfer(link.id, true, *number, other, step);
            }
            Event::Download {
                id,
                number,
                holder,
                step,
            } => {
                let other = Other::Peer((*holder).clone());
                self.transfer(*id, false, *number, other, step);
            }
            _ => {}
        }
    }
}

/// The name of the method at this place; `None` for one that is not known.
pub(super) fn method(place: usize) -> Option<&'static str> {
    METHODS.get(place).filter(|_| place != OTHER).copied()
}
