//! The options and commands of the peer.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use p2pci::doors::commands::Format;
use p2pci::experiment::documents::Synthetic;
use p2pci::experiment::{Parameters, Scenario};
use p2pci::index::Kind;
use p2pci::node::numbers::{self, Selection};
use p2pci::program::{self, VERSION};
use p2pci::wire::Dialect;
use p2pci::wire::{Endpoint, Host, Port, RfcNumber, TermError, Title};

/// The size of the files that an experiment makes, in bytes.
const DEFAULT_SIZE: u64 = 50 * 1024;

/// Shares a folder of RFCs with other peers, and downloads from them.
///
/// Without a command the peer registers its RFCs with the index server, serves them to others in the
/// background, and offers a menu: ADD, LOOKUP, LIST, GET, EXIT. Every message that is sent or
/// received is printed. The commands do the same work for scripts: standard output has the result
/// and nothing else.
#[derive(Debug, Parser)]
#[command(
    name = "peer",
    version = VERSION,
    override_usage = "peer [OPTIONS] [COMMAND]",
    subcommand_precedence_over_arg = true,
    after_help = EXAMPLES
)]
pub(crate) struct Arguments {
    /// The index server, or the registration server: HOST or HOST:PORT [default port: 7734 or
    /// 65243]
    #[arg(
        global = true,
        long,
        value_name = "HOST[:PORT]",
        default_value = "localhost",
        help_heading = "Index"
    )]
    pub(crate) host: Server,
    /// How the peer learns who has what: from one server (P2P-CI), or from the other peers (P2P-DI)
    #[arg(global = true, long, value_name = "KIND", default_value_t = Kind::Central, value_parser = program::index_kind(), help_heading = "Index")]
    pub(crate) index: Kind,
    /// How to talk to servers and peers: in text, in length-prefixed frames, or in text first and in
    /// frames if that is not understood
    #[arg(global = true, long, value_enum, value_name = "DIALECT", default_value_t = DialectChoice::Auto, help_heading = "Index")]
    pub(crate) dialect: DialectChoice,
    /// How many RFCs to register before the answers of the server arrive; more than 1 is faster over a
    /// slow line, but not every server can handle it
    #[arg(global = true, long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u8).range(1..=100), help_heading = "Index")]
    pub(crate) pipeline: u8,
    /// The folder to share; created if it is missing
    #[arg(
        global = true,
        long,
        value_name = "FOLDER",
        default_value = "rfcs",
        help_heading = "Sharing"
    )]
    pub(crate) dir: PathBuf,
    /// Offer only these RFCs of the folder
    #[arg(global = true, short, long, value_name = "N", num_args = 1.., value_delimiter = ',', value_parser = numbers::number, help_heading = "Sharing")]
    pub(crate) rfcs: Option<Vec<RfcNumber>>,
    /// The name that others are told to connect to [default: this machine's host name if others can
    /// use it, or its address towards the server]
    #[arg(global = true, long, value_name = "NAME", help_heading = "Sharing")]
    pub(crate) hostname: Option<Host>,
    /// The port of the upload server [default: any free one]
    #[arg(
        global = true,
        short = 'p',
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "Sharing"
    )]
    pub(crate) upload_port: u16,
    /// The local address of the upload server [default: every IPv6 and IPv4 address]
    #[arg(global = true, long, value_name = "ADDR", help_heading = "Sharing")]
    pub(crate) bind: Option<IpAddr>,
    /// The most bytes per second for all uploads together, for example 2MB/s; 0 means no limit
    /// [default: 0; in an experiment 2MB/s for each peer]
    #[arg(global = true, long, value_name = "RATE", value_parser = program::rate, help_heading = "Sharing")]
    pub(crate) upload_rate: Option<u64>,
    /// The most downloads that others may have at the same time
    #[arg(global = true, long, value_name = "N", default_value_t = 256, value_parser = program::connections(), help_heading = "Sharing")]
    pub(crate) max_uploads: u32,
    /// Print connection events and answers, no messages; with a command, only errors and warnings
    #[arg(global = true, short, long, value_parser = FalseyValueParser::new(), help_heading = "Printing")]
    pub(crate) quiet: bool,
    /// With a command: print every message to standard output, as the menu does
    #[arg(global = true, long, value_parser = FalseyValueParser::new(), help_heading = "Printing")]
    pub(crate) print_messages: bool,
    /// Append every message to FILE as well, whatever is printed
    #[arg(global = true, long, value_name = "FILE", help_heading = "Printing")]
    pub(crate) transcript: Option<PathBuf>,
    /// Log more to standard error (-v, -vv, -vvv); the variable `RUST_LOG` takes precedence
    #[arg(global = true, short, long, action = clap::ArgAction::Count, help_heading = "Printing")]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show who has an RFC
    Lookup {
        /// Its number: 123, rfc123, rfc123.txt
        #[arg(value_name = "N", value_parser = numbers::number)]
        number: RfcNumber,
        #[command(flatten)]
        format: Printed,
    },
    /// Show all records of the index
    List {
        #[command(flatten)]
        format: Printed,
    },
    /// Show the RFCs whose titles contain all of these words
    Find {
        /// Words, or parts of them, in any letter case
        #[arg(value_name = "WORDS", required = true)]
        words: Vec<String>,
        #[command(flatten)]
        format: Printed,
    },
    /// Download RFCs
    ///
    /// Each RFC is looked up, downloaded from a peer that has it, and registered. An RFC that the
    /// folder already has is kept. A failure does not stop the others; all failures are reported at
    /// the end.
    Get(Get),
    /// Register one RFC of the folder, and show its record
    Add {
        /// Its number: 123, rfc123, rfc123.txt
        #[arg(value_name = "N", value_parser = numbers::number)]
        number: RfcNumber,
        /// Its title [default: the one in the file]
        #[arg(long)]
        title: Option<Title>,
        #[command(flatten)]
        format: Printed,
    },
    /// Share without a menu, until SIGINT (Ctrl-C) or SIGTERM
    Share,
    /// Measure one server against many peers, over loopback
    ///
    /// A registration server and the peers run in this one process and talk over real sockets. They
    /// register, ask each other for their indexes, and then all fetch at the same time, each peer one
    /// RFC after the other: in task 1 from one peer that has all of them; in task 2 from each other,
    /// starting with their neighbors (best) or all with the same peer (worst). Every file that arrives
    /// is compared with its source.
    ///
    /// Standard output has a table of the total times next to those that a model predicts, in units
    /// of s/u: s is the mean size of the RFCs, u the upload rate of each peer (--upload-rate).
    /// Without a limit there is no prediction. Every download and the totals are written into the
    /// folder as CSV, and the curves as SVG. The peers keep their files below the temporary folder
    /// (the variable TMPDIR) and remove them.
    #[command(after_help = EXPERIMENTS)]
    Experiment(Experiment),
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Printed {
    /// Print the result as one JSON document
    #[arg(long, value_parser = FalseyValueParser::new())]
    json: bool,
}

