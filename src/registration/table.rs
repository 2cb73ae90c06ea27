//! The table of a registration server (P2P-DI/1.0, section 3): which peers are active.
//!
//! It uses no sockets, files or clock: the time is an argument. A record is active until its time
//! to live expires; leaving ends that time at once. Registering, leaving and keeping alive cost
//! O(log n) for n records; a list of peers costs O(log n) plus its length.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::wire::di::registration::{Claim, Cookie, Registration};
use crate::wire::{Endpoint, Status};

/// The most peers that are kept. The one that was inactive for longest makes room.
const MOST_RECORDS: usize = 100_000;
/// For how many days registrations are counted.
const DAYS: u64 = 30;
const DAY: u64 = 24 * 60 * 60;

/// The table of peers.
#[derive(Debug, Clone)]
pub struct Registrar {
    ttl: Duration,
    most: usize,
    next: u32,
    entries: BTreeMap<Cookie, Entry>,
    by_peer: HashMap<Endpoint, Cookie>,
    /// Every record, by its expiry.
    by_expiry: BTreeSet<(SystemTime, Cookie)>,
}

#[derive(Debug, Clone)]
struct Entry {
    peer: Endpoint,
    expires: SystemTime,
    /// Whether it expired by leaving.
    has_left: bool,
    /// When it was last heard from.
    heard: SystemTime,
    /// When it last registered.
    registered: SystemTime,
    /// How often it registered on each day (since 1970).
    days: BTreeMap<u64, u32>,
}

