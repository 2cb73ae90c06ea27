//! The table of a registration server (P2P-DI/1.0, section 3): which peers are active.
//!
//! It uses no sockets, files or clock: the time is an argument. A record is active until its time
//! to live expires; leaving ends that time at once. Registering, leaving and keeping alive cost
//! O(log n) for n records; a list of peers costs O(n).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::net::network_of;
use crate::wire::di::registration::{Claim, Cookie, Registration};
use crate::wire::{Endpoint, Reject, Status};

/// The most peers that are kept. The one that was inactive for longest makes room.
const MOST_RECORDS: usize = 100_000;
/// The most of them that registered from one address, or for IPv6 from one /64.
const MOST_OF_NETWORK: usize = 1_024;
/// For how many days registrations are counted.
const DAYS: u64 = 30;
const DAY: u64 = 24 * 60 * 60;

/// The time by two clocks. Times to live follow the monotonic one, so setting the clock does not
/// change them. Dates, and whatever outlives this run, follow the other.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The time of the monotonic clock.
    pub instant: Instant,
    /// The time of day.
    pub date: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            date: SystemTime::now(),
        }
    }
}

/// The table of peers.
#[derive(Debug, Clone)]
pub struct Registrar {
    ttl: Duration,
    most: usize,
    next: u32,
    entries: BTreeMap<Cookie, Arc<Entry>>,
    by_peer: HashMap<Endpoint, Cookie>,
    /// Every record, by its expiry.
    by_expiry: BTreeSet<(Instant, Cookie)>,
    /// The same for each network that has a limit.
    by_network: HashMap<IpAddr, BTreeSet<(Instant, Cookie)>>,
    unsaved: Unsaved,
}

/// What has changed since it was last taken to be saved.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsaved {
    /// The changed records, as they were before; `None` for a new one.
    pub(super) changed: BTreeMap<Cookie, Option<Arc<Entry>>>,
    /// The records whose time to live was renewed.
    pub(super) renewed: BTreeSet<Cookie>,
}

/// A record. It is never modified: a list of peers that is being sent still refers to it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) cookie: Cookie,
    pub(super) peer: Endpoint,
    pub(super) expires: Instant,
    /// Whether it expired by leaving, or because another record took over its host and port.
    pub(super) has_left: bool,
    /// When it was last heard from.
    pub(super) heard: SystemTime,
    /// When it last registered.
    pub(super) registered: SystemTime,
    /// The network from which it last registered; `None` if that has no limit.
    pub(super) network: Option<IpAddr>,
    /// How often it registered on each day (since 1970).
    pub(super) days: BTreeMap<u64, u32>,
}

impl Entry {
    fn registration(&self, now: Now) -> Registration {
        let left = self.expires.saturating_duration_since(now.instant);
        let today = day(now.date);
        let recent = self.days.iter().filter(|(day, _)| *day + DAYS > today);
        Registration {
            cookie: self.cookie,
            peer: self.peer.clone(),
            is_active: self.expires > now.instant,
            // Seconds are rounded up, so that a whole TTL is reported as such.
            ttl: u32::try_from(left.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX),
            registrations: recent.fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            heard: self.heard,
        }
    }
}

/// The active peers at some time. It shares the records with the table, so it takes 8 bytes for
/// each.
#[derive(Debug)]
pub struct ActivePeers {
    entries: Vec<Arc<Entry>>,
    now: Now,
}

