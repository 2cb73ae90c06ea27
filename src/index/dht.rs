//! The index without a server: a distributed hash table leads to the peers, and the peers tell each
//! other what they have, as in P2P-DI/1.0.
//!
//! What the hash table holds are claims of strangers, and nothing in it expires. So an address counts
//! only once the peer there has answered.

mod announce;
mod asking;
mod misdirected;
mod search;

use std::collections::{HashMap, HashSet};
use std::iter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::asking::{Asking, Candidate, Question, Silent, each_once, peer_at};
use self::misdirected::other_kind;
use self::search::{Place, Search, Step};
use super::{
    Coverage, Index, IndexError, Listing, Listings, Participation, Query, Records, Standing, State,
};
use crate::dht::{self, AddressError, DhtNode, StartError};
use crate::event::{DhtStep, Event, IndexStep, Level, Topic};
use crate::library::Rfc;
use crate::state_file::StateError;
use crate::wire::dht::Key;
use crate::wire::{Endpoint, Host, Port, RfcNumber};

/// How long joining may take.
const JOIN_TIME: Duration = Duration::from_secs(3);
/// How much of that the first query of a command does without.
const MOST_JOIN_TIME: Duration = Duration::from_secs(2);
/// How long a query may take.
const QUERY_TIME: Duration = Duration::from_millis(4500);
/// How long finding the peers that share anything may take.
const CATALOGUE_TIME: Duration = Duration::from_secs(2);
/// How long a peer may take to send its index.
const INDEX_TIME: Duration = Duration::from_secs(2);

/// An index without a server.
#[derive(Debug)]
struct Dht {
    participation: Arc<Participation>,
    node: Arc<DhtNode>,
    silent: Silent,
    /// Each thread that asks a peer has a clone.
    askers: Arc<()>,
    /// When a command began to join, until its first query.
    joined_since: Mutex<Option<Instant>>,
}

/// The same, shared with the threads of its searches.
#[derive(Debug)]
struct Shared(Arc<Dht>);

/// Starts a node and joins the others. A peer that stays goes on where there are none.
pub(super) fn join(participation: Participation) -> Result<Arc<dyn Index>, IndexError> {
    participation.tell(Topic::Life, || IndexStep::Connecting);
    let begin = Instant::now();
    let node = Arc::new(start(&participation)?);
    let Participation {
        server,
        member,
        recent,
        known,
        ..
    } = &participation;
    if member.stays {
        node.wait_until_settled(JOIN_TIME);
        if node.is_alone()
            && let Some(error) = other_kind(&participation)
        {
            return Err(error);
        }
        announce::start(Arc::clone(&node), recent.clone(), known.me().clone())?;
    } else if node.wait_for_fill(0, JOIN_TIME).is_none() {
        let other = other_kind(&participation);
        return Err(other.unwrap_or_else(|| IndexError::Alone(server.clone())));
    }
    let joined_since = Mutex::new((!member.stays).then_some(begin));
    let participation = Arc::new(participation);
    Ok(Arc::new(Shared(Arc::new(Dht {
        participation,
        node,
        silent: Silent::default(),
        askers: Arc::default(),
        joined_since,
    }))))
}

fn start(participation: &Participation) -> Result<DhtNode, IndexError> {
    let Participation {
        server,
        member,
        known,
        events,
        stop,
        ..
    } = participation;
    let bootstrap = match dht::addresses(server) {
        // The nodes of the previous run may be there.
        Err(error @ AddressError::Unknown(..)) => {
            events.notice(Level::Warning, error);
            Vec::new()
        }
        found => found?,
    };
    let bind = dht::local_address(member.bind, &bootstrap)?;
    let config = |saved: Option<PathBuf>, port| dht::Config {
        bind,
        port,
        bootstrap: bootstrap.clone(),
        saved,
        is_introducer: false,
        public: member.public,
    };
    let on_a_port = |saved: Option<PathBuf>| {
        let port = known.me().port.get();
        match DhtNode::start(config(saved.clone(), port), events, stop) {
            // Another program may have it for UDP.
            Err(StartError::Listen(_)) if member.port == 0 => {
                DhtNode::start(config(saved, 0), events, stop)
            }
            started => started,
        }
    };
    match on_a_port(member.saved.clone()) {
        // Without the file it can join only through the introducer.
        Err(StartError::State(error)) => {
            let what = match error {
                StateError::InUse(path) => {
                    format!("{} is in use by another peer", path.display())
                }
                error @ StateError::File(_) => error.to_string(),
            };
            if member.stays {
                let what = format_args!("the nodes of the DHT are not saved: {what}");
                events.notice(Level::Warning, what);
            }
            Ok(on_a_port(None)?)
        }
        started => Ok(started?),
    }
}

