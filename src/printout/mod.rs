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

mod brevity;
mod lines;
mod log;
mod output;
mod refusals;
mod window;

pub use log::Log;
pub use output::{Output, Shows};

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Local;
use parking_lot::Mutex;

use self::brevity::{Brevity, Shown, cut};
use self::lines::{is_problem, lines, shown_from, title};
use self::output::Sink;
use self::refusals::{Refusals, Verdict};
use crate::event::{Event, Level, Reader, Topic, Topics, Way};
use crate::terminal::escape::escaped;
use crate::terminal::step::STEP;
use crate::terminal::{Screen, style};

/// How often to check whether a program ends that waits for Enter.
const STEP_LOOK: Duration = Duration::from_millis(50);

/// The printout of a program. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Transcript {
    sinks: Arc<[Sink]>,
    screen: Screen,
    refusals: Refusals,
    style: Style,
    brevity: Brevity,
    /// The port of the upload server, once it listens.
    port: Arc<Mutex<Option<u16>>>,
}

/// How a printout looks, besides what it shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Whether a screen, too, shows every message whole.
    pub is_whole: bool,
    /// Whether the time is before each of our lines. It is in brackets, so that no message can
    /// imitate it.
    pub has_times: bool,
    /// Whether a screen waits for Enter after each message.
    pub has_steps: bool,
}

impl Transcript {
    /// A printout to `outputs`, of which the user watches the first. Problems that the first output
    /// does not show are reported on standard error of `screen`.
    pub fn new(screen: Screen, outputs: impl IntoIterator<Item = Output>, style: Style) -> Self {
        Self {
            sinks: outputs.into_iter().map(Sink::from).collect(),
            screen,
            refusals: Refusals::default(),
            style,
            brevity: Brevity::default(),
            port: Arc::default(),
        }
    }

    /// Waits at most `time` until everything printed is written, and returns whether it is.
    pub fn finish(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        self.sinks.iter().fold(true, |is_written, sink| {
            let left = until.saturating_duration_since(Instant::now());
            sink.output.queue.finish(left) && is_written
        })
    }

    /// The same, but where a screen waits for Enter, until nothing waits any more. Once `is_over`,
    /// no screen waits for Enter.
    pub fn settle(&self, time: Duration, is_over: impl Fn() -> bool) {
        let until = Instant::now() + time;
        loop {
            if is_over() {
                self.screen.stop_stepping();
            }
            let is_written = self.finish(STEP_LOOK);
            if is_written || (Instant::now() >= until && !self.screen.is_stepping()) {
                return;
            }
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

    /// Prints a record of an answer. If `in_messages`, an output that shows messages has it already.
    pub fn record(&self, record: impl Display, in_messages: bool) {
        let line = escaped(record.to_string().as_bytes(), false);
        for sink in self.showing(Shows::Life) {
            if !(in_messages && sink.output.shows == Shows::Messages) {
                sink.print(&[&line, "\n"]);
            }
        }
    }

    /// During `work`, a screen shows at most `most` records of an answer; `below` says where the
    /// others are.
    pub fn cutting<T>(&self, most: usize, below: &'static str, work: impl FnOnce() -> T) -> T {
        self.brevity.cut(Some((most, below)));
        let done = work();
        self.brevity.cut(None);
        done
    }

    fn print_line(&self, from: Shows, line: &dyn Display) {
        self.print_where(from, line, |_| true);
    }

    fn print_where(&self, from: Shows, line: &dyn Display, wanted: impl Fn(&Output) -> bool) {
        let line = escaped(line.to_string().as_bytes(), false);
        let time = self.time();
        for sink in self.showing(from).filter(|sink| wanted(&sink.output)) {
            if sink.output.is_screen {
                sink.print(&[&time, &style::tagged(&line), "\n"]);
            } else {
                sink.print(&[&time, &line, "\n"]);
            }
        }
    }

    /// What comes before our lines.
    fn time(&self) -> Cow<'static, str> {
        if self.style.has_times {
            Local::now().format("[%T%.3f] ").to_string().into()
        } else {
            "".into()
        }
    }

    /// Prints a message under its title; `shown` is what a screen shows of it.
    fn message(&self, title: &str, way: Way, message: &[u8], more: usize, shown: &Shown) {
        let mut message = escaped(message, true);
        if !message.ends_with('\n') {
            message.push('\n');
        }
        let short = match *shown {
            Shown::Records(most, below) => cut(&message, more, most, below),
            _ => None,
        };
        if more > 0 {
            // Writing to memory does not fail.
            let _ = write!(message, "... and {more} more records\n\n");
        }
        let time = self.time();
        for sink in self.showing(Shows::Messages) {
            if !sink.output.is_screen {
                sink.print(&[&time, title, "\n", &message]);
            } else if *shown != Shown::Nothing {
                let message = short.as_deref().unwrap_or(&message);
                let [title, message] = style::message(title, message, way == Way::Sent);
                let step = if self.style.has_steps { STEP } else { "" };
                sink.print(&[&time, &title, "\n", &message, step]);
            }
        }
    }

    /// What a screen shows of an event.
    fn on_screen(&self, event: &Event<'_>) -> Shown {
        if self.style.is_whole || !self.sinks.iter().any(|sink| sink.output.is_screen) {
            return Shown::Whole;
        }
        self.brevity.judge(event)
    }

    /// Prints a notice, which is not part of a session, on the screen with the printout or on
    /// standard error.
    fn notice(&self, level: Level, text: &str) {
        let first = self.sinks.first();
        let is_shown = |sink: &&Sink| sink.output.is_screen && sink.output.shows > Shows::Nothing;
        let Some(sink) = first.filter(is_shown) else {
            return match level {
                Level::Info => self.screen.say(text),
                Level::Warning => self.screen.warn(text),
            };
        };
        let (time, text) = (self.time(), escaped(text.as_bytes(), false));
        match level {
            Level::Info => sink.print(&[&time, &text, "\n"]),
            Level::Warning => {
                let warning = style::warning(&io::stdout());
                sink.print(&[&time, &warning, " ", &text, "\n"]);
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
        self.entitle(event);
        let shown = self.on_screen(event);
        if let Shown::Line(line) = &shown {
            self.print_where(shown_from(event), line, |output| output.is_screen);
        }
        match event {
            Event::Message {
                link,
                way,
                bytes,
                more,
                ..
            } => self.message(&title(link, *way), *way, bytes, *more, &shown),
            Event::Notice { level, text } => self.notice(*level, text),
            event => {
                let is_for_stderr = is_problem(event) && self.first_shows() == Shows::Nothing;
                let from = shown_from(event);
                if !is_for_stderr && self.showing(from).next().is_none() {
                    return;
                }
                let is_whole = !matches!(shown, Shown::Line(_) | Shown::Nothing);
                for line in lines(event) {
                    self.print_where(from, &line, |output| is_whole || !output.is_screen);
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
        let transcript = Transcript::new(Screen::default(), [output], Style::default());
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
