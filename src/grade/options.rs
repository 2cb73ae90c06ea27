//! The options of `peer grade`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::check::Check;
use super::checks;
use super::program::Running;
use super::report::{Outputs, Rubric, unknown};
use crate::wire::ci::SERVER_PORT;
use crate::wire::{Endpoint, Port};

/// The options of `peer grade`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    pub(super) what: What,
}

/// What is graded.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Grade an index server
    ///
    /// Connects to a running server, or starts one with --run, as several peers, and judges its
    /// answers: groups 1 to 8 are what the protocol asks, and `robust` is what a real network needs.
    Server(Server),
}

/// The options of `peer grade server`.
#[derive(Debug, Args)]
pub struct Server {
    /// A running server
    #[arg(value_name = "HOST[:PORT]")]
    pub(super) target: Option<String>,
    /// The port of a server that --run starts; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = SERVER_PORT, help_heading = "Program")]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) running: Running,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What is judged, and how it is reported.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(super) struct Common {
    /// Judge only these checks
    #[arg(long, value_name = "CHECK", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// The points of the checks: a TOML file with lines `check = points`. A check that it does not
    /// name has none [default: 1 point for each]
    #[arg(long, value_name = "FILE")]
    rubric: Option<PathBuf>,
    /// List the checks, and do nothing else
    #[arg(long, value_parser = FalseyValueParser::new())]
    pub(super) list_checks: bool,
    #[command(flatten)]
    pub(super) outputs: Outputs,
}

impl Options {
    /// Checks the options for conflicts. An error is a message for the user.
    pub fn check(&self) -> Result<(), String> {
        match &self.what {
            What::Server(server) => server.check(),
        }
    }

    /// Whether grading needs a network of its own.
    pub fn is_isolated(&self) -> bool {
        match &self.what {
            What::Server(server) => server.running.isolated && !server.common.list_checks,
        }
    }
}

impl Server {
    fn check(&self) -> Result<(), String> {
        self.common.check(checks::SERVER)?;
        match (&self.target, &self.running.run) {
            _ if self.common.list_checks => Ok(()),
            (Some(_), Some(_)) => Err("HOST conflicts with --run".to_owned()),
            (None, None) => Err("name a server, or a command that starts one (--run)".to_owned()),
            (Some(_), None) if self.running.isolated => {
                Err("--isolated is for a server that --run starts".to_owned())
            }
            (Some(text), None) => endpoint(text).map(drop),
            (None, Some(_)) => Ok(()),
        }
    }
}

/// Reads HOST or HOST:PORT.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    let port = Port::new(SERVER_PORT).unwrap_or(Port::MAX);
    Endpoint::parse(text, port).map_err(|error| error.to_string())
}

impl Common {
    fn check(&self, table: &[Check]) -> Result<(), String> {
        let is_known = |name: &&String| table.iter().any(|check| check.name == *name);
        match self.only.iter().find(|name| !is_known(name)) {
            Some(name) => Err(unknown(name)),
            None => self.rubric(table).map(drop),
        }
    }

    /// The points of the checks.
    pub(super) fn rubric(&self, table: &[Check]) -> Result<Rubric, String> {
        match &self.rubric {
            Some(path) => Rubric::read(path, table),
            None => Ok(Rubric::default()),
        }
    }

    /// The checks to judge.
    pub(super) fn chosen(&self, table: &'static [Check]) -> Vec<&'static Check> {
        let is_chosen =
            |check: &&Check| self.only.is_empty() || self.only.iter().any(|it| it == check.name);
        table.iter().filter(is_chosen).collect()
    }
}

/// All checks with what they say, for `--list-checks`.
pub(super) fn list(table: &[Check]) -> String {
    let mut text = String::new();
    let mut group = None;
    for check in table {
        if group.replace(check.group) != Some(check.group) {
            text.extend([check.group.name(), "\n"]);
        }
        let points = if check.points == 0 {
            " (no points)"
        } else {
            ""
        };
        // Writing to memory does not fail.
        let _ = writeln!(text, "  {:<17} {}{points}", check.name, check.sentence);
    }
    text
}
