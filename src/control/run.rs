//! `RUN`: an action whose events are sent while it runs.
//!
//! The action has a thread of its own, and this one writes its lines. A client that closes its
//! connection interrupts the downloads of its action, and no others.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::debug;

use super::message::{Action, Line, Told};
use crate::event::{Event, Reader, Topic, Topics};
use crate::net::{Connection, Sockets, Watch};
use crate::node::get::Question;
use crate::node::{Actions, Code, Failure, Handle, Outcome, Query};
use crate::wire::Source;

/// How often to check whether the client is still there.
const CLOSED_LOOK: Duration = Duration::from_millis(50);
/// How often the client hears that the action still runs.
const STILL_RUNS: Duration = Duration::from_secs(2);
/// How long a person may think about a question.
const ANSWER_TIME: Duration = Duration::from_mins(5);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 16;
/// How many lines may wait to be sent.
const QUEUE: usize = 256;

/// What the action has to say.
enum Said {
    Line(Vec<u8>),
    Question(Vec<u8>),
}

/// Runs an action, and answers with its lines.
pub(super) fn run(connection: &mut Connection, node: &Handle, action: Action) -> io::Result<()> {
    let (say, lines) = mpsc::sync_channel(QUEUE);
    let (answer, answers) = mpsc::channel();
    let sockets = Sockets::default();
    let node = node.for_one_action(Forward(say.clone()), sockets.clone());
    let mut client = Client {
        watch: connection.watch(),
        connection,
        action: sockets,
        answer: Some(answer),
    };
    let work = move || {
        let last = perform(action, &node, &say, answers);
        let _ = say.send(Said::Line(last));
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("action".to_owned());
        thread.spawn_scoped(scope, work)?;
        client.serve(&lines);
        Ok(())
    })
}

/// The client, until its action has ended.
struct Client<'a> {
    connection: &'a mut Connection,
    watch: Watch,
    /// The downloads of the action.
    action: Sockets,
    /// `None` once the client is gone.
    answer: Option<Sender<Option<bool>>>,
}

impl Client<'_> {
    /// Sends lines until there are no more. They are read to the end even if the client is gone.
    fn serve(&mut self, lines: &Receiver<Said>) {
        let mut sent = Instant::now();
        loop {
            let written = match lines.recv_timeout(CLOSED_LOOK) {
                Ok(Said::Line(line)) => self.write(&line),
                Ok(Said::Question(line)) => self.write(&line).and_then(|()| self.answered()),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if self.watch.wait_until_closed(Duration::ZERO) => {
                    Err(io::ErrorKind::ConnectionAborted.into())
                }
                Err(RecvTimeoutError::Timeout) if sent.elapsed() < STILL_RUNS => continue,
                Err(RecvTimeoutError::Timeout) => self.write(b"\n"),
            };
            sent = Instant::now();
            if let Err(error) = written
                && self.answer.take().is_some()
            {
                debug!(%error, "the action is interrupted");
                self.action.close_all();
            }
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.answer.is_none() {
            return Ok(());
        }
        self.connection.write_all(line)?;
        self.connection.flush()
    }

    /// Reads the answer to a question, and passes it on.
    fn answered(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        self.connection.allow(Some(ANSWER_TIME));
        let mut limited = Read::take(&mut *self.connection, MAX_ANSWER);
        limited.read_until(b'\n', &mut line)?;
        let answer = serde_json::from_slice(&line).map_err(io::Error::other)?;
        if let Some(to) = &self.answer {
            // This fails only if nobody waits any more.
            let _ = to.send(answer);
        }
        Ok(())
    }
}

/// Runs an action, and returns its last line.
fn perform(
    action: Action,
    node: &Handle,
    say: &SyncSender<Said>,
    answers: Receiver<Option<bool>>,
) -> Vec<u8> {
    match action {
        Action::Find(query) => {
            let by_number = matches!(query, Query::Number { .. });
            last(node.find(&query), |found| {
                let is_missing = by_number && found.records.is_empty();
                is_missing.then_some(Code::NotFound)
            })
        }
        Action::Add { number, title } => last(node.add(number, title), |added| {
            let now = added.registered.clone().now(number);
            now.err().map(|failure| failure.code)
        }),
        Action::Get(wanted) => {
            let mut ask = move |question: Question| {
                let question = line(&Line::<()>::Question(question));
                say.send(Said::Question(question)).ok()?;
                answers.recv().ok()?
            };
            let mut done = |outcome: &Outcome| {
                let _ = say.send(Said::Line(line(&Line::<()>::Done(outcome.clone()))));
            };
            last(node.get(&wanted, &mut ask, &mut done), |gotten| {
                gotten.failed.first().map(|failed| failed.failure.code)
            })
        }
        Action::Status => last(node.status(), |_| None),
    }
}

/// The last line of an answer. `code` is the exit code of an outcome that is not a success.
fn last<T: Serialize>(ended: Result<T, Failure>, code: impl FnOnce(&T) -> Option<Code>) -> Vec<u8> {
    line(&match ended {
        Ok(outcome) => Line::Ended {
            exit_code: code(&outcome).map_or(0, Code::get),
            outcome,
        },
        Err(failure) => Line::Failed(failure),
    })
}

fn line<T: Serialize>(line: &Line<T>) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).unwrap_or_else(|error| {
        let failure = Failure::other(error);
        serde_json::to_vec(&Line::<()>::Failed(failure)).unwrap_or_default()
    });
    text.push(b'\n');
    text
}

/// Sends the events of an action. Only the threads of this action wait for its client.
struct Forward(SyncSender<Said>);

impl Reader for Forward {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life, Topic::Progress])
    }

    fn read(&self, event: &Event<'_>) {
        if let Some(told) = Told::of(event) {
            let _ = self.0.send(Said::Line(line(&Line::<()>::Event(told))));
        }
    }
}
