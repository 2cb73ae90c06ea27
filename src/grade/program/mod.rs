//! Runs a program under test: in its folder, with a deadline to begin, bounded output, and an end
//! for all its processes.

#[cfg(target_os = "linux")]
mod folders;
mod isolation;
mod launch;
mod output;
#[cfg(target_os = "linux")]
mod ports;
mod privileges;
mod processes;
mod watch;

pub use isolation::{can_isolate, isolate};
pub use launch::becomes_program;
pub(in crate::grade) use processes::{adopt_orphans, end_descendants};

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::ExitStatusExt;

use clap::Args;

use self::output::Captured;
use self::privileges::Folder;
use self::watch::Watch;
use super::excerpt::last_lines;
use super::file;
use crate::file_error::FileError;
use crate::net::Stop;
use crate::program::{Code, Failure};

/// How long a program may take until it listens, or connects.
pub const START_TIME: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
pub const LOOK: Duration = Duration::from_millis(50);
/// How long a program that does not listen any more may take to end.
const END_TIME: Duration = Duration::from_secs(3);
/// How many of its last lines a report shows.
const LAST_LINES: usize = 12;
/// How much output is worth a remark, in bytes.
const MUCH_OUTPUT: u64 = 1024 * 1024;

/// The options for running a program under test.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Program")]
pub struct Running {
    /// Start the program under test with this shell command, and end it afterwards; {port} in it is
    /// replaced by the port
    #[arg(long, value_name = "COMMAND")]
    pub run: Option<String>,
    /// The folder in which it runs [default: this one]
    #[arg(long = "in", value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Run it with its own network, processes, and host name, and let it change nothing but its
    /// folder, so that the port is free and it reaches nothing else (Linux)
    #[arg(long, value_parser = crate::program::flag)]
    pub isolated: bool,
    /// With --isolated: folders that are empty for it, for example those of other submissions
    #[arg(long, value_name = "FOLDER", num_args = 1.., requires = "isolated")]
    pub hide: Vec<PathBuf>,
    /// Keep what it prints in this file, at most 16 MiB
    #[arg(long, value_name = "FILE")]
    pub keep_output: Option<PathBuf>,
}

impl Running {
    /// The folder of an isolated program. What is linked there may lead anywhere.
    pub fn untrusted(&self) -> Option<&Path> {
        (self.isolated && self.run.is_some()).then(|| self.folder())
    }

    fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new("."))
    }

    /// Opens the file for the output, if there is one. It stays the same however often the program is
    /// started: a program could put a link in its place.
    pub fn output(&self) -> Result<Option<File>, ProgramError> {
        let open = |path: &PathBuf| {
            let file = file::create(path, self.untrusted());
            file.map_err(FileError::of("write", path))
        };
        Ok(self.keep_output.as_ref().map(open).transpose()?)
    }
}

/// A running program. All its processes are killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: Captured,
    watch: Watch,
    /// Whether it did what it was awaited to do.
    has_begun: bool,
    /// Whether its end is no surprise.
    may_end: bool,
    is_killed: bool,
    /// The folder of an isolated one.
    folder: Option<Folder>,
}

