//! Makes text from strangers harmless for a terminal.

use std::fmt::Write;

/// `text` with everything escaped that could control a terminal or imitate something else.
pub(crate) fn escaped(text: &[u8], is_message: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    let mut begins_line = true;
    for chunk in text.utf8_chunks() {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' if is_message && matches!(chars.peek(), None | Some('\n')) => {}
                '\n' if is_message => shown.push(c),
                '\t' => shown.push(c),
                '[' if is_message && begins_line => shown.push_str("\\["),
                c if c.is_control() || is_invisible(c) => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
            begins_line = c == '\n';
        }
        for byte in chunk.invalid() {
            // Writing to memory does not fail.
            let _ = write!(shown, "\\x{byte:02x}");
            begins_line = false;
        }
    }
    shown
}

/// JSON text with such characters escaped in the JSON way.
pub(crate) fn escaped_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to memory does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters that reorder or move others, or are invisible: bidirectional marks and controls,
/// joiners, fillers, separators, tags, the byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json() {
        let title = "a\u{202e}b\u{e0041}";
        let text = serde_json::to_string(title).unwrap();
        let shown = escaped_json(&text);
        assert_eq!(shown, "\"a\\u202eb\\udb40\\udc41\"");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), title);
    }
}
