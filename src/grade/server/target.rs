//! The server under test: where it is, and how much time is left for it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use super::stop::Stop;
use crate::grade::check::{Held, Unmet};
use crate::grade::options::{Server, endpoint};
use crate::grade::program::Program;
use crate::net::{Connection, Limits, Sockets, connect};
use crate::program::{Code, Failure, Stage};
use crate::wire::{Endpoint, Host, Port};

/// The deadline of each exchange with the server, and for what must happen after one.
pub(super) const CHECK_TIME: Duration = Duration::from_secs(5);
/// The deadline of all scenarios together. The remaining ones are skipped.
const WHOLE_TIME: Duration = Duration::from_mins(4);
/// How often a program that has ended is started again.
const MAX_RESTARTS: u8 = 5;
/// The first of the ports that peers of the grader claim, below those of real programs. Each run has
/// others, so that what a server did not forget is not mistaken for what it has now.
const PORTS: std::ops::Range<u16> = 10_000..30_000;
/// The end of the host names of its peers.
const DOMAIN: &str = ".grader";

/// The server under test.
pub(super) struct Target<'a> {
    options: &'a Server,
    stage: &'a Stage,
    sockets: Sockets,
    /// Where it listens, once that is known.
    endpoint: Option<Endpoint>,
    program: RefCell<Option<Program>>,
    /// Where its output is kept.
    kept: Option<File>,
    restarts: u8,
    /// Why the program can't be started again.
    is_over: Option<String>,
    /// Whether the server answers one connection at a time, once that is known.
    pub(super) is_serial: Cell<Option<bool>>,
    /// Whether a LOOKUP has found what was added.
    pub(super) has_found: Cell<bool>,
    /// The connection that found the server. A server need not understand a peer that only knocks,
    /// so the first peer uses it.
    knock: RefCell<Option<Connection>>,
    /// Where answers of this server stop before their end. A form of its own costs one long wait, and
    /// not one for each answer.
    stops: RefCell<Vec<Stop>>,
    until: Instant,
    first_port: u16,
    peers: Cell<u16>,
}

impl<'a> Target<'a> {
    pub(super) fn new(options: &'a Server, stage: &'a Stage) -> Self {
        let sockets = Sockets::with_limits(Limits {
            send_time: CHECK_TIME,
            ..Limits::default()
        });
        stage.stop.watch(&sockets);
        Self {
            options,
            stage,
            sockets,
            endpoint: None,
            program: RefCell::new(None),
            kept: None,
            restarts: 0,
            is_over: None,
            is_serial: Cell::new(None),
            has_found: Cell::new(false),
            knock: RefCell::new(None),
            stops: RefCell::default(),
            until: Instant::now() + WHOLE_TIME,
            first_port: fastrand::u16(PORTS),
            peers: Cell::new(0),
        }
    }

    /// Connects to the running server, or starts one.
    pub(super) fn find(&mut self) -> Result<(), Failure> {
        let Some(command) = &self.options.running.run else {
            let text = self.options.target.as_deref().unwrap_or_default();
            let endpoint = endpoint(text).map_err(Failure::other)?;
            let connected = connect(&self.sockets, &endpoint, CHECK_TIME);
            let connected =
                connected.map_err(|error| Failure::new(Code::IndexUnreachable, error))?;
            self.found(endpoint, connected);
            return Ok(());
        };
        self.kept = self.options.running.output()?;
        self.run(command)
    }

    /// Starts the program, and waits until it listens.
    fn run(&mut self, command: &str) -> Result<(), Failure> {
        let port = free_port(self.options.port)?;
        let places = places(port);
        if let Some((place, _)) = self.knock_at(&places) {
            let said = format!("another program listens on {place} already; --port or --isolated");
            return Err(Failure::other(said + " avoids it"));
        }
        let command = command.replace("{port}", &port.to_string());
        let mut program = Program::start(&command, &self.options.running, self.kept.as_ref())?;
        let awaited = format!("listened on port {port}");
        let begun = program.wait_until(&awaited, &self.stage.stop, || self.knock_at(&places));
        let begun = begun.map_err(|error| error.elsewhere(|| program.listens()));
        *self.program.get_mut() = Some(program);
        let (endpoint, connection) = begun?;
        self.found(endpoint, connection);
        Ok(())
    }

