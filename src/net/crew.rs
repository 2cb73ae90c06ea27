//! The threads of sessions: one for each connection.
//!
//! A thread whose session has ended waits a while for the next connection, for starting a thread
//! takes longer than sending a small file.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::Connection;
use super::seldom::Seldom;
use crate::event::{Events, Role};

/// The stack of a session's thread, in bytes.
const STACK: usize = 128 * 1024;
/// How long a thread waits for another connection before it ends.
const IDLE_TIME: Duration = Duration::from_secs(1);
/// How long accepting pauses when there is no thread for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a session for each connection it is given.
#[derive(Debug)]
pub(super) struct Crew<S>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    role: Role,
    started: AtomicU64,
    session: S,
    /// What a connection is told for which there can be no thread.
    no_room: Vec<u8>,
    waiting: Mutex<Waiting>,
    events: Events,
    pauses: Mutex<Seldom>,
    connection_came: Condvar,
}

/// Connections that wait for a thread are never more than threads that wait for a connection.
#[derive(Debug, Default)]
struct Waiting {
    connections: VecDeque<Connection>,
    threads: usize,
}

impl<S: Fn(Connection) + Send + Sync + 'static> Crew<S> {
    pub(super) fn new(role: Role, no_room: Vec<u8>, events: Events, session: S) -> Self {
        Self(Arc::new(Shared {
            role,
            started: AtomicU64::new(0),
            session,
            no_room,
            waiting: Mutex::default(),
            events,
            pauses: Mutex::default(),
            connection_came: Condvar::new(),
        }))
    }

    /// Gives a connection to a thread that waits for one, or else to a new one. Where there can be
    /// no more threads, the connection is closed.
    pub(super) fn serve(&self, connection: Connection) {
        let mut waiting = self.0.lock();
        if waiting.threads > waiting.connections.len() {
            waiting.connections.push_back(connection);
            self.0.connection_came.notify_one();
            return;
        }
        drop(waiting);
        let number = self.0.started.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::clone(&self.0);
        // The connection is handed over only to a thread that is there: else it is still ours, to
        // be told.
        let (hand_over, handed) = mpsc::sync_channel::<Connection>(1);
        let thread = thread::Builder::new()
            .name(format!("{:?} {number}", shared.role))
            .stack_size(STACK)
            .spawn(move || handed.recv().map(|connection| shared.work(connection)));
        match thread {
            Ok(_) => {
                // The thread waits for it.
                let _ = hand_over.send(connection);
            }
            Err(error) => {
                let pauses = self.0.pauses.lock();
                let what =
                    format_args!("accepting pauses, for a connection has no thread: {error}");
                pauses
                    .unwrap_or_else(PoisonError::into_inner)
                    .warn(&self.0.events, what);
                let mut connection = connection;
                let told = connection
                    .write_all(&self.0.no_room)
                    .and_then(|()| connection.flush());
                drop((told, connection));
                thread::sleep(PAUSE);
            }
        }
    }
}

impl<S: Fn(Connection)> Shared<S> {
    /// The life of a thread. It ends with a session that panics, and nothing else does.
    fn work(&self, first: Connection) {
        let mut next = Some(first);
        while let Some(connection) = next {
            (self.session)(connection);
            let mut waiting = self.lock();
            waiting.threads += 1;
            let none = |waiting: &mut Waiting| waiting.connections.is_empty();
            let waited = self
                .connection_came
                .wait_timeout_while(waiting, IDLE_TIME, none);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            waiting.threads -= 1;
            next = waiting.connections.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
