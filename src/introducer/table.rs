//! The peers that have joined, and who is handed out.
//!
//! It uses no sockets and no clock: the time is an argument. JOIN and DELETE cost O(log n) for n
//! peers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::wire::Port;

/// How long a peer stays without joining again.
pub const LIFETIME: Duration = Duration::from_hours(24);
/// The most peers that are handed out.
const HANDED_OUT: usize = 5;
/// The most peers that are kept; more push out those heard of first.
const MOST: usize = 10_000;
/// The most peers of one address, so that nobody pushes out everybody else alone.
const MOST_OF_ADDRESS: usize = 1_000;

/// A peer that has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number: 1, 2, ... in the order in which they came.
    pub row: u64,
    /// Its name, which it chooses. Another address may use the same.
    pub name: String,
    /// Its address,
    pub address: IpAddr,
    /// and its port.
    pub port: Port,
}

/// The peers that have joined.
#[derive(Debug, Default)]
pub struct Table {
    /// By when each was heard of last.
    members: BTreeMap<u64, (Member, Instant)>,
    /// Where each is: by its address and name, so that nobody can change another.
    places: HashMap<(IpAddr, String), u64>,
    /// Where the peer at each address and port is.
    at_port: HashMap<(IpAddr, Port), u64>,
    /// Where the peers are that have one [share](share_of) of the table.
    shares: HashMap<IpAddr, BTreeSet<u64>>,
    joined: u64,
    heard: u64,
}

impl Table {
    /// Takes in a peer, or hears of it again, and returns the others heard of last, in the order in
    /// which they came.
    pub fn join(&mut self, name: &str, address: IpAddr, port: Port, now: Instant) -> Vec<Member> {
        self.drop_expired(now);
        let known = self.remove(address, name);
        // A peer that was started again may have another name.
        let old = self.at_port.get(&(address, port)).copied();
        old.and_then(|place| self.drop_at(place));
        self.make_room(address);
        let row = known.map_or_else(
            || {
                self.joined += 1;
                self.joined
            },
            |member| member.row,
        );
        let mut others: Vec<_> = self.members.values().rev().take(HANDED_OUT).collect();
        others.sort_unstable_by_key(|(member, _)| member.row);
        let others = others
            .into_iter()
            .map(|(member, _)| member.clone())
            .collect();
        self.heard += 1;
        let member = Member {
            row,
            name: name.to_owned(),
            address,
            port,
        };
        self.places.insert((address, name.to_owned()), self.heard);
        self.at_port.insert((address, port), self.heard);
        let share = self.shares.entry(share_of(address)).or_default();
        share.insert(self.heard);
        self.members.insert(self.heard, (member, now));
        others
    }

    /// Every peer, those heard of first coming first.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values().map(|(member, _)| member)
    }

    /// Removes the peer of that name at `address`, and returns it if it was there.
    pub fn remove(&mut self, address: IpAddr, name: &str) -> Option<Member> {
        let place = self.places.get(&(address, name.to_owned())).copied()?;
        self.drop_at(place)
    }

    fn drop_at(&mut self, place: u64) -> Option<Member> {
        let (member, _) = self.members.remove(&place)?;
        self.places.remove(&(member.address, member.name.clone()));
        self.at_port.remove(&(member.address, member.port));
        let share = share_of(member.address);
        if let Some(places) = self.shares.get_mut(&share) {
            places.remove(&place);
            if places.is_empty() {
                self.shares.remove(&share);
            }
        }
        Some(member)
    }

    /// Removes those that have not joined again in time.
    pub fn drop_expired(&mut self, now: Instant) {
        while let Some(first) = self.members.first_entry()
            && now.saturating_duration_since(first.get().1) >= LIFETIME
        {
            let place = *first.key();
            self.drop_at(place);
        }
    }

    /// Makes room for one more peer of `address`.
    fn make_room(&mut self, address: IpAddr) {
        let share = self.shares.get(&share_of(address));
        let oldest = match share {
            Some(places) if places.len() >= MOST_OF_ADDRESS => places.first().copied(),
            _ if self.members.len() >= MOST => self.members.keys().next().copied(),
            _ => None,
        };
        oldest.and_then(|place| self.drop_at(place));
    }
}

/// What has one share of the table: an IPv4 address, or the network of an IPv6 address, since a
/// machine usually has a whole /64.
fn share_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn port(port: u16) -> Port {
        Port::new(port).unwrap()
    }

    /// Lets a peer of 10.0.0.1 join, and returns the rows of those handed out.
    fn join(table: &mut Table, number: u16, now: Instant) -> Vec<u64> {
        let others = table.join(&format!("p{number}"), address(1), port(number), now);
        others.iter().map(|member| member.row).collect()
    }

    #[test]
    fn those_heard_of_last_are_handed_out_in_the_order_in_which_they_came() {
        let (mut table, now) = (Table::default(), Instant::now());
        let all: Vec<_> = (1..=8)
            .map(|number| join(&mut table, number, now))
            .collect();
        assert_eq!(all[0], [0; 0]);
        assert_eq!(all[1], [1]);
        assert_eq!(all[5], [1, 2, 3, 4, 5]);
        assert_eq!(all[7], [3, 4, 5, 6, 7]);
        // One that is heard of again keeps its number.
        assert_eq!(join(&mut table, 2, now), [4, 5, 6, 7, 8]);
        assert_eq!(join(&mut table, 9, now), [2, 5, 6, 7, 8]);
        assert_eq!(table.remove(address(1), "p8").unwrap().row, 8);
        assert_eq!(table.remove(address(1), "p8"), None);
        assert_eq!(join(&mut table, 8, now), [2, 5, 6, 7, 9]);
    }

    #[test]
    fn nobody_changes_another() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.join("a", address(1), port(5), now);
        assert_eq!(table.remove(address(2), "a"), None);
        let others = table.join("a", address(2), port(5), now);
        assert_eq!((others.len(), &*others[0].name), (1, "a"));
        assert_eq!(table.members.len(), 2);
        // The same address and port under another name is the same peer.
        let others = table.join("b", address(2), port(5), now);
        assert_eq!((others.len(), others[0].address), (1, address(1)));
    }

    #[test]
    fn a_peer_is_dropped_after_a_day() {
        let (mut table, now) = (Table::default(), Instant::now());
        join(&mut table, 1, now);
        let later = now + Duration::from_secs(1);
        assert_eq!(join(&mut table, 2, later), [1]);
        assert_eq!(join(&mut table, 3, now + LIFETIME), [2]);
        assert_eq!((table.members.len(), table.places.len()), (2, 2));
    }

    #[test]
    fn the_table_is_bounded_and_each_address_has_a_share() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.join("other", address(2), port(5), now);
        for number in 1..=2000 {
            join(&mut table, number, now);
        }
        assert_eq!(table.members.len(), 1 + MOST_OF_ADDRESS);
        assert!(table.remove(address(2), "other").is_some());
        for network in 0..20_u16 {
            for number in 1..=u16::try_from(MOST_OF_ADDRESS).unwrap() {
                let address = Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, number);
                table.join("a", address.into(), port(5), now);
            }
        }
        assert_eq!(table.members.len(), MOST);
        assert_eq!(table.places.len(), MOST);
        assert_eq!(table.at_port.len(), MOST);
        let counts = table.shares.values().map(BTreeSet::len);
        assert!(counts.eq([MOST_OF_ADDRESS; MOST / MOST_OF_ADDRESS]));
    }
}