    /// Starts the program again if it has ended, so that the remaining checks can be judged. Returns
    /// whether it had.
    pub(super) fn revive(&mut self) -> Held<bool> {
        let Some(ended) = self.ended() else {
            return Ok(false);
        };
        let Some(command) = &self.options.running.run else {
            return Ok(false);
        };
        if self.is_over.is_none() {
            self.is_over = if self.restarts == MAX_RESTARTS {
                Some(format!("{ended}, for the {}th time", MAX_RESTARTS + 1))
            } else {
                self.restarts += 1;
                // What is left of it may listen.
                drop(self.program.get_mut().take());
                let again = self.run(command);
                let failed = again.err();
                failed.map(|failure| format!("{ended}; started again, {failure}"))
            };
        }
        self.is_over
            .clone()
            .map_or(Ok(true), |over| Err(Unmet::Skipped(over)))
    }

    /// How the program has ended, if it has. One that can't be connected to any more may be about to.
    fn ended(&self) -> Option<String> {
        let ended = self.program.borrow_mut().as_mut()?.end();
        if ended.is_some() {
            return ended;
        }
        if let Some(open) = self.knocked() {
            self.knock.replace(Some(open));
            return None;
        }
        match self.connection() {
            // The next peer uses it.
            Ok(connection) => {
                self.knock.replace(Some(connection));
                None
            }
            Err(_) => self.program.borrow_mut().as_mut()?.end_soon(),
        }
    }

    fn found(&mut self, endpoint: Endpoint, connection: Connection) {
        self.endpoint = Some(endpoint);
        *self.knock.get_mut() = Some(connection);
    }

    fn knock_at(&self, places: &[Endpoint]) -> Option<(Endpoint, Connection)> {
        places.iter().find_map(|place| {
            let connection = connect(&self.sockets, place, CHECK_TIME).ok()?;
            Some((place.clone(), connection))
        })
    }

    /// The name of another peer.
    pub(super) fn another_name(&self) -> Held<Endpoint> {
        let number = self.peers.get() + 1;
        self.peers.set(number);
        // A name of letters, digits and dots, and a port above 0.
        let host = format!("peer-{number}{DOMAIN}").parse();
        let host = host.map_err(|error| Unmet::Skipped(format!("{error}")))?;
        Ok(Endpoint {
            host,
            port: self.port(number),
        })
    }

    /// The connection of the next peer.
    pub(super) fn next_connection(&self) -> Held<Connection> {
        match self.knocked() {
            Some(connection) => Ok(connection),
            None => self.connection(),
        }
    }

    /// The connection that waits for the next peer, unless the server has closed it.
    fn knocked(&self) -> Option<Connection> {
        let is_open = |it: &Connection| !it.watch().wait_until_closed(Duration::ZERO);
        self.knock.take().filter(is_open)
    }

    /// Another port for the host of a peer.
    pub(super) fn another_port(&self) -> Port {
        let number = self.peers.get() + 1;
        self.peers.set(number);
        self.port(number)
    }

    /// Whether this is the name of a peer of this run.
    pub(super) fn has_peer(&self, name: &Endpoint) -> bool {
        let own = self.first_port..=self.first_port.saturating_add(self.peers.get());
        own.contains(&name.port.get()) && name.host.as_str().ends_with(DOMAIN)
    }

    fn port(&self, number: u16) -> Port {
        Port::new(self.first_port.saturating_add(number)).unwrap_or(Port::MAX)
    }

