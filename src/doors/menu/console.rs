//! The person, or the script, at standard input.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::debug;

use super::CHOICES;
use crate::node::{Listed, Stop};
use crate::printout::Transcript;
use crate::terminal::{Editor, Expected, Modes, Screen, Vocabulary};

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// How long a prompt waits for what is printed before it.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// Asks on the printout and reads answers from standard input: from a line editor where both are
/// a terminal, and plain lines elsewhere.
///
/// A thread of its own reads, so that a signal can end a question that nobody answers. It reads a
/// line when there is a question for it, and not before: what is typed ahead stays where it is.
#[derive(Debug)]
pub struct Console {
    transcript: Transcript,
    vocabulary: Vocabulary,
    stop: Stop,
    answers: Receiver<Answer>,
    answering: Sender<Answer>,
    /// `None` until it is started.
    reader: Option<Reader>,
    has_ended: bool,
}

/// The thread that reads.
#[derive(Debug)]
struct Reader {
    /// Tells it that a line is wanted: what the prompt shows, and what it expects.
    asking: Sender<(String, Expected)>,
    thread: JoinHandle<()>,
    is_interactive: bool,
    /// Whether it has got a question that it has not answered.
    is_asked: bool,
    _modes: Option<Modes>,
}

#[derive(Debug)]
enum Answer {
    Line(String),
    /// The end of the input.
    End,
    /// The end of the program, whatever the input still has.
    Hangup,
}

impl Console {
    /// A console that reads nothing yet. It asks nothing once it is told to `stop`.
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

    /// Answers, when it is called, the question at hand and all after it with the end of input.
    pub fn hangup(&self) -> impl Fn() + Send + 'static {
        let answering = self.answering.clone();
        move || {
            // The console may be gone already.
            let _ = answering.send(Answer::Hangup);
        }
    }

    /// Reads standard input from now on. `history` is the file that keeps what is typed at a
    /// prompt.
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
                // The console may be gone already.
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

    /// Asks, and returns the answer without the white space around it; `None` at the end of input.
    pub(super) fn ask(&mut self, question: &str, expected: Expected) -> Option<String> {
        if self.stop.signal().is_some() {
            self.has_ended = true;
            return None;
        }
        self.transcript.ask(question);
        if self.screen().is_some() {
            // The prompt comes below what is printed before it. A terminal that is stopped gets it
            // anywhere, for nobody can type there.
            self.transcript.finish(SETTLE_TIME);
        }
        let prompt = question.rsplit('\n').next().unwrap_or_default();
        let answer = self.next(prompt, expected);
        if let Some(line) = &answer {
            self.transcript.answered(line, io::stdin().is_terminal());
        } else {
            self.has_ended = true;
            self.transcript.answered("", false);
        }
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

    /// The screen in front of a person; `None` where there is none.
    pub(super) fn screen(&self) -> Option<&Screen> {
        let reader = self.reader.as_ref()?;
        reader.is_interactive.then(|| self.transcript.screen())
    }

    /// Takes note of RFCs that are known now, with their titles, besides those known before.
    pub(super) fn learn(&self, records: &[Listed]) {
        let titled =
            |Listed { record, .. }: &Listed| (record.number.get(), record.title.to_string());
        self.vocabulary.add_numbers(records.iter().map(titled));
    }
}

/// The editor goes with its thread, so that nothing waits to be shown above a prompt that does not
/// come again. A thread in the middle of a line is left alone.
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
            // Not to the terminal itself, which may be stopped.
            screen.stdout().push(&["\n"]);
        }
    }
}

/// Says that there will be no more answers, in whatever way the thread that reads ends.
struct LastWord(Sender<Answer>);

impl Drop for LastWord {
    fn drop(&mut self) {
        // The console may be gone already.
        let _ = self.0.send(Answer::End);
    }
}

/// The next line without the white space around it; `None` at the end. What is beyond the longest
/// line is dropped, up to the end of the line.
fn line(stdin: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    if !matches!(stdin.take(MAX_LINE).read_until(b'\n', &mut line), Ok(1..)) {
        return None;
    }
    if !line.ends_with(b"\n") {
        // An error comes again with the next line.
        let _ = stdin.skip_until(b'\n');
    }
    Some(String::from_utf8_lossy(&line).trim().to_owned())
}
