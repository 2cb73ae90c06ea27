//! The head of a message: a start line, header fields, an empty line.
//!
//! All text protocols share this format. Parsing follows P2P-CI/1.0, section 5: a line may end with
//! a bare LF and have trailing spaces, field names are case-insensitive, and empty lines before the
//! start line are skipped.

use std::io::BufRead;
use std::mem;
use std::time::Duration;

use smallvec::SmallVec;

use super::requests::{Requests, Waits};
use super::{ReadError, Source, TermError};

/// The longest head, in bytes, including the empty lines before it.
pub(crate) const MAX_HEAD: usize = 8 * 1024;
/// The most header fields in a head.
pub(crate) const MAX_FIELDS: usize = 64;
/// Most heads have no more fields than this.
const USUAL_FIELDS: usize = 4;

/// Where a part of a head is, in bytes. No head is longer than these numbers can say.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        let at = |at| u16::try_from(at).unwrap_or(u16::MAX);
        Self {
            start: at(start),
            end: at(end),
        }
    }
}

/// A message head, as received.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub(super) text: Vec<u8>,
    /// The start line, without its line end.
    start_line: Span,
    /// The name and the value of each field.
    fields: SmallVec<[(Span, Span); USUAL_FIELDS]>,
    /// Whether a header line is not a field.
    is_malformed: bool,
    /// Whether the empty line at the end of the head arrived; it may be missing in a response if
    /// the connection closed.
    pub(super) is_whole: bool,
    /// Whether the last line of a request has no end.
    pub(super) is_unended: bool,
}

impl Head {
    /// The head at the beginning of `arrived`, if all of it is there, within the limits, and no empty
    /// line precedes it. Most heads are, so this is what a busy server does for each of them.
    pub(super) fn arrived(arrived: &[u8]) -> Option<Self> {
        let mut head = Self::default();
        let mut start = 0;
        let arrived = arrived.get(..MAX_HEAD).unwrap_or(arrived);
        let mut rest = arrived;
        for _ in 0..=MAX_FIELDS + 1 {
            // Of the fast searches, this one needs the least stack.
            let end = start + rest.skip_until(b'\n').ok()?;
            let line = arrived.get(start..end)?;
            if !line.ends_with(b"\n") {
                return None;
            }
            if head.enter(start, line) {
                head.is_whole = true;
                head.text = arrived.get(..end)?.to_vec();
                return (start > 0).then_some(head);
            }
            start = end;
        }
        None
    }

    /// Reads the head of the next response, at most 8 KiB. It ends with an empty line or with the
    /// close of the connection. `Ok(None)`: the stream ended before a head began.
    pub fn read(source: &mut impl Source, waits: Waits) -> Result<Option<Self>, ReadError> {
        Requests::response(source, waits)
    }

    /// Reads the head of a message from the content of a frame. The empty line and the last line
    /// end may be missing. Also returns what follows the empty line.
    pub fn in_frame(content: &[u8]) -> Result<(Self, &[u8]), ReadError> {
        let waits = Waits::of(Duration::MAX);
        let mut rest = content;
        if let Some(head) = Self::read(&mut rest, waits)?
            && head.is_whole
        {
            return Ok((head, rest));
        }
        let ended = [content, b"\n"].concat();
        let head = Self::read(&mut ended.as_slice(), waits)?;
        let head = head.ok_or_else(|| ReadError::malformed(content, "a message"))?;
        Ok((head, &[]))
    }

    /// The raw head, from its start line through the empty line at its end.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The start line, without its line end.
    pub fn start_line(&self) -> &[u8] {
        self.part(self.start_line)
    }

    /// Whether a request ends with an empty line in CR LF, as the agreement says.
    pub(super) fn is_faithful(&self) -> bool {
        self.is_whole && self.text.ends_with(b"\r\n")
    }

    /// Whether it has a field of this name, in this letter case.
    pub(super) fn has_name(&self, name: &str) -> bool {
        let mut names = self.fields.iter().map(|&(name, _)| self.part(name));
        names.any(|found| found == name.as_bytes())
    }

    /// How many fields it has.
    pub(super) fn count(&self) -> usize {
        self.fields.len()
    }

    /// Whether every header line is a field, `Name: value`.
    pub fn is_well_formed(&self) -> bool {
        !self.is_malformed
    }

    /// The value of the field `name`, without surrounding white space. A duplicate field is an
    /// error.
    #[inline]
    pub fn field(&self, name: &str) -> Result<Option<&str>, TermError> {
        let mut found = None;
        for &(other, value) in &self.fields {
            if self.is_name(other, name) && found.replace(value).is_some() {
                return Err(TermError(format!("duplicate header {name}")));
            }
        }
        let value = found.map(|value| str::from_utf8(self.part(value)));
        let not_utf8 = |_| TermError(format!("the header {name} is not UTF-8"));
        value.transpose().map_err(not_utf8)
    }

