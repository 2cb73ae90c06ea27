//! A peer in the background, as our own commands use it.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::message::{Action, Line};
use crate::event::Events;
use crate::net::{Connection, LocalPath, Sockets, Stop, connect_to_path};
use crate::node::get::{Ask, Done, Downloaded, Gotten, Kept, Place, Question};
use crate::node::{
    Actions, Added, Code, Failure, Listing, Outcome, Query, Status as PeerStatus, Wanted,
};
use crate::wire::control::{Status, response};
use crate::wire::{Endpoint, RfcNumber, Source, Title};

/// How long the peer may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How many seconds the peer may be silent. It writes something every 2 seconds.
const SILENCE: u32 = 10;
/// Silence is counted in pieces, so that the time for which this program is stopped is one of them.
const PIECE: Duration = Duration::from_secs(1);
/// The longest line of an answer, in bytes: the whole index.
const MAX_LINE: u64 = 512 * 1024 * 1024;
/// How long the peer may take to end. Its own limit is 10 seconds.
const END_TIME: Duration = Duration::from_secs(15);

/// A peer in the background.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    /// Its folder, as this program names it.
    folder: PathBuf,
    status: PeerStatus,
    sockets: Sockets,
    events: Events,
}

impl Client {
    /// The peer that listens at `path`; `None` if there is none. `folder` is how this program names
    /// the folder that the peer should share. `events` gets the events of actions, and `stop`
    /// interrupts them.
    pub fn find(
        path: &Path,
        folder: &Path,
        events: Events,
        stop: &Stop,
    ) -> Result<Option<Self>, Failure> {
        if !LocalPath::is_there(path) {
            return Ok(None);
        }
        let sockets = Sockets::default();
        stop.watch(&sockets);
        let connection = match connect_to_path(&sockets, path, CONNECT_TIME) {
            // Its peer has ended without removing it.
            Err(error) if is_left_over(&error) => return Ok(None),
            connected => connected.map_err(|error| no_connection(path, &error))?,
        };
        let who = format!("the peer in the background at {}", path.display());
        let status: PeerStatus = run(connection, &who, &Action::Status, &mut |_| Ok(None))?;
        let same = fs::canonicalize(folder).is_ok_and(|folder| {
            fs::canonicalize(&status.folder).is_ok_and(|shared| shared == folder)
        });
        let folder = if same { folder } else { &status.folder }.to_owned();
        Ok(Some(Self {
            path: path.to_owned(),
            folder,
            status,
            sockets,
            events,
        }))
    }

    /// The state of the peer when it was found.
    pub fn found(&self) -> &PeerStatus {
        &self.status
    }

    /// Ends the peer, and waits until its process has ended.
    pub fn stop(&self) -> Result<(), Failure> {
        let mut connection = self.connect()?;
        let expected = response(Status::Ok, b"");
        let mut answer = vec![0; expected.len()];
        connection.allow(Some(PIECE * SILENCE));
        let asked = connection
            .write_all(b"STOP\r\n")
            .and_then(|()| connection.read_exact(&mut answer));
        asked.map_err(|error| broken(&self.who(), &error))?;
        drop(connection);
        if answer != expected || !LocalPath::wait_until_free(&self.path, END_TIME) {
            let (who, pid) = (self.who(), self.status.pid);
            let what = format_args!("{who} has not ended; `kill {pid}` ends it");
            return Err(Failure::other(what));
        }
        Ok(())
    }

    fn connect(&self) -> Result<Connection, Failure> {
        let connected = connect_to_path(&self.sockets, &self.path, CONNECT_TIME);
        connected.map_err(|error| no_connection(&self.path, &error))
    }

    fn who(&self) -> String {
        format!("the peer in the background (process {})", self.status.pid)
    }

    /// Runs an action that neither asks nor ends in parts.
    fn run<T: DeserializeOwned>(&self, action: &Action) -> Result<T, Failure> {
        let mut tell = |line| {
            if let Line::Event(told) = line {
                told.tell(&self.events);
            }
            Ok(None)
        };
        run(self.connect()?, &self.who(), action, &mut tell)
    }

    /// The outcome with the path of the file as this program names it.
    fn here(&self, mut outcome: Outcome, wanted: &Wanted) -> Outcome {
        if let Outcome::Downloaded(Downloaded { path, .. }) | Outcome::Kept(Kept { path, .. }) =
            &mut outcome
        {
            *path = self.path_here(path, wanted);
        }
        outcome
    }

    fn path_here(&self, path: &Path, wanted: &Wanted) -> PathBuf {
        match (&wanted.place, path.file_name()) {
            (Place::File(path), _) => path.clone(),
            (Place::Folder(_), Some(name)) => self.folder.join(name),
            (Place::Folder(_), None) => path.to_owned(),
        }
    }
}

