//! All records, and the ways to find them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Now;
use crate::registration::entry::Entry;
use crate::wire::Endpoint;
use crate::wire::di::registration::Cookie;

/// All records. Each is found by its cookie and its expiry; by its host and port unless another
/// record took them over; and by its network if that has a limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    pub(super) all: BTreeMap<Cookie, Arc<Entry>>,
    pub(super) by_peer: HashMap<Endpoint, Cookie>,
    pub(super) by_expiry: BTreeSet<(Instant, Cookie)>,
    pub(super) by_network: HashMap<IpAddr, BTreeSet<(Instant, Cookie)>>,
}

impl Entries {
    /// Adds a record, or replaces the one with its cookie.
    pub(super) fn put(&mut self, entry: Entry) {
        self.remove(entry.cookie);
        let place = (entry.expires, entry.cookie);
        self.by_expiry.insert(place);
        if let Some(network) = entry.network {
            self.by_network.entry(network).or_default().insert(place);
        }
        self.all.insert(entry.cookie, Arc::new(entry));
    }

    /// Removes a record, but not its claim to its host and port.
    fn remove(&mut self, cookie: Cookie) -> Option<Arc<Entry>> {
        let entry = self.all.remove(&cookie)?;
        let place = (entry.expires, cookie);
        self.by_expiry.remove(&place);
        if let Some(network) = entry.network
            && let Some(same) = self.by_network.get_mut(&network)
        {
            same.remove(&place);
            if same.is_empty() {
                self.by_network.remove(&network);
            }
        }
        Some(entry)
    }

    /// Removes a record, and its claim to its host and port if no other took them over.
    pub(super) fn forget(&mut self, cookie: Cookie) {
        if let Some(entry) = self.remove(cookie)
            && self.by_peer.get(&entry.peer) == Some(&cookie)
        {
            self.by_peer.remove(&entry.peer);
        }
    }

    /// Adds an earlier record.
    pub(super) fn restore(&mut self, entry: Entry) {
        // Of two records with one host and port, the one that expires later is current.
        let other = self.by_peer.get(&entry.peer);
        let other = other.and_then(|other| self.all.get(other));
        if other.is_none_or(|other| other.expires <= entry.expires) {
            self.by_peer.insert(entry.peer.clone(), entry.cookie);
        }
        self.put(entry);
    }

    /// The cookies of the active peers. A record is active if it expires after `now`.
    pub(super) fn live(&self, now: Now) -> impl Iterator<Item = Cookie> {
        let live = self.by_expiry.range(after(now.instant)..);
        live.map(|(_, cookie)| *cookie)
    }
}

/// Where the records that expire after this time begin, ordered by expiry.
pub(super) fn after(time: Instant) -> (Instant, Cookie) {
    (time + Duration::from_nanos(1), Cookie::FIRST)
}
