//! What was streamed most recently, as bytes. Each watcher has its own place in it, and one that
//! falls behind loses what is gone; nobody waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The most bytes of events that are kept for watchers.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// The most bytes that a watcher takes at once, unless they are one chunk: one that does not read
/// holds them.
const AT_ONCE: usize = 64 * 1024;
/// The most messages that are kept,
const MESSAGES: usize = 1_000;
/// and the most bytes of them.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Events with consecutive numbers, as they are sent to every watcher.
#[derive(Debug)]
struct Chunk {
    first: u64,
    last: u64,
    text: Arc<str>,
}

/// What comes next for a watcher.
#[derive(Debug)]
pub(super) struct Next {
    /// How many events were lost before these.
    pub(super) missed: u64,
    pub(super) texts: Vec<Arc<str>>,
    /// The number of the last of them.
    pub(super) last: u64,
    pub(super) is_ended: bool,
}

/// The most recent events.
#[derive(Debug, Default)]
pub(super) struct Ring {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    messages: VecDeque<Arc<str>>,
    message_bytes: usize,
    /// How many messages were added so far.
    added: u64,
    is_ended: bool,
}

impl Ring {
    /// Adds the events after the last one up to number `last`, and those of them that are messages.
    pub(super) fn add(&self, last: u64, text: String, messages: Vec<Arc<str>>) {
        let mut state = self.state.lock();
        let first = state.last + 1;
        state.last = last;
        state.bytes += text.len();
        let text = text.into();
        state.chunks.push_back(Chunk { first, last, text });
        while state.bytes > MOST_BYTES
            && let Some(oldest) = state.chunks.pop_front()
        {
            state.bytes -= oldest.text.len();
        }
        for message in messages {
            state.message_bytes += message.len();
            state.added += 1;
            state.messages.push_back(message);
        }
        while (state.messages.len() > MESSAGES || state.message_bytes > MESSAGE_BYTES)
            && let Some(oldest) = state.messages.pop_front()
        {
            state.message_bytes -= oldest.len();
        }
        drop(state);
        self.more.notify_all();
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.state.lock().last
    }

    /// The last messages as JSON, oldest first: at most `most` of them, and `bytes` in all.
    pub(super) fn messages(&self, most: usize, mut bytes: usize) -> Vec<Arc<str>> {
        let state = self.state.lock();
        let fits = |message: &&Arc<str>| {
            let left = bytes.checked_sub(message.len());
            bytes = left.unwrap_or_default();
            left.is_some()
        };
        let newest = state.messages.iter().rev().take(most).take_while(fits);
        let mut messages: Vec<_> = newest.cloned().collect();
        messages.reverse();
        messages
    }

    /// How many messages were added so far.
    pub(super) fn added(&self) -> u64 {
        self.state.lock().added
    }

    /// What follows the event of this number. It waits for more, at most for `time`.
    pub(super) fn after(&self, number: u64, time: Duration) -> Next {
        let mut state = self.state.lock();
        let has_no_more = |state: &mut State| state.last <= number && !state.is_ended;
        self.more.wait_while_for(&mut state, has_no_more, time);
        // A watcher begins between two chunks, and reads whole ones.
        let place = state.chunks.partition_point(|chunk| chunk.first <= number);
        let first = state
            .chunks
            .get(place)
            .map_or(state.last + 1, |chunk| chunk.first);
        let mut next = Next {
            missed: first.saturating_sub(number + 1),
            texts: Vec::new(),
            last: (first - 1).max(number),
            is_ended: state.is_ended,
        };
        let mut bytes = 0;
        for chunk in state.chunks.range(place..) {
            bytes += chunk.text.len();
            if bytes > AT_ONCE && !next.texts.is_empty() {
                break;
            }
            next.texts.push(Arc::clone(&chunk.text));
            next.last = chunk.last;
        }
        next
    }

    /// Ends all waits.
    pub(super) fn end(&self) {
        self.state.lock().is_ended = true;
        self.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(ring: &Ring, number: u64) -> (u64, String, u64) {
        let next = ring.after(number, Duration::ZERO);
        (next.missed, next.texts.concat(), next.last)
    }

    #[test]
    fn each_watcher_reads_on_where_it_was() {
        let ring = Ring::default();
        assert_eq!(next(&ring, 0), (0, String::new(), 0));
        ring.add(2, "ab".to_owned(), vec!["a".into(), "b".into()]);
        ring.add(3, "c".to_owned(), vec!["c".into()]);
        assert_eq!(next(&ring, 0), (0, "abc".to_owned(), 3));
        assert_eq!(next(&ring, 2), (0, "c".to_owned(), 3));
        assert_eq!(next(&ring, 3), (0, String::new(), 3));
        let kept = |most, bytes| ring.messages(most, bytes).concat();
        assert_eq!(
            (kept(2, 9), kept(9, 2), kept(9, 0)),
            ("bc".into(), "bc".into(), String::new())
        );
        assert_eq!(ring.added(), 3);
    }

    #[test]
    fn one_that_falls_behind_is_told_how_much_it_lost() {
        let ring = Ring::default();
        let long = "x".repeat(MOST_BYTES / 2 + 1);
        ring.add(10, long.clone(), Vec::new());
        ring.add(30, long.clone(), Vec::new());
        assert_eq!(next(&ring, 0), (10, long.clone(), 30));
        assert_eq!(next(&ring, 5), (5, long.clone(), 30));
        assert_eq!(next(&ring, 10), (0, long, 30));
        // One event that is longer than all that is kept is lost to everybody.
        ring.add(31, "x".repeat(MOST_BYTES + 1), Vec::new());
        assert_eq!(next(&ring, 30), (1, String::new(), 31));
    }

    #[test]
    fn nobody_takes_much_at_once() {
        let ring = Ring::default();
        let long = "x".repeat(AT_ONCE / 2);
        for number in 1..=3 {
            ring.add(number, long.clone(), Vec::new());
        }
        assert_eq!(next(&ring, 0), (0, long.repeat(2), 2));
        assert_eq!(next(&ring, 2), (0, long, 3));
    }

    #[test]
    fn the_last_messages_are_kept() {
        let ring = Ring::default();
        for number in 1..=1_500 {
            ring.add(number, String::new(), vec![number.to_string().into()]);
        }
        let kept = ring.messages(usize::MAX, usize::MAX);
        assert_eq!((kept.len(), &*kept[0], &*kept[999]), (1_000, "501", "1500"));
    }
}
