//! What a reader takes at a time: which records, from where on, and how many.

use super::records::Sequence;
use crate::wire::RfcNumber;
use crate::wire::ci::RecordLines;

/// The most records in one page of [`Catalog::records`](super::Catalog::records) or [`Scope::Of`],
/// and in one chunk of a removal: the lock is held for that many at a time.
pub const PAGE: usize = 256;
/// A page ends with what exceeds this many bytes.
pub(super) const PAGE_BYTES: usize = 64 * 1024;

/// Selects records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The records of one RFC.
    Of(RfcNumber),
    /// All records.
    All,
}

/// The start of the next page. The default is the newest record.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    pub(super) before: Sequence,
}

impl Cursor {
    /// The records that were added before the one with this number.
    pub fn before(sequence: u64) -> Self {
        Self {
            before: sequence.into(),
        }
    }

    /// The number of the record before which it is.
    pub fn sequence(self) -> u64 {
        self.before.into()
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            before: Sequence::MAX,
        }
    }
}

pub(super) fn is_full(page: &RecordLines) -> bool {
    page.len() >= PAGE || page.size() > PAGE_BYTES
}
