//! The peer list and the RFC index, behind one lock.
//!
//! Sequence numbers of records only grow. Newest first is therefore the index read backwards, and a
//! reader that goes through it page by page sees every record that was there throughout exactly
//! once. The lock is held for one page or one chunk at a time, never during input or output, and
//! everything returned is owned. Whoever takes many pages hands the lock to a thread that waits for
//! it after each of them.
//!
//! With n records in the index, adding costs O(log n), a page O(log n + its records), and leaving
//! O(log n) for each record of the peer.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use parking_lot::{Mutex, MutexGuard};

use super::records::{Records, Sequence};
use crate::wire::ci::RecordLines;
use crate::wire::{Endpoint, Record, RfcNumber};

/// The most records in one page of [`Catalog::records`] or [`Scope::Of`], and in one chunk of a removal: the
/// lock is held for that many at a time.
pub const PAGE: usize = 256;
/// A page ends with what exceeds this many bytes.
const PAGE_BYTES: usize = 64 * 1024;

/// The peer list and the RFC index. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Catalog {
    state: Arc<Mutex<State>>,
    records_per_peer: usize,
}

/// A peer's connection.
pub type ConnectionId = u64;

#[derive(Debug, Default)]
struct State {
    records: Records,
    by_number: BTreeSet<(RfcNumber, Sequence)>,
    /// Every connection, even before it gives a name.
    peers: HashMap<ConnectionId, Peer>,
    by_name: HashMap<Endpoint, ConnectionId>,
    /// The memory for the line of the record that is added.
    line: RecordLines,
}

#[derive(Debug)]
struct Peer {
    address: IpAddr,
    name: Option<Endpoint>,
    records: BTreeMap<RfcNumber, Sequence>,
    /// How many of its records are already removed. Once removal has begun, it can't add any.
    removed: Option<usize>,
}

/// Selects records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The records of one RFC.
    Of(RfcNumber),
    /// All records.
    All,
}

/// The start of the next page. The default is the newest record.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    before: Sequence,
}

impl Cursor {
    /// The records that were added before the one with this number.
    pub fn before(sequence: u64) -> Self {
        Self {
            before: sequence.into(),
        }
    }

    /// The number of the record before which it is.
    pub fn sequence(self) -> u64 {
        self.before.into()
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            before: Sequence::MAX,
        }
    }
}

fn is_full(page: &RecordLines) -> bool {
    page.len() >= PAGE || page.size() > PAGE_BYTES
}

/// Whether a request added its peer to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The peer was already in the list.
    Known,
    /// The peer was added.
    New,
}

/// What had to leave the list so that a peer could enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// The peer itself, under a name from an earlier query.
    Renamed(Left),
    /// Another connection from the same address, which must be closed, and what was removed with it
    /// unless that was reported elsewhere.
    Replaced(ConnectionId, Option<Left>),
}

/// Why a request is denied. A denied request changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The connection has records under another name.
    #[error("this connection is already registered as {0}")]
    Other(Endpoint),
    /// A peer at another address has the name.
    #[error("{0} is registered from another address")]
    Taken(Endpoint),
    /// The connection has reached its limit of records.
    #[error("limit of {0} records reached")]
    Full(usize),
    /// Another connection took over the name; this one is being closed.
    #[error("another connection took over this name")]
    Replaced,
}

/// A peer in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: Endpoint,
    /// Its address.
    pub address: IpAddr,
    /// How many records it has.
    pub records: usize,
}

/// What was removed with a peer that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The peer's name.
    pub name: Endpoint,
    /// How many records it had.
    pub records: usize,
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

/// A connection in the catalog. Dropping it removes the peer and all its records, however its
/// thread ends.
#[derive(Debug)]
pub struct Presence {
    catalog: Catalog,
    connection: ConnectionId,
}

impl Presence {
    /// Enters the peer list under `name`, and reports at once what is `gone` because of it. Does
    /// nothing if the peer already has a name. Fails with [`Denied::Taken`] or
    /// [`Denied::Replaced`].
    pub fn introduce(&self, name: &Endpoint, gone: impl FnMut(Gone)) -> Result<Entrance, Denied> {
        let mut state = self.catalog.state.lock();
        if state.peer(self.connection)?.name.is_some() {
            return Ok(Entrance::Known);
        }
        drop(state);
        self.enter(name, gone)
    }

