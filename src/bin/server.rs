//! The index server: arguments, a port, and a session for each peer.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use p2pci::net::{Limits, Listener, Sockets};
use p2pci::server::{Catalog, Server};
use p2pci::transcript::Transcript;
use p2pci::wire::ci::p2s::refusal;
use p2pci::wire::ci::{SERVER_PORT, Status};
use p2pci::{program, signals};

/// The central index of P2P-CI/1.0: knows who has which RFC, and holds none itself.
///
/// Every message that comes and goes is printed. SIGINT (Ctrl-C) or SIGTERM stops the server.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The local address to listen on [default: every IPv6 and IPv4 address]
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,
    /// The port to listen on; 0 takes any free one, which is printed
    #[arg(long, value_name = "PORT", default_value_t = SERVER_PORT)]
    port: u16,
    /// The most connections at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = program::connections())]
    max_peers: u32,
    /// The most connections from one address; loopback is exempt
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = program::connections())]
    max_peers_per_address: u32,
    /// The most RFCs that one peer may register
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_records_per_peer: u32,
    /// How long a request may take from its first byte to its last
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    request_time: u16,
    /// How long a peer may take nothing of a response before it is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    send_time: u16,
    /// Print no messages, only who comes and goes
    #[arg(short, long)]
    quiet: bool,
    /// Log more to standard error (-v, -vv, -vvv); the variable `RUST_LOG` overrides it
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// How long the sessions have to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::log_to_stderr(arguments.verbose);
    program::run(!arguments.quiet, |transcript| run(&arguments, transcript))
}

fn run(arguments: &Arguments, transcript: &Transcript) -> anyhow::Result<()> {
    let sockets = Sockets::with_limits(Limits {
        total: program::connections_within_limits(arguments.max_peers),
        per_address: program::count(arguments.max_peers_per_address),
        send_time: Duration::from_secs(arguments.send_time.into()),
    });
    let (open, printout) = (sockets.clone(), transcript.clone());
    signals::on_stop(move || {
        printout.line("[SERVER] Stopping...");
        open.close_all();
    })
    .context("cannot handle signals")?;
    let listener = Listener::bind(arguments.bind, arguments.port)?;
    transcript.line(format_args!(
        "[SERVER] Listening on port {}...",
        listener.port()
    ));

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
