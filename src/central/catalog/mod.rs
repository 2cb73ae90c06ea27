//! The peer list and the RFC index, behind one lock.
//!
//! Sequence numbers of records only grow. Newest first is therefore the index read backwards, and a
//! reader that goes through it page by page sees every record that was there throughout exactly
//! once. The lock is never held for more than one page, one chunk, the ADDs that arrived together, or
//! a copy of numbers, nor during input or output, and everything returned is owned. Between two
//! pages, a LIST, a LOOKUP or a removal hands it to a thread that waits for it.
//!
//! With n records in the index, adding costs O(log n), a page O(log n + its records), and leaving
//! O(log n) for each record of the peer.
//!
//! What is behind the lock is in `state`, over `records`, the memory of all lines. [`Catalog`] reads
//! it, in steps that `page` describes; a [`Presence`] changes it for one connection, and a
//! [`Withdrawal`] removes a peer whose connection stays.

mod page;
mod presence;
mod records;
mod state;
#[cfg(test)]
mod testing;
mod withdrawal;

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use parking_lot::{Mutex, MutexGuard};

pub use page::{Cursor, PAGE, Scope};
use page::{PAGE_BYTES, is_full};
pub use presence::{Entrance, Gone, Presence};
pub use state::{ConnectionId, Denied, Left, Member};
use state::{Peer, State};
pub use withdrawal::Withdrawal;

use crate::wire::Endpoint;
use crate::wire::ci::RecordLines;

/// The peer list and the RFC index. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Catalog {
    state: Arc<Mutex<State>>,
    records_per_peer: usize,
}

impl Catalog {
    /// An empty catalog with a limit of `records_per_peer`.
    pub fn new(records_per_peer: usize) -> Self {
        Self {
            state: Arc::default(),
            records_per_peer,
        }
    }

    /// Admits a connection from `address`. Dropping the returned presence removes it and everything
    /// it added.
    #[must_use]
    pub fn join(&self, connection: ConnectionId, address: IpAddr) -> Presence {
        self.state
            .lock()
            .peers
            .insert(connection, Peer::nobody(address));
        Presence {
            catalog: self.clone(),
            connection,
        }
    }

    /// Fills `page` with the next records, newest first. Returns where the next page begins, or
    /// `None` at the end.
    pub fn page(&self, scope: Scope, from: Cursor, page: &mut RecordLines) -> Option<Cursor> {
        page.clear();
        let state = self.state.lock();
        let last = match scope {
            Scope::All => state.records.page_before(from.before, PAGE_BYTES, page),
            Scope::Of(number) => {
                // One search for the newest finds the others beside it.
                let before = state.by_number.range(..(number, from.before)).rev();
                let mut older = before.take_while(|(of, _)| *of == number);
                older.find_map(|&(_, sequence)| {
                    page.extend(state.records.get(sequence)?, 1);
                    is_full(page).then_some(sequence)
                })
            }
        };
        if last.is_some() {
            give_way(state);
        }
        last.map(|before| Cursor { before })
    }

    /// The next records, newest first, at most `most` and at most [`PAGE`]; and where others may
    /// begin.
    pub fn records(&self, from: Cursor, most: usize) -> (RecordLines, Option<Cursor>) {
        let (mut lines, mut last) = (RecordLines::default(), None);
        let state = self.state.lock();
        for (sequence, line) in state.records.before(from.before).take(most.min(PAGE)) {
            lines.extend(line, 1);
            last = Some(Cursor { before: sequence });
        }
        (lines, last)
    }

    /// The peers that have a name, in no particular order.
    pub fn members(&self) -> Vec<Member> {
        let state = self.state.lock();
        let connections: Vec<_> = state.by_name.values().copied().collect();
        drop(state);
        let mut members = Vec::with_capacity(connections.len());
        for some in connections.chunks(PAGE) {
            let state = self.state.lock();
            let peers = some.iter().filter_map(|id| state.peers.get(id));
            members.extend(peers.filter_map(Peer::member));
        }
        members
    }

    /// The peer of this name.
    pub fn member(&self, name: &Endpoint) -> Option<Member> {
        let state = self.state.lock();
        state.peers.get(state.by_name.get(name)?)?.member()
    }