impl From<Printed> for Format {
    fn from(printed: Printed) -> Self {
        if printed.json {
            Self::Json
        } else {
            Self::Lines
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Numbers (123, rfc123, rfc123.txt), ranges (8600-8605), or `all` that others have
    #[arg(value_name = "N", required = true)]
    numbers: Vec<String>,
    /// Write a single RFC to FILE instead of the folder; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace files that the folder already has
    #[arg(short, long, value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    /// How many downloads run at the same time
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
    /// Share the folder in the meantime, and stay until SIGINT (Ctrl-C) or SIGTERM
    #[arg(long, value_parser = FalseyValueParser::new())]
    pub(crate) share: bool,
    #[command(flatten)]
    format: Printed,
}

impl Get {
    /// Which RFCs are wanted.
    pub(crate) fn selection(&self) -> Result<Selection, String> {
        let selection = Selection::parse(&self.numbers).map_err(|error| error.to_string())?;
        if self.output.is_some() && selection.single().is_none() {
            return Err("--output takes a single RFC".to_owned());
        }
        if self.format.json && self.is_to_stdout() {
            return Err("--json conflicts with --output -".to_owned());
        }
        if self.output.is_some() && self.share {
            return Err("--output conflicts with --share".to_owned());
        }
        Ok(selection)
    }

    /// How the result is printed. Where standard output is for the document, it is not.
    pub(crate) fn format(&self) -> Format {
        if self.is_to_stdout() {
            Format::Nothing
        } else {
            self.format.into()
        }
    }

    fn is_to_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(|path| path == "-")
    }
}

/// An experiment of P2P-DI/1.0, section 5.
#[derive(Debug, Args)]
pub(crate) struct Experiment {
    /// 1: all fetch from one peer, 2: all fetch from each other
    #[arg(long, value_enum, value_name = "TASK", default_value_t = Tasks::All, help_heading = "Experiment")]
    pub(crate) task: Tasks,
    /// In task 2: whether peers start with their neighbors, or all with the same peer
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Orders::All, help_heading = "Experiment")]
    pub(crate) order: Orders,
    /// How many peers take part
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = value_parser!(u16).range(2..=20), help_heading = "Experiment")]
    pub(crate) peers: u16,
    /// How many RFCs each peer has in task 2; in task 1 the first peer has those of all
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u16).range(1..=1000), help_heading = "Experiment")]
    pub(crate) per_peer: u16,
    /// How many RFCs each peer fetches [default: all that it lacks in task 2, which is 50 for 6 peers
    /// with 10 each]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..), help_heading = "Experiment")]
    pub(crate) fetch: Option<u16>,
    /// How often everything is measured; the pictures and the table show the means
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100), help_heading = "Experiment")]
    pub(crate) repeat: u32,
    /// Fetch the first files rfcN.txt of this folder
    #[arg(long, value_name = "FOLDER", help_heading = "Documents")]
    pub(crate) corpus: Option<PathBuf>,
    /// Fetch files that are made up: how many, and of what size [default: as many as are needed, of
    /// 50KiB]
    #[arg(long, value_name = "COUNTxSIZE", help_heading = "Documents")]
    pub(crate) synthetic: Option<Synthetic>,
    /// The folder for the results; created if it is missing; files of the same names are replaced
    #[arg(long, value_name = "FOLDER", help_heading = "Results")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tasks {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Orders {
    Best,
    Worst,
    All,
}

