//! Limits the upload rate of a peer: one token bucket for all its connections.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The longest pause that is made up for. A client needs this long between two documents, to save
/// one and to connect for the next, and should not lose rate by it. A longer pause earns nothing,
/// so nobody who connects to an idle peer can exceed the rate.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the portion lasts that one connection takes before others have their turn. With long
/// turns, a connection that misses one between two documents falls behind by that much.
const TURN: Duration = Duration::from_millis(1);
/// The smallest portion, in bytes, even at a low rate,
const LEAST: u64 = 512;
/// and the largest.
const MOST: u64 = 64 * 1024;

/// Writes no faster than a rate allows. What is granted is written at once, so that the rate is not
/// spent on a reader that is gone.
#[derive(Debug)]
pub struct Paced<'a, W> {
    /// Where to.
    pub out: W,
    /// The rate, if limited.
    pub pace: Option<&'a Pace>,
}

impl<W: Write> Write for Paced<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(pace) = self.pace else {
            return self.out.write(bytes);
        };
        let granted = pace.take(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let granted = usize::try_from(granted).unwrap_or(bytes.len());
        self.out.write_all(bytes.get(..granted).unwrap_or(bytes))?;
        self.out.flush()?;
        Ok(granted)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A token bucket, shared by its clones. Connections take turns, so those that send without a pause
/// get equal shares.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// In bytes per second.
    rate: u64,
    /// When everything granted so far has been sent; `None` at first.
    busy_until: Mutex<Option<Instant>>,
}

impl Pace {
    /// A limit of `rate` bytes per second; `None` for 0, which means no limit.
    pub fn new(rate: u64) -> Option<Self> {
        (rate > 0).then(|| {
            Self(Arc::new(Shared {
                rate,
                busy_until: Mutex::default(),
            }))
        })
    }

    /// Waits until some of `wanted` bytes may be sent, and returns how many.
    pub(super) fn take(&self, wanted: u64) -> u64 {
        let portion = wanted.min(self.portion());
        let wait = self.reserve(portion, Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        portion
    }

    /// What one connection gets in its turn, in bytes.
    fn portion(&self) -> u64 {
        let turns = Duration::from_secs(1).as_micros() / TURN.as_micros();
        let portion = u128::from(self.0.rate) / turns;
        u64::try_from(portion).unwrap_or(MOST).clamp(LEAST, MOST)
    }

    /// Grants `bytes`, and returns how long to wait before they are sent.
    fn reserve(&self, bytes: u64, now: Instant) -> Duration {
        let mut busy_until = self.0.busy_until.lock();
        let is_recent = |end: &Instant| now.saturating_duration_since(*end) <= PAUSE;
        let begin = busy_until.filter(is_recent).unwrap_or(now);
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.0.rate);
        let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let end = begin + time;
        *busy_until = Some(end);
        end.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_long_run_the_rate_is_kept() {
        let pace = Pace::new(1_000_000).unwrap();
        let start = Instant::now();
        let waits: Vec<_> = (0..100).map(|_| pace.reserve(10_000, start)).collect();
        assert_eq!(waits[99].as_millis().div_ceil(100) * 100, 1000);
        assert!(Pace::new(0).is_none());
    }

    #[test]
    fn a_short_pause_is_made_up_for_and_a_long_one_is_worth_nothing() {
        let pace = Pace::new(1_000_000).unwrap();
        let start = Instant::now();
        let ms = Duration::from_millis;
        // A peer that has just started counts as idle for a long time.
        assert_eq!(pace.reserve(10_000, start), ms(10));
        // The 40 ms since its end are granted at once.
        let later = start + ms(50);
        assert_eq!(pace.reserve(40_000, later), Duration::ZERO);
        assert_eq!(pace.reserve(10_000, later), ms(10));
        assert_eq!(
            pace.reserve(10_000, later + Duration::from_secs(10)),
            ms(10)
        );
    }

    #[test]
    fn a_turn_is_short_and_no_portion_is_tiny_or_huge() {
        let portion = |rate| Pace::new(rate).unwrap().portion();
        let portions = [1, 2_000_000, u64::MAX].map(portion);
        assert_eq!(portions, [512, 2000, 65_536]);
    }
}
