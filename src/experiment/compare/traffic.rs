//! Counts messages, by reading the events of all nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::event::{Event, Events, Reader, Role, Step, Topic, Topics, Way};

/// Counts the messages of all nodes: the server and the peers. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic(Arc<Mutex<Counts>>);

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
}

impl Traffic {
    /// Events for a node, of which each message is counted and then passed on to `events`.
    pub(super) fn events(&self, node: usize, events: &Events) -> Events {
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
        }
    }

    /// What was counted so far.
    pub(super) fn now(&self) -> Counts {
        self.0.lock().clone()
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
                let mut counts = self.traffic.0.lock();
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
            } => self.traffic.0.lock().failed += 1,
            _ => {}
        }
    }
}
