//! The table of a registration server (P2P-DI/1.0, section 3): which peers are active.
//!
//! It uses no sockets, files or clock: the time is an argument. A record is active until its time
//! to live expires; leaving ends that time at once. Registering, leaving and keeping alive cost
//! O(log n) for n records; a list of peers costs O(n).
//!
//! [`Registrar`] answers what a peer may ask. It keeps its records in `entries`, which finds them;
//! `room` has its limits, and `unsaved` remembers what has to be written to the file.

mod active_peers;
mod entries;
mod room;
#[cfg(test)]
mod testing;
mod unsaved;

use std::net::IpAddr;
use std::time::{Duration, Instant};

pub use super::now::Now;
pub use active_peers::ActivePeers;
use entries::{Entries, after};
use room::MOST_RECORDS;
pub(super) use unsaved::Unsaved;

use super::entry::{Entry, counts, day};
use crate::net::network_of;
use crate::wire::di::registration::{Claim, Cookie, Registration};
use crate::wire::{Endpoint, Reject, Status};

/// The table of peers.
#[derive(Debug, Clone)]
pub struct Registrar {
    ttl: Duration,
    most: usize,
    next: u32,
    entries: Entries,
    unsaved: Unsaved,
}

impl Registrar {
    /// An empty table with this time to live.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            most: MOST_RECORDS,
            next: Cookie::FIRST.0,
            entries: Entries::default(),
            unsaved: Unsaved::default(),
        }
    }

    /// The table with these records; `None` if one of them is invalid or they are inconsistent.
    pub(super) fn of(
        ttl: Duration,
        next: u32,
        entries: impl IntoIterator<Item = Option<Entry>>,
    ) -> Option<Self> {
        let mut table = Self::new(ttl);
        table.next = next;
        for entry in entries {
            let entry = entry?;
            let cookie = entry.cookie;
            // A cookie given out twice would merge two peers.
            if table.entries.all.contains_key(&cookie)
                || !(Cookie::FIRST.0..next).contains(&cookie.0)
            {
                return None;
            }
            table.entries.restore(entry);
        }
        (next >= Cookie::FIRST.0).then_some(table)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.all.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.entries.all.is_empty()
    }

    /// The cookie of the next new record.
    pub(super) fn next_cookie(&self) -> u32 {
        self.next
    }

    /// Activates a peer at the address `from`: the record of its cookie, else the one of its host
    /// and port, else a new one. Fails with [`Status::ServiceUnavailable`] if the table is full, or
    /// if the share of the address is used up.
    pub fn register(
        &mut self,
        peer: &Endpoint,
        cookie: Option<Cookie>,
        from: IpAddr,
        now: Now,
    ) -> Result<Registration, Reject> {
        let known = cookie.filter(|cookie| self.entries.all.contains_key(cookie));
        let known = known.or_else(|| self.entries.by_peer.get(peer).copied());
        let known = known.and_then(|cookie| self.entries.all.get(&cookie).cloned());
        // All local peers share the loopback address.
        let network = (!from.is_loopback()).then(|| network_of(from));
        if let Some(network) = network
            && known.as_ref().and_then(|known| known.network) != Some(network)
        {
            self.make_room_in(network, now)?;
        }
        let mut entry = match known {
            Some(known) => Entry::clone(&known),
            None => self.new_entry(peer, now)?,
        };
        let cookie = entry.cookie;
        if entry.peer != *peer && self.entries.by_peer.get(&entry.peer) == Some(&cookie) {
            self.entries.by_peer.remove(&entry.peer);
        }
        // Another record with this host and port can't be reached there any more.
        if let Some(other) = self.entries.by_peer.insert(peer.clone(), cookie)
            && other != cookie
        {
            self.expire(other, now);
        }
        // The name may differ in letter case from the earlier one.
        entry.peer = peer.clone();
        entry.network = network;
        entry.registered = now.date;
        entry.heard = now.date;
        entry.has_left = false;
        entry.expires = now.instant + self.ttl;
        let today = day(now.date);
        entry.days.retain(|day, _| counts(*day, today));
        let count = entry.days.entry(today).or_default();
        *count = count.saturating_add(1);
        let registration = entry.registration(now);
        self.remember(cookie);
        self.entries.put(entry);
        Ok(registration)
    }

    /// Deactivates a peer. Fails with [`Status::UnknownCookie`].
    pub fn leave(&mut self, claim: &Claim, now: Now) -> Result<Registration, Status> {
        self.claimed(claim)?;
        self.expire(claim.cookie, now);
        self.registration(claim.cookie, now)
            .ok_or(Status::UnknownCookie)
    }

    /// Renews a peer's time to live. Fails with [`Status::UnknownCookie`], or with
    /// [`Status::NotRegistered`] if the peer is not active and its claim does not activate it.
    pub fn keep_alive(&mut self, claim: &Claim, now: Now) -> Result<Registration, Status> {
        let entry = self.claimed(claim)?;
        if entry.expires <= now.instant && !claim.activates {
            return Err(Status::NotRegistered);
        }
        let mut entry = Entry::clone(entry);
        entry.has_left = false;
        entry.heard = now.date;
        entry.expires = now.instant + self.ttl;
        let registration = entry.registration(now);
        self.unsaved.renewed.insert(entry.cookie);
        self.entries.put(entry);
        Ok(registration)
    }

    /// The record that a peer claims. It belongs to another peer if the table was lost and the
    /// cookie was given out again.
    fn claimed(&self, claim: &Claim) -> Result<&Entry, Status> {
        let entry = self.entry(claim.cookie);
        let is_its = |entry: &&Entry| claim.peer.as_ref().is_none_or(|peer| entry.peer == *peer);
        entry.filter(is_its).ok_or(Status::UnknownCookie)
    }

    /// Every active peer but the one with this cookie, in no particular order.
    pub fn others(&self, cookie: Cookie, now: Now) -> ActivePeers {
        let others = self.entries.live(now).filter(|other| *other != cookie);
        self.peers(others, now)
    }

    /// Every active peer, in no particular order.
    pub fn active(&self, now: Now) -> ActivePeers {
        self.peers(self.entries.live(now), now)
    }

    fn peers(&self, cookies: impl Iterator<Item = Cookie>, now: Now) -> ActivePeers {
        let entries = cookies.filter_map(|cookie| self.entries.all.get(&cookie).cloned());
        ActivePeers {
            entries: entries.collect(),
            now,
        }
    }

    /// How many peers are active.
    pub fn count_active(&self, now: Now) -> usize {
        self.entries.live(now).count()
    }

    /// What a peer may know about the record of this host and port.
    pub fn of_peer(&self, peer: &Endpoint, now: Now) -> Option<Registration> {
        self.registration(*self.entries.by_peer.get(peer)?, now)
    }

    /// The records that expired after `before` and not after `now`, without those that left.
    pub fn expired(&self, before: Instant, now: Now) -> Vec<Registration> {
        if before >= now.instant {
            return Vec::new();
        }
        let (begin, end) = (after(before), after(now.instant));
        let ended = self.entries.by_expiry.range(begin..end);
        let ended = ended.filter_map(|(_, cookie)| self.entries.all.get(cookie));
        ended
            .filter(|entry| !entry.has_left)
            .map(|entry| entry.registration(now))
            .collect()
    }

    /// What a peer may know about the record of a cookie.
    pub fn registration(&self, cookie: Cookie, now: Now) -> Option<Registration> {
        self.entry(cookie).map(|entry| entry.registration(now))
    }

    /// The record of a cookie.
    pub(super) fn entry(&self, cookie: Cookie) -> Option<&Entry> {
        self.entries.all.get(&cookie).map(|entry| &**entry)
    }

    /// All records.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.all.values().map(|entry| &**entry)
    }

    fn expire(&mut self, cookie: Cookie, now: Now) {
        let entry = self.entries.all.get(&cookie);
        if let Some(entry) = entry.filter(|entry| entry.expires > now.instant) {
            let mut entry = Entry::clone(entry);
            entry.expires = now.instant;
            entry.has_left = true;
            self.remember(cookie);
            self.entries.put(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{TTL, asked, at, claim, cookie, peer, ports, register, table};
    use super::*;
    use crate::registration::entry::DAY;
    use std::time::{Duration, SystemTime};

    #[test]
    fn cookies_are_counted_from_1() {
        let mut table = table();
        for number in 1..4 {
            let registered = register(&mut table, 5000 + number, None, at(0));
            assert_eq!(registered.cookie, cookie(number.into()));
            assert_eq!((registered.ttl, registered.registrations), (7200, 1));
        }
    }

    #[test]
    fn a_known_cookie_is_the_same_record_also_at_another_port() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        let again = register(&mut table, 6, Some(first), at(10));
        assert_eq!((again.cookie, again.registrations), (first, 2));
        assert_eq!(again.peer, peer(6));
        // The old port is free.
        assert_ne!(register(&mut table, 5, None, at(20)).cookie, first);
    }

    #[test]
    fn no_cookie_or_an_unknown_one_is_the_record_of_host_and_port_or_a_new_one() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        for unknown in [None, Some(cookie(99))] {
            assert_eq!(register(&mut table, 5, unknown, at(1)).cookie, first);
        }
        let new = register(&mut table, 6, Some(cookie(99)), at(2));
        assert_eq!(new.cookie, cookie(2));
    }

    #[test]
    fn two_records_never_share_a_host_and_port() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        let second = register(&mut table, 6, None, at(0)).cookie;
        register(&mut table, 5, Some(second), at(1));
        assert_eq!(
            table.keep_alive(&claim(first), at(2)),
            Err(Status::NotRegistered)
        );
        let third = register(&mut table, 7, None, at(3)).cookie;
        assert_eq!(ports(&asked(&mut table, third, at(4)).unwrap()), [5]);
        // The one that lost its endpoint gets another.
        assert_eq!(register(&mut table, 8, Some(first), at(5)).cookie, first);
    }

    #[test]
    fn the_ttl_runs_out_to_the_second_and_only_registering_activates() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        assert!(table.keep_alive(&claim(first), at(TTL - 1)).is_ok());
        assert_eq!(table.registration(first, at(TTL)).unwrap().ttl, 7199);
        assert!(asked(&mut table, first, at(2 * TTL - 2)).is_ok());
        let end = 3 * TTL - 2;
        assert_eq!(
            table.keep_alive(&claim(first), at(end)),
            Err(Status::NotRegistered)
        );
        assert_eq!(
            asked(&mut table, first, at(end)),
            Err(Status::NotRegistered)
        );
        assert!(!table.registration(first, at(end)).unwrap().is_active);
        assert_eq!(register(&mut table, 5, Some(first), at(end)).cookie, first);
        assert!(table.keep_alive(&claim(first), at(end)).is_ok());
    }

    #[test]
    fn a_cookie_of_somebody_else_is_unknown() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        let claim = |cookie, port| Claim {
            peer: Some(peer(port)),
            ..claim(cookie)
        };
        for wrong in [claim(first, 6), claim(cookie(9), 5)] {
            let refused = Err(Status::UnknownCookie);
            assert_eq!(table.keep_alive(&wrong, at(1)), refused);
            assert_eq!(table.leave(&wrong, at(1)), refused);
        }
        assert!(table.keep_alive(&claim(first, 5), at(1)).unwrap().is_active);
        assert!(table.leave(&claim(first, 5), at(1)).is_ok());
    }

    #[test]
    fn leaving_is_at_once_and_an_unknown_cookie_is_reported() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        let second = register(&mut table, 6, None, at(0)).cookie;
        assert_eq!(ports(&asked(&mut table, second, at(1)).unwrap()), [5]);
        assert!(!table.leave(&claim(first), at(2)).unwrap().is_active);
        assert_eq!(
            ports(&asked(&mut table, second, at(2)).unwrap()),
            [0_u16; 0]
        );
        assert_eq!(
            table.keep_alive(&claim(first), at(2)),
            Err(Status::NotRegistered)
        );
        assert!(table.leave(&claim(first), at(3)).is_ok());
        let activating = Claim {
            activates: true,
            ..claim(first)
        };
        assert!(table.keep_alive(&activating, at(3)).unwrap().is_active);
        for status in [
            table.leave(&claim(cookie(9)), at(4)).map(drop),
            table.keep_alive(&claim(cookie(9)), at(4)).map(drop),
            asked(&mut table, cookie(9), at(4)).map(drop),
        ] {
            assert_eq!(status, Err(Status::UnknownCookie));
        }
    }

    #[test]
    fn registrations_of_the_last_30_days_are_counted() {
        let mut table = table();
        let mut count = |day: u64| {
            let registered = register(&mut table, 5, None, at(day * DAY));
            registered.registrations
        };
        assert_eq!([count(0), count(0), count(1), count(29)], [1, 2, 3, 4]);
        assert_eq!([count(30), count(31), count(100)], [3, 3, 1]);
    }

    #[test]
    fn an_expired_peer_is_reported_once() {
        let mut table = table();
        register(&mut table, 5, None, at(0));
        register(&mut table, 6, None, at(10));
        assert!(table.expired(at(0).instant, at(TTL - 1)).is_empty());
        assert_eq!(table.expired(at(TTL - 1).instant, at(TTL)).len(), 1);
        assert_eq!(table.expired(at(TTL).instant, at(TTL + 9)).len(), 0);
        assert_eq!(table.expired(at(TTL).instant, at(TTL + 10)).len(), 1);
        let again = register(&mut table, 5, None, at(TTL + 20)).cookie;
        table.leave(&claim(again), at(TTL + 30)).unwrap();
        assert!(table.expired(at(TTL + 20).instant, at(TTL + 30)).is_empty());
    }

    #[test]
    fn setting_the_clock_changes_no_time_to_live() {
        for date in [0, 2_000_000 * DAY] {
            let mut table = table();
            let first = register(&mut table, 5, None, at(0)).cookie;
            let set = |now: Now| Now {
                date: SystemTime::UNIX_EPOCH + Duration::from_secs(date),
                ..now
            };
            let registration = table.registration(first, set(at(1))).unwrap();
            assert!(registration.is_active);
            assert_eq!(registration.ttl, 7199);
            assert!(table.expired(at(0).instant, set(at(TTL - 1))).is_empty());
            assert_eq!(table.expired(at(0).instant, set(at(TTL))).len(), 1);
        }
    }
}
