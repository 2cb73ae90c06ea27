//! What a peer has learned from other peers about who has what (P2P-DI/1.0, section 3).
//!
//! It uses no sockets and no clock: the time is an argument. Looking up an RFC costs O(p log n) for
//! p peers that have sent records; merging an answer costs O(log n) per record.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Rfc;
use crate::wire::di::TTL;
use crate::wire::di::exchange::Timed;
use crate::wire::{Endpoint, Record, RfcNumber, Title};

/// The most second-hand records, and the most first-hand ones, that are kept, so that a liar can't
/// fill the memory.
const MOST_RECORDS: usize = 1_000_000;

/// What a peer has learned. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Known(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    me: Endpoint,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    others: HashMap<Endpoint, BTreeMap<RfcNumber, Told>>,
    /// The number of records of others.
    count: usize,
}

/// What was said about a record.
#[derive(Debug)]
struct Told {
    title: Title,
    expires: Instant,
}

impl Known {
    /// The empty knowledge of the peer at `me`.
    pub fn new(me: Endpoint) -> Self {
        Self(Arc::new(Shared {
            me,
            state: Mutex::default(),
        }))
    }

    /// The endpoint of this peer.
    pub fn me(&self) -> &Endpoint {
        &self.0.me
    }

    /// Merges the index of the peer `answering`. That peer is the authority on its own records:
    /// they get a whole TTL, and those it no longer lists are dropped. Its records of others are
    /// second-hand: they live no longer than it says, and never extend the life of a known record.
    /// Records of this peer are skipped.
    pub fn merge(&self, answering: &Endpoint, records: Vec<Timed>, now: Instant) {
        let mut state = self.0.state.lock();
        state.drop_expired(now);
        let before = state.others.remove(answering).unwrap_or_default();
        state.count -= before.len();
        for Timed { record, ttl } in records {
            let Record {
                number,
                title,
                holder,
            } = record;
            let is_authority = holder == *answering;
            // What liars say about others must leave room for what peers say about themselves.
            let most = if is_authority {
                2 * MOST_RECORDS
            } else {
                MOST_RECORDS
            };
            if holder == self.0.me || state.count >= most {
                continue;
            }
            let ttl = if is_authority { TTL } else { ttl.min(TTL) };
            if ttl == 0 {
                continue;
            }
            let told = Told {
                title,
                expires: now + Duration::from_secs(ttl.into()),
            };
            match state.others.entry(holder).or_default().entry(number) {
                Entry::Vacant(place) => {
                    place.insert(told);
                    state.count += 1;
                }
                Entry::Occupied(mut place) if is_authority => {
                    place.insert(told);
                }
                Entry::Occupied(_) => {}
            }
        }
    }

    /// The known holders of a document, without this peer.
    pub fn holders(&self, number: RfcNumber, now: Instant) -> Vec<Timed> {
        let state = self.0.state.lock();
        let mut found: Vec<_> = state
            .others
            .iter()
            .filter_map(|(holder, records)| timed(holder, number, records.get(&number)?, now))
            .collect();
        // The most recently heard of comes first; the name makes the order deterministic.
        found.sort_by_cached_key(|timed| {
            let holder = &timed.record.holder;
            (std::cmp::Reverse(timed.ttl), holder.to_string())
        });
        found
    }

    /// How many other peers have live records.
    pub fn peers(&self, now: Instant) -> usize {
        let mut state = self.0.state.lock();
        state.drop_expired(now);
        state.others.len()
    }

    /// All live records: first what this peer shares, which never expires, then the records of
    /// others, by number.
    pub fn all(&self, shared: Vec<Rfc>, now: Instant) -> Vec<Timed> {
        let own = shared.into_iter().map(|rfc| self.own(rfc));
        let state = self.0.state.lock();
        let mut others: Vec<_> = state
            .others
            .iter()
            .flat_map(|(holder, records)| {
                let alive = |(&number, told)| timed(holder, number, told, now);
                records.iter().filter_map(alive)
            })
            .collect();
        others.sort_by_cached_key(|timed| (timed.record.number, timed.record.holder.to_string()));
        own.chain(others).collect()
    }

    /// The record of a document that this peer shares.
    pub fn own(&self, rfc: Rfc) -> Timed {
        Timed {
            record: rfc.held_by(&self.0.me),
            ttl: TTL,
        }
    }
}

