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
/// A thread of its own reads, so that a signal can end a question that nobody answers.
#[derive(Debug)]
pub struct Console {
    transcript: Transcript,
    events: Receiver<Event>,
    /// A terminal shows what is typed. What comes from a pipe is shown here, so that both
    /// printouts look the same.
    echoes: bool,
    ended: bool,
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
        let echoes = !io::stdin().is_terminal();
        (
            Self {
                transcript,
                events,
                echoes,
                ended: false,
            },
            Hangup(send),
        )
    }

    /// Reads standard input from now on.
    ///
    /// # Errors
    /// Those of the system where there is no thread for it.
    pub fn read_stdin(&self, hangup: &Hangup) -> io::Result<()> {
        let events = hangup.0.clone();
        thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || {
                let mut stdin = io::stdin().lock();
                let mut line = Vec::new();
                loop {
                    line.clear();
                    let read = stdin.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
                    let event = match read {
                        Ok(1..) => Event::Line(String::from_utf8_lossy(&line).trim().to_owned()),
                        Ok(0) | Err(_) => Event::End,
                    };
                    let ended = matches!(event, Event::End);
                    if events.send(event).is_err() || ended {
                        return;
                    }
                }
            })?;
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
        let event = if self.ended {
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
                self.ended = true;
                self.transcript.answered(Some(""));
                None
            }
        }
    }
}
