//! The numbered menu (section 6 of the protocol page).
//!
//! A choice is a number or a name, with optional arguments: `4`, `get`, `get 3457`. Choices that
//! the protocol page does not define (`find`, `status`) have only a name.

mod console;
mod table;

pub use console::Console;

use std::fmt::Display;

use chrono::{DateTime, Local};

use self::table::table;
use crate::node::get::{Place, Question, Replace};
use crate::node::numbers::{self, Selection};
use crate::node::{
    Actions as _, Code, Handle, LastUpload, Listing, Outcome, Query, Records, Registered, Wanted,
};
use crate::printout::Transcript;
use crate::terminal::pages::pages;
use crate::terminal::{Expected, Screen};
use crate::wire::{RfcNumber, Title};

const MENU: &str = "1. ADD\n2. LOOKUP\n3. LIST\n4. GET\n5. EXIT\nChoice: ";

const TITLE_OR_NONE: &str = "RFC title (press Enter to skip): ";
const UNLISTED: &str = "Could not list the index";
const NOBODY: &str = "Nobody has it.";

const CHOICES: [&str; 8] = [
    "add", "lookup", "list", "get", "exit", "find", "status", "help",
];

const HELP: [&str; 8] = [
    "A choice is its number or its name. Arguments may follow:",
    "  1  add [N [TITLE]]   register an RFC",
    "  2  lookup [N]        show who has an RFC",
    "  3  list              show all records of the index",
    "  4  get [N...]        download RFCs: 123, rfc123, 8600-8605, all",
    "  5  exit              leave and quit",
    "     find WORDS        show the RFCs whose titles contain all of these words",
    "     status            show the state of this peer",
];

/// Runs the menu until EXIT or the end of input.
pub fn run(node: &Handle, console: &mut Console, transcript: &Transcript) {
    let mut menu = Menu {
        node,
        console,
        transcript,
    };
    while !matches!(menu.one_choice(), Err(Undone::End)) {}
}

struct Menu<'a> {
    node: &'a Handle,
    console: &'a mut Console,
    transcript: &'a Transcript,
}

/// Why a choice was not completed.
enum Undone {
    /// EXIT, or the end of input.
    End,
    /// An error that was printed.
    Reported,
}

