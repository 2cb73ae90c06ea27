//! Grades a program: plays the other side, looks at the bytes, and says what deviates.
//!
//! [`checks`] has all checks as data. A scenario exchanges messages with the program under test and
//! judges some of the checks on a [`Sheet`]; what it could not judge is skipped. So a
//! check is a line in [`checks`], and a call of `judge` in a scenario. The sheet becomes a
//! [`Report`], which is written in several forms.
//!
//! Every exchange is read liberally, with the reader of [`wire`](crate::wire) that the peer uses, and
//! its form is a check of its own: it is compared with what our own writer makes of the same
//! message. No rule of the protocol is written again here.
//!
//! [`program`] runs a program under test; [`server`] grades an index server, [`peer`] a peer, and
//! [`printout`] what both have printed; `class` grades all submissions of a course.

pub mod check;
pub mod checks;
mod class;
pub mod excerpt;
mod file;
mod options;
pub mod peer;
pub mod printout;
pub mod program;
pub mod report;
pub mod server;

pub use options::{Options, What};

use std::path::Path;

use self::check::{Check, Sheet};
use self::options::Common;
use self::report::Report;
use crate::program::{Code, Failure, Stage};

/// Grades, writes the report, and returns how that ended: [`Code::ChecksFailed`] unless
/// all checks hold.
pub fn perform(options: &Options, stage: &Stage) -> Result<(), Failure> {
    let Some(what) = &options.what else {
        return stage.print(|out| out.write_all(options::list_all().as_bytes()));
    };
    match what {
        What::Server(server) => {
            let untrusted = server.running.untrusted();
            grade(&server.common, untrusted, checks::SERVER, stage, |sheet| {
                server::grade(server, sheet, stage)
            })
        }
        What::Peer(peer) => {
            let untrusted = peer.running.untrusted();
            grade(&peer.common, untrusted, checks::PEER, stage, |sheet| {
                peer::grade(peer, sheet, stage)
            })
        }
        What::Printout(saved) => grade(&saved.common, None, checks::PRINTOUT, stage, |sheet| {
            printout::grade(&saved.files, sheet, &stage.stop)
        }),
        What::Class(class) => class::perform(class, stage),
    }
}

/// What came of playing the other side.
#[derive(Debug)]
pub struct Played {
    /// What was graded.
    pub target: String,
    /// What is remarkable about it.
    pub notes: Vec<String>,
    /// Why checks without a verdict have none; a failure if nothing could be graded.
    pub ended: Result<(), Failure>,
}

/// Plays the other side with a sheet of the chosen checks, and writes the report. It is also written
/// if nothing could be graded: who collects points needs them then too.
fn grade(
    common: &Common,
    untrusted: Option<&Path>,
    table: &'static [Check],
    stage: &Stage,
    play: impl FnOnce(&mut Sheet) -> Played,
) -> Result<(), Failure> {
    if common.list_checks {
        return stage.print(|out| out.write_all(options::list(table).as_bytes()));
    }
    let rubric = common.rubric(table).map_err(Failure::other)?;
    let mut sheet = Sheet::new(common.chosen(table));
    let Played {
        target,
        notes,
        ended,
    } = play(&mut sheet);
    if let Some(signal) = stage.stop.signal() {
        return Err(Failure::reported(Code::Interrupted(signal)));
    }
    let reason = match &ended {
        Ok(()) => "not reached".to_owned(),
        Err(failure) => failure.to_string(),
    };
    let mut report = Report::new(target, sheet.finish(&reason), &rubric, notes);
    report.is_error = ended.is_err();
    // A file that can't be written must not cost the report.
    let written = report.write(&common.outputs, untrusted);
    if ended.is_ok() || common.outputs.json {
        let text = report.print(&common.outputs);
        stage.print(|out| out.write_all(text.as_bytes()))?;
    } else {
        let lines = report.notes.iter().flat_map(|note| note.lines());
        lines.for_each(|line| stage.say(line));
    }
    written?;
    ended?;
    if report.all_hold() {
        Ok(())
    } else {
        Err(Failure::reported(Code::ChecksFailed))
    }
}

/// Whether a title that came is this one, with one space or several between its words.
fn is_same_title(title: &str, came: &str) -> bool {
    let words: Vec<_> = came.split_whitespace().collect();
    came.trim() == came && words.join(" ") == title
}
