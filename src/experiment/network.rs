//! The registration server and the peers of one run, all in this process, on free loopback ports.
//!
//! It knows who has what, and nothing of what is fetched or measured.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Plan;
use super::documents::{Document, Documents};
use super::run::RunError;
use super::stage::Stage;
use crate::event::{Event, Events, Reader, Topic, Topics};
use crate::file_error::FileError;
use crate::index::{self, Index, Known, Participation, Query};
use crate::library::Library;
use crate::net::{Dialects, Listener, Pace, Place, Server, Sockets};
use crate::node::Activity;
use crate::registration::{self, Storage};
use crate::transfer::{Downloader, Uploads};
use crate::wire::Dialect;
use crate::wire::di;
use crate::wire::{Endpoint, Host, Port, Protocol};

/// How long the registration server waits for a request.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long the uploads have to end after the last download.
const END_TIME: Duration = Duration::from_secs(5);

/// A registration server and its peers. Dropping it closes all their sockets; the folders of the
/// peers go with it.
#[derive(Debug)]
pub(super) struct Network {
    /// It ends with the network.
    _registration: Server,
    pub(super) peers: Vec<Node>,
    folder: TempDir,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) known: Known,
    pub(super) library: Arc<Library>,
    pub(super) downloader: Downloader,
    pub(super) activity: Activity,
    index: Arc<dyn Index>,
    asking: Sockets,
    uploading: Sockets,
}

impl Network {
    /// Starts everything; every peer is registered, and no one has asked another yet.
    pub(super) fn start(
        plan: &Plan,
        documents: &Documents,
        upload_rate: u64,
        stage: &Stage,
    ) -> Result<Self, RunError> {
        let folder = TempDir::with_prefix("p2pci-experiment-")
            .map_err(FileError::of("make a folder in", &std::env::temp_dir()))?;
        let registration = serve_registrations(stage)?;
        let server = Endpoint {
            host: Ipv4Addr::LOCALHOST.to_string().parse()?,
            port: Port::new(registration.port()).unwrap_or(Port::MIN),
        };
        let mut network = Self {
            _registration: registration,
            peers: Vec::new(),
            folder,
        };
        for (number, holding) in plan.holdings.iter().enumerate() {
            let home = network.folder.path().join(format!("p{number}"));
            fs::create_dir(&home).map_err(FileError::of("make the folder", &home))?;
            for document in documents.all().get(holding.clone()).unwrap_or_default() {
                let Document { number, path, .. } = document;
                let to = home.join(format!("rfc{number}.txt"));
                fs::copy(path, &to).map_err(FileError::of("write", &to))?;
            }
            let library = Arc::new(Library::open(&home, None, stage.events.clone())?);
            let node = Node::start(library, server.clone(), upload_rate, stage)?;
            network.peers.push(node);
        }
        Ok(network)
    }

    /// Lets every peer ask who is active, and then all of them for their index.
    pub(super) fn tell_each_other(&self) -> Result<(), RunError> {
        for (asking, node) in self.peers.iter().enumerate() {
            let found = node.index.find_first(&Query::All { fresh: true })?;
            let (active, told) = (found.asked, found.answered);
            if active + 1 != self.peers.len() {
                return Err(RunError::Inactive { asking, active });
            }
            if told < active {
                return Err(RunError::Untold {
                    asking,
                    active,
                    told,
                });
            }
        }
        Ok(())
    }

    /// Checks that every peer knows exactly who holds what.
    pub(super) fn check_indexes(&self, plan: &Plan, documents: &Documents) -> Result<(), RunError> {
        for (peer, node) in self.peers.iter().enumerate() {
            let now = Instant::now();
            let mut left = documents.all().len();
            for (holder, other) in self.peers.iter().enumerate() {
                let held = plan.holdings.get(holder).cloned().unwrap_or_default();
                for document in documents.all().get(held).unwrap_or_default() {
                    let is_known = if holder == peer {
                        node.library.title(document.number).is_some()
                    } else {
                        let holders = node.known.holders(document.number, now);
                        let mut holders = holders.iter().map(|timed| &timed.record.holder);
                        holders.any(|holder| holder == other.known.me())
                    };
                    left -= usize::from(is_known);
                }
            }
            let shared = node.library.shared();
            let known = node.known.all(shared, now).len();
            if left > 0 || known != documents.all().len() {
                return Err(RunError::Incomplete { peer, known, left });
            }
        }
        Ok(())
    }