impl Actions for Client {
    fn find(&self, query: &Query) -> Result<Listing, Failure> {
        self.run(&Action::Find(query.clone()))
    }

    fn add(&self, number: RfcNumber, title: Option<Title>) -> Result<Added, Failure> {
        self.run(&Action::Add { number, title })
    }

    fn get(&self, wanted: &Wanted, ask: Ask<'_>, done: Done<'_>) -> Result<Gotten, Failure> {
        let mut there = wanted.clone();
        if let Place::File(path) = &mut there.place {
            // The peer has another working directory.
            *path = std::path::absolute(&*path).map_err(Failure::other)?;
        }
        let mut gotten = Gotten::default();
        let mut tell = |line| match line {
            Line::Event(told) => {
                told.tell(&self.events);
                Ok(None)
            }
            Line::Question(mut question) => {
                if let Question::Replace(path) = &mut question {
                    *path = self.path_here(path, wanted);
                }
                let answer = ask(question);
                serde_json::to_string(&answer).map(Some)
            }
            Line::Done(outcome) => {
                let outcome = self.here(outcome, wanted);
                done(&outcome);
                gotten.add(outcome);
                Ok(None)
            }
            Line::Ended { .. } | Line::Failed(_) => Ok(None),
        };
        let ended = run(self.connect()?, &self.who(), &Action::Get(there), &mut tell);
        // The outcomes so far are those of an interrupted GET.
        if !self.is_stopping() {
            let Gotten { .. } = ended?;
        }
        gotten.sort();
        Ok(gotten)
    }

    fn status(&self) -> Result<PeerStatus, Failure> {
        self.run(&Action::Status)
    }

    fn me(&self) -> &Endpoint {
        &self.status.peer
    }

    fn is_stopping(&self) -> bool {
        self.sockets.is_closing()
    }
}

/// Runs an action, and passes each line of the answer except the last one to `tell`, which returns
/// the answer to a question.
fn run<T: DeserializeOwned>(
    mut connection: Connection,
    who: &str,
    action: &Action,
    tell: &mut dyn FnMut(Line<T>) -> serde_json::Result<Option<String>>,
) -> Result<T, Failure> {
    let action = serde_json::to_string(action).map_err(Failure::other)?;
    let send = |connection: &mut Connection, text: String| {
        let sent = connection
            .write_all(text.as_bytes())
            .and_then(|()| connection.flush());
        sent.map_err(|error| broken(who, &error))
    };
    send(&mut connection, format!("RUN {action}\r\n"))?;
    let mut text = Vec::new();
    let busy = response(Status::ErrorOccurred, b"");
    loop {
        text.clear();
        read_line(&mut connection, &mut text).map_err(|error| broken(who, &error))?;
        match text.as_slice() {
            [] => return Err(broken(who, &io::ErrorKind::UnexpectedEof.into())),
            b"\n" => continue,
            text if text == busy => return Err(too_busy(who)),
            _ => {}
        }
        match serde_json::from_slice(&text).map_err(|_| not_understood(who))? {
            Line::Ended { outcome, .. } => return Ok(outcome),
            Line::Failed(failure) => return Err(failure),
            line => {
                if let Some(answer) = tell(line).map_err(Failure::other)? {
                    send(&mut connection, format!("{answer}\n"))?;
                }
            }
        }
    }
}

/// Reads a line of the answer.
fn read_line(connection: &mut Connection, line: &mut Vec<u8>) -> io::Result<()> {
    let (mut silent, mut before) = (0, 0);
    loop {
        connection.allow(Some(PIECE));
        let mut limited = Read::take(&mut *connection, MAX_LINE);
        match limited.read_until(b'\n', line) {
            Err(error) if is_late(&error) => {
                silent = if line.len() > before { 0 } else { silent + 1 };
                before = line.len();
                if silent == SILENCE {
                    return Err(error);
                }
            }
            read => return read.map(drop),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

fn is_left_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn no_connection(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let what = format_args!("cannot connect to the peer in the background at {path}: {error}");
    Failure::new(Code::IndexUnreachable, what)
}

fn broken(who: &str, error: &io::Error) -> Failure {
    let what = if is_late(error) {
        format!("{who} has not answered for {SILENCE} s")
    } else {
        format!("{who} ended before the command was done; run the command again")
    };
    Failure::new(Code::IndexUnreachable, what)
}

fn too_busy(who: &str) -> Failure {
    let what = format_args!("{who} serves too many programs at once; try again later");
    Failure::new(Code::IndexUnreachable, what)
}

fn not_understood(who: &str) -> Failure {
    let what = format_args!("{who} is of another version; restart it");
    Failure::new(Code::Protocol, what)
}
