//! Finds the heads of messages in a stream, within limits, without knowing methods or versions.

use std::time::{Duration, Instant};

use super::error::{ReadError, is_silence};
use super::head::{MAX_FIELDS, MAX_HEAD, field};
use super::{Head, Source, read_line};

/// How long to wait for a message.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// The limit for its first byte; `None` waits forever (people take time to type).
    pub first: Option<Duration>,
    /// The limit for the whole message from its first byte on, however slowly it arrives.
    pub whole: Duration,
}

impl Waits {
    /// Waits up to `time` for the first byte, and up to `time` again for the rest.
    pub(super) fn of(time: Duration) -> Self {
        Self {
            first: Some(time),
            whole: time,
        }
    }

    /// Converts the error of a read. `began` says whether part of the message had arrived.
    pub(super) fn failed(self, error: std::io::Error, began: bool) -> ReadError {
        let first = self.first.filter(|_| !began);
        ReadError::of_wait(error, first.unwrap_or(self.whole), began)
    }
}

/// Reads the heads of requests from one connection.
///
/// Some programs omit the empty line after the last header and wait for the answer. So if a head is
/// already a complete request and nothing more arrives for a short while, it is accepted. A client
/// that was only slow loses nothing: the rest of that head is skipped.
#[derive(Debug, Default)]
pub struct Requests {
    /// Whether more of the last head may arrive after its answer.
    may_go_on: bool,
}

/// The room for a head at first, in bytes. Most fit.
const USUAL_HEAD: usize = 256;
/// How long to wait for more of a complete request that lacks its empty line.
const SHORT_WHILE: Duration = Duration::from_millis(250);

impl Requests {
    /// Reads the next head, at most 8 KiB. `Ok(None)`: the stream ended before a head began.
    /// `is_request` says whether a head has everything that its method needs.
    pub fn read(
        &mut self,
        source: &mut impl Source,
        waits: Waits,
        is_request: impl Fn(&Head) -> bool,
    ) -> Result<Option<Head>, ReadError> {
        let mut reading = Reading::new(source, waits);
        reading.skips_fields = self.may_go_on;
        reading.is_request = Some(&is_request);
        let head = reading.head()?;
        self.may_go_on = head.as_ref().is_some_and(|head| !head.is_whole);
        Ok(head)
    }
}

/// Reads one head.
pub(super) struct Reading<'a, S> {
    source: &'a mut S,
    waits: Waits,
    /// Whether header fields before the start line belong to the previous head.
    skips_fields: bool,
    /// Says whether a head is a complete request even without its empty line. `None`: the head is
    /// that of a response.
    is_request: Option<&'a dyn Fn(&Head) -> bool>,
    /// When the first wait for more of a complete request began.
    waited: Option<Instant>,
}

impl<'a, S: Source> Reading<'a, S> {
    pub(super) fn new(source: &'a mut S, waits: Waits) -> Self {
        Self {
            source,
            waits,
            skips_fields: false,
            is_request: None,
            waited: None,
        }
    }

    /// Reads a head through its empty line. The close may also end the head of a response.
    pub(super) fn head(mut self) -> Result<Option<Head>, ReadError> {
        let mut head = Head::default();
        head.text.reserve(USUAL_HEAD);
        let mut limit = MAX_HEAD;
        if !self.start_line(&mut head, &mut limit)? {
            return self.closed(head);
        }
        for fields in 0.. {
            if self.is_over(&head)? {
                break;
            }
            let start = head.text.len();
            if !self.line(&mut head, limit - start)? {
                return self.closed(head);
            }
            if head.take_line(start) {
                head.is_whole = true;
                break;
            }
            if fields == MAX_FIELDS {
                return Err(ReadError::ManyFields);
            }
        }
        Ok(Some(head))
    }

    /// The result when the connection closed before the end of `head`.
    fn closed(&self, head: Head) -> Result<Option<Head>, ReadError> {
        match self.is_request {
            _ if head.text.is_empty() => Ok(None),
            Some(_) => Err(ReadError::CutOff),
            None => Ok(Some(head)),
        }
    }