impl ActivePeers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sorts them by cookie.
    pub fn sort(&mut self) {
        self.entries.sort_unstable_by_key(|entry| entry.cookie);
    }

    /// Puts them in random order.
    pub fn shuffle(&mut self) {
        fastrand::shuffle(&mut self.entries);
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Registration> + Clone {
        self.entries
            .iter()
            .map(|entry| entry.registration(self.now))
    }
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
            by_network: HashMap::new(),
            unsaved: Unsaved::default(),
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
        let known = cookie.filter(|cookie| self.entries.contains_key(cookie));
        let known = known.or_else(|| self.by_peer.get(peer).copied());
        let known = known.and_then(|cookie| self.entries.get(&cookie).cloned());
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
        if entry.peer != *peer && self.by_peer.get(&entry.peer) == Some(&cookie) {
            self.by_peer.remove(&entry.peer);
        }
        // Another record with this host and port can't be reached there any more.
        if let Some(other) = self.by_peer.insert(peer.clone(), cookie)
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
        entry.days.retain(|day, _| *day + DAYS > today);
        let count = entry.days.entry(today).or_default();
        *count = count.saturating_add(1);
        let registration = entry.registration(now);
        self.remember(cookie);
        self.put(entry);
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
        self.put(entry);
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
        let others = self.live(now).filter(|other| *other != cookie);
        let entries = others.filter_map(|other| self.entries.get(&other).cloned());
        ActivePeers {
            entries: entries.collect(),
            now,
        }
    }

    /// Every active peer, in no particular order.
    pub fn active(&self, now: Now) -> ActivePeers {
        let entries = self.live(now);
        let entries = entries.filter_map(|cookie| self.entries.get(&cookie).cloned());
        ActivePeers {
            entries: entries.collect(),
            now,
        }
    }

    /// How many peers are active.
    pub fn count_active(&self, now: Now) -> usize {
        self.live(now).count()
    }

    /// What a peer may know about the record of this host and port.
    pub fn of_peer(&self, peer: &Endpoint, now: Now) -> Option<Registration> {
        self.registration(*self.by_peer.get(peer)?, now)
    }

    /// The cookies of the active peers. A record is active if it expires after `now`.
    fn live(&self, now: Now) -> impl Iterator<Item = Cookie> {
        let after = now.instant + Duration::from_nanos(1);
        let live = self.by_expiry.range((after, Cookie::FIRST)..);
        live.map(|(_, cookie)| *cookie)
    }

    /// The records that expired after `before` and not after `now`, without those that left.
    pub fn expired(&self, before: Instant, now: Now) -> Vec<Registration> {
        let after = |time| (time + Duration::from_nanos(1), Cookie::FIRST);
        if before >= now.instant {
            return Vec::new();
        }
        let ended = self.by_expiry.range(after(before)..after(now.instant));
        let ended = ended.filter_map(|(_, cookie)| self.entries.get(cookie));
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
        self.entries.get(&cookie).map(|entry| &**entry)
    }

    /// All records.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|entry| &**entry)
    }

    /// A new record, which is not in the table yet.
    fn new_entry(&mut self, peer: &Endpoint, now: Now) -> Result<Entry, Reject> {
        if self.entries.len() >= self.most {
            let oldest = self.by_expiry.first().copied();
            let most = self.most;
            self.forget_inactive(oldest, now)
                .ok_or_else(|| busy(format!("limit of {most} active peers reached")))?;
        }
        let cookie = Cookie(self.next);
        self.next = self
            .next
            .checked_add(1)
            .ok_or_else(|| busy("all cookies are used up"))?;
        Ok(Entry {
            cookie,
            peer: peer.clone(),
            expires: now.instant,
            has_left: false,
            heard: now.date,
            registered: now.date,
            network: None,
            days: BTreeMap::new(),
        })
    }

    fn make_room_in(&mut self, network: IpAddr, now: Now) -> Result<(), Reject> {
        let same = self.by_network.get(&network);
        if let Some(same) = same.filter(|same| same.len() >= MOST_OF_NETWORK) {
            let oldest = same.first().copied();
            self.forget_inactive(oldest, now).ok_or_else(|| {
                busy(format!(
                    "limit of {MOST_OF_NETWORK} active peers of this address reached"
                ))
            })?;
        }
        Ok(())
    }

    /// Forgets the record that was inactive for longest; `None` if it is active.
    fn forget_inactive(&mut self, oldest: Option<(Instant, Cookie)>, now: Now) -> Option<()> {
        let (_, oldest) = oldest.filter(|(expires, _)| *expires <= now.instant)?;
        self.remember(oldest);
        self.forget(oldest);
        Some(())
    }

    fn expire(&mut self, cookie: Cookie, now: Now) {
        let entry = self.entries.get(&cookie);
        if let Some(entry) = entry.filter(|entry| entry.expires > now.instant) {
            let mut entry = Entry::clone(entry);
            entry.expires = now.instant;
            entry.has_left = true;
            self.remember(cookie);
            self.put(entry);
        }
    }

    /// Adds a record, or replaces the one with its cookie.
    fn put(&mut self, entry: Entry) {
        self.remove(entry.cookie);
        let place = (entry.expires, entry.cookie);
        self.by_expiry.insert(place);
        if let Some(network) = entry.network {
            self.by_network.entry(network).or_default().insert(place);
        }
        self.entries.insert(entry.cookie, Arc::new(entry));
    }

    /// Removes a record, but not its claim to its host and port.
    fn remove(&mut self, cookie: Cookie) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(&cookie)?;
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

    fn forget(&mut self, cookie: Cookie) {
        if let Some(entry) = self.remove(cookie)
            && self.by_peer.get(&entry.peer) == Some(&cookie)
        {
            self.by_peer.remove(&entry.peer);
        }
    }

    /// Remembers a record before its first change since the last save.
    fn remember(&mut self, cookie: Cookie) {
        let before = || self.entries.get(&cookie).cloned();
        self.unsaved.changed.entry(cookie).or_insert_with(before);
    }

    /// Takes what has changed since the last call.
    pub(super) fn take_unsaved(&mut self) -> Unsaved {
        mem::take(&mut self.unsaved)
    }

    /// Takes back changes that could not be saved. The latest must be taken back first. Renewed
    /// times to live stay, and are saved with the next changes.
    pub(super) fn undo(&mut self, unsaved: Unsaved) {
        for cookie in unsaved.changed.keys() {
            self.forget(*cookie);
        }
        for before in unsaved.changed.into_values().flatten() {
            self.restore(Entry::clone(&before));
        }
        self.unsaved.renewed.extend(unsaved.renewed);
    }

    /// Adds an earlier record.
    fn restore(&mut self, entry: Entry) {
        // Of two records with one host and port, the one that expires later is current.
        let other = self.by_peer.get(&entry.peer);
        let other = other.and_then(|other| self.entries.get(other));
        if other.is_none_or(|other| other.expires <= entry.expires) {
            self.by_peer.insert(entry.peer.clone(), entry.cookie);
        }
        self.put(entry);
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
            if table.entries.contains_key(&cookie) || !(Cookie::FIRST.0..next).contains(&cookie.0) {
                return None;
            }
            table.restore(entry);
        }
        (next >= Cookie::FIRST.0).then_some(table)
    }
}

