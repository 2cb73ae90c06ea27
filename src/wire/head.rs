//! The head of a message: a start line, header fields, an empty line.
//!
//! All text protocols here share this shape; it knows no method, no RFC and no version. Reading
//! follows P2P-CI/1.0, section 5: a line may end with a bare LF and have spaces before its end,
//! field names have any letter case, and empty lines before the start line are skipped.

use std::io;
use std::ops::Range;
use std::time::Duration;

use super::{Source, read_line};

/// The longest head, in bytes, with the empty lines before it.
pub(crate) const MAX_HEAD: usize = 8 * 1024;
/// The most header fields in a head.
pub(crate) const MAX_FIELDS: usize = 64;

/// How long to wait for a head.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For its first byte; `None` is for ever (people read menus).
    pub first: Option<Duration>,
    /// For the whole of it, from its first byte on, however it drips in.
    pub whole: Duration,
}

/// Why no head could be read. The stream is out of step after any of these: the one thing left is
/// to answer, where [`HeadError::can_be_answered`], and to close.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The head has more than 8 KiB bytes.
    #[error("the message head is longer than {MAX_HEAD} bytes")]
    TooLong,
    /// The head has more than 64 fields.
    #[error("the message head has more than {MAX_FIELDS} header fields")]
    TooManyFields,
    /// The stream ended in the middle of the head.
    #[error("the connection was closed in the middle of a message head")]
    CutOff,
    /// The head was not complete when its time was up.
    #[error("the message head was not complete in time")]
    TimedOut,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
}

