//! A head that is none: the document, or a part of it, where header fields should be.
//!
//! For upload servers that send the document as a header field, without an empty line, or with one
//! too early. Nothing can be made of them, and the file would be a wrong one, so the download fails.

use crate::wire::{Head, ReadError};

/// The header fields of a document, except `Date`, with which a text may begin.
const NAMES: [&str; 4] = ["OS:", "Last-Modified:", "Content-Length:", "Content-Type:"];

/// Checks that every line of the head of a document is a field.
pub(in crate::wire) fn check(head: &Head) -> Result<(), ReadError> {
    let is_right = head.is_well_formed().then_some(());
    is_right.ok_or(ReadError::MixedHead)
}

/// Checks that a document whose length was not announced does not begin with the rest of its head.
pub(in crate::wire) fn check_document(begin: &[u8]) -> Result<(), ReadError> {
    let begins_with = |name: &&str| {
        let begin = begin.get(..name.len()).unwrap_or_default();
        begin.eq_ignore_ascii_case(name.as_bytes())
    };
    if NAMES.iter().any(begins_with) {
        return Err(ReadError::MixedHead);
    }
    Ok(())
}
