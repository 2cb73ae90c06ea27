//! Checks and their verdicts.

use std::collections::BTreeMap;

use super::excerpt::Exchanged;

/// What one part of the protocol asks. A report lists groups in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// ADD, and joining an index.
    Registration,
    /// LIST.
    List,
    /// LOOKUP.
    Lookup,
    /// GET, as the peer that has the file.
    Upload,
    /// The requests that a menu sends.
    Menu,
    /// GET, as the peer that wants the file.
    Download,
    /// 404.
    NotFound,
    /// 400.
    BadRequest,
    /// 505.
    Version,
    /// Closing the connection.
    Leaving,
    /// The messages of a printout.
    Messages,
    /// What a real network needs beyond the protocol. Its points are counted apart.
    Robust,
}

impl Group {
    /// The name, with the number of the scenario if it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "1 registration",
            Self::List => "2 list",
            Self::Lookup => "3 lookup",
            Self::Upload => "4 upload",
            Self::Menu => "menu",
            Self::Download => "4 download",
            Self::NotFound => "5 not found",
            Self::BadRequest => "6 bad request",
            Self::Version => "7 version",
            Self::Leaving => "8 leaving",
            Self::Messages => "messages",
            Self::Robust => "robust",
        }
    }
}

/// A check. Its name is an agreement with those who use it in rubrics: it never changes.
#[derive(Debug)]
pub struct Check {
    /// The name, unique among the checks of one kind of program.
    pub name: &'static str,
    /// What it belongs to.
    pub group: Group,
    /// Its points, unless a rubric says otherwise.
    pub points: u8,
    /// What holds, as a sentence.
    pub sentence: &'static str,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Ok,
    /// It does not.
    Fail(Box<Finding>),
    /// It could not be judged, for this reason.
    Skip(String),
    /// It is not about this program, for this reason, and takes no points from it.
    Moot(String),
}

/// What was seen instead of what was expected. The excerpts are bounded, and safe to print.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// What is wrong.
    pub message: String,
    /// How that usually comes about, if it is known.
    pub cause: Option<&'static str>,
    /// The messages; `None` if it is not about any.
    pub exchanged: Option<Exchanged>,
}

/// Why something does not hold.
#[derive(Debug)]
pub enum Unmet {
    /// The other side deviates.
    Failed(Box<Finding>),
    /// A condition for it could not be made.
    Skipped(String),
}

/// What holds, or why it does not.
pub type Held<T = ()> = Result<T, Unmet>;

impl Unmet {
    /// A deviation that is not about the bytes of one message.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Box::new(Finding {
            message: message.into(),
            ..Finding::default()
        }))
    }

    /// Begins the message of a deviation with when it came about.
    #[must_use]
    pub fn when(mut self, when: &str) -> Self {
        if let Self::Failed(finding) = &mut self {
            finding.message = format!("{when}, {}", finding.message);
        }
        self
    }

    /// Adds how the deviation usually comes about.
    #[must_use]
    pub fn usually(mut self, cause: &'static str) -> Self {
        if let Self::Failed(finding) = &mut self {
            finding.cause.get_or_insert(cause);
        }
        self
    }

    /// Turns a missing condition into a deviation: it could be made before.
    #[must_use]
    pub fn as_failure(self) -> Self {
        match self {
            Self::Skipped(reason) => Self::failed(reason),
            failed @ Self::Failed(_) => failed,
        }
    }

    /// Turns a deviation into a missing condition: what it is a condition for is not judged.
    #[must_use]
    pub fn as_condition(self, what: &str) -> Self {
        match self {
            Self::Failed(finding) => {
                let first = finding.message.lines().next().unwrap_or_default();
                Self::Skipped(format!("{what}: {first}"))
            }
            skipped @ Self::Skipped(_) => skipped,
        }
    }
}

/// The verdicts so far.
#[derive(Debug)]
pub struct Sheet {
    chosen: Vec<&'static Check>,
    verdicts: BTreeMap<&'static str, Verdict>,
}

impl Sheet {
    /// An empty sheet for these checks.
    pub fn new(chosen: Vec<&'static Check>) -> Self {
        Self {
            chosen,
            verdicts: BTreeMap::new(),
        }
    }

