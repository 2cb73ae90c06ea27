//! GET at the menu: one RFC at a time, because each may ask a question, and Ctrl-C ends one.

use super::interrupts::Work;
use super::{Menu, Undone, say};
use crate::node::get::{Place, Question, Replace};
use crate::node::numbers::{Selection, SelectionError};
use crate::node::{Actions as _, Code, Outcome, Wanted};
use crate::printout::Transcript;
use crate::terminal::Expected;
use crate::wire::{RfcNumber, Title};

impl Menu<'_> {
    pub(super) fn get(&mut self, arguments: &str) -> Result<(), Undone> {
        let (selection, title) = if arguments.is_empty() {
            let selection = self.selection()?;
            let title = match selection.single() {
                Some(_) => self.title(super::TITLE_OR_NONE)?,
                None => Title::default(),
            };
            (selection, title)
        } else {
            (self.understood(selected(arguments))?, Title::default())
        };
        let numbers = self.ask_index("", || self.node.selected(&selection));
        let numbers = self.or_say(super::UNLISTED, numbers)?;
        match selection {
            Selection::These(_) => self.get_each(&numbers, &title, Replace::Ask),
            Selection::All => self.get_all(&numbers),
        }
    }

    /// Asks for one number or more; an empty answer goes back.
    fn selection(&mut self) -> Result<Selection, Undone> {
        loop {
            match selected(&self.ask_number()?) {
                Ok(selection) => return Ok(selection),
                Err(error) => self.say_again(error),
            }
        }
    }

    /// Downloads what the folder does not have.
    fn get_all(&mut self, numbers: &[RfcNumber]) -> Result<(), Undone> {
        let mut missing = numbers.to_owned();
        missing.retain(|&number| !self.node.has_file(number));
        match (numbers.len(), missing.len()) {
            (0, _) => self.say("Nothing to download: no other peer shares an RFC."),
            (all, 0) => self.say(format_args!(
                "Nothing to download: the folder has all {all} RFC(s) of the other peers."
            )),
            _ => return self.get_each(&missing, &Title::default(), Replace::Never),
        }
        Ok(())
    }

    fn get_each(
        &mut self,
        numbers: &[RfcNumber],
        title: &Title,
        replace: Replace,
    ) -> Result<(), Undone> {
        let (work, transcript) = (self.console.work(), self.transcript);
        for (&number, left) in numbers.iter().zip((0..numbers.len()).rev()) {
            let node = match &work {
                None => self.node.clone(),
                Some(work) => match work.next_download() {
                    Some(sockets) => self.node.with_downloads_on(sockets),
                    None => break,
                },
            };
            let wanted = Wanted {
                numbers: vec![number],
                title: title.clone(),
                place: Place::Folder(replace),
                jobs: 1,
                takes_bare: false,
            };
            let mut unanswered = None;
            let mut ask = |question| {
                let answer = self.yes_or_no(&question_of(&question));
                answer.map_err(|why| unanswered = Some(why)).ok()
            };
            let goes_on = || left > 0 && work.as_ref().is_some_and(Work::goes_on);
            let mut report = |outcome: &Outcome| report(outcome, goes_on(), transcript);
            let get = || node.get(&wanted, &mut ask, &mut report);
            let gotten = transcript.cutting(super::MOST_SHOWN, "", get);
            if let Some(why) = unanswered {
                return Err(why);
            }
            self.or_say("Not downloaded", gotten)?;
            if self.node.is_stopping() {
                break;
            }
        }
        Ok(())
    }

    /// Asks until the answer is yes or no; no answer is no.
    fn yes_or_no(&mut self, question: &str) -> Result<bool, Undone> {
        loop {
            let answer = self.ask(question, Expected::Text)?;
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "" | "n" | "no" => return Ok(false),
                _ => self.say(format_args!(
                    "Not understood: {answer:?} is neither y nor n."
                )),
            }
        }
    }
}

fn selected(typed: &str) -> Result<Selection, SelectionError> {
    let words: Vec<_> = typed.split_whitespace().collect();
    Selection::parse(&words)
}

fn question_of(question: &Question) -> String {
    match question {
        Question::Replace(path) => format!("{} exists. Replace it? [y/N]: ", path.display()),
        Question::TryMore(number, tries) => {
            format!("{tries} peers did not deliver RFC {number}. Try more? [y/N]: ")
        }
    }
}

/// Prints how a GET ended without a file, after the reasons (section 6 of the protocol page).
/// `goes_on`: other downloads follow, which one more Ctrl-C cancels.
fn report(outcome: &Outcome, goes_on: bool, transcript: &Transcript) {
    let failed = match outcome {
        Outcome::Downloaded(_) | Outcome::Kept(_) => return,
        Outcome::Interrupted(number) => {
            let rest = if goes_on {
                " Ctrl-C again cancels the rest."
            } else {
                ""
            };
            let what = format_args!("RFC {number} was not downloaded: canceled.{rest}");
            return say(what, transcript);
        }
        Outcome::Failed(failed) => failed,
    };
    if failed.failure.code == Code::NotFound && !failed.is_downloaded {
        return say(super::NOBODY, transcript);
    }
    if !failed.is_explained || failed.is_downloaded {
        say(format_args!("{failed}."), transcript);
    }
    if !failed.is_downloaded {
        let number = failed.number;
        say(
            format_args!("Could not download RFC {number} from any peer."),
            transcript,
        );
    }
}
