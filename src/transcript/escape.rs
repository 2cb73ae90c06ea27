//! Text from strangers, made harmless for a terminal.

use std::fmt::Write;

/// `text` with everything escaped that could command a terminal or pass for something else.
pub(super) fn escaped(text: &[u8], is_message: bool) -> String {
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

/// Characters that change the order or the place of others: bidirectional marks and controls,
/// joiners, separators, the byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
