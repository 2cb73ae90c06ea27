//! The time, by the two clocks that the table needs.

use std::time::{Instant, SystemTime};

/// The time by two clocks. Times to live follow the monotonic one, so setting the clock does not
/// change them. Dates, and whatever outlives this run, follow the other.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The time of the monotonic clock.
    pub instant: Instant,
    /// The time of day.
    pub date: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            date: SystemTime::now(),
        }
    }
}
