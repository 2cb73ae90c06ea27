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

#[cfg(test)]
mod tests {
    use super::super::testing::{TTL, at, register, table};
    use super::*;
    use crate::registration::entry::DAY;
    use std::time::Duration;

    #[test]
    fn setting_the_clock_changes_no_time_to_live() {
        for date in [0, 2_000_000 * DAY] {
            let mut table = table();
            let first = register(&mut table, 5, None, at(0)).cookie;
            let set = |now: Now| Now {
                date: SystemTime::UNIX_EPOCH + Duration::from_secs(date),
                ..now
            };
            let registration = table.registration(first, set(at(1))).unwrap();
            assert!(registration.is_active);
            assert_eq!(registration.ttl, 7199);
            assert!(table.expired(at(0).instant, set(at(TTL - 1))).is_empty());
            assert_eq!(table.expired(at(0).instant, set(at(TTL))).len(), 1);
        }
    }
}
