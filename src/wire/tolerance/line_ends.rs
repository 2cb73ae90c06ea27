//! Requests with bare LF.
//!
//! For servers that split a request at LF, so that CR becomes a part of the version, and answer 505
//! to a version that is theirs. They are asked once more, in this form.

use crate::wire::{Dialect, Status};

/// Whether an answer may mean that CR is not understood.
pub fn may_want_lf(dialect: Dialect, code: u16) -> bool {
    dialect == Dialect::Text && code == Status::VersionNotSupported.code()
}

/// The request with LF at the end of each line.
pub fn with_lf(mut request: Vec<u8>) -> Vec<u8> {
    request.retain(|&byte| byte != b'\r');
    request
}
