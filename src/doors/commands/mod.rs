//! The commands for scripts: like the menu, but with only the result on standard output.
//!
//! A result is record lines as on the wire, or one JSON document, which serializes the outcome of
//! the action. Scripts rely on its field names.

mod background;
mod get;
mod send;
mod stream;

pub use background::Background;
pub use get::Get;
pub use send::Send;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::control::Client;
use crate::node::numbers;
use crate::node::{Actions, Added, Code, Failure, Handle, Listed, Listing, Query};
use crate::program::Stage;
use crate::terminal::escape::{escaped, escaped_json};
use crate::wire::{RfcNumber, Title};

const LOOKUP: &str = "\
Examples:
  peer lookup 123           the records of RFC 123
  peer lookup 123 --json    the same for a program";

const LIST: &str = "\
Examples:
  peer list                 all records, newest first
  peer list --json | jq     the whole index for a program";

const FIND: &str = "\
Examples:
  peer find transport       titles with this word
  peer find ipsec scen      titles with both words, or parts of them";

const ADD: &str = "\
Examples:
  peer add 123 --stay       register rfcs/rfc123.txt until Ctrl-C
  peer add 123 --title T    register it under this title";

/// A command for a node.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who has an RFC
    #[command(after_help = LOOKUP)]
    Lookup {
        /// Its number: 123, rfc123, rfc123.txt
        #[arg(value_name = "N", value_parser = numbers::number)]
        number: RfcNumber,
        /// The output options.
        #[command(flatten)]
        printed: Printed,
    },
    /// Show all records of the index
    #[command(after_help = LIST)]
    List {
        /// The output options.
        #[command(flatten)]
        printed: Printed,
    },
    /// Show the RFCs whose titles contain all of these words
    #[command(after_help = FIND)]
    Find {
        /// Words, or parts of them, in any letter case
        #[arg(value_name = "WORDS", required = true)]
        words: Vec<String>,
        /// The output options.
        #[command(flatten)]
        printed: Printed,
    },
    /// Download RFCs
    ///
    /// Each RFC is looked up, downloaded from a peer that has it, and registered. An RFC that the
    /// folder already has is kept. A failure does not stop the others; all failures are reported at
    /// the end.
    #[command(after_help = get::EXAMPLES)]
    Get(Get),
    /// Register one RFC of the folder, and show its record
    ///
    /// The record is removed when the command ends, unless a peer in the background does its work:
    /// then it lasts as long as that peer.
    #[command(after_help = ADD)]
    Add {
        /// Its number: 123, rfc123, rfc123.txt
        #[arg(value_name = "N", value_parser = numbers::number)]
        number: RfcNumber,
        /// Its title [default: the one in the file]
        #[arg(long)]
        title: Option<Title>,
        /// Keep the RFC registered, and serve it, until SIGINT (Ctrl-C) or SIGTERM
        #[arg(long, value_parser = crate::program::flag)]
        stay: bool,
        /// The output options.
        #[command(flatten)]
        printed: Printed,
    },
}

/// The output options of a command.
#[derive(Debug, Clone, Copy, Args)]
pub struct Printed {
    /// Print the result as one JSON document
    #[arg(long, value_parser = crate::program::flag)]
    json: bool,
}

/// The format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Record lines, as on the wire.
    Lines,
    /// One JSON document.
    Json,
    /// Nothing, because standard output gets the downloaded document.
    Nothing,
}

/// Prints results.
#[derive(Debug)]
pub struct Printer<'a> {
    /// The format.
    pub format: Format,
    /// The outputs.
    pub stage: &'a Stage,
}

/// The JSON document for a command that could not start.
#[derive(Debug, Serialize)]
struct ErrorFields<'a> {
    message: &'a str,
    exit_code: Code,
}

impl Command {
    /// Checks the options for conflicts. An error is a message for the user.
    pub fn check(&self, prints_messages: bool) -> Result<(), String> {
        if let Self::Get(get) = self {
            get.check()?;
        }
        if prints_messages && self.format() == Format::Json {
            return Err("--json conflicts with --print-messages".to_owned());
        }
        Ok(())
    }

    /// The format of the result.
    pub fn format(&self) -> Format {
        match self {
            Self::Lookup { printed, .. }
            | Self::List { printed }
            | Self::Find { printed, .. }
            | Self::Add { printed, .. }
            | Self::Get(Get { printed, .. })
                if printed.json =>
            {
                Format::Json
            }
            Self::Get(get) if get.is_to_stdout() => Format::Nothing,
            _ => Format::Lines,
        }
    }

