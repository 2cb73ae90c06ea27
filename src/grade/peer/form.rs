//! The form of a request: it is what our own peer sends.

use super::index::strict;
use super::seen::Asked;
use crate::grade::check::{Finding, Held, Unmet};
use crate::grade::excerpt::{Exchanged, usual_cause};
use crate::grade::is_same_title;
use crate::wire::ci::p2s::Request;

/// What our server refuses.
pub(super) fn refusal(bytes: &[u8], why: &str) -> Unmet {
    Unmet::Failed(Box::new(Finding {
        message: format!("its request is refused: {why}"),
        cause: None,
        exchanged: Some(Exchanged::new(b"", b"", bytes)),
    }))
}

/// Whether a request is to the byte what our own peer sends. Who reads a title makes one space of
/// several, so it may have several.
pub(super) fn in_form(asked: &Asked) -> Held {
    let whole = with_spaces_of(strict(&asked.request), &asked.bytes);
    // A LOOKUP may have no Title.
    let without_title = match &asked.request {
        Request::Lookup { title, .. } if title.is_empty() => {
            let whole = String::from_utf8_lossy(&whole);
            Some(whole.replace("Title: \r\n", "").into_bytes())
        }
        _ => None,
    };
    if without_title.is_some_and(|short| short == asked.bytes) {
        return Ok(());
    }
    same(&whole, &asked.bytes, "the request")
}

/// The expected request with the spaces within the title that came.
fn with_spaces_of(expected: Vec<u8>, got: &[u8]) -> Vec<u8> {
    let title = |message: &[u8]| {
        let text = str::from_utf8(message).ok()?;
        let mut lines = text.lines();
        let title = lines.find_map(|line| line.strip_prefix("Title: "))?;
        Some(title.to_owned())
    };
    let (Some(strict), Some(came)) = (title(&expected), title(got)) else {
        return expected;
    };
    if !is_same_title(&strict, &came) {
        return expected;
    }
    let expected = String::from_utf8_lossy(&expected);
    let (strict, came) = (format!("Title: {strict}\r\n"), format!("Title: {came}\r\n"));
    expected.replacen(&strict, &came, 1).into_bytes()
}

/// Whether bytes are what they should be.
pub(super) fn same(expected: &[u8], got: &[u8], what: &str) -> Held {
    if expected == got {
        return Ok(());
    }
    Err(Unmet::Failed(Box::new(Finding {
        message: format!("{what} is right, but not to the byte"),
        cause: usual_cause(expected, got),
        exchanged: Some(Exchanged::new(b"", expected, got)),
    })))
}
