//! What is typed into a program, or told to a person who has started the peer.

use super::super::seen::{Event, What};
use super::Subject;
use crate::grade::check::Held;
use crate::grade::options::Step;
use crate::wire::{RfcNumber, Title};

/// Why the peer of a person does nothing more.
pub(super) const HAS_LEFT: &str = "the peer has left";

impl Subject<'_> {
    /// Types what a step needs, or tells the person. Returns since when to look for what follows.
    pub(in crate::grade::peer) fn choose(&self, step: Step, place: u32) -> Held<usize> {
        let (number, title) = self.document(place)?;
        Ok(self.type_or_tell(step, number, &title))
    }

    pub(super) fn type_or_tell(&self, step: Step, number: RfcNumber, title: &Title) -> usize {
        let then = self.seen.now();
        if let Some(program) = &mut *self.program.borrow_mut() {
            if step == Step::Exit {
                program.may_end();
            }
            let keys = self.options.keys(step);
            let keys = keys.replace("{number}", &number.to_string());
            program.type_text(&keys.replace("{title}", title.as_str()));
        } else {
            let what = match step {
                // Whoever starts a peer sees its questions.
                Step::Start => return then,
                Step::Add => format!("ADD, RFC {number}, title {title} (or another file it has)"),
                Step::Lookup => format!("LOOKUP, RFC {number}, title {title}"),
                Step::Get => format!("GET, RFC {number}, title {title}"),
                Step::List => "LIST".to_owned(),
                Step::Exit => "EXIT".to_owned(),
            };
            let time = self.time().as_secs();
            self.stage.say(format_args!(
                "Choose in the menu of your peer: {what} ({time} s)"
            ));
        }
        then
    }

    /// Why something that did not come is missing, with what the program printed last.
    pub(in crate::grade::peer) fn missed(&self, what: &str) -> String {
        let printed = self.printed();
        if let Some(ended) = self.end() {
            return format!("no {what} came, because {ended}{printed}");
        }
        let time = self.time().as_secs();
        self.goes_on_without(what);
        format!("no {what} within {time} s{printed}")
    }

    /// Tells a person that nothing more is waited for in this step.
    pub(in crate::grade::peer) fn goes_on_without(&self, what: &str) {
        if self.is_by_hand() && !self.is_stopped() {
            let time = self.time().as_secs();
            self.stage
                .say(format_args!("No {what} came within {time} s; going on."));
        }
    }

    /// Why nothing more comes from the peer of a person: it has left, and does not connect again. Says
    /// that too. A program is started again where that helps.
    pub(in crate::grade::peer) fn is_over(&self) -> Option<&'static str> {
        if !self.is_by_hand() || self.is_stopped() || self.end().is_none() {
            return None;
        }
        let again = |event: &Event| matches!(event.what, What::Came(_)).then_some(());
        if self.wait(self.seen.now(), again).is_some() {
            return None;
        }
        self.stage
            .say("The peer has left; the remaining steps are skipped.");
        Some(HAS_LEFT)
    }

    pub(super) fn is_by_hand(&self) -> bool {
        self.options.running.run.is_none()
    }

    /// Whether Ctrl-C has ended the grading. It also closes the connections of the peer.
    fn is_stopped(&self) -> bool {
        self.stage.stop.signal().is_some()
    }
}