impl State {
    fn drop_expired(&mut self, now: Instant) {
        let mut count = 0;
        self.others.retain(|_, records| {
            records.retain(|_, told| told.expires > now);
            count += records.len();
            !records.is_empty()
        });
        self.count = count;
    }
}

/// The record of another peer, if it is still alive.
fn timed(holder: &Endpoint, number: RfcNumber, told: &Told, now: Instant) -> Option<Timed> {
    let left = told.expires.saturating_duration_since(now);
    let ttl = u32::try_from(left.as_secs()).unwrap_or(TTL);
    (!left.is_zero()).then(|| Timed {
        record: Record {
            number,
            title: told.title.clone(),
            holder: holder.clone(),
        },
        ttl,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;

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

    /// Number, port and TTL of what others have.
    fn others(known: &Known, now: Instant) -> Vec<(u32, u16, u32)> {
        let all = known.all(Vec::new(), now).into_iter();
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
            let all = known.all(shared.clone(), after(start, time));
            assert_eq!((all.len(), all[0].ttl), (1, TTL));
            assert_eq!(all[0].record.holder, peer(1));
        }
        assert!(
            known.holders(number(1), start).is_empty(),
            "we ask nobody for it"
        );
    }

    #[test]
    fn the_answering_peer_is_the_authority_on_its_own_records() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        // Whatever TTL it claims, it gets a whole one.
        known.merge(&peer(2), vec![told(5, 2, 3), told(6, 2, 99_999)], start);
        assert_eq!(others(&known, start), [(5, 2, 7200), (6, 2, 7200)]);
        let later = after(start, 100);
        known.merge(&peer(2), vec![told(6, 2, 7200), told(7, 2, 7200)], later);
        assert_eq!(others(&known, later), [(6, 2, 7200), (7, 2, 7200)]);
    }

    #[test]
    fn second_hand_records_are_never_lengthened_and_die() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        known.merge(&peer(2), vec![told(5, 3, 100), told(6, 3, 99_999)], start);
        assert_eq!(others(&known, start), [(5, 3, 100), (6, 3, 7200)]);
        known.merge(&peer(4), vec![told(5, 3, 7000)], after(start, 40));
        assert_eq!(others(&known, after(start, 40)), [(5, 3, 60), (6, 3, 7160)]);
        assert_eq!(others(&known, after(start, 99)), [(5, 3, 1), (6, 3, 7101)]);
        assert_eq!(others(&known, after(start, 100)), [(6, 3, 7100)]);
        assert!(known.holders(number(5), after(start, 100)).is_empty());
        // Nor does an expired record come back to life.
        known.merge(&peer(4), vec![told(5, 3, 0)], after(start, 101));
        assert_eq!(others(&known, after(start, 101)), [(6, 3, 7099)]);
    }

    #[test]
    fn a_departed_peer_s_records_die_however_often_they_are_told() {
        let start = Instant::now();
        let peers = [Known::new(peer(1)), Known::new(peer(2))];
        peers[0].merge(&peer(9), vec![told(5, 9, 7200)], start);
        // The two keep telling each other; neither hears from peer 9 itself again.
        for minute in 0..200 {
            let now = after(start, minute * 60);
            for (teller, listener, name) in [(0, 1, 1), (1, 0, 2)] {
                let told = peers[teller].all(Vec::new(), now);
                peers[listener].merge(&peer(name), told, now);
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
        known.merge(&peer(2), vec![told(5, 2, 7200)], start);
        // It gives us documents, leaves out those of peer 2, and says that peer 2 has another title.
        let mut lie = told(5, 2, 1);
        lie.record.title = "A lie".parse().unwrap();
        known.merge(&peer(6), vec![told(8, 1, 7200), lie], after(start, 10));
        assert_eq!(others(&known, after(start, 10)), [(5, 2, 7190)]);
        assert_eq!(
            known.holders(number(5), start)[0].record.title.as_str(),
            "Title 5"
        );
    }

    #[test]
    fn who_was_heard_of_last_comes_first() {
        let (known, start) = (Known::new(peer(1)), Instant::now());
        known.merge(&peer(3), vec![told(5, 3, 7200), told(5, 4, 10)], start);
        known.merge(&peer(2), vec![told(5, 2, 7200)], after(start, 5));
        let found = known.holders(number(5), after(start, 5));
        let ports: Vec<_> = found.iter().map(|t| t.record.holder.port.get()).collect();
        assert_eq!(ports, [2, 3, 4]);
    }
}
