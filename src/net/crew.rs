//! Accepting connections, and the threads of their sessions: one for each connection.
//!
//! Each waiting thread accepts by itself and serves what it has accepted, because waking another
//! one takes longer than sending a small file. If none is left that accepts, it first wakes or starts
//! one.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::idle::Idle;
use super::listener::IDLE_TIME;
use super::refusals::Refusals;
use super::seldom::Seldom;
use super::sockets::Refused;
use super::{Connection, Listener, Sockets};
use crate::event::{Events, Role};

/// The stack size of a session's thread, in bytes.
const STACK: usize = 128 * 1024;
/// How long a thread pauses when descriptors or threads have run out.
const PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Accepts connections for `role`, as many as `sockets` allows, and runs `session` for each in
    /// its own thread. A connection over the limit is sent `no_room`. Returns once `sockets` are
    /// closed. The error means that a thread could not be started.
    pub fn serve(
        self,
        role: Role,
        sockets: &Sockets,
        no_room: Vec<u8>,
        events: &Events,
        session: impl Fn(&mut Connection) + Send + Sync + 'static,
    ) -> io::Result<()> {
        sockets.admit_listener(self.socket());
        let (open, events) = (sockets.clone(), events.clone());
        Crew::start(role, self, open, no_room, events, session)?;
        sockets.wait_until_closing();
        Ok(())
    }
}

/// Accepts connections, and runs a session for each.
#[derive(Debug)]
struct Crew<S> {
    role: Role,
    listener: Listener,
    sockets: Sockets,
    session: S,
    /// The answer to a connection that can't get a thread.
    no_room: Vec<u8>,
    refusals: Refusals,
    events: Events,
    pauses: Mutex<Seldom>,
    /// How many threads were started.
    started: AtomicU64,
    idle: Idle,
}

impl<S: Fn(&mut Connection) + Send + Sync + 'static> Crew<S> {
    /// Starts to accept connections for `role`, as many as `sockets` allows, until these are closed.
    /// The error means that a thread could not be started.
    fn start(
        role: Role,
        listener: Listener,
        sockets: Sockets,
        no_room: Vec<u8>,
        events: Events,
        session: S,
    ) -> io::Result<()> {
        let refusals = Refusals::start(no_room.clone(), role, events.clone())?;
        let crew = Self {
            role,
            listener,
            sockets,
            session,
            no_room,
            refusals,
            events,
            pauses: Mutex::default(),
            started: AtomicU64::new(0),
            idle: Idle::new(IDLE_TIME),
        };
        Arc::new(crew).start_one()
    }

    /// Starts a thread that accepts. Apart, for the same reason as [`accept`](Self::accept).
    #[inline(never)]
    fn start_one(self: &Arc<Self>) -> io::Result<()> {
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let crew = Arc::clone(self);
        thread::Builder::new()
            .name(format!("{:?} {number}", self.role))
            .stack_size(STACK)
            .spawn(move || crew.work())
            .map(drop)
    }

    /// The main loop of a thread. Only a panic of its session ends it early.
    fn work(self: &Arc<Self>) {
        while let Some(connection) = self.accept() {
            if !self.serve(connection) {
                return;
            }
        }
    }

    /// The next connection. `None`: this thread is not needed.
    ///
    /// An idle session keeps every page of its stack that was ever used. So a connection is on the
    /// heap, and what accepts it has a stack frame of its own, which is not in use any more.
    #[inline(never)]
    fn accept(&self) -> Option<Box<Connection>> {
        loop {
            let (stream, from) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(_) if self.sockets.is_closing() => {
                    self.idle.close();
                    return None;
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    if self.idle.retire() {
                        return None;
                    }
                    continue;
                }
                Err(error) => {
                    self.rest_after(&error);
                    continue;
                }
            };
            match Connection::accepted(&self.sockets, stream, from, IDLE_TIME) {
                Ok(connection) => return Some(Box::new(connection)),
                Err((Refused::Closing, _)) => {
                    self.idle.close();
                    return None;
                }
                Err((why, stream)) => self.refusals.refuse(stream, why),
            }
        }
    }

    /// Runs the session of a connection. Returns whether this thread waits for another one.
    fn serve(self: &Arc<Self>, mut connection: Box<Connection>) -> bool {
        if !self.idle.leave()
            && let Err(error) = self.start_one()
        {
            self.turn_away(connection, &error);
            return true;
        }
        (self.session)(&mut connection);
        drop(connection);
        self.idle.enter()
    }

    /// Answers a connection that can't get a thread, because this one is needed to accept.
    #[cold]
    fn turn_away(&self, mut connection: Box<Connection>, error: &io::Error) {
        let sent = connection.write_all(&self.no_room);
        drop((sent.and_then(|()| connection.flush()), connection));
        self.pause(format_args!("no thread can be started: {error}"));
    }

    /// Some errors concern one connection that is already gone. Others last, such as running out of
    /// descriptors; retrying at once would only burn CPU.
    fn rest_after(&self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted => {}
            _ => self.pause(format_args!("{error}")),
        }
    }

    fn pause(&self, why: Arguments<'_>) {
        let what = format_args!("accepting pauses: {why}");
        self.pauses.lock().warn(&self.events, what);
        thread::sleep(PAUSE);
    }
}