    /// How many peers have a name.
    pub fn count_members(&self) -> usize {
        self.state.lock().by_name.len()
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.state.lock().records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes a connection, and returns what was removed if it had a name. Its records go first,
    /// in chunks, so that a large peer does not block the others; then the name is free.
    fn remove(&self, connection: ConnectionId) -> Option<Left> {
        loop {
            let mut state = self.state.lock();
            if state.remove_some(connection)? == 0 {
                return state.remove_peer(connection);
            }
            give_way(state);
        }
    }
}

/// Lets others in between two pages: those that wait for the lock, and those that wait for the
/// processor. A kernel that preempts at ticks alone keeps a short question waiting for some of them.
fn give_way(state: MutexGuard<'_, State>) {
    MutexGuard::unlock_fair(state);
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use super::testing::{address, all, name, numbers, record, records};
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn the_newest_record_comes_first() {
        let catalog = Catalog::new(10_000);
        let (a, b) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        a.add(&record(1, "one", 1), |_| {}).unwrap();
        b.add(&record(2, "two", 2), |_| {}).unwrap();
        b.add(&record(1, "one too", 2), |_| {}).unwrap();
        assert_eq!(numbers(&catalog), [1, 2, 1]);
        let of_1 = all(&catalog, Scope::Of("1".parse().unwrap()));
        assert_eq!(of_1, [(1, "one too".into(), 2), (1, "one".into(), 1)]);
        assert_eq!(all(&catalog, Scope::Of("3".parse().unwrap())), []);
    }

    #[test]
    fn a_listing_in_pages_meets_what_was_there_throughout_once() {
        let catalog = Catalog::new(10_000);
        let (stays, goes) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        for number in 1..=3000 {
            stays.add(&record(number, "", 1), |_| {}).unwrap();
            goes.add(&record(number, "", 2), |_| {}).unwrap();
        }
        let (mut found, mut page) = (RecordLines::default(), RecordLines::default());
        let mut from = catalog.page(Scope::All, Cursor::default(), &mut page);
        assert!(from.is_some());
        found.append(&mut page);
        drop(goes);
        stays.add(&record(3001, "", 1), |_| {}).unwrap();
        while let Some(cursor) = from {
            from = catalog.page(Scope::All, cursor, &mut page);
            found.append(&mut page);
        }
        let found = records(&found);
        let stayed = found
            .iter()
            .filter(|r| r.holder == name(1))
            .map(|r| r.number.get());
        assert!(stayed.eq((1..=3000).rev()));
    }

    /// What a peer may do to the catalog.
    #[derive(Debug, Clone)]
    enum Step {
        Add { peer: u16, number: u32, title: u8 },
        Leave { peer: u16 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let add = (1..6_u16, 1..12_u32, any::<u8>()).prop_map(|(peer, number, title)| Step::Add {
            peer,
            number,
            title,
        });
        prop_oneof![4 => add, 1 => (1..6_u16).prop_map(|peer| Step::Leave { peer })]
    }

    proptest! {
        #[test]
        fn the_catalog_agrees_with_a_naive_list(steps in prop::collection::vec(step(), 0..200)) {
            let catalog = Catalog::new(10_000);
            let mut present: HashMap<u16, Presence> = HashMap::new();
            let mut naive: Vec<(u32, String, u16)> = Vec::new();
            for (id, step) in (0..).zip(steps) {
                match step {
                    Step::Add { peer, number, title } => {
                        let title = format!("t{title}");
                        let presence = present
                            .entry(peer)
                            .or_insert_with(|| catalog.join(id, address(1)));
                        presence.add(&record(number, &title, peer), |_| {}).unwrap();
                        match naive.iter_mut().find(|(n, _, p)| (*n, *p) == (number, peer)) {
                            Some(held) => held.1 = title,
                            None => naive.insert(0, (number, title, peer)),
                        }
                    }
                    Step::Leave { peer } => {
                        present.remove(&peer);
                        naive.retain(|(_, _, holder)| *holder != peer);
                    }
                }
                prop_assert_eq!(&all(&catalog, Scope::All), &naive);
                for number in 1..12 {
                    let of = naive.iter().filter(|(n, ..)| *n == number).cloned();
                    let scope = Scope::Of(number.to_string().parse().unwrap());
                    prop_assert_eq!(all(&catalog, scope), of.collect::<Vec<_>>());
                }
            }
        }
    }
}
