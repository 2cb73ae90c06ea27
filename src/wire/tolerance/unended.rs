//! A last line without its end: `... Title: IPsec`, and then silence.
//!
//! For peers that put lines between line ends, not after each. They send a request with one call and
//! wait for the answer. Most of the existing peers do.
//!
//! The rest of such a line may still arrive from a client that is only slow. It then belongs to the
//! request that was answered, as late fields do.

use super::{padding, wording};
use crate::wire::Head;
use crate::wire::head::trim_line_end;
use crate::wire::protocol::Protocol;

/// The head that ends with the line from `start` on, although this line has no end. `None` if it is
/// one of P2P-DI, whose programs end their lines.
#[cold]
pub(in crate::wire) fn head(head: &Head, start: usize) -> Option<Head> {
    let mut head = head.clone();
    let line = head.text.get(start..).unwrap_or_default();
    let end = start + padding::without(line).len();
    if end > start {
        head.take_line_up_to(start, end);
    }
    head.is_unended = true;
    let is_there = !head.start_line().is_empty();
    (is_there && Protocol::of_request(&head) != Some(Protocol::Di)).then_some(head)
}

/// The head whose last line had no end, with the rest of this line. `None` if `line` is the next
/// request.
pub(in crate::wire) fn continued(head: &Head, line: &[u8]) -> Option<Head> {
    if is_request_line(line) {
        return None;
    }
    let text = [&head.text, line].concat();
    let mut head = Head::default();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let start = head.text.len();
        head.text.extend_from_slice(line);
        head.take_line(start);
    }
    Some(head)
}

fn is_request_line(line: &[u8]) -> bool {
    let line = trim_line_end(line);
    let version = line.rsplit(|&byte| byte == b' ').next();
    version.is_some_and(|word| word.starts_with(b"P2P-")) || wording::greets(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_line_is_told_from_the_next_request() {
        let text = b"LOOKUP RFC 1 P2P-CI/1.0\nHost: v";
        let mut first = Head::default();
        first.text.extend_from_slice(text);
        first.take_line_up_to(0, 23);
        let first = head(&first, 24).unwrap();
        assert_eq!(first.field("Host"), Ok(Some("v")));
        let whole = continued(&first, b"m\r\n").unwrap();
        assert_eq!(whole.field("Host"), Ok(Some("vm")));
        assert_eq!(whole.start_line(), b"LOOKUP RFC 1 P2P-CI/1.0");
        for next in ["LIST ALL P2P-CI/1.0\n", "LIST P2P-CI/2.0 \r\n", "JOIN me\n"] {
            assert!(continued(&first, next.as_bytes()).is_none(), "{next:?}");
        }
    }
}
