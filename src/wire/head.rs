//! The head of a message: a start line, header fields, an empty line.
//!
//! All text protocols here share this shape; it knows no method, no RFC and no version. Reading
//! follows P2P-CI/1.0, section 5: a line may end with a bare LF and have spaces before its end,
//! field names have any letter case, and empty lines before the start line are skipped.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

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
    /// Reads the next head of a response, which a close may end as well as an empty line. `Ok(None)`
    /// is the end of the stream before a head began.
    ///
    /// # Errors
    /// [`HeadError`], after reading at most 8 KiB.
    pub fn read_response(
        source: &mut impl Source,
        waits: Waits,
    ) -> Result<Option<Self>, HeadError> {
        Reading::new(source, waits).head(|head| Ok(Some(head)))
    }

    /// Reads the head of a message that is there whole, as a frame holds it: it may end without an
    /// empty line, and its last line without an end. Returns what comes after the empty line as
    /// well.
    ///
    /// # Errors
    /// [`HeadError`] where it has no start line, or passes the limits.
    pub fn parse(content: &[u8]) -> Result<(Self, &[u8]), HeadError> {
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
        let head = Reading::new(&mut ended.as_slice(), waits).head(|head| Ok(Some(head)))?;
        Ok((head.ok_or(HeadError::CutOff)?, &[]))
    }

    /// Whether the head is there to its end: a close may have cut off that of a response.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The head as it stood on the wire, from its start line to the empty line that ends it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The start line without its end.
    pub fn start_line(&self) -> &[u8] {
        self.part(&self.start_line)
    }

    /// Whether every header line is a field, `Name: value`.
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

/// Reads the heads of requests from one connection.
///
/// Some programs end their lines, leave out the empty line after the last one, and wait for the
/// answer. So a head that is a whole request by its own rules is taken as one when nothing more
/// comes for a short while. Whoever was only slow loses nothing: the rest of that head is skipped.
#[derive(Debug, Default)]
pub struct Requests {
    /// Whether the last head may go on after it was answered.
    may_go_on: bool,
}

/// How long a whole request without its empty line waits for more.
const SHORT_WHILE: Duration = Duration::from_millis(250);

impl Requests {
    /// Reads the next head. `Ok(None)` is the end of the stream before a head began. `is_request`
    /// says whether a head has all that its method needs.
    ///
    /// # Errors
    /// [`HeadError`], after reading at most 8 KiB.
    pub fn next(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        is_request: impl Fn(&Head) -> bool,
    ) -> Result<Option<Head>, HeadError> {
        let reading = Reading {
            skips_fields: self.may_go_on,
            is_request: Some(&is_request),
            ..Reading::new(source, waits)
        };
        let head = reading.head(|_| Err(HeadError::CutOff))?;
        self.may_go_on = head.as_ref().is_some_and(|head| !head.is_whole);
        Ok(head)
    }
}

/// The reading of one head.
struct Reading<'a, S> {
    source: &'a mut S,
    waits: Waits,
    /// Whether header fields before the start line belong to the head before this one.
    skips_fields: bool,
    /// Says whether a head can do without its empty line.
    is_request: Option<&'a dyn Fn(&Head) -> bool>,
    /// When it was first waited for more of a whole request.
    waited: Option<Instant>,
}

impl<'a, S: Source> Reading<'a, S> {
    fn new(source: &'a mut S, waits: Waits) -> Self {
        Self {
            source,
            waits,
            skips_fields: false,
            is_request: None,
            waited: None,
        }
    }

    fn head(
        mut self,
        at_close: impl FnOnce(Head) -> Result<Option<Head>, HeadError>,
    ) -> Result<Option<Head>, HeadError> {
        let mut head = Head {
            text: Vec::with_capacity(256),
            is_well_formed: true,
            ..Head::default()
        };
        let Some(skipped) = self.start_line(&mut head)? else {
            return if head.text.is_empty() {
                Ok(None)
            } else {
                at_close(head)
            };
        };
        let mut lines = 1;
        loop {
            let start = head.text.len();
            if self.is_over(&head)? {
                return Ok(Some(head));
            }
            let limit = MAX_HEAD.saturating_sub(skipped + start);
            let read = read_line(self.source, limit, &mut head.text)?;
            let line = head.text.get(start..).unwrap_or_default();
            if !line.ends_with(b"\n") {
                if read == limit {
                    return Err(HeadError::TooLong);
                }
                return at_close(head);
            }
            let line = trim_line_end(line);
            if line.is_empty() {
                head.is_whole = true;
                return Ok(Some(head));
            }
            if lines > MAX_FIELDS {
                return Err(HeadError::TooManyFields);
            }
            if let Some(field) = field(line, start) {
                head.fields.push(field);
            } else {
                head.is_well_formed = false;
            }
            lines += 1;
        }
    }

