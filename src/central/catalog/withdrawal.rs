//! A peer that leaves while its connection stays.

use super::page::is_full;
use super::records::Sequence;
use super::state::{Denied, Left, Peer};
use super::{Presence, give_way};
use crate::wire::RfcNumber;
use crate::wire::ci::RecordLines;

/// The records of a peer that leaves while its connection stays, removed page by page.
///
/// The peer can add nothing from the beginning on, and its name is free at the end. Until then, the
/// records that were not removed yet are still found. If the connection ends before, they go with
/// it, like those of any other peer.
#[derive(Debug)]
pub struct Withdrawal<'a> {
    pub(super) presence: &'a Presence,
    /// What is not removed yet, oldest first.
    pub(super) held: Vec<(Sequence, RfcNumber)>,
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

#[cfg(test)]
mod tests {
    use super::super::testing::{added, address, name, record, records};
    use super::super::{Catalog, Entrance, PAGE};
    use super::*;

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
}
