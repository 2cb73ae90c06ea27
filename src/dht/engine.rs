//! The node of the `mainline` crate: built so that it stays private, asked without panics, built
//! again where it ended.
//!
//! An engine either joins through given addresses, or adopts whoever asks it. The crate ties the
//! two together: only a node without bootstrap addresses takes a stranger that asks into its table,
//! and such a node never asks anybody by itself.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use mainline::async_dht::AsyncDht;
use mainline::errors::PutQueryError;
use mainline::{Dht, Id, ServerSettings};
use parking_lot::Mutex;
use sha1_smol::Sha1;

use crate::wire::dht::Key;

/// The most keys that a node stores, so that every document of a small network has room on each.
/// With one address each it takes some 47 MB, and 118 MB with all of them full.
const MOST_KEYS: usize = 16_384;
/// The most addresses that a node stores for each key.
pub(super) const MOST_PER_KEY: usize = 64;
/// How long a node waits for another one on this machine or the local network,
const NEAR: Duration = Duration::from_millis(250);
/// and elsewhere.
const FAR: Duration = Duration::from_millis(750);
/// How long the port of an engine that ended may stay in use.
const PORT_TIME: Duration = Duration::from_secs(2);
/// How long a node may take to answer us. A search takes a few seconds at most; what is asked in
/// the moment in which a node ends is never answered, because its queue of requests outlives it.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// The engine has ended, or is being built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended;

/// A node. It ends when it is dropped and its last request is answered.
#[derive(Debug)]
pub(super) struct Engine {
    address: SocketAddrV4,
    timeout: Duration,
    current: Mutex<Option<AsyncDht>>,
}

impl Engine {
    /// Builds a node on `address`; port 0 selects any free one. It joins through `bootstrap`, or
    /// adopts others if that is empty.
    pub(super) fn build(
        address: SocketAddrV4,
        timeout: Duration,
        bootstrap: &[SocketAddrV4],
    ) -> io::Result<Self> {
        // The crate panics where the port is in use, and takes a well-known port instead of 0.
        let socket = UdpSocket::bind(address)?;
        let port = socket.local_addr()?.port();
        drop(socket);
        let engine = Self {
            address: SocketAddrV4::new(*address.ip(), port),
            timeout,
            current: Mutex::default(),
        };
        *engine.current.lock() = Some(engine.new_node(bootstrap)?);
        Ok(engine)
    }

    /// The local address.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Replaces the node by a new one on the same port. What it stored is lost.
    pub(super) fn rebuild(&self, bootstrap: &[SocketAddrV4]) -> io::Result<()> {
        *self.current.lock() = None;
        // Its thread ends only when it looks for requests the next time.
        let until = Instant::now() + PORT_TIME;
        while let Err(error) = UdpSocket::bind(self.address) {
            if Instant::now() >= until {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(20));
        }
        *self.current.lock() = Some(self.new_node(bootstrap)?);
        Ok(())
    }

    fn new_node(&self, bootstrap: &[SocketAddrV4]) -> io::Result<AsyncDht> {
        let settings = ServerSettings {
            max_info_hashes: MOST_KEYS,
            max_peers_per_info_hash: MOST_PER_KEY,
            // Nobody here stores values; 0 would mean the default.
            max_immutable_values: 1,
            max_mutable_values: 1,
            ..ServerSettings::default()
        };
        let mut builder = Dht::builder();
        builder
            .server_mode()
            .server_settings(settings)
            .bind_address(*self.address.ip())
            .port(self.address.port())
            .request_timeout(self.timeout)
            .bootstrap(bootstrap);
        let built = catch_unwind(AssertUnwindSafe(|| builder.build()));
        let built = built.unwrap_or_else(|_| Err(io::ErrorKind::AddrInUse.into()));
        Ok(built?.as_async())
    }

    /// Asks the node. The crate panics where it has ended.
    fn ask<T>(&self, question: impl AsyncFnOnce(AsyncDht) -> T) -> Result<T, Ended> {
        let node = self.current.lock().clone().ok_or(Ended)?;
        let until = Instant::now() + ANSWER_TIME;
        let answer = catch_unwind(AssertUnwindSafe(|| wait(question(node), until)));
        answer.ok().flatten().ok_or(Ended)
    }

