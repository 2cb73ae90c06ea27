//! Ending work from elsewhere.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Sockets;

/// Ends work from elsewhere, for example by a signal. Clones are handles to the same one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Stopping>);

#[derive(Debug, Default)]
struct Stopping {
    /// The signal, or 0.
    signal: AtomicU8,
    /// The sockets of the work at hand.
    open: Mutex<Vec<Sockets>>,
}

impl Stop {
    /// Closes all sockets, with which everything ends that waits for one.
    pub fn now(&self, signal: u8) {
        self.0.signal.store(signal, Ordering::SeqCst);
        self.lock().iter().for_each(Sockets::close_all);
    }

    /// The number of the signal that has stopped it.
    pub fn signal(&self) -> Option<u8> {
        let signal = self.0.signal.load(Ordering::SeqCst);
        (signal != 0).then_some(signal)
    }

    /// Closes these sockets as well, also where it was told to stop before.
    pub fn watch(&self, sockets: &Sockets) {
        let mut open = self.lock();
        open.push(sockets.clone());
        if self.signal().is_some() {
            sockets.close_all();
        }
    }

    /// The work is over, and its sockets are no longer held open.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sockets>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
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
