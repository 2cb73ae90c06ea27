//! Who has a document: what is already known, then those who announced it, then everybody.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::asking::{Answer, Asking, Candidate, Question, each_once, peer_at};
use super::{Dht, INDEX_TIME, Peers};
use crate::event::DhtStep;
use crate::index::{Coverage, Listing};
use crate::wire::dht::Key;
use crate::wire::{Endpoint, RfcNumber};

/// How long looking for the peers of a document may take.
const KEY_TIME: Duration = Duration::from_millis(1500);
/// How long an address that was found may take to answer.
const CHECK_TIME: Duration = Duration::from_secs(1);

/// Where a search looks, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Those who are known to have it are asked whether they are still there.
    Known,
    /// Those who announced the document.
    Key,
    /// Everybody who shares anything.
    Catalogue,
    /// Those of whom others have told that they have it.
    HeardOf,
}

/// A step of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A holder has answered.
    Found(Place),
    /// There is nobody left to ask here.
    Ended(Place),
}

/// A search for the holders of a document.
#[derive(Debug)]
pub(super) struct Search {
    dht: Arc<Dht>,
    number: RfcNumber,
    until: Instant,
    left: std::vec::IntoIter<Place>,
    current: Option<(Place, Asking)>,
    /// How many have answered at this place.
    answered_here: usize,
    before: HashSet<Endpoint>,
    /// Those who have answered, in all.
    answered: Peers,
    /// Those of them whose index did not arrive whole, so that their records are not known.
    untitled: Vec<Endpoint>,
    coverage: Coverage,
}

impl Search {
    pub(super) fn new(dht: &Arc<Dht>, number: RfcNumber) -> Self {
        let places = vec![Place::Known, Place::Key, Place::Catalogue, Place::HeardOf];
        Self {
            dht: Arc::clone(dht),
            number,
            until: dht.end_of_query(),
            left: places.into_iter(),
            current: None,
            answered_here: 0,
            before: HashSet::from([dht.participation.known.me().clone()]),
            answered: Peers::default(),
            untitled: Vec::new(),
            coverage: Coverage::default(),
        }
    }

    /// The next step; `None` once everybody was asked, or there is no time left.
    pub(super) fn step(&mut self) -> Option<Step> {
        loop {
            let Some((place, asking)) = &mut self.current else {
                let place = self.left.next()?;
                self.current = Some((place, self.begin(place)));
                continue;
            };
            let place = *place;
            let Some((peer, answer)) = asking.next() else {
                self.end();
                return Some(Step::Ended(place));
            };
            self.coverage.asked += 1;
            self.before.insert(peer.clone());
            if !answer.is_some() {
                continue;
            }
            self.coverage.answered += 1;
            self.answered_here += 1;
            self.answered.add(&peer);
            if self.take(peer, place, answer) {
                return Some(Step::Found(place));
            }
        }
    }

    /// Takes in the answer of a peer, and returns whether it has the document.
    fn take(&mut self, peer: Endpoint, place: Place, answer: Answer) -> bool {
        let is_known = {
            let only = |host: &str, port| port == peer.port && peer.host.as_str() == host;
            let number = self.number;
            !self.dht.participation.holders(number, only).is_empty()
        };
        // Whoever announced the document, and begins to tell what it has, has it.
        let has_part = answer == Answer::Part && place == Place::Key;
        if has_part && !is_known {
            self.untitled.push(peer);
        }
        is_known || has_part
    }

    fn begin(&self, place: Place) -> Asking {
        let Dht {
            participation,
            node,
            ..
        } = &*self.dht;
        let number = self.number;
        let wanted = Some(number);
        let mut until = self.until;
        if place == Place::Key {
            // A poisoned key leaves time for the catalogue.
            until = until.min(Instant::now() + KEY_TIME + CHECK_TIME);
        }
        let ask = |peers: Box<dyn Iterator<Item = Candidate> + Send>, question| {
            let peers = each_once(peers, self.before.clone());
            Asking::start(&self.dht, peers, question, until)
        };
        match place {
            Place::Known | Place::HeardOf => {
                let records = participation.holders(number, |_, _| true);
                let holders = records.iter().map(|listed| listed.record.holder.into());
                let holders: Vec<_> = holders.collect();
                ask(
                    Box::new(holders.into_iter()),
                    Question::Presence(CHECK_TIME),
                )
            }
            // A node that is alone would wait for others.
            Place::Key | Place::Catalogue if node.is_alone() => {
                ask(Box::new(std::iter::empty()), Question::Presence(CHECK_TIME))
            }
            Place::Key => {
                let found = node.lookup(Key::Rfc(number), KEY_TIME);
                let found = found.filter_map(peer_at).map(Candidate::from);
                ask(Box::new(found), Question::Index(wanted, CHECK_TIME))
            }
            Place::Catalogue => {
                let everybody = self.dht.everybody(&Arc::default());
                ask(Box::new(everybody), Question::Index(wanted, INDEX_TIME))
            }
        }
    }

    /// Leaves a place.
    fn end(&mut self) {
        let Some((place, asking)) = self.current.take() else {
            return;
        };
        let (found, answered) = (asking.found(), std::mem::take(&mut self.answered_here));
        self.coverage.found += found;
        let key = match place {
            // A node that is alone has looked nowhere.
            _ if found == 0 && self.dht.node.is_alone() => return,
            Place::Known | Place::HeardOf => return,
            Place::Key => Key::Rfc(self.number),
            Place::Catalogue => Key::Catalogue,
        };
        self.dht.tell(DhtStep::LookedUp {
            key,
            found,
            answered,
        });
    }

    /// What was found so far: holders that have answered, and this peer.
    pub(super) fn listing(&self) -> Listing {
        let me = self.dht.participation.known.me();
        let participation = &self.dht.participation;
        let is_there = |host: &str, port| {
            (port == me.port && me.host.as_str() == host) || self.answered.has(host, port)
        };
        let mut records = participation.holders(self.number, is_there);
        records.add_untitled(self.number, &self.untitled);
        Listing {
            records,
            asked: self.coverage.asked,
            answered: self.coverage.answered,
            ..Listing::default()
        }
    }

    /// Whether another peer has it.
    pub(super) fn has_found_others(&self) -> bool {
        let answered = |host: &str, port| self.answered.has(host, port);
        let known = self.dht.participation.holders(self.number, answered);
        let me = self.dht.participation.known.me();
        !self.untitled.is_empty() || known.iter().any(|listed| listed.record.holder != *me)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.end();
    }
}
