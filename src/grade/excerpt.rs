//! Messages as a report shows them: bounded, with visible line ends, and safe for a terminal.

use crate::terminal::escape::escaped;

/// The longest excerpt, in bytes.
pub const MAX_EXCERPT: usize = 2 * 1024;
/// The room for its beginning and for its end. The rest is for what says how much is left out.
const PART: usize = 980;
/// The longest line about a printout, in bytes: a report may have several.
const MAX_LINE: usize = 400;
/// The longest message whose cause is looked for, in bytes.
const MAX_COMPARED: usize = 64 * 1024;

/// What was sent, expected and received, as excerpts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchanged {
    /// What the grader sent.
    pub sent: String,
    /// What it expected.
    pub expected: String,
    /// What came instead,
    pub got: String,
    /// and where that first differs: a line of `got`, counted from 0, and a column.
    pub differs: Option<(usize, usize)>,
}

impl Exchanged {
    /// Makes excerpts of the messages.
    pub fn new(sent: &[u8], expected: &[u8], got: &[u8]) -> Self {
        Self::differing_at(first_difference(expected, got), sent, expected, got)
    }

    /// The same for an answer whose form is not the point: differences in line ends, in spaces at the
    /// end of a line, and in empty lines do not count.
    pub fn of_content(sent: &[u8], expected: &[u8], got: &[u8]) -> Self {
        Self::differing_at(first_other_content(expected, got), sent, expected, got)
    }

    fn differing_at(differs: Option<usize>, sent: &[u8], expected: &[u8], got: &[u8]) -> Self {
        Self {
            sent: excerpt(sent),
            expected: excerpt(expected),
            got: excerpt(got),
            differs: differs
                .filter(|_| !got.is_empty() && !expected.is_empty())
                .and_then(|offset| place(got, offset)),
        }
    }

    /// The received message with a mark below the first difference, or where it ends too early.
    pub fn marked(&self) -> String {
        let mut lines: Vec<_> = self.got.lines().map(str::to_owned).collect();
        if let Some((line, column)) = self.differs {
            let last = lines.len().saturating_sub(1);
            let end = lines.last().map_or(0, |line| line.chars().count());
            // The place after the last byte is at the begin of a line that is not there.
            if line > last || (line, column) == (last, end) {
                lines.push(format!("{:end$}^ it ends here", ""));
            } else {
                lines.insert(line + 1, format!("{:column$}^ first difference", ""));
            }
        }
        lines.join("\n")
    }
}

/// Where two messages first differ; `None` if they are equal.
pub fn first_difference(expected: &[u8], got: &[u8]) -> Option<usize> {
    let mut pairs = expected.iter().zip(got);
    let differs = pairs.position(|(one, other)| one != other);
    let shorter = expected.len().min(got.len());
    differs.or((expected.len() != got.len()).then_some(shorter))
}

/// Where the lines of two messages first differ, apart from their ends and from empty ones.
fn first_other_content(expected: &[u8], got: &[u8]) -> Option<usize> {
    let expected = expected.split(|byte| *byte == b'\n');
    let mut expected = expected
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty());
    let mut start = 0;
    for line in got.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        if !text.is_empty() {
            let differs = match expected.next() {
                Some(expected) => first_difference(expected, text),
                None => Some(0),
            };
            if let Some(place) = differs {
                return Some(start + place);
            }
        }
        start += line.len();
    }
    expected.next().map(|_| got.len())
}

/// The place of a byte in the excerpt of a message, if it is in its beginning.
fn place(message: &[u8], offset: usize) -> Option<(usize, usize)> {
    let is_whole = shown(message).len() <= MAX_EXCERPT;
    let before = message.get(..offset)?;
    let text = with_line_ends(before);
    if !is_whole && text.len() > PART / 2 {
        return None;
    }
    let line = text.matches('\n').count();
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count();
    Some((line, column))
}

/// A message of any length, at most [`MAX_EXCERPT`] bytes: its beginning and its end, and how many
/// bytes are left out.
pub fn excerpt(message: &[u8]) -> String {
    // No byte is shown in less than one.
    if message.len() <= MAX_EXCERPT {
        let whole = shown(message);
        if whole.len() <= MAX_EXCERPT {
            return whole;
        }
    }
    let (mut head, mut tail) = (PART.min(message.len() / 2), PART.min(message.len() / 2));
    let begin = |length| shown(message.get(..length).unwrap_or_default());
    let end = |length| {
        let start = message.len() - length;
        shown(message.get(start..).unwrap_or_default())
    };
    while begin(head).len() > PART {
        head -= head / 8 + 1;
    }
    while end(tail).len() > PART {
        tail -= tail / 8 + 1;
    }
    let left_out = message.len() - head - tail;
    format!(
        "{}\n… {left_out} bytes left out …\n{}",
        begin(head),
        end(tail)
    )
}

