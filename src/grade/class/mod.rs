//! Grades a class: every subfolder is a submission, and each is graded by a process of its own.

mod files;
mod job;
mod table;

use std::collections::VecDeque;
use std::fs;
use std::path::{self, Path, PathBuf};
use std::thread;

use parking_lot::Mutex;

use super::options::Class;
use super::program::{adopt_orphans, can_isolate};
use crate::event::Level;
use crate::file_error::FileError;
use crate::program::{Code, Failure, Stage};
use crate::terminal::escape::escaped;
use files::{replace, restore};
use job::{Job, Kind, Outcome};

/// The file with the points of all submissions.
const TABLE: &str = "table.csv";

/// Grades all submissions, and writes their reports and the table into the folder of the results.
/// After Ctrl-C it writes those that are done.
pub(super) fn perform(options: &Class, stage: &Stage) -> Result<(), Failure> {
    let out = &options.out;
    let submissions = subfolders(&options.folder, out, stage)?;
    if submissions.is_empty() {
        let folder = options.folder.display();
        return Err(Failure::other(format!(
            "{folder} has no subfolder to grade"
        )));
    }
    if let Some(holder) = holder(out, &submissions) {
        let (out, holder) = (out.display(), holder.display());
        return Err(Failure::other(format!(
            "{holder} could change the results in {out}; name another folder with --out"
        )));
    }
    fs::create_dir_all(out).map_err(FileError::of("create the folder", out))?;
    // A folder that can't be written is found before hours of work, and not after them.
    replace(&out.join(TABLE), &table::csv(&[]))?;
    let isolation = can_isolate();
    if let Err(why) = &isolation {
        adopt_orphans();
        stage.say(format_args!(
            "Not isolated, so one at a time: {why}. Submissions can reach the network and each other."
        ));
    }
    let jobs = if isolation.is_ok() { options.jobs } else { 1 };
    let kinds = [
        (Kind::Server, options.server.as_ref()),
        (Kind::Peer, options.peer.as_ref()),
    ];
    // The two programs of a submission share its folder, so one job grades both.
    let queue: VecDeque<_> = submissions.into_iter().collect();
    let progress = stage.progress.of_work(queue.len(), "submissions graded");
    let (queue, done) = (Mutex::new(queue), Mutex::new(Vec::new()));
    let work = || {
        while let Some(folder) = take(&queue, stage) {
            for (kind, command) in kinds {
                let Some(command) = command else { continue };
                let job = Job {
                    folder: &folder,
                    kind,
                    command,
                    is_isolated: isolation.is_ok(),
                    options,
                };
                let Some(outcome) = job.run(stage) else {
                    return;
                };
                stage.say(format_args!("{outcome}"));
                done.lock().push(outcome);
            }
            progress.one_done();
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    drop(progress);
    let mut outcomes = done.into_inner();
    outcomes.sort_by(|one, other| (&one.name, one.kind).cmp(&(&other.name, other.kind)));
    finish(&outcomes, out, stage)
}

/// Writes the tables, and says how all of it ended. The reports come last: whatever is wrong with the
/// file of one submission, the others have their points.
fn finish(outcomes: &[Outcome], out: &Path, stage: &Stage) -> Result<(), Failure> {
    let mut unwritten = Vec::from_iter(replace(&out.join(TABLE), &table::csv(outcomes)).err());
    let text = table::text(outcomes);
    let printed = stage.print(|to| to.write_all(text.as_bytes()));
    // Where submissions are not isolated, one may have changed the report of another.
    for (path, contents) in outcomes.iter().flat_map(|it| &it.files) {
        unwritten.extend(restore(path, contents).err());
    }
    for error in &unwritten {
        stage.events.notice(Level::Warning, error);
    }
    if let Some(signal) = stage.stop.signal() {
        return Err(Failure::reported(Code::Interrupted(signal)));
    }
    printed?;
    if !unwritten.is_empty() {
        return Err(Failure::reported(Code::Other));
    }
    if outcomes.iter().any(Outcome::has_failed) {
        return Err(Failure::reported(Code::ChecksFailed));
    }
    Ok(())
}

fn take(queue: &Mutex<VecDeque<PathBuf>>, stage: &Stage) -> Option<PathBuf> {
    if stage.stop.signal().is_some() {
        return None;
    }
    queue.lock().pop_front()
}

/// The submission in which a folder is, or would be.
fn holder<'a>(folder: &Path, submissions: &'a [PathBuf]) -> Option<&'a PathBuf> {
    let folder = path::absolute(folder).ok()?;
    let parents = folder.ancestors().filter(|it| it.file_name().is_some());
    // Every one of them counts: in a submission it may be a link.
    let parents = parents.filter_map(|it| fs::canonicalize(it.parent()?).ok());
    let parents: Vec<_> = parents.collect();
    submissions.iter().find(|submission| {
        let submission = fs::canonicalize(submission);
        submission.is_ok_and(|it| parents.iter().any(|parent| parent.starts_with(&it)))
    })
}

/// The subfolders in the order of their names, without the results of an earlier run and hidden ones.
/// A link is no submission: it may lead anywhere.
fn subfolders(folder: &Path, out: &Path, stage: &Stage) -> Result<Vec<PathBuf>, FileError> {
    let out = fs::canonicalize(out).ok();
    let entries = fs::read_dir(folder).map_err(FileError::of("read the folder", folder))?;
    let mut folders: Vec<_> = entries
        .flatten()
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .filter(|path| {
            if path.is_symlink() {
                let name = path.file_name().unwrap_or_default();
                let name = escaped(name.as_encoded_bytes(), false);
                stage.say(format_args!("{name}: not graded, because it is a link"));
            }
            !path.is_symlink()
        })
        .filter(|path| path.is_dir() && fs::canonicalize(path).ok() != out)
        .collect();
    folders.sort();
    Ok(folders)
}
