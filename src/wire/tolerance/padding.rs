//! `~`, `!` or `\&!` after a message.
//!
//! For peers that fill every message up to the size of their buffer, and drop the rest of what they
//! read. Their answers need no padding.

/// The characters of padding. No request begins with one of them.
const CHARACTERS: &[u8] = b"~!\\&";

/// The last line of a message without its padding. One `!` or `~` at the end of a text may belong to
/// it; more of them do not.
pub(super) fn without(line: &[u8]) -> &[u8] {
    if prefix(line) == line.len() {
        return b"";
    }
    for unit in [b"\\&!".as_slice(), b"~", b"!"] {
        let mut rest = line;
        while let Some(shorter) = rest.strip_suffix(unit) {
            rest = shorter;
        }
        if line.len() - rest.len() > 1 {
            return rest;
        }
    }
    line
}

/// How many bytes of padding precede a request.
pub(in crate::wire) fn prefix(bytes: &[u8]) -> usize {
    let is_padding = |byte: &&u8| CHARACTERS.contains(byte);
    bytes.iter().take_while(is_padding).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_ends_and_a_title_keeps_its_mark() {
        for (line, expected) in [
            ("Title: a~~~~", "Title: a"),
            ("Title: a!!!", "Title: a"),
            ("Title: a\\&!", "Title: a"),
            ("Title: a\\&!\\&!", "Title: a"),
            ("Title: Yes!", "Title: Yes!"),
            ("Title: a~", "Title: a~"),
            ("Title: a", "Title: a"),
            ("~", ""),
            ("!!!", ""),
            ("\\&!", ""),
            ("", ""),
        ] {
            assert_eq!(without(line.as_bytes()), expected.as_bytes(), "{line:?}");
        }
        assert_eq!(prefix(b"~~!\\&!ADD"), 6);
    }
}
