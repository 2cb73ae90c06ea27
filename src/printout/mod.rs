//! What a program prints: whole messages, never interleaved.
//!
//! A printout reads events (`lines.rs` formats each), and prints the dialogue with the user.
//! Sessions are graded from it, so messages are printed exactly as on the wire (carriage returns
//! not shown). Text from strangers can neither control the terminal nor imitate our own lines:
//! control and bidirectional characters are escaped, and so is a `[` at the start of a line of a
//! message, because our own lines start that way.
//!
//! It goes to any number of outputs, such as standard output and a file. Each is a queue, so an
//! output that nobody reads blocks nobody.

mod lines;
mod log;
mod output;
mod refusals;

pub use log::Log;
pub use output::{Output, Shows};

use std::fmt::{Display, Write};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::lines::{is_problem, lines, shown_from, title};
use self::output::Sink;
use self::refusals::{Refusals, Verdict};
use crate::event::{Event, Level, Reader, Topic, Topics};
use crate::terminal::escape::escaped;
use crate::terminal::{Screen, style};

/// The printout of a program. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Transcript {
    sinks: Arc<[Sink]>,
    screen: Screen,
    refusals: Refusals,
}

impl Transcript {
    /// A printout to `outputs`, of which the user watches the first. Problems that the first output
    /// does not show are reported on standard error of `screen`.
    pub fn new(screen: Screen, outputs: impl IntoIterator<Item = Output>) -> Self {
        Self {
            sinks: outputs.into_iter().map(Sink::from).collect(),
            screen,
            refusals: Refusals::default(),
        }
    }

    /// Waits at most `time` until everything printed is written.
    pub fn finish(&self, time: Duration) {
        let until = Instant::now() + time;
        for sink in self.sinks.iter() {
            let left = until.saturating_duration_since(Instant::now());
            sink.output.queue.finish(left);
        }
    }

    /// The names of the outputs besides the first that could not be written completely.
    pub fn broken_copies(&self) -> impl Iterator<Item = &str> {
        let copies = self.sinks.iter().skip(1).map(|sink| &sink.output);
        let broken = copies.filter(|output| output.queue.is_broken());
        broken.map(|output| output.name.as_str())
    }

    /// The terminal that it is printed on.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Whether the user sees the messages.
    pub fn shows_messages(&self) -> bool {
        self.first_shows() == Shows::Messages
    }

    fn first_shows(&self) -> Shows {
        let first = self.sinks.first();
        first.map_or(Shows::Nothing, |first| first.output.shows)
    }

    /// Prints a line about connections, or an answer to the user.
    pub fn line(&self, line: impl Display) {
        self.print_line(Shows::Life, &line);
    }

    /// Shows lines only on the screen.
    pub fn show(&self, lines: &str) {
        for sink in self.sinks.iter().filter(|sink| sink.output.is_screen) {
            sink.print(&[&escaped(lines.as_bytes(), true)]);
        }
    }

    /// Prints a question. If something else is printed before the answer, the last line of the
    /// question is repeated with the answer.
    pub fn ask(&self, question: &str) {
        for sink in self.showing(Shows::Life) {
            sink.ask(question);
        }
    }

    /// Records the answer to a question. `is_echoed` means that the terminal has shown the answer
    /// and the line end on the first output.
    pub fn answered(&self, answer: &str, is_echoed: bool) {
        let answer = escaped(answer.as_bytes(), false);
        for (place, sink) in self.sinks.iter().enumerate() {
            let is_shown = sink.output.shows >= Shows::Life;
            sink.answered(&answer, is_shown && !(is_echoed && place == 0));
        }
    }

    fn print_line(&self, from: Shows, line: &dyn Display) {
        let line = escaped(line.to_string().as_bytes(), false);
        for sink in self.showing(from) {
            if sink.output.is_screen {
                sink.print(&[&style::tagged(&line), "\n"]);
            } else {
                sink.print(&[&line, "\n"]);
            }
        }
    }

    /// Prints a message under its title.
    fn message(&self, title: &str, message: &[u8], more: usize) {
        let mut message = escaped(message, true);
        if !message.ends_with('\n') {
            message.push('\n');
        }
        if more > 0 {
            // Writing to memory does not fail.
            let _ = write!(message, "... and {more} more records\n\n");
        }
        for sink in self.showing(Shows::Messages) {
            if sink.output.is_screen {
                sink.print(&[&style::tagged(title), "\n", &message]);
            } else {
                sink.print(&[title, "\n", &message]);
            }
        }
    }

    /// Prints a notice, which is not part of a session, on the screen with the printout or on
    /// standard error.
    fn notice(&self, level: Level, text: &str) {
        let first = self.sinks.first();
        let is_shown = |sink: &&Sink| sink.output.is_screen && sink.output.shows > Shows::Nothing;
        match (first.filter(is_shown), level) {
            (None, Level::Info) => self.screen.say(text),
            (None, Level::Warning) => self.screen.warn(text),
            (Some(sink), Level::Info) => sink.print(&[&escaped(text.as_bytes(), false), "\n"]),
            (Some(sink), Level::Warning) => {
                let text = escaped(text.as_bytes(), false);
                sink.print(&[&style::warning(&io::stdout()), " ", &text, "\n"]);
            }
        }
    }

    fn showing(&self, from: Shows) -> impl Iterator<Item = &Sink> {
        self.sinks
            .iter()
            .filter(move |sink| sink.output.shows >= from)
    }
}

