//! The commands for scripts: they do what the menu does, and print only the result to standard
//! output.
//!
//! A result is record lines as on the wire, or one JSON document, which is the outcome of the
//! action. Its field names are stable.

mod get;
mod stream;

pub use get::Get;

use std::io::{self, IsTerminal};

use serde::Serialize;

use crate::event::Events;
use crate::node::{Code, Failure, Listed, Node, Search};
use crate::printout::Transcript;
use crate::program::result::print;
use crate::terminal::escape::{escaped, escaped_json};
use crate::terminal::progress::Progress;
use crate::wire::{RfcNumber, Title};

/// A command.
#[derive(Debug)]
pub enum Command {
    /// Show who has an RFC.
    Lookup(RfcNumber),
    /// Show all records of the index.
    List,
    /// Show the RFCs whose titles contain all of these words.
    Find(Vec<String>),
    /// Register one RFC and show its record.
    Add(RfcNumber, Option<Title>),
    /// Download RFCs.
    Get(Get),
}

/// The format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Record lines, as on the wire.
    Lines,
    /// One JSON document.
    Json,
    /// Nothing: standard output is for the document itself.
    Nothing,
}

/// Where results are printed, and how.
#[derive(Debug)]
pub struct Printer<'a> {
    /// The format.
    pub format: Format,
    /// The printout, which also shows failures.
    pub transcript: &'a Transcript,
    /// The readers of events,
    pub events: &'a Events,
    /// and whether there are any.
    pub says: bool,
    /// The bars that make room for results.
    pub progress: &'a Progress,
}

/// The result of a command that could not begin.
#[derive(Debug, Serialize)]
struct ErrorDocument {
    error: ErrorFields,
}

#[derive(Debug, Serialize)]
struct ErrorFields {
    message: String,
    exit_code: Code,
}

impl Command {
    /// Runs the command, and prints the result.
    pub fn run(&self, node: &Node, printer: &Printer<'_>) -> Result<(), Failure> {
        match self {
            Self::Lookup(number) => {
                let search = Search::Number(*number, Title::default());
                printer.found(node, &search, || Failure::not_found(*number))
            }
            Self::List => {
                let listing = node.find(&Search::All { fresh: true })?;
                printer.result(&listing, &listing.records)
            }
            Self::Find(words) => {
                let nothing = || {
                    let what = format_args!("no title contains {:?}", words.join(" "));
                    Failure::new(Code::NotFound, what)
                };
                printer.found(node, &Search::Words(words.clone()), nothing)
            }
            Self::Add(number, title) => {
                let added = node.add(*number, title.clone())?.now()?;
                printer.result(&added, std::slice::from_ref(&added.record))
            }
            Self::Get(get) => get.run(node, printer),
        }
    }
}

impl Printer<'_> {
    /// Prints a failure as a document, if that is the format and it was not reported yet.
    pub fn failure(&self, failure: &Failure) -> Result<(), Failure> {
        match &failure.error {
            Some(message) if self.format == Format::Json => {
                let (message, exit_code) = (message.clone(), failure.code);
                let error = ErrorFields { message, exit_code };
                self.document(&ErrorDocument { error })
            }
            _ => Ok(()),
        }
    }

    /// Prints what was found, and fails if that is nothing.
    fn found(
        &self,
        node: &Node,
        search: &Search,
        nothing: impl FnOnce() -> Failure,
    ) -> Result<(), Failure> {
        let listing = node.find(search)?;
        self.result(&listing, &listing.records)?;
        if listing.records.is_empty() {
            // There is never a second document.
            let failure = nothing();
            self.transcript.screen().error(&failure);
            return Err(Failure::said(failure.code));
        }
        Ok(())
    }

    /// Prints an outcome, or its records.
    fn result(&self, outcome: &impl Serialize, records: &[Listed]) -> Result<(), Failure> {
        match self.format {
            Format::Nothing => Ok(()),
            Format::Json => self.document(outcome),
            Format::Lines => self.lines(records),
        }
    }

    fn lines(&self, records: &[Listed]) -> Result<(), Failure> {
        print(self.transcript, |out| {
            let is_watched = io::stdout().is_terminal();
            for record in records {
                let line = record.to_string();
                if is_watched {
                    writeln!(out, "{}", escaped(line.as_bytes(), false))?;
                } else {
                    writeln!(out, "{line}")?;
                }
            }
            Ok(())
        })
    }

    fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        print(self.transcript, |out| {
            let text = serde_json::to_string_pretty(document)?;
            writeln!(out, "{}", escaped_json(&text))
        })
    }
}
