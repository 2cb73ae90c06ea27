//! What happens, for the log: a quiet server in a journal can be told to say it with `-v`.

use tracing::{Level, enabled, info};

use super::lines::lines;
use crate::event::{Event, Reader, Topic, Topics};
use crate::terminal::escape::escaped;

/// Logs what comes once for a connection, a peer or a document, where the log takes it.
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
