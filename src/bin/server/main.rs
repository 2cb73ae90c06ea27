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
use p2pci::net::{Limits, Listener, Sockets, own_addresses};
use p2pci::printout::{Shows, Transcript};
use p2pci::program::signals;
use p2pci::program::{self, Failure, IndexKind};
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
        Err(failure) => program::exit_code(Err(failure)),
    }
}

fn run(arguments: &Arguments, transcript: &Transcript) -> Result<(), Failure> {
    let sockets = Sockets::with_limits(Limits {
        total: program::connections_within_limits(arguments.max_peers),
        per_address: program::count(arguments.max_peers_per_address),
        send_time: Duration::from_secs(arguments.send_time.into()),
    });
    let (open, printout) = (sockets.clone(), transcript.clone());
    signals::on_stop(move |_| {
        printout.line("[SERVER] Stopping...");
        open.close_all();
    })
    .context("cannot handle signals")?;
    let port = arguments.port.unwrap_or(arguments.index.port().get());
    let listener = Listener::bind(arguments.bind, port)?;
    let kind = arguments.index;
    let serve = match kind {
        IndexKind::Central => central,
        IndexKind::Distributed => registration,
    };
    let listening = format!("[SERVER] Listening on port {}...", listener.port());
    let say_listening = || {
        transcript.line(&listening);
        if let Some(addresses) = reachable(arguments.bind, own_addresses()) {
            transcript.note(format_args!("Peers reach this server at {addresses}"));
        }
    };
    serve(arguments, listener, &sockets, transcript, &say_listening)?;

    let all_gone = sockets.wait_until_none(STOP_TIME);
    transcript.line(if all_gone {
        "[SERVER] Stopped."
    } else {
        "[SERVER] Stopped; some sessions were cut off."
    });
    Ok(())
}

/// Serves the central index until the sockets are closed.
fn central(
    arguments: &Arguments,
    listener: Listener,
    sockets: &Sockets,
    transcript: &Transcript,
    say_listening: &dyn Fn(),
) -> Result<(), Failure> {
    let server = Server {
        catalog: Catalog::new(program::count(arguments.max_records_per_peer)),
        sockets: sockets.clone(),
        transcript: transcript.clone(),
        request_time: Duration::from_secs(arguments.request_time.into()),
    };
    say_listening();
    let no_room = refusal(Status::ServiceUnavailable);
    listener
        .serve("session", sockets, no_room, move |mut connection| {
            let (id, from) = (connection.id(), connection.peer());
            server.serve(&mut connection, id, from);
            connection.finish();
        })
        .context("cannot accept connections")?;
    Ok(())
}

/// Serves the table of peers until the sockets are closed, and keeps it.
fn registration(
    arguments: &Arguments,
    listener: Listener,
    sockets: &Sockets,
    transcript: &Transcript,
    say_listening: &dyn Fn(),
) -> Result<(), Failure> {
    let ttl = Duration::from_secs(arguments.ttl.into());
    let state = arguments.state.clone().or_else(|| {
        let name = format!("registrations-{}.json", listener.port());
        program::state_folder().map(|folder| folder.join(name))
    });
    let (register, found) = Register::open(state.clone(), ttl)?;
    say_listening();
    match (state.as_deref().map(Path::display), found) {
        (Some(state), Found::Table(count)) => {
            transcript.note(format_args!("{count} peer(s) are known from {state}"));
        }
        (Some(state), Found::Damaged { reason, set_aside }) => {
            let set_aside = set_aside.display();
            transcript.note(format_args!(
                "Warning: {state} is damaged ({reason}); it is set aside as {set_aside}, and no \
                 peer is known"
            ));
        }
        (None, _) => transcript.note(
            "Warning: there is no place for the state of this server, so a restart will forget \
             everybody (--state names one)",
        ),
        (Some(_), Found::Nothing) => {}
    }
    let os: Arc<str> = program::operating_system().into();
    let server = RegistrationServer {
        register: register.clone(),
        sockets: sockets.clone(),
        transcript: transcript.clone(),
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
    let ended = listener.serve("registration", sockets, no_room, move |mut connection| {
        let (id, from) = (connection.id(), connection.peer());
        server.serve(&mut connection, id, from);
        connection.finish();
    });
    // Those who are being answered are in the file as well.
    let _ = sockets.wait_until_none(STOP_TIME);
    register.close();
    ended.context("cannot accept connections")?;
    Ok(())
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
