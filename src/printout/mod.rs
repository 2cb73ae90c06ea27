//! What a program prints: whole messages, never interleaved.
//!
//! Sessions are graded from these printouts, so a message is printed as it stands on the wire
//! (carriage returns not shown). Text from strangers can neither command the terminal nor pass
//! for a line of ours: control and bidirectional characters are escaped, and so is a `[` that
//! begins a line of a message, for that is how our own lines begin.
//!
//! A printout goes to any number of outputs: standard output, a file. Each has a thread of its own
//! that writes what the others print, so that a terminal that is stopped, or a pipe that nobody
//! reads, holds up nobody. When too much waits, messages are left out and counted.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::warn;

use crate::terminal::escape::escaped;
use crate::terminal::{Screen, style};

/// How much may wait to be written, in bytes, before more is left out. A print that is larger
/// itself is not left out for that.
const MOST_WAITING: usize = 16 * 1024 * 1024;

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
pub struct Output {
    /// What it is, for an error message.
    pub name: String,
    /// What takes it.
    pub out: Box<dyn Write + Send>,
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
            out: screen.stdout(),
            shows,
            is_screen: screen.is_interactive(),
        }
    }

    /// The end of a file, which is made where it is missing.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            name: path.display().to_string(),
            out: Box::new(file),
            shows: Shows::Messages,
            is_screen: false,
        })
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output")
            .field("shows", &self.shows)
            .field("is_screen", &self.is_screen)
            .finish_non_exhaustive()
    }
}

/// The printout of a program. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Transcript {
    sinks: Arc<[Sink]>,
    screen: Screen,
}

/// One output, and what waits for it.
struct Sink {
    name: String,
    shared: Arc<Shared>,
    shows: Shows,
    is_screen: bool,
}

#[derive(Default)]
struct Shared {
    printout: Mutex<Printout>,
    changed: Condvar,
}

#[derive(Default)]
struct Printout {
    /// What was printed and is not yet written.
    waiting: String,
    /// What the thread that writes is at.
    state: State,
    /// How many prints were left out since the last one that was not.
    left_out: u64,
    /// The question that waits for its answer, or nothing.
    question: String,
    /// Whether the cursor stands behind the question.
    is_asking: bool,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Idle,
    /// It writes what waited before.
    Busy,
    /// The reader has gone away.
    Broken,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("shows", &self.shows)
            .finish_non_exhaustive()
    }
}

impl Transcript {
    /// A printout to `outputs`, the one that the user looks at first. `screen` is where notes go.
    ///
    /// # Errors
    /// Those of the system where there is no thread to write it.
    pub fn new(screen: Screen, outputs: impl IntoIterator<Item = Output>) -> io::Result<Self> {
        let sinks: io::Result<_> = outputs.into_iter().map(Sink::start).collect();
        Ok(Self {
            sinks: sinks?,
            screen,
        })
    }

    /// Waits until all that was printed is written, at most `time` for each output.
    pub fn finish(&self, time: Duration) {
        for sink in self.sinks.iter() {
            let is_busy = |printout: &mut Printout| {
                printout.state == State::Busy || !printout.waiting.is_empty()
            };
            let shared = &sink.shared;
            // What can't be written in time is lost: nobody reads it.
            let _ = shared
                .changed
                .wait_timeout_while(shared.lock(), time, is_busy);
        }
    }

    /// The outputs besides the first that could not take everything, by name.
    pub fn broken_copies(&self) -> impl Iterator<Item = &str> {
        let copies = self.sinks.iter().skip(1);
        let broken = copies.filter(|sink| sink.shared.lock().state == State::Broken);
        broken.map(|sink| sink.name.as_str())
    }

    /// Whether the user is shown the messages.
    pub fn shows_messages(&self) -> bool {
        self.first_shows() == Shows::Messages
    }

    fn first_shows(&self) -> Shows {
        self.sinks
            .first()
            .map_or(Shows::Nothing, |first| first.shows)
    }

    /// Prints a line about the life of the program, or an answer to its user.
    pub fn line(&self, line: impl Display) {
        self.print_line(Shows::Life, &line);
    }

    /// Prints a line about one message.
    pub fn detail(&self, line: impl Display) {
        self.print_line(Shows::Messages, &line);
    }

    /// Prints a line that its user must see also where the printout goes elsewhere.
    pub fn problem(&self, line: impl Display) {
        self.line(&line);
        if self.first_shows() == Shows::Nothing {
            self.note_on_stderr(&line);
        }
    }

    /// Says something to the user that is no part of the printout: on the screen, or on standard
    /// error.
    pub fn note(&self, line: impl Display) {
        match self.sinks.first() {
            Some(sink) if sink.is_screen && sink.shows != Shows::Nothing => {
                sink.print(&format!(
                    "{}\n",
                    escaped(line.to_string().as_bytes(), false)
                ));
            }
            _ => self.note_on_stderr(&line),
        }
    }

