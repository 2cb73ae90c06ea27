//! Sets up the outputs, events and stop signal of a program, runs its work, and reports its end.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use chrono::Local;

use super::signals::{FAILED, survive_file_limit};
use super::{Failure, VERSION};
use crate::event::{Events, Level};
use crate::net::Stop;
use crate::printout::{Log, Output, Shows, Style, Transcript};
use crate::terminal::Screen;
use crate::terminal::progress::Progress;

/// How long unread output may delay the end of a program.
pub(super) const PRINT_TIME: Duration = Duration::from_secs(2);

/// The outputs, events and stop signal for the work of a program.
#[derive(Debug)]
pub struct Stage {
    /// The printout.
    pub transcript: Transcript,
    /// Events for the outputs and the log.
    pub events: Events,
    /// The progress bars.
    pub progress: Progress,
    /// Ends the work from another thread.
    pub stop: Stop,
    /// Whether standard error gets only errors and warnings.
    is_quiet: bool,
}

/// What a program prints, and how.
#[derive(Debug, Clone, Copy)]
pub struct Printing<'a> {
    /// The part of the printout that standard output shows.
    pub shows: Shows,
    /// How it looks.
    pub style: Style,
    /// The file that gets all of it, appended.
    pub transcript: Option<&'a Path>,
    /// Whether standard error gets only errors and warnings.
    pub is_quiet: bool,
}

impl Stage {
    fn open(screen: &Screen, printing: Printing<'_>) -> anyhow::Result<Self> {
        survive_file_limit().context(FAILED)?;
        let mut outputs = vec![Output::stdout(screen, printing.shows)];
        if let Some(path) = printing.transcript {
            let file = Output::file(path, &this_run(), screen);
            outputs.push(file.with_context(|| format!("cannot write {}", path.display()))?);
        }
        let transcript = Transcript::new(screen.clone(), outputs, printing.style);
        let progress = Progress::new(screen);
        // Remove a bar before a line reports how its download ended.
        let events = Events::default().and(progress.clone());
        let events = events.and(transcript.clone()).and(Log::default());
        Ok(Self {
            transcript,
            events,
            progress,
            stop: Stop::default(),
            is_quiet: printing.is_quiet,
        })
    }

    /// Reports progress unless the program is quiet.
    pub fn say(&self, what: impl Display) {
        if !self.is_quiet {
            self.events.notice(Level::Info, what);
        }
    }

    /// Writes a result to standard output, after everything printed so far.
    pub fn print(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let is_over = || self.stop.signal().is_some();
        self.transcript.settle(PRINT_TIME, is_over);
        let mut out = BufWriter::new(io::stdout().lock());
        let written = write(&mut out).and_then(|()| out.flush());
        // Dropping the writer would try failed output again.
        drop(out.into_parts());
        Ok(unless_unread(written).context("cannot write standard output")?)
    }
}

/// Ignores a closed pipe: in `peer list | head` the reader has seen enough.
pub fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The date, the program, its version and its options.
fn this_run() -> String {
    let now = Local::now().format("%F %T %:z");
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default();
    let mut run = format!("{now} {} {VERSION}", program.display());
    for word in words {
        run.push(' ');
        run.push_str(&word.to_string_lossy());
    }
    run
}

/// Runs the work of a program and returns its exit code. The printout comes before an error message.
pub fn run(
    screen: &Screen,
    printing: Printing<'_>,
    work: impl FnOnce(&Stage) -> Result<(), Failure>,
) -> ExitCode {
    let stage = match Stage::open(screen, printing) {
        Ok(stage) => stage,
        Err(error) => return end(screen, Err(error.into()), PRINT_TIME).into(),
    };
    let mut ended = work(&stage);
    let until = Instant::now() + PRINT_TIME;
    screen.restore_title();
    let is_over = || stage.stop.signal().is_some();
    stage.transcript.settle(PRINT_TIME, is_over);
    let broken: Vec<_> = stage.transcript.broken_copies().collect();
    if ended.is_ok() && !broken.is_empty() {
        let broken = broken.join(", ");
        ended = Err(anyhow!("could not write everything to {broken}").into());
    }
    let left = until.saturating_duration_since(Instant::now());
    end(screen, ended, left).into()
}

/// Reports a failure on standard error, waits at most `time` until it is written, and returns the
/// exit code.
pub(super) fn end(screen: &Screen, ended: Result<(), Failure>, time: Duration) -> u8 {
    let code = match ended {
        Ok(()) => 0,
        Err(failure) => {
            if failure.error.is_some() {
                screen.error(&failure);
            }
            failure.code.get()
        }
    };
    screen.stderr().finish(time);
    code
}
