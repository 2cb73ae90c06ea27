//! Asking many peers at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::iter;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::debug;

use super::Dht;
use crate::index::Participation;
use crate::index::ask::AskError;
use crate::net::connect_to_peer;
use crate::wire::{Endpoint, Port, ReadError, RfcNumber};

/// How many peers are asked at a time for one query: enough that as many silent addresses as a node
/// stores for a key hold up nobody.
const AT_ONCE: usize = 64;
/// How many are asked at a time for all queries together. Beyond it, a query asks one by one.
const AT_ONCE_IN_ALL: usize = 256;
/// The most peers that are asked for one query: who is in an index decides where this peer connects
/// to.
const MOST: usize = 1024;
/// How long a peer that did not answer is asked after all others,
const SILENCE: Duration = Duration::from_mins(10);
/// and how many of them are remembered.
const MOST_SILENT: usize = 1024;
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

/// Where a peer may be asked.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    peer: Endpoint,
    /// Whether this is known only as the address of a node. It counts as found once somebody is
    /// there.
    is_guess: bool,
}

impl From<Endpoint> for Candidate {
    fn from(peer: Endpoint) -> Self {
        let is_guess = false;
        Self { peer, is_guess }
    }
}

impl Candidate {
    /// A peer that may be at the address of a node.
    pub(super) fn guess(peer: Endpoint) -> Self {
        let is_guess = true;
        Self { peer, is_guess }
    }
}

/// What came of asking a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is there, and its index is known, if asked for.
    Whole,
    /// Its index did not arrive whole in time.
    Part,
    /// Somebody is there, but does not answer as a peer.
    Nothing,
    /// Nobody is there.
    Nobody,
}

impl Answer {
    /// Whether a peer has answered.
    pub(super) fn is_some(self) -> bool {
        matches!(self, Self::Whole | Self::Part)
    }
}

/// Those that did not answer lately.
#[derive(Debug, Default)]
pub(super) struct Silent(Mutex<HashMap<Endpoint, Instant>>);

impl Silent {
    fn has(&self, peer: &Endpoint, now: Instant) -> bool {
        let silent = self.0.lock();
        silent.get(peer).is_some_and(|since| now < *since + SILENCE)
    }

