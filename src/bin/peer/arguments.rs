//! The options and commands of the peer.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint, value_parser};
use p2pci::doors::commands::{self, Format};
use p2pci::event::Events;
use p2pci::experiment;
use p2pci::grade;
use p2pci::index::Kind;
use p2pci::node::numbers;
use p2pci::node::{Config, Ports};
use p2pci::printout::Shows;
use p2pci::program::{self, Look, Printing, Program, VERSION};
use p2pci::web::WebPlace;
use p2pci::wire::{Dialect, Endpoint, Host, Port, RfcNumber, TermError};

/// The folder that is shared unless --dir names another.
pub(crate) const FOLDER: &str = "rfcs";

/// Shares a folder of RFCs with other peers, and downloads from them.
///
/// Without a command the peer registers its RFCs with the index server, serves them to others in
/// the background, and offers a menu: ADD, LOOKUP, LIST, GET, EXIT. It prints every message that it
/// sends or receives. The commands do the same for scripts, and print only the result to standard
/// output.
#[derive(Debug, Parser)]
#[command(
    name = "peer",
    version = VERSION,
    override_usage = "peer [OPTIONS] [COMMAND]",
    subcommand_precedence_over_arg = true,
    mut_args(|arg| arg.global(true)),
    after_help = EXAMPLES
)]
#[cfg_attr(
    feature = "dht",
    expect(clippy::struct_excessive_bools, reason = "each is a flag")
)]
pub(crate) struct Arguments {
    /// The index server, the registration server, or the introducer of a DHT or any of its peers by
    /// the port of its upload server: HOST or HOST:PORT
    /// [default: localhost; default port: 7734, 65243 or 7494]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = server, value_hint = ValueHint::Hostname, help_heading = "Index")]
    pub(crate) host: Option<(Host, Option<Port>)>,
    /// How the peer learns who has what: from one server (P2P-CI), or from the other peers (P2P-DI),
    /// which a server or a distributed hash table names [default: central]
    #[arg(long, value_name = "KIND", value_parser = program::index_kind(), help_heading = "Index")]
    pub(crate) index: Option<Kind>,
    /// How to talk to servers and peers: in text, in length-prefixed frames, or in text first and
    /// in frames if the other side does not understand it
    #[arg(long, value_enum, value_name = "DIALECT", default_value_t = DialectChoice::Auto, help_heading = "Index")]
    pub(crate) dialect: DialectChoice,
    /// How many RFCs to register before the responses of the server arrive [default: 1, and more for
    /// a large folder if the server understands it]
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=100), help_heading = "Index")]
    pub(crate) pipeline: Option<u8>,
    /// Connect to other peers on every port; without this, not on ports below 1024, because an index
    /// could name the services of any host
    #[arg(long, value_parser = program::flag, help_heading = "Index")]
    pub(crate) any_port: bool,
    /// Join the public Mainline DHT, where anybody can see which RFCs this address shares
    #[cfg(feature = "dht")]
    #[arg(long, value_parser = program::flag, help_heading = "Index")]
    pub(crate) public_dht: bool,
    /// The folder to share; created if it is missing
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = FOLDER,
        value_hint = ValueHint::DirPath,
        help_heading = "Sharing"
    )]
    pub(crate) dir: PathBuf,
    /// Offer only these RFCs of the folder
    #[arg(short, long, value_name = "N", num_args = 1.., value_delimiter = ',', value_parser = numbers::number, help_heading = "Sharing")]
    pub(crate) rfcs: Option<Vec<RfcNumber>>,
    /// The name that others connect to [default: this machine's host name if others can
    /// use it, or its address toward the server]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname, help_heading = "Sharing")]
    pub(crate) hostname: Option<Host>,
    /// The port of the upload server, and with --index dht also the UDP port of the node; others
    /// connect to one below 1024 only with --any-port [default: any free one]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = program::port, help_heading = "Sharing")]
    pub(crate) upload_port: Option<u16>,
    /// The local address of the upload server [default: every IPv6 and IPv4 address]
    #[arg(long, value_name = "ADDR", help_heading = "Sharing")]
    pub(crate) bind: Option<IpAddr>,
    /// The maximum rate of all uploads together, for example 2MB/s; 0 means no limit
    /// [default: 0; in an experiment 2MB/s for each peer, without --compare]
    #[arg(long, value_name = "RATE", value_parser = program::rate, help_heading = "Sharing")]
    pub(crate) upload_rate: Option<u64>,
    /// The maximum number of simultaneous uploads
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = program::connections(), help_heading = "Sharing")]
    pub(crate) max_uploads: usize,
    /// The maximum number of downloads from one address at the same time (of IPv6, from one /64);
    /// loopback is exempt
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = program::connections(), help_heading = "Sharing")]
    pub(crate) max_uploads_per_address: usize,
    /// The control socket, over which programs on this machine use a peer [default: the one that
    /// follows from the folder]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Background")]
    pub(crate) socket: Option<PathBuf>,
    /// With the menu or `share`: show the peer on a page for browsers, at this port of this address,
    /// where people can search and download; 0 selects any free port. The address is printed
    #[arg(long, value_name = "[ADDR:]PORT", help_heading = "Page")]
    pub(crate) web: Option<WebPlace>,
    /// Print connection events and answers but no messages; with a command, only errors and warnings
    #[arg(short, long, value_parser = program::flag, help_heading = "Printing")]
    pub(crate) quiet: bool,
    /// Print every message to standard output, also with a command; and whole, also on a terminal,
    /// where many registrations and long answers are shortened
    #[arg(long, value_parser = program::flag, help_heading = "Printing")]
    pub(crate) print_messages: bool,
    /// Also append every message to FILE, regardless of what is printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Printing")]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) look: Look,
    /// Log more to standard error (-v, -vv, -vvv); the variable `RUST_LOG` takes precedence
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Printing")]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Work(commands::Command),
    #[command(flatten)]
    Background(commands::Background),
    /// Share without a menu, until SIGINT (Ctrl-C) or SIGTERM
    #[command(after_help = SHARE)]
    Share(Share),
    /// Send a request as it is typed, right or wrong, and show the answer
    ///
    /// The request goes to the index server, or to any other server or peer that --host names. It
    /// may break every rule. With --quiet, standard output has the answer alone, byte by byte.
    #[command(after_help = SEND)]
    Send(commands::Send),
    /// Measure one server against many peers, or the kinds of index, over loopback
    ///
    /// A registration server and the peers run in this one process and talk over real sockets. They
    /// register, ask each other for their indexes, and then all fetch at the same time, each peer
    /// one RFC after the other: in task 1 from one peer that has all of them; in task 2 from each
    /// other, starting with their neighbors (best) or all with the same peer (worst). Every file
    /// that arrives is compared with its source.
    ///
    /// Standard output has a table of the total times next to those that a model predicts, in units
    /// of s/u: s is the mean size of the RFCs, u the upload rate of each peer (--upload-rate).
    /// Without a limit there is no prediction. Every download and the totals are written into the
    /// folder as CSV, and the curves as SVG. The peers keep their files below the temporary folder
    /// (the variable TMPDIR) and remove them.
    ///
    /// With --compare it measures the kinds of index instead: the messages, bytes, and time to join,
    /// to look up, and to list, and what is found after failures. `peer help choosing` explains the
    /// table.
    Experiment(experiment::Options),
    /// Grade another program: play the other side, and say what deviates from the protocol
    Grade(grade::Options),
}

