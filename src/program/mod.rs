//! What both programs share: options, the log, signals, the manual, and exit codes.

pub mod manual;
pub mod page;
pub mod signals;
mod stage;

pub use crate::node::{Code, Failure};
pub use stage::{Stage, run, unless_unread};

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::thread;

use bytesize::ByteSize;
use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Command, Parser};
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, info};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use crate::event::{Events, Level};
use crate::index::Kind;
use crate::terminal::{Screen, style};
use stage::{PRINT_TIME, end};

/// The version of the programs, with the commit if it is known.
pub const VERSION: &str = env!("P2PCI_VERSION");

/// The prefix of the environment variables for options: `--max-peers` is `P2PCI_MAX_PEERS`.
const VARIABLES: &str = "P2PCI_";

/// Reads the log, besides those who read it on standard error.
pub type LogReader = Box<dyn Layer<Registry> + Send + Sync>;

/// Parses the options from the arguments and the environment. Exits with 2 if they are wrong, and
/// after `help`, `completions` and `man`.
pub fn options<O: Parser>() -> O {
    let matches = manual::with_manual(O::command()).get_matches();
    if let Some(answered) = manual::answer::<O>(&matches) {
        let answered = answered.map_err(Failure::from);
        std::process::exit(end(&Screen::default(), answered, PRINT_TIME).into());
    }
    O::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Gives every option an environment variable.
fn with_variables(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_long() {
        Some(long) => {
            let name = long.to_uppercase().replace('-', "_");
            arg.env(OsString::from(format!("{VARIABLES}{name}")))
                .hide_env_values(true)
        }
        None => arg,
    });
    command.mut_subcommands(with_variables)
}

/// Sends the log and panic messages to standard error. `RUST_LOG` selects what is logged; by
/// default warnings, and more with each `-v`. Another `reader` of the log selects by itself.
pub fn log_to_stderr(verbose: u8, screen: &Screen, reader: Option<LogReader>) {
    let level = match verbose {
        // That nobody answers is an error to the crate of the DHT, and an event to us.
        0 => "warn,mainline=off",
        1 => "info,mainline=off",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let to = screen.clone();
    let log = tracing_subscriber::fmt::layer()
        .with_target(false)
        .log_internal_errors(false)
        .with_ansi(style::has_color(&io::stderr()))
        .with_writer(BoxMakeWriter::new(move || to.stderr()));
    Registry::default()
        .with(reader)
        .with(log.with_filter(filter))
        .init();
    let screen = screen.clone();
    // The default hook could block on standard error.
    panic::set_hook(Box::new(move |panicked| report_panic(panicked, &screen)));
    info!(version = VERSION, system = %os_info::get(), "starting");
}

fn report_panic(panicked: &PanicHookInfo<'_>, screen: &Screen) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    let place = panicked
        .location()
        .map_or_else(String::new, |place| format!(" at {place}"));
    let what = panicked.payload_as_str().unwrap_or("unknown");
    let what = what.replace('\n', " ");
    screen.error(format_args!("the thread {name:?} panicked{place}: {what}"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let lines = backtrace.to_string();
        lines.lines().for_each(|line| screen.say(line));
    }
    if name == "main" {
        screen.stderr().finish(PRINT_TIME);
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Code::Other, format_args!("{error:#}"))
    }
}

/// Parses the kind of an index.
pub fn index_kind() -> impl TypedValueParser<Value = Kind> {
    let value = |kind: Kind| PossibleValue::new(kind.name()).help(kind.description());
    PossibleValuesParser::new(Kind::ALL.map(value)).try_map(|name| match name.parse::<Kind>() {
        Ok(Kind::Dht) if !cfg!(feature = "dht") => {
            Err("this program was built without it (the cargo feature \"dht\")".to_owned())
        }
        kind => kind,
    })
}

/// The folder for state between runs; `None` if the system defines none.
pub fn state_folder() -> Option<PathBuf> {
    let state = dirs::state_dir().or_else(dirs::data_local_dir);
    state.map(|folder| folder.join("p2pci"))
}

/// Parses a rate in bytes per second: `2MB/s`, `500KiB/s`, `1000000`.
pub fn rate(text: &str) -> Result<u64, String> {
    let size = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    size.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("invalid rate {text:?}; for example 2MB/s or 500KiB/s"))
}

/// The maximum number of connections. With about 16,000 threads, each of four memory maps, Linux
/// kills the process instead of returning an error.
const MAX_CONNECTIONS: u64 = 15_000;

/// Parses a limit of connections.
pub fn connections() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=MAX_CONNECTIONS)
}

/// The number of descriptors reserved for anything but accepted connections.
const OTHER_DESCRIPTORS: usize = 32;

/// Raises the limit of open files to the maximum, because shells often set a lower one. Returns how
/// many connections the program may accept: `wanted`, or fewer with a warning.
pub fn connections_within_limits(wanted: usize, events: &Events) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        debug!(%error, "cannot raise the limit of open files");
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    let possible = allowed.saturating_sub(OTHER_DESCRIPTORS).max(1);
    if possible < wanted {
        let why = "the limit of open files (ulimit -n) is too low";
        events.notice(
            Level::Warning,
            format_args!("accepting at most {possible} connections instead of {wanted}: {why}"),
        );
    }
    possible.min(wanted)
}
