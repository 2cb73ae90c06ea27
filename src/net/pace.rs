//! How fast a peer uploads: one bucket for all its connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How much may leave at once after a pause. It lets an upload begin without a wait, and makes up
/// for the time between two of them; it is small, so that the rate shows from the first second.
const BURST: Duration = Duration::from_millis(50);
/// The most that one connection takes at once, in bytes, before others have their turn.
const PORTION: u64 = 8 * 1024;

/// A token bucket. Clones share it, and it gives out in turn: of several connections that send
/// without a pause, each gets the same.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Bytes a second.
    rate: u64,
    /// When all that was given out so far is over.
    busy_until: Mutex<Instant>,
}

impl Pace {
    /// At most `rate` bytes a second; `None` for 0, which is no limit.
    #[must_use]
    pub fn new(rate: u64) -> Option<Self> {
        (rate > 0).then(|| {
            Self(Arc::new(Shared {
                rate,
                busy_until: Mutex::new(Instant::now()),
            }))
        })
    }

    /// Waits until some of `wanted` bytes may be sent, and says how many.
    pub(super) fn take(&self, wanted: u64) -> u64 {
        let portion = wanted.min(PORTION);
        let wait = self.reserve(portion, Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        portion
    }

    /// Gives out `bytes`, and says how long to wait before they are sent.
    fn reserve(&self, bytes: u64, now: Instant) -> Duration {
        let mut busy_until = self
            .0
            .busy_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let begin = (*busy_until).max(earliest);
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.0.rate);
        let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        *busy_until = begin + time;
        busy_until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_long_run_the_rate_is_kept_and_a_pause_is_worth_one_burst() {
        let pace = Pace::new(1_000_000).unwrap();
        let start = Instant::now();
        let waits: Vec<_> = (0..100).map(|_| pace.reserve(10_000, start)).collect();
        assert_eq!(waits[99].as_millis().div_ceil(100) * 100, 1000);
        // Nothing is sent for ten seconds; then 50 ms of it are there at once.
        let later = start + Duration::from_secs(11);
        assert_eq!(pace.reserve(50_000, later), Duration::ZERO);
        assert_eq!(pace.reserve(10_000, later), Duration::from_millis(10));
        assert!(Pace::new(0).is_none());
    }
}
