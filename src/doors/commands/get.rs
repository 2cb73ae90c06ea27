//! `get`: downloads into the folder, or of one RFC into another file.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Format, Printer, stream};
use crate::event::Level;
use crate::node::get::{Downloaded, Failed, Kept, Place, Replace};
use crate::node::numbers::Selection;
use crate::node::{Failure, Gotten, Node, Outcome, Wanted};
use crate::terminal::progress::Several;
use crate::wire::{RfcNumber, Title};

/// The options of `get`.
#[derive(Debug)]
pub struct Get {
    /// The RFCs.
    pub selection: Selection,
    /// The file for a single RFC, instead of the folder; `-` is standard output.
    pub output: Option<PathBuf>,
    /// Whether to replace files of the folder.
    pub force: bool,
    /// How many downloads run at the same time.
    pub jobs: u8,
}

impl Get {
    /// Downloads RFCs. A failure does not stop the others; all are reported at the end, and the
    /// first one determines the exit code.
    pub(super) fn run(&self, node: &Node, printer: &Printer<'_>) -> Result<(), Failure> {
        match (self.selection.single(), &self.output) {
            (Some(number), Some(file)) => into_file(node, number, file, printer),
            _ => self.download(node, printer),
        }
    }

    fn download(&self, node: &Node, printer: &Printer<'_>) -> Result<(), Failure> {
        let replace = if self.force {
            Replace::Always
        } else {
            Replace::Never
        };
        let wanted = Wanted {
            numbers: node.selected(&self.selection)?,
            title: Title::default(),
            place: Place::Folder(replace),
            jobs: self.jobs.into(),
        };
        let count = wanted.numbers.len();
        let several = (count > 1).then(|| printer.progress.of(count));
        let mut shown = Ok(());
        let gotten = node.get(&wanted, &mut |_| Some(self.force), &mut |outcome| {
            printer.say_done(outcome);
            several.iter().for_each(Several::one_done);
            if let (Outcome::Downloaded(Downloaded { record, .. }), Format::Lines, Ok(())) =
                (outcome, printer.format, &shown)
            {
                let record = std::slice::from_ref(record);
                shown = printer.progress.aside(|| printer.lines(record));
            }
        });
        drop(several);
        shown?;
        if printer.format == Format::Json {
            printer.document(&gotten)?;
        }
        // Downloads that a signal interrupted have not failed.
        if node.is_stopping() {
            return Ok(());
        }
        printer.say_failed(&gotten, count)
    }
}

/// Downloads one RFC into a file outside the folder. Standard output, a device or a pipe gets the
/// document once it is complete.
fn into_file(
    node: &Node,
    number: RfcNumber,
    file: &Path,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    let is_stream = stream::is_one(file);
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
    };
    let mut gotten = node.get(&wanted, &mut |_| None, &mut |_| {});
    if let Some(Failed { failure, .. }) = gotten.failed.pop() {
        return Err(failure);
    }
    let Some(downloaded) = gotten.downloaded.first_mut() else {
        // The user interrupted it and needs no message.
        return Ok(());
    };
    if is_stream {
        stream::copy(&path, file).with_context(|| format!("cannot write {}", file.display()))?;
        file.clone_into(&mut downloaded.path);
    }
    let record = [downloaded.record.clone()];
    printer.result(&gotten, &record)
}

impl Printer<'_> {
    /// Reports on standard error what happened to one RFC, unless it failed.
    fn say_done(&self, outcome: &Outcome) {
        let what = match outcome {
            _ if !self.says => return,
            Outcome::Downloaded(Downloaded {
                record,
                path,
                bytes,
            }) => {
                let (number, path) = (record.record.number, path.display());
                format!("RFC {number} is in {path} ({bytes} bytes)")
            }
            Outcome::Kept(Kept { number, path }) => {
                let path = path.display();
                format!("RFC {number} is already in {path}; --force replaces it")
            }
            Outcome::Failed(_) | Outcome::Interrupted(_) => return,
        };
        self.events.notice(Level::Info, what);
    }

    fn say_failed(&self, gotten: &Gotten, count: usize) -> Result<(), Failure> {
        let Some(first) = gotten.failed.first() else {
            return Ok(());
        };
        let screen = self.transcript.screen();
        for Failed {
            number, failure, ..
        } in &gotten.failed
        {
            screen.error(format_args!("RFC {number} was not downloaded: {failure}"));
        }
        if count > 1 {
            let failed = gotten.failed.len();
            screen.error(format_args!("{failed} of {count} RFCs were not downloaded"));
        }
        Err(Failure::said(first.failure.code))
    }
}
