//! Watches the folder and registers new files while the peer runs.

use std::thread;
use std::time::{Duration, Instant};

use tracing::debug;

use super::{Failure, Handle, in_background};
use crate::event::{Event, Level, Topic};
use crate::library::Reports;

/// How often to look for reports of changes, and to scan a folder with files that have not settled.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often to scan the folder even if no change is reported.
const SCAN_ANYWAY: Duration = Duration::from_secs(30);

impl Handle {
    /// Scans the folder in the background, when it has changed, until the node stops.
    pub(super) fn watch_folder(&self) -> Result<(), Failure> {
        let (library, index) = (self.library.clone(), self.index.clone());
        let (events, asking) = (self.events.clone(), self.asking.clone());
        in_background("folder", move || {
            let mut reports = Reports::about(library.folder());
            // The folder may have changed since it was opened.
            let mut is_due = true;
            let mut scanned = Instant::now();
            let mut has_warned = false;
            loop {
                thread::sleep(LOOK_EVERY);
                if asking.is_closing() {
                    return;
                }
                is_due |= reports.has_changed() || scanned.elapsed() >= SCAN_ANYWAY;
                if !is_due {
                    continue;
                }
                scanned = Instant::now();
                let changes = library.look();
                is_due = changes.more_to_come;
                if let Some(error) = changes.error.as_ref().filter(|_| !has_warned) {
                    events.notice(Level::Warning, error);
                }
                has_warned = changes.error.is_some();
                for &number in &changes.gone {
                    let folder = library.folder();
                    events.tell(Topic::Life, || Event::FileGone { number, folder });
                }
                if let Err(error) = index.take_back(&changes.gone) {
                    // An index that is away gets only what is shared when it is back.
                    debug!(%error, "the records of missing files were not taken back");
                }
                if !changes.settled.is_empty()
                    && let Err(error) = index.publish(&changes.settled)
                {
                    // The index has reported this, and gets the changes when it is back.
                    debug!(%error, "folder changes are not registered yet");
                }
            }
        })
    }
}