/// How a start or a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The shell or a file could not be used.
    #[error("cannot start the program: {0}")]
    Start(std::io::Error),
    /// Its folder could not be read, or the file for its output not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It ended too early.
    #[error("the program ended before it {awaited}: {how}")]
    Ended {
        /// What it was expected to do.
        awaited: String,
        /// How it ended.
        how: String,
    },
    /// It did not begin in time.
    #[error("the program has not {awaited} after {} s{instead}", START_TIME.as_secs())]
    Late {
        /// What it was expected to do.
        awaited: String,
        /// What it does instead, if that is known.
        instead: String,
    },
    /// It did not begin in time, because it asks something.
    #[error(
        "the program has not {awaited} after {} s; it seems to wait for an answer to {question:?}, \
         and gets none",
        START_TIME.as_secs()
    )]
    Asks {
        /// What it was expected to do.
        awaited: String,
        /// The last line that it printed.
        question: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl ProgramError {
    /// The error of a server that did not begin in time but `listens` elsewhere. If it does, what looked
    /// like a question was only a line without an end.
    #[must_use]
    pub fn elsewhere(self, listens: impl FnOnce() -> String) -> Self {
        let (awaited, instead, listens) = match &self {
            Self::Late { awaited, instead } => (awaited, instead.as_str(), listens()),
            Self::Asks { awaited, .. } => (awaited, "", listens()),
            _ => return self,
        };
        if listens.is_empty() {
            return self;
        }
        Self::Late {
            awaited: awaited.clone(),
            instead: format!("{instead}{listens}"),
        }
    }
}

/// A program that never serves is like a server that can't be reached.
impl From<ProgramError> for Failure {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::Ended { .. } | ProgramError::Late { .. } | ProgramError::Asks { .. } => {
                Self::new(Code::IndexUnreachable, error)
            }
            error => Self::other(error),
        }
    }
}

impl Program {
    /// Starts the command in its folder. Its input is open, as that of a person who types nothing
    /// until [`type_text`](Self::type_text). What it prints is also written to the file, which is that
    /// of [`Running::output`].
    pub fn start(
        command: &str,
        running: &Running,
        file: Option<&File>,
    ) -> Result<Self, ProgramError> {
        adopt_orphans();
        let (reader, writer) = std::io::pipe().map_err(ProgramError::Start)?;
        let file = file.map(File::try_clone).transpose();
        let output = file.and_then(|file| Captured::start(reader, file));
        let output = output.map_err(ProgramError::Start)?;
        let errors = writer.try_clone().map_err(ProgramError::Start)?;
        let mut launcher = launcher(command, running)?;
        let folder = running.untrusted().map(|path| {
            let opened = Folder::open(path);
            opened.map_err(FileError::of("open the folder", path))
        });
        let folder = folder.transpose()?;
        let child = launcher
            .stdin(Stdio::piped())
            .stdout(writer)
            .stderr(errors)
            .spawn()
            .map_err(ProgramError::Start)?;
        Ok(Self {
            watch: Watch::start(&child).map_err(ProgramError::Start)?,
            child,
            output,
            has_begun: false,
            may_end: false,
            is_killed: false,
            folder,
        })
    }

    /// Waits until `begun` finds that the program does what it is `awaited` to do, for example that
    /// it listens.
    pub fn wait_until<T>(
        &mut self,
        awaited: &str,
        stop: &Stop,
        mut begun: impl FnMut() -> Option<T>,
    ) -> Result<T, ProgramError> {
        let until = Instant::now() + START_TIME;
        loop {
            if let Some(begun) = begun() {
                self.has_begun = true;
                return Ok(begun);
            }
            if stop.signal().is_some() {
                return Err(ProgramError::Interrupted);
            }
            let awaited = awaited.to_owned();
            if let Some(status) = self.ended() {
                self.output.wait_for_end();
                let how = self.how(status);
                return Err(ProgramError::Ended { awaited, how });
            }
            if Instant::now() >= until {
                return Err(self.late(awaited));
            }
            thread::sleep(LOOK);
        }
    }

    /// What a program that does not begin seems to do instead.
    fn late(&self, awaited: String) -> ProgramError {
        let total = self.output.total();
        if total <= MUCH_OUTPUT
            && let Some(question) = self.output.unfinished_line()
        {
            return ProgramError::Asks { awaited, question };
        }
        let much = (total > MUCH_OUTPUT).then(|| format!("; it printed {total} bytes instead"));
        ProgramError::Late {
            awaited,
            instead: much.unwrap_or_default(),
        }
    }

