//! Who is here and who has what: the peer list and the RFC index behind one lock.
//!
//! Every record has a sequence number that only grows, so newest first is the index read
//! backwards, and a reader that goes through it in pages meets every record that was there
//! throughout exactly once. The lock is held for one page or one chunk at a time, never during
//! input or output, and what leaves it is owned.
//!
//! With n records in the index: adding and re-adding cost O(log n), a page O(log n + its
//! records), leaving O(log n) for each record of that peer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wire::Record;
use crate::wire::{Endpoint, RfcNumber, Title};

/// The most records in one page, and in one chunk of those that go with a peer: the lock is held
/// for that many at a time.
pub const PAGE: usize = 256;

/// The peer list and the RFC index. Clones are handles to the same ones.
#[derive(Debug, Clone)]
pub struct Catalog {
    state: Arc<Mutex<State>>,
    records_per_peer: usize,
}

/// The place of a record in the order of adding.
type Sequence = u64;
/// The connection that a peer came on.
pub type ConnectionId = u64;

#[derive(Debug, Default)]
struct State {
    next: Sequence,
    records: BTreeMap<Sequence, Record>,
    by_number: BTreeSet<(RfcNumber, Sequence)>,
    /// Every connection, also before it has said a name.
    peers: HashMap<ConnectionId, Peer>,
    by_name: HashMap<Endpoint, ConnectionId>,
}

#[derive(Debug)]
struct Peer {
    address: IpAddr,
    name: Option<Endpoint>,
    records: HashMap<RfcNumber, Sequence>,
    /// How many records it had that are removed already. It adds no more once some are.
    removed: Option<usize>,
}

/// Which records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of one RFC.
    Of(RfcNumber),
    /// All.
    All,
}

/// Where the next page begins. The default is the newest record.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    before: Sequence,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            before: Sequence::MAX,
        }
    }
}

/// Whether a request has brought its peer into the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The peer was in the list.
    Known,
    /// The peer has entered the list.
    New,
}

/// Something that had to leave the list for a peer that enters it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// The peer itself, under the name that it had only asked with before.
    Renamed(Left),
    /// Another connection from the same address, which is to be closed; and what went with it,
    /// where that was not said elsewhere.
    Replaced(ConnectionId, Option<Left>),
}

/// Why a request is denied. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The connection has records under another name.
    #[error("this connection has registered as {0}, and a connection has one name")]
    Other(Endpoint),
    /// A peer at another address has the name.
    #[error("{0} is registered from another address")]
    Taken(Endpoint),
    /// The connection has as many records as it may have.
    #[error("a peer may have {0} records, and this one has them")]
    Full(usize),
    /// Another connection has taken the name over: this one is being closed.
    #[error("another connection has taken the name of this one over")]
    Replaced,
}

/// What went with a peer that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The name of the peer.
    pub name: Endpoint,
    /// How many records it had.
    pub records: usize,
}

impl Catalog {
    /// An empty catalog, in which a peer may have `records_per_peer` records.
    pub fn new(records_per_peer: usize) -> Self {
        Self {
            state: Arc::default(),
            records_per_peer,
        }
    }

    /// Takes in a connection from `address`. It is forgotten, with all that it adds, when the
    /// returned presence ends.
    #[must_use]
    pub fn join(&self, connection: ConnectionId, address: IpAddr) -> Presence {
        self.lock().peers.insert(connection, Peer::nobody(address));
        Presence {
            catalog: self.clone(),
            connection,
        }
    }