impl Reader for Transcript {
    fn wants(&self) -> Topics {
        if self.showing(Shows::Messages).next().is_some() {
            Topics::of(&[Topic::Life, Topic::Messages])
        } else {
            Topics::of(&[Topic::Life])
        }
    }

    fn read(&self, event: &Event<'_>) {
        match self.refusals.judge(event, Instant::now()) {
            Verdict::Print => {}
            Verdict::PrintAfter(line) => self.print_line(Shows::Messages, &line),
            Verdict::Skip => return,
        }
        match event {
            Event::Message {
                link,
                way,
                bytes,
                more,
                ..
            } => self.message(&title(link, *way), bytes, *more),
            Event::Notice { level, text } => self.notice(*level, text),
            event => {
                let is_for_stderr = is_problem(event) && self.first_shows() == Shows::Nothing;
                let from = shown_from(event);
                if !is_for_stderr && self.showing(from).next().is_none() {
                    return;
                }
                for line in lines(event) {
                    self.print_line(from, &line);
                    if is_for_stderr {
                        self.screen.say(line);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use crate::event::{Events, Role};
    use crate::terminal::Queue;
    use crate::terminal::queue::testing::Paper;
    use crate::wire::Status;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// What an output shows of the lines that `print` prints.
    fn shown(shows: Shows, is_screen: bool, print: impl Fn(&Transcript)) -> String {
        let paper = Paper::default();
        let output = Output {
            name: "paper".to_owned(),
            queue: Queue::start(paper.clone(), |_| {}),
            shows,
            is_screen,
        };
        let transcript = Transcript::new(Screen::default(), [output]);
        print(&transcript);
        transcript.finish(PATIENCE);
        paper.text()
    }

    fn printed(print: impl Fn(&Transcript)) -> String {
        shown(Shows::Messages, false, print)
    }

    /// What is printed for the events that `tell` reports.
    fn told(shows: Shows, tell: impl Fn(&Events)) -> String {
        shown(shows, false, |transcript| {
            tell(&Events::default().and(transcript.clone()));
        })
    }

    #[test]
    fn a_message_stands_as_on_the_wire_without_cr() {
        let shown = told(Shows::Messages, |events| {
            events.received(link(Role::Index), b"P2P-CI/1.0 200 OK\r\n\r\n\r\n");
        });
        assert_eq!(shown, "[PEER] Response:\nP2P-CI/1.0 200 OK\n\n\n");
    }

    #[test]
    fn terminal_forger_is_shown_and_not_obeyed() {
        let sent = |bytes: &[u8]| {
            told(Shows::Messages, |events| {
                events.sent(link(Role::Download), bytes);
            })
        };
        let attack = "LOOKUP \u{1b}[2J\u{7}\r\n[SERVER] Stopped\r\na\rb\u{202e}\u{9b}\0\r\n\r\n";
        assert_eq!(
            sent(attack.as_bytes()),
            "[DOWNLOAD] Sending:\nLOOKUP \\u{1b}[2J\\u{7}\n\\[SERVER] Stopped\na\\u{d}b\\u{202e}\\u{9b}\\u{0}\n\n"
        );
        assert_eq!(sent(b"\xff[\n\xc3"), "[DOWNLOAD] Sending:\n\\xff[\n\\xc3\n");
        assert_eq!(printed(|t| t.line("a\nb\r")), "a\\u{a}b\\u{d}\n");
        let shown = told(Shows::Messages, |events| {
            events.refusing(link(Role::Session), Status::BadRequest, "\u{1b}[2J\n[PEER]");
        });
        assert_eq!(shown, "[SERVER] Answering 400: \\u{1b}[2J\\u{a}[PEER]\n");
    }

    #[test]
    fn a_long_list_is_printed_in_part() {
        let shown = told(Shows::Messages, |events| {
            let text = b"P2P-CI/1.0 200 OK\r\n\r\nRFC 1 t vm 5\r\n";
            events.message(link(Role::Session), crate::event::Way::Sent, text, 4);
        });
        let title = "[SERVER] Response to 10.0.0.1:5:";
        let text = "P2P-CI/1.0 200 OK\n\nRFC 1 t vm 5\n... and 4 more records\n\n";
        assert_eq!(shown, format!("{title}\n{text}"));
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
        let shown = shown(Shows::Messages, true, |t| {
            t.ask("1. ADD\nChoice: ");
            t.answered("3", true);
            t.show("a table\n");
        });
        assert_eq!(shown, "1. ADD\na table\n");
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
    fn quiet_leaves_the_connection_events() {
        let shown = told(Shows::Life, |events| {
            let link = link(Role::Session);
            events.tell(Topic::Life, || Event::Opened(link));
            events.tell(Topic::Messages, || unreachable!("it was built"));
            events.refusing(link, Status::BadRequest, "it is wrong");
        });
        assert_eq!(shown, "[SERVER] New TCP connection from 10.0.0.1:5\n");
    }

    #[test]
    fn a_notice_is_shown_on_a_screen() {
        let shown = shown(Shows::Life, true, |t| {
            let events = Events::default().and(t.clone());
            events.notice(Level::Info, "2 RFC(s) are shared");
            events.notice(Level::Warning, "no more\nroom");
        });
        assert_eq!(shown, "2 RFC(s) are shared\nwarning: no more\\u{a}room\n");
    }
}
