//! A list of peers that takes little memory while it is sent.

use std::sync::Arc;

use super::Now;
use crate::registration::entry::Entry;
use crate::wire::di::registration::Registration;

/// The active peers at some time. It shares the records with the table, so it takes 8 bytes for
/// each.
#[derive(Debug)]
pub struct ActivePeers {
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) now: Now,
}

impl ActivePeers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sorts them by cookie.
    pub fn sort(&mut self) {
        self.entries.sort_unstable_by_key(|entry| entry.cookie);
    }

    /// Puts them in random order.
    pub fn shuffle(&mut self) {
        fastrand::shuffle(&mut self.entries);
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Registration> + Clone {
        self.entries
            .iter()
            .map(|entry| entry.registration(self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, at, cookie, ports, register, table};

    #[test]
    fn peers_are_told_by_cookie_with_the_time_they_have_left() {
        let mut table = table();
        for port in [9, 3, 7] {
            register(&mut table, port, None, at(port.into()));
        }
        let told = asked(&mut table, cookie(3), at(10)).unwrap();
        assert_eq!(ports(&told), [9, 3]);
        assert_eq!([told[0].ttl, told[1].ttl], [7199, 7193]);
    }
}
