//! A document whose first line is empty, after a head without an empty line.
//!
//! For upload servers that send the document directly after the last header field. Most RFCs begin
//! with empty lines, so the first one is taken for the end of the head, and the document is short by
//! exactly this line. It belongs to the document. One that is short by anything else has failed.

use crate::wire::Head;

/// The line at the end of a head that may belong to the document.
pub(in crate::wire) fn last_line(head: &Head) -> Vec<u8> {
    let mut lines = head.text.split_inclusive(|&byte| byte == b'\n');
    let last = lines.next_back().filter(|_| head.is_whole);
    last.unwrap_or_default().to_vec()
}

/// Whether a document of this length was `got` at the close but for this line.
pub(in crate::wire) fn completes(line: &[u8], got: u64, length: u64) -> bool {
    let missing = u64::try_from(line.len()).unwrap_or(u64::MAX);
    missing > 0 && got.checked_add(missing) == Some(length)
}
