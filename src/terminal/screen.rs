//! The terminal as the one place where a prompt, printouts, the log and bars meet.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressDrawTarget};
use rustix::stdio;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::ExternalPrinter;

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

/// The terminal, or what stands in its place. Clones are handles to the same one.
///
/// While somebody types at the prompt, what is written appears above it; while bars are drawn, it
/// appears above them.
#[derive(Clone, Default)]
pub struct Screen(Arc<Shared>);

struct Shared {
    /// Writes above the prompt.
    above: Mutex<Option<Box<dyn ExternalPrinter + Send>>>,
    /// Held while something is written without a prompt, so that none appears in the middle.
    is_prompting: Mutex<bool>,
    bars: MultiProgress,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            above: Mutex::default(),
            is_prompting: Mutex::default(),
            // Nothing is drawn where this is no terminal.
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
        }
    }
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
    pub fn stdout(&self) -> Box<dyn Write + Send> {
        Box::new(Above {
            is_shown: io::stdout().is_terminal(),
            stream: io::stdout(),
            screen: self.clone(),
        })
    }

    /// Standard error.
    pub fn stderr(&self) -> Box<dyn Write + Send> {
        Box::new(Above {
            is_shown: io::stderr().is_terminal(),
            stream: io::stderr(),
            screen: self.clone(),
        })
    }

    /// Where bars are drawn.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.0.bars
    }

    pub(super) fn print_above_with(&self, printer: impl ExternalPrinter + Send + 'static) {
        *locked(&self.0.above) = Some(Box::new(printer));
    }

    /// Whether somebody types at the prompt from now on.
    pub fn prompt(&self, is_there: bool) {
        *locked(&self.0.is_prompting) = is_there;
    }

    /// Writes lines above what the person types or waits for.
    fn write(&self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        let is_prompting = locked(&self.0.is_prompting);
        if *is_prompting {
            // The prompt must be able to go while this waits for it.
            drop(is_prompting);
            if let Some(printer) = locked(&self.0.above).as_mut() {
                let text = String::from_utf8_lossy(bytes).into_owned();
                if printer.print(text).is_ok() {
                    return Ok(());
                }
            }
        }
        let written = || stream.write_all(bytes).and_then(|()| stream.flush());
        self.0.bars.suspend(written)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stream whose text appears above the prompt, where it appears on the screen at all.
struct Above<W> {
    stream: W,
    is_shown: bool,
    screen: Screen,
}

impl<W: Write> Write for Above<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_shown {
            self.screen.write(&mut self.stream, bytes)?;
            return Ok(bytes.len());
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
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