impl Registrar {
    /// An empty table with this time to live.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            most: MOST_RECORDS,
            next: Cookie::FIRST.0,
            entries: BTreeMap::new(),
            by_peer: HashMap::new(),
            by_expiry: BTreeSet::new(),
        }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The time to live, in seconds.
    pub fn ttl(&self) -> u32 {
        u32::try_from(self.ttl.as_secs()).unwrap_or(u32::MAX)
    }

    /// Activates a peer: the record of its cookie, else the one of its host and port, else a new
    /// one. Fails with [`Status::ServiceUnavailable`] if the table is full.
    pub fn register(
        &mut self,
        peer: &Endpoint,
        cookie: Option<Cookie>,
        now: SystemTime,
    ) -> Result<Registration, Status> {
        let known = cookie.filter(|cookie| self.entries.contains_key(cookie));
        let cookie = match known.or_else(|| self.by_peer.get(peer).copied()) {
            Some(cookie) => cookie,
            None => self.new_cookie(now)?,
        };
        // Another record with this host and port can't be reached there any more.
        if let Some(other) = self.by_peer.insert(peer.clone(), cookie)
            && other != cookie
        {
            self.expire(other, now);
        }
        let entry = self.entries.entry(cookie).or_insert_with(|| Entry {
            peer: peer.clone(),
            expires: now,
            has_left: false,
            heard: now,
            registered: now,
            days: BTreeMap::new(),
        });
        if entry.peer != *peer {
            let before = std::mem::replace(&mut entry.peer, peer.clone());
            if self.by_peer.get(&before) == Some(&cookie) {
                self.by_peer.remove(&before);
            }
        }
        // The name may differ in letter case from the earlier one.
        entry.peer = peer.clone();
        entry.registered = now;
        entry.heard = now;
        entry.has_left = false;
        let today = day(now);
        entry.days.retain(|day, _| day + DAYS > today);
        let count = entry.days.entry(today).or_default();
        *count = count.saturating_add(1);
        self.live_until(cookie, now + self.ttl);
        self.registration(cookie, now).ok_or(Status::UnknownCookie)
    }

    /// Deactivates a peer. Fails with [`Status::UnknownCookie`].
    pub fn leave(&mut self, claim: &Claim, now: SystemTime) -> Result<Registration, Status> {
        self.claimed(claim)?;
        self.expire(claim.cookie, now);
        self.registration(claim.cookie, now)
            .ok_or(Status::UnknownCookie)
    }

    /// Renews a peer's time to live. Fails with [`Status::UnknownCookie`], or with
    /// [`Status::NotRegistered`] if the peer is not active and its claim does not activate it.
    pub fn keep_alive(&mut self, claim: &Claim, now: SystemTime) -> Result<Registration, Status> {
        let entry = self.claimed(claim)?;
        if entry.expires <= now && !claim.activates {
            return Err(Status::NotRegistered);
        }
        entry.has_left = false;
        entry.heard = now;
        self.live_until(claim.cookie, now + self.ttl);
        self.registration(claim.cookie, now)
            .ok_or(Status::UnknownCookie)
    }

    /// The record that a peer claims. It belongs to another peer if the table was lost and the
    /// cookie was given out again.
    fn claimed(&mut self, claim: &Claim) -> Result<&mut Entry, Status> {
        let entry = self.entries.get_mut(&claim.cookie);
        let is_its =
            |entry: &&mut Entry| claim.peer.as_ref().is_none_or(|peer| entry.peer == *peer);
        entry.filter(is_its).ok_or(Status::UnknownCookie)
    }

    /// Every active peer but the one with this cookie, ordered by cookie.
    pub fn others(&self, cookie: Cookie, now: SystemTime) -> Vec<Registration> {
        let mut others: Vec<_> = self
            .active(now)
            .filter(|other| other.cookie != cookie)
            .collect();
        others.sort_unstable_by_key(|other| other.cookie);
        others
    }

    fn active(&self, now: SystemTime) -> impl Iterator<Item = Registration> {
        // A record is active if it expires after `now`.
        let after = now + Duration::from_nanos(1);
        let live = self.by_expiry.range((after, Cookie::FIRST)..);
        live.filter_map(move |&(_, cookie)| self.registration(cookie, now))
    }

    /// The records that expired after `before` and not after `now`, without those that left.
    pub fn expired(&self, before: SystemTime, now: SystemTime) -> Vec<Registration> {
        let after = |time| (time + Duration::from_nanos(1), Cookie::FIRST);
        if before >= now {
            return Vec::new();
        }
        let ended = self.by_expiry.range(after(before)..after(now));
        let silent = ended.filter(|(_, cookie)| {
            let entry = self.entries.get(cookie);
            entry.is_some_and(|entry| !entry.has_left)
        });
        silent
            .filter_map(|&(_, cookie)| self.registration(cookie, now))
            .collect()
    }

    /// The record of a cookie.
    pub fn registration(&self, cookie: Cookie, now: SystemTime) -> Option<Registration> {
        let entry = self.entries.get(&cookie)?;
        let left = entry.expires.duration_since(now).unwrap_or_default();
        let today = day(now);
        let recent = entry.days.iter().filter(|(day, _)| *day + DAYS > today);
        Some(Registration {
            cookie,
            peer: entry.peer.clone(),
            is_active: entry.expires > now,
            // Seconds are rounded up, so that a whole TTL is reported as such.
            ttl: u32::try_from(left.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX),
            registrations: recent.fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            heard: entry.heard,
        })
    }

    fn new_cookie(&mut self, now: SystemTime) -> Result<Cookie, Status> {
        if self.entries.len() >= self.most {
            let &(expires, oldest) = self.by_expiry.first().ok_or(Status::ServiceUnavailable)?;
            if expires > now {
                return Err(Status::ServiceUnavailable);
            }
            self.forget(oldest);
        }
        let cookie = Cookie(self.next);
        self.next = self.next.checked_add(1).ok_or(Status::ServiceUnavailable)?;
        Ok(cookie)
    }

    fn forget(&mut self, cookie: Cookie) {
        if let Some(entry) = self.entries.remove(&cookie) {
            self.by_expiry.remove(&(entry.expires, cookie));
            if self.by_peer.get(&entry.peer) == Some(&cookie) {
                self.by_peer.remove(&entry.peer);
            }
        }
    }

    fn expire(&mut self, cookie: Cookie, now: SystemTime) {
        if self.entries.get(&cookie).is_some_and(|e| e.expires > now) {
            self.live_until(cookie, now);
            if let Some(entry) = self.entries.get_mut(&cookie) {
                entry.has_left = true;
            }
        }
    }

    fn live_until(&mut self, cookie: Cookie, expires: SystemTime) {
        if let Some(entry) = self.entries.get_mut(&cookie) {
            self.by_expiry.remove(&(entry.expires, cookie));
            entry.expires = expires;
            self.by_expiry.insert((expires, cookie));
        }
    }
}

fn day(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / DAY
}

/// The table as saved in a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    next_cookie: u32,
    peers: Vec<SavedPeer>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPeer {
    cookie: u32,
    host: String,
    port: u16,
    /// Milliseconds since 1970.
    expires: u64,
    /// Milliseconds since 1970.
    registered: u64,
    /// Days since 1970, and how often it registered on each.
    registrations: BTreeMap<u64, u32>,
}

impl Registrar {
    pub(super) fn to_saved(&self) -> Saved {
        let saved = |(cookie, entry): (&Cookie, &Entry)| SavedPeer {
            cookie: cookie.0,
            host: entry.peer.host.to_string(),
            port: entry.peer.port.get(),
            expires: milliseconds(entry.expires),
            registered: milliseconds(entry.registered),
            registrations: entry.days.clone(),
        };
        Saved {
            next_cookie: self.next,
            peers: self.entries.iter().map(saved).collect(),
        }
    }

