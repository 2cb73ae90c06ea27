//! A server in the background: where it listens, and how it ends.

use std::io;
use std::net::IpAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Connection, Limits, ListenError, Listener, Sockets, Stop};
use crate::event::{Event, Events, Level, Link, Role, Topic};

/// How long the sessions have to end when a server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Where a server listens, and for how many.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The local address; `None` is every IPv6 and IPv4 address.
    pub bind: Option<IpAddr>,
    /// The port; 0 is any free one.
    pub port: u16,
    /// How many connections there may be.
    pub limits: Limits,
    /// The addresses that a person is told to reach the server at. Where there are none, nothing is
    /// said.
    pub reached_at: Vec<IpAddr>,
}

impl Place {
    /// Listens for `role`, and serves nobody yet. Whatever comes of it is closed by `stop`.
    ///
    /// # Errors
    /// [`ListenError`], which says what to do about it.
    pub fn listen(self, role: Role, events: &Events, stop: &Stop) -> Result<Open, ListenError> {
        let listener = Listener::bind(self.bind, self.port)?;
        let sockets = Sockets::with_limits(self.limits);
        stop.watch(&sockets);
        Ok(Open {
            listener,
            sockets,
            role,
            events: events.clone(),
            reached_at: self.reached_at,
        })
    }
}

/// A port that is listened on, for a server that serves nobody yet.
#[derive(Debug)]
pub struct Open {
    listener: Listener,
    sockets: Sockets,
    role: Role,
    events: Events,
    reached_at: Vec<IpAddr>,
}

impl Open {
    /// The port that is listened on.
    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// The connections of the server.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Tells that somebody can connect, and where.
    pub fn announce(&self) {
        let (role, port) = (self.role, self.port());
        self.events
            .tell(Topic::Life, || Event::Listening { role, port });
        let addresses: Vec<_> = self.reached_at.iter().map(IpAddr::to_string).collect();
        if !addresses.is_empty() {
            let addresses = addresses.join(", ");
            let what = format_args!("Peers reach this server at {addresses}");
            self.events.notice(Level::Info, what);
        }
    }

    /// Runs `session` for each connection, in the background, until the server is stopped. Those for
    /// which there is no room are told `no_room`. The sessions then have 5 seconds to end; after that
    /// comes `close`, and the end is told.
    ///
    /// # Errors
    /// Those of the system where there is no thread.
    pub fn serve(
        self,
        no_room: Vec<u8>,
        session: impl Fn(&mut Connection, Link) + Send + Sync + 'static,
        close: impl FnOnce() + Send + 'static,
    ) -> io::Result<Server> {
        let (port, sockets) = (self.port(), self.sockets.clone());
        let Self {
            listener,
            sockets: open,
            role,
            events,
            ..
        } = self;
        let serve = move |mut connection: Connection| {
            let link = connection.link(role);
            session(&mut connection, link);
            connection.finish();
        };
        let work = move || {
            let accepted = listener.serve(role, &open, no_room, &events, serve);
            let all_gone = open.wait_until_none(STOP_TIME);
            close();
            events.tell(Topic::Life, || Event::Stopped { cut_off: !all_gone });
            accepted
        };
        let thread = thread::Builder::new().name("server".to_owned());
        Ok(Server {
            port,
            sockets,
            thread: Some(thread.spawn(work)?),
        })
    }
}

/// A server that works in the background. Dropping it stops it, and waits for its end.
#[derive(Debug)]
pub struct Server {
    port: u16,
    sockets: Sockets,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// The port that is listened on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the server is stopped and has ended.
    ///
    /// # Errors
    /// Those of the system where no connections can be accepted.
    pub fn wait(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        let ended = self.thread.take().map(JoinHandle::join);
        // What a panic says is said where it happens.
        let panicked = |_| Err(io::Error::other("the server has panicked"));
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(panicked))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.sockets.close_all();
        // Whoever does not wait does not ask how it ended.
        let _ = self.join();
    }
}