    /// Whether this part is the name, in any letter case.
    #[inline]
    fn is_name(&self, part: Span, name: &str) -> bool {
        let (part, name) = (self.part(part), name.as_bytes());
        // Nearly all names are written as in the agreement.
        part == name || (part.len() == name.len() && part.eq_ignore_ascii_case(name))
    }

    /// Takes in the line at the end of the text, from `start` on. Returns whether it is empty.
    pub(super) fn take_line(&mut self, start: usize) -> bool {
        self.take_line_up_to(start, self.text.len())
    }

    /// Takes in the line of the text from `start` to `end`.
    pub(super) fn take_line_up_to(&mut self, start: usize, end: usize) -> bool {
        let text = mem::take(&mut self.text);
        let is_empty = self.enter(start, text.get(start..end).unwrap_or_default());
        self.text = text;
        is_empty
    }

    /// Takes in this line, which is in the text from `start` on, or will be. Returns whether it is
    /// empty.
    fn enter(&mut self, start: usize, line: &[u8]) -> bool {
        let line = trim_line_end(line);
        let end = start + line.len();
        if line.is_empty() {
            return true;
        }
        if start == 0 {
            self.start_line = Span::new(0, end);
        } else if let Some((name, value)) = field(line) {
            let name = Span::new(start, start + name.len());
            let value = Span::new(end - value.len(), end);
            self.fields.push((name, value));
        } else {
            self.is_malformed = true;
        }
        false
    }

    fn part(&self, Span { start, end }: Span) -> &[u8] {
        let part = usize::from(start)..usize::from(end);
        self.text.get(part).unwrap_or_default()
    }
}

/// Splits `Name: value`, without the white space before the value. A line that begins with white
/// space is not a field: these protocols have no folded header lines.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, mut value) = (line.get(..colon)?, line.get(colon + 1..)?);
    if is_blank(*name.first()?) {
        return None;
    }
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    Some((name, value))
}

/// `line` without its line end and trailing spaces and tabs. Other control characters stay, so that
/// later checks refuse them.
pub(super) fn trim_line_end(mut line: &[u8]) -> &[u8] {
    if let [before @ .., b'\n'] = line {
        line = before;
    }
    if let [before @ .., b'\r'] = line {
        line = before;
    }
    while let [before @ .., b' ' | b'\t'] = line {
        line = before;
    }
    line
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;

    fn read(text: impl Into<Vec<u8>>) -> Head {
        let waits = Waits::of(Duration::from_secs(1));
        let head = Head::read(&mut Script::of(text), waits);
        head.unwrap().unwrap()
    }

    #[test]
    fn a_head_is_a_start_line_and_fields() {
        let head = read("A B\r\nHost: vm\r\nport:12 \r\nTITLE:  a b \r\n\r\nrest");
        assert_eq!(head.start_line(), b"A B");
        assert_eq!(head.field("Host"), Ok(Some("vm")));
        assert_eq!(head.field("Port"), Ok(Some("12")));
        assert_eq!(head.field("Title"), Ok(Some("a b")));
        assert_eq!(head.field("OS"), Ok(None));
        assert!(head.is_well_formed());
        assert_eq!(
            head.text(),
            b"A B\r\nHost: vm\r\nport:12 \r\nTITLE:  a b \r\n\r\n"
        );
    }

    #[test]
    fn a_close_ends_the_head_of_a_response() {
        let head = read("P2P-CI/1.0 404 Not Found\r\n");
        assert_eq!(head.start_line(), b"P2P-CI/1.0 404 Not Found");
        assert!(!head.is_whole);
    }

    #[test]
    fn repeated_and_broken_fields_are_found() {
        let head = read("A\nHost: a\nhost: b\nno colon\n\n");
        assert!(head.field("Host").is_err());
        assert!(!head.is_well_formed());
        assert!(!read("A\n: value\n\n").is_well_formed());
        assert!(!read("A\nHost: a\n b: c\n\n").is_well_formed());
        let head = read(b"A\nTitle: \xff\n\n");
        assert!(head.field("Title").is_err());
    }

    #[test]
    fn the_head_of_a_frame_needs_no_end() {
        let (head, rest) = Head::in_frame(b"X 1\nA: 1\nB: 2").unwrap();
        assert_eq!(
            (head.start_line(), head.field("B")),
            (b"X 1".as_slice(), Ok(Some("2")))
        );
        assert_eq!(rest, b"");
        let (head, rest) = Head::in_frame(b"X 1\r\nA: 1\r\n\r\nbody\n").unwrap();
        assert_eq!(
            (head.field("A"), rest),
            (Ok(Some("1")), b"body\n".as_slice())
        );
        for wrong in [b"".as_slice(), b"\n\n", &[b'x'; 9000]] {
            assert!(Head::in_frame(wrong).is_err());
        }
    }
}
