//! The numbered menu (section 6 of the protocol page): asks, does, and asks again.
//!
//! A choice is its number or its name, perhaps with its object: `4`, `get`, `get 3457`. What the
//! protocol page does not know (`find`, `status`) has a name only.

use std::path::Path;

use super::commands::{self, matching};
use crate::index::{IndexError, Listed, Listing, Query};
use crate::node::get::{Got, Place, Spread};
use crate::node::numbers::{self, Selection};
use crate::node::{GetError, Peer};
use crate::printout::Transcript;
use crate::terminal::escape::escaped;
use crate::terminal::pages::{Column, pages};
use crate::terminal::{Expected, Screen};

use crate::wire::{Record, RfcNumber, Title};

const MENU: &str = "1. ADD\n2. LOOKUP\n3. LIST\n4. GET\n5. EXIT\nChoice: ";

/// The names of the choices.
pub const CHOICES: [&str; 8] = [
    "add", "lookup", "list", "get", "exit", "find", "status", "help",
];

const HELP: [&str; 8] = [
    "A choice is its number or its name; an object may follow:",
    "  1  add [N [TITLE]]   register an RFC",
    "  2  lookup [N]        show who has an RFC",
    "  3  list              show everything that anybody has",
    "  4  get [N...]        download RFCs: 123, rfc123, 8600-8605, all",
    "  5  exit              leave the index and end",
    "     find WORDS        show the RFCs whose titles hold all of these words",
    "     status            show how this peer stands",
];

const COLUMNS: [Column; 5] = [
    Column {
        name: "RFC",
        may_be_cut: false,
        is_number: true,
    },
    Column {
        name: "Title",
        may_be_cut: true,
        is_number: false,
    },
    Column {
        name: "Host",
        may_be_cut: true,
        is_number: false,
    },
    Column {
        name: "Port",
        may_be_cut: false,
        is_number: true,
    },
    // Left out where nothing has an end.
    Column {
        name: "TTL",
        may_be_cut: false,
        is_number: true,
    },
];

/// Whoever answers the questions of the menu.
pub trait Answers {
    /// Asks, and returns the answer without the white space around it; `None` at the end of
    /// input.
    fn ask(&mut self, question: &str, expected: Expected) -> Option<String>;

    /// The screen in front of a person; `None` where there is none.
    fn screen(&self) -> Option<&Screen>;

    /// Takes note of RFCs that are known now, with their titles, besides those known before.
    fn learn(&mut self, records: &[Listed]);
}

/// Runs the menu until EXIT or the end of input.
pub fn run(peer: &Peer, answers: &mut impl Answers, transcript: &Transcript) {
    let mut menu = Menu {
        peer,
        answers,
        transcript,
    };
    while menu.one_choice().is_some() {}
}

struct Menu<'a, A> {
    peer: &'a Peer,
    answers: &'a mut A,
    transcript: &'a Transcript,
}

