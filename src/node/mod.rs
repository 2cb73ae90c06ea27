//! The peer: shares a folder, and downloads from other peers.
//!
//! A [`Node`] starts from a [`Config`] and leaves the index when it is dropped. Its actions
//! (`actions`, by its [`Handle`]) have typed outcomes, which the doors show. It imports nothing of the servers.

mod actions;
mod activity;
mod failure;
pub(crate) mod get;
mod handle;
mod import;
mod name;
pub mod numbers;
mod send;
mod status;
mod watch;

pub(crate) use actions::{Actions, Added, Registered, with_words};
pub(crate) use activity::{Activity, Counts, LastUpload};
pub use failure::{Code, Failure};
pub(crate) use get::{Outcome, Wanted};
pub use handle::Handle;
pub use send::send;
pub use status::Status;

pub use crate::index::{Kind, Listed, Listing, Query, Records, Standing};
pub use crate::net::{Ports, Sockets, Stop};

use std::net::IpAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::event::{Event, Events, Level, Role, Topic};
use crate::index::{self, CookieFile, Known, Member, Participation, Recent, state_name};
use crate::library::Library;
use crate::net::{Dialects, Limits, Listener, Pace, operating_system};
use crate::transfer::{Downloader, Uploads};
use crate::wire::{Dialect, Endpoint, Host, Port, Protocol, RfcNumber};

/// How long running uploads may take to finish when the node leaves.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// The configuration of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// The kind of index.
    pub kind: Kind,
    /// The index server, the registration server, or the introducer.
    pub server: Endpoint,
    /// The dialect for requests; `None` uses whichever the other side understands.
    pub dialect: Option<Dialect>,
    /// How many ADDs to send to a central index before reading the first response; `None` finds out
    /// how many it understands.
    pub pipeline: Option<usize>,
    /// The ports of other peers that an index may name.
    pub ports: Ports,
    /// The folder; created if it is missing.
    pub folder: PathBuf,
    /// The RFCs of the folder to offer; `None` for all.
    pub only: Option<Vec<RfcNumber>>,
    /// Whether to share the folder. If not, only RFCs that are added or downloaded are shared.
    pub shares: bool,
    /// The name that others connect to; `None` chooses one.
    pub hostname: Option<Host>,
    /// The local address of the upload server, and of the node of a hash table; `None` for every
    /// address.
    pub bind: Option<IpAddr>,
    /// The port of the upload server, and of the node of a hash table; 0 for any free one.
    pub upload_port: u16,
    /// The limit of all uploads together, in bytes per second; 0 for none.
    pub upload_rate: u64,
    /// The maximum number of simultaneous uploads.
    pub max_uploads: usize,
    /// The maximum number of simultaneous uploads to one address; of IPv6, to one /64.
    pub max_uploads_per_address: usize,
    /// The folder for state that survives a restart; `None` keeps nothing.
    pub state: Option<PathBuf>,
    /// Whether the node of a hash table joins the public network.
    pub public_dht: bool,
}

/// A running peer. When dropped, it leaves the index, and running uploads have 5 seconds to finish.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    uploading: Uploading,
}

/// Incoming connections. They close after the node has left the index.
#[derive(Debug)]
struct Uploading(Sockets);

impl Node {
    /// Starts the upload server and joins the index. `stop` closes all its connections at any time,
    /// even during the start, so whatever waits for one fails.
    pub fn start(config: &Config, events: &Events, stop: &Stop) -> Result<Self, Failure> {
        let activity = Activity::default();
        let recent = Recent::default();
        let events = events.after(activity.clone()).after(recent.clone());
        let library = Arc::new(if config.shares {
            let name = || format!("titles-{}.json", state_name(None, &config.folder));
            let kept = config.state.as_ref().map(|folder| folder.join(name()));
            let (only, kept) = (config.only.as_deref(), kept.as_deref());
            Library::open(&config.folder, only, kept, events.clone())?
        } else {
            Library::unshared(&config.folder, events.clone())?
        });
        let limits = Limits {
            total: config.max_uploads,
            per_address: config.max_uploads_per_address,
            ..Limits::default()
        };
        let asking = Sockets::default();
        let uploading = Uploading(Sockets::with_limits(limits));
        stop.watch(&asking);
        stop.watch(&uploading.0);
        let (listener, me) = listen(config, &events)?;
        let (known, os): (_, Arc<str>) = (Known::new(me.clone()), operating_system().into());
        let uploads = Uploads {
            library: library.clone(),
            me: me.clone(),
            known: {
                let (library, known) = (library.clone(), known.clone());
                move || known.view(library.shared(), Instant::now())
            },
            pace: Pace::new(config.upload_rate),
            sockets: uploading.0.clone(),
            events: events.clone(),
            os: os.clone(),
        };
        in_background("uploads", move || uploads.serve(listener))?;
        let (protocol, cookie_file) = match config.kind {
            Kind::Central => (Protocol::Ci, None),
            Kind::Distributed => (Protocol::Di, cookie_file(config, &events)),
            Kind::Dht => (Protocol::Di, None),
        };
        let dialects = Dialects::new(config.dialect);
        let downloader = Downloader {
            sockets: asking.clone(),
            ports: config.ports,
            events: events.clone(),
            os: os.clone(),
            protocol,
            dialects: dialects.clone(),
        };
        let participation = Participation {
            server: config.server.clone(),
            library: library.clone(),
            known,
            dialects,
            sockets: asking.clone(),
            events: events.clone(),
            os,
            pipeline: config.pipeline,
            ports: config.ports,
            cookie_file,
            recent,
            member: member(config),
            stop: stop.clone(),
        };
        let index = index::join(config.kind, participation);
        let index =
            index.map_err(|error| Failure::not_joined(error, config.kind, &config.server))?;
        Ok(Self {
            handle: Handle {
                me,
                kind: config.kind,
                library,
                index,
                downloader,
                activity,
                events,
                asking,
                since: SystemTime::now(),
            },
            uploading,
        })
    }

