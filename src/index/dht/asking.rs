//! Asking many peers at a time.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::debug;

use crate::index::Participation;
use crate::index::ask::AskError;
use crate::net::connect_to_peer;
use crate::wire::{Endpoint, Port, ReadError, RfcNumber};

/// How many peers are asked at a time.
const AT_ONCE: usize = 16;
/// The most peers that are asked for one query: who is in an index decides where this peer connects
/// to.
const MOST: usize = 1024;
/// How often a wait looks whether the program is about to end.
const LOOK: Duration = Duration::from_millis(100);

/// What a peer is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question {
    /// Whether it is there, within this time.
    Presence(Duration),
    /// Its index, within this time. The records of the document matter most, if one is wanted.
    Index(Option<RfcNumber>, Duration),
}

/// What came of asking a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is there, and its index is known, if asked for.
    Whole,
    /// Its index did not arrive whole in time.
    Part,
    Nothing,
}

/// Peers that are being asked. Yields each with its answer, as they come.
#[derive(Debug)]
pub(super) struct Asking {
    participation: Arc<Participation>,
    /// How many peers were found so far.
    found: Arc<AtomicUsize>,
    answers: Receiver<(Endpoint, Answer)>,
    until: Instant,
}

impl Asking {
    /// Asks these peers, as they are found, until a point in time or until this is dropped.
    pub(super) fn start(
        participation: &Arc<Participation>,
        peers: impl Iterator<Item = Endpoint> + Send + 'static,
        question: Question,
        until: Instant,
    ) -> Self {
        let found = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&found);
        let peers = peers.inspect(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let peers = Arc::new(Mutex::new(peers.take(MOST)));
        let (send, answers) = mpsc::channel();
        for _ in 0..AT_ONCE {
            let (peers, send) = (Arc::clone(&peers), send.clone());
            let asking = Arc::clone(participation);
            let work = move || {
                // Waiting for the next one holds up only those who would wait for it as well.
                while let Some(peer) = { peers.lock().next() } {
                    if Instant::now() >= until || asking.sockets.is_closing() {
                        return;
                    }
                    let answer = ask(&asking, &peer, question);
                    if send.send((peer, answer)).is_err() {
                        return;
                    }
                }
            };
            // With fewer threads it only takes longer.
            let thread = thread::Builder::new().name("asking".to_owned());
            let _ = thread.spawn(work);
        }
        Self {
            participation: Arc::clone(participation),
            found,
            answers,
            until,
        }
    }

    /// How many peers were found so far.
    pub(super) fn found(&self) -> usize {
        self.found.load(Ordering::SeqCst)
    }
}

impl Iterator for Asking {
    type Item = (Endpoint, Answer);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left.min(LOOK)) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout)
                    if left > LOOK && !self.participation.sockets.is_closing() => {}
                Err(_) => return None,
            }
        }
    }
}

fn ask(participation: &Participation, peer: &Endpoint, question: Question) -> Answer {
    let Participation {
        known,
        sockets,
        ports,
        ..
    } = participation;
    let asked = match question {
        Question::Presence(time) => connect_to_peer(sockets, peer, *ports, time)
            .map(drop)
            .map_err(AskError::from),
        Question::Index(wanted, time) => participation.query(peer, wanted, |_| None, time),
    };
    match asked {
        Ok(()) => Answer::Whole,
        Err(AskError::Read(
            ReadError::TimedOut { began: true, .. }
            | ReadError::Lost { .. }
            | ReadError::Short { .. },
        )) => Answer::Part,
        // An address in the hash table may be stale, so this is nothing to report.
        Err(AskError::Connect(error)) => {
            debug!(%error, "a stale address");
            known.forget(peer, Instant::now());
            Answer::Nothing
        }
        Err(error) => {
            participation.untold(peer, &error);
            known.forget(peer, Instant::now());
            Answer::Nothing
        }
    }
}

/// The peers at addresses in the hash table, except those that were asked before.
pub(super) fn peers_at(
    addresses: impl Iterator<Item = SocketAddrV4> + Send + 'static,
    mut before: HashSet<Endpoint>,
) -> impl Iterator<Item = Endpoint> + Send + 'static {
    addresses.filter_map(move |address| {
        let peer = Endpoint {
            host: std::net::IpAddr::from(*address.ip()).into(),
            port: Port::new(address.port())?,
        };
        before.insert(peer.clone()).then_some(peer)
    })
}
