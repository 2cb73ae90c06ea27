//! Limits how often an event is reported, because strangers could otherwise fill a disk with it.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::event::{Events, Level};

/// The time that has a limit of reports.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts occurrences, and decides which to report: so many in each second. The default is one.
#[derive(Debug)]
pub struct Seldom {
    most: u64,
    /// How many were reported in this period.
    told: u64,
    untold: u64,
    since: Option<Instant>,
}

impl Default for Seldom {
    fn default() -> Self {
        Self::at_most(1)
    }
}

impl Seldom {
    /// Reports at most so many occurrences in each second.
    pub fn at_most(most: u64) -> Self {
        Self {
            most,
            told: 0,
            untold: 0,
            since: None,
        }
    }

    /// Counts an occurrence. Returns `Some` if it is to be reported, with the number of occurrences
    /// since the last report.
    pub fn due(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since| now.saturating_duration_since(since) >= PERIOD;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.told = 0;
        }
        if self.told == self.most {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(self.untold())
    }

    /// How many occurrences there were since the last report. They count as reported now.
    pub fn untold(&mut self) -> u64 {
        std::mem::take(&mut self.untold)
    }

    /// Reports an occurrence as a warning, if it is time.
    pub(super) fn warn(&mut self, events: &Events, what: impl Display) {
        match self.due(Instant::now()) {
            None => {}
            Some(0) => events.notice(Level::Warning, what),
            Some(before) => {
                events.notice(
                    Level::Warning,
                    format_args!("{what} ({before} times before)"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_reported_in_a_second_and_the_rest_are_counted() {
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        let mut seldom = Seldom::at_most(2);
        let due: Vec<_> = (0..25).map(|tenths| seldom.due(at(tenths))).collect();
        for (tenths, due) in due.into_iter().enumerate() {
            let expected = match tenths {
                0 | 1 | 11 | 21 => Some(0),
                10 | 20 => Some(8),
                _ => None,
            };
            assert_eq!(due, expected, "{tenths}");
        }
        assert_eq!((seldom.untold(), seldom.untold()), (3, 0));
        let mut one = Seldom::default();
        assert_eq!(
            [0, 9, 10].map(|tenths| one.due(at(tenths))),
            [Some(0), None, Some(1)]
        );
    }
}
