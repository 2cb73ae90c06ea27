//! Counts messages, by reading the events of all nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::datagrams;
use crate::event::{DhtStep, Event, Events, Reader, Role, Step, Topic, Topics, Way};

/// Counts the messages of all nodes: the server and the peers. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counts: Mutex<Counts>,
    announced: Condvar,
}

/// An estimate of the mean size of a datagram, in bytes: with 16 nodes, a request for the peers of a
/// key has 113, and a response with nodes 574. An announcement has less.
const DATAGRAM: u64 = 340;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The messages on the wire: requests and responses.
    pub(super) messages: u64,
    /// Their bytes, without those of documents.
    pub(super) bytes: u64,
    /// The holders that did not deliver.
    pub(super) failed: u64,
    /// The messages that each node has received.
    pub(super) received: BTreeMap<usize, u64>,
    /// How many keys each peer has announced in a hash table.
    announced: BTreeMap<usize, usize>,
    /// The addresses of the nodes of a hash table.
    addresses: BTreeMap<String, usize>,
}

impl Traffic {
    /// Events for a node, of which each message is counted and then passed on to `events`.
    /// The node starts before the next call.
    pub(super) fn events(&self, node: usize, events: &Events) -> Events {
        datagrams::starting(node, self);
        Events::default().and(Node {
            number: node,
            traffic: self.clone(),
            events: events.clone(),
        })
    }

    /// What was counted since `before`.
    pub(super) fn since(&self, before: &Counts) -> Counts {
        let now = self.now();
        let received = now.received.iter().map(|(node, count)| {
            let before = before.received.get(node).copied();
            (*node, count - before.unwrap_or_default())
        });
        Counts {
            messages: now.messages - before.messages,
            bytes: now.bytes - before.bytes,
            failed: now.failed - before.failed,
            received: received.collect(),
            ..Counts::default()
        }
    }

    /// A node of a hash table has this address.
    pub(super) fn add_address(&self, address: String, node: usize) {
        self.0.counts.lock().addresses.insert(address, node);
    }

    /// Adds a request that a node of a hash table has received, and its response.
    pub(super) fn add_datagrams(&self, node: usize, from: &str) {
        let mut counts = self.0.counts.lock();
        counts.messages += 2;
        counts.bytes += 2 * DATAGRAM;
        *counts.received.entry(node).or_default() += 1;
        if let Some(asking) = counts.addresses.get(from).copied() {
            *counts.received.entry(asking).or_default() += 1;
        }
    }

    /// Waits at most `time` until a peer has announced so many keys. Returns whether it has.
    pub(super) fn wait_for_announcements(&self, node: usize, keys: usize, time: Duration) -> bool {
        let is_missing = |counts: &mut Counts| {
            let announced = counts.announced.get(&node).copied();
            announced.unwrap_or_default() < keys
        };
        let mut counts = self.0.counts.lock();
        let until = Instant::now() + time;
        let announced = &self.0.announced;
        !announced
            .wait_while_until(&mut counts, is_missing, until)
            .timed_out()
    }

    /// What was counted so far.
    pub(super) fn now(&self) -> Counts {
        self.0.counts.lock().clone()
    }
}

/// Reads the events of one node. Whatever is not a message stays here: in a comparison, peers that
/// come, go, and are missed are no news.
struct Node {
    number: usize,
    traffic: Traffic,
    events: Events,
}

impl Reader for Node {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life, Topic::Messages])
    }

    fn read(&self, event: &Event<'_>) {
        match event {
            Event::Message {
                link, way, bytes, ..
            } => {
                let mut counts = self.traffic.0.counts.lock();
                if *way == Way::Received {
                    *counts.received.entry(self.number).or_default() += 1;
                }
                // Both sides report a message. The side that asks reports all of its bytes.
                if matches!(link.role, Role::Index | Role::Download) {
                    counts.messages += 1;
                    counts.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                }
                drop(counts);
                self.events.tell(event.topic(), || event.clone());
            }
            Event::Download {
                step: Step::Failed { .. },
                ..
            } => self.traffic.0.counts.lock().failed += 1,
            Event::Dht(DhtStep::Announced { .. }) => {
                let mut counts = self.traffic.0.counts.lock();
                *counts.announced.entry(self.number).or_default() += 1;
                drop(counts);
                self.traffic.0.announced.notify_all();
            }
            _ => {}
        }
    }
}
