//! The numbered menu (section 6 of the protocol page).
//!
//! A choice is a number or a name, with optional arguments: `4`, `get`, `get 3457`. Choices that
//! the protocol page does not define (`find`, `status`) have only a name.

mod choice;
mod console;
mod get;
mod interrupts;
mod pager;
mod view;

pub use console::Console;

use std::fmt::Display;

use chrono::{DateTime, Local};

use self::choice::{Choice, HELP, QUESTION, menu};
use self::console::Unanswered;
use self::view::View;
use crate::node::numbers;
use crate::node::{Actions as _, Failure, Handle, Kind, LastUpload, Listing, Query, Registered};
use crate::printout::Transcript;
use crate::terminal::Expected;
use crate::wire::{Protocol, RfcNumber, Title};

const TITLE_OR_NONE: &str = "RFC title (press Enter to skip): ";
const WORDS_OR_NONE: &str = "Words of the title (press Enter for all): ";
const UNLISTED: &str = "Could not list the index";
const NOBODY: &str = "No peers have that RFC.";

/// The most records of an answer that a person at a terminal sees as they came; a longer answer has
/// a table.
const MOST_SHOWN: usize = 20;

/// Runs the menu until EXIT or the end of input. Fails if the input ends at a question within a
/// choice.
pub fn run(node: &Handle, console: &mut Console, transcript: &Transcript) -> Result<(), Failure> {
    let mut menu = Menu {
        node,
        console,
        transcript,
    };
    let mut is_slip = false;
    loop {
        match menu.one_choice(is_slip) {
            Ok(()) | Err(Undone::Back | Undone::Reported) => is_slip = false,
            Err(Undone::Slip) => is_slip = true,
            Err(Undone::Exit) => return Ok(()),
            Err(Undone::CutOff) => {
                let what = "the input ended at a question, and the choice was not completed";
                return Err(Failure::other(what));
            }
        }
    }
}

struct Menu<'a> {
    node: &'a Handle,
    console: &'a mut Console,
    transcript: &'a Transcript,
}

/// Why a choice was not completed.
enum Undone {
    /// EXIT, or the end of input instead of a choice.
    Exit,
    /// The input ended at a question.
    CutOff,
    /// The person went back to the menu.
    Back,
    /// What was typed was not understood, and that was printed.
    Slip,
    /// An error that was printed.
    Reported,
}

