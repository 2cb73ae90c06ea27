//! The terminal as the one place where a prompt, printouts, the log and bars meet.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indicatif::MultiProgress;
use rustix::fs::fstat;
use rustix::stdio;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::ExternalPrinter;

use super::escape::escaped;
use super::progress::canvas;
use super::queue::Queue;
use super::style;

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many characters fit a line.
    pub columns: u16,
    /// How many lines fit the screen.
    pub rows: u16,
}

impl Size {
    /// What a terminal has that does not say.
    const USUAL: Self = Self {
        columns: 80,
        rows: 24,
    };
}

/// The terminal, or what stands in its place: standard output and standard error, each of which is
/// a [`Queue`], so that nobody waits for it. Clones are handles to the same one.
///
/// While somebody types at the prompt, what is written appears above it; while bars are drawn, it
/// appears above them.
#[derive(Clone, Default)]
pub struct Screen(Arc<Shared>);

#[derive(Default)]
struct Shared {
    streams: OnceLock<Streams>,
    prompt: Prompt,
}

struct Streams {
    out: Queue,
    err: Queue,
    /// What is drawn where standard error is.
    bars: MultiProgress,
}

#[derive(Default)]
struct Prompt {
    /// Writes above the prompt.
    above: Mutex<Option<Box<dyn ExternalPrinter + Send>>>,
    /// Held while something is written without a prompt, so that none appears in the middle.
    is_there: Mutex<bool>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// Whether a person types and sees the printout here.
    pub fn is_interactive(&self) -> bool {
        let can_edit = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        io::stdin().is_terminal() && io::stdout().is_terminal() && can_edit
    }

    /// How large it is now.
    pub fn size(&self) -> Size {
        match tcgetwinsize(stdio::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size {
                columns: size.ws_col,
                rows: size.ws_row,
            },
            _ => Size::USUAL,
        }
    }

    /// Standard output.
    pub fn stdout(&self) -> Queue {
        self.streams().out.clone()
    }

    /// Standard error.
    pub fn stderr(&self) -> Queue {
        self.streams().err.clone()
    }

    /// Says something on standard error, in one line.
    pub fn say(&self, what: impl Display) {
        self.say_after("", &what);
    }

    /// Says there that something is not as it should be.
    pub fn warn(&self, what: impl Display) {
        self.say_after(&style::warning(&io::stderr()), &what);
    }

    /// Says there what has failed.
    pub fn error(&self, what: impl Display) {
        self.say_after(&style::error(&io::stderr()), &what);
    }

    /// Says there that an output of the program takes nothing any more.
    pub(crate) fn cannot_print(&self, name: &str, error: &io::Error) {
        self.warn(format_args!("cannot print any more to {name}: {error}"));
    }

    fn say_after(&self, word: &str, what: &dyn Display) {
        let space = if word.is_empty() { "" } else { " " };
        let what = escaped(what.to_string().as_bytes(), false);
        self.streams().err.push(&[word, space, &what, "\n"]);
    }

    /// Where bars are drawn.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.streams().bars
    }

    /// Both streams are started with the first use of one. Where they are the same terminal, pipe
    /// or file, they are one queue, so that what is written comes in its order.
    fn streams(&self) -> &Streams {
        self.0.streams.get_or_init(|| {
            let screen = self.clone();
            let failed = move |error: &io::Error| screen.cannot_print("standard output", error);
            let out = if io::stdout().is_terminal() {
                Queue::start(AbovePrompt(self.clone()), failed)
            } else {
                Queue::start(io::stdout(), failed)
            };
            let is_one = are_one(stdio::stdout(), stdio::stderr());
            let err = if is_one {
                out.clone()
            } else {
                // Where standard error is gone, so is whoever would have read it.
                Queue::start(io::stderr(), |_| {})
            };
            let bars = MultiProgress::with_draw_target(canvas(err.clone()));
            let err = if bars.is_hidden() {
                err
            } else {
                err.below(bars.clone())
            };
            let out = if is_one { err.clone() } else { out };
            Streams { out, err, bars }
        })
    }

    pub(super) fn print_above_with(&self, printer: impl ExternalPrinter + Send + 'static) {
        *locked(&self.0.prompt.above) = Some(Box::new(printer));
    }

    /// Whether somebody types at the prompt from now on.
    pub fn prompt(&self, is_there: bool) {
        *locked(&self.0.prompt.is_there) = is_there;
    }
}

/// Whether two streams lead to the same place.
fn are_one(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let place = |stream| fstat(stream).map(|found| (found.st_dev, found.st_ino));
    matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard output on a terminal, whose text appears above the prompt.
struct AbovePrompt(Screen);

impl Write for AbovePrompt {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Prompt { above, is_there } = &self.0.0.prompt;
        let is_there = locked(is_there);
        if *is_there {
            // The prompt must be able to go while this waits for it.
            drop(is_there);
            if let Some(printer) = locked(above).as_mut() {
                let text = String::from_utf8_lossy(bytes).into_owned();
                if printer.print(text).is_ok() {
                    return Ok(bytes.len());
                }
            }
        }
        let mut stdout = io::stdout();
        stdout.write_all(bytes).and_then(|()| stdout.flush())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// How the terminal was set before the prompt changed it; set so again when dropped, for a signal
/// can end a program in the middle of a line.
#[derive(Debug)]
pub struct Modes(Option<Termios>);

impl Modes {
    /// The modes as they are.
    pub fn save() -> Self {
        Self(tcgetattr(stdio::stdin()).ok())
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        if let Some(modes) = &self.0 {
            // A terminal that has gone away needs no modes.
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, modes);
        }
    }
}
