//! The terminal, shared by prompt, printouts, log and progress bars.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::MultiProgress;
use parking_lot::Mutex;
use rustix::fs::fstat;
use rustix::stdio;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::ExternalPrinter;

use super::escape::escaped;
use super::progress::canvas;
use super::queue::Queue;
use super::step::{STEP, Steps};
use super::style;

/// Keeps the title of the window on a stack of the terminal,
const KEEP_TITLE: &str = "\u{1b}[22;2t";
/// and takes it from there.
const RESTORE_TITLE: &str = "\u{1b}[23;2t";

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The characters per line.
    pub columns: u16,
    /// The number of lines.
    pub rows: u16,
}

impl Size {
    /// The size of a terminal that reports none.
    const USUAL: Self = Self {
        columns: 80,
        rows: 24,
    };
}

/// The terminal: standard output and standard error, each a [`Queue`], so that nobody waits for it.
/// Clones share the same state.
///
/// Text appears above the prompt while somebody types, and above bars while they are drawn.
#[derive(Clone, Default)]
pub struct Screen(Arc<Shared>);

#[derive(Default)]
struct Shared {
    streams: OnceLock<Streams>,
    prompt: Prompt,
    /// Whether the window has our title.
    has_title: AtomicBool,
    steps: Steps,
}

struct Streams {
    out: Queue,
    err: Queue,
    /// Progress bars, on standard error.
    bars: MultiProgress,
}

#[derive(Default)]
struct Prompt {
    /// Writes above the prompt.
    above: Mutex<Option<Box<dyn ExternalPrinter + Send>>>,
    /// Whether somebody types at the prompt. Locked during other writes, so that no prompt appears
    /// in the middle.
    is_there: Mutex<bool>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// Whether a person uses this terminal for input and output.
    pub fn is_interactive(&self) -> bool {
        let can_edit = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        io::stdin().is_terminal() && io::stdout().is_terminal() && can_edit
    }

    /// The current size.
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

    /// Prints a line on standard error.
    pub fn say(&self, what: impl Display) {
        self.say_after("", &what);
    }

    /// Prints a warning on standard error.
    pub fn warn(&self, what: impl Display) {
        self.say_after(&style::warning(&io::stderr()), &what);
    }

    /// Prints an error on standard error.
    pub fn error(&self, what: impl Display) {
        self.say_after(&style::error(&io::stderr()), &what);
    }

    /// Warns that an output of the program failed.
    pub(crate) fn cannot_print(&self, name: &str, error: &io::Error) {
        self.warn(format_args!("output to {name} has stopped: {error}"));
    }

    /// Shows a line within `time`, even while the screen waits for Enter.
    pub(super) fn say_now(&self, line: &str, time: Duration) {
        if self.is_stepping() {
            let shown = self.lend(|| io::stdout().write_all(format!("{line}\n").as_bytes()));
            // A terminal that is gone needs no line.
            return drop(shown);
        }
        let out = self.stdout();
        out.push(&[line, "\n"]);
        out.finish(time);
    }

    fn say_after(&self, word: &str, what: &dyn Display) {
        let space = if word.is_empty() { "" } else { " " };
        let what = escaped(what.to_string().as_bytes(), false);
        self.streams().err.push(&[word, space, &what, "\n"]);
    }

    /// Names the window, until the program ends.
    pub(crate) fn set_title(&self, title: &str) {
        // Linux's own console takes this for something else.
        if std::env::var_os("TERM").is_some_and(|term| term == "linux") {
            return;
        }
        let title = escaped(title.as_bytes(), false);
        let is_first = !self.0.has_title.swap(true, Ordering::SeqCst);
        let before = if is_first { KEEP_TITLE } else { "" };
        self.stdout().push(&[before, "\u{1b}]2;", &title, "\u{7}"]);
    }

