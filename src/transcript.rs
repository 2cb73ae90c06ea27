//! What a program prints: whole messages to one writer, never interleaved.
//!
//! Sessions are graded from these printouts, so a message is printed as it stands on the wire
//! (carriage returns not shown). Text from strangers can neither command the terminal nor pass
//! for a line of ours: control and bidirectional characters are escaped, and so is a `[` that
//! begins a line of a message, for that is how our own lines begin.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

/// The printout of a program. Clones are handles to the same one.
#[derive(Clone)]
pub struct Transcript(Arc<Mutex<Printout>>, bool);

struct Printout {
    out: Box<dyn Write + Send>,
    /// The question that waits for its answer, or nothing.
    question: String,
    /// Whether the cursor stands behind the question.
    is_asking: bool,
    /// Whether somebody watches who must see the question again when it has scrolled away.
    is_watched: bool,
    broken: bool,
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcript")
            .field("shows_messages", &self.1)
            .finish_non_exhaustive()
    }
}

impl Transcript {
    /// A printout to `out`, with the messages or without. On a terminal somebody watches it.
    pub fn new(out: impl Write + Send + 'static, shows_messages: bool, is_terminal: bool) -> Self {
        let printout = Printout {
            out: Box::new(out),
            question: String::new(),
            is_asking: false,
            is_watched: is_terminal,
            broken: false,
        };
        Self(Arc::new(Mutex::new(printout)), shows_messages)
    }

    /// A printout to standard output.
    #[must_use]
    pub fn to_stdout(shows_messages: bool) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self::new(stdout, shows_messages, is_terminal)
    }

    /// Whether messages are printed: [`Transcript::message`] and [`Transcript::detail`] do
    /// nothing where they are not.
    #[must_use]
    pub fn shows_messages(&self) -> bool {
        self.1
    }

    /// Prints a line about the life of the program, or an answer to its user.
    pub fn line(&self, line: impl Display) {
        let mut text = escaped(line.to_string().as_bytes(), false);
        text.push('\n');
        self.lock().print(&text);
    }

    /// Prints a line about one message.
    pub fn detail(&self, line: impl Display) {
        if self.1 {
            self.line(line);
        }
    }

    /// Prints a message under a line that says what it is.
    pub fn message(&self, title: impl Display, message: &[u8]) {
        if !self.1 {
            return;
        }
        let mut text = escaped(title.to_string().as_bytes(), false);
        text.push('\n');
        text.push_str(&escaped(message, true));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.lock().print(&text);
    }

    /// Prints a question, with the cursor behind it. Where something else is printed before the
    /// answer comes, the last line of the question is printed again after it: at once for a
    /// person, and with the answer elsewhere.
    pub fn ask(&self, question: &str) {
        let mut printout = self.lock();
        printout.write(question);
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
            printout.write(&format!("{question}{answer}\n"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Printout> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printout {
    fn print(&mut self, text: &str) {
        if self.question.is_empty() {
            return self.write(text);
        }
        let before = if self.is_asking { "\n" } else { "" };
        let after = if self.is_watched {
            self.question.as_str()
        } else {
            ""
        };
        let around = format!("{before}{text}{after}");
        self.is_asking = self.is_watched;
        self.write(&around);
    }

    /// Everything goes out in one write. A reader that has gone away (`server | head`) is no
    /// reason to stop serving.
    fn write(&mut self, text: &str) {
        if self.broken {
            return;
        }
        if let Err(error) = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
        {
            self.broken = true;
            warn!(%error, "cannot print any more");
        }
    }
}

/// `text` with everything escaped that could command a terminal or pass for something else.
fn escaped(text: &[u8], is_message: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    let mut begins_line = true;
    for chunk in text.utf8_chunks() {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' if is_message && matches!(chars.peek(), None | Some('\n')) => {}
                '\n' if is_message => shown.push(c),
                '\t' => shown.push(c),
                '[' if is_message && begins_line => shown.push_str("\\["),
                c if c.is_control() || is_invisible(c) => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
            begins_line = c == '\n';
        }
        for byte in chunk.invalid() {
            // Writing to memory does not fail.
            let _ = write!(shown, "\\x{byte:02x}");
            begins_line = false;
        }
    }
    shown
}

/// Characters that change the order or the place of others: bidirectional marks and controls,
/// joiners, separators, the byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Arc, Mutex, Transcript, Write, io};

    /// A printout that a test can read.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn transcript(&self, shows_messages: bool) -> Transcript {
            Transcript::new(self.clone(), shows_messages, false)
        }

        pub(crate) fn text(&self) -> String {
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
        print(&paper.transcript(true));
        paper.text()
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
        let transcript = Transcript::new(paper.clone(), true, is_terminal);
        transcript.ask("1. ADD\nChoice: ");
        transcript.line("[UPLOAD] Request");
        transcript.line("[UPLOAD] Sent");
        transcript.answered(echo);
        transcript.line("done");
        paper.text()
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
        let quiet = paper.transcript(false);
        quiet.message("[SERVER] Request", b"LIST");
        quiet.detail("[SERVER] Added RFC 1");
        quiet.line("[SERVER] Listening");
        assert_eq!(paper.text(), "[SERVER] Listening\n");
    }
}
