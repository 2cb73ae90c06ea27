//! A status line without its end: `P2P-CI/1.0 404 Not Found`, and then silence.
//!
//! For servers that end a line only where another one follows, and keep the connection open.

use crate::wire::protocol::Protocol;

/// Whether what arrived of a line is a status line that may be complete.
pub(in crate::wire) fn may_be_whole(line: &[u8]) -> bool {
    Protocol::Ci.status_code(line).is_some()
}
