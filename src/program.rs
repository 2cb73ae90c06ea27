//! What both programs do around their work: the log, and how they end.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::RangedI64ValueParser;
use clap::value_parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{debug, info, warn};
use tracing_subscriber::EnvFilter;

use crate::transcript::Transcript;

/// Sends the log to standard error. `RUST_LOG` says what is in it; without it, warnings, and more
/// with each `-v`.
pub fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    log.with_ansi(colours).with_writer(io::stderr).init();
    info!(version = env!("CARGO_PKG_VERSION"), system = %os_info::get(), "starting");
}

/// How long an output that is not read holds up the end of a program.
const PRINT_TIME: Duration = Duration::from_secs(2);

/// A failure with an exit code of its own. It stands in the chain of the error that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Exit code 3: what was named is not there.
    #[error("not found")]
    NotFound,
    /// Exit code 4: the index server can't be reached.
    #[error("the index server can't be reached")]
    IndexUnreachable,
}

impl Failure {
    const fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 3,
            Self::IndexUnreachable => 4,
        }
    }
}

/// Does the work of a program, and gives its exit code: 0, that of its [`Failure`], or else 1.
/// Wrong options have ended the program with 2 before. All that was printed is written before an
/// error is, with everything that caused it.
#[must_use]
pub fn run(shows_messages: bool, work: impl FnOnce(&Transcript) -> anyhow::Result<()>) -> ExitCode {
    let ended = Transcript::to_stdout(shows_messages)
        .context("cannot print")
        .and_then(|printout| {
            let ended = work(&printout);
            printout.finish(PRINT_TIME);
            ended
        });
    let Err(error) = ended else {
        return ExitCode::SUCCESS;
    };
    report(&error);
    error
        .downcast_ref::<Failure>()
        .map_or(1, |failure| failure.exit_code())
        .into()
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where an error reaches its user"
)]
fn report(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// The system's name and kernel release, as the `OS` header gives them: `Linux 6.1.0`.
#[must_use]
pub fn operating_system() -> String {
    let system = rustix::system::uname();
    let (name, release) = (system.sysname(), system.release());
    format!("{} {}", name.to_string_lossy(), release.to_string_lossy())
}

/// The most connections that a program can have at a time: with about 16,000 threads, of four
/// memory maps each, Linux ends the process instead of returning an error.
const MOST_CONNECTIONS: i64 = 15_000;

/// Reads an option that says how many connections there may be.
#[must_use]
pub fn connections() -> RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..=MOST_CONNECTIONS)
}

/// A number of an option as the number of things that it counts.
#[must_use]
pub fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How many descriptors a program wants besides those of the connections that it lets in.
const OTHER_DESCRIPTORS: usize = 32;

/// Lets the program have as many files and sockets as the system allows it, for the limit that a
/// shell sets is often lower. Returns how many connections it may let in: `wanted` ones, or as
/// many as there are descriptors for.
#[must_use]
pub fn connections_within_limits(wanted: u32) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        debug!(%error, "the limit of open files stays as it is");
    }
    let allowed = getrlimit(Resource::Nofile)
        .current
        .and_then(|limit| usize::try_from(limit).ok());
    let possible = allowed.map_or(usize::MAX, |limit| {
        limit.saturating_sub(OTHER_DESCRIPTORS).max(1)
    });
    let wanted = count(wanted);
    if possible < wanted {
        warn!(
            wanted,
            possible, "the limit of open files (ulimit -n) allows fewer connections"
        );
    }
    possible.min(wanted)
}
