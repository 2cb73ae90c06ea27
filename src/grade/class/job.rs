//! One program of a submission, graded by a process of its own.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Deserialize;

use super::files::{contents, restore, stem};
use crate::file_error::FileError;
use crate::grade::check::Sheet;
use crate::grade::checks;
use crate::grade::options::Class;
use crate::grade::program::{end_descendants, how};
use crate::grade::report::{Outputs, Points, Report, Rubric};
use crate::program::Stage;
use crate::terminal::escape::escaped;

/// How often to look whether it has ended.
const LOOK: Duration = Duration::from_millis(50);
/// How long a grader has to end its program after a signal.
const END_TIME: Duration = Duration::from_secs(3);

/// Which program of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Server,
    Peer,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Peer => "peer",
        }
    }
}

/// What is to be graded.
pub(super) struct Job<'a> {
    pub(super) folder: &'a Path,
    pub(super) kind: Kind,
    pub(super) command: &'a str,
    pub(super) is_isolated: bool,
    pub(super) options: &'a Class,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The name of the submission.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The checks; empty if there is no report.
    pub(super) tests: Vec<Test>,
    /// Why nothing was judged.
    pub(super) problem: Option<String>,
    pub(super) files: Files,
}

/// The files of a report, for people and for Gradescope, as they were right after it was graded.
type Files = [(PathBuf, Vec<u8>); 2];

/// A check in the report for Gradescope.
#[derive(Debug, Deserialize)]
pub(super) struct Test {
    /// The group and the check.
    name: String,
    #[serde(flatten)]
    points: Counted,
    output: String,
}

/// The points of a check, and how many there could be.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Counted {
    /// Those of the sum.
    Sum {
        score: Points,
        max_score: Points,
    },
    Apart {
        extra_data: Apart,
    },
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Apart {
    points: Points,
    max: Points,
}

#[derive(Debug, Deserialize)]
struct Results {
    tests: Vec<Test>,
}

impl Test {
    /// The name of the group, and that of the check.
    pub(super) fn names(&self) -> (&str, &str) {
        self.name.split_once(": ").unwrap_or((&self.name, ""))
    }

    /// Its points, and how many there could be.
    pub(super) const fn points(&self) -> (Points, Points) {
        match self.points {
            Counted::Sum { score, max_score } => (score, max_score),
            Counted::Apart { extra_data } => (extra_data.points, extra_data.max),
        }
    }

    fn loses_points(&self) -> bool {
        let (points, max) = self.points();
        points < max
    }

    /// Why it was not judged, if so.
    fn reason(&self) -> Option<&str> {
        self.output.lines().next()?.strip_prefix("not judged: ")
    }

    pub(super) fn is_judged(&self) -> bool {
        self.reason().is_none()
    }

    /// Whether it was judged and does not hold.
    pub(super) fn has_failed(&self) -> bool {
        self.loses_points() && self.is_judged()
    }
}

impl Outcome {
    /// The points that do not count apart, and how many there could be.
    pub(super) fn points(&self) -> (Points, Points) {
        self.sum(|test| matches!(test.points, Counted::Sum { .. }))
    }

    /// The points of some checks, and how many there could be.
    pub(super) fn sum(&self, is_counted: impl Fn(&Test) -> bool) -> (Points, Points) {
        let tests = self.tests.iter().filter(|test| is_counted(test));
        tests.fold((0.0, 0.0), |(sum, sum_max), test| {
            let (points, max) = test.points();
            (sum + points, sum_max + max)
        })
    }

    pub(super) fn has_failed(&self) -> bool {
        self.problem.is_some() || self.tests.iter().any(Test::loses_points)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind) = (&self.name, self.kind.name());
        if let Some(problem) = &self.problem {
            return write!(f, "{name}: {kind}: {problem}");
        }
        let (score, max) = self.points();
        write!(f, "{name}: {kind}: {score} of {max} points")
    }
}

