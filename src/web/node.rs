//! What a page shows of a peer: what it knows of others, and its last listing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::hub::PEERS;
use super::shown::{About, Page, Peer, Record, Shown, first};
use crate::node::{Handle, Listed, Records};
use crate::wire::{self, Endpoint, RfcNumber};

/// The most own records that are told apart from those of others.
const OWN: usize = 100_000;
/// How old the view of what other peers have told may be.
const FRESH: Duration = Duration::from_secs(2);

/// A peer.
#[derive(Debug)]
pub struct NodePage {
    about: About,
    node: Handle,
    listing: Mutex<Listing>,
}

/// The records that were listed last.
#[derive(Debug, Default)]
struct Listing {
    records: Records,
    count: usize,
    /// How many of them each other peer has. An index can name millions, so the rest are only counted.
    peers: BTreeMap<String, usize>,
    /// What this peer has.
    own: BTreeSet<RfcNumber>,
    /// Counts the changes.
    revision: u64,
    /// When what other peers have told was looked at.
    looked: Option<Instant>,
}

impl NodePage {
    /// The page of this node.
    pub fn new(about: About, node: Handle) -> Self {
        Self {
            about,
            node,
            listing: Mutex::default(),
        }
    }

    /// Calls `read` with the current listing.
    fn listing<T>(&self, read: impl FnOnce(&Listing) -> T) -> T {
        let mut listing = self.listing.lock();
        if listing
            .looked
            .is_none_or(|looked| looked.elapsed() >= FRESH)
        {
            if let Some(records) = self.node.known() {
                listing.replace(records, self.node.endpoint());
            }
            listing.looked = Some(Instant::now());
        }
        read(&listing)
    }
}

impl Listing {
    fn replace(&mut self, records: Records, me: &Endpoint) {
        // Only times to live differ in most cases.
        let (former, new) = (self.records.iter(), records.iter());
        if former.map(|it| it.record).eq(new.map(|it| it.record)) {
            return;
        }
        // The former ones are gone before the new ones are read.
        self.records = records;
        self.peers.clear();
        self.own.clear();
        self.count = 0;
        for Listed { record, .. } in self.records.iter() {
            self.count += 1;
            if record.holder == *me {
                if self.own.len() < OWN {
                    self.own.insert(record.number);
                }
                continue;
            }
            let name = record.holder.to_string();
            if let Some(count) = self.peers.get_mut(&name) {
                *count += 1;
            } else if self.peers.len() < PEERS {
                self.peers.insert(name, 1);
            }
        }
        self.revision += 1;
    }

    /// Adds a record of this peer, if it is new. After a connection was lost, all of them come again.
    fn add(&mut self, record: &wire::Record) -> bool {
        let is_new = self.own.len() < OWN && self.own.insert(record.number);
        if is_new {
            self.records.add(record);
            self.count += 1;
        }
        is_new
    }
}

impl Shown for NodePage {
    fn about(&self) -> About {
        self.about.clone()
    }

    fn peers(&self, most: usize) -> Vec<Peer> {
        let peer = |(name, records): (&String, &usize)| known(name, *records);
        self.listing(|listing| listing.peers.iter().take(most).map(peer).collect())
    }

    fn peer(&self, name: &str) -> Option<Peer> {
        self.listing(|listing| listing.peers.get(name).map(|records| known(name, *records)))
    }

    fn counts(&self) -> (usize, usize) {
        self.listing(|listing| (listing.peers.len(), listing.count))
    }

    fn records(&self, after: Option<&str>, limit: usize) -> Option<Page> {
        let start: usize = after.map_or(Some(0), |after| after.parse().ok())?;
        self.listing(|listing| {
            let records = listing.records.iter().skip(start);
            let records = first(records.map(|listed| Record::from(&listed.record)), limit);
            let end = start.saturating_add(records.len());
            let next = (end < listing.count).then(|| end.to_string());
            Some(Page { records, next })
        })
    }

    fn tells_peers(&self) -> bool {
        false
    }

    fn revision(&self) -> u64 {
        self.listing(|listing| listing.revision)
    }

    fn node(&self) -> Option<&Handle> {
        Some(&self.node)
    }

    fn listed(&self, records: Records) {
        self.listing.lock().replace(records, self.node.endpoint());
    }

    fn published(&self, record: &wire::Record) -> bool {
        self.listing.lock().add(record)
    }
}

fn known(name: &str, records: usize) -> Peer {
    Peer {
        name: name.to_owned(),
        since: 0,
        records,
        remote: None,
    }
}
