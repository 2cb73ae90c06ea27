//! What is told at most once in a while, for strangers could otherwise fill a disk with it.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::event::{Events, Level};

/// The least time between two reports.
const BETWEEN: Duration = Duration::from_secs(1);

/// Counts what happens, and says when it is time to tell of it.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    untold: u64,
    last: Option<Instant>,
}

impl Seldom {
    /// Something happened. `Some` when it is time to tell of it, with how often it happened since
    /// it was last told.
    pub(super) fn due(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            self.untold += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.untold))
    }

    /// Warns that something happened, when it is time.
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
