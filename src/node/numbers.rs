//! Parses RFC numbers, ranges, and `all`.

use std::collections::BTreeSet;

use crate::wire::{RfcNumber, TermError};

/// The most RFCs that ranges may contain; more is probably a typo.
const MOST: u32 = 100_000;

/// Parses a number: `123`, `rfc123`, `RFC 123` or `rfc123.txt`.
pub fn number(text: &str) -> Result<RfcNumber, TermError> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = match lower.strip_prefix("rfc") {
        Some(rest) => rest.strip_suffix(".txt").unwrap_or(rest).trim_start(),
        None => lower.as_str(),
    };
    // The error quotes the input as typed.
    digits.parse().or_else(|_| text.parse::<RfcNumber>())
}

/// The RFCs that the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Every RFC that another peer has.
    All,
    These(BTreeSet<RfcNumber>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectionError {
    #[error(transparent)]
    Number(#[from] TermError),
    #[error("the range {0:?} ends before it begins")]
    Backwards(String),
    #[error("the ranges contain more than {MOST} RFCs; use `all` to get every RFC")]
    TooMany,
    #[error("`all` cannot be combined with numbers")]
    AllAndMore,
}

impl Selection {
    /// Parses numbers, ranges (`8600-8605`) and `all`.
    pub(crate) fn parse(words: &[impl AsRef<str>]) -> Result<Self, SelectionError> {
        let mut words = words.iter().map(AsRef::as_ref).peekable();
        let mut selected = BTreeSet::new();
        let mut is_all = false;
        while let Some(word) = words.next() {
            // "RFC 123" arrives as two words.
            if word.eq_ignore_ascii_case("rfc") && words.peek().is_some() {
                continue;
            }
            if word.eq_ignore_ascii_case("all") {
                is_all = true;
            } else if let Some((first, last)) = word.split_once('-') {
                if first.is_empty() || last.is_empty() {
                    // The error quotes the whole word.
                    selected.insert(number(word)?);
                    continue;
                }
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return Err(SelectionError::Backwards(word.to_owned()));
                }
                if last.get() - first.get() >= MOST {
                    return Err(SelectionError::TooMany);
                }
                let numbers = first.get()..=last.get();
                selected.extend(numbers.filter_map(RfcNumber::new));
            } else {
                selected.insert(number(word)?);
            }
        }
        if is_all && !selected.is_empty() {
            return Err(SelectionError::AllAndMore);
        }
        if selected.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
            return Err(SelectionError::TooMany);
        }
        Ok(if is_all {
            Self::All
        } else {
            Self::These(selected)
        })
    }

    /// The selected RFC, if there is exactly one.
    pub(crate) fn single(&self) -> Option<RfcNumber> {
        match self {
            Self::These(numbers) if numbers.len() == 1 => numbers.first().copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(text: &str) -> Result<Vec<u32>, SelectionError> {
        let words: Vec<_> = text.split_whitespace().collect();
        match Selection::parse(&words)? {
            Selection::All => Ok(vec![0]),
            Selection::These(numbers) => Ok(numbers.iter().map(|n| n.get()).collect()),
        }
    }

    #[test]
    fn numbers_parse_as_people_type_them() {
        for text in ["123", "rfc123", "RFC 123", "rfc123.txt", " Rfc0123 "] {
            assert_eq!(number(text).unwrap().get(), 123, "{text:?}");
        }
        for wrong in [
            "", "rfc", "rfc 0", "123.txt", "rfc12 3", "x123", "rfc-1", "-1",
        ] {
            let error = number(wrong).unwrap_err().to_string();
            assert!(error.ends_with(&format!("not {wrong:?}")), "{error}");
        }
    }

    #[test]
    fn selections_are_numbers_ranges_and_all() {
        assert_eq!(
            selected("8602 8600-8601 RFC 5 rfc7-rfc8"),
            Ok(vec![5, 7, 8, 8600, 8601, 8602])
        );
        assert_eq!(selected("all"), Ok(vec![0]));
        assert_eq!(selected("all 5"), Err(SelectionError::AllAndMore));
        assert!(matches!(selected("9-5"), Err(SelectionError::Backwards(_))));
        assert_eq!(selected("1-4294967295"), Err(SelectionError::TooMany));
        for wrong in ["5-", "-5", "-1", "-"] {
            let error = selected(wrong).unwrap_err().to_string();
            assert!(error.ends_with(&format!("not {wrong:?}")), "{error}");
        }
        for wrong in ["5-", "-5", "a-b", "rfc", "1-2-3"] {
            assert!(
                matches!(selected(wrong), Err(SelectionError::Number(_))),
                "{wrong}"
            );
        }
    }
}
