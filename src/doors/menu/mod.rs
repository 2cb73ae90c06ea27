//! The numbered menu (section 6 of the protocol page): asks, does, and asks again.
//!
//! A choice is its number or its name, perhaps with arguments: `4`, `get`, `get 3457`. What the
//! protocol page does not know (`find`, `status`) has a name only.

mod console;
mod table;

pub use console::Console;

use std::fmt::Display;
use std::path::Path;

use chrono::{DateTime, Local};

use self::table::table;
use crate::node::actions::Registered;
use crate::node::get::{Failed, Place, Replace};
use crate::node::numbers::{self, Selection};
use crate::node::{Code, Failure, LastUpload, Listed, Listing, Node, Outcome, Query, Wanted};
use crate::printout::Transcript;
use crate::terminal::pages::pages;
use crate::terminal::{Expected, Screen};
use crate::wire::{RfcNumber, Title};

const MENU: &str = "1. ADD\n2. LOOKUP\n3. LIST\n4. GET\n5. EXIT\nChoice: ";

const NOBODY: &str = "Nobody has it.";

/// The names of the choices.
const CHOICES: [&str; 8] = [
    "add", "lookup", "list", "get", "exit", "find", "status", "help",
];

const HELP: [&str; 8] = [
    "A choice is its number or its name. Arguments may follow:",
    "  1  add [N [TITLE]]   register an RFC",
    "  2  lookup [N]        show who has an RFC",
    "  3  list              show everything that anybody has",
    "  4  get [N...]        download RFCs: 123, rfc123, 8600-8605, all",
    "  5  exit              leave the index and end",
    "     find WORDS        show the RFCs whose titles hold all of these words",
    "     status            show how this peer stands",
];

/// Runs the menu until EXIT or the end of input.
pub fn run(node: &Node, console: &mut Console, transcript: &Transcript) {
    let mut menu = Menu {
        node,
        console,
        transcript,
    };
    while menu.one_choice().is_some() {}
}

struct Menu<'a> {
    node: &'a Node,
    console: &'a mut Console,
    transcript: &'a Transcript,
}

