//! The registration server and the peers of one run, all in this process, on free loopback ports.
//!
//! It knows who has what, but not what is fetched or measured.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::Plan;
use super::documents::{Document, Documents};
use super::run::RunError;
use super::stage::Stage;
use crate::event::{Event, Events, Reader, Topic, Topics};
use crate::file_error::FileError;
use crate::index::Kind;
use crate::net::{Place, Server, Stop};
use crate::node::{Activity, Config, Node, Search};
use crate::registration::{self, StartError, Storage};
use crate::wire::di;
use crate::wire::{Dialect, Endpoint, Port, RfcNumber};

/// How long the registration server waits for a request.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// The address of all listeners.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A registration server and its peers, which leave it on drop.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) peers: Vec<Node>,
    _registration: Server,
    folder: TempDir,
}

/// What remains after the peers have left.
#[derive(Debug)]
pub(super) struct Left {
    /// The activity of each peer.
    pub(super) activities: Vec<Activity>,
    folder: TempDir,
}

impl Network {
    /// Starts everything: every peer is registered, but none has asked another yet.
    pub(super) fn start(
        plan: &Plan,
        documents: &Documents,
        upload_rate: u64,
        stage: &Stage,
    ) -> Result<Self, RunError> {
        let folder = TempDir::with_prefix("p2pci-experiment-")
            .map_err(FileError::of("create a folder in", &std::env::temp_dir()))?;
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
            let home = home(&network.folder, peer);
            fs::create_dir(&home).map_err(FileError::of("create the folder", &home))?;
            for document in documents.all().get(holding.clone()).unwrap_or_default() {
                let Document { number, path, .. } = document;
                let to = home.join(format!("rfc{number}.txt"));
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
                // Every run starts without state.
                state: None,
            };
            let node = Node::start(&config, &events, &stage.stop);
            let node = node.map_err(|reason| RunError::Away { peer, reason })?;
            network.peers.push(node);
        }
        Ok(network)
    }

    /// Lets every peer ask all others for their indexes, and checks that it then knows exactly who
    /// has what.
    pub(super) fn tell_each_other(
        &self,
        plan: &Plan,
        documents: &Documents,
    ) -> Result<(), RunError> {
        for (peer, node) in self.peers.iter().enumerate() {
            let found = node.find(&Search::All { fresh: true });
            let found = found.map_err(|reason| RunError::Away { peer, reason })?;
            let (told, others) = (found.answered, self.peers.len() - 1);
            if told != others {
                let asking = peer;
                return Err(RunError::Untold {
                    asking,
                    others,
                    told,
                });
            }
            let records = found.records.iter().map(|listed| &listed.record);
            let told: HashSet<_> = records.map(|r| (r.number, &r.holder)).collect();
            let mut left = documents.all().len();
            for (other, held) in self.peers.iter().zip(&plan.holdings) {
                let held = documents.all().get(held.clone()).unwrap_or_default();
                let is_told = |held: &&Document| told.contains(&(held.number, other.me()));
                left -= held.iter().filter(is_told).count();
            }
            let known = found.records.len();
            if left > 0 || known != documents.all().len() {
                return Err(RunError::Incomplete { peer, known, left });
            }
        }
        Ok(())
    }

    /// All peers leave, after every uploader has counted its uploads.
    pub(super) fn leave(self) -> Left {
        Left {
            activities: self.peers.iter().map(Node::activity).collect(),
            folder: self.folder,
        }
    }
}

impl Left {
    /// The path of an RFC's file at a peer.
    pub(super) fn path(&self, peer: usize, number: RfcNumber) -> PathBuf {
        home(&self.folder, peer).join(format!("rfc{number}.txt"))
    }
}

fn home(folder: &TempDir, peer: usize) -> PathBuf {
    folder.path().join(format!("p{peer}"))
}

/// Passes on events from servers and peers, except their addresses and the end of a server.
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

/// Starts a registration server that stores nothing.
fn serve_registrations(events: &Events) -> Result<Server, StartError> {
    let config = registration::Config {
        place: Place {
            bind: Some(LOOPBACK),
            ..Place::default()
        },
        request_time: REQUEST_TIME,
        ttl: Duration::from_secs(di::TTL.into()),
        storage: Storage::Memory,
    };
    // However the peers are stopped, they leave the server first.
    registration::start(config, events, &Stop::default())
}
