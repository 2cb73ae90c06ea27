//! The index server: arguments, a port, and a session for each peer.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use p2pci::net::{Listener, Sockets};
use p2pci::server::{Catalog, Server};
use p2pci::transcript::Transcript;
use p2pci::wire::ci::SERVER_PORT;
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
    /// Print no messages, only who comes and goes
    #[arg(short, long)]
    quiet: bool,
    /// Log more to standard error (-v, -vv, -vvv); the variable `RUST_LOG` overrides it
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// The most connections at a time. About 16,000 threads abort a Linux process.
const MOST_PEERS: usize = 10_000;
/// How long the sessions have to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::log_to_stderr(arguments.verbose);
    program::exit_code(run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let transcript = Transcript::to_stdout(!arguments.quiet);
    let sockets = Sockets::default();
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
        catalog: Catalog::default(),
        transcript: transcript.clone(),
    };
    let open = sockets.clone();
    listener.serve(&sockets, MOST_PEERS, move |mut connection| {
        let (id, from) = (connection.id(), connection.peer());
        server.serve(&mut connection, id, from, |replaced| open.close(replaced));
        connection.finish();
    });

    let all_gone = sockets.wait_until_none(STOP_TIME);
    transcript.line(if all_gone {
        "[SERVER] Stopped."
    } else {
        "[SERVER] Stopped; some sessions were cut off."
    });
    Ok(())
}
