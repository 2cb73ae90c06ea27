//! The registration server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::now::Now;
use super::store::Found;
use super::{Register, Sessions};
use crate::event::{Events, Level, Role};
use crate::file_error::FileError;
use crate::net::{Connection, ListenError, Place, Server, Stop, operating_system};
use crate::state_file::{StateError, Storage};
use crate::wire::Status;
use crate::wire::di::server::{Answer, Conversation};

/// How often expired peers are reported.
const EXPIRY_LOOK: Duration = Duration::from_secs(1);

/// The configuration of a registration server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub place: Place,
    /// How long a request may take. The time for the first one starts with the connection.
    pub request_time: Duration,
    /// How long a peer is active without contact.
    pub ttl: Duration,
    /// Where the peers are stored between runs.
    pub storage: Storage,
}

/// Why a registration server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The state file can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The thread can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Starts a registration server that remembers the peers of the previous run. Returns its table too.
pub fn start(
    config: Config,
    events: &Events,
    stop: &Stop,
) -> Result<(Server, Register), StartError> {
    let open = config.place.listen(Role::Registration, events, stop)?;
    let path = match config.storage {
        Storage::Memory => None,
        Storage::File(path) => Some(path),
        Storage::Folder(folder) => Some(default_file(&folder, open.port())?),
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
    let table = register.clone();
    let close = move || {
        drop(watching);
        // Late registrations are saved too.
        table.close();
    };
    Ok((open.serve(no_room, serve, close)?, register))
}

/// The file of the server at this port. In earlier versions its name and its contents were JSON.
fn default_file(folder: &Path, port: u16) -> Result<PathBuf, StateError> {
    let file = folder.join(format!("registrations-{port}.redb"));
    let earlier = file.with_extension("json");
    if earlier.exists() && !file.exists() {
        fs::rename(&earlier, &file).map_err(FileError::of("rename", &earlier))?;
    }
    Ok(file)
}

/// Reports peers whose time to live has expired, until the server has `ended`.
fn watch_expiry(sessions: &Sessions, ended: &Receiver<()>) {
    let mut before = Instant::now();
    while ended.recv_timeout(EXPIRY_LOOK) == Err(RecvTimeoutError::Timeout) {
        let now = Now::read();
        sessions.tell_expired(before, now);
        before = now.instant;
    }
}

/// Reports what was loaded from the previous run.
fn tell_found(path: &Path, found: &Found, events: &Events) {
    let path = path.display();
    match found {
        Found::Nothing => {}
        Found::Table(count) => {
            let what = format_args!("Loaded {count} peer(s) from {path}");
            events.notice(Level::Info, what);
        }
        Found::CarriedOver { count, kept_as } => {
            let kept_as = kept_as.display();
            events.notice(
                Level::Info,
                format_args!(
                    "Loaded {count} peer(s) from {path}, which is now a database; the earlier file \
                     is kept as {kept_as}"
                ),
            );
        }
        Found::Damaged { reason, set_aside } => {
            let set_aside = set_aside.display();
            events.notice(
                Level::Warning,
                format_args!(
                    "{path} is damaged ({reason}); renamed it to {set_aside} and starting without \
                     any peers"
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::Notes;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};

    const REGISTER: &[u8] = b"REGISTER Peer P2P-DI/1.0\nHost: vm\nPort: 5\n\n";

    /// Starts a server that keeps its peers in `file`, lets a peer register, and drops the server.
    fn registered(file: &Path) -> (String, Vec<String>) {
        let notes = Notes::default();
        let place = Place {
            bind: Some(Ipv4Addr::LOCALHOST.into()),
            ..Place::default()
        };
        let config = Config {
            place,
            request_time: Duration::from_secs(20),
            ttl: Duration::from_hours(2),
            storage: Storage::File(file.to_owned()),
        };
        let events = Events::default().and(notes.clone());
        let (server, _) = start(config, &events, &Stop::default()).unwrap();
        let mut peer = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        peer.write_all(REGISTER).unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        drop(server);
        (answer, notes.all())
    }

    #[test]
    fn a_server_that_comes_back_knows_who_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("peers");
        for (count, known) in [(1, None), (2, Some("Loaded 1 peer(s) from"))] {
            let (answer, told) = registered(&file);
            let expected = format!("Cookie: 1\r\nTTL: 7200\r\nRegistrations: {count}\r\n");
            assert!(answer.contains(&expected), "{answer}");
            let notice = told.iter().find(|event| event.starts_with("Notice"));
            assert_eq!(notice.is_some(), known.is_some());
            assert!(notice.is_none_or(|told| told.contains(known.unwrap())));
            assert!(told[0].starts_with("Listening"));
            assert_eq!(told.last().unwrap(), "Stopped { cut_off: false }");
        }
    }

    #[test]
    fn the_file_of_an_earlier_version_is_renamed_once() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = ("registrations-7.json", "registrations-7.redb");
        let [old, new] = [old, new].map(|name| folder.path().join(name));
        let default_file = || default_file(folder.path(), 7).unwrap();
        assert_eq!(default_file(), new);
        fs::write(&old, "old").unwrap();
        assert_eq!(default_file(), new);
        assert_eq!(fs::read(&new).unwrap(), b"old");
        fs::write(&old, "restored").unwrap();
        default_file();
        assert_eq!(fs::read(&new).unwrap(), b"old");
    }
}
