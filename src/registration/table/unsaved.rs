//! What has changed since the table was last saved, and how to take it back.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use super::Registrar;
use crate::registration::entry::Entry;
use crate::wire::di::registration::Cookie;

/// What has changed since it was last taken to be saved.
#[derive(Debug, Clone, Default)]
pub(in crate::registration) struct Unsaved {
    /// The changed records, as they were before; `None` for a new one.
    pub(in crate::registration) changed: BTreeMap<Cookie, Option<Arc<Entry>>>,
    /// The records whose time to live was renewed.
    pub(in crate::registration) renewed: BTreeSet<Cookie>,
}

impl Registrar {
    /// Remembers a record before its first change since the last save.
    pub(super) fn remember(&mut self, cookie: Cookie) {
        let before = || self.entries.all.get(&cookie).cloned();
        self.unsaved.changed.entry(cookie).or_insert_with(before);
    }

    /// Takes what has changed since the last call.
    pub(in crate::registration) fn take_unsaved(&mut self) -> Unsaved {
        mem::take(&mut self.unsaved)
    }

    /// Takes back changes that could not be saved. The latest must be taken back first. Renewed
    /// times to live stay, and are saved with the next changes.
    pub(in crate::registration) fn undo(&mut self, unsaved: Unsaved) {
        for cookie in unsaved.changed.keys() {
            self.entries.forget(*cookie);
        }
        for before in unsaved.changed.into_values().flatten() {
            self.entries.restore(Entry::clone(&before));
        }
        self.unsaved.renewed.extend(unsaved.renewed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, claim, cookie, peer, register, table};
    use crate::wire::di::registration::Claim;

    #[test]
    fn changes_that_could_not_be_saved_are_taken_back() {
        let mut table = table();
        table.most = 4;
        for port in 5..9 {
            register(&mut table, port, None, at(0));
        }
        table.leave(&claim(cookie(1)), at(1)).unwrap();
        table.take_unsaved();
        let before = table.clone();
        // Two commits fail. In them a new peer displaces an inactive one, one takes over the endpoint
        // of another, and one leaves.
        register(&mut table, 10, None, at(2));
        register(&mut table, 7, Some(cookie(2)), at(2));
        let first = table.take_unsaved();
        register(&mut table, 10, None, at(3));
        table.leave(&claim(cookie(4)), at(3)).unwrap();
        let second = table.take_unsaved();
        table.undo(second);
        table.undo(first);
        for number in 1..=5 {
            let number = cookie(number);
            let now = at(4);
            assert_eq!(
                table.registration(number, now),
                before.registration(number, now)
            );
        }
        assert_eq!(table.entries.by_peer, before.entries.by_peer);
        assert_eq!(table.entries.by_expiry, before.entries.by_expiry);
    }

    #[test]
    fn what_is_refused_is_not_saved() {
        let mut table = table();
        let first = register(&mut table, 5, None, at(0)).cookie;
        table.take_unsaved();
        table.leave(&claim(cookie(9)), at(1)).unwrap_err();
        table.keep_alive(&claim(cookie(9)), at(1)).unwrap_err();
        let wrong = Claim {
            peer: Some(peer(6)),
            ..claim(first)
        };
        table.leave(&wrong, at(1)).unwrap_err();
        let unsaved = table.take_unsaved();
        assert!(unsaved.changed.is_empty() && unsaved.renewed.is_empty());
        table.keep_alive(&claim(first), at(2)).unwrap();
        let unsaved = table.take_unsaved();
        assert!(unsaved.changed.is_empty() && unsaved.renewed.contains(&first));
        // Leaving a second time changes nothing.
        table.leave(&claim(first), at(3)).unwrap();
        table.take_unsaved();
        table.leave(&claim(first), at(4)).unwrap();
        assert!(table.take_unsaved().changed.is_empty());
    }
}
