//! Ending work from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use super::Sockets;

/// Ends work from another thread, for example after a signal. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Stopping>);

#[derive(Debug, Default)]
struct Stopping {
    /// The signal, or 0.
    signal: AtomicU8,
    /// The sockets of the current work.
    open: Mutex<Vec<Sockets>>,
}

impl Stop {
    /// Closes all sockets, which ends everything that waits for one.
    pub fn now(&self, signal: u8) {
        self.0.signal.store(signal, Ordering::SeqCst);
        self.0.open.lock().iter().for_each(Sockets::close_all);
    }

    /// The number of the signal, if one came.
    pub fn signal(&self) -> Option<u8> {
        let signal = self.0.signal.load(Ordering::SeqCst);
        (signal != 0).then_some(signal)
    }

    /// Closes these sockets too, at once if the stop came before.
    pub fn watch(&self, sockets: &Sockets) {
        let mut open = self.0.open.lock();
        open.push(sockets.clone());
        if self.signal().is_some() {
            sockets.close_all();
        }
    }

    /// The work is over: its sockets are no longer kept.
    pub fn forget(&self) {
        self.0.open.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_come_after_the_signal_are_closed_as_well() {
        let stop = Stop::default();
        let [before, after, forgotten] = [(); 3].map(|()| Sockets::default());
        stop.watch(&forgotten);
        stop.forget();
        stop.watch(&before);
        assert_eq!((stop.signal(), before.is_closing()), (None, false));
        stop.now(2);
        stop.watch(&after);
        let closing = [&before, &after, &forgotten].map(Sockets::is_closing);
        assert_eq!((stop.signal(), closing), (Some(2), [true, true, false]));
    }
}
