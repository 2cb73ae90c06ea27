//! Reads the answers of a person or a script from standard input.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::debug;

use super::choice;
use super::interrupts::{Interrupts, Work};
use crate::node::{Listed, Records, Stop};
use crate::printout::Transcript;
use crate::terminal::{Answer, Editor, Expected, Modes, Screen, Vocabulary};

/// The maximum length of a line, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// The line below the first menu of a run.
const NOTE: &str = "Also: find WORDS, status, help. Tab completes names and numbers.\n";

/// How long a prompt waits for earlier output.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// Prints questions and reads answers from standard input: with a line editor on a terminal, and as
/// plain lines elsewhere.
///
/// A separate thread reads, so that a signal can end a question that nobody answers. It reads a
/// line only once a question is asked, so typed-ahead input stays in the terminal.
#[derive(Debug)]
pub struct Console {
    transcript: Transcript,
    vocabulary: Vocabulary,
    interrupts: Interrupts,
    stop: Stop,
    answers: Receiver<Answer>,
    answering: Sender<Answer>,
    /// `None` until it starts.
    reader: Option<Reader>,
    has_ended: bool,
    /// A line for the screen below the first menu.
    note: Option<&'static str>,
}

#[derive(Debug)]
struct Reader {
    /// Requests a line: the prompt, and the kind of answer.
    asking: Sender<(String, Expected)>,
    thread: JoinHandle<()>,
    is_interactive: bool,
    /// Whether a question is unanswered.
    is_asked: bool,
    _modes: Option<Modes>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The person wants to go back to the menu.
    Back,
    /// The input has ended, or the program ends.
    End,
}

impl Console {
    /// Creates a console that reads nothing yet. After `stop` it asks no more questions.
    pub fn new(transcript: Transcript, stop: Stop) -> Self {
        let (answering, answers) = mpsc::channel();
        let vocabulary = Vocabulary::default();
        vocabulary.set_choices(choice::names());
        Self {
            transcript,
            vocabulary,
            interrupts: Interrupts::default(),
            stop,
            answers,
            answering,
            reader: None,
            has_ended: false,
            note: Some(NOTE),
        }
    }

