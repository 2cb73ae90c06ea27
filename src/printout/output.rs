//! Where a printout goes: standard output, a file.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::terminal::{Queue, Screen};

/// How much of a printout an output shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shows {
    /// Nothing: it is for something else.
    Nothing,
    /// The life cycle and the answers to the user.
    Life,
    /// The life cycle, the answers and every message.
    Messages,
}

/// Where a printout goes.
#[derive(Debug)]
pub struct Output {
    /// What it is, for an error message.
    pub name: String,
    /// What takes it.
    pub queue: Queue,
    /// How much of it.
    pub shows: Shows,
    /// Whether a person watches: questions are then asked by the prompt, and our lines may have
    /// colour.
    pub is_screen: bool,
}

impl Output {
    /// Standard output: the screen, where it is one, or else a pipe or a file.
    pub fn stdout(screen: &Screen, shows: Shows) -> Self {
        Self {
            name: "standard output".to_owned(),
            queue: screen.stdout(),
            shows,
            is_screen: screen.is_interactive(),
        }
    }

    /// The end of a file, which is made where it is missing. `screen` is told when nothing more can
    /// be written.
    pub fn file(path: &Path, screen: &Screen) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let name = path.display().to_string();
        let (to, screen) = (name.clone(), screen.clone());
        let failed = move |error: &io::Error| screen.cannot_print(&to, error);
        Ok(Self {
            name,
            queue: Queue::start(file, failed),
            shows: Shows::Messages,
            is_screen: false,
        })
    }
}

/// An output, and the question that stands on it.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) output: Output,
    question: Mutex<Question>,
}

#[derive(Debug, Default)]
struct Question {
    /// Its last line, until it is answered.
    line: String,
    /// Whether the cursor stands behind it.
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
    /// Prints a text, in parts, on a line of its own.
    pub(super) fn print(&self, parts: &[&str]) {
        let mut question = self.lock();
        if question.is_open && !question.line.is_empty() {
            self.output.queue.push(&["\n"]);
        }
        question.is_open = false;
        self.output.queue.push(parts);
    }

    /// Prints a question, with the cursor behind it; a screen gets its last line from the prompt.
    pub(super) fn ask(&self, question: &str) {
        let (before, last) = match question.rfind('\n') {
            Some(end) => question.split_at(end + 1),
            None => ("", question),
        };
        if self.output.is_screen {
            return self.print(&[before]);
        }
        let mut asked = self.lock();
        asked.is_open = self.output.queue.push(&[question]);
        last.clone_into(&mut asked.line);
    }

    /// The question was answered: prints the answer, where `is_printed`, and the question again
    /// where something else came between the two.
    pub(super) fn answered(&self, answer: &str, is_printed: bool) {
        let question = std::mem::take(&mut *self.lock());
        if is_printed && !self.output.is_screen {
            let again = if question.is_open { "" } else { &question.line };
            self.output.queue.push(&[again, answer, "\n"]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Question> {
        self.question.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
