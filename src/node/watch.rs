//! Watching the folder: what comes into it while the peer runs is registered.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, SystemTime};

use tracing::debug;

use super::Peer;
use crate::event::Level;
use crate::wire::RfcNumber;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file as it was last seen.
#[derive(Debug)]
struct Seen {
    /// Its length and its time.
    look: (u64, SystemTime),
    /// Whether it has changed since the index was told of it.
    is_news: bool,
}

/// Looks at the folder for ever.
pub fn run(peer: &Peer) {
    let mut watch = Watch::default();
    loop {
        thread::sleep(LOOK_EVERY);
        watch.look(peer);
    }
}

#[derive(Debug, Default)]
struct Watch {
    files: BTreeMap<RfcNumber, Seen>,
    has_warned: bool,
}

impl Watch {
    /// Looks at the folder once. News of a file goes to the index when two looks in a row see the
    /// same: until then it may still be being copied. A copy that pauses for longer is registered
    /// by its first half, and again when the rest brings another title.
    fn look(&mut self, peer: &Peer) {
        let now = peer.library().looks().unwrap_or_else(|error| {
            if !std::mem::replace(&mut self.has_warned, true) {
                peer.events.notice(Level::Warning, error);
            }
            BTreeMap::new()
        });
        self.has_warned &= now.is_empty();
        let mut settled = Vec::new();
        for (&number, &look) in &now {
            match self.files.get_mut(&number) {
                Some(seen) if seen.look == look => {
                    if std::mem::take(&mut seen.is_news) {
                        settled.push(number);
                    }
                }
                Some(seen) => {
                    *seen = Seen {
                        look,
                        is_news: true,
                    }
                }
                None => {
                    // What was registered before the first look keeps the title it was given.
                    let is_news = !peer.is_registered(number);
                    self.files.insert(number, Seen { look, is_news });
                }
            }
        }
        self.files.retain(|number, _| {
            let is_there = now.contains_key(number);
            if !is_there {
                peer.forget(*number);
            }
            is_there
        });
        if let Err(error) = peer.register_changed(&settled) {
            // The index has said so already, and gets them when it is back.
            debug!(%error, "news of the folder have to wait");
        }
    }
}
