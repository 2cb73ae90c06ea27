//! Watches the folder, and registers files that are added while the peer runs.

use std::thread;
use std::time::Duration;

use tracing::debug;

use super::{Failure, Node, in_background};
use crate::event::{Event, Level, Topic};
use crate::library::Changes;

/// How often the folder is scanned.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Node {
    /// Scans the folder in the background, until the node is about to end.
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
                let Changes {
                    settled,
                    gone,
                    error,
                } = library.look();
                if let Some(error) = error.as_ref().filter(|_| !has_warned) {
                    events.notice(Level::Warning, error);
                }
                has_warned = error.is_some();
                // An index that can't remove a single record keeps listing us.
                for number in gone {
                    let folder = library.folder();
                    events.tell(Topic::Life, || Event::FileGone { number, folder });
                }
                if !settled.is_empty()
                    && let Err(error) = index.publish(&settled)
                {
                    // The index has reported this, and gets the changes after reconnecting.
                    debug!(%error, "changes of the folder are registered later");
                }
            }
        })
    }
}
