//! What both programs share: options, the log, signals, the manual, and exit codes.

mod look;
pub mod manual;
mod options;
pub mod page;
pub mod signals;
mod stage;
mod variables;

pub use crate::node::{Code, Failure};
pub use look::Look;
pub use manual::Program;
pub use options::{is_typed, options, usage_error};
pub use stage::{Printing, Stage, run, unless_unread};
pub use variables::IN_BACKGROUND;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::env;
use std::fmt::Display;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::thread;

use bytesize::ByteSize;
use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, info};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::event::{Events, Level};
use crate::index::Kind;
use crate::terminal::{Screen, style};
use crate::wire::Port;
use stage::PRINT_TIME;

/// The version of the programs, with the commit if it is known.
pub const VERSION: &str = env!("BUILD_VERSION");

/// Reads the log, besides those who read it on standard error.
pub type LogReader = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends the log and panic messages to standard error. `RUST_LOG` selects what is logged; by
/// default warnings, and more with each `-v`. Another `reader` of the log selects by itself.
pub fn log_to_stderr(verbose: u8, screen: &Screen, reader: Option<LogReader>) {
    // That nobody answers is an error to the crate of the DHT, and an event to us.
    let (level, dht) = match verbose {
        0 => (LevelFilter::WARN, LevelFilter::OFF),
        1 => (LevelFilter::INFO, LevelFilter::OFF),
        2 => (LevelFilter::DEBUG, LevelFilter::DEBUG),
        _ => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    let filter = match wanted_log() {
        Ok(wanted) => wanted,
        Err(why) => {
            screen.warn(why);
            None
        }
    };
    let filter = filter.unwrap_or_else(|| {
        let all = Targets::new().with_default(level);
        all.with_target("mainline", dht)
    });
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

/// Which parts of the program log how much.
const LOG_VARIABLE: &str = "RUST_LOG";

/// What `RUST_LOG` selects, if it is set.
fn wanted_log() -> Result<Option<Targets>, String> {
    let value = env::var_os(LOG_VARIABLE).unwrap_or_default();
    let value = value.to_string_lossy();
    let words = value.split(',').map(str::trim);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Ok(None);
    }
    let invalid = |why: &dyn Display| {
        let name = LOG_VARIABLE;
        format!("ignoring {name}={value}: {why}; for example {name}=debug or {name}=p2pci=info")
    };
    // The library would take a misspelled level for the name of a part of the program.
    let is_known = |word: &str| {
        let parts = ["p2pci", "server", "peer", "mainline"];
        let names_part = parts.iter().any(|part| word.starts_with(part));
        names_part || word.contains('=') || word.parse::<LevelFilter>().is_ok()
    };
    if let Some(word) = words.iter().find(|word| !is_known(word)) {
        return Err(invalid(&format_args!("unknown level {word:?}")));
    }
    let filter = words.join(",").parse();
    filter
        .map(Some)
        .map_err(|_| invalid(&"invalid filter directive"))
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

/// Parses whether an option without a value is on, which only a variable says in words.
pub fn flag(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("1, true, yes, and on set it; 0, false, no, off, and nothing do not".to_owned()),
    }
}

/// Parses a port to listen on; 0 means any free one.
pub fn port(text: &str) -> Result<u16, String> {
    match text {
        "0" => Ok(0),
        _ => text.parse().map(Port::get).map_err(|_| {
            format!("a port is a whole number from 1 to 65535, or 0 for any free one, not {text:?}")
        }),
    }
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
