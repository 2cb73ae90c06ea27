//! Watches the folder and registers new files while the peer runs.

use std::thread;
use std::time::Duration;

use tracing::debug;

use super::{Failure, Handle, in_background};
use crate::event::{Event, Level, Topic};

/// How often to scan the folder.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Handle {
    /// Scans the folder in the background until the node stops.
    pub(super) fn watch_folder(&self) -> Result<(), Failure> {
        let (library, index) = (self.library.clone(), self.index.clone());
        let (events, asking) = (self.events.clone(), self.asking.clone());
        in_background("folder", move || {
            let mut has_warned = false;
            loop {
                thread::sleep(LOOK_EVERY);
                if asking.is_closing() {
                    return;
                }
                let changes = library.look();
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