    /// Whether to share the folder meanwhile, and until a signal arrives.
    pub fn shares(&self) -> bool {
        matches!(self, Self::Get(get) if get.share)
    }

    /// Whether to stay in the index until a signal arrives.
    pub fn stays(&self) -> bool {
        self.shares() || matches!(self, Self::Add { stay: true, .. })
    }

    /// Runs the command with a peer of this program, and prints the result. The command line
    /// `sharing` would share the same folder in the background.
    pub fn run(&self, peer: &Handle, printer: &Printer<'_>, sharing: &str) -> Result<(), Failure> {
        self.run_with(peer, printer)?;
        if let Self::Add { number, .. } = self
            && !self.stays()
        {
            printer.stage.say(format_args!(
                "RFC {number} is registered only while this command runs; --stay keeps it \
                 registered, and so does a peer in the background (`{sharing}`)"
            ));
        }
        Ok(())
    }

    /// Runs the command with a peer in the background, and prints the result.
    pub fn run_in_background(&self, peer: &Client, printer: &Printer<'_>) -> Result<(), Failure> {
        self.run_with(peer, printer)
    }

    fn run_with(&self, peer: &dyn Actions, printer: &Printer<'_>) -> Result<(), Failure> {
        match self {
            Self::Lookup { number, .. } => {
                let (number, title) = (*number, Title::default());
                let found = peer.find(&Query::Number { number, title })?;
                printer.found(&found, || Failure::not_found(number))
            }
            Self::List { .. } => {
                let listing = peer.find(&Query::All { fresh: true })?;
                printer.listing(&listing)
            }
            Self::Find { words, .. } => {
                let words = words.join(" ");
                let nothing =
                    || Failure::new(Code::NotFound, format!("no title contains {words:?}"));
                printer.found(&peer.find_titles(&words)?, nothing)
            }
            Self::Add { number, title, .. } => {
                let Added { record, registered } = peer.add(*number, title.clone())?;
                registered.now(*number)?;
                let document = BTreeMap::from([("record", &record)]);
                printer.result(&document, [record.clone()])
            }
            Self::Get(get) => get.run(peer, printer),
        }
    }
}

impl Printer<'_> {
    /// Prints a failure as JSON if that is the format and nothing has reported it yet.
    pub fn failure(&self, failure: &Failure) -> Result<(), Failure> {
        match &failure.error {
            Some(message) if self.format == Format::Json => {
                let exit_code = failure.code;
                let error = ErrorFields { message, exit_code };
                self.document(&BTreeMap::from([("error", error)]))
            }
            _ => Ok(()),
        }
    }

    /// Prints a listing, and says how many peers it comes from.
    fn listing(&self, listing: &Listing) -> Result<(), Failure> {
        if let Some(coverage) = &listing.coverage {
            self.stage.say(coverage);
        }
        self.result(listing, listing.records.iter())
    }

    /// Prints a listing. An empty one is a failure.
    fn found(&self, listing: &Listing, nothing: impl FnOnce() -> Failure) -> Result<(), Failure> {
        self.listing(listing)?;
        if listing.records.is_empty() {
            // Reported here, so that no second JSON document follows.
            let failure = nothing();
            self.stage.transcript.screen().error(&failure);
            return Err(Failure::reported(failure.code));
        }
        Ok(())
    }

    /// Prints an outcome as JSON, or its records as lines.
    fn result(
        &self,
        outcome: &impl Serialize,
        records: impl IntoIterator<Item = Listed>,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Nothing => Ok(()),
            Format::Json => self.document(outcome),
            Format::Lines => self.lines(records),
        }
    }

    fn lines(&self, records: impl IntoIterator<Item = Listed>) -> Result<(), Failure> {
        self.stage.print(|out| {
            let is_watched = io::stdout().is_terminal();
            for record in records {
                let mut line = record.to_string();
                if is_watched {
                    line = escaped(line.as_bytes(), false);
                }
                writeln!(out, "{line}")?;
            }
            Ok(())
        })
    }

    fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        self.stage.print(|out| {
            serde_json::to_writer_pretty(EscapedJson(out), document)?;
            writeln!(out)
        })
    }
}

/// Escapes JSON while it is written: a document may be long.
struct EscapedJson<'a>(&'a mut dyn Write);

impl Write for EscapedJson<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // It is written in whole strings.
        let whole = str::from_utf8(text).map_err(io::Error::other)?;
        self.0.write_all(escaped_json(whole).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
