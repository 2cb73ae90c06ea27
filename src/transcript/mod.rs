//! What a program prints: whole messages, never interleaved.
//!
//! Sessions are graded from these printouts, so a message is printed as it stands on the wire
//! (carriage returns not shown). Text from strangers can neither command the terminal nor pass
//! for a line of ours: control and bidirectional characters are escaped, and so is a `[` that
//! begins a line of a message, for that is how our own lines begin.
//!
//! A thread of its own writes what the others print, so that a terminal that is stopped, or a pipe
//! that nobody reads, holds up nobody. When too much waits, messages are left out and counted.

mod escape;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::warn;

use escape::escaped;

/// How much may wait to be written, in bytes, before more is left out. A print that is larger
/// itself is not left out for that.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// The printout of a program. Clones are handles to the same one.
#[derive(Clone)]
pub struct Transcript {
    shared: Arc<Shared>,
    shows_messages: bool,
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
    output: Output,
    /// How many prints were left out since the last one that was not.
    left_out: u64,
    /// The question that waits for its answer, or nothing.
    question: String,
    /// Whether the cursor stands behind the question.
    is_asking: bool,
    /// Whether somebody watches who must see the question again when it has scrolled away.
    is_watched: bool,
}

#[derive(Default, PartialEq)]
enum Output {
    #[default]
    Idle,
    /// It writes what waited before.
    Busy,
    /// The reader has gone away.
    Broken,
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcript")
            .field("shows_messages", &self.shows_messages)
            .finish_non_exhaustive()
    }
}

impl Transcript {
    /// A printout to `out`, with the messages or without. On a terminal somebody watches it.
    ///
    /// # Errors
    /// Those of the system where there is no thread to write it.
    pub fn new(
        out: impl Write + Send + 'static,
        shows_messages: bool,
        is_terminal: bool,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().is_watched = is_terminal;
        let printing = Arc::clone(&shared);
        let thread = thread::Builder::new().name("printout".to_owned());
        thread.spawn(move || printing.write_to(out))?;
        Ok(Self {
            shared,
            shows_messages,
        })
    }

    /// A printout to standard output.
    ///
    /// # Errors
    /// Those of the system where there is no thread to write it.
    pub fn to_stdout(shows_messages: bool) -> io::Result<Self> {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self::new(stdout, shows_messages, is_terminal)
    }

    /// Waits until all that was printed is written, at most `time`.
    pub fn finish(&self, time: Duration) {
        let is_busy = |printout: &mut Printout| {
            printout.output == Output::Busy || !printout.waiting.is_empty()
        };
        // What can't be written in time is lost: nobody reads it.
        let _ = self
            .shared
            .changed
            .wait_timeout_while(self.lock(), time, is_busy);
    }

    /// Whether messages are printed: [`Transcript::message`] and [`Transcript::detail`] do
    /// nothing where they are not.
    #[must_use]
    pub fn shows_messages(&self) -> bool {
        self.shows_messages
    }

    /// Prints a line about the life of the program, or an answer to its user.
    pub fn line(&self, line: impl Display) {
        let mut text = escaped(line.to_string().as_bytes(), false);
        text.push('\n');
        self.print(&text);
    }

    /// Prints a line about one message.
    pub fn detail(&self, line: impl Display) {
        if self.shows_messages {
            self.line(line);
        }
    }

    /// Prints a message under a line that says what it is.
    pub fn message(&self, title: impl Display, message: &[u8]) {
        if !self.shows_messages {
            return;
        }
        let mut text = escaped(title.to_string().as_bytes(), false);
        text.push('\n');
        text.push_str(&escaped(message, true));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.print(&text);
    }

    /// Prints a question, with the cursor behind it. Where something else is printed before the
    /// answer comes, the last line of the question is printed again after it: at once for a
    /// person, and with the answer elsewhere.
    pub fn ask(&self, question: &str) {
        let mut printout = self.lock();
        printout.waiting.push_str(question);
        self.shared.changed.notify_all();
        question
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .clone_into(&mut printout.question);
        printout.is_asking = true;
    }

    /// The question was answered: by a person, whose terminal has shown the answer and the end of
    /// the line, or with `echo` by something that has not.
    pub fn answered(&self, echo: Option<&str>) {
        let mut printout = self.lock();
        let question = std::mem::take(&mut printout.question);
        let was_asking = std::mem::take(&mut printout.is_asking);
        if let Some(answer) = echo {
            let question = if was_asking { "" } else { &question };
            let answer = escaped(answer.as_bytes(), false);
            printout.waiting.extend([question, &answer, "\n"]);
            self.shared.changed.notify_all();
        }
    }

    fn print(&self, text: &str) {
        self.lock().print(text);
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Printout> {
        self.shared.lock()
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
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let line = format!("... {left_out} printouts left out: they were not read in time\n");
            self.waiting.push_str(&line);
        }
        self.waiting.push_str(text);
        self.is_asking = self.is_watched;
        if self.is_watched {
            self.waiting.push_str(&self.question);
        }
    }
}

impl Shared {
    /// The life of the thread that writes. Each write takes all that waits, so that many small
    /// messages cost few writes. A reader that has gone away (`server | head`) is no reason to
    /// stop serving.
    fn write_to(&self, mut out: impl Write) {
        loop {
            let idle = |printout: &mut Printout| printout.waiting.is_empty();
            let waited = self.changed.wait_while(self.lock(), idle);
            let mut printout = waited.unwrap_or_else(PoisonError::into_inner);
            let text = std::mem::take(&mut printout.waiting);
            if printout.output == Output::Broken {
                self.changed.notify_all();
                continue;
            }
            printout.output = Output::Busy;
            drop(printout);
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            let mut printout = self.lock();
            printout.output = Output::Idle;
            if let Err(error) = written {
                printout.output = Output::Broken;
                warn!(%error, "cannot print any more");
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
    use super::{Arc, Duration, Mutex, Transcript, Write, io};

    /// A printout that a test can read.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
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
        let transcript = Transcript::new(paper.clone(), true, false).unwrap();
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

    fn asked(is_terminal: bool, echo: Option<&str>) -> String {
        let paper = Paper::default();
        let transcript = Transcript::new(paper.clone(), true, is_terminal).unwrap();
        transcript.ask("1. ADD\nChoice: ");
        transcript.line("[UPLOAD] Request");
        transcript.line("[UPLOAD] Sent");
        transcript.answered(echo);
        transcript.line("done");
        paper.text(&transcript)
    }

    #[test]
    fn a_person_sees_the_question_below_what_is_printed_meanwhile() {
        let shown = "1. ADD\nChoice: \n[UPLOAD] Request\nChoice: \n[UPLOAD] Sent\nChoice: done\n";
        assert_eq!(asked(true, None), shown);
    }

    #[test]
    fn elsewhere_the_question_comes_again_with_its_answer() {
        let shown = "1. ADD\nChoice: \n[UPLOAD] Request\n[UPLOAD] Sent\nChoice: 3\ndone\n";
        assert_eq!(asked(false, Some("3")), shown);
    }

    #[test]
    fn an_answer_from_a_pipe_is_echoed() {
        let shown = printed(|t| {
            t.ask("Choice: ");
            t.answered(Some("3"));
        });
        assert_eq!(shown, "Choice: 3\n");
    }

    #[test]
    fn quiet_leaves_the_lines_of_life() {
        let paper = Paper::default();
        let quiet = Transcript::new(paper.clone(), false, false).unwrap();
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
        let transcript = Transcript::new(Stopped(stopped, paper.clone()), true, false).unwrap();
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
