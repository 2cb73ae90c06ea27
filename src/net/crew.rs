//! The threads of sessions: one for each connection.
//!
//! A thread whose session has ended waits a while for the next connection, because starting a
//! thread takes longer than sending a small file.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Connection;
use super::seldom::Seldom;
use crate::event::{Events, Role};

/// The stack size of a session's thread, in bytes.
const STACK: usize = 128 * 1024;
/// How long a thread waits for another connection before it ends.
const IDLE_TIME: Duration = Duration::from_secs(1);
/// How long accepting pauses when no thread can be started.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a session for each connection.
#[derive(Debug)]
pub(super) struct Crew<S>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    role: Role,
    started: AtomicU64,
    session: S,
    /// The answer to a connection that can't get a thread.
    no_room: Vec<u8>,
    waiting: Mutex<Waiting>,
    events: Events,
    pauses: Mutex<Seldom>,
    connection_came: Condvar,
}

/// There are never more waiting connections than waiting threads.
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

    /// Hands a connection to a waiting thread, or else to a new one. If no thread can be started,
    /// the connection is closed.
    pub(super) fn serve(&self, connection: Connection) {
        let mut waiting = self.0.waiting.lock();
        if waiting.threads > waiting.connections.len() {
            waiting.connections.push_back(connection);
            self.0.connection_came.notify_one();
            return;
        }
        drop(waiting);
        let number = self.0.started.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::clone(&self.0);
        // Only an existing thread gets the connection; otherwise it is still ours to answer.
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
                let what =
                    format_args!("accepting pauses, because no thread can be started: {error}");
                self.0.pauses.lock().warn(&self.0.events, what);
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
    /// The main loop of a thread. Only a panic of its session ends it early.
    fn work(&self, first: Connection) {
        let mut next = Some(first);
        while let Some(connection) = next {
            (self.session)(connection);
            let mut waiting = self.waiting.lock();
            waiting.threads += 1;
            let none = |waiting: &mut Waiting| waiting.connections.is_empty();
            self.connection_came
                .wait_while_for(&mut waiting, none, IDLE_TIME);
            waiting.threads -= 1;
            next = waiting.connections.pop_front();
        }
    }
}