    /// The addresses in its table that it heard of within the last 15 minutes.
    pub(super) fn table(&self) -> Result<Vec<SocketAddrV4>, Ended> {
        let table = self.ask(async |node| node.to_bootstrap().await)?;
        Ok(table.iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// Looks for the nodes closest to this one. That fills its table, and makes it known to those
    /// that adopt others.
    pub(super) fn refresh(&self) -> Result<(), Ended> {
        self.ask(async |node| {
            let id = *node.info().await.id();
            node.find_node(id).await;
        })
    }

    /// The nodes close to this one that answer now.
    pub(super) fn responding(&self) -> Result<Vec<SocketAddrV4>, Ended> {
        self.refresh()?;
        self.ask(async |node| {
            let id = *node.info().await.id();
            // Another key than its own, since the crate would merge this with its own searches,
            // whose results also contain nodes that did not answer.
            let mut near = *id.as_bytes();
            near[19] ^= 1;
            let nodes = node.get_closest_nodes(Id::from(near)).await;
            // Others tell it about itself.
            let others = nodes.iter().filter(|node| *node.id() != id);
            others.map(mainline::Node::address).collect()
        })
    }

    /// Looks for nodes far from this one. With those close to it, its table then has nearly all of
    /// some dozens.
    pub(super) fn explore(&self) -> Result<(), Ended> {
        self.ask(async |node| {
            let id = *node.info().await.id();
            for quarter in [0x40, 0x80, 0xc0] {
                let mut far = *id.as_bytes();
                far[0] ^= quarter;
                node.find_node(Id::from(far)).await;
            }
        })
    }

    /// Announces a port of this machine for a key.
    pub(super) fn announce(&self, key: Key, port: u16) -> Result<Result<(), PutQueryError>, Ended> {
        let announced = async |node: AsyncDht| node.announce_peer(id(key), Some(port)).await;
        Ok(self.ask(announced)?.map(drop))
    }

    /// Passes the addresses found for a key to `take`, as they come.
    pub(super) fn look_up(
        &self,
        key: Key,
        mut take: impl FnMut(Vec<SocketAddrV4>),
    ) -> Result<(), Ended> {
        let mut found = self.ask(async |node| node.get_peers(id(key)))?;
        let until = Instant::now() + ANSWER_TIME;
        while let Some(addresses) = wait(found.next(), until).ok_or(Ended)? {
            take(addresses);
        }
        // The stream ends in the same way when the node does.
        self.ask(async |node| node.info().await).map(|_| ())
    }

    /// Introduces this node, which adopts others, to the network of `known` addresses: it can't ask
    /// anybody by itself, so a guide joins that network and then asks this node, which asks it back
    /// and learns from it whom else to ask. Returns the addresses of the helpers, which end here;
    /// `None`: nobody answers.
    pub(super) fn introduce(
        &self,
        known: &[SocketAddrV4],
    ) -> io::Result<Option<[SocketAddrV4; 2]>> {
        let gone = |_| io::Error::other("a helper has ended");
        let helper = SocketAddrV4::new(*self.address.ip(), 0);
        // A guide that finds nobody would only fill this node's table with itself.
        let scout = Self::build(helper, self.timeout, known)?;
        let mut answering = scout.responding().map_err(gone)?;
        if answering.is_empty() {
            return Ok(None);
        }
        answering.push(self.reached_at());
        let guide = Self::build(helper, self.timeout, &answering)?;
        guide
            .refresh()
            .and_then(|()| self.refresh())
            .map_err(gone)?;
        Ok(Some([scout.reached_at(), guide.reached_at()]))
    }

    /// The address at which this machine reaches the node.
    fn reached_at(&self) -> SocketAddrV4 {
        let address = self.address;
        if address.ip().is_unspecified() {
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, address.port())
        } else {
            address
        }
    }
}

/// Waits for a future. `None`: it is not complete in time.
fn wait<T>(future: impl Future<Output = T>, until: Instant) -> Option<T> {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// How long a node waits for an answer, if it has these addresses to do with.
pub(super) fn timeout<'a>(addresses: impl IntoIterator<Item = &'a Ipv4Addr>) -> Duration {
    let is_near = |ip: &Ipv4Addr| {
        ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
    };
    if addresses.into_iter().all(is_near) {
        NEAR
    } else {
        FAR
    }
}

/// The place of a key in the hash table.
fn id(key: Key) -> Id {
    Id::from(Sha1::from(key.text()).digest().bytes())
}

#[cfg(test)]
impl Engine {
    /// Ends the node, as a bug in the crate would.
    pub(super) fn end(&self) {
        *self.current.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

    #[test]
    fn a_key_is_the_sha_1_of_its_text() {
        assert_eq!(
            id(Key::Catalogue).to_string(),
            "186632515a16cb605f284c6de14f0307f477cb63"
        );
    }

    #[test]
    fn a_wait_ends_without_an_answer() {
        let soon = Instant::now() + Duration::from_millis(10);
        assert_eq!(wait(std::future::pending::<()>(), soon), None);
        assert_eq!(wait(std::future::ready(7), Instant::now()), Some(7));
    }

    #[test]
    fn the_timeout_is_short_where_everybody_is_near() {
        let far = Ipv4Addr::new(192, 0, 2, 1);
        let near = [[127, 0, 0, 1], [10, 1, 2, 3], [192, 168, 1, 1], [0; 4]].map(Ipv4Addr::from);
        assert_eq!(timeout(&near), NEAR);
        assert_eq!(timeout(near.iter().chain([&far])), FAR);
    }

    #[test]
    fn a_port_in_use_is_an_error_and_port_0_is_any_free_one() {
        let engine = Engine::build(ANY, NEAR, &[]).unwrap();
        assert_ne!(engine.address().port(), 0);
        let second = Engine::build(engine.address(), NEAR, &[]);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_node_is_built_again_on_the_same_port() {
        let engine = Engine::build(ANY, NEAR, &[]).unwrap();
        let address = engine.address();
        engine.rebuild(&[]).unwrap();
        assert_eq!((engine.address(), engine.table()), (address, Ok(vec![])));
        engine.end();
        assert_eq!(engine.table(), Err(Ended));
    }

    /// Ends the thread that serves a request.
    #[derive(Debug, Clone)]
    struct Panics;

    impl mainline::RequestFilter for Panics {
        fn allow_request(&self, _: &mainline::RequestSpecific, _: SocketAddrV4) -> bool {
            panic!("as a bug in the crate would")
        }
    }

    #[test]
    fn a_node_that_has_panicked_has_ended_and_can_be_built_again() {
        let engine = Engine::build(ANY, NEAR, &[]).unwrap();
        engine.end();
        let settings = ServerSettings {
            filter: Box::new(Panics),
            ..ServerSettings::default()
        };
        let mut builder = Dht::builder();
        builder
            .no_bootstrap()
            .server_mode()
            .server_settings(settings)
            .bind_address(Ipv4Addr::LOCALHOST)
            .port(0);
        let node = builder.build().unwrap().as_async();
        let info = wait(node.info(), Instant::now() + ANSWER_TIME).unwrap();
        let address = info.local_addr();
        *engine.current.lock() = Some(node);
        assert_eq!(engine.responding(), Ok(vec![]));
        let asking = Engine::build(ANY, NEAR, &[address]).unwrap();
        asking.refresh().unwrap();
        assert_eq!(engine.responding(), Err(Ended));
        assert_eq!(engine.look_up(Key::Catalogue, |_| {}), Err(Ended));
        assert!(engine.announce(Key::Catalogue, 5).is_err());
        engine.rebuild(&[]).unwrap();
        assert_eq!(engine.responding(), Ok(vec![]));
    }

    #[test]
    fn a_node_that_adopts_is_introduced_to_a_network() {
        let first = Engine::build(ANY, NEAR, &[]).unwrap();
        let others = [(); 3].map(|()| Engine::build(ANY, NEAR, &[first.address()]).unwrap());
        for other in &others {
            other.refresh().unwrap();
        }
        let late = Engine::build(ANY, NEAR, &[]).unwrap();
        let dead = UdpSocket::bind(ANY).unwrap().local_addr().unwrap();
        let dead: SocketAddrV4 = dead.to_string().parse().unwrap();
        assert_eq!(late.introduce(&[dead]).unwrap(), None);
        assert_eq!(late.responding(), Ok(vec![]));
        let helpers = late.introduce(&[dead, others[0].address()]).unwrap();
        let mut found = late.responding().unwrap();
        found.retain(|address| !helpers.unwrap().contains(address));
        found.sort();
        let mut all: Vec<_> = others.iter().map(Engine::address).collect();
        all.push(first.address());
        all.sort();
        assert_eq!(found, all);
    }
}
