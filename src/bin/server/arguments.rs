//! The options of the server.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueHint};
use p2pci::index::Kind;
use p2pci::program::{self, Look, Program, VERSION};
use p2pci::web::WebPlace;
use p2pci::wire::di::TTL;

/// The index server of P2P-CI/1.0, which knows who has which RFC but stores none; or the
/// registration server of P2P-DI/1.0, which knows which peers are active; or the introducer of a
/// distributed hash table, through which peers find each other.
///
/// Prints every message that it sends or receives. SIGINT (Ctrl-C) or SIGTERM stops the server.
#[derive(Debug, Parser)]
#[command(
    name = "server",
    version = VERSION,
    override_usage = "server [OPTIONS]",
    subcommand_help_heading = "Other commands",
    after_help = EXAMPLES
)]
pub(crate) struct Arguments {
    /// The local address to listen on [default: every IPv6 and IPv4 address]
    #[arg(long, value_name = "ADDR", help_heading = "Address")]
    pub(crate) bind: Option<IpAddr>,
    /// The port to listen on; 0 selects any free port, which is printed [default: 7734; 65243 for
    /// the registration server; 7494 for the introducer]
    #[arg(long, value_name = "PORT", value_parser = program::port, help_heading = "Address")]
    pub(crate) port: Option<u16>,
    /// Whether to run the index server (P2P-CI), the registration server for peers that keep the
    /// index themselves (P2P-DI), or the introducer for peers that find each other in a distributed
    /// hash table
    #[arg(long, value_name = "KIND", default_value_t = Kind::Central, value_parser = program::index_kind(), help_heading = "Index")]
    pub(crate) index: Kind,
    /// How long a peer of a distributed index stays active without contact
    #[arg(long, value_name = "SECONDS", default_value_t = TTL, value_parser = clap::value_parser!(u32).range(1..=31_536_000), help_heading = "Index")]
    pub(crate) ttl: u32,
    /// The file that stores the peers of a distributed index, or the nodes of a hash table [default:
    /// registrations-PORT.redb or dht-PORT.json in the user's state directory, for example
    /// ~/.local/state/p2pci]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Index")]
    pub(crate) state: Option<PathBuf>,
    /// Join the public Mainline DHT, where anybody can see which RFCs are shared at which address
    #[cfg(feature = "dht")]
    #[arg(long, value_parser = program::flag, help_heading = "Index")]
    pub(crate) public_dht: bool,
    /// The maximum number of connections
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = program::connections(), help_heading = "Limits")]
    pub(crate) max_peers: usize,
    /// The maximum number of connections from one address (of IPv6, from one /64); loopback is exempt
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = program::connections(), help_heading = "Limits")]
    pub(crate) max_peers_per_address: usize,
    /// The maximum number of RFCs that one peer may register
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..), help_heading = "Limits")]
    pub(crate) max_records_per_peer: usize,
    /// How long a request may take from its first byte to its last
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    pub(crate) request_time: u16,
    /// How long a peer may stop reading a response before the connection is closed
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    pub(crate) send_time: u16,
    /// Show the running server on a page for browsers, at this port of this address; 0 selects any
    /// free port. The address is printed
    #[arg(long, value_name = "[ADDR:]PORT", help_heading = "Page")]
    pub(crate) web: Option<WebPlace>,
    /// Print connection events but no messages
    #[arg(short, long, value_parser = program::flag, help_heading = "Printing")]
    pub(crate) quiet: bool,
    /// Also append every message to FILE, regardless of what is printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Printing")]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) look: Look,
    /// Log more to standard error (-v, -vv, -vvv); the variable `RUST_LOG` takes precedence
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Printing")]
    pub(crate) verbose: u8,
}

const EXAMPLES: &str = "\
Examples:
  server                          listen on port 7734 and print every message
  server --port 0 -q              listen on any free port, print only connection events
  server --index distributed      run a registration server on port 65243
  server --index dht              run an introducer of a hash table on port 7494
  server --transcript log.txt -q  save every message to a file
  server --web 8080               show the server at http://127.0.0.1:8080/
  P2PCI_PORT=8000 server          set an option with an environment variable
  server help                     list the pages of the manual";

impl Program for Arguments {
    const EXIT_CODES: &'static [(&'static str, &'static str)] = &[
        ("0", "stopped by a signal"),
        ("1", "failed, for example because the port is in use"),
        ("2", "wrong options"),
    ];
    const FILES: &'static [(&'static str, &'static str)] = &[
        (
            "~/.local/state/p2pci/",
            "The peers of a distributed index (registrations-PORT.redb) and the nodes of a hash \
             table (dht-PORT.json), unless --state names a file.",
        ),
        (
            "/etc/default/p2pci-server",
            "Variables for the systemd unit p2pci-server, for example P2PCI_PORT=7000.",
        ),
    ];
    const OTHER_VARIABLES: &'static [&'static str] = &[
        "ACCEPT_BARE",
        "ANY_PORT",
        "COMPARE",
        "CORPUS",
        "DAEMON",
        "DEADLINE",
        "DIALECT",
        "DIR",
        "FETCH",
        "FILES",
        "FORCE",
        "FOREGROUND",
        "GRADESCOPE",
        "HIDE",
        "HOST",
        "HOSTNAME",
        "IN",
        "ISOLATED",
        "JOBS",
        "JSON",
        "JUNIT",
        "KEEP_OUTPUT",
        "KEYS",
        "LIST_CHECKS",
        "MAX_UPLOADS",
        "MAX_UPLOADS_PER_ADDRESS",
        "ONLY",
        "ORDER",
        "OUT",
        "OUTPUT",
        "PATIENCE",
        "PEER",
        "PEERS",
        "PEER_RUBRIC",
        "PER_PEER",
        "PIPELINE",
        "PRINT_MESSAGES",
        "PUBLIC_DHT",
        "RAW",
        "REPEAT",
        "RFCS",
        "RUBRIC",
        "RUN",
        "SERVER",
        "SERVER_RUBRIC",
        "SHARE",
        "SOCKET",
        "STAY",
        "SYNTHETIC",
        "TASK",
        "TITLE",
        "UPLOAD_PORT",
        "UPLOAD_RATE",
    ];
}
