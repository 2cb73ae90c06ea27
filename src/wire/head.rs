//! The head of a message: a start line, header fields, an empty line.
//!
//! All text protocols here share this shape; this module knows no methods, RFCs or versions. It
//! reads as in P2P-CI/1.0, section 5: a line may end with a bare LF and have trailing spaces, field
//! names have any letter case, and empty lines before the start line are skipped.

use std::ops::Range;
use std::time::Duration;

use super::Source;
use super::error::ReadError;
use super::requests::{Reading, Waits};

/// The longest head, in bytes, including the empty lines before it.
pub(crate) const MAX_HEAD: usize = 8 * 1024;
/// The most header fields in a head.
pub(crate) const MAX_FIELDS: usize = 64;

/// Why a header field can't be used, with its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The head has it twice.
    #[error("duplicate header {0}")]
    Duplicate(&'static str),
    /// Its value is not UTF-8.
    #[error("the header {0} is not UTF-8")]
    NotUtf8(&'static str),
}

/// One message head, as it was received.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub(super) text: Vec<u8>,
    /// The range of the start line, without the line end.
    pub(super) start_line: Range<usize>,
    fields: Vec<Field>,
    /// Whether every header line is a field.
    is_well_formed: bool,
    /// Whether the empty line that ends the head was there.
    pub(super) is_whole: bool,
}

/// The ranges of `Name: value`, without white space around the value.
#[derive(Debug, Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Head {
    /// Reads the next head of a response, of at most 8 KiB, which may end with the connection
    /// instead of an empty line. `Ok(None)` is the end of the stream between messages.
    pub fn read(source: &mut impl Source, waits: Waits) -> Result<Option<Self>, ReadError> {
        Reading::new(source, waits).head(|head| Ok(Some(head)))
    }

    /// Reads the head of a complete message in a frame: the empty line after it, and the end of its
    /// last line, may be missing. Also returns what follows the empty line.
    pub fn in_frame(content: &[u8]) -> Result<(Self, &[u8]), ReadError> {
        let waits = Waits {
            first: None,
            whole: Duration::MAX,
        };
        let mut rest = content;
        let whole = Reading::new(&mut rest, waits).head(|_| Ok(None))?;
        if let Some(head) = whole {
            return Ok((head, rest));
        }
        let ended = [content, b"\n"].concat();
        let head = Self::read(&mut ended.as_slice(), waits)?;
        let head = head.ok_or_else(|| ReadError::malformed(content, "a message"))?;
        Ok((head, &[]))
    }

    /// A head without any contents yet.
    pub(super) fn empty() -> Self {
        Self {
            text: Vec::with_capacity(256),
            is_well_formed: true,
            ..Self::default()
        }
    }

    /// Adds the header line that begins at `start` of the text.
    pub(super) fn take_field(&mut self, start: usize) {
        let line = self.text.get(start..).unwrap_or_default();
        match field(trim_line_end(line), start) {
            Some(field) => self.fields.push(field),
            None => self.is_well_formed = false,
        }
    }

    /// Whether the head is complete: a response's may have been cut off.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The head as on the wire, from its start line to its final empty line.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The same, without a copy.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// The start line without its end.
    pub fn start_line(&self) -> &[u8] {
        self.part(&self.start_line)
    }

    /// Whether every header line is a field, `Name: value`.
    pub fn is_well_formed(&self) -> bool {
        self.is_well_formed
    }

    /// The value of the field `name`, without white space around it.
    pub fn field(&self, name: &'static str) -> Result<Option<&str>, FieldError> {
        let is_it = |field: &&Field| self.part(&field.name).eq_ignore_ascii_case(name.as_bytes());
        let mut found = self.fields.iter().filter(is_it);
        let Some(field) = found.next() else {
            return Ok(None);
        };
        if found.next().is_some() {
            return Err(FieldError::Duplicate(name));
        }
        let value = str::from_utf8(self.part(&field.value));
        value.map(Some).map_err(|_| FieldError::NotUtf8(name))
    }

    fn part(&self, part: &Range<usize>) -> &[u8] {
        self.text.get(part.clone()).unwrap_or_default()
    }
}

/// Whether a line is a header field.
pub(super) fn is_field(line: &[u8]) -> bool {
    field(line, 0).is_some()
}

/// Splits `Name: value`, a line that begins at `start` of the text. A line that begins with white
/// space would continue the previous one in old mail; no message here does that.
fn field(line: &[u8], start: usize) -> Option<Field> {
    let colon = line.iter().position(|&b| b == b':')?;
    let (name, rest) = (line.get(..colon)?, line.get(colon + 1..)?);
    if name.is_empty() || is_blank(*name.first()?) {
        return None;
    }
    let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
    Some(Field {
        name: start..start + colon,
        value: start + colon + 1 + blanks..start + line.len(),
    })
}

/// `line` without its end, and without spaces and tabs before that. Other control characters are
/// kept, so that they are refused.
pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let blanks = line
        .iter()
        .rev()
        .take_while(|byte| is_blank(**byte))
        .count();
    line.get(..line.len() - blanks).unwrap_or_default()
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
        assert!(!head.is_whole());
    }

    #[test]
    fn repeated_and_broken_fields_are_found() {
        let head = read("A\nHost: a\nhost: b\nno colon\n\n");
        assert_eq!(head.field("Host"), Err(FieldError::Duplicate("Host")));
        assert!(!head.is_well_formed());
        assert!(!read("A\n: value\n\n").is_well_formed());
        assert!(!read("A\nHost: a\n b: c\n\n").is_well_formed());
        let head = read(b"A\nTitle: \xff\n\n");
        assert_eq!(head.field("Title"), Err(FieldError::NotUtf8("Title")));
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
