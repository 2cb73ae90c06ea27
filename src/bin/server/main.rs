//! The server: an index server or a registration server.

mod arguments;

use std::path::Path;
use std::process::ExitCode;
#[cfg(feature = "dht")]
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use p2pci::central::{self, Catalog};
use p2pci::event::{Event, Events, Level, Topic};
use p2pci::index::Kind;
use p2pci::net::{Limits, Place, Server, reachable};
use p2pci::printout::Shows;
use p2pci::program::{self, Failure, Printing, Stage, page, signals};
use p2pci::registration;
use p2pci::state_file::Storage;
use p2pci::terminal::Screen;
#[cfg(feature = "dht")]
use p2pci::web::IntroducerPage;
use p2pci::web::{About, CentralPage, RegistrationPage};

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
    let (stop, web) = (&stage.stop, page::open(arguments.web.as_ref())?);
    let events = &page::read(web.as_ref(), &stage.events);
    let place = Place {
        bind: arguments.bind,
        port: arguments.port.unwrap_or(arguments.index.port().get()),
        limits: Limits {
            total: program::connections_within_limits(arguments.max_peers, events),
            per_address: arguments.max_peers_per_address,
            send_time: Duration::from_secs(arguments.send_time.into()),
        },
        reached_at: reachable(arguments.bind),
        usual_port: arguments.index.port().get(),
    };
    let (stopping, told) = (stop.clone(), events.clone());
    signals::on_stop(move |signal| {
        told.tell(Topic::Life, || Event::Stopping);
        stopping.now(signal);
    })?;
    let request_time = Duration::from_secs(arguments.request_time.into());
    let (server, _web) = match arguments.index {
        Kind::Central => {
            let config = central::Config {
                place,
                catalog: Catalog::new(arguments.max_records_per_peer),
                request_time,
            };
            let catalog = config.catalog.clone();
            let server = central::start(config, events, stop).map_err(Failure::other)?;
            let about = about(Kind::Central, &server);
            let web = page::serve(web, CentralPage { about, catalog }, false, stage)?;
            (server, web)
        }
        Kind::Distributed => {
            let config = registration::Config {
                place,
                request_time,
                ttl: Duration::from_secs(arguments.ttl.into()),
                storage: storage(arguments.state.as_deref(), events),
            };
            let started = registration::start(config, events, stop);
            let (server, register) = started.map_err(Failure::other)?;
            let about = about(Kind::Distributed, &server);
            let shown = RegistrationPage { about, register };
            (server, page::serve(web, shown, false, stage)?)
        }
        #[cfg(feature = "dht")]
        Kind::Dht => {
            let config = p2pci::introducer::Config {
                place,
                request_time,
                storage: storage(arguments.state.as_deref(), events),
                public: arguments.public_dht,
                table: Arc::default(),
            };
            let started = p2pci::introducer::start(&config, events, stop);
            let (server, node) = started.map_err(Failure::other)?;
            let (about, table) = (about(Kind::Dht, &server), config.table);
            let shown = IntroducerPage { about, table, node };
            (server, page::serve(web, shown, false, stage)?)
        }
        // Such a program does not accept this kind as an option.
        #[cfg(not(feature = "dht"))]
        Kind::Dht => return Ok(()),
    };
    Ok(server.wait().context("cannot accept connections")?)
}

/// What a page says of a server.
fn about(kind: Kind, server: &Server) -> About {
    page::about("server", kind, &format_args!("localhost:{}", server.port()))
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
