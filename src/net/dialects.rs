//! Which dialect (text or frames) each remote side speaks, as far as known, and who wants lines that
//! end with bare LF.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::wire::{Dialect, Endpoint};

/// The most addresses that are remembered.
const MOST: usize = 100_000;

/// The dialects of remote sides. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Dialects {
    only: Option<Dialect>,
    known: Arc<Mutex<HashMap<Endpoint, Dialect>>>,
    /// Those whose requests have bare LF.
    with_lf: Arc<Mutex<HashSet<Endpoint>>>,
}

impl Dialects {
    /// Speaks one dialect to everybody; with `None`, tries text first, then frames if text is not
    /// understood.
    pub fn new(only: Option<Dialect>) -> Self {
        Self {
            only,
            ..Self::default()
        }
    }

    /// The dialects to try with a remote side, in order.
    pub fn attempts(&self, other: &Endpoint) -> &'static [Dialect] {
        let known = self.known.lock();
        match self.only.or_else(|| known.get(other).copied()) {
            Some(Dialect::Text) => &[Dialect::Text],
            Some(Dialect::Framed) => &[Dialect::Framed],
            None => &[Dialect::Text, Dialect::Framed],
        }
    }

    /// Remembers that a remote side answered in this dialect.
    pub fn learn(&self, other: &Endpoint, dialect: Dialect) {
        let mut known = self.known.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(other.clone(), dialect);
    }

    /// Whether text comes first, and then perhaps frames.
    pub fn is_open(&self, other: &Endpoint) -> bool {
        self.attempts(other).len() > 1
    }

    /// Remembers that a remote side understands lines only with bare LF.
    pub fn learn_lf(&self, other: &Endpoint) {
        let mut with_lf = self.with_lf.lock();
        if with_lf.len() >= MOST {
            with_lf.clear();
        }
        with_lf.insert(other.clone());
    }

    /// Whether a remote side understands lines only with bare LF, as far as known.
    pub fn has_lf(&self, other: &Endpoint) -> bool {
        self.with_lf.lock().contains(other)
    }

    /// Tries each dialect in turn, as long as the answer is `nonsense`. If none works, the first
    /// error is returned.
    pub fn try_each<T, E>(
        &self,
        other: &Endpoint,
        nonsense: impl Fn(&E) -> bool,
        mut speak: impl FnMut(Dialect) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut first = None;
        for &dialect in self.attempts(other) {
            match speak(dialect) {
                Ok(done) => {
                    self.learn(other, dialect);
                    return Ok(done);
                }
                Err(error) if nonsense(&error) => {
                    first.get_or_insert(error);
                }
                Err(error) => return Err(first.unwrap_or(error)),
            }
        }
        match first {
            Some(error) => Err(error),
            // There is always at least one attempt.
            None => speak(Dialect::Text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Framed, Text};

    fn vm() -> Endpoint {
        Endpoint::parse("vm:5", crate::wire::Port::MIN).unwrap()
    }

    #[test]
    fn text_comes_first_and_what_was_understood_is_remembered() {
        let dialects = Dialects::default();
        let mut spoken = Vec::new();
        let mut speak = |dialect| {
            spoken.push(dialect);
            if dialect == Framed {
                Ok(())
            } else {
                Err("nonsense")
            }
        };
        let nonsense = |error: &&str| *error == "nonsense";
        dialects.try_each(&vm(), nonsense, &mut speak).unwrap();
        dialects.try_each(&vm(), nonsense, &mut speak).unwrap();
        assert_eq!(spoken, [Text, Framed, Framed]);
    }

    #[test]
    fn who_wants_bare_lf_is_remembered_by_every_clone() {
        let dialects = Dialects::default();
        assert!(!dialects.has_lf(&vm()) && dialects.is_open(&vm()));
        dialects.clone().learn_lf(&vm());
        dialects.learn(&vm(), Text);
        assert!(dialects.has_lf(&vm()) && !dialects.is_open(&vm()));
    }

    #[test]
    fn an_error_that_is_no_nonsense_ends_it_and_the_first_nonsense_is_told() {
        let dialects = Dialects::default();
        let all = |answers: [&'static str; 2]| {
            let mut answers = answers.into_iter();
            let speak = |_| Err::<(), _>(answers.next().unwrap());
            dialects
                .try_each(&vm(), |error| *error != "away", speak)
                .unwrap_err()
        };
        assert_eq!(all(["away", "never"]), "away");
        assert_eq!(all(["closed", "closed too"]), "closed");
        assert_eq!(all(["closed", "away"]), "closed");
        let only = Dialects::new(Some(Framed));
        assert_eq!(only.attempts(&vm()), [Framed]);
    }
}
