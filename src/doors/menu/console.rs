//! Reads the answers of a person or a script from standard input.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::debug;

use super::CHOICES;
use crate::node::{Listed, Records, Stop};
use crate::printout::Transcript;
use crate::terminal::{Editor, Expected, Modes, Screen, Vocabulary};

/// The maximum length of a line, in bytes.
const MAX_LINE: u64 = 64 * 1024;

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
    stop: Stop,
    answers: Receiver<Answer>,
    answering: Sender<Answer>,
    /// `None` until it starts.
    reader: Option<Reader>,
    has_ended: bool,
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

#[derive(Debug)]
enum Answer {
    Line(String),
    End,
    /// The program ends, even if there is more input.
    Hangup,
}

impl Console {
    /// Creates a console that reads nothing yet. After `stop` it asks no more questions.
    pub fn new(transcript: Transcript, stop: Stop) -> Self {
        let (answering, answers) = mpsc::channel();
        let vocabulary = Vocabulary::default();
        vocabulary.set_choices(CHOICES);
        Self {
            transcript,
            vocabulary,
            stop,
            answers,
            answering,
            reader: None,
            has_ended: false,
        }
    }

    /// Returns a function that ends the current question and all later ones without an answer.
    pub fn hangup(&self) -> impl Fn() + Send + 'static {
        let answering = self.answering.clone();
        // This fails only if the console is gone.
        move || drop(answering.send(Answer::Hangup))
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
                    line(&mut io::stdin().lock())
                };
                let _ = answering.send(line.map_or(Answer::End, Answer::Line));
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
        while let Ok(Answer::Line(_) | Answer::End) = self.answers.recv() {}
    }

    /// Asks, and returns the trimmed answer; `None` at the end of input.
    pub(super) fn ask(&mut self, question: &str, expected: Expected) -> Option<String> {
        if self.stop.signal().is_some() {
            self.has_ended = true;
            return None;
        }
        self.transcript.ask(question);
        if self.screen().is_some() {
            // Earlier output comes first, unless the terminal is stopped.
            self.transcript.finish(SETTLE_TIME);
        }
        let prompt = question.rsplit('\n').next().unwrap_or_default();
        let answer = self.next(prompt, expected);
        self.has_ended |= answer.is_none();
        let is_echoed = answer.is_some() && io::stdin().is_terminal();
        let line = answer.as_deref().unwrap_or_default();
        self.transcript.answered(line, is_echoed);
        answer
    }

    fn next(&mut self, prompt: &str, expected: Expected) -> Option<String> {
        let reader = self.reader.as_mut().filter(|_| !self.has_ended)?;
        reader.is_asked = true;
        reader.asking.send((prompt.to_owned(), expected)).ok()?;
        let answer = self.answers.recv().unwrap_or(Answer::End);
        reader.is_asked = matches!(answer, Answer::Hangup);
        match answer {
            Answer::Line(line) => Some(line),
            Answer::End | Answer::Hangup => None,
        }
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
