//! The peer: arguments, the library, the upload server, the index, then the menu.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use p2pci::index::{Central, Index};
use p2pci::net::{Listener, Sockets};
use p2pci::peer::library::LibraryError;
use p2pci::peer::{Console, Downloader, Library, Peer, Uploads, menu, name};
use p2pci::program::{self, Failure};
use p2pci::signals;
use p2pci::transcript::Transcript;
use p2pci::wire::ci::SERVER_PORT;
use p2pci::wire::{Endpoint, Host, Port, RfcNumber, TermError};

/// The most downloads that others have at a time.
const MOST_UPLOADS: usize = 256;
/// How long the uploads at work have to end when the peer stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Shares a folder of RFCs with other peers, and downloads from them.
///
/// The peer registers what it has with the index server, serves it to others in the background,
/// and offers a menu: ADD, LOOKUP, LIST, GET, EXIT. Every message that comes and goes is printed.
#[derive(Debug, Parser)]
#[command(version, subcommand_precedence_over_arg = true)]
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
    program::exit_code(run(arguments))
}

fn open_library(arguments: &Arguments) -> anyhow::Result<Arc<Library>> {
    match Library::open(&arguments.dir, arguments.rfcs.as_deref()) {
        Ok(library) => Ok(Arc::new(library)),
        Err(error @ LibraryError::Missing { .. }) => Err(error).context(Failure::NotFound),
        Err(error) => Err(error.into()),
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let transcript = Transcript::to_stdout(!arguments.quiet);
    let library = open_library(&arguments)?;
    let os: Arc<str> = program::operating_system().into();

    let (uploading, asking) = (Sockets::default(), Sockets::default());
    let (mut console, hangup) = Console::new(transcript.clone());
    let (stop_uploads, stop_asking, stop_console) =
        (uploading.clone(), asking.clone(), hangup.clone());
    signals::on_stop(move || {
        stop_console.hang_up();
        stop_asking.close_all();
        stop_uploads.close_all();
    })
    .context("cannot handle signals")?;

    let listener = Listener::bind(arguments.bind, arguments.upload_port)?;
    let port = listener.port();
    transcript.line(format_args!(
        "[UPLOAD] Upload server listening on port {port}"
    ));
    let uploads = Uploads {
        library: library.clone(),
        transcript: transcript.clone(),
        os: os.clone(),
    };
    let open = uploading.clone();
    thread::Builder::new()
        .name("uploads".to_owned())
        .spawn(move || listener.serve(&open, MOST_UPLOADS, move |c| uploads.serve(c)))
        .context("cannot start the upload server")?;

    let name = name::choose(arguments.hostname, arguments.bind, &arguments.host);
    transcript.line(format_args!("[PEER] Hostname: {}", name.host));
    transcript.line(format_args!("[PEER] ({})", name.reason));
    let port = Port::new(port).context("the upload server has no port")?;
    let me = Endpoint {
        host: name.host,
        port,
    };
    let index = Central::connect(arguments.host, me.clone(), &asking, transcript.clone())
        .context(Failure::IndexUnreachable)?;
    let downloader = Downloader {
        library,
        transcript: transcript.clone(),
        sockets: asking.clone(),
        os,
    };
    let peer = Peer {
        me,
        index,
        downloader,
        transcript,
    };

    let ended = peer
        .register_all()
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            match arguments.command {
                None => {
                    console
                        .read_stdin(&hangup)
                        .context("cannot read standard input")?;
                    menu::run(&peer, &mut console);
                }
                Some(Command::Share) => console.wait_for_hangup(),
            }
            Ok(())
        });
    peer.index.leave();
    let stopped = asking.is_closing();
    uploading.close_all();
    let _ = uploading.wait_until_none(STOP_TIME);
    // What was cut off by a signal did not fail.
    if stopped { Ok(()) } else { ended }
}