    /// Reads the start line and skips what may precede it. Empty lines count toward the `limit` of
    /// the head. `false`: the stream ended.
    fn start_line(&mut self, head: &mut Head, limit: &mut usize) -> Result<bool, ReadError> {
        let mut fields = 0;
        loop {
            head.text.clear();
            self.source.allow(self.waits.first);
            if !self.skip_empty_lines(limit)? {
                return Ok(false);
            }
            self.source.allow(Some(self.waits.whole));
            if !self.line(head, *limit)? {
                return Ok(false);
            }
            let is_empty = head.take_line(0);
            if self.skips_fields && field(head.start_line()).is_some() {
                fields += 1;
                if fields > MAX_FIELDS {
                    return Err(ReadError::ManyFields);
                }
            } else if is_empty {
                // A line of white space before the start line counts as empty.
                *limit -= head.text.len();
            } else {
                return Ok(true);
            }
        }
    }

    /// Reads a line of at most `limit` bytes. `false`: the connection closed before the line ended.
    fn line(&mut self, head: &mut Head, limit: usize) -> Result<bool, ReadError> {
        let read = read_line(self.source, limit, &mut head.text);
        let read = read.map_err(|error| self.waits.failed(error, true))?;
        match read > 0 && head.text.ends_with(b"\n") {
            false if read == limit => Err(ReadError::LongHead),
            is_whole => Ok(is_whole),
        }
    }

    /// Skips empty lines, which count toward the `limit` of the head. `false`: the stream ended.
    /// An empty line does not begin a message: some peers send an extra one after each message.
    fn skip_empty_lines(&mut self, limit: &mut usize) -> Result<bool, ReadError> {
        while *limit > 0 {
            let waiting = self.source.fill_buf();
            let waiting = waiting.map_err(|error| self.waits.failed(error, false))?;
            let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
            let empty = waiting.iter().take_while(is_end).count();
            if empty == 0 {
                return Ok(!waiting.is_empty());
            }
            self.source.consume(empty);
            *limit = limit.saturating_sub(empty);
        }
        Err(ReadError::LongHead)
    }

    /// Whether the head is a complete request that its sender ended without an empty line. If the
    /// next line has not arrived yet, waits a short while for it.
    fn is_over(&mut self, head: &Head) -> Result<bool, ReadError> {
        let Some(is_request) = self.is_request else {
            return Ok(false);
        };
        if !self.source.buffered().is_empty() || !is_request(head) {
            return Ok(false);
        }
        // The time limit of the head restarts once here, not with each line.
        let waited = self.waited.get_or_insert_with(Instant::now).elapsed();
        let left = self.waits.whole.saturating_sub(waited);
        self.source.allow(Some(SHORT_WHILE.min(left)));
        let more = self.source.fill_buf().map(<[u8]>::len);
        self.source.allow(Some(left));
        match more {
            Err(error) if is_silence(&error) => Ok(true),
            Err(error) => Err(error.into()),
            // A close does not end a head.
            Ok(_) => Ok(false),
        }
    }
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

    fn read_next(source: &mut Script) -> Result<Option<Head>, ReadError> {
        Requests::default().read(source, WAITS, |_| false)
    }

    fn read(text: &str) -> Result<Option<Head>, ReadError> {
        Requests::default().read(&mut Script::of(text), WAITS, |_| false)
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
        assert!(matches!(read("GET"), Err(ReadError::CutOff)));
        assert!(matches!(read("GET\r\nHost: x\r\n"), Err(ReadError::CutOff)));
    }

    #[test]
    fn endless_line_is_given_up_at_the_limit() {
        let mut source = Script::of("x".repeat(20_000));
        assert!(matches!(read_next(&mut source), Err(ReadError::LongHead)));
        assert_eq!(source.read_so_far(), MAX_HEAD);
    }