impl Dht {
    fn tell(&self, step: DhtStep) {
        let events = &self.participation.events;
        events.tell(Topic::Messages, || Event::Dht(step));
    }

    /// Who has a document: every one of those who announced it, or else the first of all peers.
    fn holders(self: &Arc<Self>, number: RfcNumber) -> Result<Listing, IndexError> {
        let is_own = self.participation.library.title(number).is_some();
        let mut search = Search::new(self, number);
        while let Some(step) = search.step() {
            let is_enough = match step {
                Step::Found(place) => place == Place::Catalogue || place == Place::HeardOf,
                Step::Ended(Place::Known) => search.has_found_others(),
                Step::Ended(_) => is_own || search.has_found_others(),
            };
            if is_enough {
                break;
            }
        }
        let listing = search.listing();
        drop(search);
        self.unless_unanswered(listing)
    }

    /// When a query that begins now ends. Whoever waits for a command also waits until it has joined.
    fn end_of_query(&self) -> Instant {
        let now = Instant::now();
        let joined_since = self.joined_since.lock().take().unwrap_or(now);
        let joining = now.duration_since(joined_since);
        now + QUERY_TIME.saturating_sub(joining.min(MOST_JOIN_TIME))
    }

    /// The records of all peers that are found and answer.
    fn all(self: &Arc<Self>) -> Result<Listing, IndexError> {
        let until = self.end_of_query();
        let mut coverage = Coverage::default();
        let mut answered = Peers::default();
        let me = self.participation.known.me();
        let mut before = HashSet::from([me.clone()]);
        let is_sample = Arc::new(AtomicBool::new(false));
        let question = Question::Index(None, INDEX_TIME);
        for place in [Place::Catalogue, Place::HeardOf] {
            let known = self.participation.known.peers(Instant::now());
            let known = known.into_iter().map(Candidate::from);
            let peers: Box<dyn Iterator<Item = _> + Send> = if place == Place::Catalogue {
                Box::new(known.chain(self.everybody(&is_sample)))
            } else {
                Box::new(known)
            };
            let peers = each_once(peers, before.clone());
            let mut asking = Asking::start(self, peers, question, until);
            let answered_before = coverage.answered;
            for (peer, answer) in &mut asking {
                coverage.asked += 1;
                if answer.is_some() {
                    coverage.answered += 1;
                    answered.add(&peer);
                }
                before.insert(peer);
            }
            coverage.found += asking.found();
            if place == Place::Catalogue {
                self.tell(DhtStep::LookedUp {
                    key: Key::Catalogue,
                    found: asking.found(),
                    answered: coverage.answered - answered_before,
                });
            }
        }
        coverage.is_sample = is_sample.load(Ordering::SeqCst);
        let is_there = |host: &str, port| {
            (port == me.port && me.host.as_str() == host) || answered.has(host, port)
        };
        self.unless_unanswered(Listing {
            records: self.participation.all(is_there),
            asked: coverage.asked,
            answered: coverage.answered,
            coverage: Some(coverage),
            in_messages: false,
        })
    }

