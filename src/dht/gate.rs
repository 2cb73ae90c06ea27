//! How many requests a node works on at a time.
//!
//! The crate loses answers to many requests at a time, and a lookup finds nothing while the same
//! node announces or looks up the same key.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::wire::dht::Key;

/// The most requests at a time.
const MOST: usize = 4;

/// Lets in a few requests at a time, and one for each key, in the order in which they come: a search
/// must not wait until hundreds of announcements are made. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    inside: HashSet<Key>,
    /// The numbers of those that wait.
    waiting: VecDeque<u64>,
    came: u64,
}

/// A request that was let in, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Gate,
    key: Key,
}

impl Gate {
    /// Waits until a request for `key` may begin; `None` after `until`.
    pub(super) fn enter(&self, key: Key, until: Instant) -> Option<Permit> {
        let Shared { line, changed } = &*self.0;
        let mut line = line.lock();
        line.came += 1;
        let number = line.came;
        line.waiting.push_back(number);
        let must_wait = |line: &mut Line| {
            let is_next = line.waiting.front() == Some(&number);
            !is_next || line.inside.len() >= MOST || line.inside.contains(&key)
        };
        let waited = changed.wait_while_until(&mut line, must_wait, until);
        line.waiting.retain(|&waiting| waiting != number);
        changed.notify_all();
        if waited.timed_out() {
            return None;
        }
        line.inside.insert(key);
        let gate = self.clone();
        Some(Permit { gate, key })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Shared { line, changed } = &*self.gate.0;
        line.lock().inside.remove(&self.key);
        changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn rfc(number: u32) -> Key {
        Key::Rfc(crate::wire::RfcNumber::new(number).unwrap())
    }

    #[test]
    fn four_requests_are_let_in_and_one_for_each_key() {
        let gate = Gate::default();
        let enter = |key| gate.enter(key, Instant::now());
        let first = enter(Key::Catalogue).unwrap();
        assert!(enter(Key::Catalogue).is_none(), "one for each key");
        let others = [1, 2, 3].map(|number| enter(rfc(number)).unwrap());
        assert!(enter(rfc(4)).is_none(), "four in all");
        let waiting = std::thread::spawn({
            let gate = gate.clone();
            move || gate.enter(rfc(4), Instant::now() + Duration::from_secs(20))
        });
        drop(first);
        let fourth = waiting.join().unwrap();
        assert!(fourth.is_some());
        drop((others, fourth));
        assert!(enter(rfc(1)).is_some());
    }
}