    /// The saved table; `None` if it is invalid.
    pub(super) fn from_saved(saved: Saved, ttl: Duration) -> Option<Self> {
        let mut table = Self::new(ttl);
        table.next = saved.next_cookie;
        if table.next < Cookie::FIRST.0 {
            return None;
        }
        for peer in saved.peers {
            let cookie = Cookie(peer.cookie);
            let endpoint = Endpoint {
                host: peer.host.parse().ok()?,
                port: crate::wire::Port::new(peer.port)?,
            };
            let expires = time(peer.expires)?;
            let entry = Entry {
                peer: endpoint.clone(),
                expires,
                has_left: false,
                heard: time(peer.registered)?,
                registered: time(peer.registered)?,
                days: peer.registrations,
            };
            // A cookie given out twice would merge two peers.
            if table.entries.insert(cookie, entry).is_some()
                || !(Cookie::FIRST.0..table.next).contains(&peer.cookie)
            {
                return None;
            }
            table.by_expiry.insert((expires, cookie));
            // Of two records with one host and port, the one that expires later is current.
            let other = table.by_peer.get(&endpoint);
            let other = other.and_then(|other| table.entries.get(other));
            if other.is_none_or(|other| other.expires <= expires) {
                table.by_peer.insert(endpoint, cookie);
            }
        }
        Some(table)
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn time(milliseconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: u64 = 7200;

    fn table() -> Registrar {
        Registrar::new(Duration::from_secs(TTL))
    }

    fn peer(port: u16) -> Endpoint {
        Endpoint::parse(&format!("vm:{port}"), crate::wire::Port::MIN).unwrap()
    }

    /// So many seconds after the test began.
    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 * DAY + seconds)
    }

    fn cookie(number: u32) -> Cookie {
        Cookie(number)
    }

    /// A claim from a peer that speaks text, without its endpoint.
    fn claim(cookie: Cookie) -> Claim {
        Claim {
            cookie,
            peer: None,
            activates: false,
        }
    }

    /// The answer to a peer that asks for the active peers.
    fn asked(
        table: &mut Registrar,
        cookie: Cookie,
        now: SystemTime,
    ) -> Result<Vec<Registration>, Status> {
        table.keep_alive(&claim(cookie), now)?;
        Ok(table.others(cookie, now))
    }

    fn ports(told: &[Registration]) -> Vec<u16> {
        told.iter().map(|told| told.peer.port.get()).collect()
    }

    #[test]
    fn cookies_are_counted_from_1() {
        let mut table = table();
        for number in 1..4 {
            let registered = table.register(&peer(5000 + number), None, at(0)).unwrap();
            assert_eq!(registered.cookie, cookie(number.into()));
            assert_eq!((registered.ttl, registered.registrations), (7200, 1));
        }
    }

    #[test]
    fn a_known_cookie_is_the_same_record_also_at_another_port() {
        let mut table = table();
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
        let again = table.register(&peer(6), Some(first), at(10)).unwrap();
        assert_eq!((again.cookie, again.registrations), (first, 2));
        assert_eq!(again.peer, peer(6));
        // The old port is free.
        assert_ne!(
            table.register(&peer(5), None, at(20)).unwrap().cookie,
            first
        );
    }

    #[test]
    fn no_cookie_or_an_unknown_one_is_the_record_of_host_and_port_or_a_new_one() {
        let mut table = table();
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
        for unknown in [None, Some(cookie(99))] {
            assert_eq!(
                table.register(&peer(5), unknown, at(1)).unwrap().cookie,
                first
            );
        }
        let new = table.register(&peer(6), Some(cookie(99)), at(2)).unwrap();
        assert_eq!(new.cookie, cookie(2));
    }

    #[test]
    fn two_records_never_share_a_host_and_port() {
        let mut table = table();
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
        let second = table.register(&peer(6), None, at(0)).unwrap().cookie;
        table.register(&peer(5), Some(second), at(1)).unwrap();
        assert_eq!(
            table.keep_alive(&claim(first), at(2)),
            Err(Status::NotRegistered)
        );
        let third = table.register(&peer(7), None, at(3)).unwrap().cookie;
        assert_eq!(ports(&asked(&mut table, third, at(4)).unwrap()), [5]);
        // The one that lost its endpoint gets another.
        assert_eq!(
            table.register(&peer(8), Some(first), at(5)).unwrap().cookie,
            first
        );
    }