impl Menu<'_> {
    /// Offers the menu once and does what is chosen; `None` is the end.
    fn one_choice(&mut self) -> Option<()> {
        let choice = self.console.ask(MENU, Expected::Choice)?;
        let (name, object) = choice
            .split_once(char::is_whitespace)
            .unwrap_or((&choice, ""));
        let object = object.trim();
        match (name.to_ascii_lowercase().as_str(), object) {
            ("1" | "add", _) => self.add(object),
            ("2" | "lookup", _) => self.lookup(object),
            ("3" | "list", "") => self.list(),
            ("4" | "get", _) => self.get(object),
            ("5" | "exit", "") => None,
            ("find", words) if !words.is_empty() => self.find(words),
            ("status", "") => {
                self.status();
                Some(())
            }
            ("help" | "?", "") => {
                for line in HELP {
                    self.say(line);
                }
                Some(())
            }
            ("", _) => {
                self.say("Nothing was chosen: type a number from 1 to 5.");
                Some(())
            }
            _ => {
                self.say(format_args!(
                    "Unknown choice {choice:?}: type a number from 1 to 5."
                ));
                Some(())
            }
        }
    }

    fn add(&mut self, object: &str) -> Option<()> {
        let (number, title) = if object.is_empty() {
            (self.number()?, self.title("RFC title: ")?)
        } else {
            let (first, title) = number_first(object);
            let number = self.understood(numbers::number(first));
            let both = number.and_then(|number| Some((number, self.understood(title.parse())?)));
            let Some(both) = both else {
                return Some(());
            };
            both
        };
        let title = Some(title).filter(|title: &Title| !title.is_empty());
        match self.node.add(number, title).map(|added| added.registered) {
            Ok(Registered::Yes) if !self.transcript.shows_messages() => {
                self.say(format_args!("RFC {number} is registered."));
            }
            Ok(Registered::Yes | Registered::Refused) => {}
            Ok(Registered::Later(why)) => self.say(format_args!(
                "RFC {number} is registered when the index is back: {why}."
            )),
            Err(error) => self.say(format_args!("RFC {number} is not registered: {error}.")),
        }
        Some(())
    }

    fn lookup(&mut self, object: &str) -> Option<()> {
        let (number, title) = if object.is_empty() {
            (
                self.number()?,
                self.title("RFC title (press Enter to skip): ")?,
            )
        } else {
            match self.understood(numbers::number(object)) {
                Some(number) => (number, Title::default()),
                None => return Some(()),
            }
        };
        match self.node.find(&Query::Number { number, title }) {
            Ok(found) => return self.show(&found, NOBODY),
            Err(error) => self.say(format_args!("RFC {number} was not looked up: {error}.")),
        }
        Some(())
    }

    fn list(&mut self) -> Option<()> {
        let found = self.listed(self.node.find(&Query::All { fresh: false }));
        found.map_or(Some(()), |found| {
            let nothing = if found.in_messages {
                NOBODY
            } else {
                "Nothing is known yet; LOOKUP and find ask the other peers."
            };
            self.show(&found, nothing)
        })
    }

    fn find(&mut self, words: &str) -> Option<()> {
        let found = self.listed(self.node.find_titles(words));
        found.map_or(Some(()), |found| {
            self.show(&found, "No title has all of these words.")
        })
    }

    /// What the index has listed; where it has not, that is said.
    fn listed<T>(&self, listed: Result<T, Failure>) -> Option<T> {
        listed
            .map_err(|error| self.say(format_args!("The index was not listed: {error}.")))
            .ok()
    }

    fn get(&mut self, object: &str) -> Option<()> {
        if object.is_empty() {
            let number = self.number()?;
            let title = self.title("RFC title (press Enter to skip): ")?;
            return self.get_all(vec![number], title, Replace::Ask);
        }
        let words: Vec<_> = object.split_whitespace().collect();
        let Some(selection) = self.understood(Selection::parse(&words)) else {
            return Some(());
        };
        // Of all that there is, what we have is left alone.
        let replace = match selection {
            Selection::All => Replace::Never,
            Selection::These(_) => Replace::Ask,
        };
        match self.listed(self.node.selected(&selection)) {
            Some(numbers) => self.get_all(numbers, Title::default(), replace),
            None => Some(()),
        }
    }

    /// One after the other, for there may be questions in between.
    fn get_all(&mut self, numbers: Vec<RfcNumber>, title: Title, replace: Replace) -> Option<()> {
        let wanted = Wanted {
            numbers,
            title,
            place: Place::Folder(replace),
            jobs: 1,
        };
        let (console, transcript) = (&mut *self.console, self.transcript);
        let mut has_ended = false;
        let mut ask = |path: &Path| {
            let question = format!("{} exists. Replace it? [y/N]: ", path.display());
            let answer = console.ask(&question, Expected::Text);
            has_ended = answer.is_none();
            Some(matches!(
                answer?.as_str(),
                "y" | "Y" | "yes" | "Yes" | "YES"
            ))
        };
        self.node.get(&wanted, &mut ask, &mut |outcome| {
            say_got(outcome, transcript);
        });
        (!has_ended).then_some(())
    }

    fn status(&self) {
        let is = self.node.status();
        let (folder, counts) = (is.folder.display(), is.counts);
        self.say(format_args!("This peer: {}", is.me));
        self.say(format_args!("Index: {}", is.index));
        self.say(format_args!("Shared: {} RFC(s) of {folder}", is.shared));
        let (number, bytes) = (counts.uploads, counts.uploaded_bytes);
        self.say(format_args!("Uploads: {number} ({bytes} bytes)"));
        let (number, bytes) = (counts.downloads, counts.downloaded_bytes);
        self.say(format_args!("Downloads: {number} ({bytes} bytes)"));
        for LastUpload { number, to, at } in counts.last_uploads {
            let at = DateTime::<Local>::from(at).format("%T");
            self.say(format_args!("RFC {number} was downloaded by {to} at {at}"));
        }
    }

    fn number(&mut self) -> Option<RfcNumber> {
        self.ask_until_right("RFC number: ", Expected::Number, numbers::number)
    }

    fn title(&mut self, question: &str) -> Option<Title> {
        self.ask_until_right(question, Expected::Text, str::parse)
    }

    fn ask_until_right<T, E: Display>(
        &mut self,
        question: &str,
        expected: Expected,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        loop {
            let answer = read(&self.console.ask(question, expected)?);
            if let Some(answer) = self.understood(answer) {
                return Some(answer);
            }
        }
    }

    /// What was read of an answer; where it is wrong, that is said.
    fn understood<T, E: Display>(&self, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.say(format_args!("Not understood: {error}.")))
            .ok()
    }

    /// Shows what was found, or says `nothing`: as a table on a screen. Elsewhere the messages have
    /// shown the records, where they are printed.
    fn show(&mut self, found: &Listing, nothing: &str) -> Option<()> {
        let records = &found.records;
        self.console.learn(records);
        let are_shown = found.in_messages && self.transcript.shows_messages();
        if !are_shown && records.is_empty() {
            self.say(nothing);
        } else if self.console.screen().is_some() {
            return self.show_table(records);
        } else if !are_shown {
            for record in records {
                self.transcript.line(record);
            }
        }
        Some(())
    }

    /// A screen at a time.
    fn show_table(&mut self, records: &[Listed]) -> Option<()> {
        let Some(size) = self.console.screen().map(Screen::size) else {
            return Some(());
        };
        let (columns, rows) = table(records);
        let mut shown = 0;
        for page in pages(columns, &rows, size) {
            if shown > 0 {
                let all = records.len();
                let question = format!("{shown} of {all} shown. Enter for more, q to stop: ");
                if !self.console.ask(&question, Expected::Text)?.is_empty() {
                    break;
                }
            }
            // The first line of a page is its header.
            shown += page.lines().count() - 1;
            self.transcript.show(&page);
        }
        Some(())
    }

    fn say(&self, what: impl Display) {
        say(what, self.transcript);
    }
}

fn say(what: impl Display, transcript: &Transcript) {
    transcript.line(format_args!("[PEER] {what}"));
}

/// Says how a GET has ended, where nothing else does.
fn say_got(outcome: &Outcome, transcript: &Transcript) {
    let what = match outcome {
        Outcome::Downloaded(_) | Outcome::Kept(_) => return,
        Outcome::Interrupted(number) => format!("RFC {number} was not downloaded: interrupted."),
        Outcome::Failed(failed) => {
            let Failed {
                number, failure, ..
            } = failed;
            match failure.code {
                Code::NotFound if failed.in_messages && transcript.shows_messages() => return,
                Code::NotFound => format!("Nobody has RFC {number}."),
                _ if failed.is_here => {
                    format!("RFC {number} is downloaded, and not registered: {failure}.")
                }
                _ => format!("RFC {number} was not downloaded: {failure}."),
            }
        }
    };
    say(what, transcript);
}

/// Parts a number from the title behind it; the number may be two words (`RFC 123`).
fn number_first(object: &str) -> (&str, &str) {
    let start = match object.split_once(char::is_whitespace) {
        Some((rfc, rest)) if rfc.eq_ignore_ascii_case("rfc") => {
            object.len() - rest.trim_start().len()
        }
        _ => 0,
    };
    let rest = object.get(start..).unwrap_or_default();
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (number, title) = object.split_at(start + end);
    (number, title.trim())
}
