//! Counts the requests of a side, to find them on the other.

use std::collections::BTreeMap;

use super::File;

/// How often each message is there.
pub(super) type Counts = BTreeMap<Vec<String>, usize>;

pub(super) fn count(files: &[&File], is_it: impl Fn(&str) -> bool) -> Counts {
    let mut counts = Counts::new();
    for exchange in files.iter().flat_map(|file| &file.exchanges) {
        if is_it(exchange.request.start_line()) {
            *counts.entry(exchange.request.lines.clone()).or_default() += 1;
        }
    }
    counts
}

pub(super) fn take(counts: &mut Counts, lines: &[String]) -> bool {
    let Some(count) = counts.get_mut(lines).filter(|count| **count > 0) else {
        return false;
    };
    *count -= 1;
    true
}
