//! What a peer has learned from other peers about who has what (P2P-DI/1.0, section 3).
//!
//! It uses no sockets and no clock: the time is an argument.
//!
//! What is learned takes at most [`BUDGET`] bytes, and each peer that tells has an equal share of
//! them: what one tells is cut for others only down to its share. So liars can neither fill the
//! memory nor displace what honest peers have told.
//!
//! Looking up an RFC costs O(p log n) for p peers that have sent records. Merging an answer costs
//! O(n + m log m) for its m records.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Rfc;
use super::batch::{Batch, Held, Moment};
use super::view::View;
use crate::wire::di::TTL;
use crate::wire::di::exchange::TimedLine;
use crate::wire::{Endpoint, Port, RfcNumber, Title};

/// How much memory everything that others have told may take, in bytes: about 300,000 records.
const BUDGET: usize = 32 * 1024 * 1024;
/// The most peers whose records are kept, so that no share is too small to be of use.
const MOST_TELLERS: usize = 4096;

/// What a peer has learned. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Known(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    me: Endpoint,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What each peer has told, those heard last at the end.
    batches: Vec<Arc<Batch>>,
    /// The keys of all records: each is in one batch only.
    keys: HashSet<u64>,
    hasher: RandomState,
}

impl Known {
    /// The empty knowledge of the peer at `me`.
    pub fn new(me: Endpoint) -> Self {
        Self(Arc::new(Shared {
            me,
            start: Instant::now(),
            state: Mutex::default(),
        }))
    }

    /// The endpoint of this peer.
    pub fn me(&self) -> &Endpoint {
        &self.0.me
    }

    /// Merges the index of the peer `answering`, whose records `told` returns. That peer is the
    /// authority on its own records: they get a whole TTL, and those it no longer lists are
    /// dropped. Its records of others are second-hand: they live no longer than it says, and never
    /// extend the life of a known record. Records of this peer are skipped.
    ///
    /// If there is not enough room, the records of the document `wanted` come first, and own
    /// records before second-hand ones.
    pub fn merge<'a, I: Iterator<Item = TimedLine<'a>>>(
        &self,
        answering: &Endpoint,
        wanted: Option<RfcNumber>,
        told: impl Fn() -> I,
        now: Instant,
    ) {
        let now = self.moment(now);
        let held = |line: TimedLine<'a>| {
            let mut held = Held {
                number: line.number,
                host: line.host,
                port: line.port,
                title: line.title,
                expires: now + 1000 * u64::from(line.ttl.min(TTL)),
                is_own: false,
            };
            if held.is_of(answering) {
                held.is_own = true;
                held.expires = now + 1000 * u64::from(TTL);
            }
            held
        };
        let told = || told().map(held).filter(|held| !held.is_of(&self.0.me));
        let is_wanted = |held: &Held<'_>| Some(held.number) == wanted;

        let mut state = self.0.state.lock();
        state.forget(answering, now);
        let former = state.take(answering);
        let share = BUDGET / (state.batches.len() + 1);
        let others: usize = state.batches.iter().map(|batch| batch.cost()).sum();
        let room = share.max(BUDGET.saturating_sub(others));
        let mut batch = Batch::of(answering);
        let mut add = |records: &mut dyn Iterator<Item = Held<'_>>| {
            for record in records {
                if !batch.has_room(&record, room) {
                    break;
                }
                state.add(&mut batch, &record, former.as_deref(), now);
            }
        };
        if wanted.is_some() {
            add(&mut told().filter(|held| held.is_own && is_wanted(held)));
        }
        add(&mut told().filter(|held| held.is_own));
        if wanted.is_some() {
            add(&mut told().filter(is_wanted));
        }
        add(&mut former.iter().flat_map(|former| former.records()));
        add(&mut told());
        state.put(batch.finish());
        state.keep_to_budget(share);
    }

    /// What is known now, with what this peer shares.
    pub fn view(&self, shared: Vec<Rfc>, now: Instant) -> View {
        View {
            me: self.0.me.clone(),
            shared,
            batches: self.0.state.lock().batches.clone(),
            now: self.moment(now),
        }
    }

    /// The other peers that have live records; this reads them all.
    pub fn peers(&self, now: Instant) -> Vec<Endpoint> {
        let (batches, now) = (self.0.state.lock().batches.clone(), self.moment(now));
        let records = batches.iter().flat_map(|batch| batch.records());
        let live = records.filter(|held| held.expires > now);
        let peers: BTreeSet<_> = live.map(|held| (held.host, held.port)).collect();
        let endpoint = |(host, port): (&str, Port)| {
            let host = host.parse().ok()?;
            Some(Endpoint { host, port })
        };
        peers.into_iter().filter_map(endpoint).collect()
    }

    /// Forgets the records that a peer has, because it is gone.
    pub fn forget(&self, holder: &Endpoint, now: Instant) {
        let now = self.moment(now);
        self.0.state.lock().forget(holder, now);
    }

    fn moment(&self, now: Instant) -> Moment {
        let since: Duration = now.saturating_duration_since(self.0.start);
        Moment::try_from(since.as_millis()).unwrap_or(Moment::MAX / 2)
    }
}

