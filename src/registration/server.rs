//! The registration server as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use super::store::{Found, StateError};
use super::{Register, Sessions};
use crate::event::{Events, Level, Role};
use crate::net::{Connection, ListenError, Place, Server, Stop, operating_system};
use crate::wire::Status;
use crate::wire::di::server::{Answer, Conversation};

/// How often it is looked at whose time has run out.
const EXPIRY_LOOK: Duration = Duration::from_secs(1);

/// What a registration server is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub place: Place,
    /// How long a request may take, the first one from the connection on.
    pub request_time: Duration,
    /// How long a peer is active without contact.
    pub ttl: Duration,
    /// Where the peers are kept between runs.
    pub storage: Storage,
}

/// Where the peers are kept between runs.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Nowhere: a restart forgets all peers.
    Memory,
    /// In this file.
    File(PathBuf),
    /// In a file of this folder, whose name has the port of the server in it.
    Folder(PathBuf),
}

/// Why a registration server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its port can't be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The file of its peers can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no thread for it.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Starts a registration server that knows whom it knew before.
///
/// # Errors
/// [`StartError`], before anybody could connect.
pub fn start(config: Config, events: &Events, stop: &Stop) -> Result<Server, StartError> {
    let open = config.place.listen(Role::Registration, events, stop)?;
    let path = match config.storage {
        Storage::Memory => None,
        Storage::File(path) => Some(path),
        Storage::Folder(folder) => Some(folder.join(format!("registrations-{}.json", open.port()))),
    };
    let (register, found) = Register::open(path.clone(), config.ttl, events.clone())?;
    open.announce();
    if let Some(path) = path {
        tell_found(&path, &found, events);
    }
    let sessions = Sessions {
        register: register.clone(),
        sockets: open.sockets().clone(),
        events: events.clone(),
        request_time: config.request_time,
        os: operating_system().into(),
    };
    let (watching, ended) = mpsc::channel();
    let watched = sessions.clone();
    let watch = thread::Builder::new().name("expiry".to_owned());
    watch.spawn(move || watch_expiry(&watched, &ended))?;
    let no_room = sessions.encode(
        &Conversation::default(),
        &Answer::Refused(Status::ServiceUnavailable),
    );
    let serve = move |connection: &mut Connection, link| sessions.serve(connection, link);
    let close = move || {
        drop(watching);
        // Those who were answered last are in the file as well.
        register.close();
    };
    Ok(open.serve(no_room, serve, close)?)
}

/// Tells whose time has run out, until the server has `ended`.
fn watch_expiry(sessions: &Sessions, ended: &Receiver<()>) {
    let mut before = SystemTime::now();
    while ended.recv_timeout(EXPIRY_LOOK) == Err(RecvTimeoutError::Timeout) {
        let now = SystemTime::now();
        sessions.tell_expired(before, now);
        before = now;
    }
}

/// Tells what the server knows from the run before.
fn tell_found(path: &Path, found: &Found, events: &Events) {
    let path = path.display();
    match found {
        Found::Nothing => {}
        Found::Table(count) => {
            let what = format_args!("{count} peer(s) are known from {path}");
            events.notice(Level::Info, what);
        }
        Found::Damaged { reason, set_aside } => {
            let set_aside = set_aside.display();
            events.notice(
                Level::Warning,
                format_args!(
                    "{path} is damaged ({reason}); it is set aside as {set_aside}, and no peer is \
                     known"
                ),
            );
        }
    }
}