    fn note(&self, peer: &Endpoint, answer: Answer, now: Instant) {
        let mut silent = self.0.lock();
        if answer.is_some() {
            silent.remove(peer);
            return;
        }
        silent.retain(|_, since| now < *since + SILENCE);
        if silent.len() < MOST_SILENT {
            silent.insert(peer.clone(), now);
        }
    }
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
    /// Asks these peers, as they are found, until a point in time or until this is dropped. Those
    /// that did not answer lately are asked last.
    pub(super) fn start(
        dht: &Arc<Dht>,
        candidates: impl Iterator<Item = Candidate> + Send + 'static,
        question: Question,
        until: Instant,
    ) -> Self {
        let (send, answers) = mpsc::channel();
        let found = Arc::new(AtomicUsize::new(0));
        let silent_last = silent_last(Arc::clone(dht), candidates.take(MOST));
        let queue = Queue {
            dht: Arc::clone(dht),
            candidates: Mutex::new(Box::new(silent_last)),
            question,
            until,
            found: Arc::clone(&found),
            answers: send,
            threads: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        };
        Arc::new(queue).start_one();
        Self {
            participation: Arc::clone(&dht.participation),
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

/// The candidates of a query that are still to be asked, and the threads that ask them.
struct Queue {
    dht: Arc<Dht>,
    candidates: Mutex<Box<dyn Iterator<Item = Candidate> + Send>>,
    question: Question,
    until: Instant,
    found: Arc<AtomicUsize>,
    answers: Sender<(Endpoint, Answer)>,
    /// How many threads were started,
    threads: AtomicUsize,
    /// and how many of them wait for a candidate.
    waiting: AtomicUsize,
}

impl Queue {
    /// Starts a thread. If that fails, the others ask its candidates.
    fn start_one(self: &Arc<Self>) {
        let queue = Arc::clone(self);
        let asker = Arc::clone(&self.dht.askers);
        self.threads.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let thread = thread::Builder::new().name("asking".to_owned());
        let work = move || {
            queue.work();
            drop(asker);
        };
        if thread.spawn(work).is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The next candidate. If no thread is left to wait for the one after it, this starts one.
    fn next(self: &Arc<Self>) -> Option<Candidate> {
        // Waiting for one holds up only those who would wait for it as well.
        let next = self.candidates.lock().next();
        let was_last = self.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        let may_start = self.threads.load(Ordering::SeqCst) < AT_ONCE
            && Arc::strong_count(&self.dht.askers) <= AT_ONCE_IN_ALL;
        if next.is_some() && was_last && may_start {
            self.start_one();
        }
        next
    }

    fn work(self: &Arc<Self>) {
        let participation = &self.dht.participation;
        while let Some(Candidate { peer, is_guess }) = self.next() {
            if !is_guess {
                self.found.fetch_add(1, Ordering::SeqCst);
            }
            if Instant::now() >= self.until || participation.sockets.is_closing() {
                return;
            }
            let answer = ask(participation, &peer, is_guess, self.question);
            self.dht.silent.note(&peer, answer, Instant::now());
            let is_there = !is_guess || answer != Answer::Nobody;
            if is_there && is_guess {
                self.found.fetch_add(1, Ordering::SeqCst);
            }
            if is_there && self.answers.send((peer, answer)).is_err() {
                return;
            }
            self.waiting.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn ask(
    participation: &Participation,
    peer: &Endpoint,
    is_guess: bool,
    question: Question,
) -> Answer {
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
            Answer::Nobody
        }
        // Nobody said that it is a peer: it may be another introducer, or no longer a node.
        Err(error) if is_guess && !is_late(&error) => {
            debug!(%error, "a node that is no peer");
            Answer::Nobody
        }
        Err(error) => {
            participation.untold(peer, &error);
            known.forget(peer, Instant::now());
            Answer::Nothing
        }
    }
}

fn is_late(error: &AskError) -> bool {
    matches!(error, AskError::Read(ReadError::TimedOut { .. }))
}

/// The same, with those that did not answer lately at the end.
fn silent_last(
    dht: Arc<Dht>,
    mut candidates: impl Iterator<Item = Candidate>,
) -> impl Iterator<Item = Candidate> {
    let mut silent = VecDeque::new();
    iter::from_fn(move || {
        for candidate in candidates.by_ref() {
            if !dht.silent.has(&candidate.peer, Instant::now()) {
                return Some(candidate);
            }
            silent.push_back(candidate);
        }
        silent.pop_front()
    })
}

/// The peer at an address.
pub(super) fn peer_at(address: SocketAddrV4) -> Option<Endpoint> {
    Some(Endpoint {
        host: std::net::IpAddr::from(*address.ip()).into(),
        port: Port::new(address.port())?,
    })
}

/// These candidates, each once, except those that were asked before.
pub(super) fn each_once(
    candidates: impl Iterator<Item = Candidate> + Send + 'static,
    mut before: HashSet<Endpoint>,
) -> impl Iterator<Item = Candidate> + Send + 'static {
    candidates.filter(move |candidate| before.insert(candidate.peer.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_silent_for_a_while_or_until_it_answers() {
        let (silent, now) = (Silent::default(), Instant::now());
        let peer = |port| peer_at(SocketAddrV4::new([127, 0, 0, 1].into(), port)).unwrap();
        assert!(!silent.has(&peer(1), now));
        silent.note(&peer(1), Answer::Nothing, now);
        silent.note(&peer(2), Answer::Nobody, now);
        assert!(silent.has(&peer(1), now) && silent.has(&peer(2), now));
        silent.note(&peer(1), Answer::Part, now);
        assert!(!silent.has(&peer(1), now));
        assert!(!silent.has(&peer(2), now + SILENCE));
        for port in 1000..9000 {
            silent.note(&peer(port), Answer::Nobody, now);
        }
        assert_eq!(silent.0.lock().len(), MOST_SILENT);
    }
}