impl Menu<'_> {
    /// Asks for a choice, below the menu unless the last one was a slip, and carries it out.
    fn one_choice(&mut self, is_slip: bool) -> Result<(), Undone> {
        let question = if is_slip {
            QUESTION.to_owned()
        } else {
            menu(self.node.kind())
        };
        let line = self.console.ask(&question, Expected::Choice);
        let line = line.map_err(|_| Undone::Exit)?;
        let words = line.split_once(char::is_whitespace);
        let (name, arguments) = words.unwrap_or((&line, ""));
        let (arguments, is_request) = without_version(arguments.trim());
        let choice = Choice::read(name).map_err(|slip| self.slip(slip.about(&line)))?;
        match (choice, arguments) {
            (Choice::Add, _) => self.add(arguments),
            (Choice::Lookup, _) => self.lookup(arguments),
            (Choice::List, _) if is_request => self.list(&View::default()),
            (Choice::List, _) => {
                let view = self.understood(View::read(arguments))?;
                self.list(&view)
            }
            (Choice::Get, _) => self.get(arguments),
            (Choice::Find, _) => self.find(arguments),
            (Choice::Exit, "") => Err(Undone::Exit),
            (Choice::Status, "") => {
                self.status();
                Ok(())
            }
            (Choice::Help, _) => {
                for line in HELP {
                    self.say(line);
                }
                Ok(())
            }
            _ => Err(self.slip(choice::Slip::Unknown.about(&line))),
        }
    }

    fn add(&mut self, arguments: &str) -> Result<(), Undone> {
        let (number, title) = self.number_and_title(arguments, "RFC title: ")?;
        let title = Some(title).filter(|title: &Title| !title.is_empty());
        let _work = self.console.work();
        let added = self.node.add(number, title);
        let added = self.or_say(format_args!("RFC {number} was not registered"), added)?;
        match added.registered {
            Registered::Yes if !self.transcript.shows_messages() => {
                self.say(format_args!("RFC {number} is registered."));
            }
            Registered::Yes | Registered::Refused => {}
            Registered::Later(why) => self.say(format_args!(
                "RFC {number} will be registered when the index is back: {why}."
            )),
        }
        Ok(())
    }

    fn lookup(&mut self, arguments: &str) -> Result<(), Undone> {
        let (number, title) = self.number_and_title(arguments, TITLE_OR_NONE)?;
        let found = self.ask_index(BELOW, || self.node.find(&Query::Number { number, title }));
        let found = self.or_say(format_args!("RFC {number} was not looked up"), found)?;
        if found.records.is_empty() && self.are_shown(&found) {
            // The answer says so.
            return Ok(());
        }
        self.show(&found, &View::default(), NOBODY)
    }

    fn list(&mut self, view: &View) -> Result<(), Undone> {
        let found = self.ask_index(below(view), || self.node.find(&Query::All { fresh: false }));
        let found = self.or_say(UNLISTED, found)?;
        if self.node.kind() != Kind::Distributed {
            return self.show(&found, view, self.nothing_in(&found));
        }
        // It has asked nobody.
        if found.records.is_empty() {
            self.say("No records are known yet; LOOKUP and find ask the other peers.");
            return Ok(());
        }
        let nothing = "No known title has all of these words; find asks the other peers.";
        self.show(&found, view, nothing)?;
        if !view.filter(&found.records).is_empty() {
            self.say("These are the records that this peer knows; find asks the other peers.");
        }
        Ok(())
    }

    fn find(&mut self, words: &str) -> Result<(), Undone> {
        let words = if words.is_empty() {
            self.ask(WORDS_OR_NONE, Expected::Text)?
        } else {
            words.to_owned()
        };
        let view = View::read(&words).unwrap_or_else(|_| View::of_words(&words));
        let found = self.ask_index(below(&view), || self.node.find(&Query::All { fresh: true }));
        let found = self.or_say(UNLISTED, found)?;
        self.show(&found, &view, self.nothing_in(&found))
    }

    /// What to say if a view shows nothing of what the index answered.
    fn nothing_in(&self, found: &Listing) -> &'static str {
        match self.node.kind() {
            _ if !found.records.is_empty() => "No title has all of these words.",
            Kind::Central => "The index has no records.",
            Kind::Distributed | Kind::Dht => "No peer shares an RFC.",
        }
    }

    /// Asks the index. On a terminal a long answer is cut; `below` says where the rest is.
    fn ask_index<T>(&self, below: &'static str, ask: impl FnOnce() -> T) -> T {
        let _work = self.console.work();
        self.transcript.cutting(MOST_SHOWN, below, ask)
    }

    fn status(&self) {
        let (shared, folder) = self.node.shared();
        let (folder, counts) = (folder.display(), self.node.activity().counts());
        self.say(format_args!("This peer: {}", self.node.me()));
        self.say(format_args!("Index: {}", self.node.standing()));
        self.say(format_args!("Shared: {shared} RFC(s) of {folder}"));
        let (number, bytes) = (counts.uploads, counts.uploaded_bytes);
        self.say(format_args!("Uploads: {number} ({bytes} bytes)"));
        let (number, bytes) = (counts.downloads, counts.downloaded_bytes);
        self.say(format_args!("Downloads: {number} ({bytes} bytes)"));
        for LastUpload { number, to, at } in counts.last_uploads {
            let at = DateTime::<Local>::from(at).format("%T");
            self.say(format_args!("RFC {number} was downloaded by {to} at {at}"));
        }
    }

    /// The number and the title in the arguments. If there are none, it asks for both.
    fn number_and_title(
        &mut self,
        arguments: &str,
        question: &str,
    ) -> Result<(RfcNumber, Title), Undone> {
        if arguments.is_empty() {
            return Ok((self.number()?, self.title(question)?));
        }
        let (number, title) = number_first(arguments);
        let number = self.understood(numbers::number(number))?;
        Ok((number, self.understood(title.parse())?))
    }

    /// Asks for a number; an empty answer goes back.
    fn number(&mut self) -> Result<RfcNumber, Undone> {
        loop {
            match numbers::number(&self.ask_number()?) {
                Ok(number) => return Ok(number),
                Err(error) => self.say_again(error),
            }
        }
    }

    fn ask_number(&mut self) -> Result<String, Undone> {
        let answer = self.ask("RFC number: ", Expected::Number)?;
        if answer.is_empty() {
            return Err(Undone::Back);
        }
        Ok(answer)
    }

    fn say_again(&self, error: impl Display) {
        self.say(format_args!("Not understood: {error} (Enter goes back)."));
    }

    fn title(&mut self, question: &str) -> Result<Title, Undone> {
        loop {
            let title = self.ask(question, Expected::Text)?.parse();
            if let Ok(title) = self.understood(title) {
                return Ok(title);
            }
        }
    }

    fn ask(&mut self, question: &str, expected: Expected) -> Result<String, Undone> {
        self.console.ask(question, expected).map_err(Undone::from)
    }

    fn understood<T, E: Display>(&self, read: Result<T, E>) -> Result<T, Undone> {
        read.map_err(|error| self.slip(format_args!("Not understood: {error}.")))
    }

    fn slip(&self, what: impl Display) -> Undone {
        self.say(what);
        Undone::Slip
    }

    /// Prints an error.
    fn or_say<T, E: Display>(&self, failed: impl Display, done: Result<T, E>) -> Result<T, Undone> {
        done.map_err(|error| {
            self.say(format_args!("{failed}: {error}."));
            Undone::Reported
        })
    }

    /// Shows the records, or says `nothing`. On a screen they are a table, unless the message has
    /// shown a short answer. Elsewhere they are lines, where no message has shown them.
    fn show(&mut self, found: &Listing, view: &View, nothing: &str) -> Result<(), Undone> {
        if let Some(coverage) = &found.coverage {
            self.say(coverage);
        }
        let records = view.filter(&found.records);
        self.console.learn(&records);
        let in_messages = found.in_messages && view.is_whole();
        if records.is_empty() {
            self.say(nothing);
        } else if let Some(screen) = self.console.screen().cloned() {
            let is_short = records.iter().nth(MOST_SHOWN).is_none();
            if !(is_short && view.is_whole() && self.are_shown(found)) {
                // Half of the screen for the holders.
                let width = usize::from(screen.size().columns / 2);
                let rows = view.rows(&records, width);
                pager::show(&rows, &screen, self.console, self.transcript)?;
            }
        } else {
            for record in view.sorted(&records) {
                self.transcript.record(&record, in_messages);
            }
        }
        Ok(())
    }

    /// Whether the user has seen these records as a message.
    fn are_shown(&self, found: &Listing) -> bool {
        found.in_messages && self.transcript.shows_messages()
    }

    fn say(&self, what: impl Display) {
        say(what, self.transcript);
    }
}