impl<A: Answers> Menu<'_, A> {
    /// Offers the menu once and does what is chosen; `None` is the end.
    fn one_choice(&mut self) -> Option<()> {
        let choice = self.answers.ask(MENU, Expected::Choice)?;
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
                    "{choice:?} is no choice: type a number from 1 to 5."
                ));
                Some(())
            }
        }
    }

    fn add(&mut self, object: &str) -> Option<()> {
        let (number, title) = if object.is_empty() {
            let number = self.number()?;
            (number, self.title("RFC title: ")?)
        } else {
            let (first, title) = number_first(object);
            match (numbers::number(first), title.parse()) {
                (Ok(number), Ok(title)) => (number, title),
                (Err(error), _) | (_, Err(error)) => {
                    self.not_understood(&error);
                    return Some(());
                }
            }
        };
        let title = Some(title).filter(|title: &Title| !title.is_empty());
        match self.peer.add(number, title) {
            Ok(Some(_)) if !self.transcript.shows_messages() => {
                self.say(format_args!("RFC {number} is registered."));
            }
            Ok(_) => {}
            Err(error) if error.is_passing() => {
                self.say(format_args!(
                    "RFC {number} is registered when the index is back: {error}."
                ));
            }
            Err(error) => self.say(format_args!("RFC {number} is not registered: {error}.")),
        }
        Some(())
    }

    fn lookup(&mut self, object: &str) -> Option<()> {
        let (number, title) = if object.is_empty() {
            let number = self.number()?;
            (number, self.title("RFC title (press Enter to skip): ")?)
        } else {
            match numbers::number(object) {
                Ok(number) => (number, Title::default()),
                Err(error) => {
                    self.not_understood(&error);
                    return Some(());
                }
            }
        };
        let query = Query::Number { number, title };
        match self.peer.index.find_first(&query) {
            Ok(found) => self.show(&found),
            Err(error) => {
                self.say(format_args!("RFC {number} was not looked up: {error}."));
                Some(())
            }
        }
    }

    fn list(&mut self) -> Option<()> {
        match self.peer.index.find_first(&Query::All { fresh: false }) {
            Ok(found) if found.records.is_empty() && !found.in_messages => {
                self.say("Nothing is known yet; LOOKUP and find ask the other peers.");
                Some(())
            }
            Ok(found) => self.show(&found),
            Err(error) => {
                self.say_unlisted(&error);
                Some(())
            }
        }
    }

    fn find(&mut self, words: &str) -> Option<()> {
        let words: Vec<_> = words.split_whitespace().collect();
        let found = match self.peer.index.find_first(&Query::All { fresh: true }) {
            Ok(found) => {
                self.answers.learn(&found.records);
                matching(found.records, &words)
            }
            Err(error) => {
                self.say_unlisted(&error);
                return Some(());
            }
        };
        if found.is_empty() {
            self.say("No title has all of these words.");
        }
        if self.answers.screen().is_some() {
            return self.show_table(&found);
        }
        self.print(&found);
        Some(())
    }

    fn say_unlisted(&self, error: &IndexError) {
        self.say(format_args!("The index was not listed: {error}."));
    }

    fn get(&mut self, object: &str) -> Option<()> {
        if object.is_empty() {
            let number = self.number()?;
            let title = self.title("RFC title (press Enter to skip): ")?;
            return self.get_one(number, &title);
        }
        let words: Vec<_> = object.split_whitespace().collect();
        let selection = match Selection::parse(&words) {
            Ok(selection) => selection,
            Err(error) => {
                self.not_understood(&error);
                return Some(());
            }
        };
        match self.peer.selected(&selection) {
            Ok(numbers) => {
                for number in numbers {
                    // Of all that there is, what we have is left alone.
                    let is_here = self.peer.library().path_of(number).is_some();
                    if selection == Selection::All && is_here {
                        continue;
                    }
                    self.get_one(number, &Title::default())?;
                }
                Some(())
            }
            Err(error) => {
                self.say_unlisted(&error);
                Some(())
            }
        }
    }

    fn get_one(&mut self, number: RfcNumber, title: &Title) -> Option<()> {
        let mut ended = false;
        let mut may_replace = |path: &Path| {
            let question = format!("{} exists. Replace it? [y/N]: ", path.display());
            let answer = self.answers.ask(&question, Expected::Text);
            ended = answer.is_none();
            matches!(answer.as_deref(), Some("y" | "Y" | "yes" | "Yes" | "YES"))
        };
        let place = Place::Folder(&mut may_replace);
        let spread = Spread::default();
        match self.peer.get(number, title, place, &spread) {
            Ok(Got::Unknown { in_messages }) if !self.are_shown(in_messages) => {
                self.say(format_args!("Nobody has RFC {number}."));
            }
            Ok(_) => {}
            Err(GetError::Unregistered(error)) => {
                self.say(format_args!(
                    "RFC {number} is downloaded, and not registered: {error}."
                ));
            }
            Err(error) => self.say(format_args!("RFC {number} was not downloaded: {error}.")),
        }
        (!ended).then_some(())
    }

    fn status(&self) {
        for line in commands::status(self.peer) {
            self.say(line);
        }
    }

    fn number(&mut self) -> Option<RfcNumber> {
        self.ask_until_right("RFC number: ", Expected::Number, numbers::number)
    }

    fn title(&mut self, question: &str) -> Option<Title> {
        self.ask_until_right(question, Expected::Text, str::parse)
    }

    fn ask_until_right<T, E: std::fmt::Display>(
        &mut self,
        question: &str,
        expected: Expected,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        loop {
            match read(&self.answers.ask(question, expected)?) {
                Ok(answer) => return Some(answer),
                Err(error) => self.not_understood(&error),
            }
        }
    }

    fn not_understood(&self, error: &dyn std::fmt::Display) {
        self.say(format_args!("Not understood: {error}."));
    }

    /// Shows what was found: as a table on a screen. Elsewhere the messages have shown the records,
    /// where they are printed.
    fn show(&mut self, found: &Listing) -> Option<()> {
        let records = &found.records;
        self.answers.learn(records);
        let are_shown = self.are_shown(found.in_messages);
        if !are_shown && records.is_empty() {
            self.say("Nobody has it.");
        } else if self.answers.screen().is_some() {
            return self.show_table(records);
        } else if !are_shown {
            self.print(records);
        }
        Some(())
    }

    /// Whether the messages that are printed have shown the answer already.
    fn are_shown(&self, in_messages: bool) -> bool {
        in_messages && self.transcript.shows_messages()
    }

    fn print(&self, records: &[Listed]) {
        for record in records {
            self.transcript.line(record);
        }
    }

    /// A screen at a time.
    fn show_table(&mut self, records: &[Listed]) -> Option<()> {
        let Some(size) = self.answers.screen().map(Screen::size) else {
            return Some(());
        };
        let cells = |Listed { record, ttl }: &Listed| {
            let Record {
                number,
                title,
                holder,
            } = record;
            let mut cells = vec![
                number.to_string(),
                escaped(title.as_str().as_bytes(), false),
                holder.host.to_string(),
                holder.port.to_string(),
            ];
            cells.extend(ttl.map(|ttl| ttl.to_string()));
            cells
        };
        let rows: Vec<_> = records.iter().map(cells).collect();
        let width = rows.first().map_or(0, Vec::len);
        let columns = COLUMNS.get(..width).unwrap_or_default();
        let mut shown = 0;
        for page in pages(columns, &rows, size) {
            if shown > 0 {
                let question = format!(
                    "{shown} of {} shown. Enter for more, q for enough: ",
                    rows.len()
                );
                if !self.answers.ask(&question, Expected::Text)?.is_empty() {
                    break;
                }
            }
            // The first line of a page is its header.
            shown += page.lines().count() - 1;
            self.transcript.show(&page);
        }
        Some(())
    }

    fn say(&self, what: impl std::fmt::Display) {
        self.transcript.line(format_args!("[PEER] {what}"));
    }
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