impl Job<'_> {
    /// Grades it, within the deadline. `None` if a signal ended the work before it was done.
    pub(super) fn run(&self, stage: &Stage) -> Option<Outcome> {
        let name = self.folder.file_name().unwrap_or_default();
        let stem = stem(name);
        let name = escaped(name.as_encoded_bytes(), false);
        let report = |end: &str| -> PathBuf {
            let file = format!("{stem}-{}{end}", self.kind.name());
            self.options.out.join(file)
        };
        let (text, results) = (report(".txt"), report(".json"));
        if let Some(files) = &self.options.files
            && self.kind == Kind::Peer
            && self.files().is_none()
        {
            let files = files.display();
            stage.say(format_args!(
                "{name}: peer: compared with no files, because it has no folder {files} of its own"
            ));
        }
        // That of an earlier run must not count.
        let _ = fs::remove_file(&results);
        let ended = self.wait(&text, &results, stage).transpose();
        if !self.is_isolated {
            // A program that has killed its grader would be in the way of the next.
            end_descendants();
        }
        let ended = ended?;
        let read = || -> Result<Results, String> {
            ended?;
            let json = contents(&results);
            let json = json.map_err(|_| format!("no report; see {}", text.display()))?;
            let incomplete =
                |error| format!("no complete report ({error}); see {}", text.display());
            serde_json::from_slice(&json).map_err(incomplete)
        };
        let read = read();
        let mut files = [text, results].map(|path| {
            let contents = contents(&path).unwrap_or_default();
            (path, contents)
        });
        let (tests, problem) = match read {
            Ok(Results { tests }) => {
                let reason = tests.first().and_then(Test::reason);
                let is_graded = tests.iter().any(|test| test.reason().is_none());
                let reason = reason.filter(|_| !is_graded).map(str::to_owned);
                (tests, reason)
            }
            Err(problem) => (self.no_points(&problem, &mut files), Some(problem)),
        };
        Some(Outcome {
            name,
            kind: self.kind,
            tests,
            problem,
            files,
        })
    }

    /// Completes the report of a program of which nothing was judged, and returns its checks.
    fn no_points(&self, problem: &str, files: &mut Files) -> Vec<Test> {
        let (table, rubric) = match self.kind {
            Kind::Server => (checks::SERVER, &self.options.server_rubric),
            Kind::Peer => (checks::PEER, &self.options.peer_rubric),
        };
        let rubric = rubric.as_ref().map(|path| Rubric::read(path, table));
        let Ok(rubric) = rubric.unwrap_or_else(|| Ok(Rubric::default())) else {
            return Vec::new();
        };
        let checks = Sheet::new(table.iter().collect()).finish(problem);
        let report = Report::new(self.command.to_owned(), checks, &rubric, Vec::new());
        let [(_, text), (_, results)] = files;
        text.extend(report.print(&Outputs::default()).into_bytes());
        *results = report.gradescope().into_bytes();
        let read = serde_json::from_slice::<Results>(results);
        for (path, contents) in files {
            // They are written again at the end, and what is wrong is reported there.
            let _ = restore(path, contents);
        }
        read.map(|read| read.tests).unwrap_or_default()
    }

    /// Runs the grader to its end, or to the deadline. An error is why it has no result; `None` is
    /// that of a signal.
    fn wait(&self, text: &Path, results: &Path, stage: &Stage) -> Result<Option<()>, String> {
        let started = self.start(text, results);
        let mut child = started.map_err(|error| format!("cannot start its grader: {error}"))?;
        let until = Instant::now() + Duration::from_secs(self.options.deadline);
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return match status.code() {
                    Some(code) if code < 128 => Ok(Some(())),
                    _ if stage.stop.signal().is_some() => Ok(None),
                    _ => Err(format!(
                        "its grader was ended from outside ({}), perhaps by the program under test",
                        how(status)
                    )),
                };
            }
            if stage.stop.signal().is_some() {
                end(&mut child);
                return Ok(None);
            }
            if Instant::now() >= until {
                end(&mut child);
                let seconds = self.options.deadline;
                return Err(format!("not graded within {seconds} s"));
            }
            thread::sleep(LOOK);
        }
    }

    fn start(&self, text: &Path, results: &Path) -> io::Result<Child> {
        // A link in its place would lead elsewhere.
        let _ = fs::remove_file(text);
        let out = File::create(text)
            .map_err(|error| io::Error::other(FileError::of("write", text)(error)))?;
        let mut command = self.command(results)?;
        command
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out);
        command.process_group(0).spawn()
    }

    /// The folder that its peer shares. One that leads out of the submission is none: the report would
    /// show files of others.
    fn files(&self) -> Option<PathBuf> {
        let files = self.folder.join(self.options.files.as_ref()?);
        let (files, own) = (files.canonicalize().ok()?, self.folder.canonicalize().ok()?);
        (files.is_dir() && files.starts_with(own)).then_some(files)
    }

    fn command(&self, results: &Path) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"P2PCI_") {
                command.env_remove(name);
            }
        }
        command.args(["grade", self.kind.name(), "--run", self.command]);
        command.arg("--in").arg(self.folder);
        command.arg("--gradescope").arg(results);
        if self.is_isolated {
            command.arg("--isolated");
            // The other submissions, and what came of them.
            for folder in [&self.options.folder, &self.options.out] {
                command.arg("--hide").arg(folder);
            }
        } else if self.command.contains("{port}") {
            command.args(["--port", "0"]);
        }
        let rubric = match self.kind {
            Kind::Server => &self.options.server_rubric,
            Kind::Peer => &self.options.peer_rubric,
        };
        if let Some(rubric) = rubric {
            command.arg("--rubric").arg(rubric);
        }
        if self.kind == Kind::Peer {
            // Without the folder all but its files is graded.
            if let Some(files) = self.files() {
                command.arg("--files").arg(files);
            }
            for keys in &self.options.keys {
                command.arg("--keys").arg(keys);
            }
        }
        Ok(command)
    }
}

/// Lets a grader end what it has started, and then ends it.
fn end(child: &mut Child) {
    let id = Pid::from_child(child);
    // These fail only if it has ended.
    let _ = kill_process(id, Signal::TERM);
    let until = Instant::now() + END_TIME;
    while Instant::now() < until && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        thread::sleep(LOOK);
    }
    let _ = kill_process_group(id, Signal::KILL);
    let _ = child.wait();
}
