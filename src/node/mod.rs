//! The peer: a shared folder, and the actions on it.
//!
//! A [`Node`] is started from a [`Config`], and leaves when it is dropped. Its actions
//! ([`actions`], [`get`]) have typed outcomes. It never imports the server's side.

pub mod actions;
mod activity;
mod failure;
pub mod get;
pub mod name;
pub mod numbers;
mod watch;

pub use actions::{Added, Search, Status};
pub use activity::{Activity, Counts, LastUpload};
pub use failure::{Code, Failure};
pub use get::{Gotten, Outcome, Wanted};

pub use crate::index::{Listed, Listing, Standing};
pub use crate::net::Stop;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::event::{Event, Events, Level, Role, Topic};
use crate::index::{self, CookieFile, Index, IndexError, Kind, Known, Participation};
use crate::library::Library;
use crate::net::{Dialects, Limits, Listener, Pace, Sockets, operating_system};
use crate::transfer::{Downloader, Uploads};
use crate::wire::{Dialect, Endpoint, Host, Port, Protocol, RfcNumber};

/// How long current uploads have to end when the node leaves.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// The configuration of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// The kind of index.
    pub kind: Kind,
    /// The index server or the registration server.
    pub server: Endpoint,
    /// The dialect of others; `None` to use what each one understands.
    pub dialect: Option<Dialect>,
    /// How many RFCs are registered before the answers of a central index arrive.
    pub pipeline: usize,
    /// The folder; created if it is missing.
    pub folder: PathBuf,
    /// The RFCs of the folder to offer; `None` means all.
    pub only: Option<Vec<RfcNumber>>,
    /// Whether to share the folder. Otherwise only what is added or downloaded is shared.
    pub shares: bool,
    /// The name at which others reach it; `None` to choose one.
    pub hostname: Option<Host>,
    /// The local address of the upload server; `None` means every one.
    pub bind: Option<IpAddr>,
    /// The port of the upload server; 0 selects any free one.
    pub upload_port: u16,
    /// The total upload rate, in bytes per second; 0 means no limit.
    pub upload_rate: u64,
    /// The most uploads at the same time.
    pub max_uploads: usize,
    /// The folder for state that the next run needs; without one no state is kept.
    pub state: Option<PathBuf>,
}

/// A running peer. When dropped, it leaves the index, and current uploads have 5 seconds to end.
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

/// The connections from others. They are closed after leaving the index.
#[derive(Debug)]
struct Uploading(Sockets);

impl Node {
    /// Starts the upload server and joins the index. `stop` ends it at any time, even while it
    /// connects: it closes all connections, and whatever waits for one fails.
    pub fn start(config: &Config, events: &Events, stop: &Stop) -> Result<Self, Failure> {
        let activity = Activity::default();
        let events = events.after(activity.clone());
        let library = Arc::new(if config.shares {
            Library::open(&config.folder, config.only.as_deref(), events.clone())?
        } else {
            Library::unshared(&config.folder, events.clone())?
        });
        let (asking, uploading) = (Sockets::default(), Uploading::within(config.max_uploads));
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
        let index = index::join(config.kind, participation).map_err(unjoined)?;
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

    /// Registers the folder, now and whenever files are added, and reports how many RFCs it has.
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
            // The index will be back, and sharing continues in the meantime.
            (Err(error), _) if error.is_passing() => {}
            (Err(error), _) => return Err(error.into()),
        }
        self.watch_folder()
    }

    /// The name at which others reach this node.
    pub fn me(&self) -> &Endpoint {
        &self.me
    }

    /// What it has uploaded and downloaded, available even after it has left.
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Whether it is about to end.
    pub fn is_stopping(&self) -> bool {
        self.asking.is_closing()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.index.leave();
        self.asking.close_all();
    }
}

impl Uploading {
    fn within(most: usize) -> Self {
        Self(Sockets::with_limits(Limits {
            total: most,
            ..Limits::default()
        }))
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        // Current uploads may finish, but within a limit.
        self.0.stop_listening();
        if !self.0.wait_until_none(LEAVE_TIME) {
            self.0.close_all();
        }
    }
}

/// Starts listening for uploads, and reports the port.
fn listen(config: &Config, events: &Events) -> Result<(Listener, Endpoint), Failure> {
    let listener = Listener::bind(config.bind, config.upload_port);
    let listener = listener.map_err(Failure::other)?;
    let (role, port) = (Role::Upload, listener.port());
    events.tell(Topic::Life, || Event::Listening { role, port });
    let name = name::choose(config.hostname.clone(), config.bind, &config.server);
    events.tell(Topic::Life, || Event::Named {
        host: &name.host,
        reason: name.reason.into(),
    });
    // A port that is listened on is never 0.
    let port = Port::new(port).unwrap_or(Port::MIN);
    let host = name.host;
    Ok((listener, Endpoint { host, port }))
}

fn unjoined(error: IndexError) -> Failure {
    match error {
        IndexError::Unreachable(_) => Failure::new(
            Code::IndexUnreachable,
            format_args!("the index server can't be reached: {error}"),
        ),
        error => error.into(),
    }
}

/// The file for this peer's cookie. Without it the registration server sees a new peer at each
/// start, which is no reason to fail.
fn cookie_file(config: &Config, events: &Events) -> Option<CookieFile> {
    let state = config.state.as_deref()?;
    let folder = config.folder.as_path();
    // All peers that share nothing use one file, whatever their folder.
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
