//! The outputs of a printout, such as standard output or a file.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use parking_lot::Mutex;

use crate::terminal::escape::escaped;
use crate::terminal::{Queue, Screen};

/// How much of a printout an output shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shows {
    /// Nothing; the output serves another purpose.
    Nothing,
    /// Connection events and the answers to the user.
    Life,
    /// The same and every message.
    Messages,
}

/// An output of a printout.
#[derive(Debug)]
pub struct Output {
    /// Its name in error messages.
    pub name: String,
    /// Its queue.
    pub queue: Queue,
    /// How much it shows.
    pub shows: Shows,
    /// Whether a person watches it: then the prompt asks the questions, and our lines may have
    /// color.
    pub is_screen: bool,
}

impl Output {
    /// Standard output: a screen, a pipe or a file.
    pub fn stdout(screen: &Screen, shows: Shows) -> Self {
        Self {
            name: "standard output".to_owned(),
            queue: screen.stdout(),
            shows,
            is_screen: screen.is_interactive(),
        }
    }

    /// The end of a file, which is created if missing. `run` describes this run of the program, in a
    /// line that separates it from earlier ones. Write errors are reported on `screen`.
    pub fn file(path: &Path, run: &str, screen: &Screen) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let name = path.display().to_string();
        let (to, screen) = (name.clone(), screen.clone());
        let failed = move |error: &io::Error| screen.cannot_print(&to, error);
        let queue = Queue::start(file, failed);
        let run = escaped(run.as_bytes(), false);
        queue.push(&["[RUN] ", &run, "\n"]);
        Ok(Self {
            name,
            queue,
            shows: Shows::Messages,
            is_screen: false,
        })
    }
}

/// An output, and the question on it.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) output: Output,
    question: Mutex<Question>,
}

#[derive(Debug, Default)]
struct Question {
    /// Its last line, until it is answered.
    line: String,
    /// Whether the cursor is behind it.
    is_open: bool,
}

impl From<Output> for Sink {
    fn from(output: Output) -> Self {
        Self {
            output,
            question: Mutex::default(),
        }
    }
}

impl Sink {
    /// Prints a text, in parts, on its own line.
    pub(super) fn print(&self, parts: &[&str]) {
        let mut question = self.question.lock();
        if question.is_open && !question.line.is_empty() {
            self.output.queue.push(&["\n"]);
        }
        question.is_open = false;
        self.output.queue.push(parts);
    }

    /// Prints a question, with the cursor behind it; on a screen the prompt prints its last line.
    pub(super) fn ask(&self, question: &str) {
        let (before, last) = match question.rfind('\n') {
            Some(end) => question.split_at(end + 1),
            None => ("", question),
        };
        if self.output.is_screen {
            return self.print(&[before]);
        }
        let mut asked = self.question.lock();
        asked.is_open = self.output.queue.push(&[question]);
        last.clone_into(&mut asked.line);
    }

    /// Prints the answer to the question if `is_printed`, and repeats the question if something
    /// else came in between.
    pub(super) fn answered(&self, answer: &str, is_printed: bool) {
        let question = std::mem::take(&mut *self.question.lock());
        if is_printed && !self.output.is_screen {
            let again = if question.is_open { "" } else { &question.line };
            self.output.queue.push(&[again, answer, "\n"]);
        }
    }
}
