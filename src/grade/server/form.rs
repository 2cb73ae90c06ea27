//! The form of an answer: it is what our own server sends.

use super::answer::Answer;
use crate::grade::check::{Finding, Held, Unmet};
use crate::grade::excerpt::{Exchanged, usual_cause};
use crate::wire::ci::p2s::Request;
use crate::wire::ci::server::Conversation;
use crate::wire::{Record, Status};

/// The answer of our own server to this request, with these records.
pub(super) fn answer(request: &Request, records: &[Record]) -> Vec<u8> {
    Conversation::default().whole_answer(request, records)
}

/// Its answer to a request that it refuses.
pub(super) fn refusal(status: Status) -> Vec<u8> {
    Conversation::default().refusal(status)
}

/// Whether an answer is to the byte what our server would say with the same records: its content is
/// judged elsewhere.
pub(super) fn of_records(answer: &Answer, request: &Request) -> Held {
    let strict = self::answer(request, &answer.records);
    same(answer, &strict)
}

/// Whether a refusal is a status line and one or two empty lines.
pub(super) fn of_refusal(answer: &Answer) -> Held {
    let long = &answer.expected;
    let short = long.strip_suffix(b"\r\n").unwrap_or(long);
    let lines = |message: &[u8]| message.split(|byte| *byte == b'\n').count();
    let is_short = lines(&answer.got) <= lines(short);
    same(answer, if is_short { short } else { long })
}

fn same(answer: &Answer, strict: &[u8]) -> Held {
    if answer.got == strict {
        return Ok(());
    }
    Err(Unmet::Failed(Box::new(Finding {
        message: "the answer is right, but not to the byte".to_owned(),
        cause: usual_cause(strict, &answer.got),
        exchanged: Some(Exchanged::new(&answer.sent, strict, &answer.got)),
    })))
}