/// Where a peer shares.
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// Share in the background; return once the peer has joined its index. Other commands for the
    /// same folder use this peer, and `stop` ends it
    #[arg(long, value_parser = program::flag)]
    pub(crate) daemon: bool,
    /// The same, but do not return: for systemd and other supervisors
    #[arg(long, value_parser = program::flag)]
    pub(crate) foreground: bool,
}

/// Exits because options conflict.
pub(crate) fn usage_error(error: &str) -> ! {
    program::usage_error::<Arguments>(error)
}

/// The dialect for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectChoice {
    /// Text first, and frames if that is not understood; remembered for each address
    Auto,
    /// Text only
    Text,
    /// Frames only
    Framed,
}

impl DialectChoice {
    pub(crate) fn only(self) -> Option<Dialect> {
        match self {
            Self::Auto => None,
            Self::Text => Some(Dialect::Text),
            Self::Framed => Some(Dialect::Framed),
        }
    }
}

/// Parses HOST or HOST:PORT.
fn server(text: &str) -> Result<(Host, Option<Port>), TermError> {
    // Parsed with two default ports: if the results differ, the text names no port.
    let one = Endpoint::parse(text, Port::MIN)?;
    let other = Endpoint::parse(text, Port::MAX)?;
    Ok((one.host, (one.port == other.port).then_some(one.port)))
}

