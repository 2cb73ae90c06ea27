//! The output of an experiment: printout and progress.

use std::fmt::Display;

use crate::event::{Events, Level};
use crate::net::Stop;
use crate::printout::Transcript;
use crate::terminal::progress::Progress;

/// What all runs share.
#[derive(Debug)]
pub struct Stage {
    /// The printout for the messages of all servers and peers,
    pub transcript: Transcript,
    /// and other readers of events.
    pub events: Events,
    /// Shows how many downloads are done.
    pub progress: Progress,
    /// Whether to report progress on standard error.
    pub says: bool,
    /// Stops a run from another thread.
    pub stop: Stop,
}

impl Stage {
    /// Reports progress.
    pub(super) fn say(&self, what: impl Display) {
        if self.says {
            self.events.notice(Level::Info, what);
        }
    }
}
