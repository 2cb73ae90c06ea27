//! The server and the peers of one run, all in this process, on free ports of a loopback address.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process;
#[cfg(feature = "dht")]
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use tempfile::TempDir;

use super::documents::{Document, Documents, temporary_folder};
use super::plan::Plan;
use crate::central::{self, Catalog};
use crate::event::{Event, Events, Reader, Topic, Topics};
use crate::file_error::FileError;
use crate::index::Kind;
use crate::net::{Place, Server, Stop};
use crate::node::{Actions as _, Activity, Config, Counts, Failure, Node, Ports, Query};
use crate::program::Stage;
use crate::registration;
use crate::state_file::Storage;
use crate::wire::di;
use crate::wire::{Dialect, Endpoint, Port, RfcNumber};

/// How long the server waits for a complete request.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// A server and its peers, which leave when they are dropped.
#[derive(Debug)]
pub(super) struct Network {
    /// Those that run, by number.
    pub(super) peers: BTreeMap<usize, Node>,
    /// Those that were killed.
    killed: Vec<Node>,
    kind: Kind,
    server: Option<Server>,
    address: Endpoint,
    loopback: IpAddr,
    folder: TempDir,
}

impl Network {
    /// Starts and registers all peers of a distributed index. None has asked another yet.
    pub(super) fn start(
        plan: &Plan,
        documents: &Documents,
        upload_rate: u64,
        stage: &Stage,
    ) -> anyhow::Result<Self> {
        let events = Events::default().and(Forward(stage.events.clone()));
        let mut network = Self::open(Kind::Distributed, &events)?;
        for (peer, holding) in plan.holdings.iter().enumerate() {
            network.furnish(peer, documents.all.get(holding.clone()).unwrap_or_default())?;
            network.join(peer, upload_rate, &events, &stage.stop)?;
        }
        Ok(network)
    }

    /// Starts the server of an index, which has no peers yet.
    pub(super) fn open(kind: Kind, events: &Events) -> anyhow::Result<Self> {
        let folder = temporary_folder()?;
        let loopback = own_loopback();
        let server = serve(kind, loopback, events)?;
        let address = Endpoint {
            host: loopback.into(),
            port: Port::new(server.port()).unwrap_or(Port::MIN),
        };
        Ok(Self {
            peers: BTreeMap::new(),
            killed: Vec::new(),
            kind,
            server: Some(server),
            address,
            loopback,
            folder,
        })
    }

    /// Creates the folder of a peer, and copies these documents into it.
    pub(super) fn furnish(&self, peer: usize, documents: &[Document]) -> Result<(), FileError> {
        let home = self.home(peer);
        fs::create_dir(&home).map_err(FileError::of("create the folder", &home))?;
        for document in documents {
            let to = self.path(peer, document.number);
            fs::copy(&document.path, &to).map_err(FileError::of("write", &to))?;
        }
        Ok(())
    }

    /// Starts a peer, which joins the index.
    pub(super) fn join(
        &mut self,
        peer: usize,
        upload_rate: u64,
        events: &Events,
        stop: &Stop,
    ) -> anyhow::Result<&Node> {
        let config = Config {
            kind: self.kind,
            server: self.address.clone(),
            dialect: Some(Dialect::Text),
            pipeline: Some(1),
            ports: Ports::default(),
            folder: self.home(peer),
            only: None,
            shares: true,
            hostname: Some(self.loopback.into()),
            bind: Some(self.loopback),
            upload_port: 0,
            upload_rate,
            max_uploads: usize::MAX,
            max_uploads_per_address: usize::MAX,
            state: None,
            public_dht: false,
        };
        let node = Node::start(&config, events, stop);
        let node = node.map_err(|failure| failed(peer, &failure))?;
        Ok(self.peers.entry(peer).or_insert(node))
    }

    /// A running peer.
    pub(super) fn peer(&self, peer: usize) -> anyhow::Result<&Node> {
        self.peers.get(&peer).context("no such peer")
    }

    /// Ends the server without notice.
    pub(super) fn kill_server(&mut self) {
        drop(self.server.take());
    }

    /// Ends a peer without notice.
    pub(super) fn kill(&mut self, peer: usize) {
        if let Some(node) = self.peers.remove(&peer) {
            node.cut_off();
            // Dropping it would send LEAVE, which a killed process does not.
            if self.kind == Kind::Distributed {
                self.killed.push(node);
            }
        }
    }

