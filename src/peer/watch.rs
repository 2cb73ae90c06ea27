//! Watching the folder: what comes into it while the peer runs is registered.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, SystemTime};

use tracing::warn;

use super::Peer;
use crate::index::Index;
use crate::wire::RfcNumber;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How a file looked when it was last seen: its length and its time.
type Look = (u64, SystemTime);

/// Looks at the folder for ever.
pub fn run<I: Index>(peer: &Peer<I>) {
    let mut seen = BTreeMap::new();
    loop {
        thread::sleep(LOOK_EVERY);
        look(peer, &mut seen);
    }
}

/// Looks at the folder once. A file is registered when two looks in a row see the same: until
/// then it may still be being copied.
fn look<I: Index>(peer: &Peer<I>, seen: &mut BTreeMap<RfcNumber, Look>) {
    let now = match peer.library().looks() {
        Ok(now) => now,
        Err(error) => {
            warn!("{error}");
            return;
        }
    };
    for number in seen.keys().filter(|number| !now.contains_key(number)) {
        peer.forget(*number);
    }
    let settled = now
        .iter()
        .filter(|(number, look)| seen.get(number) == Some(look));
    let new: Vec<_> = settled.map(|(&number, _)| number).collect();
    if let Err(error) = peer.register_new(&new) {
        warn!("{error}");
    }
    *seen = now;
}
