//! A connection in the catalog: it enters the peer list, adds records, takes them back, and leaves.

use super::state::{ConnectionId, Denied, Left};
use super::{Catalog, Withdrawal};
use crate::wire::ci::RecordLines;
use crate::wire::{Endpoint, Record, RfcNumber};

/// A connection in the catalog. Dropping it removes the peer and all its records, however its
/// thread ends.
#[derive(Debug)]
pub struct Presence {
    pub(super) catalog: Catalog,
    pub(super) connection: ConnectionId,
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

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{added, address, all, name, numbers, record};
    use super::super::{PAGE, Scope};
    use super::*;

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
}