    /// Makes every peer ask all others for their indexes, and checks that it then knows exactly
    /// their records.
    pub(super) fn share_indexes(&self, plan: &Plan, documents: &Documents) -> anyhow::Result<()> {
        let all = self.peers.values().zip(&plan.holdings);
        let records = all.flat_map(|(peer, held)| {
            let held = documents.all.get(held.clone()).unwrap_or_default();
            held.iter().map(|held| (held.number, peer.me().clone()))
        });
        let expected: HashSet<_> = records.collect();
        for (&peer, node) in &self.peers {
            let found = node.find(&Query::All { fresh: true });
            let found = found.map_err(|failure| failed(peer, &failure))?;
            let (answered, others) = (found.answered, self.peers.len() - 1);
            ensure!(
                answered == others,
                "only {answered} of {others} other peers sent P{peer} their indexes"
            );
            let records = found.records.iter().map(|listed| listed.record);
            let listed: HashSet<_> = records.map(|r| (r.number, r.holder)).collect();
            let (known, missing) = (found.records.len(), expected.difference(&listed).count());
            ensure!(
                missing == 0 && known == expected.len(),
                "the index of P{peer} has {known} of {} records, and lacks {missing}",
                expected.len()
            );
        }
        Ok(())
    }

    /// Makes all peers leave, which waits for their uploads, and returns the counts.
    pub(super) fn leave(&mut self) -> Vec<Counts> {
        let activities: Vec<_> = self.peers.values().map(|peer| peer.activity()).collect();
        self.peers.clear();
        activities.iter().map(Activity::counts).collect()
    }

    /// The path of an RFC in the folder of a peer.
    pub(super) fn path(&self, peer: usize, number: RfcNumber) -> PathBuf {
        self.home(peer).join(format!("rfc{number}.txt"))
    }

    /// A path in no peer's folder.
    pub(super) fn spare_path(&self) -> PathBuf {
        self.folder.path().join("spare")
    }

    fn home(&self, peer: usize) -> PathBuf {
        self.folder.path().join(format!("p{peer}"))
    }
}

pub(super) fn failed(peer: usize, failure: &Failure) -> anyhow::Error {
    anyhow!("P{peer} failed: {failure}")
}

/// Forwards all events except addresses and the end of a server.
struct Forward(Events);

impl Reader for Forward {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life, Topic::Messages, Topic::Progress])
    }

    fn read(&self, event: &Event<'_>) {
        match event {
            Event::Listening { .. } | Event::Named { .. } | Event::Stopped { .. } => {}
            event => self.0.tell(event.topic(), || event.clone()),
        }
    }
}

/// A loopback address of this process alone, where the system has more than one. The nodes of another
/// hash table, of which one gets the port of a peer that was killed here, would become a part of the
/// network and of what is measured.
fn own_loopback() -> IpAddr {
    let [.., high, low] = process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 78, high, low);
    let is_usable = UdpSocket::bind((own, 0)).is_ok();
    IpAddr::V4(if is_usable { own } else { Ipv4Addr::LOCALHOST })
}

/// Starts the server of an index. It keeps its state in memory.
fn serve(kind: Kind, loopback: IpAddr, events: &Events) -> anyhow::Result<Server> {
    let place = Place {
        bind: Some(loopback),
        ..Place::default()
    };
    // A signal must not stop it before the peers have left.
    let stop = Stop::default();
    match kind {
        Kind::Central => {
            let config = central::Config {
                place,
                catalog: Catalog::new(usize::MAX),
                request_time: REQUEST_TIME,
            };
            central::start(config, events, &stop).map_err(|error| anyhow!("{error}"))
        }
        Kind::Distributed => {
            let config = registration::Config {
                place,
                request_time: REQUEST_TIME,
                ttl: Duration::from_secs(di::TTL.into()),
                storage: Storage::Memory,
            };
            let started = registration::start(config, events, &stop);
            let (server, _) = started.map_err(|error| anyhow!("{error}"))?;
            Ok(server)
        }
        #[cfg(feature = "dht")]
        Kind::Dht => {
            let config = crate::introducer::Config {
                place,
                request_time: REQUEST_TIME,
                storage: Storage::Memory,
                public: false,
                table: Arc::default(),
            };
            let started = crate::introducer::start(&config, events, &stop);
            let (server, _) = started.map_err(|error| anyhow!("{error}"))?;
            Ok(server)
        }
        #[cfg(not(feature = "dht"))]
        Kind::Dht => Err(anyhow!("this program was built without the hash table")),
    }
}
