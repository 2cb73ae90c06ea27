//! Announcing what this peer shares, in the background.
//!
//! Nothing withdraws an announcement, and each adds an entry that may crowd out those of others. So a
//! key is announced rarely, however often there is a reason. Where others have crowded this peer out
//! of the catalogue, it announces itself there again within minutes.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::debug;

use crate::dht::DhtNode;
use crate::index::IndexError;
use crate::index::keeper::jittered;
use crate::index::recent::{Document, MOST, Recent};
use crate::wire::Endpoint;
use crate::wire::dht::Key;

/// How long after an announcement the same key is announced again,
const PERIOD: Duration = Duration::from_mins(30);
/// and at most so much later, so that not all peers announce at the same moment.
const JITTER: Duration = Duration::from_mins(5);
/// How long after an announcement the same key is announced again because the node was alone in the
/// meantime, which may have lost it. Twice as long each time, up to the period.
const FIRST_GAP: Duration = Duration::from_secs(10);
/// How often a peer looks whether the catalogue still leads to it,
const CHECK: Duration = Duration::from_mins(3);
/// and at most so much later.
const CHECK_JITTER: Duration = Duration::from_mins(2);
/// How long that may take.
const CHECK_TIME: Duration = Duration::from_secs(10);
/// How many announcements are made at a time.
const AT_ONCE: usize = 4;
/// How often it looks whether a key is due again.
const LOOK: Duration = Duration::from_millis(250);
/// The pause after an announcement that failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Announces what is `recent` at the port of `me` from now on, until the node closes.
pub(super) fn start(node: Arc<DhtNode>, recent: Recent, me: Endpoint) -> Result<(), IndexError> {
    let thread = thread::Builder::new().name("announcer".to_owned());
    let announcer = move || announce_all(&node, &recent, &me);
    thread
        .spawn(announcer)
        .map(drop)
        .map_err(IndexError::NoKeeper)
}

