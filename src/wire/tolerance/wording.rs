//! Other words: `LIST P2P-CI/1.0` for `LIST ALL`, `GET 123 P2P-CI/1.0` for `GET RFC 123`, and a
//! greeting such as `JOIN P2P-CI/1.0` or `CONNECT 50123 P2P-CI/1.0`.
//!
//! For peers of course projects whose authors chose some words of their own. A request that follows
//! the agreement in its lines is held to its words too.

use crate::wire::head::Head;
use crate::wire::protocol::{Protocol, split_version};

/// What begins a greeting.
const GREETINGS: [&[u8]; 4] = [b"JOIN", b"INIT", b"CONNECT", b"REGISTER"];

/// Whether the request is `LIST` without `ALL`.
pub(in crate::wire) fn is_list(head: &Head) -> bool {
    is_sloppy(head) && before_version(head).is_some_and(|words| words.trim_end() == "LIST")
}

/// The number in a GET that does not say `RFC`.
pub(in crate::wire) fn number_to_get(head: &Head) -> Option<&str> {
    let words = before_version(head).filter(|_| is_sloppy(head))?;
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    words.strip_prefix("GET ").filter(is_number)
}

/// Whether the request is a greeting without an empty line. It is answered and has no effect: the
/// requests after it have all that is needed. Peers of P2P-DI are not greeted here.
pub(in crate::wire) fn is_greeting(head: &Head) -> bool {
    let is_di = || Protocol::of_request(head) == Some(Protocol::Di);
    !head.is_whole && greets(head.start_line()) && !is_di()
}

/// Whether a start line is one of a greeting.
pub(super) fn greets(line: &[u8]) -> bool {
    let word = line.split(|&byte| byte == b' ').next();
    word.is_some_and(|word| GREETINGS.contains(&word))
}

fn is_sloppy(head: &Head) -> bool {
    !head.is_faithful()
}

/// The words before our version.
fn before_version(head: &Head) -> Option<&str> {
    let (words, version) = split_version(head)?;
    (version == Protocol::Ci.version()).then_some(words)
}
