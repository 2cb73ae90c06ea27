//! The index server: arguments, a port, and a session for each peer.

mod arguments;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use p2pci::central::{Catalog, Server};
use p2pci::event::{Event, Events, Level, Role, Topic};
use p2pci::index::Kind;
use p2pci::net::{Connection, Limits, Listener, Sockets, operating_system, own_addresses};
use p2pci::printout::{Log, Shows, Transcript};
use p2pci::program::signals;
use p2pci::program::{self, Failure};
use p2pci::registration::store::Found;
use p2pci::registration::{Register, RegistrationServer};
use p2pci::terminal::Screen;
use p2pci::wire::Status;
use p2pci::wire::ci::p2s::refusal;
use p2pci::wire::di::{self, Origin};

use arguments::Arguments;

/// How often it is looked at whose time has run out.
const EXPIRY_LOOK: Duration = Duration::from_secs(1);
/// How long the sessions have to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments: Arguments = program::options();
    let screen = Screen::default();
    program::log_to_stderr(arguments.verbose, &screen);
    let shows = if arguments.quiet {
        Shows::Life
    } else {
        Shows::Messages
    };
    match program::transcript(&screen, shows, arguments.transcript.as_deref()) {
        Ok(transcript) => program::run(&transcript, || run(&arguments, &transcript)),
        Err(failure) => program::exit_code(&screen, Err(failure)),
    }
}

fn run(arguments: &Arguments, transcript: &Transcript) -> Result<(), Failure> {
    let events = Events::default().and(transcript.clone()).and(Log);
    let sockets = Sockets::with_limits(Limits {
        total: program::connections_within_limits(arguments.max_peers, &events),
        per_address: program::count(arguments.max_peers_per_address),
        send_time: Duration::from_secs(arguments.send_time.into()),
    });
    let (open, told) = (sockets.clone(), events.clone());
    signals::on_stop(move |_| {
        told.tell(Topic::Life, || Event::Stopping);
        open.close_all();
    })
    .context("cannot handle signals")?;
    let port = arguments.port.unwrap_or(arguments.index.port().get());
    let listener = Listener::bind(arguments.bind, port)?;
    let register = match arguments.index {
        Kind::Central => {
            central(arguments, listener, &sockets, &events)?;
            None
        }
        Kind::Distributed => Some(registration(arguments, listener, &sockets, &events)?),
    };
    let all_gone = sockets.wait_until_none(STOP_TIME);
    if let Some(register) = register {
        // Those who were answered last are in the file as well.
        register.close();
    }
    events.tell(Topic::Life, || Event::Stopped { cut_off: !all_gone });
    Ok(())
}

/// Says that somebody can connect, and to where.
fn say_listening(arguments: &Arguments, role: Role, listener: &Listener, events: &Events) {
    let port = listener.port();
    events.tell(Topic::Life, || Event::Listening { role, port });
    if let Some(addresses) = reachable(arguments.bind, own_addresses()) {
        let what = format_args!("Peers reach this server at {addresses}");
        events.notice(Level::Info, what);
    }
}

/// Serves the central index until the sockets are closed.
fn central(
    arguments: &Arguments,
    listener: Listener,
    sockets: &Sockets,
    events: &Events,
) -> Result<(), Failure> {
    let server = Server {
        catalog: Catalog::new(program::count(arguments.max_records_per_peer)),
        sockets: sockets.clone(),
        events: events.clone(),
        request_time: Duration::from_secs(arguments.request_time.into()),
    };
    say_listening(arguments, Role::Session, &listener, events);
    let no_room = refusal(Status::ServiceUnavailable);
    let serve = move |mut connection: Connection| {
        let (id, from) = (connection.id(), connection.peer());
        server.serve(&mut connection, id, from);
        connection.finish();
    };
    let ended = listener.serve(Role::Session, sockets, no_room, events, serve);
    Ok(ended.context("cannot accept connections")?)
}

/// Serves the table of peers until the sockets are closed, and returns it.
fn registration(
    arguments: &Arguments,
    listener: Listener,
    sockets: &Sockets,
    events: &Events,
) -> Result<Register, Failure> {
    let ttl = Duration::from_secs(arguments.ttl.into());
    let state = arguments.state.clone().or_else(|| {
        let name = format!("registrations-{}.json", listener.port());
        program::state_folder().map(|folder| folder.join(name))
    });
    let (register, found) = Register::open(state.clone(), ttl, events.clone())?;
    say_listening(arguments, Role::Registration, &listener, events);
    say_found(state.as_deref(), &found, events);
    let os: Arc<str> = operating_system().into();
    let server = RegistrationServer {
        register: register.clone(),
        sockets: sockets.clone(),
        events: events.clone(),
        request_time: Duration::from_secs(arguments.request_time.into()),
        os: os.clone(),
    };
    let watching = server.clone();
    let watch = thread::Builder::new().name("expiry".to_owned());
    watch
        .spawn(move || {
            let mut before = SystemTime::now();
            loop {
                thread::sleep(EXPIRY_LOOK);
                let now = SystemTime::now();
                watching.say_expired(before, now);
                before = now;
            }
        })
        .context("cannot start a thread")?;
    let origin = Origin {
        date: SystemTime::now(),
        os: &os,
    };
    let no_room = di::refusal(Status::ServiceUnavailable, origin);
    let serve = move |mut connection: Connection| {
        let (id, from) = (connection.id(), connection.peer());
        server.serve(&mut connection, id, from);
        connection.finish();
    };
    let ended = listener.serve(Role::Registration, sockets, no_room, events, serve);
    ended.context("cannot accept connections")?;
    Ok(register)
}

/// Says what the server knows from the run before.
fn say_found(state: Option<&Path>, found: &Found, events: &Events) {
    match (state.map(Path::display), found) {
        (Some(state), Found::Table(count)) => {
            let what = format_args!("{count} peer(s) are known from {state}");
            events.notice(Level::Info, what);
        }
        (Some(state), Found::Damaged { reason, set_aside }) => {
            let set_aside = set_aside.display();
            events.notice(
                Level::Warning,
                format_args!(
                    "{state} is damaged ({reason}); it is set aside as {set_aside}, and no peer is \
                     known"
                ),
            );
        }
        (None, _) => events.notice(
            Level::Warning,
            "no state directory; a restart will forget all peers (--state names a file)",
        ),
        (Some(_), Found::Nothing) => {}
    }
}

/// Where peers can find the server: what to type after `--host`; `None` where the system does not
/// say.
fn reachable(bound: Option<IpAddr>, own: io::Result<Vec<IpAddr>>) -> Option<String> {
    let addresses = match bound.filter(|address| !address.is_unspecified()) {
        Some(address) => vec![address],
        None => own
            .unwrap_or_default()
            .into_iter()
            .filter(|address| bound.is_none_or(|bound| bound.is_ipv6() || address.is_ipv4()))
            .collect(),
    };
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    (!addresses.is_empty()).then(|| addresses.join(", "))
}