fn announce_all(node: &DhtNode, recent: &Recent, me: &Endpoint) {
    let schedule = Mutex::new(Schedule::default());
    let mut next_check = Instant::now() + CHECK + jittered(CHECK_JITTER);
    while !node.is_closing() {
        if Instant::now() >= next_check && !node.is_alone() {
            next_check = Instant::now() + CHECK + jittered(CHECK_JITTER);
            if !is_in_catalogue(node, me) {
                schedule.lock().lost(Key::Catalogue, Instant::now());
            }
        }
        let fills = node.fills();
        let (documents, changes) = recent.documents();
        let due = schedule.lock().due(&documents, fills, Instant::now());
        if due.is_empty() || node.is_alone() {
            recent.wait_for_change(changes, LOOK);
            continue;
        }
        let left = Mutex::new(VecDeque::from(due));
        let work = || {
            while let Some(key) = { left.lock().pop_front() } {
                let now = Instant::now();
                if let Err(error) = node.announce(key, me.port) {
                    debug!(%error, %key, "not announced");
                    left.lock().clear();
                    return;
                }
                let period = PERIOD + jittered(JITTER);
                schedule.lock().announced(key, fills, now, period);
            }
        };
        thread::scope(|scope| {
            for _ in 1..AT_ONCE {
                // Without this thread it only takes longer.
                let thread = thread::Builder::new().name("announcer".to_owned());
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
        if !left.into_inner().is_empty() {
            node.wait_for_fill(fills, PAUSE);
        }
    }
}

/// Whether others find this peer in the catalogue.
fn is_in_catalogue(node: &DhtNode, me: &Endpoint) -> bool {
    let Ok(ip) = me.host.as_str().parse::<Ipv4Addr>() else {
        return true;
    };
    let found = node.lookup_all(Key::Catalogue, CHECK_TIME);
    let me = SocketAddrV4::new(ip, me.port.get());
    found.addresses.contains(&me)
}

/// Which keys were announced when. It uses no clock: the time is an argument.
#[derive(Debug, Default)]
struct Schedule(HashMap<Key, Announced>);

#[derive(Debug)]
struct Announced {
    at: Instant,
    /// When it is announced again.
    again: Instant,
    /// How often the node had come into contact with others.
    fills: u64,
    /// How long after this announcement the next one may be, after the node was alone.
    gap: Duration,
}

impl Schedule {
    /// The keys to announce now, for the documents that this peer has. Those that came are
    /// announced in any case, and those that strangers asked for as long as there are not too many
    /// in a period.
    fn due(&self, documents: &[Document], fills: u64, now: Instant) -> Vec<Key> {
        let is_live = |(key, it): &(&Key, &Announced)| **key != Key::Catalogue && now < it.again;
        let mut room = MOST.saturating_sub(self.0.iter().filter(is_live).count());
        let is_due = |key: &Key| {
            self.0.get(key).is_none_or(|it| {
                now >= it.again || (fills > it.fills && now.duration_since(it.at) >= it.gap)
            })
        };
        let mut due = Vec::new();
        if !documents.is_empty() {
            due.extend(Some(Key::Catalogue).filter(is_due));
        }
        for document in documents {
            let key = Key::Rfc(document.number);
            let may = document.came || room > 0;
            if may && is_due(&key) {
                room = room.saturating_sub(1);
                due.push(key);
            }
        }
        due
    }

    /// A key no longer leads to this peer.
    fn lost(&mut self, key: Key, now: Instant) {
        if let Some(it) = self.0.get_mut(&key) {
            it.again = it.again.min(now);
        }
    }

    /// A key was announced, and is announced again after `period`.
    fn announced(&mut self, key: Key, fills: u64, now: Instant, period: Duration) {
        let before = self.0.get(&key).filter(|before| now < before.again);
        let gap = before.map_or(FIRST_GAP, |before| (before.gap * 2).min(period));
        let announced = Announced {
            at: now,
            again: now + period,
            fills,
            gap,
        };
        self.0.insert(key, announced);
        // What is long ago does not matter any more.
        self.0.retain(|_, it| now < it.again + PERIOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Events;
    use crate::net::Stop;
    use crate::wire::RfcNumber;

    fn document(number: u32, came: bool) -> Document {
        let number = RfcNumber::new(number).unwrap();
        Document { number, came }
    }

    fn rfc(number: u32) -> Key {
        Key::Rfc(RfcNumber::new(number).unwrap())
    }

    #[test]
    fn a_key_is_announced_at_once_and_then_rarely() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let documents = [document(5, true)];
        assert_eq!(schedule.due(&[], 1, start), []);
        assert_eq!(schedule.due(&documents, 1, start), [Key::Catalogue, rfc(5)]);
        for key in [Key::Catalogue, rfc(5)] {
            schedule.announced(key, 1, start, PERIOD);
        }
        let soon = start + PERIOD / 2;
        assert_eq!(schedule.due(&documents, 1, soon), []);
        let more = [document(6, true), documents[0]];
        assert_eq!(schedule.due(&more, 1, soon), [rfc(6)]);
        let later = start + PERIOD;
        assert_eq!(schedule.due(&documents, 1, later), [Key::Catalogue, rfc(5)]);
    }

    #[test]
    fn a_key_that_was_lost_is_announced_at_once_and_then_rarely_again() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let documents = [document(5, true)];
        schedule.lost(Key::Catalogue, start);
        for key in [Key::Catalogue, rfc(5)] {
            schedule.announced(key, 1, start, PERIOD);
        }
        let soon = start + CHECK;
        schedule.lost(Key::Catalogue, soon);
        assert_eq!(schedule.due(&documents, 1, soon), [Key::Catalogue]);
        schedule.announced(Key::Catalogue, 1, soon, PERIOD);
        assert_eq!(schedule.due(&documents, 1, soon + CHECK), []);
    }

    #[test]
    fn a_peer_is_in_the_catalogue_once_it_has_announced_itself() {
        let start = |bootstrap, is_introducer| {
            let config = crate::dht::Config {
                bind: Ipv4Addr::LOCALHOST,
                port: 0,
                bootstrap,
                saved: None,
                is_introducer,
                public: false,
            };
            DhtNode::start(config, &Events::default(), &Stop::default()).unwrap()
        };
        let introducer = start(vec![], true);
        let node = start(vec![introducer.address()], false);
        assert!(node.wait_for_fill(0, Duration::from_secs(20)).is_some());
        let me = |port| Endpoint::parse(port, crate::wire::Port::MIN).unwrap();
        let (me, other) = (me("127.0.0.1:5001"), me("127.0.0.1:5002"));
        assert!(!is_in_catalogue(&node, &me));
        node.announce(Key::Catalogue, me.port).unwrap();
        assert!(is_in_catalogue(&node, &me) && !is_in_catalogue(&node, &other));
    }

    #[test]
    fn after_being_alone_a_key_is_announced_with_growing_gaps() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let documents = [document(5, true)];
        schedule.announced(Key::Catalogue, 1, start, PERIOD);
        let mut now = start;
        let mut gaps = Vec::new();
        for second in 0..PERIOD.as_secs() {
            let tick = start + Duration::from_secs(second);
            // A node that is alone every second.
            if schedule
                .due(&documents, second + 1, tick)
                .contains(&Key::Catalogue)
            {
                gaps.push(tick.duration_since(now).as_secs());
                schedule.announced(Key::Catalogue, second + 1, tick, PERIOD);
                now = tick;
            }
        }
        assert_eq!(gaps, [10, 20, 40, 80, 160, 320, 640]);
    }

    #[test]
    fn strangers_can_t_have_any_number_of_documents_announced() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let mut count = 0;
        for number in 1..=1000 {
            let asked = [document(number, false)];
            for key in schedule.due(&asked, 1, start) {
                count += usize::from(key != Key::Catalogue);
                schedule.announced(key, 1, start, PERIOD);
            }
        }
        assert_eq!(count, MOST);
        assert_eq!(schedule.due(&[document(2000, true)], 1, start), [rfc(2000)]);
        let later = start + PERIOD;
        let due = schedule.due(&[document(2000, false)], 1, later);
        assert_eq!(due, [Key::Catalogue, rfc(2000)]);
    }
}
