//! One connection to the control socket: a request, and its answer.
//!
//! The requests other than `RUN` are those of existing programs, so their answers are fixed to the
//! byte.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::debug;

use super::message::Action;
use super::run;
use crate::net::{Connection, Sockets};
use crate::node::get::{Downloaded, Kept};
use crate::node::{Actions, Code, Handle, Outcome, Query, Wanted, numbers};
use crate::wire::control::{self, Request, Status, response, response_head};
use crate::wire::{RfcNumber, Title};

/// How long a request may take to arrive: a program on this machine has it ready.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The longest request, in bytes: GET of as many RFCs as can be selected, and some room.
const MAX_REQUEST: usize = 2 * 1024 * 1024;

/// What all connections share.
pub(super) struct Session<E> {
    node: Handle,
    sockets: Sockets,
    /// Ends the peer.
    end: E,
    is_ending: AtomicBool,
}

/// A successful answer.
enum Answer {
    Text(String),
    File(File, u64),
    /// The peer ends after this answer.
    Stop,
    /// It was sent already.
    Sent,
}

impl<E: Fn()> Session<E> {
    pub(super) fn new(node: Handle, sockets: Sockets, end: E) -> Self {
        Self {
            node,
            sockets,
            end,
            is_ending: AtomicBool::new(false),
        }
    }

    /// Answers the request of a connection, and ends it.
    pub(super) fn serve(&self, connection: &mut Connection) {
        let answer = match Request::read_within(connection, MAX_REQUEST, REQUEST_TIME) {
            Ok(None) => return,
            Ok(Some(request)) => {
                self.sockets.heard(connection.id());
                debug!(operation = request.operation(), "a program asks");
                self.answer(&request, connection)
            }
            Err(error) => match control::reject(&error) {
                None => return,
                Some((status, reason)) => {
                    debug!(reason, "not a request");
                    Err(status)
                }
            },
        };
        let is_last = matches!(answer, Ok(Answer::Stop));
        if let Err(error) = send(connection, answer) {
            debug!(%error, "the answer was not sent");
        }
        connection.finish();
        // A second signal would end the peer at once.
        if is_last && !self.is_ending.swap(true, Ordering::SeqCst) {
            (self.end)();
        }
    }

    fn answer(&self, request: &Request, connection: &mut Connection) -> Result<Answer, Status> {
        let rest = request.rest().trim();
        match request.operation() {
            "INIT_PEER_TABLE" => self.joined(),
            "LIST_ALL_FILES" => self.files(),
            "SEARCH" => self.search(given(rest)?),
            "UPLOAD" => self.upload(named(rest)?),
            "DOWNLOAD" => self.download(named(rest)?),
            "STATUS" => self.status(),
            "STOP" => Ok(Answer::Stop),
            "RUN" => {
                let action: Action = serde_json::from_str(rest).map_err(|error| {
                    debug!(%error, "not an action");
                    Status::Malformed
                })?;
                if !action.is_valid() {
                    return Err(Status::Malformed);
                }
                run::run(connection, &self.node, action).map_err(failed)?;
                Ok(Answer::Sent)
            }
            _ => Err(Status::OperationUnknown),
        }
    }

    fn joined(&self) -> Result<Answer, Status> {
        if self.node.standing().is_joined() {
            Ok(Answer::Text(String::new()))
        } else {
            Err(Status::ErrorOccurred)
        }
    }

    fn files(&self) -> Result<Answer, Status> {
        let found = self
            .node
            .find(&Query::All { fresh: true })
            .map_err(failed)?;
        let numbers = found.records.iter().map(|listed| listed.record.number);
        let numbers: BTreeSet<_> = numbers.collect();
        Ok(text(numbers.iter(), |out, number| {
            write!(out, "rfc{number}.txt")
        }))
    }