impl HeadError {
    /// Whether the other side may still be there to read an answer.
    #[must_use]
    pub fn can_be_answered(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

impl From<io::Error> for HeadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// A header field that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A field that may stand once stands twice.
    #[error("the header {0} stands twice")]
    Repeated(&'static str),
    /// A value is not UTF-8.
    #[error("the header {0} is not UTF-8")]
    NotUtf8(&'static str),
}

/// One message head, as it was received.
#[derive(Debug, Clone, Default)]
pub struct Head {
    text: Vec<u8>,
    /// Where the start line stands, without its end.
    start_line: Range<usize>,
    fields: Vec<Field>,
    /// Whether every header line is a field.
    is_well_formed: bool,
    /// Whether the empty line that ends the head was there.
    is_whole: bool,
}

/// Where the parts of `Name: value` stand, without the white space around the value.
#[derive(Debug, Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Head {
    /// Reads the next head. `Ok(None)` is the end of the stream before a head began.
    ///
    /// # Errors
    /// [`HeadError`], after reading at most 8 KiB.
    pub fn read(source: &mut impl Source, waits: Waits) -> Result<Option<Self>, HeadError> {
        Self::read_to(source, waits, |_| Err(HeadError::CutOff))
    }

    /// Reads the next head of a response, which a close may end as well as an empty line.
    ///
    /// # Errors
    /// [`HeadError`], after reading at most 8 KiB.
    pub fn read_response(
        source: &mut impl Source,
        waits: Waits,
    ) -> Result<Option<Self>, HeadError> {
        Self::read_to(source, waits, |head| Ok(Some(head)))
    }

    fn read_to(
        source: &mut impl Source,
        waits: Waits,
        at_close: impl FnOnce(Self) -> Result<Option<Self>, HeadError>,
    ) -> Result<Option<Self>, HeadError> {
        source.allow(waits.first);
        let Some(mut skipped) = skip_empty_lines(source)? else {
            return Ok(None);
        };
        source.allow(Some(waits.whole));
        let mut head = Self {
            text: Vec::with_capacity(256),
            is_well_formed: true,
            ..Self::default()
        };
        let mut lines = 0;
        loop {
            let start = head.text.len();
            let limit = MAX_HEAD.saturating_sub(skipped + start);
            let read = read_line(source, limit, &mut head.text)?;
            let line = head.text.get(start..).unwrap_or_default();
            if !line.ends_with(b"\n") {
                if read == limit {
                    return Err(HeadError::TooLong);
                }
                return at_close(head);
            }
            let line = trim_line_end(line);
            if line.is_empty() {
                if lines > 0 {
                    head.is_whole = true;
                    return Ok(Some(head));
                }
                // White space alone before the start line is an empty line too.
                skipped += head.text.len();
                head.text.clear();
                continue;
            }
            if lines > MAX_FIELDS {
                return Err(HeadError::TooManyFields);
            }
            if lines == 0 {
                head.start_line = start..start + line.len();
            } else if let Some(field) = field(line, start) {
                head.fields.push(field);
            } else {
                head.is_well_formed = false;
            }
            lines += 1;
        }
    }

    /// Whether the head is there to its end: a close may have cut off that of a response.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The head as it stood on the wire, from its start line to the empty line that ends it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The start line without its end.
    #[must_use]
    pub fn start_line(&self) -> &[u8] {
        self.part(&self.start_line)
    }

    /// Whether every header line is a field, `Name: value`.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.is_well_formed
    }

    /// The value of the field `name`, without the white space around it.
    ///
    /// # Errors
    /// [`FieldError`] where the field stands twice or is not UTF-8.
    pub fn field(&self, name: &'static str) -> Result<Option<&str>, FieldError> {
        let is_it = |field: &&Field| self.part(&field.name).eq_ignore_ascii_case(name.as_bytes());
        let mut found = self.fields.iter().filter(is_it);
        let Some(field) = found.next() else {
            return Ok(None);
        };
        if found.next().is_some() {
            return Err(FieldError::Repeated(name));
        }
        let value = str::from_utf8(self.part(&field.value));
        value.map(Some).map_err(|_| FieldError::NotUtf8(name))
    }

    fn part(&self, part: &Range<usize>) -> &[u8] {
        self.text.get(part.clone()).unwrap_or_default()
    }
}

/// Skips empty lines and returns how many bytes they had, or `None` at the end of the stream.
/// An empty line does not begin a message: some peers send one too many after each.
fn skip_empty_lines(source: &mut impl Source) -> Result<Option<usize>, HeadError> {
    let mut skipped = 0;
    while skipped < MAX_HEAD {
        let waiting = source.fill_buf()?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let empty = waiting
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        if empty == 0 {
            return Ok(Some(skipped));
        }
        source.consume(empty);
        skipped += empty;
    }
    Err(HeadError::TooLong)
}

/// Parts `Name: value`, a line that stands at `start` of the text. One that begins with white space
/// would continue the one before it in old mail; no message here does that.
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

/// `line` without its end and the spaces and tabs before it. Other control characters stay, to be
/// refused.
fn trim_line_end(line: &[u8]) -> &[u8] {
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
    use proptest::prelude::*;

    const WAITS: Waits = Waits {
        first: None,
        whole: Duration::from_secs(1),
    };

    fn read(text: &str) -> Result<Option<Head>, HeadError> {
        Head::read(&mut Script::of(text), WAITS)
    }

    #[test]
    fn a_head_is_a_start_line_and_fields() {
        let head = read("A B\r\nHost: vm\r\nport:12 \r\nTITLE:  a b \r\n\r\nrest")
            .unwrap()
            .unwrap();
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
    fn bare_lf_and_empty_lines_before_it_are_read() {
        let head = read("\r\n\n \r\nA  \nHost: x\n \n").unwrap().unwrap();
        assert_eq!(head.start_line(), b"A");
        assert_eq!(head.field("host"), Ok(Some("x")));
    }

    #[test]
    fn the_end_of_the_stream_is_not_an_error_between_messages() {
        assert!(read("").unwrap().is_none());
        assert!(read("\r\n\r\n").unwrap().is_none());
        assert!(matches!(read("GET"), Err(HeadError::CutOff)));
        assert!(matches!(read("GET\r\nHost: x\r\n"), Err(HeadError::CutOff)));
    }

    #[test]
    fn a_close_ends_the_head_of_a_response() {
        let head = Head::read_response(&mut Script::of("P2P-CI/1.0 404 Not Found\r\n"), WAITS);
        assert_eq!(
            head.unwrap().unwrap().start_line(),
            b"P2P-CI/1.0 404 Not Found"
        );
    }

    #[test]
    fn repeated_and_broken_fields_are_found() {
        let head = read("A\nHost: a\nhost: b\nno colon\n\n").unwrap().unwrap();
        assert_eq!(head.field("Host"), Err(FieldError::Repeated("Host")));
        assert!(!head.is_well_formed());
        assert!(!read("A\n: value\n\n").unwrap().unwrap().is_well_formed());
        assert!(
            !read("A\nHost: a\n b: c\n\n")
                .unwrap()
                .unwrap()
                .is_well_formed()
        );
        let head = Head::read(&mut Script::of(b"A\nTitle: \xff\n\n".as_slice()), WAITS);
        assert_eq!(
            head.unwrap().unwrap().field("Title"),
            Err(FieldError::NotUtf8("Title"))
        );
    }

    #[test]
    fn endless_line_is_given_up_at_the_limit() {
        let mut source = Script::of("x".repeat(20_000));
        assert!(matches!(
            Head::read(&mut source, WAITS),
            Err(HeadError::TooLong)
        ));
        assert_eq!(source.read_so_far(), MAX_HEAD);
    }

    #[test]
    fn endless_empty_lines_are_given_up_near_the_limit() {
        let mut source = Script::of("\r\n".repeat(20_000));
        assert!(matches!(
            Head::read(&mut source, WAITS),
            Err(HeadError::TooLong)
        ));
    }

    #[test]
    fn header_flood_is_given_up_at_the_limit() {
        let head = |fields| format!("A\n{}\n", "N: v\n".repeat(fields));
        assert!(read(&head(MAX_FIELDS)).is_ok());
        assert!(matches!(
            read(&head(MAX_FIELDS + 1)),
            Err(HeadError::TooManyFields)
        ));
    }

    #[test]
    fn a_head_of_exactly_the_limit_is_read() {
        let text = format!("A\nN: {}\n\n", "v".repeat(MAX_HEAD - 7));
        assert_eq!(text.len(), MAX_HEAD);
        assert!(read(&text).unwrap().is_some());
        assert!(matches!(read(&format!("A{text}")), Err(HeadError::TooLong)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut source = Script::of(bytes);
            while let Ok(Some(head)) = Head::read(&mut source, WAITS) {
                let _ = (head.start_line(), head.field("Host"), head.is_well_formed());
            }
        }

        #[test]
        fn any_split_gives_the_same_heads(cuts in prop::collection::vec(1_usize..20, 1..40)) {
            let text = "A B C\r\nHost: vm\r\n\r\n\r\nLIST\nPort: 5\n\nX\r\nTitle: a b\r\n\r\n";
            let all = |mut source: Script| {
                let mut heads = Vec::new();
                while let Some(head) = Head::read(&mut source, WAITS).unwrap() {
                    heads.push(head.text().to_vec());
                }
                heads
            };
            prop_assert_eq!(all(Script::of(text)), all(Script::in_pieces(text, &cuts)));
        }
    }
}
