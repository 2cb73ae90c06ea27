//! What surrounds the work of a program: where it prints, what ends it, and how it ended.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::Failure;
use crate::event::{Events, Level};
use crate::net::Stop;
use crate::printout::{Log, Output, Shows, Transcript};
use crate::terminal::Screen;
use crate::terminal::progress::Progress;

/// How long an output that is not read holds up the end of a program.
pub(super) const PRINT_TIME: Duration = Duration::from_secs(2);

/// What surrounds the work of a program.
#[derive(Debug)]
pub struct Stage {
    /// The printout.
    pub transcript: Transcript,
    /// Tells those who print and log what happens.
    pub events: Events,
    /// The bars of downloads.
    pub progress: Progress,
    /// Ends the work from elsewhere.
    pub stop: Stop,
    /// Whether standard error says nothing but errors and warnings.
    pub is_quiet: bool,
}

impl Stage {
    /// Prints to standard output as much as `shows` says, and all of it to the end of `file`.
    fn open(
        screen: &Screen,
        shows: Shows,
        file: Option<&Path>,
        is_quiet: bool,
    ) -> anyhow::Result<Self> {
        let mut outputs = vec![Output::stdout(screen, shows)];
        if let Some(path) = file {
            let file = Output::file(path, screen);
            outputs.push(file.with_context(|| format!("cannot write {}", path.display()))?);
        }
        let transcript = Transcript::new(screen.clone(), outputs);
        let progress = Progress::new(screen);
        // A bar is gone before a line says how it ended.
        let events = Events::default().and(progress.clone());
        let events = events.and(transcript.clone()).and(Log);
        Ok(Self {
            transcript,
            events,
            progress,
            stop: Stop::default(),
            is_quiet,
        })
    }

    /// Says what goes on.
    pub fn say(&self, what: impl Display) {
        if !self.is_quiet {
            self.events.notice(Level::Info, what);
        }
    }

    /// Writes a result to standard output. The messages that have led to it come first, where they
    /// are printed.
    pub fn print(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        self.transcript.finish(PRINT_TIME);
        let mut out = BufWriter::new(io::stdout().lock());
        let written = write(&mut out).and_then(|()| out.flush());
        // What could not be written must not be tried again when the buffer goes.
        drop(out.into_parts());
        Ok(unless_unread(written).context("cannot write standard output")?)
    }
}

/// A reader that has seen enough (`peer list | head`) is no failure.
pub fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Does the work of a program, and gives its exit code. Standard output has as much of the printout
/// as `shows` says, and `file` all of it. It is written before an error is, with everything that
/// caused it.
pub fn run(
    screen: &Screen,
    shows: Shows,
    file: Option<&Path>,
    is_quiet: bool,
    work: impl FnOnce(&Stage) -> Result<(), Failure>,
) -> ExitCode {
    let stage = match Stage::open(screen, shows, file, is_quiet) {
        Ok(stage) => stage,
        Err(error) => return end(screen, Err(error.into()), PRINT_TIME).into(),
    };
    let mut ended = work(&stage);
    let until = Instant::now() + PRINT_TIME;
    stage.transcript.finish(PRINT_TIME);
    let broken: Vec<_> = stage.transcript.broken_copies().collect();
    if ended.is_ok() && !broken.is_empty() {
        let broken = broken.join(", ");
        ended = Err(anyhow!("could not write everything to {broken}").into());
    }
    let left = until.saturating_duration_since(Instant::now());
    end(screen, ended, left).into()
}

/// Says on standard error why a program has failed, waits at most `time` until that is written, and
/// returns the exit code.
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