    fn search(&self, words: &str) -> Result<Answer, Status> {
        let found = match numbers::number(words) {
            Ok(number) => {
                let title = Title::default();
                self.node.find(&Query::Number { number, title })
            }
            Err(_) => self.node.find_titles(words),
        };
        let records = found.map_err(failed)?.records;
        if records.is_empty() {
            return Err(Status::NotFound);
        }
        let records = records.iter().map(|listed| listed.record);
        Ok(text(records, |out, record| {
            let (number, holder) = (record.number, &record.holder);
            write!(out, "rfc{number}.txt {} {}", holder.host, holder.port)?;
            match record.title.as_str() {
                "" => Ok(()),
                title => write!(out, " {title}"),
            }
        }))
    }

    /// Shares a file of the folder. Any other is copied into it first; a relative path begins in the
    /// folder above, where existing clients run.
    fn upload(&self, name: &str) -> Result<Answer, Status> {
        let path = Path::new(name);
        let file = path.file_name().and_then(|file| file.to_str());
        let number = file.and_then(|file| numbers::number(file).ok());
        let number = number.ok_or(Status::NotFound)?;
        if file != Some(name) || !self.node.has_file(number) {
            let (_, folder) = self.node.shared();
            let folder = std::path::absolute(folder).map_err(failed)?;
            let above = folder.parent().unwrap_or(&folder);
            let imported = self.node.import(number, &above.join(path));
            imported.map_err(|failure| match failure.code {
                Code::NotFound => Status::NotFound,
                _ => failed(failure),
            })?;
        }
        let added = self.node.add(number, None).map_err(failed)?;
        match added.registered.now(number) {
            Err(failure) if failure.code == Code::Protocol => Err(failed(failure)),
            // A lost index gets it later.
            _ => Ok(Answer::Text(String::new())),
        }
    }

    fn download(&self, name: &str) -> Result<Answer, Status> {
        // Existing nodes say the same when nobody has a file.
        const NOBODY: Status = Status::OperationUnknown;
        let number: RfcNumber = numbers::number(name).map_err(|_| NOBODY)?;
        let wanted = Wanted::one(number);
        let mut path = Err(Status::ErrorOccurred);
        let mut done = |outcome: &Outcome| match outcome {
            Outcome::Downloaded(Downloaded { path: saved, .. })
            | Outcome::Kept(Kept { path: saved, .. }) => path = Ok(saved.clone()),
            Outcome::Failed(failed) if failed.failure.code == Code::NotFound => path = Err(NOBODY),
            Outcome::Failed(_) | Outcome::Interrupted(_) => {}
        };
        let gotten = self.node.get(&wanted, &mut |_| None, &mut done);
        gotten.map_err(failed)?;
        let file = File::open(path?).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Answer::File(file, length))
    }

    fn status(&self) -> Result<Answer, Status> {
        let status = self.node.status().map_err(failed)?.to_string();
        Ok(text(status.lines(), fmt::Write::write_str))
    }
}

impl<E> fmt::Debug for Session<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

fn send(connection: &mut Connection, answer: Result<Answer, Status>) -> io::Result<()> {
    match answer {
        Err(status) => connection.write_all(&response(status, b""))?,
        Ok(Answer::Sent) => {}
        Ok(Answer::Stop) => connection.write_all(&response(Status::Ok, b""))?,
        Ok(Answer::Text(text)) => connection.write_all(&response(Status::Ok, text.as_bytes()))?,
        Ok(Answer::File(file, length)) => {
            connection.write_all(response_head(Status::Ok, length).as_bytes())?;
            connection.send_file(&file, length, None)?;
        }
    }
    connection.flush()
}

/// An argument.
fn given(text: &str) -> Result<&str, Status> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(Status::Malformed);
    }
    Ok(text)
}

/// The name of a file, which does not climb out of its folder.
fn named(text: &str) -> Result<&str, Status> {
    let name = given(text)?;
    let climbs = |part| part == Component::ParentDir;
    if Path::new(name).components().any(climbs) {
        return Err(Status::Malformed);
    }
    Ok(name)
}

/// One line for each item.
fn text<T>(
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T) -> fmt::Result,
) -> Answer {
    let mut text = String::new();
    for item in items {
        // Writing to memory does not fail.
        let _ = write(&mut text, item);
        text.push_str("\r\n");
    }
    Answer::Text(text)
}

fn failed(error: impl fmt::Display) -> Status {
    debug!(%error, "answering 500");
    Status::ErrorOccurred
}
