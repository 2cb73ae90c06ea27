//! The threads that have no connection: a few accept, and a few more are spare.
//!
//! The fewer accept, the less often one of them has to be woken: while connections keep coming, those
//! that have just served one find the next without going to sleep. A spare thread takes the place of
//! the last one that accepts, which is cheaper than to start a thread.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The most threads that accept at a time. With fewer, a thread would call a spare one more often; and a
/// connection wakes all that sleep.
const MOST_ACCEPTING: usize = 4;
/// The most spare threads. Any more end.
const MOST_SPARE: usize = 8;

/// Counts the threads without a connection. None of them is kept for longer than it is needed, except
/// one that accepts.
#[derive(Debug)]
pub(super) struct Idle {
    /// How long a thread is spare before it ends.
    time: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    accepting: usize,
    spare: usize,
    /// How many spare threads are to accept. They count as accepting.
    called: usize,
    is_closing: bool,
}

impl Idle {
    /// One thread, which accepts. A spare one ends after `time`.
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time,
            state: Mutex::new(State {
                accepting: 1,
                ..State::default()
            }),
            changed: Condvar::new(),
        }
    }

    /// The thread that calls this has accepted. If it was the last one, a spare one takes its place, or
    /// else the thread that this one is to start or, failing that, itself; then it returns `false`.
    #[must_use]
    pub(super) fn leave(&self) -> bool {
        let mut state = self.state.lock();
        if state.accepting > 1 {
            state.accepting -= 1;
            return true;
        }
        if state.spare == 0 {
            return false;
        }
        state.spare -= 1;
        state.called += 1;
        drop(state);
        self.changed.notify_one();
        true
    }

    /// The thread that calls this has no connection any more. It waits while enough others accept, and
    /// returns whether it is to accept.
    #[must_use]
    pub(super) fn enter(&self) -> bool {
        let mut state = self.state.lock();
        if state.is_closing {
            return false;
        }
        if state.accepting < MOST_ACCEPTING {
            state.accepting += 1;
            return true;
        }
        if state.spare == MOST_SPARE {
            return false;
        }
        state.spare += 1;
        let is_spare = |state: &mut State| state.called == 0 && !state.is_closing;
        self.changed.wait_while_for(&mut state, is_spare, self.time);
        let is_called = state.called > 0;
        if is_called {
            state.called -= 1;
        } else {
            state.spare -= 1;
        }
        is_called
    }

    /// The thread that calls this accepts, and may end unless it is the last one that does. Returns
    /// whether it is to end.
    #[must_use]
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state.lock();
        let is_needed = state.accepting == 1;
        if !is_needed {
            state.accepting -= 1;
        }
        !is_needed
    }

    /// Lets all spare threads end, because no connections are accepted any more.
    pub(super) fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread::{self, JoinHandle};
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn spare(idle: &Arc<Idle>, count: usize) -> Vec<JoinHandle<bool>> {
        let enter = |_| {
            let idle = Arc::clone(idle);
            thread::spawn(move || idle.enter())
        };
        let threads = (0..count).map(enter).collect();
        let begin = Instant::now();
        while idle.state.lock().spare < count {
            assert!(begin.elapsed() < LONG, "a thread is not spare");
            thread::yield_now();
        }
        threads
    }

    #[test]
    fn few_accept_some_are_spare_and_the_rest_end() {
        let idle = Arc::new(Idle::new(LONG));
        assert!((1..MOST_ACCEPTING).all(|_| idle.enter()));
        let threads = spare(&idle, MOST_SPARE);
        assert!(!idle.enter());
        // Others still accept, so nobody is called.
        assert!((1..MOST_ACCEPTING).all(|_| idle.leave()));
        assert_eq!(idle.state.lock().spare, MOST_SPARE);
        // The last one calls a spare one.
        assert!(idle.leave());
        assert_eq!(idle.state.lock().spare, MOST_SPARE - 1);
        idle.close();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        assert_eq!(ended.filter(|accepts| *accepts).count(), 1);
        assert!(!idle.enter());
    }

    #[test]
    fn the_last_that_accepts_stays_and_no_spare_one_does() {
        let idle = Idle::new(Duration::from_millis(1));
        assert!(!idle.retire());
        while idle.state.lock().accepting < MOST_ACCEPTING {
            assert!(idle.enter());
        }
        assert!(!idle.enter());
        assert!((1..MOST_ACCEPTING).all(|_| idle.retire()));
        assert!(!idle.retire());
        // Nobody takes its place.
        assert!(!idle.leave());
    }
}