impl Experiment {
    /// What is run, one after the other.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let scenarios = [Scenario::Task1, Scenario::Task2Best, Scenario::Task2Worst];
        let is_wanted = |scenario: &Scenario| match scenario {
            Scenario::Task1 => self.task != Tasks::Two,
            Scenario::Task2Best => self.task != Tasks::One && self.order != Orders::Worst,
            Scenario::Task2Worst => self.task != Tasks::One && self.order != Orders::Best,
        };
        scenarios.into_iter().filter(is_wanted).collect()
    }

    /// How many peers and documents there are to be.
    pub(crate) fn parameters(&self) -> Result<Parameters, String> {
        let fetch = self.fetch.map(usize::from);
        let parameters = Parameters::new(self.peers.into(), self.per_peer.into(), fetch);
        parameters.map_err(|error| error.to_string())
    }

    /// The files to be made, where there is no corpus.
    pub(crate) fn synthetic(&self, parameters: Parameters) -> Result<Synthetic, String> {
        let count = parameters.documents();
        match self.synthetic {
            Some(_) if self.corpus.is_some() => {
                Err("--synthetic conflicts with --corpus".to_owned())
            }
            Some(Synthetic { count: there, .. }) if there < count => Err(format!(
                "--synthetic makes {there} files, and {count} are needed"
            )),
            Some(Synthetic { size, .. }) => Ok(Synthetic { count, size }),
            None => Ok(Synthetic {
                count,
                size: DEFAULT_SIZE,
            }),
        }
    }
}

/// In which dialect others are spoken to.
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

/// A server as the user names it, perhaps without its port.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    host: Host,
    port: Option<Port>,
}

impl FromStr for Server {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        // Read with two default ports, one of which the text does not name.
        let [one, other] = [Port::MIN, Port::MAX].map(|port| Endpoint::parse(text, port));
        let (one, other) = (one?, other?);
        Ok(Self {
            port: (one.port == other.port).then_some(one.port),
            host: one.host,
        })
    }
}

impl Arguments {
    /// Where the server is, on the well-known port of its kind where no other is named.
    pub(crate) fn server(&self) -> Endpoint {
        let Server { host, port } = self.host.clone();
        Endpoint {
            host,
            port: port.unwrap_or(self.index.port()),
        }
    }
}

const EXPERIMENTS: &str = "\
Examples:
  peer experiment --out results                             both tasks and orders, about 12 seconds
  peer experiment --task 2 --order worst --out results      one of them
  peer experiment --corpus rfcs --repeat 5 --out results    real RFCs, means of five runs
  peer experiment --peers 10 --per-peer 4 --upload-rate 500KB/s --out results";

const EXAMPLES: &str = "\
Examples:
  peer --host X --dir rfcs           share rfcs/, with the index server on X, and offer the menu
  peer --host X share                the same without a menu
  peer --host X find transport       show what there is about transport
  peer --host X get 8600-8605 123    download seven RFCs into rfcs/
  peer --host X get -o - 123 | less  read one
  peer --host X list --json | jq     work with the whole index
  P2PCI_HOST=X peer list             set an option by an environment variable
  peer help                          list the pages of the manual

Exit codes: 0 done, 1 failed, 2 wrong options, 3 not found, 4 no index server, 5 no holder could be
reached, 6 another protocol or version, 7 wrong bytes, 130 interrupted.";