    /// All peers leave and close their sockets, once those who send have counted what they sent.
    pub(super) fn leave(&self) {
        let until = Instant::now() + END_TIME;
        for node in &self.peers {
            node.index.leave();
            node.uploading.stop_listening();
        }
        for node in &self.peers {
            let left = until.saturating_duration_since(Instant::now());
            // What goes on longer shows in the counts.
            let _ = node.uploading.wait_until_none(left);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in &self.peers {
            node.uploading.close_all();
            node.asking.close_all();
        }
    }
}

impl Node {
    fn start(
        library: Arc<Library>,
        server: Endpoint,
        upload_rate: u64,
        stage: &Stage,
    ) -> Result<Self, RunError> {
        let (asking, uploading) = (Sockets::default(), Sockets::default());
        stage.stop.watch(&asking);
        stage.stop.watch(&uploading);
        let (listener, me) = listen()?;
        let known = Known::new(me);
        let activity = Activity::default();
        let events = stage.events.and(activity.clone());
        let uploads = Uploads {
            library: library.clone(),
            me: known.me().clone(),
            known: {
                let (library, known) = (library.clone(), known.clone());
                move || known.all(library.shared(), Instant::now())
            },
            pace: Pace::new(upload_rate),
            sockets: uploading.clone(),
            events: events.clone(),
            os: stage.os.clone(),
        };
        in_background("uploads", move || uploads.serve(listener))?;
        let participation = Participation {
            dialects: Dialects::new(Some(Dialect::Text)),
            server,
            library: library.clone(),
            known: known.clone(),
            sockets: asking.clone(),
            events: events.clone(),
            os: stage.os.clone(),
            pipeline: 1,
            // Every run is the first one.
            cookie_file: None,
        };
        let index = index::join(index::Kind::Distributed, participation)?;
        let downloader = Downloader {
            sockets: asking.clone(),
            events,
            os: stage.os.clone(),
            protocol: Protocol::Di,
            dialects: Dialects::new(Some(Dialect::Text)),
        };
        Ok(Self {
            known,
            library,
            downloader,
            activity,
            index,
            asking,
            uploading,
        })
    }
}

/// Starts a registration server that keeps nothing.
fn serve_registrations(stage: &Stage) -> Result<Server, RunError> {
    let config = registration::Config {
        place: Place {
            bind: Some(Ipv4Addr::LOCALHOST.into()),
            ..Place::default()
        },
        request_time: REQUEST_TIME,
        ttl: Duration::from_secs(di::TTL.into()),
        storage: Storage::Memory,
    };
    let events = Events::default().and(Inside(stage.events.clone()));
    Ok(registration::start(config, &events, &stage.stop)?)
}

/// Passes on what happens inside a server, and not that it begins and ends.
struct Inside(Events);

impl Reader for Inside {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life, Topic::Messages])
    }

    fn read(&self, event: &Event<'_>) {
        if !matches!(event, Event::Listening { .. } | Event::Stopped { .. }) {
            self.0.tell(event.topic(), || event.clone());
        }
    }
}

/// Listens on a free port of loopback.
fn listen() -> Result<(Listener, Endpoint), RunError> {
    let address = IpAddr::from(Ipv4Addr::LOCALHOST);
    let listener = Listener::bind(Some(address), 0)?;
    let host: Host = address.to_string().parse()?;
    let port = Port::new(listener.port()).unwrap_or(Port::MIN);
    Ok((listener, Endpoint { host, port }))
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), RunError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(RunError::Thread)
}
