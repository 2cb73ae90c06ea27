//! The registration server and the peers of one run, all in this process, on free loopback ports.
//!
//! It knows who has what, and nothing of what is fetched or measured.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use tempfile::TempDir;

use super::documents::{Document, Documents, temporary_folder};
use super::plan::Plan;
use crate::event::{Event, Events, Reader, Topic, Topics};
use crate::file_error::FileError;
use crate::index::Kind;
use crate::net::{Place, Server, Stop};
use crate::node::{Activity, Config, Counts, Failure, Node, Query};
use crate::program::Stage;
use crate::registration;
use crate::state_file::Storage;
use crate::wire::di;
use crate::wire::{Dialect, Endpoint, Port, RfcNumber};

/// How long the registration server waits for a request.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Where everything listens.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A registration server and its peers, which leave it when they are dropped.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) peers: Vec<Node>,
    _registration: Server,
    folder: TempDir,
}

impl Network {
    /// Starts everything; every peer is registered, and no one has asked another yet.
    pub(super) fn start(
        plan: &Plan,
        documents: &Documents,
        upload_rate: u64,
        stage: &Stage,
    ) -> anyhow::Result<Self> {
        let folder = temporary_folder()?;
        let events = Events::default().and(Inside(stage.events.clone()));
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
                let Document { number, path, .. } = document;
                let to = network.path(peer, *number);
                fs::copy(path, &to).map_err(FileError::of("write", &to))?;
            }
            let config = Config {
                kind: Kind::Distributed,
                server: server.clone(),
                dialect: Some(Dialect::Text),
                pipeline: 1,
                folder: home,
                only: None,
                shares: true,
                hostname: Some(LOOPBACK.into()),
                bind: Some(LOOPBACK),
                upload_port: 0,
                upload_rate,
                max_uploads: usize::MAX,
                // Every run is the first one.
                state: None,
            };
            let node = Node::start(&config, &events, &stage.stop);
            let node = node.map_err(|failure| away(peer, &failure))?;
            network.peers.push(node);
        }
        Ok(network)
    }

    /// Lets every peer ask all others for their indexes, and checks that it knows then who holds
    /// what, and no more.
    pub(super) fn tell_each_other(&self, plan: &Plan, documents: &Documents) -> anyhow::Result<()> {
        let all = self.peers.iter().zip(&plan.holdings);
        let records = all.flat_map(|(peer, held)| {
            let held = documents.all.get(held.clone()).unwrap_or_default();
            held.iter().map(|held| (held.number, peer.me()))
        });
        let expected: HashSet<_> = records.collect();
        for (peer, node) in self.peers.iter().enumerate() {
            let found = node.find(&Query::All { fresh: true });
            let found = found.map_err(|failure| away(peer, &failure))?;
            let (told, others) = (found.answered, self.peers.len() - 1);
            ensure!(
                told == others,
                "only {told} of {others} other peers sent P{peer} their indexes"
            );
            let records = found.records.iter().map(|listed| &listed.record);
            let told: HashSet<_> = records.map(|r| (r.number, &r.holder)).collect();
            let (known, left) = (found.records.len(), expected.difference(&told).count());
            ensure!(
                left == 0 && known == expected.len(),
                "the index of P{peer} has {known} records, and {left} of those it should have are \
                 missing"
            );
        }
        Ok(())
    }

    /// All peers leave, and tell what each has done, once those who send have counted what they
    /// sent. Their files stay.
    pub(super) fn leave(&mut self) -> Vec<Counts> {
        let activities: Vec<_> = self.peers.iter().map(Node::activity).collect();
        self.peers.clear();
        activities.iter().map(Activity::counts).collect()
    }

    /// Where the file of an RFC is that a peer has.
    pub(super) fn path(&self, peer: usize, number: RfcNumber) -> PathBuf {
        self.home(peer).join(format!("rfc{number}.txt"))
    }

    fn home(&self, peer: usize) -> PathBuf {
        self.folder.path().join(format!("p{peer}"))
    }
}

fn away(peer: usize, failure: &Failure) -> anyhow::Error {
    anyhow!("P{peer} does not take part: {failure}")
}

/// Passes on what happens inside servers and peers, and not where they are found, nor that a server
/// ends.
struct Inside(Events);

impl Reader for Inside {
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

/// Starts a registration server that keeps nothing.
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
    // Whatever stops the peers, they leave it first.
    registration::start(config, events, &Stop::default()).map_err(|error| anyhow!("{error}"))
}
