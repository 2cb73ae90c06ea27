//! The registration server and the peers of one run, all in this process, on free loopback ports.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use tempfile::TempDir;

use super::documents::{Documents, temporary_folder};
use super::plan::Plan;
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

/// How long the registration server waits for a complete request.
const REQUEST_TIME: Duration = Duration::from_secs(30);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A registration server and its peers, which leave when they are dropped.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) peers: Vec<Node>,
    _registration: Server,
    folder: TempDir,
}

impl Network {
    /// Starts and registers all peers. None has asked another yet.
    pub(super) fn start(
        plan: &Plan,
        documents: &Documents,
        upload_rate: u64,
        stage: &Stage,
    ) -> anyhow::Result<Self> {
        let folder = temporary_folder()?;
        let events = Events::default().and(Forward(stage.events.clone()));
        let registration = serve_registrations(&events)?;
        let server = Endpoint {
            host: LOOPBACK.into(),
            port: Port::new(registration.port()).unwrap_or(Port::MIN),
        };
        let mut network = Self {
            peers: Vec::new(),
            _registration: registration,
            folder,
        };
        for (peer, holding) in plan.holdings.iter().enumerate() {
            let home = network.home(peer);
            fs::create_dir(&home).map_err(FileError::of("create the folder", &home))?;
            for document in documents.all.get(holding.clone()).unwrap_or_default() {
                let to = network.path(peer, document.number);
                fs::copy(&document.path, &to).map_err(FileError::of("write", &to))?;
            }
            let config = Config {
                kind: Kind::Distributed,
                server: server.clone(),
                dialect: Some(Dialect::Text),
                pipeline: 1,
                ports: Ports::default(),
                folder: home,
                only: None,
                shares: true,
                hostname: Some(LOOPBACK.into()),
                bind: Some(LOOPBACK),
                upload_port: 0,
                upload_rate,
                max_uploads: usize::MAX,
                max_uploads_per_address: usize::MAX,
                state: None,
                public_dht: false,
            };
            let node = Node::start(&config, &events, &stage.stop);
            let node = node.map_err(|failure| failed(peer, &failure))?;
            network.peers.push(node);
        }
        Ok(network)
    }

    /// Makes every peer ask all others for their indexes, and checks that it then knows exactly
    /// their records.
    pub(super) fn share_indexes(&self, plan: &Plan, documents: &Documents) -> anyhow::Result<()> {
        let all = self.peers.iter().zip(&plan.holdings);
        let records = all.flat_map(|(peer, held)| {
            let held = documents.all.get(held.clone()).unwrap_or_default();
            held.iter().map(|held| (held.number, peer.me().clone()))
        });
        let expected: HashSet<_> = records.collect();
        for (peer, node) in self.peers.iter().enumerate() {
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
        let activities: Vec<_> = self.peers.iter().map(|peer| peer.activity()).collect();
        self.peers.clear();
        activities.iter().map(Activity::counts).collect()
    }

    /// The path of an RFC in the folder of a peer.
    pub(super) fn path(&self, peer: usize, number: RfcNumber) -> PathBuf {
        self.home(peer).join(format!("rfc{number}.txt"))
    }

    fn home(&self, peer: usize) -> PathBuf {
        self.folder.path().join(format!("p{peer}"))
    }
}

fn failed(peer: usize, failure: &Failure) -> anyhow::Error {
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

/// Starts a registration server that keeps its state in memory.
fn serve_registrations(events: &Events) -> anyhow::Result<Server> {
    let config = registration::Config {
        place: Place {
            bind: Some(LOOPBACK),
            ..Place::default()
        },
        request_time: REQUEST_TIME,
        ttl: Duration::from_secs(di::TTL.into()),
        storage: Storage::Memory,
    };
    // A signal must not stop it before the peers have left.
    registration::start(config, events, &Stop::default()).map_err(|error| anyhow!("{error}"))
}