impl State {
    /// Forgets what has expired, and what is known of the records that `holder` has.
    fn forget(&mut self, holder: &Endpoint, now: Moment) {
        let stays = |held: &Held<'_>| held.expires > now && !held.is_of(holder);
        for place in 0..self.batches.len() {
            self.retain(place, stays);
        }
        self.batches.retain(|batch| !batch.is_empty());
    }

    /// Takes out what is left of what a peer has told before.
    fn take(&mut self, teller: &Endpoint) -> Option<Arc<Batch>> {
        let place = self
            .batches
            .iter()
            .position(|batch| batch.teller == *teller);
        let batch = self.batches.remove(place?);
        for record in batch.records() {
            self.keys.remove(&key(&self.hasher, &record));
        }
        Some(batch)
    }

    /// Adds a record that nobody else has told. `former` is what the same peer has told before.
    fn add(&mut self, batch: &mut Batch, record: &Held<'_>, former: Option<&Batch>, now: Moment) {
        let key = key(&self.hasher, record);
        if record.expires <= now || self.keys.contains(&key) {
            return;
        }
        let Ok(title) = record.title.parse::<Title>() else {
            return;
        };
        let same = |old: &Held<'_>| old.port == record.port && old.host == record.host;
        let before = former.and_then(|former| former.of_number(record.number).find(same));
        let before = before.filter(|_| !record.is_own);
        batch.push(&Held {
            title: title.as_str(),
            expires: before.map_or(record.expires, |old| old.expires.min(record.expires)),
            ..*record
        });
        self.keys.insert(key);
    }

    fn put(&mut self, batch: Arc<Batch>) {
        if !batch.is_empty() {
            self.batches.push(batch);
        }
        if self.batches.len() > MOST_TELLERS {
            self.retain(0, |_| false);
            self.batches.remove(0);
        }
    }

    /// Cuts the largest batches, but none below its `share`.
    fn keep_to_budget(&mut self, share: usize) {
        loop {
            let total: usize = self.batches.iter().map(|batch| batch.cost()).sum();
            let excess = total.saturating_sub(BUDGET);
            let costs = self.batches.iter().map(|batch| batch.cost()).enumerate();
            let Some((place, cost)) = costs.max_by_key(|&(_, cost)| cost) else {
                return;
            };
            if excess == 0 || cost <= share {
                return;
            }
            self.cut(place, share.max(cost.saturating_sub(excess)));
        }
    }

    /// Cuts a batch to at most `room` bytes: its own records are the last to go.
    fn cut(&mut self, place: usize, room: usize) {
        let Some(batch) = self.batches.get(place).cloned() else {
            return;
        };
        let mut kept = Batch::of(&batch.teller);
        let own = batch.records().filter(|record| record.is_own);
        let others = batch.records().filter(|record| !record.is_own);
        for record in own.chain(others) {
            if kept.has_room(&record, room) {
                kept.push(&record);
            } else {
                self.keys.remove(&key(&self.hasher, &record));
            }
        }
        if let Some(batch) = self.batches.get_mut(place) {
            *batch = kept.finish();
        }
    }

