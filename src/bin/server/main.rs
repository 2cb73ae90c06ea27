//! The index server: arguments, a port, and a session for each peer.

mod arguments;

use std::io;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use p2pci::net::{Limits, Listener, Sockets, own_addresses};
use p2pci::program::{self, Failure};
use p2pci::server::{Catalog, Server};
use p2pci::signals;
use p2pci::terminal::Screen;
use p2pci::transcript::{Shows, Transcript};
use p2pci::wire::Status;
use p2pci::wire::ci::p2s::refusal;

use arguments::{Arguments, Command};

/// How long the sessions have to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut arguments: Arguments = program::options();
    let screen = Screen::default();
    program::log_to_stderr(arguments.verbose, &screen);
    match arguments.command.take() {
        Some(Command::Completions { shell }) => {
            program::print_completions::<Arguments>(shell);
            return ExitCode::SUCCESS;
        }
        Some(Command::Man { folder }) => {
            return program::exit_code(program::write_man_pages::<Arguments>(&folder));
        }
        None => {}
    }
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
    let listener = Listener::bind(arguments.bind, arguments.port)?;
    transcript.line(format_args!(
        "[SERVER] Listening on port {}...",
        listener.port()
    ));
    if let Some(addresses) = reachable(arguments.bind, own_addresses()) {
        transcript.note(format_args!("Peers reach this server at {addresses}"));
    }

    let server = Server {
        catalog: Catalog::new(program::count(arguments.max_records_per_peer)),
        sockets: sockets.clone(),
        transcript: transcript.clone(),
        request_time: Duration::from_secs(arguments.request_time.into()),
    };
    let no_room = refusal(Status::ServiceUnavailable);
    listener
        .serve("session", &sockets, no_room, move |mut connection| {
            let (id, from) = (connection.id(), connection.peer());
            server.serve(&mut connection, id, from);
            connection.finish();
        })
        .context("cannot accept connections")?;

    let all_gone = sockets.wait_until_none(STOP_TIME);
    transcript.line(if all_gone {
        "[SERVER] Stopped."
    } else {
        "[SERVER] Stopped; some sessions were cut off."
    });
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
