//! Renders what has happened as events of the stream, once for all watchers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::events::{self, Counts, Missed, PerSecond};
use super::feed::{Change, Message, Other, Taken, Transfer, TransferStep};
use super::hub::{Hub, PEERS};
use super::names::Names;
use super::shown::{Peer, Record, Shown};
use crate::event::Departure;

/// An event after so many bytes begins a new piece of the stream.
const PIECE: usize = 64 * 1024;
/// How often the peers are compared after something has happened: what a page shows of them may be
/// 2 s old, and it is compared every second.
const COMPARES: u8 = 3;
/// The most transfers whose progress is remembered.
const REMEMBERED: usize = 10_000;

/// Renders changes as events.
pub(super) struct Renderer<'a> {
    hub: &'a Hub,
    /// The number of the last event.
    id: u64,
    text: String,
    messages: Vec<Arc<str>>,
    names: Names,
    /// How much of each transfer is done, and of how much.
    transfers: HashMap<(bool, u64), (u64, Option<u64>)>,
    /// The peers as they were when they were compared.
    known: HashMap<String, Peer>,
    revision: u64,
    counted: Counts,
    /// How many messages were not shown.
    skipped: u64,
    /// How often the peers will be compared.
    compares: u8,
}

impl<'a> Renderer<'a> {
    /// A renderer for this hub.
    pub(super) fn new(hub: &'a Hub) -> Self {
        Self {
            hub,
            id: 0,
            text: String::new(),
            messages: Vec::new(),
            names: Names::default(),
            transfers: HashMap::new(),
            known: HashMap::new(),
            revision: 0,
            counted: Counts::default(),
            skipped: 0,
            compares: 0,
        }
    }

    /// Renders changes. Returns whether more came than is shown.
    pub(super) fn render(&mut self, taken: Taken) -> bool {
        let skipped = self.hub.counters().sum(|shard| &shard.skipped);
        if !taken.changes.is_empty() || skipped > self.skipped {
            self.compares = COMPARES;
        }
        // A peer that changes often is shown once.
        let mut changed = BTreeSet::new();
        for change in taken.changes {
            match change {
                Change::Message(message) => self.message(&message),
                Change::Closed(link) => self.names.closed(link),
                Change::Dialed(remote, name) => self.names.dialed(remote, &name),
                Change::Entered(name) => {
                    let name = name.to_string();
                    let now = events::millis(SystemTime::now());
                    self.hub.since.lock().entry(name.clone()).or_insert(now);
                    changed.insert(name);
                }
                Change::Left {
                    name,
                    records,
                    departure,
                } => {
                    let name = name.to_string();
                    let why = match departure {
                        Departure::Left => "left",
                        Departure::Lost => "lost",
                        Departure::Expired => "expired",
                    };
                    changed.remove(&name);
                    self.left(&name, why, records);
                }
                Change::Published(record) => {
                    let shown = self.hub.shown();
                    if shown.is_some_and(|shown| shown.published(&record)) {
                        self.record(&Record::from(&record), true);
                    }
                }
                Change::Record { record, is_added } => {
                    changed.insert(record.holder.to_string());
                    self.record(&Record::from(&record), is_added);
                }
                Change::Transfer(transfer) => self.transfer(&transfer),
                // The peers are compared with the counts.
                Change::Nodes => {}
            }
        }
        if taken.lost > 0 {
            self.forget_gone();
        }
        for name in changed {
            let peer = self.hub.shown().and_then(|shown| shown.peer(&name));
            if let Some(peer) = peer {
                self.peer(peer);
            }
        }
        let is_busy = skipped > self.skipped;
        if is_busy {
            let missed = skipped - self.skipped;
            self.skipped = skipped;
            self.event("skipped", &Missed { missed });
        }
        if taken.lost > 0 {
            let missed = u64::try_from(taken.lost).unwrap_or(u64::MAX);
            self.event("gap", &Missed { missed });
        }
        is_busy
    }

    /// Forgets when peers came that have left while too much happened to be told.
    fn forget_gone(&self) {
        if let Some(shown) = self.hub.shown()
            && shown.tells_peers()
        {
            let mut since = self.hub.since.lock();
            since.retain(|name, _| shown.peer(name).is_some());
        }
    }

    fn event(&mut self, name: &str, data: &impl serde::Serialize) {
        self.id += 1;
        self.write(name, &events::json(data));
    }

    fn write(&mut self, name: &str, data: &str) {
        events::write(&mut self.text, self.id, name, data);
        if self.text.len() > PIECE {
            self.publish();
        }
    }

