//! What a page shows of a server: of the central index, of a registration server, of an introducer.

#[cfg(feature = "dht")]
use std::collections::BTreeSet;
#[cfg(feature = "dht")]
use std::net::SocketAddr;
#[cfg(feature = "dht")]
use std::sync::Arc;
#[cfg(feature = "dht")]
use std::time::Instant;

#[cfg(feature = "dht")]
use parking_lot::Mutex;

use super::events::millis;
use super::shown::{About, Page, Peer, Record, Shown, are_long};
use crate::central::Catalog;
use crate::central::catalog::{Cursor, Member};
#[cfg(feature = "dht")]
use crate::dht::DhtNode;
#[cfg(feature = "dht")]
use crate::introducer::table::Table;
use crate::registration::Register;
use crate::registration::table::Now;
use crate::wire::di::registration::Registration;
use crate::wire::{Endpoint, Port};

/// A central index.
#[derive(Debug)]
pub struct CentralPage {
    /// The program.
    pub about: About,
    /// Who has what.
    pub catalog: Catalog,
}

impl From<Member> for Peer {
    fn from(member: Member) -> Self {
        Self {
            name: member.name.to_string(),
            since: 0,
            records: member.records,
            remote: Some(member.address),
        }
    }
}

impl Shown for CentralPage {
    fn about(&self) -> About {
        self.about.clone()
    }

    fn peers(&self, most: usize) -> Vec<Peer> {
        let mut peers: Vec<_> = self.catalog.members().into_iter().map(Peer::from).collect();
        peers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        peers.truncate(most);
        peers
    }

    fn peer(&self, name: &str) -> Option<Peer> {
        let name = Endpoint::parse(name, Port::MIN).ok()?;
        self.catalog.member(&name).map(Peer::from)
    }

    fn counts(&self) -> (usize, usize) {
        (self.catalog.count_members(), self.catalog.len())
    }

    /// The newest come first, as in LIST.
    fn records(&self, after: Option<&str>, limit: usize) -> Option<Page> {
        let mut from = match after {
            None => Cursor::default(),
            Some(sequence) => Cursor::before(sequence.parse().ok()?),
        };
        let mut records = Vec::new();
        loop {
            let (lines, next) = self.catalog.records(from, limit - records.len());
            records.extend(lines.records().map(|record| Record::from(&record)));
            match next {
                Some(next) if records.len() < limit && !are_long(&records) => from = next,
                next => {
                    let next = next.map(|next| next.sequence().to_string());
                    return Some(Page { records, next });
                }
            }
        }
    }
}

/// A registration server.
#[derive(Debug)]
pub struct RegistrationPage {
    /// The program.
    pub about: About,
    /// The active peers.
    pub register: Register,
}

impl From<Registration> for Peer {
    fn from(registration: Registration) -> Self {
        Self {
            name: registration.peer.to_string(),
            since: millis(registration.heard),
            records: 0,
            remote: None,
        }
    }
}

impl Shown for RegistrationPage {
    fn about(&self) -> About {
        self.about.clone()
    }

    fn peers(&self, most: usize) -> Vec<Peer> {
        let now = Now::read();
        let mut active = self.register.look(|table| table.active(now));
        active.sort();
        active.iter().take(most).map(Peer::from).collect()
    }

    fn peer(&self, name: &str) -> Option<Peer> {
        let name = Endpoint::parse(name, Port::MIN).ok()?;
        let now = Now::read();
        let found = self.register.look(|table| table.of_peer(&name, now));
        found.filter(|found| found.is_active).map(Peer::from)
    }

    fn counts(&self) -> (usize, usize) {
        let now = Now::read();
        (self.register.look(|table| table.count_active(now)), 0)
    }

    fn records(&self, after: Option<&str>, _: usize) -> Option<Page> {
        after.is_none().then(Page::default)
    }
}

/// An introducer. Its peers are those on its list and the nodes in contact with its own, which has
/// no other messages than those of the hash table.
#[cfg(feature = "dht")]
#[derive(Debug)]
pub struct IntroducerPage {
    /// The program.
    pub about: About,
    /// The peers on its list.
    pub table: Arc<Mutex<Table>>,
    /// Its node of the hash table.
    pub node: Arc<DhtNode>,
}

#[cfg(feature = "dht")]
impl IntroducerPage {
    /// Every peer.
    fn addresses(&self) -> BTreeSet<SocketAddr> {
        let mut table = self.table.lock();
        table.drop_expired(Instant::now());
        let members = table.members();
        let members = members.map(|member| SocketAddr::new(member.address, member.port.get()));
        let nodes = self.node.contacts().into_iter().map(SocketAddr::from);
        // One that does both uses one port number for both.
        members.chain(nodes).collect()
    }
}

#[cfg(feature = "dht")]
impl Shown for IntroducerPage {
    fn about(&self) -> About {
        self.about.clone()
    }

    fn peers(&self, most: usize) -> Vec<Peer> {
        let peer = |address: SocketAddr| Peer {
            name: address.to_string(),
            since: 0,
            records: 0,
            remote: Some(address.ip()),
        };
        self.addresses().into_iter().take(most).map(peer).collect()
    }

    fn peer(&self, _: &str) -> Option<Peer> {
        None
    }

    fn counts(&self) -> (usize, usize) {
        (self.addresses().len(), 0)
    }

    fn records(&self, after: Option<&str>, _: usize) -> Option<Page> {
        after.is_none().then(Page::default)
    }

    fn tells_peers(&self) -> bool {
        false
    }
}