    /// Returns a function that ends the current question and all later ones without an answer, and
    /// the current download.
    pub fn hangup(&self) -> impl Fn() + Send + 'static {
        let (answering, interrupts) = (self.answering.clone(), self.interrupts.clone());
        move || {
            interrupts.end();
            // This fails only if the console is gone.
            drop(answering.send(Answer::End));
        }
    }

    /// Returns a function for each Ctrl-C, which returns whether that ends only what is being
    /// carried out, and not the program.
    pub fn interrupt(&self) -> impl Fn() -> bool + Send + 'static {
        let (interrupts, screen) = (self.interrupts.clone(), self.transcript.screen().clone());
        // What it would end was done long before a screen that waits for Enter shows it.
        move || !screen.is_stepping() && interrupts.press(&screen)
    }

    /// A choice is carried out now; without a terminal, Ctrl-C ends the program.
    pub(super) fn work(&self) -> Option<Work> {
        self.screen().map(|_| self.interrupts.begin())
    }

    /// Starts reading standard input. `history` is the file that keeps typed lines.
    pub fn read_stdin(&mut self, history: Option<PathBuf>) -> io::Result<()> {
        let (asking, questions) = mpsc::channel::<(String, _)>();
        let answering = self.answering.clone();
        let (screen, vocabulary) = (self.transcript.screen().clone(), self.vocabulary.clone());
        let is_interactive = screen.is_interactive();
        let modes = is_interactive.then(Modes::save);
        let thread = thread::Builder::new().name("console".to_owned());
        let thread = thread.spawn(move || {
            let _last_word = LastWord(answering.clone());
            let editor = is_interactive.then(|| Editor::open(screen, vocabulary, history));
            let mut editor = editor.transpose().unwrap_or_else(|error| {
                debug!(%error, "the terminal can't edit lines");
                None
            });
            for (prompt, expected) in questions {
                let line = if let Some(editor) = &mut editor {
                    editor.read(&prompt, expected)
                } else {
                    if is_interactive {
                        let mut stdout = io::stdout();
                        let _ = write!(stdout, "{prompt}").and_then(|()| stdout.flush());
                    }
                    line(&mut io::stdin().lock()).map_or(Answer::End, Answer::Line)
                };
                let _ = answering.send(line);
            }
        })?;
        self.reader = Some(Reader {
            asking,
            thread,
            is_interactive,
            is_asked: false,
            _modes: modes,
        });
        Ok(())
    }

    /// Waits for a hangup.
    pub fn wait_for_hangup(&self) {
        // Nothing else comes, because nothing is asked.
        let _ = self.answers.recv();
    }

    /// Asks, and returns the trimmed answer.
    pub(super) fn ask(&mut self, question: &str, expected: Expected) -> Result<String, Unanswered> {
        self.show_all();
        self.unless_over()?;
        self.transcript.ask(question);
        if let Some(note) = self.note.take() {
            self.transcript.show(note);
        }
        self.settle();
        self.unless_over()?;
        let prompt = question.rsplit('\n').next().unwrap_or_default();
        let answer = self.next(prompt, expected);
        self.transcript.screen().release_input();
        let (line, answer) = match answer {
            Answer::Line(line) => (line.clone(), Ok(line)),
            Answer::Back => (String::new(), Err(Unanswered::Back)),
            Answer::End => (String::new(), Err(Unanswered::End)),
        };
        self.has_ended |= answer == Err(Unanswered::End);
        let is_echoed = answer != Err(Unanswered::End) && io::stdin().is_terminal();
        self.transcript.answered(&line, is_echoed);
        answer
    }

    /// Fails if the program ends.
    fn unless_over(&mut self) -> Result<(), Unanswered> {
        if self.is_over() {
            self.has_ended = true;
            return Err(Unanswered::End);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.stop.signal().is_some()
    }

    /// On a terminal: waits until earlier output is shown, unless the terminal is stopped.
    fn show_all(&self) {
        if self.screen().is_some() {
            self.transcript.settle(SETTLE_TIME, || self.is_over());
        }
    }

    /// The same, and takes the input from a screen that waits for Enter.
    pub(super) fn settle(&self) {
        let Some(screen) = self.screen() else { return };
        loop {
            self.show_all();
            if screen.claim_input() || self.is_over() {
                return;
            }
        }
    }

    fn next(&mut self, prompt: &str, expected: Expected) -> Answer {
        let Some(reader) = self.reader.as_mut().filter(|_| !self.has_ended) else {
            return Answer::End;
        };
        reader.is_asked = true;
        if reader.asking.send((prompt.to_owned(), expected)).is_err() {
            return Answer::End;
        }
        let answer = self.answers.recv().unwrap_or(Answer::End);
        reader.is_asked = answer == Answer::End && self.stop.signal().is_some();
        answer
    }

    /// The screen, if a person uses it.
    pub(super) fn screen(&self) -> Option<&Screen> {
        let reader = self.reader.as_ref()?;
        reader.is_interactive.then(|| self.transcript.screen())
    }

    /// Adds RFCs and their titles to the completions.
    pub(super) fn learn(&self, records: &Records) {
        let titled =
            |Listed { record, .. }: Listed| (record.number.get(), record.title.to_string());
        self.vocabulary.add_numbers(records.iter().map(titled));
    }
}

/// Ends the thread and with it the editor, so that later output no longer waits for a prompt. A
/// thread that is reading a line can't be joined.
impl Drop for Console {
    fn drop(&mut self) {
        let Some(reader) = self.reader.take() else {
            return;
        };
        drop(reader.asking);
        if !reader.is_asked {
            let _ = reader.thread.join();
        } else if reader.is_interactive {
            let screen = self.transcript.screen();
            screen.prompt(false);
            // Queued, because the terminal may be stopped.
            screen.stdout().push(&["\n"]);
        }
    }
}

/// Sends the end of input however the reading thread ends, even by a panic.
struct LastWord(Sender<Answer>);

impl Drop for LastWord {
    fn drop(&mut self) {
        let _ = self.0.send(Answer::End);
    }
}

/// Reads and trims the next line; `None` at the end. Drops the rest of a line that is too long.
fn line(stdin: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    if !matches!(stdin.take(MAX_LINE).read_until(b'\n', &mut line), Ok(1..)) {
        return None;
    }
    if !line.ends_with(b"\n") {
        // An error recurs with the next line.
        let _ = stdin.skip_until(b'\n');
    }
    Some(String::from_utf8_lossy(&line).trim().to_owned())
}
