//! A server in the background: where it listens, and how it ends.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Connection, Limits, ListenError, Listener, Sockets, Stop};
use crate::event::{Event, Events, Level, Link, Role, Topic};

/// How long sessions have to end when a server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Where a server listens, and how many connections it accepts.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The local address; `None` means every IPv6 and IPv4 address.
    pub bind: Option<IpAddr>,
    /// The port; 0 selects any free one.
    pub port: u16,
    /// The limits on connections.
    pub limits: Limits,
    /// The addresses announced to the user. If empty, nothing is announced.
    pub reached_at: Vec<IpAddr>,
    /// The port that clients assume. The announcement names any other.
    pub usual_port: u16,
}

impl Place {
    /// Starts listening for `role`, without accepting connections yet. `stop` closes its sockets.
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
            usual_port: self.usual_port,
        })
    }
}

/// A port that is open, for a server that does not accept connections yet.
#[derive(Debug)]
pub struct Open {
    listener: Listener,
    sockets: Sockets,
    role: Role,
    events: Events,
    reached_at: Vec<IpAddr>,
    usual_port: u16,
}

impl Open {
    /// The port.
    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// The open connections.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Reports that the server is ready, and its addresses.
    pub fn announce(&self) {
        let (role, port) = (self.role, self.port());
        self.events
            .tell(Topic::Life, || Event::Listening { role, port });
        let typed = |address: &IpAddr| match port {
            port if port == self.usual_port => address.to_string(),
            port => SocketAddr::new(*address, port).to_string(),
        };
        let addresses: Vec<_> = self.reached_at.iter().map(typed).collect();
        if !addresses.is_empty() {
            let addresses = addresses.join(", ");
            let what = format_args!("Peers reach this server at {addresses}");
            self.events.notice(Level::Info, what);
        }
    }

    /// Runs `session` for each connection, in the background, until the server is stopped.
    /// Connections over the limit are sent `no_room`. After a stop, sessions have 5 seconds to end;
    /// then `close` runs, and the end is reported. The error means that the thread could not be
    /// started.
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
        let serve = move |connection: &mut Connection| {
            session(connection, connection.link(role));
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

/// A server that runs in the background. Dropping it stops it and waits for its end.
#[derive(Debug)]
pub struct Server {
    port: u16,
    sockets: Sockets,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the server has stopped. The error means that it could not accept connections.
    pub fn wait(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        let ended = self.thread.take().map(JoinHandle::join);
        // A panic is reported where it happens.
        let panicked = |_| Err(io::Error::other("the server has panicked"));
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(panicked))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.sockets.close_all();
        // Nobody who drops the server asks how it ended.
        let _ = self.join();
    }
}
