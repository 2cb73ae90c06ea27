//! Looking for the peers of a key.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use super::engine::MOST_PER_KEY;
use super::{RECOVERY_TIME, Shared};
use crate::wire::dht::Key;

/// The most addresses that a lookup yields, so that a poisoned key can't fill the memory.
const MOST: usize = 4096;
/// The most lookups for all peers of a key.
const ROUNDS: usize = 5;

/// The addresses that a lookup finds, as they come. The search goes on when it is dropped, since the
/// crate can't end one.
#[derive(Debug)]
pub struct Lookup {
    shared: Arc<Shared>,
    found: Option<Receiver<SocketAddrV4>>,
    until: Instant,
}

/// The peers of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Their addresses, in the order in which they were found.
    pub addresses: Vec<SocketAddrV4>,
    /// Whether there are probably more: each node remembers a limited number, and hands out some.
    pub is_sample: bool,
}

impl Lookup {
    /// Starts a lookup once those before it are done.
    pub(super) fn start(shared: &Arc<Shared>, key: Key, until: Instant) -> Self {
        let found = shared.gate.enter(key, until).and_then(|permit| {
            let (send, found) = mpsc::channel();
            let looking = shared.clone();
            let work = move || {
                let _permit = permit;
                // Whoever asked may have seen enough.
                looking.look_up(key, until, |address| {
                    let _ = send.send(address);
                });
            };
            let thread = thread::Builder::new().name("lookup".to_owned());
            thread.spawn(work).ok().map(|_| found)
        });
        Self {
            shared: shared.clone(),
            found,
            until,
        }
    }
}

impl Iterator for Lookup {
    type Item = SocketAddrV4;

    fn next(&mut self) -> Option<SocketAddrV4> {
        let next = self.shared.receive(self.found.as_ref()?, self.until);
        if next.is_none() {
            self.found = None;
        }
        next
    }
}

/// Repeats a lookup as long as it finds more.
pub(super) fn all<L: Iterator<Item = SocketAddrV4>>(mut look_up: impl FnMut() -> L) -> Peers {
    let mut peers = Peers::default();
    let mut seen = HashSet::new();
    for round in 1..=ROUNDS {
        let before = peers.addresses.len();
        peers
            .addresses
            .extend(look_up().filter(|address| seen.insert(*address)));
        if peers.addresses.len() == before {
            break;
        }
        peers.is_sample = round == ROUNDS;
    }
    peers.is_sample |= peers.addresses.len() >= MOST_PER_KEY;
    peers
}

impl Shared {
    /// Looks for a key, and once more if nothing was found: packets get lost, and the table may
    /// have been empty for a moment.
    fn look_up(&self, key: Key, until: Instant, mut take: impl FnMut(SocketAddrV4)) {
        let mut seen = HashSet::new();
        for _ in 0..2 {
            // A node that has ended is started again before the second attempt.
            let _ = self.engine.look_up(key, |addresses| {
                for address in addresses {
                    if seen.len() < MOST && self.can_be_peer(address) && seen.insert(address) {
                        take(address);
                    }
                }
            });
            let is_done = !seen.is_empty() || self.is_alone() || self.is_closing();
            if is_done || Instant::now() >= until {
                break;
            }
            if self.engine.table().map_or(true, |table| table.is_empty()) {
                self.recover(until.min(Instant::now() + RECOVERY_TIME));
            }
        }
    }

    /// Whether a peer that this node can reach can have this address.
    pub(super) fn can_be_peer(&self, address: SocketAddrV4) -> bool {
        can_be_peer(address, self.engine.address().ip().is_loopback())
    }
}

/// Whether a peer can have this address. A stranger must not make this machine connect to itself.
fn can_be_peer(address: SocketAddrV4, from_here: bool) -> bool {
    let ip: &Ipv4Addr = address.ip();
    let is_host = !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast());
    is_host && address.port() != 0 && (from_here || !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    /// All peers, from lookups that find these.
    fn all_of(lookups: &[&[u16]]) -> (Vec<u16>, bool, usize) {
        let mut asked = 0;
        let peers = all(|| {
            asked += 1;
            lookups[asked - 1].iter().copied().map(peer)
        });
        let ports = peers.addresses.iter().map(SocketAddrV4::port).collect();
        (ports, peers.is_sample, asked)
    }

    #[test]
    fn lookups_are_repeated_while_they_find_more() {
        assert_eq!(all_of(&[&[]]), (vec![], false, 1));
        assert_eq!(all_of(&[&[1, 2], &[2, 3], &[1]]), (vec![1, 2, 3], false, 3));
        let always: &[&[u16]] = &[&[1], &[2], &[3], &[4], &[5]];
        assert_eq!(all_of(always), (vec![1, 2, 3, 4, 5], true, 5));
        let many: Vec<_> = (1..=64).collect();
        assert_eq!(all_of(&[&many, &many]), (many, true, 2));
    }

    #[test]
    fn a_stranger_can_t_name_this_machine_or_nobody() {
        for (address, elsewhere, here) in [
            ("10.0.0.1:5", true, true),
            ("127.0.0.1:5", false, true),
            ("10.0.0.1:0", false, false),
            ("0.0.0.0:5", false, false),
            ("224.0.0.1:5", false, false),
            ("255.255.255.255:5", false, false),
        ] {
            let address = address.parse().unwrap();
            let can_be = [false, true].map(|from_here| can_be_peer(address, from_here));
            assert_eq!(can_be, [elsewhere, here], "{address}");
        }
    }
}
