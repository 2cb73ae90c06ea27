//! Watching the folder: what comes into it while the peer runs is registered.

use std::thread;
use std::time::Duration;

use tracing::debug;

use super::Peer;
use crate::event::{Event, Level, Topic};
use crate::library::Changes;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at the folder for ever.
pub fn run(peer: &Peer) {
    let mut has_warned = false;
    loop {
        thread::sleep(LOOK_EVERY);
        let Changes {
            settled,
            gone,
            error,
        } = peer.library().look();
        if let Some(error) = error.as_ref().filter(|_| !has_warned) {
            peer.events.notice(Level::Warning, error);
        }
        has_warned = error.is_some();
        // An index that can't take back one record goes on naming us.
        for number in gone {
            let folder = peer.library().folder();
            let gone = || Event::FileGone { number, folder };
            peer.events.tell(Topic::Life, gone);
        }
        if !settled.is_empty()
            && let Err(error) = peer.index.publish(&settled)
        {
            // The index has said so already, and gets them when it is back.
            debug!(%error, "news of the folder have to wait");
        }
    }
}
