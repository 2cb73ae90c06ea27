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

use crate::grade::check::Group;
use crate::grade::options::Class;
use crate::grade::report::Points;
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
}

/// A check in the report for Gradescope.
#[derive(Debug, Deserialize)]
pub(super) struct Test {
    /// The group and the check.
    name: String,
    pub(super) score: Points,
    pub(super) max_score: Points,
    output: String,
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

    /// Why it was not judged, if so.
    fn reason(&self) -> Option<&str> {
        self.output.lines().next()?.strip_prefix("not judged: ")
    }

    /// Whether it was judged and does not hold.
    pub(super) fn has_failed(&self) -> bool {
        self.score < self.max_score && self.reason().is_none()
    }
}

impl Outcome {
    /// The points for the protocol, and how many there could be. Those for robustness are a group of
    /// the table.
    pub(super) fn points(&self) -> (Points, Points) {
        let tests = self.tests.iter();
        let tests = tests.filter(|test| test.names().0 != Group::Robust.name());
        tests.fold((0.0, 0.0), |(score, max), test| {
            (score + test.score, max + test.max_score)
        })
    }

    pub(super) fn has_failed(&self) -> bool {
        self.problem.is_some() || self.tests.iter().any(|test| test.score < test.max_score)
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
    /// Grades it, within the deadline. `None` if a signal ended the work.
    pub(super) fn run(&self, stage: &Stage) -> Option<Outcome> {
        let name = self.folder.file_name().unwrap_or_default();
        let report = |end: &str| -> PathBuf {
            let mut file = name.to_owned();
            file.push(format!("-{}{end}", self.kind.name()));
            self.options.out.join(file)
        };
        let (text, results) = (report(".txt"), report(".json"));
        // That of an earlier run must not count.
        let _ = fs::remove_file(&results);
        let ended = self.wait(&text, &results, stage);
        if stage.stop.signal().is_some() {
            return None;
        }
        let read = || -> Result<Results, String> {
            ended.map_err(|error| error.to_string())??;
            let json = fs::read_to_string(&results);
            let json = json.map_err(|_| format!("no report; see {}", text.display()))?;
            serde_json::from_str(&json).map_err(|error| error.to_string())
        };
        let (tests, problem) = match read() {
            Ok(Results { tests }) => {
                let reason = tests.first().and_then(Test::reason);
                let is_graded = tests.iter().any(|test| test.reason().is_none());
                let reason = reason.filter(|_| !is_graded).map(str::to_owned);
                (tests, reason)
            }
            Err(problem) => (Vec::new(), Some(problem)),
        };
        Some(Outcome {
            name: escaped(name.as_encoded_bytes(), false),
            kind: self.kind,
            tests,
            problem,
        })
    }

    /// Runs the grader to its end, or to the deadline. The inner error is why it has no result.
    fn wait(&self, text: &Path, results: &Path, stage: &Stage) -> io::Result<Result<(), String>> {
        let out = File::create(text)?;
        let mut command = self.command(results)?;
        command
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out);
        let mut child = command.process_group(0).spawn()?;
        let until = Instant::now() + Duration::from_secs(self.options.deadline);
        loop {
            if child.try_wait()?.is_some() {
                return Ok(Ok(()));
            }
            let is_late = Instant::now() >= until;
            if is_late || stage.stop.signal().is_some() {
                end(&mut child);
                let seconds = self.options.deadline;
                return Ok(Err(format!("not graded within {seconds} s")));
            }
            thread::sleep(LOOK);
        }
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
            let files = self.options.files.as_ref().map(|it| self.folder.join(it));
            // Without the folder all but its files is graded.
            if let Some(files) = files.filter(|it| it.is_dir()) {
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
