//! What is behind the lock: every connection, and the records by number and in the order of adding.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::page::PAGE;
use super::records::{Records, Sequence};
use crate::wire::ci::RecordLines;
use crate::wire::{Endpoint, Record, RfcNumber};

/// A peer's connection.
pub type ConnectionId = u64;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) records: Records,
    pub(super) by_number: BTreeSet<(RfcNumber, Sequence)>,
    /// Every connection, even before it gives a name.
    pub(super) peers: HashMap<ConnectionId, Peer>,
    pub(super) by_name: HashMap<Endpoint, ConnectionId>,
    /// The memory for the line of the record that is added.
    line: RecordLines,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) name: Option<Endpoint>,
    pub(super) records: BTreeMap<RfcNumber, Sequence>,
    /// How many of its records are already removed. Once removal has begun, it can't add any.
    pub(super) removed: Option<usize>,
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

impl Peer {
    /// A connection that has not given a name.
    pub(super) fn nobody(address: IpAddr) -> Self {
        Self {
            address,
            name: None,
            records: BTreeMap::new(),
            removed: None,
        }
    }

    pub(super) fn member(&self) -> Option<Member> {
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
    /// The peer of a connection, unless its removal has begun.
    ///
    /// Like [`forget`](Self::forget), it is inlined into other files too, where a call would add a
    /// frame to the stack of a session.
    #[inline]
    pub(super) fn peer(&mut self, connection: ConnectionId) -> Result<&mut Peer, Denied> {
        let peer = self.peers.get_mut(&connection);
        peer.filter(|peer| peer.removed.is_none())
            .ok_or(Denied::Replaced)
    }

    /// The connection that holds `name`, if `connection` may take it over.
    pub(super) fn holder(
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
    pub(super) fn rename(
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
    pub(super) fn remove_some(&mut self, connection: ConnectionId) -> Option<usize> {
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
    pub(super) fn take_one(
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

    /// Removes a record that its peer no longer has.
    #[inline]
    pub(super) fn forget(&mut self, number: RfcNumber, sequence: Sequence) {
        self.by_number.remove(&(number, sequence));
        self.records.remove(sequence);
    }

    /// Removes a connection that has no more records.
    pub(super) fn remove_peer(&mut self, connection: ConnectionId) -> Option<Left> {
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
    pub(super) fn add(
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
