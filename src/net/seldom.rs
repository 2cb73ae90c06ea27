//! Lines of the log that strangers could otherwise fill a disk with.

use std::time::{Duration, Instant};

/// The least time between two such lines.
const BETWEEN: Duration = Duration::from_secs(1);

/// Counts what happens, and says when it is time for a line about it.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    unsaid: u64,
    last: Option<Instant>,
}

impl Seldom {
    /// Something happened. `Some` when it is time for a line, with how often it happened since the
    /// last one without a line.
    pub(super) fn due(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.unsaid))
    }
}