    /// Reads the start line, after what may come before it, and returns how many bytes that had.
    /// `None` is the end of the stream.
    fn start_line(&mut self, head: &mut Head) -> Result<Option<usize>, HeadError> {
        let (mut skipped, mut fields) = (0, 0);
        loop {
            self.source.allow(self.waits.first);
            let Some(empty) = skip_empty_lines(self.source)? else {
                return Ok(None);
            };
            skipped += empty;
            self.source.allow(Some(self.waits.whole));
            head.text.clear();
            let limit = MAX_HEAD.saturating_sub(skipped);
            let read = read_line(self.source, limit, &mut head.text)?;
            if !head.text.ends_with(b"\n") {
                return if read == limit {
                    Err(HeadError::TooLong)
                } else {
                    Ok(None)
                };
            }
            let line = trim_line_end(&head.text);
            if self.skips_fields && field(line, 0).is_some() {
                fields += 1;
                if fields > MAX_FIELDS {
                    return Err(HeadError::TooManyFields);
                }
            } else if line.is_empty() {
                // White space alone before the start line is an empty line too.
                skipped += head.text.len();
            } else {
                head.start_line = 0..line.len();
                return Ok(Some(skipped));
            }
        }
    }

    /// Whether the head is a request that its sender has ended without an empty line. Waits where
    /// the next line is not there yet.
    fn is_over(&mut self, head: &Head) -> Result<bool, HeadError> {
        let Some(is_request) = self.is_request else {
            return Ok(false);
        };
        if !self.source.buffered().is_empty() || !is_request(head) {
            return Ok(false);
        }
        // Reading on begins the time of the head anew, once and not with each line.
        let waited = self.waited.get_or_insert_with(Instant::now).elapsed();
        let left = self.waits.whole.saturating_sub(waited);
        self.source.allow(Some(SHORT_WHILE.min(left)));
        let more = self.source.fill_buf().map(<[u8]>::len);
        self.source.allow(Some(left));
        match more {
            Err(error) if is_silence(&error) => Ok(true),
            Err(error) => Err(error.into()),
            // A close is no end of a head.
            Ok(_) => Ok(false),
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
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

    fn read_next(source: &mut Script) -> Result<Option<Head>, HeadError> {
        Requests::default().next(source, WAITS, |_| false)
    }

    fn read(text: &str) -> Result<Option<Head>, HeadError> {
        Requests::default().next(&mut Script::of(text), WAITS, |_| false)
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
        let head = Requests::default().next(
            &mut Script::of(b"A\nTitle: \xff\n\n".as_slice()),
            WAITS,
            |_| false,
        );
        assert_eq!(
            head.unwrap().unwrap().field("Title"),
            Err(FieldError::NotUtf8("Title"))
        );
    }

    #[test]
    fn endless_line_is_given_up_at_the_limit() {
        let mut source = Script::of("x".repeat(20_000));
        assert!(matches!(read_next(&mut source), Err(HeadError::TooLong)));
        assert_eq!(source.read_so_far(), MAX_HEAD);
    }

    #[test]
    fn endless_empty_lines_are_given_up_near_the_limit() {
        let mut source = Script::of("\r\n".repeat(20_000));
        assert!(matches!(read_next(&mut source), Err(HeadError::TooLong)));
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

    /// The start lines and fields of what is read; a head with a `B` is whole without its end.
    fn all(mut source: Script) -> Vec<String> {
        let mut requests = Requests::default();
        let is_request = |head: &Head| head.field("B").is_ok_and(|field| field.is_some());
        let mut read = Vec::new();
        loop {
            match requests.next(&mut source, WAITS, is_request) {
                Ok(Some(head)) => {
                    let lines = String::from_utf8_lossy(head.text());
                    read.push(lines.replace("\r\n", "\n").replace('\n', "|"));
                }
                Ok(None) => return read,
                Err(error) => {
                    read.push(error.to_string());
                    return read;
                }
            }
        }
    }

    #[test]
    fn a_whole_request_without_its_empty_line_is_read_after_a_short_while() {
        let read = all(Script::with_pauses(&["X 1\nA: 1\nB: 2\n", "X 2\nB: 3\n"]));
        assert_eq!(read, ["X 1|A: 1|B: 2|", "X 2|B: 3|"]);
        // What is not complete waits for the rest.
        let read = all(Script::then_silence("X 1\nA: 1\n"));
        assert_eq!(read, ["the message head was not complete in time"]);
        // Nor is half a line more the end of a head.
        let read = all(Script::then_silence("X 1\nB: 1\nTit"));
        assert_eq!(read, ["the message head was not complete in time"]);
        // A close is no end of a request.
        assert_eq!(
            all(Script::of("X 1\nB: 1\n")),
            ["the connection was closed in the middle of a message head"]
        );
    }

    #[test]
    fn a_slow_client_loses_nothing() {
        // The rest of a head comes after its answer, in pieces, with or without the next request.
        for pieces in [
            &["X 1\r\nB: 1\r\n", "C: 2\r\n\r\nX 2\r\nB: 2\r\n\r\n"][..],
            &["X 1\r\nB: 1\r\n", "C: 2\r\n", "\r\n", "X 2\r\nB: 2\r\n\r\n"],
            &["X 1\r\nB: 1\r\n", "\r\n", "X 2\r\nB: 2\r\n\r\n"],
            &["X 1\r\nB: 1\r\n", "X 2\r\nB: 2\r\n\r\n"],
        ] {
            // A wait between requests is not limited, so its pauses are none.
            let pieces: Vec<_> = pieces.to_vec();
            let mut script = Script::with_pauses(&pieces[..1]);
            script.then(&pieces[1..].concat());
            assert_eq!(all(script), ["X 1|B: 1|", "X 2|B: 2||"], "{pieces:?}");
        }
        // A start line is never taken for a field of the head before it.
        let mut script = Script::with_pauses(&["X 1\nB: 1\n"]);
        script.then(&"C: 1\n".repeat(100));
        assert_eq!(
            all(script),
            [
                "X 1|B: 1|",
                "the message head has more than 64 header fields"
            ]
        );
    }

    #[test]
    fn the_head_of_a_frame_needs_no_end() {
        let (head, rest) = Head::parse(b"X 1\nA: 1\nB: 2").unwrap();
        assert_eq!(
            (head.start_line(), head.field("B")),
            (b"X 1".as_slice(), Ok(Some("2")))
        );
        assert_eq!(rest, b"");
        let (head, rest) = Head::parse(b"X 1\r\nA: 1\r\n\r\nbody\n").unwrap();
        assert_eq!(
            (head.field("A"), rest),
            (Ok(Some("1")), b"body\n".as_slice())
        );
        for wrong in [b"".as_slice(), b"\n\n", &[b'x'; 9000]] {
            assert!(Head::parse(wrong).is_err());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut source = Script::of(bytes);
            while let Ok(Some(head)) = read_next(&mut source) {
                let _ = (head.start_line(), head.field("Host"), head.is_well_formed());
            }
        }

        #[test]
        fn any_split_gives_the_same_heads(cuts in prop::collection::vec(1_usize..20, 1..40)) {
            let text = "A B C\r\nHost: vm\r\n\r\n\r\nLIST\nPort: 5\n\nX\r\nTitle: a b\r\n\r\n";
            let all = |mut source: Script| {
                let mut heads = Vec::new();
                while let Some(head) = read_next(&mut source).unwrap() {
                    heads.push(head.text().to_vec());
                }
                heads
            };
            prop_assert_eq!(all(Script::of(text)), all(Script::in_pieces(text, &cuts)));
        }
    }
}