    /// Drops the records of a batch that do not stay.
    fn retain(&mut self, place: usize, stays: impl Fn(&Held<'_>) -> bool) {
        let Some(batch) = self.batches.get_mut(place) else {
            return;
        };
        if batch.records().all(|record| stays(&record)) {
            return;
        }
        let mut kept = Batch::of(&batch.teller);
        for record in batch.records() {
            if stays(&record) {
                kept.push(&record);
            } else {
                self.keys.remove(&key(&self.hasher, &record));
            }
        }
        *batch = kept.finish();
    }
}

/// The key of a record: its number and its holder.
fn key(hasher: &RandomState, record: &Held<'_>) -> u64 {
    let mut hash = hasher.build_hasher();
    hash.write_u32(record.number.get());
    hash.write_u16(record.port.get());
    for byte in record.host.bytes() {
        hash.write_u8(byte.to_ascii_lowercase());
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Record;
    use crate::wire::di::exchange::{Snapshot, Timed};

    fn peer(port: u16) -> Endpoint {
        Endpoint::parse(&format!("vm:{port}"), Port::MIN).unwrap()
    }

    fn number(number: u32) -> RfcNumber {
        RfcNumber::new(number).unwrap()
    }

    /// RFC `number` of the peer at `port`, for `ttl` seconds.
    fn told(number: u32, port: u16, ttl: u32) -> Timed {
        let record = Record {
            number: RfcNumber::new(number).unwrap(),
            title: format!("Title {number}").parse().unwrap(),
            holder: peer(port),
        };
        Timed { record, ttl }
    }

    fn merge(known: &Known, answering: &Endpoint, records: &[Timed], now: Instant) {
        known.merge(answering, None, || records.iter().map(TimedLine::from), now);
    }

    fn all(known: &Known, shared: Vec<Rfc>, now: Instant) -> Vec<Timed> {
        let view = known.view(shared, now);
        view.by_number().map(|line| line.check().unwrap()).collect()
    }

    fn holders(known: &Known, number: RfcNumber, now: Instant) -> Vec<Timed> {
        let view = known.view(Vec::new(), now);
        let found = view.holders(number).map(|line| line.check().unwrap());
        found.collect()
    }

    /// What is known takes, and the records in it.
    fn cost(known: &Known) -> usize {
        let state = known.0.state.lock();
        let keys: usize = state.batches.iter().map(|b| b.records().count()).sum();
        assert_eq!(keys, state.keys.len(), "each record has its key");
        state.batches.iter().map(|batch| batch.cost()).sum()
    }

    /// A peer with 40 MiB of records that nobody has.
    fn liar<'a>(port: u16) -> impl Iterator<Item = TimedLine<'a>> {
        let title: &str = "x".repeat(1000).leak();
        (1..=40_000).map(move |number| TimedLine {
            number: RfcNumber::new(number).unwrap(),
            ttl: 7200,
            host: "nobody.example",
            port: Port::new(port).unwrap(),
            title,
        })
    }

    #[test]
    fn liars_displace_nobody_and_fill_no_memory() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        let own: Vec<_> = (1..=200).map(|number| told(number, 2, 7200)).collect();
        let honest = [own, vec![told(9, 7, 3600)]].concat();
        merge(&known, &peer(2), &honest, start);
        for port in [3, 4] {
            known.merge(&peer(port), None, || liar(port), start);
            assert!(cost(&known) <= BUDGET);
        }
        let count = |known: &Known| {
            let view = known.view(Vec::new(), start);
            let honest = view.records().filter(|line| line.host == "vm").count();
            (honest, view.records().count() - honest)
        };
        let (honest_count, lies) = count(&known);
        assert_eq!(honest_count, 201);
        assert!(lies > 20_000, "what there is room for is kept: {lies}");
        // Another honest peer comes after the liars and finds its share.
        let late: Vec<_> = (1..=200).map(|number| told(number, 5, 7200)).collect();
        merge(&known, &peer(5), &late, start);
        assert_eq!(count(&known).0, 401);
        assert!(cost(&known) <= BUDGET);
    }

    #[test]
    fn own_records_and_the_wanted_ones_have_room_before_hearsay() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        let own = told(70_000, 3, 7200);
        let wanted = told(80_000, 4, 7200);
        let last = [TimedLine::from(&own), TimedLine::from(&wanted)];
        let told = || liar(9).chain(last);
        known.merge(&peer(3), Some(number(80_000)), told, start);
        assert_eq!(holders(&known, number(70_000), start).len(), 1);
        assert_eq!(holders(&known, number(80_000), start).len(), 1);
        assert!(cost(&known) <= BUDGET);
        // What was cut for a second liar is hearsay too.
        known.merge(&peer(4), None, || liar(10), start);
        assert_eq!(holders(&known, number(70_000), start).len(), 1);
    }

