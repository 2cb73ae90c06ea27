//! Limits how often an event is reported, because strangers could otherwise fill a disk with it.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::event::{Events, Level};

/// The least time between two reports.
const BETWEEN: Duration = Duration::from_secs(1);

/// Counts occurrences, and decides when to report them.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    untold: u64,
    last: Option<Instant>,
}

impl Seldom {
    /// Counts an occurrence. Returns `Some` if it is time to report, with the number of occurrences
    /// since the last report.
    pub(super) fn due(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            self.untold += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.untold))
    }

    /// Reports an occurrence as a warning, if it is time.
    pub(super) fn warn(&mut self, events: &Events, what: impl Display) {
        match self.due() {
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