    fn note_on_stderr(&self, line: &impl Display) {
        let line = escaped(line.to_string().as_bytes(), false);
        // Where standard error is gone, so is whoever would have read it.
        let _ = self
            .screen
            .stderr()
            .write_all(format!("{line}\n").as_bytes());
    }

    /// Shows lines on the screen alone.
    pub fn show(&self, lines: &str) {
        for sink in self.sinks.iter().filter(|sink| sink.is_screen) {
            sink.print(&escaped(lines.as_bytes(), true));
        }
    }

    fn print_line(&self, from: Shows, line: &impl Display) {
        let text = escaped(line.to_string().as_bytes(), false);
        for sink in self.showing(from) {
            if sink.is_screen {
                sink.print(&format!("{}\n", style::tagged(&text)));
            } else {
                sink.print(&format!("{text}\n"));
            }
        }
    }

    /// Prints a message under a line that says what it is.
    pub fn message(&self, title: impl Display, message: &[u8]) {
        if self.showing(Shows::Messages).next().is_none() {
            return;
        }
        let title = escaped(title.to_string().as_bytes(), false);
        let mut message = escaped(message, true);
        if !message.ends_with('\n') {
            message.push('\n');
        }
        for sink in self.showing(Shows::Messages) {
            let title = if sink.is_screen {
                style::tagged(&title)
            } else {
                title.as_str().into()
            };
            sink.print(&format!("{title}\n{message}"));
        }
    }

    fn showing(&self, from: Shows) -> impl Iterator<Item = &Sink> {
        self.sinks.iter().filter(move |sink| sink.shows >= from)
    }

    /// Prints a question, with the cursor behind it; a screen gets its last line from the prompt.
    /// Where something else is printed before the answer comes, the last line of the question is
    /// printed again with the answer.
    pub fn ask(&self, question: &str) {
        let (before, last) = match question.rfind('\n') {
            Some(end) => question.split_at(end + 1),
            None => ("", question),
        };
        for sink in self.showing(Shows::Life) {
            if sink.is_screen {
                sink.print(before);
            } else {
                let mut printout = sink.shared.lock();
                printout.waiting.push_str(question);
                last.clone_into(&mut printout.question);
                printout.is_asking = true;
                sink.shared.changed.notify_all();
            }
        }
    }

    /// The question was answered. `is_echoed`: the terminal has shown the answer and the end of
    /// the line on the first output.
    pub fn answered(&self, answer: &str, is_echoed: bool) {
        let answer = escaped(answer.as_bytes(), false);
        for (place, sink) in self.sinks.iter().enumerate() {
            let mut printout = sink.shared.lock();
            let question = std::mem::take(&mut printout.question);
            let was_asking = std::mem::take(&mut printout.is_asking);
            if sink.is_screen || sink.shows < Shows::Life || (is_echoed && place == 0) {
                continue;
            }
            let question = if was_asking { "" } else { &question };
            printout.waiting.extend([question, &answer, "\n"]);
            sink.shared.changed.notify_all();
        }
    }
}

impl Sink {
    fn start(output: Output) -> io::Result<Self> {
        let Output {
            name,
            out,
            shows,
            is_screen,
        } = output;
        let shared = Arc::new(Shared::default());
        let (printing, to) = (Arc::clone(&shared), name.clone());
        let thread = thread::Builder::new().name("printout".to_owned());
        thread.spawn(move || printing.write_to(out, &to))?;
        Ok(Self {
            name,
            shared,
            shows,
            is_screen,
        })
    }

    fn print(&self, text: &str) {
        self.shared.lock().print(text);
        self.shared.changed.notify_all();
    }
}

impl Printout {
    fn print(&mut self, text: &str) {
        if self.waiting.len() > MOST_WAITING {
            self.left_out += 1;
            return;
        }
        if self.is_asking && !self.question.is_empty() {
            self.waiting.push('\n');
        }
        self.is_asking = false;
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let line = format!("... {left_out} printouts left out: they were not read in time\n");
            self.waiting.push_str(&line);
        }
        self.waiting.push_str(text);
    }
}