impl Arguments {
    /// The format of results.
    pub(crate) fn format(&self) -> Format {
        match &self.command {
            Some(Command::Work(work)) => work.format(),
            Some(Command::Background(background)) => background.format(),
            _ => Format::Lines,
        }
    }

    /// How `share` runs.
    pub(crate) fn share(&self) -> Option<&Share> {
        match &self.command {
            Some(Command::Share(share)) => Some(share),
            _ => None,
        }
    }

    /// The command for a node; `None` for the menu, `share`, `experiment` and `grade`.
    pub(crate) fn work(&self) -> Option<&commands::Command> {
        match &self.command {
            Some(Command::Work(work)) => Some(work),
            _ => None,
        }
    }

    /// Whether to register the whole folder, and share it until a signal arrives.
    pub(crate) fn shares(&self) -> bool {
        match &self.command {
            None | Some(Command::Share(_)) => true,
            Some(Command::Work(work)) => work.shares(),
            Some(
                Command::Background(_)
                | Command::Send(_)
                | Command::Experiment(_)
                | Command::Grade(_),
            ) => false,
        }
    }

    /// What is printed, and how.
    pub(crate) fn printing(&self) -> Printing<'_> {
        Printing {
            shows: self.shows(),
            style: self.look.style(self.print_messages),
            transcript: self.transcript.as_deref(),
            is_quiet: self.quiet,
        }
    }

    /// Whether to run until a signal arrives, which is then no failure.
    pub(crate) fn stays(&self) -> bool {
        self.shares() || self.work().is_some_and(commands::Command::stays)
    }

    /// Whether the peer stays long enough for a page.
    pub(crate) fn may_have_page(&self) -> bool {
        matches!(self.command, None | Some(Command::Share(_)))
    }

    /// The part of the printout that standard output shows.
    fn shows(&self) -> Shows {
        match self.command {
            _ if self.print_messages => Shows::Messages,
            None | Some(Command::Send(_)) if !self.quiet => Shows::Messages,
            None | Some(Command::Share(_)) => Shows::Life,
            Some(_) => Shows::Nothing,
        }
    }

    /// The kind of index.
    pub(crate) fn kind(&self) -> Kind {
        self.index.unwrap_or(Kind::Central)
    }

    /// The index server.
    pub(crate) fn server(&self) -> Endpoint {
        let (host, port) = match &self.host {
            Some((host, port)) => (host.clone(), *port),
            None => (Host::localhost(), None),
        };
        let port = port.unwrap_or(self.kind().port());
        Endpoint { host, port }
    }

    /// The configuration of the node. The default port is the well-known one of the kind of index.
    pub(crate) fn node(&self, events: &Events) -> Config {
        Config {
            kind: self.kind(),
            server: self.server(),
            dialect: self.dialect.only(),
            pipeline: self.pipeline.map(usize::from),
            ports: if self.any_port {
                Ports::Any
            } else {
                Ports::Unprivileged
            },
            folder: self.dir.clone(),
            only: self.rfcs.clone(),
            shares: self.shares(),
            hostname: self.hostname.clone(),
            bind: self.bind,
            upload_port: self.upload_port.unwrap_or_default(),
            upload_rate: self.upload_rate.unwrap_or_default(),
            max_uploads: program::connections_within_limits(self.max_uploads, events),
            max_uploads_per_address: self.max_uploads_per_address,
            state: program::state_folder(),
            #[cfg(feature = "dht")]
            public_dht: self.public_dht,
            #[cfg(not(feature = "dht"))]
            public_dht: false,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  peer --host X --dir rfcs           share rfcs/, with the index server on X, and offer the menu
  peer --host X share                the same without a menu
  peer --host X share --daemon       the same in the background; `peer stop` ends it
  peer --host X --web 7735           the menu, and a page for browsers
  peer --host X find transport       find RFCs about transport
  peer --host X get 8600-8605 123    download seven RFCs into rfcs/
  peer --host X get -o - 123 | less  read one RFC
  peer --host X list --json | jq     process the whole index
  P2PCI_HOST=X peer list             set an option with an environment variable
  peer help                          list the pages of the manual";

const SHARE: &str = "\
Examples:
  peer share                         share rfcs/ until Ctrl-C
  peer --dir papers share --daemon   share papers/ in the background";

const SEND: &str = "\
Examples:
  peer send 'BLAH RFC 123 P2P-CI/1.0' 'Host: localhost'         an unknown method
  peer send --raw 'LIST ALL P2P-CI/1.0'                         a request without its end
  peer send --host vm:37431 'GET RFC 123 P2P-CI/2.0' 'Host: vm' to the upload port of a peer
  peer send -q 'LIST ALL P2P-CI/1.0' 'Host: vm' | od -c         the bytes of the answer";

impl Program for Arguments {
    const EXIT_CODES: &'static [(&'static str, &'static str)] = &[
        ("0", "done; also when a signal ends the menu or `share`"),
        ("1", "failed, for example a folder that cannot be written"),
        ("2", "wrong options"),
        (
            "3",
            "not found: an RFC, words in a title, or a peer in the background",
        ),
        (
            "4",
            "the index server, or the peer in the background, cannot be reached or was lost",
        ),
        ("5", "no holder could be reached and delivered"),
        (
            "6",
            "the other side uses another protocol or version, or refused the request",
        ),
        ("7", "wrong bytes were received"),
        ("8", "a graded program deviates from the protocol"),
        ("130", "interrupted by Ctrl-C (143: by SIGTERM)"),
    ];
    const FILES: &'static [(&'static str, &'static str)] = &[
        ("rfcs/rfcN.txt", "The RFCs, in the folder that --dir names."),
        (
            "~/.local/state/p2pci/",
            "The history of the menu, the cookies of registration servers, the nodes of a hash \
              table, the control sockets \
             (without XDG_RUNTIME_DIR), and the logs of peers in the background.",
        ),
        (
            "~/.config/p2pci/peer",
            "Variables for the systemd unit p2pci-peer, for example P2PCI_HOST=X.",
        ),
    ];
    const OTHER_VARIABLES: &'static [&'static str] = &[
        "MAX_PEERS",
        "MAX_PEERS_PER_ADDRESS",
        "MAX_RECORDS_PER_PEER",
        "PORT",
        "PUBLIC_DHT",
        "REQUEST_TIME",
        "SEND_TIME",
        "STATE",
        "TTL",
    ];

    fn tip(command: &str) -> Option<&'static str> {
        match command {
            "add" => Some("a title goes after '--title', in quotes"),
            "list" => Some("'peer find' searches titles, and 'peer lookup' shows one RFC"),
            "lookup" => Some("'peer find' searches titles"),
            _ => None,
        }
    }

    fn matters(command: &str, option: &str) -> bool {
        match command {
            "status" | "stop" => ["dir", "socket", "quiet", "verbose"].contains(&option),
            "send" => [
                "host",
                "index",
                "quiet",
                "print_messages",
                "transcript",
                "timestamps",
                "step",
                "verbose",
            ]
            .contains(&option),
            "grade" => ["quiet", "verbose"].contains(&option),
            "experiment" => [
                "upload_rate",
                "quiet",
                "print_messages",
                "transcript",
                "verbose",
            ]
            .contains(&option),
            // They share nothing, and have no page.
            "lookup" | "list" | "find" => ![
                "pipeline",
                "rfcs",
                "upload_port",
                "upload_rate",
                "max_uploads",
                "max_uploads_per_address",
                "web",
            ]
            .contains(&option),
            "add" | "get" => option != "web",
            _ => true,
        }
    }
}
