//! The log of connection events: `-v` adds them to the journal of a quiet server.

use std::time::Instant;

use tracing::{Level, enabled, info};

use super::lines::lines;
use super::refusals::{Refusals, Verdict};
use crate::event::{Event, Reader, Topic, Topics};
use crate::terminal::escape::escaped;

/// Logs the events of [`Topic::Life`], if the log level includes them.
#[derive(Debug, Default)]
pub struct Log {
    refusals: Refusals,
}

impl Reader for Log {
    fn wants(&self) -> Topics {
        if enabled!(Level::INFO) {
            Topics::of(&[Topic::Life])
        } else {
            Topics::default()
        }
    }

    fn read(&self, event: &Event<'_>) {
        let before = match self.refusals.judge(event, Instant::now()) {
            Verdict::Print => None,
            Verdict::PrintAfter(line) => Some(line),
            Verdict::Skip => return,
        };
        for line in before.into_iter().chain(lines(event)) {
            info!("{}", escaped(line.as_bytes(), false));
        }
    }
}
