//! What surrounds the runs of an experiment: the printout and the progress.

use std::fmt::Display;

use crate::event::{Events, Level};
use crate::net::Stop;
use crate::printout::Transcript;
use crate::terminal::progress::Progress;

/// What all runs have in common.
#[derive(Debug)]
pub struct Stage {
    /// Where the messages of all servers and peers are printed,
    pub transcript: Transcript,
    /// and who else wants to know what happens.
    pub events: Events,
    /// Shows how many downloads are done.
    pub progress: Progress,
    /// Whether it is said on standard error what goes on.
    pub says: bool,
    /// Ends a run from elsewhere.
    pub stop: Stop,
}

impl Stage {
    /// Says what goes on.
    pub(super) fn say(&self, what: impl Display) {
        if self.says {
            self.events.notice(Level::Info, what);
        }
    }
}