    /// Where it listens, as the end of a sentence; empty if it does not, and where the system does not
    /// say it. Only Linux does.
    pub fn listens(&self) -> String {
        #[cfg(target_os = "linux")]
        let places = Vec::from_iter(ports::listening()).join(", ");
        #[cfg(not(target_os = "linux"))]
        let places = String::new();
        if places.is_empty() {
            return places;
        }
        format!("; it listens on {places}")
    }

    /// Types into the program. One that has ended, or does not read, is not typed to.
    pub fn type_text(&mut self, text: &str) {
        if let Some(input) = &mut self.child.stdin {
            let _ = input.write_all(text.as_bytes());
        }
    }

    /// From now on it is expected to end by itself.
    pub fn may_end(&mut self) {
        self.may_end = true;
    }

    /// How the program ended, if it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// A sentence about the end of the program, if it has ended.
    pub fn end(&mut self) -> Option<String> {
        let status = self.ended()?;
        Some(format!("the program has ended: {}", self.how(status)))
    }

    /// How it ended, or why the grader ended it.
    fn how(&self, status: ExitStatus) -> String {
        self.watch.reason().unwrap_or_else(|| how(status))
    }

    /// The same, after a short while that one about to end needs.
    pub fn end_soon(&mut self) -> Option<String> {
        let until = Instant::now() + END_TIME;
        while Instant::now() < until {
            if let Some(ended) = self.end() {
                return Some(ended);
            }
            thread::sleep(LOOK);
        }
        None
    }

    /// The last lines that it printed, after a heading. Waits a short while until it prints no more.
    pub fn printed(&self) -> String {
        self.output.settle();
        let lines = last_lines(&self.output.last(), LAST_LINES);
        if lines.is_empty() {
            return "the program printed nothing".to_owned();
        }
        let lines = lines.lines().map(|line| format!("\n    {line}"));
        format!("the program printed last:{}", lines.collect::<String>())
    }

    /// Kills all processes of the program. Returns what is remarkable: an end of its own, or no
    /// beginning, with its last lines, and much output.
    pub fn stop(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        let ended = self.end().filter(|_| !self.may_end);
        let is_silent = ended.is_none() && !self.has_begun;
        let privileged = self.kill();
        self.output.wait_for_end();
        notes.extend(ended);
        if !notes.is_empty() || is_silent {
            notes.push(self.printed());
        }
        let total = self.output.total();
        if total > MUCH_OUTPUT {
            notes.push(format!("the program printed {total} bytes"));
        }
        notes.extend(privileged);
        notes
    }

    /// Returns what may be left of an isolated program.
    fn kill(&mut self) -> Option<String> {
        // Later its number may be that of another process.
        if self.is_killed {
            return None;
        }
        processes::kill_all(&mut self.child);
        self.is_killed = true;
        self.folder.as_ref()?.drop_privileges().err()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The process that becomes the program under test, in its folder.
fn launcher(command: &str, running: &Running) -> Result<Command, ProgramError> {
    let folder = running.folder();
    // Otherwise it would be unclear what does not exist.
    fs::read_dir(folder).map_err(FileError::of("open the folder", folder))?;
    let hidden = running.hide.iter().map(|it| {
        let found = fs::canonicalize(it);
        let found = found.and_then(|it| {
            let is_folder = it.metadata()?.is_dir();
            is_folder
                .then_some(it)
                .ok_or_else(|| io::ErrorKind::NotADirectory.into())
        });
        found.map_err(FileError::of("hide the folder", it))
    });
    let hidden: Vec<_> = hidden.collect::<Result<_, _>>()?;
    let hidden = running.isolated.then_some(hidden.as_slice());
    let mut launcher = launch::launcher(command, hidden).map_err(ProgramError::Start)?;
    launcher.current_dir(folder);
    Ok(launcher)
}

/// How a program ended, in words.
pub(in crate::grade) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(127), _) => "exit code 127, so the shell did not find the command".to_owned(),
        // As a shell says it.
        (Some(code @ 129..=192), _) => format!("exit code {code}, so signal {}", code - 128),
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}
