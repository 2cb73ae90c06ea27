//! The peer: arguments, the library, the upload server, the index, then the menu.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand, value_parser};
use p2pci::index::{Central, Index, Membership};
use p2pci::net::{Limits, Listener, Sockets};
use p2pci::peer::library::LibraryError;
use p2pci::peer::{Console, Downloader, GetError, Library, Peer, Uploads, menu, name, watch};
use p2pci::program::{self, Failure};
use p2pci::signals;
use p2pci::transcript::Transcript;
use p2pci::wire::ci::SERVER_PORT;
use p2pci::wire::{Endpoint, Host, Port, RfcNumber, TermError};

/// How long the uploads at work have to end when the peer stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Shares a folder of RFCs with other peers, and downloads from them.
///
/// The peer registers what it has with the index server, serves it to others in the background,
/// and offers a menu: ADD, LOOKUP, LIST, GET, EXIT. Every message that comes and goes is printed.
#[derive(Debug, Parser)]
#[command(
    version,
    override_usage = "peer [OPTIONS] [COMMAND]",
    subcommand_precedence_over_arg = true
)]
struct Arguments {
    /// The index server: HOST or HOST:PORT
    #[arg(global = true, long, value_name = "HOST[:PORT]", default_value = "localhost", value_parser = server)]
    host: Endpoint,
    /// The folder to share; made if it is missing
    #[arg(global = true, long, value_name = "FOLDER", default_value = "rfcs")]
    dir: PathBuf,
    /// The name that others are told to connect to [default: this machine's host name where
    /// others can use it, else its address towards the server]
    #[arg(global = true, long, value_name = "NAME")]
    hostname: Option<Host>,
    /// The port of the upload server [default: any free one]
    #[arg(
        global = true,
        short = 'p',
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    upload_port: u16,
    /// The local address of the upload server [default: every IPv6 and IPv4 address]
    #[arg(global = true, long, value_name = "ADDR")]
    bind: Option<IpAddr>,
    /// Offer only these RFCs of the folder
    #[arg(global = true, short, long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    rfcs: Option<Vec<RfcNumber>>,
    /// How many RFCs to register ahead of the server's answers; more than 1 is faster over a slow
    /// line, and not every server can take it
    #[arg(global = true, long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u8).range(1..=100))]
    pipeline: u8,
    /// The most downloads that others may have at a time
    #[arg(global = true, long, value_name = "N", default_value_t = 256, value_parser = program::connections())]
    max_uploads: u32,
    /// Print no messages, only the life cycle and the answers
    #[arg(global = true, short, long)]
    quiet: bool,
    /// Log more to standard error (-v, -vv, -vvv); the variable `RUST_LOG` overrides it
    #[arg(global = true, short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Share without a menu, until SIGINT (Ctrl-C) or SIGTERM
    Share,
}

fn server(text: &str) -> Result<Endpoint, TermError> {
    Endpoint::parse(text, Port::new(SERVER_PORT).unwrap_or(Port::MIN))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::log_to_stderr(arguments.verbose);
    program::run(!arguments.quiet, |transcript| run(arguments, transcript))
}

fn open_library(arguments: &Arguments) -> anyhow::Result<Arc<Library>> {
    match Library::open(&arguments.dir, arguments.rfcs.as_deref()) {
        Ok(library) => Ok(Arc::new(library)),
        Err(error @ LibraryError::Missing { .. }) => Err(error).context(Failure::NotFound),
        Err(error) => Err(error.into()),
    }
}

fn run(arguments: Arguments, transcript: &Transcript) -> anyhow::Result<()> {
    let library = open_library(&arguments)?;
    let os: Arc<str> = program::operating_system().into();
    let uploading = Sockets::with_limits(Limits {
        total: program::connections_within_limits(arguments.max_uploads),
        ..Limits::default()
    });
    let asking = Sockets::default();
    let (mut console, hangup) = Console::new(transcript.clone());
    let stop = (hangup, asking.clone(), uploading.clone());
    signals::on_stop(move || {
        stop.0.hang_up();
        stop.1.close_all();
        stop.2.close_all();
    })
    .context("cannot handle signals")?;

    let listener = Listener::bind(arguments.bind, arguments.upload_port)?;
    let port = listener.port();
    transcript.line(format_args!(
        "[UPLOAD] Upload server listening on port {port}"
    ));
    let uploads = Uploads {
        library: library.clone(),
        sockets: uploading.clone(),
        transcript: transcript.clone(),
        os: os.clone(),
    };
    in_background("uploads", move || uploads.run(listener))?;

    let name = name::choose(arguments.hostname, arguments.bind, &arguments.host);
    transcript.line(format_args!("[PEER] Hostname: {}", name.host));
    transcript.line(format_args!("[PEER] ({})", name.reason));
    let port = Port::new(port).context("the upload server has no port")?;
    let me = Endpoint {
        host: name.host,
        port,
    };
    let membership = Membership {
        server: arguments.host,
        me: me.clone(),
        pipeline: arguments.pipeline.into(),
        sockets: asking.clone(),
        transcript: transcript.clone(),
    };
    let index = match Central::connect(membership) {
        // It was told to end before it had begun.
        Err(_) if asking.is_closing() => return Ok(()),
        joined => joined.context(Failure::IndexUnreachable)?,
    };
    let downloader = Downloader::new(library, asking.clone(), transcript.clone(), os);
    let peer = Arc::new(Peer::new(me, index, downloader, transcript.clone()));

    let ended = take_part(&peer, arguments.command, &mut console);
    peer.index.leave();
    let was_stopped = asking.is_closing();
    // Whoever downloads at the moment may finish, but does not keep us.
    uploading.stop_listening();
    if !uploading.wait_until_none(STOP_TIME) {
        uploading.close_all();
    }
    // What was cut off by a signal did not fail.
    if was_stopped { Ok(()) } else { ended }
}

/// Registers what there is, and then does what the user wants until the end.
fn take_part(
    peer: &Arc<Peer<Central>>,
    command: Option<Command>,
    console: &mut Console,
) -> anyhow::Result<()> {
    match peer.register_all() {
        // The index will be back, and sharing goes on meanwhile.
        Err(GetError::Index(error)) if error.is_passing() => {}
        registered => registered?,
    }
    let watched = Arc::clone(peer);
    in_background("folder", move || watch::run(&watched))?;
    match command {
        None => {
            console.read_stdin().context("cannot read standard input")?;
            menu::run(peer.as_ref(), console);
        }
        Some(Command::Share) => console.wait_for_hangup(),
    }
    Ok(())
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread
        .with_context(|| format!("cannot start the thread {name:?}"))
        .map(drop)
}