    #[test]
    fn endless_empty_lines_are_given_up_near_the_limit() {
        let mut source = Script::of("\r\n".repeat(20_000));
        assert!(matches!(read_next(&mut source), Err(ReadError::LongHead)));
    }

    #[test]
    fn header_flood_is_given_up_at_the_limit() {
        let head = |fields| format!("A\n{}\n", "N: v\n".repeat(fields));
        assert!(read(&head(MAX_FIELDS)).is_ok());
        assert!(matches!(
            read(&head(MAX_FIELDS + 1)),
            Err(ReadError::ManyFields)
        ));
    }

    #[test]
    fn a_head_of_exactly_the_limit_is_read() {
        let text = format!("A\nN: {}\n\n", "v".repeat(MAX_HEAD - 7));
        assert_eq!(text.len(), MAX_HEAD);
        assert!(read(&text).unwrap().is_some());
        assert!(matches!(
            read(&format!("A{text}")),
            Err(ReadError::LongHead)
        ));
    }

    /// All heads that are read, and the final error. A head with the field `B` is a complete
    /// request.
    fn all(mut source: Script) -> Vec<String> {
        let mut requests = Requests::default();
        let is_request = |head: &Head| head.field("B").is_ok_and(|field| field.is_some());
        let mut read = Vec::new();
        loop {
            match requests.read(&mut source, WAITS, is_request) {
                Ok(Some(head)) => {
                    let lines = String::from_utf8_lossy(head.text());
                    read.push(lines.replace("\r\n", "\n").replace('\n', "|"));
                }
                Ok(None) => return read,
                Err(error) => {
                    read.extend(error.reject().map(|reject| reject.reason));
                    return read;
                }
            }
        }
    }

    #[test]
    fn a_whole_request_without_its_empty_line_is_read_after_a_short_while() {
        let read = all(Script::with_pauses(&["X 1\nA: 1\nB: 2\n", "X 2\nB: 3\n"]));
        assert_eq!(read, ["X 1|A: 1|B: 2|", "X 2|B: 3|"]);
        // An incomplete request waits for the rest.
        let read = all(Script::then_silence("X 1\nA: 1\n"));
        assert_eq!(read, ["no complete request within 1 s"]);
        // A partial line does not end a head either.
        let read = all(Script::then_silence("X 1\nB: 1\nTit"));
        assert_eq!(read, ["no complete request within 1 s"]);
        // A close does not end a request.
        assert_eq!(
            all(Script::of("X 1\nB: 1\n")),
            ["the connection was closed in the middle of a request"]
        );
    }

    #[test]
    fn a_slow_client_loses_nothing() {
        // The rest of a head arrives after its answer, in pieces, with or without the next request.
        for pieces in [
            &["X 1\r\nB: 1\r\n", "C: 2\r\n\r\nX 2\r\nB: 2\r\n\r\n"][..],
            &["X 1\r\nB: 1\r\n", "C: 2\r\n", "\r\n", "X 2\r\nB: 2\r\n\r\n"],
            &["X 1\r\nB: 1\r\n", "\r\n", "X 2\r\nB: 2\r\n\r\n"],
            &["X 1\r\nB: 1\r\n", "X 2\r\nB: 2\r\n\r\n"],
        ] {
            // The wait between requests has no limit, so the script needs no pauses there.
            let pieces: Vec<_> = pieces.to_vec();
            let mut script = Script::with_pauses(&pieces[..1]);
            script.then(pieces[1..].concat());
            assert_eq!(all(script), ["X 1|B: 1|", "X 2|B: 2||"], "{pieces:?}");
        }
        // The skipped fields of a previous head are limited too.
        let mut script = Script::with_pauses(&["X 1\nB: 1\n"]);
        script.then("C: 1\n".repeat(100));
        assert_eq!(
            all(script),
            [
                "X 1|B: 1|",
                "the message head has more than 64 header fields"
            ]
        );
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
