//! The server: an index server or a registration server.

mod arguments;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use p2pci::central;
use p2pci::event::{Event, Events, Level, Topic};
use p2pci::index::Kind;
use p2pci::net::{Limits, Place, reachable};
use p2pci::printout::Shows;
use p2pci::program::{self, Failure, Printing, Stage, signals};
use p2pci::registration;
use p2pci::state_file::Storage;
use p2pci::terminal::Screen;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments: Arguments = program::options();
    let screen = Screen::default();
    program::log_to_stderr(arguments.verbose, &screen, None);
    let shows = if arguments.quiet {
        Shows::Life
    } else {
        Shows::Messages
    };
    let printing = Printing {
        shows,
        style: arguments.look.style(true),
        transcript: arguments.transcript.as_deref(),
        is_quiet: arguments.quiet,
    };
    program::run(&screen, printing, |stage| run(&arguments, stage))
}

fn run(arguments: &Arguments, stage: &Stage) -> Result<(), Failure> {
    let Stage { events, stop, .. } = stage;
    let place = Place {
        bind: arguments.bind,
        port: arguments.port.unwrap_or(arguments.index.port().get()),
        limits: Limits {
            total: program::connections_within_limits(arguments.max_peers, events),
            per_address: arguments.max_peers_per_address,
            send_time: Duration::from_secs(arguments.send_time.into()),
        },
        reached_at: reachable(arguments.bind),
    };
    let (stopping, told) = (stop.clone(), events.clone());
    signals::on_stop(move |signal| {
        told.tell(Topic::Life, || Event::Stopping);
        stopping.now(signal);
    })?;
    let request_time = Duration::from_secs(arguments.request_time.into());
    let server = match arguments.index {
        Kind::Central => {
            let config = central::Config {
                place,
                records_per_peer: arguments.max_records_per_peer,
                request_time,
            };
            central::start(config, events, stop).map_err(Failure::other)?
        }
        Kind::Distributed => {
            let config = registration::Config {
                place,
                request_time,
                ttl: Duration::from_secs(arguments.ttl.into()),
                storage: storage(arguments.state.as_deref(), events),
            };
            registration::start(config, events, stop).map_err(Failure::other)?
        }
        #[cfg(feature = "dht")]
        Kind::Dht => {
            let config = p2pci::introducer::Config {
                place,
                request_time,
                storage: storage(arguments.state.as_deref(), events),
                public: arguments.public_dht,
            };
            p2pci::introducer::start(&config, events, stop).map_err(Failure::other)?
        }
        // Such a program does not accept this kind as an option.
        #[cfg(not(feature = "dht"))]
        Kind::Dht => return Ok(()),
    };
    Ok(server.wait().context("cannot accept connections")?)
}

/// Where the server keeps its state: in `file`, or else in the user's state directory.
fn storage(file: Option<&Path>, events: &Events) -> Storage {
    let file = file.map(|file| Storage::File(file.to_owned()));
    let storage = file.or_else(|| program::state_folder().map(Storage::Folder));
    storage.unwrap_or_else(|| {
        let what = "a restart will forget all peers (--state names a file)";
        events.notice(Level::Warning, format_args!("no state directory; {what}"));
        Storage::Memory
    })
}
