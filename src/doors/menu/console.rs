//! The person or script at standard input.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::debug;

use super::{Answers, CHOICES};
use crate::node::{Listed, Stop};
use crate::printout::Transcript;
use crate::terminal::{Editor, Expected, Modes, Screen, Vocabulary};

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// How long a prompt waits for earlier output.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// Prints questions on the printout and reads answers from standard input: through a line editor if
/// both are a terminal, otherwise as plain lines.
///
/// Its own thread reads, so that a signal can end a question that nobody answers. It reads a line
/// only when there is a question, so text typed ahead stays in the input.
#[derive(Debug)]
pub struct Console {
    screen: Screen,
    transcript: Transcript,
    vocabulary: Vocabulary,
    stop: Stop,
    events: Receiver<Event>,
    hangup: Hangup,
    /// `None` until it is started.
    reader: Option<Reader>,
    has_ended: bool,
}

/// The thread that reads.
#[derive(Debug)]
struct Reader {
    /// Requests a line.
    wants_line: Sender<Question>,
    thread: JoinHandle<()>,
    is_interactive: bool,
    /// Whether it has a question that it has not answered.
    is_asked: bool,
    _modes: Option<Modes>,
}

/// The prompt, and the kind of answer expected.
type Question = (String, Expected);

#[derive(Debug)]
enum Event {
    Line(String),
    /// The end of the input.
    End,
    /// The program ends, even if there is more input.
    Hangup,
}

/// Ends the questions of a console from another thread.
#[derive(Debug, Clone)]
pub struct Hangup(Sender<Event>);

impl Hangup {
    /// Answers the current question, and all later ones, with the end of input.
    pub fn hang_up(&self) {
        // The console may be gone already.
        let _ = self.0.send(Event::Hangup);
    }
}

impl Console {
    /// A console that does not read yet. It asks no questions after `stop`.
    pub fn new(transcript: Transcript, stop: Stop) -> (Self, Hangup) {
        let (send, events) = mpsc::channel();
        let hangup = Hangup(send);
        let vocabulary = Vocabulary::default();
        vocabulary.set_choices(CHOICES);
        let console = Self {
            screen: transcript.screen().clone(),
            transcript,
            vocabulary,
            stop,
            events,
            hangup: hangup.clone(),
            reader: None,
            has_ended: false,
        };
        (console, hangup)
    }

    /// Starts reading standard input. `history` is the file for lines typed at a prompt. Fails if
    /// the thread can't be started.
    pub fn read_stdin(&mut self, history: Option<PathBuf>) -> io::Result<()> {
        let (wants_line, wanted) = mpsc::channel();
        let events = self.hangup.0.clone();
        let is_interactive = self.screen.is_interactive();
        let (screen, vocabulary) = (self.screen.clone(), self.vocabulary.clone());
        let modes = is_interactive.then(Modes::save);
        let thread = thread::Builder::new().name("console".to_owned());
        let thread = thread.spawn(move || {
            let _last_word = LastWord(events.clone());
            if is_interactive {
                match Editor::open(screen, vocabulary, history) {
                    Ok(mut editor) => {
                        answer(&wanted, &events, |prompt, expected| {
                            editor.read(prompt, expected)
                        });
                    }
                    Err(error) => {
                        debug!(%error, "the terminal can't edit lines");
                        answer(&wanted, &events, |prompt, _| {
                            let mut stdout = io::stdout();
                            let _ = write!(stdout, "{prompt}").and_then(|()| stdout.flush());
                            line(&mut io::stdin().lock())
                        });
                    }
                }
            } else {
                answer(&wanted, &events, |_, _| line(&mut io::stdin().lock()));
            }
        })?;
        self.reader = Some(Reader {
            wants_line,
            thread,
            is_interactive,
            is_asked: false,
            _modes: modes,
        });
        Ok(())
    }

    /// Waits for a hangup.
    pub fn wait_for_hangup(&self) {
        while let Ok(Event::Line(_) | Event::End) = self.events.recv() {}
    }

    fn next(&mut self, prompt: &str, expected: Expected) -> Event {
        let Some(reader) = self.reader.as_mut().filter(|_| !self.has_ended) else {
            return Event::End;
        };
        reader.is_asked = true;
        if reader
            .wants_line
            .send((prompt.to_owned(), expected))
            .is_err()
        {
            return Event::End;
        }
        let event = self.events.recv().unwrap_or(Event::End);
        reader.is_asked = matches!(event, Event::Hangup);
        event
    }
}

impl Answers for Console {
    fn ask(&mut self, question: &str, expected: Expected) -> Option<String> {
        if self.stop.signal().is_some() {
            self.has_ended = true;
            return None;
        }
        self.transcript.ask(question);
        if self.screen().is_some() {
            // The prompt comes below earlier output. On a stopped terminal its place does not
            // matter, because nobody can type there.
            self.transcript.finish(SETTLE_TIME);
        }
        let prompt = question.rsplit('\n').next().unwrap_or_default();
        let is_echoed = io::stdin().is_terminal();
        match self.next(prompt, expected) {
            Event::Line(line) => {
                self.transcript.answered(&line, is_echoed);
                Some(line)
            }
            Event::End | Event::Hangup => {
                self.has_ended = true;
                self.transcript.answered("", false);
                None
            }
        }
    }

    fn screen(&self) -> Option<&Screen> {
        let reader = self.reader.as_ref()?;
        reader.is_interactive.then_some(&self.screen)
    }

    fn learn(&mut self, records: &[Listed]) {
        let titled =
            |Listed { record, .. }: &Listed| (record.number.get(), record.title.to_string());
        self.vocabulary.add_numbers(records.iter().map(titled));
    }
}

/// The editor ends with its thread, so that nothing waits for a prompt that does not come again. A
/// thread in the middle of a line is left alone.
impl Drop for Console {
    fn drop(&mut self) {
        let Some(reader) = self.reader.take() else {
            return;
        };
        let Reader {
            wants_line,
            thread,
            is_asked,
            is_interactive,
            _modes,
        } = reader;
        drop(wants_line);
        if !is_asked {
            let _ = thread.join();
        } else if is_interactive {
            self.screen.prompt(false);
            // Not directly to the terminal, which may be stopped.
            self.screen.stdout().push(&["\n"]);
        }
    }
}

/// Reports that there will be no more answers, however the reading thread ends.
struct LastWord(Sender<Event>);

impl Drop for LastWord {
    fn drop(&mut self) {
        // The console may be gone already.
        let _ = self.0.send(Event::End);
    }
}

/// The main loop of the reading thread: one line for each question.
fn answer(
    wanted: &Receiver<Question>,
    events: &Sender<Event>,
    mut read: impl FnMut(&str, Expected) -> Option<String>,
) {
    for (prompt, expected) in wanted {
        let event = read(&prompt, expected).map_or(Event::End, Event::Line);
        // The console may be gone already.
        let _ = events.send(event);
    }
}

/// The next line without surrounding white space; `None` at the end. A line beyond the limit is
/// truncated, and the rest of it skipped.
fn line(stdin: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    if !matches!(stdin.take(MAX_LINE).read_until(b'\n', &mut line), Ok(1..)) {
        return None;
    }
    if !line.ends_with(b"\n") {
        skip_line(stdin);
    }
    Some(String::from_utf8_lossy(&line).trim().to_owned())
}

fn skip_line(stdin: &mut impl BufRead) {
    while let Ok(rest @ [_, ..]) = stdin.fill_buf() {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let skipped = end.map_or(rest.len(), |end| end + 1);
        stdin.consume(skipped);
        if end.is_some() {
            return;
        }
    }
}
