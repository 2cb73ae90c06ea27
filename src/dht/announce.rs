//! Announcing a peer for a key.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mainline::errors::PutQueryError;

use super::{DhtNode, RECOVERY_TIME, Shared};
use crate::event::DhtStep;
use crate::wire::Port;
use crate::wire::dht::Key;

/// How long an announcement may take, with those before it.
const ANNOUNCE_TIME: Duration = Duration::from_secs(30);

/// Why an announcement failed. It may be repeated when the node has [joined
/// again](DhtNode::wait_for_fill).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// There is nobody to store it.
    #[error("no other node of the DHT answers")]
    Alone,
    /// The others did not confirm it in time.
    #[error("no node of the DHT confirmed it in time")]
    TimedOut,
    /// The node is closing.
    #[error("the node of the DHT is closing")]
    Closing,
}

impl DhtNode {
    /// Announces that a peer on this machine can be asked about `key`, at the TCP port `port`. Waits
    /// until other nodes have stored it, repeating it once where that fails. Nothing withdraws an
    /// announcement, and each takes room, so do it rarely.
    pub fn announce(&self, key: Key, port: Port) -> Result<(), AnnounceError> {
        let until = Instant::now() + ANNOUNCE_TIME;
        let enter = || self.shared.gate.enter(key, until);
        let permit = enter().ok_or(AnnounceError::TimedOut)?;
        let (send, done) = mpsc::channel();
        let shared = self.shared.clone();
        let work = move || {
            let _permit = permit;
            let mut announced = shared.announce(key, port);
            if announced.is_err() && !shared.is_alone() {
                shared.recover(Instant::now() + RECOVERY_TIME);
                announced = shared.announce(key, port);
            }
            // After the deadline nobody receives it.
            let _ = send.send(announced);
        };
        let thread = thread::Builder::new().name("announce".to_owned());
        let started = thread.spawn(work);
        started.map_err(|_| AnnounceError::TimedOut)?;
        let announced = self.shared.receive(&done, until);
        let announced = announced.unwrap_or_else(|| Err(self.shared.late()));
        if announced.is_ok() {
            let port = port.get();
            self.shared.tell(DhtStep::Announced { key, port });
        }
        announced
    }
}

impl Shared {
    /// Announces once.
    fn announce(&self, key: Key, port: Port) -> Result<(), AnnounceError> {
        match self.engine.announce(key, port.get()) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(PutQueryError::NoClosestNodes)) | Err(_) => Err(AnnounceError::Alone),
            Ok(Err(_)) => Err(AnnounceError::TimedOut),
        }
    }

    /// The error of an announcement that nobody waits for any longer.
    fn late(&self) -> AnnounceError {
        if self.is_closing() {
            AnnounceError::Closing
        } else {
            AnnounceError::TimedOut
        }
    }
}