/// A text of any length in one line, at most 400 bytes: its beginning and its end.
pub fn one_line(text: &[u8]) -> String {
    let line = escaped(text, false);
    if line.len() <= MAX_LINE {
        return line;
    }
    // The bytes that are left out are those of the line, which has only what can be shown.
    let end = line.floor_char_boundary(MAX_LINE / 2 - 20);
    let start = line.ceil_char_boundary(line.len() - end);
    let (head, tail) = (line.get(..end), line.get(start..));
    let left_out = start - end;
    format!(
        "{} … {left_out} bytes left out … {}",
        head.unwrap_or_default(),
        tail.unwrap_or_default()
    )
}

/// The last lines of a longer text.
pub fn last_lines(text: &[u8], count: usize) -> String {
    let text = text.trim_ascii_end();
    let mut ends = text.iter().enumerate().rev();
    let is_end = |(_, byte): &(usize, &u8)| **byte == b'\n';
    let start = ends.by_ref().filter(is_end).nth(count.saturating_sub(1));
    let start = start.map_or(0, |(place, _)| place + 1);
    let lines = text.get(start..).unwrap_or_default();
    // These are lines to read, not bytes to compare.
    let lines: Vec<_> = lines
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .collect();
    excerpt(&lines.join(&b'\n')).replace("\\n\n", "\n")
}

/// A message with visible line ends. Lines still end after their visible end, but for the last.
fn shown(message: &[u8]) -> String {
    let mut shown = with_line_ends(message);
    if shown.ends_with('\n') {
        shown.pop();
    }
    shown
}

fn with_line_ends(message: &[u8]) -> String {
    let mut shown = String::with_capacity(message.len());
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n");
        for (place, part) in text
            .unwrap_or(line)
            .split(|byte| *byte == b'\r')
            .enumerate()
        {
            if place > 0 {
                shown.push_str("\\r");
            }
            shown.push_str(&escaped(part, false));
        }
        if text.is_some() {
            shown.push_str("\\n\n");
        }
    }
    shown
}

