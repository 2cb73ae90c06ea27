//! What the peer under test does, in order, as the servers that the grader plays see it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::wire::ci::p2s::Request;
use crate::wire::{Port, RfcNumber};

/// The most that is kept. A peer that does more is cut off.
const MOST: usize = 2000;

/// One thing that the peer did.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The number of the connection.
    pub(super) link: u64,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// It connected to the index from this address.
    Came(SocketAddr),
    /// It sent a request to the index.
    Asked(Asked),
    /// It sent something else to the index, which was refused for this reason.
    Wrong(Vec<u8>, String),
    /// It left the index.
    Left,
    /// It sent a request to a holder.
    Got(Got),
}

/// A request to the index.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The request, with its title.
    pub(super) request: Request,
    pub(super) bytes: Vec<u8>,
    /// Whether the answer to it left together with that to the next one.
    pub(super) is_answered_together: bool,
}

/// A request to a holder.
#[derive(Debug, Clone)]
pub(super) struct Got {
    /// The document that it asks for, or why it is refused.
    pub(super) wanted: Result<RfcNumber, String>,
    pub(super) bytes: Vec<u8>,
    /// The port of the holder.
    pub(super) port: Option<Port>,
}

/// All that the peer did. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<(Mutex<Vec<Event>>, Condvar)>);

impl Seen {
    /// Adds an event. `false`: there are too many, and the connection is to be closed.
    pub(super) fn add(&self, link: u64, what: What) -> bool {
        let (events, more) = &*self.0;
        let mut events = events.lock();
        if events.len() >= MOST {
            return false;
        }
        events.push(Event { link, what });
        more.notify_all();
        true
    }

    /// How much there is: what follows is new.
    pub(super) fn now(&self) -> usize {
        self.0.0.lock().len()
    }

    /// The events since then.
    pub(super) fn since(&self, then: usize) -> Vec<Event> {
        self.0.0.lock().get(then..).unwrap_or_default().to_vec()
    }

    /// Whether all connections to the index are closed, of one at least.
    pub(super) fn has_left(&self) -> bool {
        let events = self.0.0.lock();
        let count = |is_it: fn(&What) -> bool| events.iter().filter(|it| is_it(&it.what)).count();
        let came = count(|it| matches!(it, What::Came(_)));
        came > 0 && came == count(|it| matches!(it, What::Left))
    }

    /// Waits until there is more than this, but not longer than `time`.
    pub(super) fn wait(&self, than: usize, time: Duration) {
        let (events, more) = &*self.0;
        let is_same = |events: &mut Vec<Event>| events.len() <= than;
        more.wait_while_for(&mut events.lock(), is_same, time);
    }
}