impl Shared {
    /// The life of the thread that writes. Each write takes all that waits, so that many small
    /// messages cost few writes. A reader that has gone away (`server | head`) is no reason to
    /// stop serving.
    fn write_to(&self, mut out: impl Write, name: &str) {
        loop {
            let idle = |printout: &mut Printout| printout.waiting.is_empty();
            let waited = self.changed.wait_while(self.lock(), idle);
            let mut printout = waited.unwrap_or_else(PoisonError::into_inner);
            let text = std::mem::take(&mut printout.waiting);
            if printout.state == State::Broken {
                self.changed.notify_all();
                continue;
            }
            printout.state = State::Busy;
            drop(printout);
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            let mut printout = self.lock();
            printout.state = State::Idle;
            if let Err(error) = written {
                printout.state = State::Broken;
                warn!(%error, "cannot print any more to {name}");
            }
            drop(printout);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Printout> {
        self.printout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Arc, Duration, Mutex, Output, Screen, Shows, Transcript, Write, io};

    /// A printout that a test can read.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        /// A printout on this paper.
        pub(crate) fn transcript(&self, shows: Shows) -> Transcript {
            let output = Output {
                name: "paper".to_owned(),
                out: Box::new(self.clone()),
                shows,
                is_screen: false,
            };
            Transcript::new(Screen::default(), [output]).unwrap()
        }

        /// What is on the paper once everything is printed that `transcript` was given.
        pub(crate) fn text(&self, transcript: &Transcript) -> String {
            transcript.finish(Duration::from_secs(20));
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Paper;
    use super::*;

    fn printed(print: impl Fn(&Transcript)) -> String {
        let paper = Paper::default();
        let transcript = paper.transcript(Shows::Messages);
        print(&transcript);
        paper.text(&transcript)
    }

    #[test]
    fn a_message_stands_as_on_the_wire_without_cr() {
        let shown = printed(|t| t.message("[PEER] Response:", b"P2P-CI/1.0 200 OK\r\n\r\n\r\n"));
        assert_eq!(shown, "[PEER] Response:\nP2P-CI/1.0 200 OK\n\n\n");
    }

    #[test]
    fn terminal_forger_is_shown_and_not_obeyed() {
        let attack = "LOOKUP \u{1b}[2J\u{7}\r\n[SERVER] Stopped\r\na\rb\u{202e}\u{9b}\0\r\n\r\n";
        assert_eq!(
            printed(|t| t.message("t", attack.as_bytes())),
            "t\nLOOKUP \\u{1b}[2J\\u{7}\n\\[SERVER] Stopped\na\\u{d}b\\u{202e}\\u{9b}\\u{0}\n\n"
        );
        assert_eq!(
            printed(|t| t.message("t", b"\xff[\n\xc3")),
            "t\n\\xff[\n\\xc3\n"
        );
        assert_eq!(printed(|t| t.line("a\nb\r")), "a\\u{a}b\\u{d}\n");
    }

    #[test]
    fn a_question_comes_again_with_its_answer_where_it_was_interrupted() {
        let shown = printed(|t| {
            t.ask("1. ADD\nChoice: ");
            t.line("[UPLOAD] Request");
            t.line("[UPLOAD] Sent");
            t.answered("3", false);
            t.line("done");
        });
        let expected = "1. ADD\nChoice: \n[UPLOAD] Request\n[UPLOAD] Sent\nChoice: 3\ndone\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_screen_gets_the_question_without_its_last_line_and_no_answer() {
        let paper = Paper::default();
        let output = Output {
            name: "screen".to_owned(),
            out: Box::new(paper.clone()),
            shows: Shows::Messages,
            is_screen: true,
        };
        let transcript = Transcript::new(Screen::default(), [output]).unwrap();
        transcript.ask("1. ADD\nChoice: ");
        transcript.answered("3", true);
        transcript.show("a table\n");
        assert_eq!(paper.text(&transcript), "1. ADD\na table\n");
    }

    #[test]
    fn an_answer_from_a_pipe_is_echoed() {
        let shown = printed(|t| {
            t.ask("Choice: ");
            t.answered("3", false);
        });
        assert_eq!(shown, "Choice: 3\n");
    }

    #[test]
    fn quiet_leaves_the_lines_of_life() {
        let paper = Paper::default();
        let quiet = paper.transcript(Shows::Life);
        quiet.message("[SERVER] Request", b"LIST");
        quiet.detail("[SERVER] Added RFC 1");
        quiet.line("[SERVER] Listening");
        assert_eq!(paper.text(&quiet), "[SERVER] Listening\n");
    }

    #[test]
    fn a_print_of_any_length_is_whole_where_it_is_read() {
        let long = "RFC 1 A title vm 5\n".repeat(2 * MOST_WAITING / 19);
        let shown = printed(|t| t.message("[PEER] Response:", long.as_bytes()));
        assert_eq!(shown.len(), "[PEER] Response:\n".len() + long.len());
    }

    /// A terminal that was stopped: writing to it waits until the test lets it go on.
    struct Stopped(std::sync::mpsc::Receiver<()>, Paper);

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_terminal_holds_up_nobody_and_costs_messages() {
        let (go_on, stopped) = std::sync::mpsc::channel();
        let paper = Paper::default();
        let output = Output {
            name: "stopped".to_owned(),
            out: Box::new(Stopped(stopped, paper.clone())),
            shows: Shows::Messages,
            is_screen: false,
        };
        let transcript = Transcript::new(Screen::default(), [output]).unwrap();
        let megabyte = "x".repeat(1024 * 1024);
        for _ in 0..40 {
            transcript.line(&megabyte);
        }
        drop(go_on);
        transcript.finish(Duration::from_secs(20));
        transcript.line("afterwards");
        let text = paper.text(&transcript);
        assert!(text.len() <= 2 * MOST_WAITING, "{}", text.len());
        let rest = text.trim_start_matches(['x', '\n']);
        assert!(
            rest.starts_with("... ") && rest.ends_with("read in time\nafterwards\n"),
            "{rest}"
        );
    }
}