    /// Fills `page` with the next records, newest first, and returns where the page after it
    /// begins, or `None` at the end.
    pub fn page(&self, scope: Scope, from: Cursor, page: &mut Vec<Record>) -> Option<Cursor> {
        page.clear();
        let mut last = from.before;
        let mut take = |(&sequence, record): (&Sequence, &Record)| {
            page.push(record.clone());
            last = sequence;
        };
        let state = self.lock();
        match scope {
            Scope::All => {
                let older = state.records.range(..from.before).rev();
                older.take(PAGE).for_each(take);
            }
            Scope::Of(number) => {
                let older = state
                    .by_number
                    .range((number, 0)..(number, from.before))
                    .rev();
                let found = older.filter_map(|(_, s)| state.records.get_key_value(s));
                found.take(PAGE).for_each(&mut take);
            }
        }
        drop(state);
        (page.len() == PAGE).then_some(Cursor { before: last })
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes a connection, and says what went if it had a name. Its records go first, in chunks,
    /// so that a large peer does not hold up the others; then the name is free.
    fn remove(&self, connection: ConnectionId) -> Option<Left> {
        loop {
            let mut state = self.lock();
            let removed = state.remove_some(connection)?;
            if removed.is_empty() {
                return state.remove_peer(connection);
            }
            drop(state);
            // The memory is given back outside the lock.
            drop(removed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of one session must not end the others. No step below leaves the state half
        // changed, for nothing in them can panic but a failed allocation, which aborts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in the catalog. Dropping it removes the peer and all its records, in whatever
/// way its thread ends.
#[derive(Debug)]
pub struct Presence {
    catalog: Catalog,
    connection: ConnectionId,
}

impl Presence {
    /// Enters the peer list under `name`, with the first request that gives one, and says at once
    /// what is `gone` for it. Later requests that only ask change nothing, whatever name they give.
    ///
    /// # Errors
    /// [`Denied::Taken`] and [`Denied::Replaced`].
    pub fn introduce(&self, name: &Endpoint, gone: impl FnMut(Gone)) -> Result<Entrance, Denied> {
        let mut state = self.catalog.lock();
        if state.peer(self.connection)?.name.is_some() {
            return Ok(Entrance::Known);
        }
        drop(state);
        self.enter(name, gone)
    }

    /// Adds a record under the name of its holder. The same RFC again takes the new title and
    /// keeps its place.
    ///
    /// # Errors
    /// [`Denied`], and then nothing has changed.
    pub fn add(&self, record: &Record, gone: impl FnMut(Gone)) -> Result<Entrance, Denied> {
        let Record {
            number,
            title,
            holder,
        } = record;
        let mut state = self.catalog.lock();
        let peer = state.peer(self.connection)?;
        if peer.name.as_ref() == Some(holder) {
            let most = self.catalog.records_per_peer;
            if peer.records.len() >= most && !peer.records.contains_key(number) {
                return Err(Denied::Full(most));
            }
            state.insert(self.connection, *number, title)?;
            return Ok(Entrance::Known);
        }
        if let Some(name) = peer.name.as_ref().filter(|_| !peer.records.is_empty()) {
            return Err(Denied::Other(name.clone()));
        }
        drop(state);
        let entrance = self.enter(holder, gone)?;
        self.catalog
            .lock()
            .insert(self.connection, *number, title)?;
        Ok(entrance)
    }

    /// Leaves under `name`, and stays as a connection that may come back under any name. Returns
    /// the records that went, newest first; `None` where it has no name.
    ///
    /// # Errors
    /// [`Denied::Other`] where it has another name, and [`Denied::Replaced`].
    pub fn withdraw(&self, name: &Endpoint) -> Result<Option<Vec<Record>>, Denied> {
        let address = {
            let mut state = self.catalog.lock();
            let peer = state.peer(self.connection)?;
            match &peer.name {
                None => return Ok(None),
                Some(other) if other != name => return Err(Denied::Other(other.clone())),
                Some(_) => peer.address,
            }
        };
        let mut all = Vec::new();
        loop {
            let mut state = self.catalog.lock();
            let Some(removed) = state.remove_some(self.connection) else {
                return Err(Denied::Replaced);
            };
            if removed.is_empty() {
                state.remove_peer(self.connection);
                state.peers.insert(self.connection, Peer::nobody(address));
                break;
            }
            drop(state);
            all.extend(removed);
        }
        all.sort_unstable_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
        Ok(Some(all.into_iter().map(|(_, record)| record).collect()))
    }

    /// Leaves, and says what went: `None` where the connection never had a name, or had lost it.
    #[must_use]
    pub fn leave(&self) -> Option<Left> {
        self.catalog.remove(self.connection)
    }

    /// Enters the list under `name`. Two live connections can't hold one name: the second takes it
    /// over from the same address (a peer that crashed and came back), and from no other. The
    /// records of the first are gone before the second has any.
    fn enter(&self, name: &Endpoint, mut gone: impl FnMut(Gone)) -> Result<Entrance, Denied> {
        loop {
            let mut state = self.catalog.lock();
            let Some(holder) = state.holder(self.connection, name)? else {
                let former = state.rename(self.connection, name)?;
                drop(state);
                former.map(Gone::Renamed).into_iter().for_each(gone);
                return Ok(Entrance::New);
            };
            drop(state);
            gone(Gone::Replaced(holder, self.catalog.remove(holder)));
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

impl Peer {
    /// A connection that has not said who it is.
    fn nobody(address: IpAddr) -> Self {
        Self {
            address,
            name: None,
            records: HashMap::new(),
            removed: None,
        }
    }
}

impl State {
    fn peer(&mut self, connection: ConnectionId) -> Result<&mut Peer, Denied> {
        let peer = self.peers.get_mut(&connection);
        peer.filter(|peer| peer.removed.is_none())
            .ok_or(Denied::Replaced)
    }

    /// The connection that has `name`, where `connection` may take it over.
    fn holder(
        &mut self,
        connection: ConnectionId,
        name: &Endpoint,
    ) -> Result<Option<ConnectionId>, Denied> {
        let address = self.peer(connection)?.address;
        let Some(&holder) = self.by_name.get(name) else {
            return Ok(None);
        };
        match self.peers.get(&holder) {
            Some(peer) if peer.address != address => Err(Denied::Taken(name.clone())),
            _ => Ok(Some(holder)),
        }
    }

    /// Gives a connection a name that nobody has. It leaves the list under its former one.
    fn rename(
        &mut self,
        connection: ConnectionId,
        name: &Endpoint,
    ) -> Result<Option<Left>, Denied> {
        let former = self.peer(connection)?.name.replace(name.clone());
        if let Some(former) = &former {
            self.by_name.remove(former);
        }
        self.by_name.insert(name.clone(), connection);
        Ok(former.map(|name| Left { name, records: 0 }))
    }

    /// Takes a chunk of its records from a connection; an empty one when all are gone.
    fn remove_some(&mut self, connection: ConnectionId) -> Option<Vec<(Sequence, Record)>> {
        let peer = self.peers.get_mut(&connection)?;
        let mut removed = Vec::with_capacity(PAGE.min(peer.records.len()));
        for (number, sequence) in peer.records.extract_if(|_, _| true).take(PAGE) {
            self.by_number.remove(&(number, sequence));
            removed.extend(self.records.remove_entry(&sequence));
        }
        *peer.removed.get_or_insert(0) += removed.len();
        Some(removed)
    }

    /// Takes a connection without records out of the list.
    fn remove_peer(&mut self, connection: ConnectionId) -> Option<Left> {
        let peer = self.peers.remove(&connection)?;
        let name = peer.name?;
        self.by_name.remove(&name);
        Some(Left {
            name,
            records: peer.removed.unwrap_or_default(),
        })
    }

    fn insert(
        &mut self,
        connection: ConnectionId,
        number: RfcNumber,
        title: &Title,
    ) -> Result<(), Denied> {
        let next = self.next;
        let peer = self.peer(connection)?;
        let Some(holder) = peer.name.clone() else {
            return Ok(());
        };
        let sequence = *peer.records.entry(number).or_insert(next);
        if sequence == next {
            self.next += 1;
            self.by_number.insert((number, sequence));
        }
        self.records.insert(
            sequence,
            Record {
                number,
                title: title.clone(),
                holder,
            },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;
    use proptest::prelude::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn name(port: u16) -> Endpoint {
        Endpoint {
            host: "vm".parse().unwrap(),
            port: Port::new(port).unwrap(),
        }
    }

    fn record(number: u32, title: &str, port: u16) -> Record {
        let number = number.to_string().parse().unwrap();
        Record {
            number,
            title: title.parse().unwrap(),
            holder: name(port),
        }
    }

    /// Adds, and returns what is gone for it as well.
    fn added(peer: &Presence, record: &Record) -> (Result<Entrance, Denied>, Vec<Gone>) {
        let mut gone = Vec::new();
        (peer.add(record, |one| gone.push(one)), gone)
    }

    /// Everything in the scope, as (number, title, port), read page by page.
    fn all(catalog: &Catalog, scope: Scope) -> Vec<(u32, String, u16)> {
        let (mut found, mut page, mut from) = (Vec::new(), Vec::new(), Some(Cursor::default()));
        while let Some(cursor) = from {
            from = catalog.page(scope, cursor, &mut page);
            found.extend(
                page.iter()
                    .map(|r| (r.number.get(), r.title.to_string(), r.holder.port.get())),
            );
        }
        found
    }

    fn numbers(catalog: &Catalog) -> Vec<u32> {
        all(catalog, Scope::All)
            .into_iter()
            .map(|(number, ..)| number)
            .collect()
    }

    #[test]
    fn who_withdraws_is_gone_and_may_come_back() {
        let catalog = Catalog::new(10);
        let [one, other] = [1, 2].map(|id| catalog.join(id, address(1)));
        for number in [5, 7, 6] {
            added(&one, &record(number, "T", 1)).0.unwrap();
        }
        added(&other, &record(5, "T", 2)).0.unwrap();
        assert_eq!(one.withdraw(&name(2)), Err(Denied::Other(name(1))));
        let gone = one.withdraw(&name(1)).unwrap().unwrap();
        let numbers: Vec<_> = gone.iter().map(|record| record.number.get()).collect();
        assert_eq!(numbers, [6, 7, 5]);
        assert_eq!((one.withdraw(&name(1)), catalog.len()), (Ok(None), 1));
        assert_eq!(added(&one, &record(8, "T", 3)).0, Ok(Entrance::New));
        assert_eq!(one.leave().unwrap().records, 1);
    }

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
    fn a_record_added_again_takes_the_title_and_keeps_its_place() {
        let catalog = Catalog::new(10_000);
        let peer = catalog.join(1, address(1));
        assert_eq!(peer.add(&record(1, "old", 1), |_| {}), Ok(Entrance::New));
        assert_eq!(peer.add(&record(2, "two", 1), |_| {}), Ok(Entrance::Known));
        assert_eq!(peer.add(&record(1, "new", 1), |_| {}), Ok(Entrance::Known));
        let expected = [(2, "two".to_owned(), 1), (1, "new".to_owned(), 1)];
        assert_eq!(all(&catalog, Scope::All), expected);
    }

    #[test]
    fn leaving_takes_all_that_the_peer_had_and_nothing_else() {
        let catalog = Catalog::new(10_000);
        let (a, b) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        for number in 1..=600 {
            a.add(&record(number, "", 1), |_| {}).unwrap();
        }
        b.add(&record(1, "", 2), |_| {}).unwrap();
        assert_eq!(
            a.leave(),
            Some(Left {
                name: name(1),
                records: 600
            })
        );
        assert_eq!(a.leave(), None);
        assert_eq!(numbers(&catalog), [1]);
        drop(b);
        assert!(catalog.is_empty());
    }

    #[test]
    fn a_panic_takes_the_records_along_and_the_lock_stays_usable() {
        let catalog = Catalog::new(10_000);
        let inside = catalog.clone();
        let session = std::thread::spawn(move || {
            let peer = inside.join(1, address(1));
            peer.add(&record(1, "", 1), |_| {}).unwrap();
            let _lock = inside.state.lock().unwrap();
            panic!("a session that panics under the lock");
        });
        assert!(session.join().is_err());
        assert!(catalog.is_empty());
        assert!(
            catalog
                .join(2, address(1))
                .add(&record(1, "", 1), |_| {})
                .is_ok()
        );
    }

    #[test]
    fn a_connection_has_one_name() {
        let catalog = Catalog::new(10_000);
        let peer = catalog.join(1, address(1));
        peer.add(&record(1, "", 1), |_| {}).unwrap();
        assert_eq!(
            peer.add(&record(2, "", 2), |_| {}),
            Err(Denied::Other(name(1)))
        );
        assert_eq!(peer.introduce(&name(2), |_| {}), Ok(Entrance::Known));
        assert_eq!(numbers(&catalog), [1]);
    }

    #[test]
    fn record_flood_ends_at_the_limit() {
        let catalog = Catalog::new(2);
        let peer = catalog.join(1, address(1));
        for number in 1..=2 {
            assert!(peer.add(&record(number, "", 1), |_| {}).is_ok());
        }
        assert_eq!(peer.add(&record(3, "", 1), |_| {}), Err(Denied::Full(2)));
        assert_eq!(
            peer.add(&record(2, "again", 1), |_| {}),
            Ok(Entrance::Known)
        );
        assert_eq!(catalog.len(), 2);
    }

    #[test]
    fn a_name_said_in_a_question_gives_way_to_that_of_the_first_add() {
        let catalog = Catalog::new(10_000);
        let (peer, other) = (catalog.join(1, address(1)), catalog.join(2, address(2)));
        assert_eq!(peer.introduce(&name(1), |_| {}), Ok(Entrance::New));
        let left = Left {
            name: name(1),
            records: 0,
        };
        let renamed = (Ok(Entrance::New), vec![Gone::Renamed(left)]);
        assert_eq!(added(&peer, &record(1, "", 2)), renamed);
        assert_eq!(other.introduce(&name(1), |_| {}), Ok(Entrance::New));
    }

    #[test]
    fn takeover_from_the_same_address_replaces_the_first() {
        let catalog = Catalog::new(10_000);
        let (first, second) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        first.add(&record(1, "", 1), |_| {}).unwrap();
        first.add(&record(2, "", 1), |_| {}).unwrap();
        let left = Left {
            name: name(1),
            records: 2,
        };
        let replaced = (Ok(Entrance::New), vec![Gone::Replaced(1, Some(left))]);
        assert_eq!(added(&second, &record(3, "", 1)), replaced);
        assert_eq!(first.add(&record(4, "", 1), |_| {}), Err(Denied::Replaced));
        assert_eq!(first.leave(), None);
        assert_eq!(numbers(&catalog), [3]);
    }

    #[test]
    fn a_record_is_held_once_also_while_its_peer_leaves_and_comes_back() {
        let catalog = Catalog::new(10_000);
        let (first, second) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        for number in 1..=600 {
            first.add(&record(number, "old", 1), |_| {}).unwrap();
        }
        // The first one is on its way out when the second comes.
        assert_eq!(
            catalog.lock().remove_some(1).map(|removed| removed.len()),
            Some(PAGE)
        );
        assert_eq!(
            first.add(&record(601, "late", 1), |_| {}),
            Err(Denied::Replaced)
        );
        let left = Left {
            name: name(1),
            records: 600,
        };
        let replaced = (Ok(Entrance::New), vec![Gone::Replaced(1, Some(left))]);
        assert_eq!(added(&second, &record(600, "new", 1)), replaced);
        assert_eq!(all(&catalog, Scope::All), [(600, "new".to_owned(), 1)]);
    }

    #[test]
    fn takeover_from_another_address_is_refused_and_changes_nothing() {
        let catalog = Catalog::new(10_000);
        let (victim, thief) = (catalog.join(1, address(1)), catalog.join(2, address(2)));
        victim.add(&record(1, "mine", 1), |_| {}).unwrap();
        thief.introduce(&name(3), |_| {}).unwrap();
        assert_eq!(
            thief.add(&record(1, "stolen", 1), |_| {}),
            Err(Denied::Taken(name(1)))
        );
        let other = catalog.join(3, address(2));
        assert_eq!(
            other.introduce(&name(1), |_| {}),
            Err(Denied::Taken(name(1)))
        );
        assert_eq!(all(&catalog, Scope::All), [(1, "mine".to_owned(), 1)]);
        assert_eq!(thief.leave().map(|left| left.name), Some(name(3)));
    }

    #[test]
    fn a_listing_in_pages_meets_what_was_there_throughout_once() {
        let catalog = Catalog::new(10_000);
        let (stays, goes) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        for number in 1..=1000 {
            stays.add(&record(number, "", 1), |_| {}).unwrap();
            goes.add(&record(number, "", 2), |_| {}).unwrap();
        }
        let (mut found, mut page) = (Vec::new(), Vec::new());
        let mut from = catalog.page(Scope::All, Cursor::default(), &mut page);
        found.append(&mut page);
        drop(goes);
        stays.add(&record(1001, "", 1), |_| {}).unwrap();
        while let Some(cursor) = from {
            from = catalog.page(Scope::All, cursor, &mut page);
            found.append(&mut page);
        }
        let stayed = found
            .iter()
            .filter(|r| r.holder == name(1))
            .map(|r| r.number.get());
        assert!(stayed.eq((1..=1000).rev()));
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