fn busy(reason: impl Into<String>) -> Reject {
    Reject {
        status: Status::ServiceUnavailable,
        reason: reason.into(),
    }
}

fn day(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    const TTL: u64 = 7200;

    fn table() -> Registrar {
        Registrar::new(Duration::from_secs(TTL))
    }

    fn peer(port: u16) -> Endpoint {
        Endpoint::parse(&format!("vm:{port}"), crate::wire::Port::MIN).unwrap()
    }

    /// So many seconds after the test began, by both clocks.
    fn at(seconds: u64) -> Now {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let after = Duration::from_secs(seconds);
        Now {
            instant: *BEGIN + after,
            date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 * DAY) + after,
        }
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Registers a local peer.
    fn register(
        table: &mut Registrar,
        port: u16,
        cookie: Option<Cookie>,
        now: Now,
    ) -> Registration {
        table.register(&peer(port), cookie, HERE, now).unwrap()
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
    fn asked(table: &mut Registrar, cookie: Cookie, now: Now) -> Result<Vec<Registration>, Status> {
        table.keep_alive(&claim(cookie), now)?;
        let mut others = table.others(cookie, now);
        others.sort();
        Ok(others.iter().collect())
    }

    fn ports(told: &[Registration]) -> Vec<u16> {
        told.iter().map(|told| told.peer.port.get()).collect()
    }

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
    fn peers_are_told_by_cookie_with_the_time_they_have_left() {
        let mut table = table();
        for port in [9, 3, 7] {
            register(&mut table, port, None, at(port.into()));
        }
        let told = asked(&mut table, cookie(3), at(10)).unwrap();
        assert_eq!(ports(&told), [9, 3]);
        assert_eq!([told[0].ttl, told[1].ttl], [7199, 7193]);
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
    fn the_longest_inactive_makes_room_and_an_active_one_never() {
        let mut table = table();
        table.most = 2;
        let first = register(&mut table, 5, None, at(0)).cookie;
        register(&mut table, 6, None, at(1));
        let full = table.register(&peer(7), None, HERE, at(2)).unwrap_err();
        assert_eq!(full.status, Status::ServiceUnavailable);
        table.leave(&claim(first), at(3)).unwrap();
        assert_eq!(register(&mut table, 7, None, at(4)).cookie, cookie(3));
        assert_eq!(
            table.leave(&claim(first), at(5)),
            Err(Status::UnknownCookie)
        );
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
    fn each_address_has_its_share_and_its_own_inactive_peers_make_room() {
        let site = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, last, 0, 0, last]);
        let other_site = IpAddr::from([0x2001, 0xdb8, 0, 8, 0, 0, 0, 1]);
        for (same, other) in [
            ([site(1), site(2)], other_site),
            (
                [IpAddr::from([192, 0, 2, 1]); 2],
                IpAddr::from([192, 0, 2, 2]),
            ),
        ] {
            let mut table = table();
            // Of all peers this one is inactive for longest.
            table.register(&peer(1), None, other, at(0)).unwrap();
            table.leave(&claim(cookie(1)), at(0)).unwrap();
            for port in 0..1024 {
                table
                    .register(&peer(1000 + port), None, same[0], at(1))
                    .unwrap();
            }
            let one_more = |table: &mut Registrar| table.register(&peer(9), None, same[1], at(2));
            let refused = one_more(&mut table).unwrap_err();
            assert_eq!(refused.status, Status::ServiceUnavailable);
            assert!(
                refused.reason.contains("limit of 1024"),
                "{}",
                refused.reason
            );
            // A known peer may register again, also without its cookie. A peer of another address
            // can't move here.
            table.register(&peer(1000), None, same[1], at(2)).unwrap();
            let known = Some(cookie(1));
            assert!(table.register(&peer(1), known, same[0], at(2)).is_err());
            assert!(table.register(&peer(1), known, other, at(2)).is_ok());
            // Loopback has no limit.
            for port in 0..1025 {
                table
                    .register(&peer(3000 + port), None, HERE, at(2))
                    .unwrap();
            }
            table.leave(&claim(cookie(7)), at(2)).unwrap();
            assert!(one_more(&mut table).is_ok());
            assert_eq!(table.registration(cookie(7), at(3)), None);
            assert!(one_more(&mut table).is_ok(), "a known peer registers again");
        }
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

    #[test]
    fn changes_that_could_not_be_saved_are_taken_back() {
        let mut table = table();
        table.most = 4;
        for port in 5..9 {
            register(&mut table, port, None, at(0));
        }
        table.leave(&claim(cookie(1)), at(1)).unwrap();
        table.take_unsaved();
        let before = table.clone();
        // Two commits fail. In them a new peer displaces an inactive one, one takes over the endpoint
        // of another, and one leaves.
        register(&mut table, 10, None, at(2));
        register(&mut table, 7, Some(cookie(2)), at(2));
        let first = table.take_unsaved();
        register(&mut table, 10, None, at(3));
        table.leave(&claim(cookie(4)), at(3)).unwrap();
        let second = table.take_unsaved();
        table.undo(second);
        table.undo(first);
        for number in 1..=5 {
            let number = cookie(number);
            let now = at(4);
            assert_eq!(
                table.registration(number, now),
                before.registration(number, now)
            );
        }
        assert_eq!(table.by_peer, before.by_peer);
        assert_eq!(table.by_expiry, before.by_expiry);
    }

    #[test]
    fn what_is_refused_is_not_saved() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        table.take_unsaved();
        table.leave(&claim(cookie(9)), at(1)).unwrap_err();
        table.keep_alive(&claim(cookie(9)), at(1)).unwrap_err();
        let wrong = Claim {
            peer: Some(peer(6)),
            ..claim(first)
        };
        table.leave(&wrong, at(1)).unwrap_err();
        let unsaved = table.take_unsaved();
        assert!(unsaved.changed.is_empty() && unsaved.renewed.is_empty());
        table.keep_alive(&claim(first), at(2)).unwrap();
        let unsaved = table.take_unsaved();
        assert!(unsaved.changed.is_empty() && unsaved.renewed.contains(&first));
        // Leaving a second time changes nothing.
        table.leave(&claim(first), at(3)).unwrap();
        table.take_unsaved();
        table.leave(&claim(first), at(4)).unwrap();
        assert!(table.take_unsaved().changed.is_empty());
    }
}