    /// Gives the window the name that it had before.
    pub fn restore_title(&self) {
        if self.0.has_title.swap(false, Ordering::SeqCst) {
            self.stdout().push(&[RESTORE_TITLE]);
        }
    }

    /// Lends the terminal to another program: until `use_it` returns, our output waits.
    pub fn lend<T>(&self, use_it: impl FnOnce() -> T) -> T {
        let _held = self.0.prompt.is_there.lock();
        use_it()
    }

    /// Where bars are drawn.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.streams().bars
    }

    /// Both streams start with the first use of one. If they are the same terminal, pipe or file,
    /// they share one queue to keep the order of writing.
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
                // If standard error fails, nobody is left to read a message about it.
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
        *self.0.prompt.above.lock() = Some(Box::new(printer));
    }

    /// Draws the prompt again, on a line of its own.
    pub(super) fn redraw_prompt(&self) {
        if let Some(printer) = self.0.prompt.above.lock().as_mut() {
            // Without the prompt nothing needs to be drawn.
            let _ = printer.print(String::new());
        }
    }

    /// Whether somebody types at the prompt.
    pub(super) fn has_prompt(&self) -> bool {
        *self.0.prompt.is_there.lock()
    }

    /// Sets whether somebody types at the prompt.
    pub fn prompt(&self, is_there: bool) {
        *self.0.prompt.is_there.lock() = is_there;
    }

    /// Gives the input to the prompt. Returns false if the screen waits for Enter, and needs it.
    pub fn claim_input(&self) -> bool {
        self.0.steps.claim()
    }

    /// The prompt needs no more input.
    pub fn release_input(&self) {
        self.0.steps.release();
    }

    /// Enter was pressed at the prompt. Returns whether the screen waited for it.
    pub(super) fn go_on(&self) -> bool {
        self.0.steps.go_on()
    }

    /// The screen waits for Enter no more: what it has not shown yet comes at once.
    pub fn stop_stepping(&self) {
        self.0.steps.end();
    }

    /// Whether the screen waits for Enter before it shows more.
    pub fn is_stepping(&self) -> bool {
        self.0.steps.is_waiting()
    }
}

/// Whether two streams are the same terminal, pipe or file.
fn are_one(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let place = |stream| fstat(stream).map(|found| (found.st_dev, found.st_ino));
    matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}

/// Standard output on a terminal, with text above the prompt.
struct AbovePrompt(Screen);

impl AbovePrompt {
    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Prompt { above, is_there } = &self.0.0.prompt;
        let is_there = is_there.lock();
        if *is_there {
            // The prompt must be able to end while this waits.
            drop(is_there);
            if let Some(printer) = above.lock().as_mut() {
                let text = String::from_utf8_lossy(bytes).into_owned();
                if printer.print(text).is_ok() {
                    return Ok(());
                }
            }
        }
        let mut stdout = io::stdout();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }
}

impl Write for AbovePrompt {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| STEP.as_bytes().contains(byte)) {
            match part.strip_suffix(STEP.as_bytes()) {
                Some(text) => {
                    self.show(text)?;
                    self.0.0.steps.wait();
                }
                None => self.show(part)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// The terminal modes before the prompt changed them. They are restored on drop, because a signal
/// can end a program in the middle of a line.
#[derive(Debug)]
pub struct Modes(Option<Termios>);

impl Modes {
    /// The current modes.
    pub fn save() -> Self {
        Self(tcgetattr(stdio::stdin()).ok())
    }

    /// From now on Ctrl-C is not shown as `^C`, which would push a bar to the next line, and does not
    /// discard what was typed before it.
    pub(super) fn set_control_keys() {
        if let Ok(mut modes) = tcgetattr(stdio::stdin()) {
            modes.local_modes -= LocalModes::ECHOCTL;
            modes.local_modes |= LocalModes::NOFLSH;
            // It is only worse to look at.
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, &modes);
        }
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        if let Some(modes) = &self.0 {
            // A closed terminal needs no modes.
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, modes);
        }
    }
}
