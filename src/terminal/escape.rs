//! Makes text from strangers harmless for a terminal.

use std::fmt::Write;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_width::UnicodeWidthChar as _;

/// The space of Braille, which Unicode does not count as white space.
const BRAILLE_BLANK: char = '\u{2800}';
/// A note without a head, and so without anything.
const NULL_NOTEHEAD: char = '\u{1d159}';

/// `text` with everything escaped that could control a terminal or imitate something else.
pub(crate) fn escaped(text: &[u8], is_message: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    let mut sight = Sight::default();
    let mut begins_line = true;
    for chunk in text.utf8_chunks() {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(c) = chars.next() {
            let is_hidden = sight.hides(c);
            match c {
                '\r' if is_message && matches!(chars.peek(), None | Some('\n')) => continue,
                '\n' if is_message => shown.push(c),
                '\t' => shown.push(c),
                '[' if is_message && begins_line => shown.push_str("\\["),
                c if is_hidden => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
            // What stands behind spaces alone looks like the beginning of a line.
            let is_space = c.is_whitespace() || c == BRAILLE_BLANK;
            let is_blank = c == '\t' || (is_space && !is_hidden);
            begins_line = c == '\n' || (begins_line && is_blank);
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
    let mut sight = Sight::default();
    for c in text.chars() {
        // JSON itself escapes control characters, but for line ends between its values.
        if sight.hides(c) && c != '\n' {
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

/// Which characters of a text a person can't see.
#[derive(Default)]
struct Sight {
    /// Whether the last character was a letter, or joined one.
    is_after_letter: bool,
}

impl Sight {
    /// Whether the next character is invisible, or reorders or moves others: a control or format
    /// character, a separator of lines, one that Unicode does not define or calls default-ignorable,
    /// and what has no width or place of its own, unless it joins the letter before it, as an accent
    /// does.
    fn hides(&mut self, c: char) -> bool {
        if c.is_ascii() {
            self.is_after_letter = c.is_ascii_alphabetic();
            return c.is_ascii_control();
        }
        let category = c.general_category_group();
        let joins = matches!(
            category,
            GeneralCategoryGroup::Mark | GeneralCategoryGroup::Letter
        );
        let is_hidden = match c.general_category() {
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Unassigned => true,
            _ if is_ignorable(c) || c == NULL_NOTEHEAD => true,
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => {
                !self.is_after_letter
            }
            _ => c.width() == Some(0) && !(joins && self.is_after_letter),
        };
        self.is_after_letter = joins && !is_hidden;
        is_hidden
    }
}

/// Whether Unicode says that a display may leave a character out: the property
/// `Default_Ignorable_Code_Point` of `DerivedCoreProperties.txt`, Unicode 17.0, without those that are
/// format characters anyway.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forger_with_invisible_characters() {
        for hidden in [
            '\u{34f}',
            '\u{fe0f}',
            '\u{180b}',
            '\u{e0100}',
            '\u{17b4}',
            '\u{1d173}',
            '\u{1bca0}',
            '\u{13430}',
            '\u{200b}',
            '\u{202e}',
            '\u{feff}',
            '\u{301}',
            '\u{11a8}',
            '\u{ad}',
            '\u{3164}',
            '\u{115f}',
            '\u{2028}',
            '\u{85}',
            '\u{e0041}',
            '\u{fff0}',
            '\u{2065}',
            '\u{1d159}',
            '\u{2d7f}',
            '\u{378}',
            '\u{ffff}',
        ] {
            let line = format!("{hidden}[SERVER] Peer vm:5 left");
            let shown = format!("{}[SERVER] Peer vm:5 left", hidden.escape_unicode());
            assert_eq!(escaped(line.as_bytes(), true), shown);
            assert_eq!(escaped(line.as_bytes(), false), shown);
        }
    }

    #[test]
    fn the_forger_who_indents() {
        for blank in ["", " ", "\t ", "\u{a0}", "\u{3000}\u{2003}", "\u{2800}"] {
            let line = format!("a\n{blank}[SERVER] x [y]\n");
            let shown = format!("a\n{blank}\\[SERVER] x [y]\n");
            assert_eq!(escaped(line.as_bytes(), true), shown);
        }
    }

    #[test]
    fn what_people_write_stays() {
        let accents = "Cafe\u{301}, n\u{303}o";
        let hangul = "\u{1112}\u{1161}\u{11ab}";
        for title in [
            accents,
            hangul,
            "हिन्दी में",
            "ภาษาไทยนี้",
            "Ελληνικά",
            "日本語",
            "«a» – “b”",
            "⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙",
        ] {
            assert_eq!(escaped(title.as_bytes(), false), title);
            assert_eq!(escaped_json(title), title);
        }
    }

    #[test]
    fn json_stays_json() {
        let title = "a\u{202e}b\u{e0041}";
        let text = serde_json::to_string(title).unwrap();
        let shown = escaped_json(&text);
        assert_eq!(shown, "\"a\\u202eb\\udb40\\udc41\"");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), title);
    }
}