impl From<Unanswered> for Undone {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Back => Self::Back,
            Unanswered::End => Self::CutOff,
        }
    }
}

fn say(what: impl Display, transcript: &Transcript) {
    transcript.line(format_args!("[PEER] {what}"));
}

/// Where the rest of an answer is that was cut.
const BELOW: &str = ", in the table below";

/// The same for a view, which may leave records out.
fn below(view: &View) -> &'static str {
    if view.is_whole() { BELOW } else { "" }
}

/// The arguments without the version at the end of a request line (`ADD RFC 5 P2P-CI/1.0`), and
/// whether there was one.
fn without_version(arguments: &str) -> (&str, bool) {
    let words = arguments.rsplit_once(char::is_whitespace);
    let (before, last) = words.unwrap_or(("", arguments));
    let last = last.to_ascii_uppercase();
    let is_version = [Protocol::Ci, Protocol::Di]
        .iter()
        .any(|it| it.has_version(&last));
    if is_version {
        (before.trim_end(), true)
    } else {
        (arguments, false)
    }
}

/// Splits a number from the title after it. The number may be two words (`RFC 123`).
fn number_first(arguments: &str) -> (&str, &str) {
    let start = match arguments.split_once(char::is_whitespace) {
        Some((rfc, rest)) if rfc.eq_ignore_ascii_case("rfc") => {
            arguments.len() - rest.trim_start().len()
        }
        _ => 0,
    };
    let rest = arguments.get(start..).unwrap_or_default();
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (number, title) = arguments.split_at(start + end);
    (number, title.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_typed_request_line_is_no_argument() {
        for (typed, arguments, is_request) in [
            ("RFC 2345 P2P-CI/1.0", "RFC 2345", true),
            ("5 A title  p2p-di/2.13", "5 A title", true),
            ("P2P-CI/1.0", "", true),
            (
                "5 About P2P-CI/1.0 again",
                "5 About P2P-CI/1.0 again",
                false,
            ),
            ("5 P2P-CI/1", "5 P2P-CI/1", false),
            ("5 HTTP/1.0", "5 HTTP/1.0", false),
            ("", "", false),
        ] {
            assert_eq!(without_version(typed), (arguments, is_request), "{typed}");
        }
    }
}