    /// Those who may share anything. The nodes in contact with this one come first: they were
    /// there a moment ago, while the catalogue has what strangers claim.
    fn everybody(
        self: &Arc<Self>,
        is_sample: &Arc<AtomicBool>,
    ) -> impl Iterator<Item = Candidate> + Send + 'static {
        let guesses = |nodes: Vec<_>| {
            let peers = nodes.into_iter().filter_map(peer_at);
            peers.map(Candidate::guess)
        };
        let near = guesses(self.node.nodes());
        let (dht, is_sample) = (Arc::clone(self), Arc::clone(is_sample));
        let announced = iter::once_with(move || {
            if dht.node.is_alone() {
                return Vec::new();
            }
            let found = dht.node.lookup_all(Key::Catalogue, CATALOGUE_TIME);
            is_sample.store(found.is_sample, Ordering::SeqCst);
            found.addresses
        });
        let announced = announced.flatten().filter_map(peer_at);
        let node = Arc::clone(&self.node);
        let far = iter::once_with(move || guesses(node.more_nodes())).flatten();
        near.chain(announced.map(Candidate::from)).chain(far)
    }

    /// Nothing found means little where nobody could be asked.
    fn unless_unanswered(&self, listing: Listing) -> Result<Listing, IndexError> {
        if !listing.records.is_empty() {
            return Ok(listing);
        }
        if self.node.is_alone() {
            return Err(IndexError::Alone(self.participation.server.clone()));
        }
        if listing.asked > 0 && listing.answered == 0 {
            return Err(IndexError::NobodyAnswers(listing.asked));
        }
        Ok(listing)
    }
}

impl Index for Shared {
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        let participation = &self.0.participation;
        let accepted = participation.publish_locally(documents)?;
        participation
            .recent
            .came(documents.iter().map(|rfc| rfc.number));
        Ok(accepted)
    }

    fn take_back(&self, numbers: &[RfcNumber]) -> Result<(), IndexError> {
        self.0.participation.recent.gone(numbers);
        Ok(())
    }

    fn find<'a>(&'a self, query: &Query) -> Listings<'a> {
        match *query {
            Query::Number { number, .. } => {
                let mut search = Search::new(&self.0, number);
                let mut has_found = false;
                let mut is_over = false;
                Box::new(iter::from_fn(move || {
                    while let Some(step) = search.step() {
                        if let Step::Found(_) = step {
                            has_found = true;
                            return Some(Ok(search.listing()));
                        }
                    }
                    let is_first = !std::mem::replace(&mut is_over, true);
                    (is_first && !has_found).then(|| self.0.unless_unanswered(search.listing()))
                }))
            }
            Query::All { .. } => Box::new(iter::once_with(|| self.0.all())),
        }
    }

    fn find_first(&self, query: &Query) -> Result<Listing, IndexError> {
        match *query {
            Query::Number { number, .. } => self.0.holders(number),
            Query::All { .. } => self.0.all(),
        }
    }

    fn standing(&self) -> Standing {
        let Dht {
            participation,
            node,
            ..
        } = &*self.0;
        Standing {
            server: participation.server.clone(),
            state: if node.is_alone() {
                State::Alone
            } else {
                State::Joined
            },
            since: node.since(),
            cookie: None,
        }
    }

    fn peers_known(&self) -> usize {
        self.0.participation.known.peers(Instant::now()).len()
    }

    fn known(&self) -> Option<Records> {
        Some(self.0.participation.all(|_, _| true))
    }

    fn leave(&self) {
        let Dht {
            participation,
            node,
            ..
        } = &*self.0;
        participation.tell(Topic::Life, || IndexStep::Leaving);
        node.close();
    }
}

/// A set of peers, in which records are found without a copy of their host.
#[derive(Debug, Default)]
struct Peers(HashMap<Port, Vec<Host>>);

impl Peers {
    fn add(&mut self, peer: &Endpoint) {
        let hosts = self.0.entry(peer.port).or_default();
        hosts.push(peer.host.clone());
    }

    fn has(&self, host: &str, port: Port) -> bool {
        let hosts = self.0.get(&port);
        hosts.is_some_and(|hosts| {
            hosts
                .iter()
                .any(|it| it.as_str().eq_ignore_ascii_case(host))
        })
    }
}
