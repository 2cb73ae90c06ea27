//! The log of connection events: `-v` adds them to the journal of a quiet server.

use tracing::{Level, enabled, info};

use super::lines::lines;
use crate::event::{Event, Reader, Topic, Topics};
use crate::terminal::escape::escaped;

/// Logs the events of [`Topic::Life`], if the log level includes them.
#[derive(Debug, Clone, Copy)]
pub struct Log;

impl Reader for Log {
    fn wants(&self) -> Topics {
        if enabled!(Level::INFO) {
            Topics::of(&[Topic::Life])
        } else {
            Topics::default()
        }
    }

    fn read(&self, event: &Event<'_>) {
        for line in lines(event) {
            info!("{}", escaped(line.as_bytes(), false));
        }
    }
}
