//! The memory for answers, until browsers have read them.
//!
//! An answer takes its room before it is rendered, so neither those that are being rendered nor
//! those that nobody reads can add up to more than there is.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::http::{Refusal, Status};

/// The most bytes of all answers together.
const MOST: usize = 32 * 1024 * 1024;
/// What an answer takes until its length is known. None is much longer.
const UNKNOWN: usize = 4 * 1024 * 1024;
/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(5);

/// The memory for all answers. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// The room of an answer, free again on drop.
#[derive(Debug)]
pub(super) struct Room {
    budget: Budget,
    bytes: usize,
}

/// An answer, and its room.
#[derive(Debug)]
pub(super) struct Rendered {
    text: Box<str>,
    _room: Room,
}

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(State {
            taken: Mutex::new(0),
            freed: Condvar::new(),
        }))
    }
}

impl Budget {
    /// Room for an answer. It waits while others have it all.
    pub(super) fn room(&self) -> Result<Room, Refusal> {
        self.room_within(WAIT)
    }

    fn room_within(&self, time: Duration) -> Result<Room, Refusal> {
        let State { taken, freed } = &*self.0;
        let mut taken = taken.lock();
        let is_full = |taken: &mut usize| *taken + UNKNOWN > MOST;
        if freed.wait_while_for(&mut taken, is_full, time).timed_out() {
            let why = "others have not read their answers yet; try again";
            return Err(Refusal::new(Status::Unavailable, why));
        }
        *taken += UNKNOWN;
        Ok(Room {
            budget: self.clone(),
            bytes: UNKNOWN,
        })
    }
}

impl Room {
    /// An answer in this room, which becomes as large as the answer.
    pub(super) fn hold(mut self, text: String) -> Arc<Rendered> {
        let text = text.into_boxed_str();
        let State { taken, freed } = &*self.budget.0;
        let mut taken = taken.lock();
        *taken = *taken - self.bytes + text.len();
        self.bytes = text.len();
        drop(taken);
        freed.notify_all();
        Arc::new(Rendered { text, _room: self })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let State { taken, freed } = &*self.budget.0;
        *taken.lock() -= self.bytes;
        freed.notify_all();
    }
}

impl AsRef<[u8]> for Rendered {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(budget: &Budget) -> Option<Room> {
        budget.room_within(Duration::ZERO).ok()
    }

    #[test]
    fn answers_that_nobody_reads_take_no_more_than_there_is() {
        let budget = Budget::default();
        let begun: Vec<_> = std::iter::from_fn(|| room(&budget)).collect();
        assert_eq!(begun.len(), MOST / UNKNOWN);
        // Short answers leave room for others.
        let held: Vec<_> = begun.into_iter().map(|it| it.hold("x".repeat(9))).collect();
        let more = room(&budget).unwrap();
        // A long one takes what it is, even if that is too much.
        let long = more.hold("x".repeat(MOST));
        assert!(room(&budget).is_none());
        drop((held, long));
        assert_eq!(*budget.0.taken.lock(), 0);
    }

    #[test]
    fn who_waits_gets_room_when_another_has_read() {
        let budget = Budget::default();
        let held: Vec<_> = std::iter::from_fn(|| room(&budget)).collect();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.room_within(Duration::from_mins(1)).is_ok());
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