    #[test]
    fn a_million_holders_take_no_more_than_their_budget() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        let hosts: Vec<_> = (0..1_000_000).map(|n| format!("host{n}.example")).collect();
        let told = || {
            hosts.iter().map(|host| TimedLine {
                number: number(7),
                ttl: 7200,
                host,
                port: Port::MAX,
                title: "",
            })
        };
        known.merge(&peer(3), None, told, start);
        assert!(cost(&known) <= BUDGET);
        let view = known.view(Vec::new(), start);
        assert!(view.holders(number(7)).count() > 100_000);
    }

    #[test]
    fn the_newest_is_told_first_after_our_own() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        merge(&known, &peer(2), &[told(5, 2, 7200)], start);
        merge(&known, &peer(3), &[told(6, 3, 7200), told(4, 9, 9)], start);
        let rfc = Rfc {
            number: number(8),
            title: Title::default(),
        };
        let view = known.view(vec![rfc], start);
        let sent: Vec<_> = view.records().map(|line| line.number.get()).collect();
        assert_eq!(sent, [8, 4, 6, 5]);
        merge(&known, &peer(2), &[told(7, 2, 7200)], start);
        let view = known.view(Vec::new(), start);
        let sent: Vec<_> = view.records().map(|line| line.number.get()).collect();
        assert_eq!(sent, [7, 4, 6]);
    }

    #[test]
    fn so_many_peers_that_tell_leave_a_useful_share_to_each() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        for port in 1..=4100 {
            merge(&known, &peer(port), &[told(5, port, 7200)], start);
        }
        let found = holders(&known, number(5), start);
        assert_eq!(found.len(), MOST_TELLERS);
        cost(&known);
    }

    /// Number, port and TTL of what others have.
    fn others(known: &Known, now: Instant) -> Vec<(u32, u16, u32)> {
        let all = all(known, Vec::new(), now).into_iter();
        all.filter(|timed| timed.record.holder != *known.me())
            .map(|Timed { record, ttl }| (record.number.get(), record.holder.port.get(), ttl))
            .collect()
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn own_records_never_grow_old() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        let title: Title = "One".parse().unwrap();
        let shared = vec![Rfc {
            number: number(1),
            title,
        }];
        for time in [0, 7200, 1_000_000] {
            let all = all(&known, shared.clone(), after(start, time));
            assert_eq!((all.len(), all[0].ttl), (1, TTL));
            assert_eq!(all[0].record.holder, peer(1));
        }
        assert!(
            holders(&known, number(1), start).is_empty(),
            "we ask nobody for it"
        );
    }

    #[test]
    fn the_answering_peer_is_the_authority_on_its_own_records() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        // Whatever TTL it claims, it gets a whole one.
        merge(
            &known,
            &peer(2),
            &[told(5, 2, 3), told(6, 2, 99_999)],
            start,
        );
        assert_eq!(others(&known, start), [(5, 2, 7200), (6, 2, 7200)]);
        let later = after(start, 100);
        merge(
            &known,
            &peer(2),
            &[told(6, 2, 7200), told(7, 2, 7200)],
            later,
        );
        assert_eq!(others(&known, later), [(6, 2, 7200), (7, 2, 7200)]);
    }

    #[test]
    fn second_hand_records_are_never_lengthened_and_die() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        merge(
            &known,
            &peer(2),
            &[told(5, 3, 100), told(6, 3, 99_999)],
            start,
        );
        assert_eq!(others(&known, start), [(5, 3, 100), (6, 3, 7200)]);
        merge(&known, &peer(4), &[told(5, 3, 7000)], after(start, 40));
        assert_eq!(others(&known, after(start, 40)), [(5, 3, 60), (6, 3, 7160)]);
        assert_eq!(others(&known, after(start, 99)), [(5, 3, 1), (6, 3, 7101)]);
        assert_eq!(others(&known, after(start, 100)), [(6, 3, 7100)]);
        assert!(holders(&known, number(5), after(start, 100)).is_empty());
        // Nor does an expired record come back to life.
        merge(&known, &peer(4), &[told(5, 3, 0)], after(start, 101));
        assert_eq!(others(&known, after(start, 101)), [(6, 3, 7099)]);
    }

    #[test]
    fn a_departed_peer_s_records_die_however_often_they_are_told() {
        let start = Instant::now();
        let peers = [Known::new(peer(1)), Known::new(peer(2))];
        merge(&peers[0], &peer(9), &[told(5, 9, 7200)], start);
        // The two keep telling each other; neither hears from peer 9 itself again.
        for minute in 0..200 {
            let now = after(start, minute * 60);
            for (teller, listener, name) in [(0, 1, 1), (1, 0, 2)] {
                let told = all(&peers[teller], Vec::new(), now);
                merge(&peers[listener], &peer(name), &told, now);
            }
        }
        assert!(
            peers
                .iter()
                .all(|known| others(known, after(start, 12_000)).is_empty())
        );
    }

    #[test]
    fn a_liar_can_not_speak_for_others_nor_for_us() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        merge(&known, &peer(2), &[told(5, 2, 7200)], start);
        // It gives us documents, leaves out those of peer 2, and says that peer 2 has another title.
        let mut lie = told(5, 2, 1);
        lie.record.title = "A lie".parse().unwrap();
        merge(&known, &peer(6), &[told(8, 1, 7200), lie], after(start, 10));
        assert_eq!(others(&known, after(start, 10)), [(5, 2, 7190)]);
        assert_eq!(
            holders(&known, number(5), start)[0].record.title.as_str(),
            "Title 5"
        );
    }

    #[test]
    fn who_was_heard_of_last_comes_first() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        merge(&known, &peer(3), &[told(5, 3, 7200), told(5, 4, 10)], start);
        merge(&known, &peer(2), &[told(5, 2, 7200)], after(start, 5));
        let found = holders(&known, number(5), after(start, 5));
        let ports: Vec<_> = found.iter().map(|t| t.record.holder.port.get()).collect();
        assert_eq!(ports, [2, 3, 4]);
    }
}
