//! The numbered menu (section 6 of the protocol page): asks, does, and asks again.

use std::path::Path;
use std::str::FromStr;

use super::{GetError, Peer};
use crate::index::Index;
use crate::transcript::Transcript;
use crate::wire::ci::p2s::Record;
use crate::wire::{RfcNumber, Title};

const MENU: &str = "1. ADD\n2. LOOKUP\n3. LIST\n4. GET\n5. EXIT\nChoice: ";

/// Whoever answers the questions of the menu.
pub trait Answers {
    /// Asks, and returns the answer without the white space around it; `None` at the end of
    /// input.
    fn ask(&mut self, question: &str) -> Option<String>;
}

/// Runs the menu until EXIT or the end of input.
pub fn run<I: Index>(peer: &Peer<I>, answers: &mut impl Answers) {
    let mut menu = Menu { peer, answers };
    while menu.one_choice().is_some() {}
}

struct Menu<'a, I, A> {
    peer: &'a Peer<I>,
    answers: &'a mut A,
}

impl<I: Index, A: Answers> Menu<'_, I, A> {
    /// Offers the menu once and does what is chosen; `None` is the end.
    fn one_choice(&mut self) -> Option<()> {
        match self.answers.ask(MENU)?.as_str() {
            "1" => self.add(),
            "2" => self.lookup(),
            "3" => {
                self.list();
                Some(())
            }
            "4" => self.get(),
            "5" => None,
            "" => {
                self.say("Nothing was chosen: type a number from 1 to 5.");
                Some(())
            }
            other => {
                self.say(format_args!(
                    "{other:?} is no choice: type a number from 1 to 5."
                ));
                Some(())
            }
        }
    }

    fn add(&mut self) -> Option<()> {
        let number = self.number()?;
        let title = self.title("RFC title: ")?;
        let title = Some(title).filter(|title| !title.is_empty());
        match self.peer.add(number, title) {
            Ok(true) if !self.transcript().shows_messages() => {
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

    fn lookup(&mut self) -> Option<()> {
        let number = self.number()?;
        let title = self.title("RFC title (press Enter to skip): ")?;
        match self.peer.index.lookup(number, &title) {
            Ok(records) => self.show(&records),
            Err(error) => self.say(format_args!("RFC {number} was not looked up: {error}.")),
        }
        Some(())
    }

    fn list(&self) {
        match self.peer.index.list() {
            Ok(records) => self.show(&records),
            Err(error) => self.say(format_args!("The index was not listed: {error}.")),
        }
    }

    fn get(&mut self) -> Option<()> {
        let number = self.number()?;
        let title = self.title("RFC title (press Enter to skip): ")?;
        let mut ended = false;
        let may_replace = |path: &Path| {
            let question = format!("{} exists. Replace it? [y/N]: ", path.display());
            let answer = self.answers.ask(&question);
            ended = answer.is_none();
            matches!(answer.as_deref(), Some("y" | "Y" | "yes" | "Yes" | "YES"))
        };
        match self.peer.get(number, &title, may_replace) {
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

    fn number(&mut self) -> Option<RfcNumber> {
        self.ask_until_right("RFC number: ")
    }

    fn title(&mut self, question: &str) -> Option<Title> {
        self.ask_until_right(question)
    }

    fn ask_until_right<T: FromStr<Err: std::fmt::Display>>(&mut self, question: &str) -> Option<T> {
        loop {
            match self.answers.ask(question)?.parse() {
                Ok(answer) => return Some(answer),
                Err(error) => self.say(format_args!("Not understood: {error}.")),
            }
        }
    }

    /// With messages printed, the response has shown its records already.
    fn show(&self, records: &[Record]) {
        if self.transcript().shows_messages() {
            return;
        }
        if records.is_empty() {
            self.say("Nobody has it.");
        }
        for record in records {
            self.transcript().line(record);
        }
    }

    fn say(&self, what: impl std::fmt::Display) {
        self.transcript().line(format_args!("[PEER] {what}"));
    }

    fn transcript(&self) -> &Transcript {
        &self.peer.transcript
    }
}