    /// Whether one of these checks is to be judged.
    pub fn wants(&self, names: &[&str]) -> bool {
        let mut chosen = self.chosen.iter();
        chosen.any(|check| names.contains(&check.name))
    }

    /// Records the verdict of a check. Returns what holds; otherwise that nothing which needs it
    /// can be judged.
    pub fn judge<T>(&mut self, name: &'static str, held: Held<T>) -> Held<T> {
        match held {
            Ok(held) => {
                self.verdicts.insert(name, Verdict::Ok);
                Ok(held)
            }
            Err(Unmet::Failed(finding)) => {
                self.verdicts.insert(name, Verdict::Fail(finding));
                Err(Unmet::Skipped(format!("{name} does not hold")))
            }
            Err(Unmet::Skipped(reason)) => {
                self.verdicts.insert(name, Verdict::Skip(reason.clone()));
                Err(Unmet::Skipped(reason))
            }
        }
    }

    /// Records that a check is not about this program.
    pub fn pass_over(&mut self, name: &'static str, reason: &str) {
        let verdict = Verdict::Moot(reason.to_owned());
        self.verdicts.insert(name, verdict);
    }

    /// Whether one of these checks holds, or does not.
    pub fn has_judged(&self, names: &[&str]) -> bool {
        let mut verdicts = names.iter().filter_map(|name| self.verdicts.get(name));
        verdicts.any(|verdict| matches!(verdict, Verdict::Ok | Verdict::Fail(_)))
    }

    /// Whether this check was judged and does not hold.
    pub fn has_failed(&self, name: &str) -> bool {
        matches!(self.verdicts.get(name), Some(Verdict::Fail(_)))
    }

    /// The failures of these checks.
    pub fn failures(&mut self, names: &[&str]) -> Vec<&mut Finding> {
        let verdicts = self.verdicts.iter_mut();
        let failures = verdicts.filter_map(|(name, verdict)| match verdict {
            Verdict::Fail(finding) if names.contains(name) => Some(&mut **finding),
            _ => None,
        });
        failures.collect()
    }

    /// Skips those of these checks that have no verdict.
    pub fn skip(&mut self, names: &[&'static str], reason: &str) {
        for name in names {
            let verdict = self.verdicts.entry(name);
            verdict.or_insert_with(|| Verdict::Skip(reason.to_owned()));
        }
    }

    /// The chosen checks with their verdicts, in the order of their groups. `reason` says why those
    /// without a verdict have none.
    pub fn finish(mut self, reason: &str) -> Vec<(&'static Check, Verdict)> {
        let mut all = Vec::new();
        self.chosen.sort_by_key(|check| check.group);
        for check in self.chosen {
            let verdict = self.verdicts.remove(check.name);
            all.push((
                check,
                verdict.unwrap_or_else(|| Verdict::Skip(reason.to_owned())),
            ));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{PEER, PRINTOUT, SERVER};
    use super::*;

    #[test]
    fn nothing_that_needs_a_failed_check_is_judged() {
        let mut sheet = Sheet::new(SERVER.iter().take(3).collect());
        let failed = sheet.judge::<()>("add-ok", Err(Unmet::failed("it says 404")));
        let Err(Unmet::Skipped(reason)) = failed else {
            panic!("{failed:?}");
        };
        sheet.skip(&["add-ok", "add-record"], &reason);
        let verdicts: Vec<_> = sheet.finish("not reached").into_iter().collect();
        assert!(matches!(verdicts[0].1, Verdict::Fail(_)));
        assert_eq!(
            verdicts[1].1,
            Verdict::Skip("add-ok does not hold".to_owned())
        );
        assert_eq!(verdicts[2].1, Verdict::Skip("not reached".to_owned()));
    }

    #[test]
    fn names_are_unique_and_sentences_are_short() {
        for table in [SERVER, PEER, PRINTOUT] {
            for (place, check) in table.iter().enumerate() {
                let same = table.iter().filter(|other| other.name == check.name);
                assert_eq!(same.count(), 1, "{}", check.name);
                assert!(check.sentence.len() < 100, "{}", check.sentence);
                assert!(place == 0 || table[place - 1].group <= check.group);
            }
        }
    }
}
