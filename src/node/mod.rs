//! The peer: a folder that is shared, and what can be done with it.
//!
//! A [`Node`] is started from a [`Config`], and leaves when it is dropped. What the doors offer are
//! its actions (`actions`, `get`), each with a typed outcome. It never imports the server's side.

mod actions;
mod activity;
mod failure;
pub(crate) mod get;
mod name;
pub mod numbers;
mod watch;

pub(crate) use actions::Registered;
pub(crate) use activity::{Activity, Counts, LastUpload};
pub use failure::{Code, Failure};
pub(crate) use get::{Gotten, Outcome, Wanted};

pub use crate::index::{Listed, Listing, Query, Standing};
pub use crate::net::Stop;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::event::{Event, Events, Level, Role, Topic};
use crate::index::{self, CookieFile, Index, Kind, Known, Participation};
use crate::library::Library;
use crate::net::{Dialects, Limits, Listener, Pace, Sockets, operating_system};
use crate::transfer::{Downloader, Uploads};
use crate::wire::{Dialect, Endpoint, Host, Port, Protocol, RfcNumber};

/// How long the uploads at work have to end when the node leaves.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// What a node is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// How it learns who has what.
    pub kind: Kind,
    /// The index server, or the registration server.
    pub server: Endpoint,
    /// How others are spoken to: in one dialect, or in the one that each understands.
    pub dialect: Option<Dialect>,
    /// How many RFCs are registered ahead of the answers of a central index.
    pub pipeline: usize,
    /// The folder; made if it is missing.
    pub folder: PathBuf,
    /// The RFCs of the folder that are offered, where it is not all of them.
    pub only: Option<Vec<RfcNumber>>,
    /// Whether the folder is shared. Without it only what is added or downloaded is.
    pub shares: bool,
    /// The name under which others reach it, where it is not to be found out.
    pub hostname: Option<Host>,
    /// The local address of the upload server, where it is not every one.
    pub bind: Option<IpAddr>,
    /// The port of the upload server; 0 is any free one.
    pub upload_port: u16,
    /// The most bytes a second that all uploads together may take; 0 is no limit.
    pub upload_rate: u64,
    /// The most uploads at a time.
    pub max_uploads: usize,
    /// The folder that keeps what is needed in the next run; without one nothing is kept.
    pub state: Option<PathBuf>,
}

/// A peer that takes part, until it is dropped: then it leaves the index, and uploads at work have 5
/// seconds to end.
#[derive(Debug)]
pub struct Node {
    me: Endpoint,
    library: Arc<Library>,
    index: Arc<dyn Index>,
    downloader: Downloader,
    activity: Activity,
    events: Events,
    /// The connections to others.
    asking: Sockets,
    _uploading: Uploading,
}

/// The connections from others. They go after the index was left.
#[derive(Debug)]
struct Uploading(Sockets);

impl Node {
    /// Starts the upload server and joins the index. `stop` ends it at any time, also while it is
    /// connecting: all its connections are closed then, and what waits for one fails.
    pub fn start(config: &Config, events: &Events, stop: &Stop) -> Result<Self, Failure> {
        let activity = Activity::default();
        let events = events.after(activity.clone());
        let library = Arc::new(if config.shares {
            Library::open(&config.folder, config.only.as_deref(), events.clone())?
        } else {
            Library::unshared(&config.folder, events.clone())?
        });
        let limits = Limits {
            total: config.max_uploads,
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
                move || known.all(library.shared(), Instant::now())
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
            cookie_file,
        };
        let index = index::join(config.kind, participation)?;
        Ok(Self {
            me,
            library,
            index,
            downloader,
            activity,
            events,
            asking,
            _uploading: uploading,
        })
    }

    /// Registers the folder, now and whenever something comes into it, and tells how much that is.
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
            // The index will be back, and sharing goes on meanwhile.
            (Err(error), _) if error.is_passing() => {}
            (Err(error), _) => return Err(error.into()),
        }
        self.watch_folder()
    }

    /// The name under which others reach this node.
    pub(crate) fn me(&self) -> &Endpoint {
        &self.me
    }

    /// What it has uploaded and downloaded, also after it has left.
    pub(crate) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.asking.is_closing()
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
        // Uploads that have begun may finish within a time limit.
        self.0.stop_listening();
        if !self.0.wait_until_none(LEAVE_TIME) {
            self.0.close_all();
        }
    }
}

/// Listens for uploads, and says where.
fn listen(config: &Config, events: &Events) -> Result<(Listener, Endpoint), Failure> {
    let listener = Listener::bind(config.bind, config.upload_port);
    let listener = listener.map_err(Failure::other)?;
    let (role, port) = (Role::Upload, listener.port());
    events.tell(Topic::Life, || Event::Listening { role, port });
    let (host, reason) = name::choose(config.hostname.clone(), config.bind, &config.server);
    events.tell(Topic::Life, || Event::Named {
        host: &host,
        reason: reason.into(),
    });
    // A port that is listened on is never 0.
    let port = Port::new(port).unwrap_or(Port::MIN);
    Ok((listener, Endpoint { host, port }))
}

/// The file that keeps the cookie of this peer. Without one the peer is a new one to the
/// registration server each time, which is no reason not to take part.
fn cookie_file(config: &Config, events: &Events) -> Option<CookieFile> {
    let state = config.state.as_deref()?;
    let folder = config.folder.as_path();
    // Peers that share nothing are one, whatever their folder.
    let shared = if config.shares { folder } else { Path::new("") };
    match CookieFile::open(state, &config.server, shared) {
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
            let what = format_args!("cannot save the cookie in {state}: {error}");
            events.notice(Level::Warning, what);
        }
    }
    None
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| {
        let what = format_args!("cannot start the thread {name:?}: {error}");
        Failure::new(Code::Other, what)
    })
}