    fn message(&mut self, message: &Message) {
        self.id += 1;
        let peer = self.names.of(message);
        let data: Arc<str> = events::json(&events::Message::new(self.id, message, peer)).into();
        self.messages.push(Arc::clone(&data));
        self.write("message", &data);
    }

    fn peer(&mut self, mut peer: Peer) {
        if peer.since == 0 {
            let since = self.hub.since.lock();
            peer.since = since.get(&peer.name).copied().unwrap_or_default();
        }
        self.event("peer", &events::PeerEvent { peer: &peer });
    }

    fn left(&mut self, name: &str, why: &'static str, records: usize) {
        self.hub.since.lock().remove(name);
        self.event("left", &events::Left { name, why, records });
    }

    fn record(&mut self, record: &Record, added: bool) {
        self.event("record", &events::RecordEvent { record, added });
    }

    fn transfer(&mut self, transfer: &Transfer) {
        let key = (transfer.is_upload, transfer.id);
        if self.transfers.len() >= REMEMBERED && !self.transfers.contains_key(&key) {
            return;
        }
        let (done, length) = self.transfers.entry(key).or_default();
        let (step, why) = match &transfer.step {
            TransferStep::Began(whole) => {
                (*done, *length) = (0, *whole);
                ("began", None)
            }
            TransferStep::Moved(bytes) => {
                *done += bytes;
                ("moved", None)
            }
            TransferStep::Done(bytes) => {
                (*done, *length) = (*bytes, Some(*bytes));
                ("done", None)
            }
            TransferStep::Failed(why) => ("failed", Some(why.as_str())),
        };
        let (done, length) = (*done, *length);
        if matches!(step, "done" | "failed") {
            self.transfers.remove(&key);
        }
        let other = match &transfer.other {
            Other::Address(address) => address.to_string(),
            Other::Peer(name) => name.to_string(),
        };
        self.event(
            "transfer",
            &events::Transfer {
                id: transfer.id,
                way: if transfer.is_upload {
                    "upload"
                } else {
                    "download"
                },
                number: transfer.number.get(),
                other: &other,
                step,
                done,
                length,
                why,
            },
        );
    }

    /// Streams the counts if they have changed, and compares the peers. Returns whether it is to be
    /// called again.
    pub(super) fn count(&mut self, elapsed: Duration) -> bool {
        if self.compares > 0 {
            self.compares -= 1;
            self.compare();
        }
        let counters = self.hub.counters();
        let (peers, records) = self.hub.shown().map(Shown::counts).unwrap_or_default();
        let answered = counters.count_requests(|shard| &shard.answered);
        let requests = answered + counters.count_requests(|shard| &shard.asked);
        let mut counts = Counts {
            peers,
            records,
            requests,
            refused: counters.refusals().map(|(_, count)| count).sum(),
            bytes_in: counters.sum(|shard| &shard.bytes_in),
            bytes_out: counters.sum(|shard| &shard.bytes_out),
            per_second: PerSecond::default(),
        };
        let more = u32::try_from(requests - self.counted.requests).unwrap_or(u32::MAX);
        let rate = f64::from(more) / elapsed.as_secs_f64();
        counts.per_second.requests = (rate * 10.0).round() / 10.0;
        if counts == self.counted {
            return self.compares > 0;
        }
        self.event("counts", &counts);
        self.hub.counts.lock().clone_from(&counts);
        self.counted = counts;
        true
    }

    /// Reports peers that no event has reported, and records that have changed.
    fn compare(&mut self) {
        let Some(shown) = self.hub.shown() else {
            return;
        };
        if !shown.tells_peers() {
            let now = events::millis(SystemTime::now());
            let peers = shown.peers(PEERS).into_iter();
            let peers: HashMap<_, _> = peers.map(|peer| (peer.name.clone(), peer)).collect();
            let former = std::mem::take(&mut self.known);
            for name in former.keys().filter(|name| !peers.contains_key(*name)) {
                self.left(name, "left", 0);
            }
            for (name, peer) in &peers {
                if former.get(name) != Some(peer) {
                    self.hub.since.lock().entry(name.clone()).or_insert(now);
                    self.peer(peer.clone());
                }
            }
            self.known = peers;
        }
        let revision = shown.revision();
        if revision != self.revision {
            self.revision = revision;
            self.event("gap", &Missed { missed: 0 });
        }
    }

    /// Passes what was rendered to the watchers.
    pub(super) fn publish(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            let messages = std::mem::take(&mut self.messages);
            self.hub.ring.add(self.id, text, messages);
        }
    }
}
