//! An answer of the server under test, as it came.

use crate::grade::check::{Finding, Held, Unmet};
use crate::grade::excerpt::Exchanged;
use crate::wire::Record;

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) sent: Vec<u8>,
    /// The bytes that a faithful server would send.
    pub(super) expected: Vec<u8>,
    pub(super) got: Vec<u8>,
    pub(super) code: u16,
    pub(super) records: Vec<Record>,
}

impl Answer {
    /// This answer, if it has one of these codes.
    pub(super) fn with_code(self, codes: &[u16]) -> Held<Self> {
        if codes.contains(&self.code) {
            return Ok(self);
        }
        let wanted: Vec<_> = codes.iter().map(u16::to_string).collect();
        let (code, wanted) = (self.code, wanted.join(" or "));
        Err(self.unmet(format!("it answered {code} instead of {wanted}")))
    }

    /// A deviation of the content of this answer.
    pub(super) fn unmet(&self, message: impl Into<String>) -> Unmet {
        Unmet::Failed(Box::new(Finding {
            message: message.into(),
            cause: None,
            exchanged: Some(Exchanged::of_content(&self.sent, &self.expected, &self.got)),
        }))
    }
}