/// How a difference usually comes about, if that is known.
pub fn usual_cause(expected: &[u8], got: &[u8]) -> Option<&'static str> {
    if got.len() > MAX_COMPARED {
        return None;
    }
    // The cause of what is marked comes first.
    let differs = first_difference(expected, got)?;
    if expected.get(differs) == Some(&b'\r') && got.get(differs) == Some(&b'\n') {
        return Some(
            "a line ends with LF alone: print() and \"\\n\" write LF; the protocol wants \"\\r\\n\"",
        );
    }
    let words = |message: &[u8]| -> Vec<Vec<u8>> {
        let words = message.split(u8::is_ascii_whitespace);
        words
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    if words(expected) == words(got) {
        let lines = |message: &[u8]| -> Vec<Vec<u8>> {
            let lines = message.split(|byte| *byte == b'\n');
            lines
                .map(|line| line.trim_ascii_end().to_vec())
                .filter(|line| !line.is_empty())
                .collect()
        };
        return Some(if lines(expected) != lines(got) {
            "the words are right, but not the spaces: join them with exactly one"
        } else if got.len() < expected.len() {
            "an empty line is missing: each is one more \"\\r\\n\", after the status line and at the end"
        } else {
            "there is an empty line, or a space at a line's end, too many"
        });
    }
    let first_line = |message: &[u8]| -> Vec<u8> {
        let line = message.split(|byte| *byte == b'\n').next();
        line.unwrap_or_default().trim_ascii_end().to_vec()
    };
    let is_answer = expected.starts_with(b"P2P-");
    (is_answer && first_line(expected) != first_line(got)).then_some(
        "the status line differs: a space between version, code, and phrase, and the phrase as the protocol spells it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_visible_and_the_first_difference_is_marked() {
        let (expected, got) = (b"P2P-CI/1.0 200 OK\r\n\r\n", b"P2P-CI/1.0 200 OK\n\r\n");
        let exchanged = Exchanged::new(b"\0\x1b[2J\r", expected, got);
        assert_eq!(exchanged.expected, "P2P-CI/1.0 200 OK\\r\\n\n\\r\\n");
        assert_eq!(exchanged.sent, "\\u{0}\\u{1b}[2J\\r");
        assert_eq!(
            exchanged.marked(),
            "P2P-CI/1.0 200 OK\\n\n                 ^ first difference\n\\r\\n"
        );
        let cut = Exchanged::new(b"", b"one\r\n\r\n", b"one\r\n");
        assert_eq!(cut.marked(), "one\\r\\n\n       ^ it ends here");
        let cut = Exchanged::new(b"", b"one\r\n", b"on");
        assert_eq!(cut.marked(), "on\n  ^ it ends here");
        let longer = Exchanged::new(b"", b"one\r\n", b"one\r\n\r\n");
        assert_eq!(longer.marked(), "one\\r\\n\n\\r\\n\n^ first difference");
    }

    #[test]
    fn in_content_line_ends_do_not_differ() {
        let expected = b"P2P-CI/1.0 200 OK\r\n\r\nRFC 1 B vm 5\r\n\r\n";
        for (got, differs) in [
            ("P2P-CI/1.0 200 OK\nRFC 1 B vm 5", None),
            (
                "P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\nRFC 1 B vm 5\n\n",
                Some((2, 6)),
            ),
            (
                "P2P-CI/1.0 200 OK\n\nRFC 1 B vm 5\nRFC 1 C vm 5\n\n",
                Some((3, 0)),
            ),
            ("P2P-CI/1.0 404 Not Found\n\n", Some((0, 11))),
            ("P2P-CI/1.0 200 OK\n\n", Some((2, 0))),
        ] {
            let exchanged = Exchanged::of_content(b"", expected, got.as_bytes());
            assert_eq!(exchanged.differs, differs, "{got:?}");
        }
    }

    #[test]
    fn no_message_fills_a_report() {
        for message in [
            vec![b'x'; 3000],
            vec![0x1b; 1_000_000],
            b"\n".repeat(5000),
            "é\u{202e}".repeat(1000).into_bytes(),
            vec![0; 2000],
        ] {
            let excerpt = excerpt(&message);
            assert!(excerpt.len() <= MAX_EXCERPT, "{}", excerpt.len());
            assert!(excerpt.contains(" bytes left out …"), "{excerpt}");
            assert!(excerpt.len() > MAX_EXCERPT / 2, "{}", excerpt.len());
        }
        assert_eq!(excerpt(&[b'x'; MAX_EXCERPT]).len(), MAX_EXCERPT);
    }

    #[test]
    fn one_line_is_short() {
        let line = one_line("é\u{1b}".repeat(5000).as_bytes());
        assert!((300..=MAX_LINE).contains(&line.len()), "{line}");
        assert!(line.contains(" bytes left out … "), "{line}");
        assert_eq!(one_line(b"a\nb"), "a\\u{a}b");
    }

    #[test]
    fn the_last_lines_are_the_last() {
        assert_eq!(last_lines(b"a\nb\r\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines(b"a", 5), "a");
        assert_eq!(last_lines(b"", 5), "");
    }

    #[test]
    fn usual_causes_are_named() {
        let right = b"P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A vm 5\r\n\r\n";
        for (got, cause) in [
            ("P2P-CI/1.0 200 OK\n\nRFC 1 A vm 5\n\n", Some("LF alone")),
            ("P2P-CI/1.0 200 OK\n\nRFC  1 A\n", Some("LF alone")),
            (
                "P2P-CI/1.0 200 OK\r\nRFC 1 A vm 5\r\n\r\n",
                Some("empty line is missing"),
            ),
            (
                "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 A vm 5\r\n\r\n\r\n",
                Some("too many"),
            ),
            (
                "P2P-CI/1.0 200 OK\r\n\r\nRFC  1 A vm 5\r\n\r\n",
                Some("not the spaces"),
            ),
            (
                "P2P-CI/1.0 200 Fine\r\n\r\nRFC 1 A vm 5\r\n\r\n",
                Some("status line"),
            ),
            ("P2P-CI/1.0 200 OK\r\n\r\nRFC 1 B vm 5\r\n\r\n", None),
        ] {
            let found = usual_cause(right, got.as_bytes());
            assert_eq!(found.is_some(), cause.is_some(), "{got:?}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(cause.unwrap_or_default())
            );
        }
    }
}