    #[test]
    fn the_ttl_runs_out_to_the_second_and_only_registering_activates() {
        let mut table = table();
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
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
        assert_eq!(
            table
                .register(&peer(5), Some(first), at(end))
                .unwrap()
                .cookie,
            first
        );
        assert!(table.keep_alive(&claim(first), at(end)).is_ok());
    }

    #[test]
    fn a_cookie_of_somebody_else_is_unknown() {
        let mut table = table();
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
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
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
        let second = table.register(&peer(6), None, at(0)).unwrap().cookie;
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
    fn peers_are_told_by_cookie_with_the_time_they_have_left() {
        let mut table = table();
        for port in [9, 3, 7] {
            table.register(&peer(port), None, at(port.into())).unwrap();
        }
        let told = asked(&mut table, cookie(3), at(10)).unwrap();
        assert_eq!(ports(&told), [9, 3]);
        assert_eq!([told[0].ttl, told[1].ttl], [7199, 7193]);
    }

    #[test]
    fn registrations_of_the_last_30_days_are_counted() {
        let mut table = table();
        let mut count = |day: u64| {
            let registered = table.register(&peer(5), None, at(day * DAY)).unwrap();
            registered.registrations
        };
        assert_eq!([count(0), count(0), count(1), count(29)], [1, 2, 3, 4]);
        assert_eq!([count(30), count(31), count(100)], [3, 3, 1]);
    }

    #[test]
    fn the_longest_inactive_makes_room_and_an_active_one_never() {
        let mut table = table();
        table.most = 2;
        let first = table.register(&peer(5), None, at(0)).unwrap().cookie;
        table.register(&peer(6), None, at(1)).unwrap();
        let full = table.register(&peer(7), None, at(2)).map(|r| r.cookie);
        assert_eq!(full, Err(Status::ServiceUnavailable));
        table.leave(&claim(first), at(3)).unwrap();
        assert_eq!(
            table.register(&peer(7), None, at(4)).unwrap().cookie,
            cookie(3)
        );
        assert_eq!(
            table.leave(&claim(first), at(5)),
            Err(Status::UnknownCookie)
        );
    }

    #[test]
    fn an_expired_peer_is_reported_once() {
        let mut table = table();
        table.register(&peer(5), None, at(0)).unwrap();
        table.register(&peer(6), None, at(10)).unwrap();
        assert!(table.expired(at(0), at(TTL - 1)).is_empty());
        assert_eq!(table.expired(at(TTL - 1), at(TTL)).len(), 1);
        assert_eq!(table.expired(at(TTL), at(TTL + 9)).len(), 0);
        assert_eq!(table.expired(at(TTL), at(TTL + 10)).len(), 1);
        let again = table.register(&peer(5), None, at(TTL + 20)).unwrap().cookie;
        table.leave(&claim(again), at(TTL + 30)).unwrap();
        assert!(table.expired(at(TTL + 20), at(TTL + 30)).is_empty());
    }

    #[test]
    fn a_saved_table_forgets_nobody() {
        let mut before = table();
        before.register(&peer(5), None, at(0)).unwrap();
        before.register(&peer(6), None, at(1)).unwrap();
        before.leave(&claim(cookie(1)), at(2)).unwrap();
        let text = serde_json::to_string(&before.to_saved()).unwrap();
        let saved: Saved = serde_json::from_str(&text).unwrap();
        let mut after = Registrar::from_saved(saved, Duration::from_secs(TTL)).unwrap();
        for number in [1, 2] {
            let number = cookie(number);
            assert_eq!(
                after.registration(number, at(3)),
                before.registration(number, at(3))
            );
        }
        assert_eq!(
            after.register(&peer(5), None, at(4)).unwrap().cookie,
            cookie(1)
        );
        assert_eq!(
            after.register(&peer(7), None, at(4)).unwrap().cookie,
            cookie(3)
        );
        for wrong in [
            r#"{"next_cookie":0,"peers":[]}"#,
            r#"{"next_cookie":1,"peers":[{"cookie":1,"host":"vm","port":5,"expires":0,"registered":0,"registrations":{}}]}"#,
            r#"{"next_cookie":2,"peers":[{"cookie":0,"host":"vm","port":5,"expires":0,"registered":0,"registrations":{}}]}"#,
            r#"{"next_cookie":2,"peers":[{"cookie":1,"host":"a b","port":5,"expires":0,"registered":0,"registrations":{}}]}"#,
            r#"{"next_cookie":2,"peers":[{"cookie":1,"host":"vm","port":0,"expires":0,"registered":0,"registrations":{}}]}"#,
        ] {
            let saved = serde_json::from_str(wrong).unwrap();
            assert!(
                Registrar::from_saved(saved, Duration::from_secs(1)).is_none(),
                "{wrong}"
            );
        }
    }
}
