//! The person, or the script, at standard input.

use std::io::{self, BufRead, IsTerminal, Read};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::menu::Answers;
use crate::transcript::Transcript;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// Asks on the printout and reads answers from standard input.
///
/// A thread of its own reads, so that a signal can end a question that nobody answers. It reads a
/// line when there is a question for it, and not before: what is typed ahead stays where it is.
#[derive(Debug)]
pub struct Console {
    transcript: Transcript,
    events: Receiver<Event>,
    hangup: Hangup,
    /// Tells the thread that a line is wanted; `None` until it is started.
    wants_line: Option<Sender<()>>,
    /// A terminal shows what is typed. What comes from a pipe is shown here, so that both
    /// printouts look the same.
    echoes: bool,
    has_ended: bool,
}

#[derive(Debug)]
enum Event {
    Line(String),
    End,
}

/// Ends the questions of a console from elsewhere.
#[derive(Debug, Clone)]
pub struct Hangup(Sender<Event>);

impl Hangup {
    /// Answers the question at hand, and all after it, with the end of input.
    pub fn hang_up(&self) {
        // The console may be gone already.
        let _ = self.0.send(Event::End);
    }
}

impl Console {
    /// A console that reads nothing yet.
    #[must_use]
    pub fn new(transcript: Transcript) -> (Self, Hangup) {
        let (send, events) = mpsc::channel();
        let hangup = Hangup(send);
        let console = Self {
            transcript,
            events,
            hangup: hangup.clone(),
            wants_line: None,
            echoes: !io::stdin().is_terminal(),
            has_ended: false,
        };
        (console, hangup)
    }

    /// Reads standard input from now on.
    ///
    /// # Errors
    /// Those of the system where there is no thread for it.
    pub fn read_stdin(&mut self) -> io::Result<()> {
        let (wants_line, wanted) = mpsc::channel();
        let events = self.hangup.0.clone();
        thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || {
                let mut stdin = io::stdin().lock();
                for () in wanted {
                    let line = line(&mut stdin);
                    let event = line.map_or(Event::End, Event::Line);
                    // The console may be gone already.
                    let _ = events.send(event);
                }
            })?;
        self.wants_line = Some(wants_line);
        Ok(())
    }

    /// Waits for a hangup.
    pub fn wait_for_hangup(&self) {
        while let Ok(Event::Line(_)) = self.events.recv() {}
    }
}

impl Answers for Console {
    fn ask(&mut self, question: &str) -> Option<String> {
        self.transcript.ask(question);
        let is_wanted = self
            .wants_line
            .as_ref()
            .is_some_and(|wanted| wanted.send(()).is_ok());
        let event = if self.has_ended || !is_wanted {
            Event::End
        } else {
            self.events.recv().unwrap_or(Event::End)
        };
        match event {
            Event::Line(line) => {
                self.transcript.answered(self.echoes.then_some(&line));
                Some(line)
            }
            Event::End => {
                self.has_ended = true;
                self.transcript.answered(Some(""));
                None
            }
        }
    }
}

/// The next line without the white space around it; `None` at the end. What is beyond the longest
/// line is left out, up to the end of the line.
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