    /// Registers the folder now, reports how many RFCs that is, and registers new files as they
    /// appear.
    pub fn share(&self) -> Result<(), Failure> {
        let (shared, folder) = (self.library.shared(), self.library.folder().display());
        match (self.index.publish(&shared), shared.len()) {
            (Ok(_), 0) => self.events.notice(
                Level::Warning,
                format_args!("no RFCs are shared: {folder} has no files named rfcN.txt"),
            ),
            (Ok(_), count) => self.events.notice(
                Level::Info,
                format_args!("{count} RFC(s) of {folder} are shared"),
            ),
            // Sharing continues until the index is back.
            (Err(error), _) if error.is_passing() => {}
            (Err(error), _) => return Err(error.into()),
        }
        self.watch_folder()
    }

    /// Closes all connections without leaving the index, as if the process was killed.
    pub(crate) fn cut_off(&self) {
        self.asking.close_all();
        self.uploading.0.close_all();
    }
}

/// A node has all actions of its handle.
impl Deref for Node {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.index.leave();
        self.asking.close_all();
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        // Let running uploads finish within the time limit.
        self.0.stop_listening();
        if !self.0.wait_until_none(LEAVE_TIME) {
            self.0.close_all();
        }
    }
}

/// Listens for uploads, and reports the address.
fn listen(config: &Config, events: &Events) -> Result<(Listener, Endpoint), Failure> {
    let listener = Listener::bind(config.bind, config.upload_port);
    let listener = listener.map_err(Failure::other)?;
    let (role, port) = (Role::Upload, listener.port());
    events.tell(Topic::Life, || Event::Listening { role, port });
    let (given, bind, server) = (config.hostname.clone(), config.bind, &config.server);
    let (host, reason) = match config.kind {
        Kind::Dht => name::choose_ipv4(given, bind, server)?,
        Kind::Central | Kind::Distributed => name::choose(given, bind, server),
    };
    events.tell(Topic::Life, || Event::Named {
        host: &host,
        reason: reason.into(),
    });
    if config.kind == Kind::Dht && config.shares && is_hidden(config, &host) {
        let what = format_args!(
            "only programs on this machine can reach this peer at {host}; to share on the network, \
             name the introducer by its address or host name (--host)"
        );
        events.notice(Level::Warning, what);
    }
    // A bound port is never 0.
    let port = Port::new(port).unwrap_or(Port::MIN);
    Ok((listener, Endpoint { host, port }))
}

/// Whether others can't reach this peer, and nobody has asked for that.
fn is_hidden(config: &Config, host: &Host) -> bool {
    let address = host.as_str().parse::<IpAddr>();
    let is_here = address.is_ok_and(|address| address.is_loopback());
    is_here && config.hostname.is_none() && config.bind.is_none()
}

/// Opens the file that keeps the cookie. Without a file the peer still works, but each run
/// registers as a new peer.
fn cookie_file(config: &Config, events: &Events) -> Option<CookieFile> {
    let state = config.state.as_deref()?;
    let folder = config.folder.as_path();
    match CookieFile::open(state, &config.server, shared(config)) {
        Ok(Some(file)) => return Some(file),
        Ok(None) if config.shares => {
            let folder = folder.display();
            events.notice(
                Level::Info,
                format_args!(
                    "Another peer also shares {folder}, so this one registers without a cookie"
                ),
            );
        }
        Ok(None) => {}
        Err(error) => {
            let state = state.display();
            events.notice(
                Level::Warning,
                format_args!("cannot save the cookie in {state}: {error}"),
            );
        }
    }
    None
}

/// The folder whose state a peer uses. Those that share nothing use the same state.
fn shared(config: &Config) -> &Path {
    if config.shares {
        &config.folder
    } else {
        Path::new("")
    }
}

/// How this peer takes part in a hash table.
fn member(config: &Config) -> Member {
    let name = || state_name(Some(&config.server), shared(config));
    let state = config.state.as_deref();
    Member {
        bind: config.bind,
        port: config.upload_port,
        saved: state.map(|folder| folder.join(format!("nodes-{}.json", name()))),
        public: config.public_dht,
        stays: config.shares,
    }
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread
        .map(drop)
        .map_err(|error| Failure::other(format_args!("cannot start the thread {name:?}: {error}")))
}