    /// Adds a record under the name of its holder. Adding the same RFC again replaces the title and
    /// keeps its position.
    pub fn add(&self, record: &Record, gone: impl FnMut(Gone)) -> Result<Entrance, Denied> {
        let most = self.catalog.records_per_peer;
        let mut state = self.catalog.state.lock();
        if state.add(self.connection, record, most)? {
            return Ok(Entrance::Known);
        }
        let peer = state.peer(self.connection)?;
        if let Some(name) = peer.name.as_ref().filter(|_| !peer.records.is_empty()) {
            return Err(Denied::Other(name.clone()));
        }
        drop(state);
        let entrance = self.enter(&record.holder, gone)?;
        let mut state = self.catalog.state.lock();
        state.add(self.connection, record, most)?;
        Ok(entrance)
    }

    /// Adds several records under one lock, up to the first one that is denied or has another
    /// holder. Returns how many it added.
    pub fn add_known<'a>(&self, records: impl IntoIterator<Item = &'a Record>) -> usize {
        let most = self.catalog.records_per_peer;
        let mut state = self.catalog.state.lock();
        let mut add = |record: &&Record| state.add(self.connection, record, most) == Ok(true);
        records.into_iter().take_while(|record| add(record)).count()
    }

    /// Begins to leave under `name`; see [`Withdrawal`]. `None` if the connection has no name. Fails
    /// with [`Denied::Other`] if it has another name, or with [`Denied::Replaced`].
    pub fn withdraw(&self, name: &Endpoint) -> Result<Option<Withdrawal<'_>>, Denied> {
        let mut state = self.catalog.state.lock();
        let peer = state.peer(self.connection)?;
        match &peer.name {
            None => return Ok(None),
            Some(other) if other != name => return Err(Denied::Other(other.clone())),
            Some(_) => {}
        }
        peer.removed = Some(0);
        let held = peer.records.iter();
        let mut held: Vec<_> = held
            .map(|(&number, &sequence)| (sequence, number))
            .collect();
        drop(state);
        held.sort_unstable();
        Ok(Some(Withdrawal {
            presence: self,
            held,
        }))
    }

    /// Removes the record of one RFC, and returns it if there was one. Fails with
    /// [`Denied::Other`] if the connection has another name, or with [`Denied::Replaced`].
    pub fn take_back(
        &self,
        name: &Endpoint,
        number: RfcNumber,
    ) -> Result<Option<RecordLines>, Denied> {
        let mut state = self.catalog.state.lock();
        let peer = state.peer(self.connection)?;
        if let Some(other) = peer.name.as_ref().filter(|other| *other != name) {
            return Err(Denied::Other(other.clone()));
        }
        let Some(sequence) = peer.records.remove(&number) else {
            return Ok(None);
        };
        let mut line = RecordLines::default();
        line.extend(state.records.get(sequence).unwrap_or_default(), 1);
        state.forget(number, sequence);
        Ok(Some(line))
    }

    /// Leaves, and returns what was removed: `None` if the connection never had a name, or has lost
    /// it.
    #[must_use]
    pub fn leave(&self) -> Option<Left> {
        self.catalog.remove(self.connection)
    }

    /// Enters the list under `name`. Two live connections can't share a name: the second takes it
    /// over only from the same address (a peer that crashed and came back). The records of the
    /// first are removed before the second adds any.
    fn enter(&self, name: &Endpoint, mut gone: impl FnMut(Gone)) -> Result<Entrance, Denied> {
        loop {
            let mut state = self.catalog.state.lock();
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

/// The records of a peer that leaves while its connection stays, removed page by page.
///
/// The peer can add nothing from the beginning on, and its name is free at the end. Until then, the
/// records that were not removed yet are still found. If the connection ends before, they go with
/// it, like those of any other peer.
#[derive(Debug)]
pub struct Withdrawal<'a> {
    presence: &'a Presence,
    /// What is not removed yet, oldest first.
    held: Vec<(Sequence, RfcNumber)>,
}

impl Withdrawal<'_> {
    /// Removes the next records, newest first, and fills `page` with them. Returns whether there may
    /// be more. Fails with [`Denied::Replaced`].
    pub fn page(&mut self, page: &mut RecordLines) -> Result<bool, Denied> {
        page.clear();
        let connection = self.presence.connection;
        let mut state = self.presence.catalog.state.lock();
        while !is_full(page)
            && let Some((sequence, number)) = self.held.pop()
        {
            state.take_one(connection, number, sequence, page)?;
        }
        give_way(state);
        Ok(!self.held.is_empty())
    }

    /// Removes what is left and the name, and returns what was removed in all. The connection may
    /// enter again under any name. Fails with [`Denied::Replaced`].
    pub fn finish(mut self) -> Result<Left, Denied> {
        let mut page = RecordLines::default();
        while self.page(&mut page)? {}
        let Presence {
            catalog,
            connection,
        } = self.presence;
        let mut state = catalog.state.lock();
        let peer = state.peers.get(connection).ok_or(Denied::Replaced)?;
        let address = peer.address;
        let left = state.remove_peer(*connection).ok_or(Denied::Replaced)?;
        state.peers.insert(*connection, Peer::nobody(address));
        Ok(left)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

impl Peer {
    /// A connection that has not given a name.
    fn nobody(address: IpAddr) -> Self {
        Self {
            address,
            name: None,
            records: BTreeMap::new(),
            removed: None,
        }
    }
}

impl Peer {
    fn member(&self) -> Option<Member> {
        let (address, records) = (self.address, self.records.len());
        let name = self.name.clone()?;
        Some(Member {
            name,
            address,
            records,
        })
    }
}

impl State {
    fn peer(&mut self, connection: ConnectionId) -> Result<&mut Peer, Denied> {
        let peer = self.peers.get_mut(&connection);
        peer.filter(|peer| peer.removed.is_none())
            .ok_or(Denied::Replaced)
    }

    /// The connection that holds `name`, if `connection` may take it over.
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

    /// Gives a connection a free name. It leaves the list under its former name.
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

    /// Removes a chunk of a connection's records, and returns how many.
    fn remove_some(&mut self, connection: ConnectionId) -> Option<usize> {
        let peer = self.peers.get_mut(&connection)?;
        let mut count = 0;
        while count < PAGE
            && let Some((number, sequence)) = peer.records.pop_first()
        {
            count += 1;
            self.by_number.remove(&(number, sequence));
            self.records.remove(sequence);
        }
        *peer.removed.get_or_insert(0) += count;
        Some(count)
    }

    /// Moves one record of a connection to `page`, unless it is gone.
    fn take_one(
        &mut self,
        connection: ConnectionId,
        number: RfcNumber,
        sequence: Sequence,
        page: &mut RecordLines,
    ) -> Result<(), Denied> {
        let peer = self.peers.get_mut(&connection).ok_or(Denied::Replaced)?;
        if peer.records.remove(&number).is_none() {
            return Ok(());
        }
        *peer.removed.get_or_insert(0) += 1;
        page.extend(self.records.get(sequence).unwrap_or_default(), 1);
        self.forget(number, sequence);
        Ok(())
    }

    /// Removes a record that its peer has no more.
    fn forget(&mut self, number: RfcNumber, sequence: Sequence) {
        self.by_number.remove(&(number, sequence));
        self.records.remove(sequence);
    }

    /// Removes a connection that has no more records.
    fn remove_peer(&mut self, connection: ConnectionId) -> Option<Left> {
        let peer = self.peers.remove(&connection)?;
        let name = peer.name?;
        self.by_name.remove(&name);
        Some(Left {
            name,
            records: peer.removed.unwrap_or_default(),
        })
    }

    /// Adds a record of at most `most` of a connection. Returns whether it has the name of the
    /// holder; if not, nothing changes.
    fn add(
        &mut self,
        connection: ConnectionId,
        record: &Record,
        most: usize,
    ) -> Result<bool, Denied> {
        let Record {
            number,
            title,
            holder,
        } = record;
        let peer = self.peers.get_mut(&connection);
        let peer = peer.filter(|peer| peer.removed.is_none());
        let peer = peer.ok_or(Denied::Replaced)?;
        let Some(name) = peer.name.as_ref().filter(|name| *name == holder) else {
            return Ok(false);
        };
        // The letter case of the first request stays.
        self.line.clear();
        self.line.push(*number, title, name);
        let is_full = peer.records.len() >= most;
        match peer.records.entry(*number) {
            Entry::Occupied(known) => self.records.replace(*known.get(), self.line.bytes()),
            Entry::Vacant(_) if is_full => return Err(Denied::Full(most)),
            Entry::Vacant(new) => {
                let sequence = *new.insert(self.records.push(self.line.bytes()));
                self.by_number.insert((*number, sequence));
            }
        }
        Ok(true)
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

    /// Adds a record, and returns what is gone because of it.
    fn added(peer: &Presence, record: &Record) -> (Result<Entrance, Denied>, Vec<Gone>) {
        let mut gone = Vec::new();
        (peer.add(record, |one| gone.push(one)), gone)
    }

    /// Everything in the scope, as (number, title, port), read page by page.
    fn all(catalog: &Catalog, scope: Scope) -> Vec<(u32, String, u16)> {
        let (mut found, mut page) = (Vec::new(), RecordLines::default());
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            from = catalog.page(scope, cursor, &mut page);
            let of = |r: Record| (r.number.get(), r.title.to_string(), r.holder.port.get());
            found.extend(records(&page).into_iter().map(of));
        }
        found
    }

    fn records(page: &RecordLines) -> Vec<Record> {
        let lines = str::from_utf8(page.bytes()).unwrap().lines();
        let records: Vec<_> = lines.map(|line| Record::parse(line).unwrap()).collect();
        assert_eq!(records.len(), page.len());
        records
    }

    fn numbers(catalog: &Catalog) -> Vec<u32> {
        all(catalog, Scope::All)
            .into_iter()
            .map(|(number, ..)| number)
            .collect()
    }

    #[test]
    fn a_peer_that_withdraws_is_gone_and_may_come_back() {
        let catalog = Catalog::new(10);
        let [one, other] = [1, 2].map(|id| catalog.join(id, address(1)));
        for number in [5, 7, 6] {
            added(&one, &record(number, "T", 1)).0.unwrap();
        }
        added(&other, &record(5, "T", 2)).0.unwrap();
        let denied = one.withdraw(&name(2)).map(|_| ());
        assert_eq!(denied, Err(Denied::Other(name(1))));
        let mut withdrawal = one.withdraw(&name(1)).unwrap().unwrap();
        let mut page = RecordLines::default();
        assert_eq!(withdrawal.page(&mut page), Ok(false));
        let page = records(&page);
        let numbers: Vec<_> = page.iter().map(|record| record.number.get()).collect();
        assert_eq!(numbers, [6, 7, 5]);
        assert_eq!(withdrawal.finish().unwrap().records, 3);
        assert!(one.withdraw(&name(1)).unwrap().is_none());
        assert_eq!(catalog.len(), 1);
        assert_eq!(added(&one, &record(8, "T", 3)).0, Ok(Entrance::New));
        assert_eq!(one.leave().unwrap().records, 1);
    }

    #[test]
    fn what_a_peer_withdraws_comes_in_pages_and_goes_with_it_if_it_ends() {
        let catalog = Catalog::new(10_000);
        let (first, second) = (catalog.join(1, address(1)), catalog.join(2, address(1)));
        let count = 2 * u32::try_from(PAGE).unwrap() + 1;
        for number in 1..=count {
            added(&first, &record(number, "", 1)).0.unwrap();
        }
        let mut withdrawal = first.withdraw(&name(1)).unwrap().unwrap();
        let (mut page, mut gone) = (RecordLines::default(), Vec::new());
        assert_eq!(withdrawal.page(&mut page), Ok(true));
        gone.extend(records(&page).iter().map(|record| record.number.get()));
        assert!(gone.iter().copied().eq((count - 255..=count).rev()));
        // What was not removed yet is still found, but nothing is added any more.
        assert_eq!(catalog.len(), PAGE + 1);
        assert_eq!(added(&first, &record(9, "", 1)).0, Err(Denied::Replaced));
        // Its connection ends.
        let left = Left {
            name: name(1),
            records: 2 * PAGE + 1,
        };
        assert_eq!(first.leave(), Some(left));
        assert!(catalog.is_empty());
        assert_eq!(added(&second, &record(1, "", 1)).0, Ok(Entrance::New));

        // Another connection takes the name over in between.
        let third = catalog.join(3, address(1));
        let mut withdrawal = second.withdraw(&name(1)).unwrap().unwrap();
        assert_eq!(third.introduce(&name(1), |_| {}), Ok(Entrance::New));
        assert_eq!(withdrawal.page(&mut page), Err(Denied::Replaced));
        assert_eq!(withdrawal.finish(), Err(Denied::Replaced));
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
            let _lock = inside.state.lock();
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
    fn the_first_add_replaces_a_name_given_in_a_query() {
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
        // The first one is leaving when the second arrives.
        assert_eq!(catalog.state.lock().remove_some(1), Some(PAGE));
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