impl Menu<'_> {
    /// Shows the menu once and carries out the choice.
    fn one_choice(&mut self) -> Result<(), Undone> {
        let choice = self.ask(MENU, Expected::Choice)?;
        let words = choice.split_once(char::is_whitespace);
        let (name, arguments) = words.unwrap_or((&choice, ""));
        let arguments = arguments.trim();
        match (name.to_ascii_lowercase().as_str(), arguments) {
            ("1" | "add", _) => self.add(arguments)?,
            ("2" | "lookup", _) => self.lookup(arguments)?,
            ("3" | "list", "") => self.list()?,
            ("4" | "get", _) => self.get(arguments)?,
            ("5" | "exit", "") => return Err(Undone::End),
            ("find", words) if !words.is_empty() => self.find(words)?,
            ("status", "") => self.status(),
            ("help" | "?", "") => HELP.iter().for_each(|line| self.say(line)),
            ("", _) => self.say("Nothing was chosen: type a number from 1 to 5."),
            _ => self.say(format_args!(
                "Unknown choice {choice:?}: type a number from 1 to 5."
            )),
        }
        Ok(())
    }

    fn add(&mut self, arguments: &str) -> Result<(), Undone> {
        let (number, title) = if arguments.is_empty() {
            (self.number()?, self.title("RFC title: ")?)
        } else {
            let (number, title) = number_first(arguments);
            let number = self.understood(numbers::number(number))?;
            (number, self.understood(title.parse())?)
        };
        let title = Some(title).filter(|title: &Title| !title.is_empty());
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
        let (number, title) = if arguments.is_empty() {
            (self.number()?, self.title(TITLE_OR_NONE)?)
        } else {
            let number = self.understood(numbers::number(arguments))?;
            (number, Title::default())
        };
        let found = self.node.find(&Query::Number { number, title });
        let found = self.or_say(format_args!("RFC {number} was not looked up"), found)?;
        self.show(&found, NOBODY)
    }

    fn list(&mut self) -> Result<(), Undone> {
        let found = self.or_say(UNLISTED, self.node.find(&Query::All { fresh: false }))?;
        let nothing = if found.in_messages {
            NOBODY
        } else {
            "No records are known yet; LOOKUP and find ask the other peers."
        };
        self.show(&found, nothing)
    }

    fn find(&mut self, words: &str) -> Result<(), Undone> {
        let found = self.or_say(UNLISTED, self.node.find_titles(words))?;
        self.show(&found, "No title has all of these words.")
    }

    fn get(&mut self, arguments: &str) -> Result<(), Undone> {
        if arguments.is_empty() {
            let (number, title) = (self.number()?, self.title(TITLE_OR_NONE)?);
            return self.get_all(vec![number], title, Replace::Ask);
        }
        let words: Vec<_> = arguments.split_whitespace().collect();
        let selection = self.understood(Selection::parse(&words))?;
        // `all` skips the RFCs that the folder has.
        let replace = match selection {
            Selection::All => Replace::Never,
            Selection::These(_) => Replace::Ask,
        };
        let numbers = self.or_say(UNLISTED, self.node.selected(&selection))?;
        self.get_all(numbers, Title::default(), replace)
    }

    /// Downloads one RFC at a time, because each may ask a question.
    fn get_all(
        &mut self,
        numbers: Vec<RfcNumber>,
        title: Title,
        replace: Replace,
    ) -> Result<(), Undone> {
        let wanted = Wanted {
            numbers,
            title,
            place: Place::Folder(replace),
            jobs: 1,
            takes_bare: false,
        };
        let (console, transcript) = (&mut *self.console, self.transcript);
        let mut has_ended = false;
        let mut ask = |question: Question| {
            let question = match question {
                Question::Replace(path) => {
                    format!("{} exists. Replace it? [y/N]: ", path.display())
                }
                Question::TryMore(number, tries) => {
                    format!("{tries} peers did not deliver RFC {number}. Try more? [y/N]: ")
                }
            };
            let answer = console.ask(&question, Expected::Text);
            has_ended = answer.is_none();
            let answer = answer?.to_ascii_lowercase();
            Some(matches!(answer.as_str(), "y" | "yes"))
        };
        let mut report = |outcome: &Outcome| report(outcome, transcript);
        let gotten = self.node.get(&wanted, &mut ask, &mut report);
        if has_ended {
            return Err(Undone::End);
        }
        self.or_say("Not downloaded", gotten).map(drop)
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

    fn number(&mut self) -> Result<RfcNumber, Undone> {
        self.ask_until_valid("RFC number: ", Expected::Number, numbers::number)
    }

    fn title(&mut self, question: &str) -> Result<Title, Undone> {
        self.ask_until_valid(question, Expected::Text, str::parse)
    }

    fn ask_until_valid<T, E: Display>(
        &mut self,
        question: &str,
        expected: Expected,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, Undone> {
        loop {
            let answer = read(&self.ask(question, expected)?);
            if let Ok(answer) = self.understood(answer) {
                return Ok(answer);
            }
        }
    }

    fn ask(&mut self, question: &str, expected: Expected) -> Result<String, Undone> {
        self.console.ask(question, expected).ok_or(Undone::End)
    }

    fn understood<T, E: Display>(&self, read: Result<T, E>) -> Result<T, Undone> {
        self.or_say("Not understood", read)
    }

    /// Prints an error.
    fn or_say<T, E: Display>(&self, failed: impl Display, done: Result<T, E>) -> Result<T, Undone> {
        done.map_err(|error| {
            self.say(format_args!("{failed}: {error}."));
            Undone::Reported
        })
    }

    /// Shows the records, or says `nothing`: as a table on a screen. Elsewhere it prints them only
    /// if no printed message has shown them.
    fn show(&mut self, found: &Listing, nothing: &str) -> Result<(), Undone> {
        let records = &found.records;
        self.console.learn(records);
        if let Some(coverage) = &found.coverage {
            self.say(coverage);
        }
        let are_shown = found.in_messages && self.transcript.shows_messages();
        if !are_shown && records.is_empty() {
            self.say(nothing);
        } else if self.console.screen().is_some() {
            return self.show_table(records);
        } else if !are_shown {
            for record in records.iter() {
                self.transcript.line(record);
            }
        }
        Ok(())
    }

    /// Shows one page at a time.
    fn show_table(&mut self, records: &Records) -> Result<(), Undone> {
        let Some(size) = self.console.screen().map(Screen::size) else {
            return Ok(());
        };
        let (columns, rows) = table(records);
        let (mut shown, all) = (0, records.len());
        for page in pages(columns, rows, size) {
            if shown > 0 {
                let question = format!("{shown} of {all} shown. Enter for more, q to stop: ");
                if !self.ask(&question, Expected::Text)?.is_empty() {
                    break;
                }
            }
            // The first line of a page is its header.
            shown += page.lines().count() - 1;
            self.transcript.show(&page);
        }
        Ok(())
    }

    fn say(&self, what: impl Display) {
        say(what, self.transcript);
    }
}

fn say(what: impl Display, transcript: &Transcript) {
    transcript.line(format_args!("[PEER] {what}"));
}

/// Prints an outcome unless an event or a message has shown it.
fn report(outcome: &Outcome, transcript: &Transcript) {
    let what = match outcome {
        Outcome::Downloaded(_) | Outcome::Kept(_) => return,
        Outcome::Interrupted(number) => format!("RFC {number} was not downloaded: interrupted."),
        Outcome::Failed(failed) => match failed.failure.code {
            Code::NotFound if failed.in_messages && transcript.shows_messages() => return,
            Code::NotFound => format!("Nobody has RFC {}.", failed.number),
            _ => format!("{failed}."),
        },
    };
    say(what, transcript);
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
