//! What a page shows of a peer: what it knows of others, and its last listing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::shown::{About, Page, Peer, Record, Shown};
use crate::node::{Handle, Records};

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
    peers: BTreeMap<String, usize>,
    count: usize,
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
                listing.replace(records);
            }
            listing.looked = Some(Instant::now());
        }
        read(&listing)
    }
}

impl Listing {
    fn replace(&mut self, records: Records) {
        // Only times to live differ in most cases.
        let (former, new) = (self.records.iter(), records.iter());
        if former.map(|it| it.record).eq(new.map(|it| it.record)) {
            return;
        }
        self.peers.clear();
        self.count = 0;
        for listed in records.iter() {
            *self
                .peers
                .entry(listed.record.holder.to_string())
                .or_default() += 1;
            self.count += 1;
        }
        self.records = records;
        self.revision += 1;
    }
}

impl Shown for NodePage {
    fn about(&self) -> About {
        self.about.clone()
    }

    fn peers(&self) -> Vec<Peer> {
        let others = |listing: &Listing| {
            let peers = listing.peers.iter();
            let others = peers.filter(|(name, _)| **name != self.about.name);
            others
                .map(|(name, records)| known(name, *records))
                .collect()
        };
        self.listing(others)
    }

    fn peer(&self, name: &str) -> Option<Peer> {
        self.listing(|listing| listing.peers.get(name).map(|records| known(name, *records)))
    }

    fn counts(&self) -> (usize, usize) {
        let own = |listing: &Listing| usize::from(listing.peers.contains_key(&self.about.name));
        self.listing(|listing| (listing.peers.len() - own(listing), listing.count))
    }

    fn records(&self, after: Option<&str>, limit: usize) -> Option<Page> {
        let start: usize = after.map_or(Some(0), |after| after.parse().ok())?;
        self.listing(|listing| {
            let records = listing.records.iter().skip(start).take(limit);
            let records: Vec<_> = records.map(|listed| Record::from(&listed.record)).collect();
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

    fn listed(&self, records: &Records) {
        self.listing.lock().replace(records.clone());
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