    /// A connection without a name.
    pub(super) fn connection(&self) -> Held<Connection> {
        let Some(endpoint) = &self.endpoint else {
            return Err(Unmet::Skipped("no server".to_owned()));
        };
        connect(&self.sockets, endpoint, CHECK_TIME).map_err(|error| {
            let ended = self.program.borrow_mut().as_mut().and_then(Program::end);
            Unmet::Skipped(ended.unwrap_or_else(|| error.to_string()))
        })
    }

    /// Notes that nothing more came of an answer after a long silence.
    pub(super) fn note_stop(&self, stop: Stop) {
        let mut stops = self.stops.borrow_mut();
        if !stops.contains(&stop) {
            stops.push(stop);
        }
    }

    /// Whether an answer of this server has stopped there.
    pub(super) fn has_stopped(&self, stop: Stop) -> bool {
        self.stops.borrow().contains(&stop)
    }

    /// The deadline of an exchange that begins now.
    pub(super) fn deadline(&self) -> Instant {
        (Instant::now() + CHECK_TIME).min(self.until)
    }

    /// Whether there is time for more.
    pub(super) fn in_time(&self) -> Held {
        if self.stage.stop.signal().is_some() {
            return Err(Unmet::Skipped("interrupted".to_owned()));
        }
        if Instant::now() < self.until {
            return Ok(());
        }
        let seconds = WHOLE_TIME.as_secs();
        let reason = format!("the {seconds} s for all checks are over");
        Err(Unmet::Skipped(reason))
    }

    /// Whether the program has ended, and the last lines that it printed, for a failure without an
    /// answer; empty if it is unknown. A program that has closed the connection may be about to end.
    pub(super) fn last_words(&self, has_closed: bool) -> String {
        let printed = || self.program.borrow().as_ref().map(Program::printed);
        // It closes a connection before it prints why, and prints before it ends.
        let Some(last) = printed() else {
            return String::new();
        };
        let ended = if has_closed {
            self.ended()
        } else {
            self.program.borrow_mut().as_mut().and_then(Program::end)
        };
        let Some(ended) = ended else {
            return format!("\n{last}");
        };
        let last = printed().unwrap_or(last);
        // Otherwise the port would stay in use for a while after this end.
        self.sockets.reset_when_dropped();
        format!(", because {ended}\n{last}")
    }

    /// What is graded, for the report.
    pub(super) fn name(&self) -> String {
        match (&self.options.running.run, &self.endpoint) {
            (Some(command), _) => command.clone(),
            (None, Some(endpoint)) => endpoint.to_string(),
            (None, None) => self.options.target.clone().unwrap_or_default(),
        }
    }

    /// Ends the program, and returns what is remarkable about it.
    pub(super) fn stop(&mut self) -> Vec<String> {
        self.sockets.close_all();
        let program = self.program.get_mut().as_mut();
        let mut notes = program.map(Program::stop).unwrap_or_default();
        if self.restarts > 0 {
            let times = match self.restarts {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            notes.push(format!(
                "the program ended early, and was started again {times}"
            ));
        }
        notes
    }
}

/// This port, or a free one for 0.
fn free_port(port: u16) -> Result<Port, Failure> {
    if let Some(port) = Port::new(port) {
        return Ok(port);
    }
    let free = std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
        .or_else(|_| std::net::TcpListener::bind(("0.0.0.0", 0)))
        .and_then(|listener| listener.local_addr());
    let port = free.map_err(Failure::other)?.port();
    Port::new(port).ok_or_else(|| Failure::other("no free port"))
}

/// Where a server on this machine may listen. Many bind to the address of the host name only.
fn places(port: Port) -> Vec<Endpoint> {
    let own = hostname::get().ok();
    let own = own.and_then(|name| name.to_str()?.parse::<Host>().ok());
    let hosts = [Some(Host::localhost()), own];
    let hosts = hosts.into_iter().flatten();
    hosts.map(|host| Endpoint { host, port }).collect()
}
