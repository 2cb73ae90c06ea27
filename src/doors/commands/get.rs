//! `get`: downloads RFCs into the folder, or a single one to another file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueHint, value_parser};

use super::{Format, Printed, Printer, stream};
use crate::node::get::{Downloaded, Failed, Kept, Place, Question, Replace};
use crate::node::numbers::{Selection, SelectionError};
use crate::node::{Actions, Failure, Outcome, Wanted};
use crate::terminal::progress::Several;
use crate::wire::{RfcNumber, Title};

pub(super) const EXAMPLES: &str = "\
Examples:
  peer get 123              download RFC 123 into rfcs/
  peer get 8600-8605 123    download seven RFCs
  peer get all -j 8         download everything, eight RFCs at a time
  peer get -o - 123 | less  read RFC 123";

/// The arguments of `get`.
#[derive(Debug, Args)]
pub struct Get {
    /// Numbers (123, rfc123, rfc123.txt), ranges (8600-8605), or `all` RFCs of the other peers
    #[arg(value_name = "N", required = true)]
    numbers: Vec<String>,
    /// Write a single RFC to FILE instead of the folder; - is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Replace files that the folder already has
    #[arg(short, long, value_parser = crate::program::flag)]
    force: bool,
    /// Also take a file from a peer that sends nothing but its bytes; whether it is whole can't be
    /// checked
    #[arg(long, value_parser = crate::program::flag)]
    accept_bare: bool,
    /// How many downloads run at the same time
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Share the folder meanwhile, and keep sharing until SIGINT (Ctrl-C) or SIGTERM
    #[arg(long, value_parser = crate::program::flag)]
    pub(super) share: bool,
    #[command(flatten)]
    pub(super) printed: Printed,
}

impl Get {
    /// Checks the options for conflicts.
    pub(super) fn check(&self) -> Result<(), String> {
        let selection = self.selection().map_err(|error| error.to_string())?;
        let conflict = match &self.output {
            Some(_) if selection.single().is_none() => "--output takes a single RFC",
            Some(_) if self.printed.json && self.is_to_stdout() => {
                "--json conflicts with --output -"
            }
            Some(_) if self.share => "--output conflicts with --share",
            _ => return Ok(()),
        };
        Err(conflict.to_owned())
    }

    pub(super) fn is_to_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(|path| path == "-")
    }

    fn selection(&self) -> Result<Selection, SelectionError> {
        Selection::parse(&self.numbers)
    }

    /// Downloads RFCs. A failure does not stop the others; all are reported at the end, and the
    /// first one determines the exit code.
    pub(super) fn run(&self, peer: &dyn Actions, printer: &Printer<'_>) -> Result<(), Failure> {
        let selection = self.selection().map_err(Failure::other)?;
        match (selection.single(), &self.output) {
            (Some(number), Some(file)) => into_file(peer, number, file, self.accept_bare, printer),
            _ => self.download(&selection, peer, printer),
        }
    }

    fn download(
        &self,
        selection: &Selection,
        peer: &dyn Actions,
        printer: &Printer<'_>,
    ) -> Result<(), Failure> {
        let replace = if self.force {
            Replace::Always
        } else {
            Replace::Never
        };
        let wanted = Wanted {
            numbers: peer.selected(selection)?,
            title: Title::default(),
            place: Place::Folder(replace),
            jobs: self.jobs.into(),
            takes_bare: self.accept_bare,
        };
        let count = wanted.numbers.len();
        let several = (count > 1).then(|| printer.stage.progress.of(count));
        let mut shown = Ok(());
        let mut may_do = |question: Question| match question {
            Question::Replace(_) => Some(self.force),
            Question::TryMore(..) => Some(false),
        };
        let gotten = peer.get(&wanted, &mut may_do, &mut |outcome| {
            printer.report(outcome);
            several.iter().for_each(Several::one_done);
            if let (Outcome::Downloaded(Downloaded { record, .. }), Format::Lines, Ok(())) =
                (outcome, printer.format, &shown)
            {
                shown = printer
                    .stage
                    .progress
                    .aside(|| printer.lines([record.clone()]));
            }
        });
        drop(several);
        let gotten = gotten?;
        shown?;
        if printer.format == Format::Json {
            printer.document(&gotten)?;
        }
        // After a signal, whatever it interrupted does not count as a failure.
        if peer.is_stopping() {
            return Ok(());
        }
        printer.report_failures(&gotten.failed, count)
    }
}

/// Downloads one RFC into a file outside the folder. A stream gets it once it is complete.
fn into_file(
    peer: &dyn Actions,
    number: RfcNumber,
    file: &Path,
    takes_bare: bool,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    let is_stream = stream::is_stream(file);
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = if is_stream {
        folder.path().join("document")
    } else {
        file.to_owned()
    };
    let wanted = Wanted {
        numbers: vec![number],
        title: Title::default(),
        place: Place::File(path.clone()),
        jobs: 1,
        takes_bare,
    };
    let mut gotten = peer.get(&wanted, &mut |_| Some(false), &mut |_| {})?;
    if let Some(Failed { failure, .. }) = gotten.failed.pop() {
        return Err(failure);
    }
    let Some(downloaded) = gotten.downloaded.first_mut() else {
        // It was interrupted.
        return Ok(());
    };
    if is_stream {
        stream::copy(&path, file).with_context(|| format!("cannot write {}", file.display()))?;
        file.clone_into(&mut downloaded.path);
    }
    let record = [downloaded.record.clone()];
    printer.result(&gotten, record)
}

impl Printer<'_> {
    /// Reports a success on standard error.
    fn report(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Downloaded(got) => {
                let (number, path) = (got.record.record.number, got.path.display());
                let what = format_args!("RFC {number} is in {path} ({} bytes)", got.bytes);
                self.stage.say(what);
            }
            Outcome::Kept(Kept { number, path }) => self.stage.say(format_args!(
                "RFC {number} is already in {}; --force replaces it",
                path.display()
            )),
            Outcome::Failed(_) | Outcome::Interrupted(_) => {}
        }
    }

    fn report_failures(&self, failed: &[Failed], count: usize) -> Result<(), Failure> {
        let Some(first) = failed.first() else {
            return Ok(());
        };
        let screen = self.stage.transcript.screen();
        for failed in failed {
            screen.error(failed);
        }
        if count > 1 {
            let failed = failed.len();
            screen.error(format_args!("{failed} of {count} RFCs were not downloaded"));
        }
        Err(Failure::reported(first.failure.code))
    }
}
