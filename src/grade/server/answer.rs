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

    /// Whether it has this record, in whatever form: in one line, with the same words.
    pub(super) fn names(&self, record: &Record) -> bool {
        let words = [
            record.number.to_string(),
            record.title.to_string(),
            record.holder.host.to_string(),
            record.holder.port.to_string(),
        ];
        let is_it = |line: &str| words.iter().all(|word| has_word(line, word));
        self.records.contains(record) || self.has_line_that(is_it)
    }

    /// Whether the line of this record came, if only after the end of the answer.
    pub(super) fn has_line(&self, record: &Record) -> bool {
        let record = record.to_string();
        self.has_line_that(|line| line.trim_end() == record)
    }

    fn has_line_that(&self, holds: impl Fn(&str) -> bool) -> bool {
        let text = String::from_utf8_lossy(&self.got);
        // What is before the status line belongs to an answer before.
        let own = text.rfind("P2P-CI/").and_then(|start| text.get(start..));
        own.unwrap_or_default().lines().skip(1).any(holds)
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

/// Whether a line has these words, and not only as a part of longer ones.
fn has_word(line: &str, words: &str) -> bool {
    line.match_indices(words).any(|(start, _)| {
        let before = line.get(..start).unwrap_or_default();
        let after = line.get(start + words.len()..).unwrap_or_default();
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_its_words_in_any_order() {
        let record = Record {
            number: "12".parse().unwrap(),
            title: "A Title".parse().unwrap(),
            holder: "vm:50".parse().unwrap(),
        };
        let head = "P2P-CI/1.0 200 OK\r\n\r\n";
        for (lines, is_named) in [
            ("RFC 12 A Title vm 50\r\n", true),
            ("RFC 12 vm 50 A Title\r\n", true),
            ("12, A Title, vm, 50\n", true),
            ("RFC 12 vm 501 A Title\r\n", false),
            ("RFC 112 vm 50 A Title\r\n", false),
            ("RFC 12 vm\r\n50 A Title\r\n", false),
        ] {
            let answer = |got: String| Answer {
                sent: Vec::new(),
                expected: Vec::new(),
                got: got.into_bytes(),
                code: 200,
                records: Vec::new(),
            };
            let named = answer(format!("{head}{lines}")).names(&record);
            assert_eq!(named, is_named, "{lines:?}");
            let before = answer(format!("{lines}{head}"));
            assert!(!before.names(&record), "{lines:?}");
        }
    }
}
