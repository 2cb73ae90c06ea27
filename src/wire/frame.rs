//! Frames: ten bytes of ASCII decimal length, left-justified and padded with spaces, and then that
//! many bytes of content.
//!
//! This module does not interpret the content.

use std::io::{Read, Write};
use std::time::Duration;

use super::terms::decimal;
use super::{ReadError, Source, Waits};

/// How long a client waits for a frame to begin: an answer must come within one second.
pub const ANSWER_TIME: Duration = Duration::from_secs(3);

/// The size of the length prefix, in bytes.
pub(super) const PREFIX: usize = 10;
/// The longest content of a frame, in bytes.
pub const MAX_FRAME: usize = 1024 * 1024;

/// A frame, including its length prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// Reads the next frame, with at most `most` bytes of content and never more than
    /// [`MAX_FRAME`]. `Ok(None)`: the stream ended before a frame began.
    pub fn read(
        source: &mut impl Source,
        waits: Waits,
        most: usize,
    ) -> Result<Option<Self>, ReadError> {
        source.allow(waits.first);
        let first = source.fill_buf();
        if first
            .map_err(|error| waits.failed(error, false))?
            .is_empty()
        {
            return Ok(None);
        }
        source.allow(Some(waits.whole));
        let mut bytes = Vec::with_capacity(PREFIX);
        let mut take = |count: usize, bytes: &mut Vec<u8>| {
            // Allocate for the bytes that arrive, not for the announced length.
            let mut rest = (&mut *source).take(u64::try_from(count).unwrap_or_default());
            match rest.read_to_end(bytes) {
                Ok(read) if read < count => Err(ReadError::CutOff),
                Ok(_) => Ok(()),
                Err(error) => Err(waits.failed(error, true)),
            }
        };
        take(PREFIX, &mut bytes)?;
        take(length(&bytes, most.min(MAX_FRAME))?, &mut bytes)?;
        Ok(Some(Self(bytes)))
    }

    /// Reads the frame of an answer. It must begin within [`ANSWER_TIME`], or `time` if that is
    /// shorter, and then be complete within `time`.
    pub(super) fn read_answer(source: &mut impl Source, time: Duration) -> Result<Self, ReadError> {
        let waits = Waits {
            first: Some(time.min(ANSWER_TIME)),
            whole: time,
        };
        Self::read(source, waits, MAX_FRAME)?.ok_or(ReadError::Closed)
    }

    /// Wraps `content` in a frame. Content beyond [`MAX_FRAME`] bytes is dropped.
    pub fn around(content: &[u8]) -> Self {
        let content = content.get(..MAX_FRAME).unwrap_or(content);
        let mut bytes = [&[b' '; PREFIX], content].concat();
        let length = bytes.len();
        write_length(&mut bytes, length);
        Self(bytes)
    }

    /// The content, without the length prefix.
    pub fn content(&self) -> &[u8] {
        self.0.get(PREFIX..).unwrap_or_default()
    }

    /// The raw frame, including its length prefix.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Writes the length of a frame into its first [`PREFIX`] bytes; it has `length` bytes with them.
pub(super) fn write_length(frame: &mut [u8], length: usize) {
    let length = length.saturating_sub(PREFIX);
    let mut place = frame.get_mut(..PREFIX).unwrap_or_default();
    // Ten digits are enough for any length up to `MAX_FRAME`.
    let _ = write!(place, "{length:<PREFIX$}");
}

/// Parses the length prefix of a frame.
fn length(prefix: &[u8], most: usize) -> Result<usize, ReadError> {
    let wrong = || ReadError::malformed(prefix, "the length of a frame");
    let text = str::from_utf8(prefix).map_err(|_| wrong())?;
    let length = decimal(text.trim_end_matches(' ')).ok_or_else(wrong)?;
    match usize::try_from(length) {
        Ok(length) if length <= most => Ok(length),
        _ => Err(ReadError::LongFrame { length, most }),
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

    fn read_one(bytes: impl Into<Vec<u8>>) -> Result<Option<Frame>, ReadError> {
        Frame::read(&mut Script::of(bytes), WAITS, MAX_FRAME)
    }

    #[test]
    fn a_frame_is_its_length_and_that_many_bytes() {
        assert_eq!(Frame::around(b"hello").into_bytes(), b"5         hello");
        let frame = read_one("5         hello more").unwrap().unwrap();
        assert_eq!(frame.content(), b"hello");
        assert_eq!(read_one("0         ").unwrap().unwrap().content(), b"");
        assert!(read_one("").unwrap().is_none());
    }

    #[test]
    fn a_wrong_length_ends_the_stream() {
        for wrong in [
            "abc       x",
            "-5        x",
            "+5        x",
            "5 5       x",
            " 5        x",
            "          x",
            "5\n        x",
            "0x5       x",
            "5.0       x",
            "\u{665}        x",
        ] {
            assert!(
                matches!(read_one(wrong), Err(ReadError::Malformed { .. })),
                "{wrong:?}"
            );
        }
        for huge in ["1048577   ", "9999999999"] {
            assert!(
                matches!(read_one(huge), Err(ReadError::LongFrame { .. })),
                "{huge:?}"
            );
        }
        for cut in ["5", "5         ", "5         hell", "1048576   "] {
            assert!(matches!(read_one(cut), Err(ReadError::CutOff)), "{cut:?}");
        }
        let mut silent = Script::then_silence("5         hell");
        assert!(matches!(
            Frame::read(&mut silent, WAITS, MAX_FRAME),
            Err(ReadError::TimedOut { began: true, .. })
        ));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..5),
            cuts in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let all: Vec<u8> = contents.iter().flat_map(|c| Frame::around(c).0).collect();
            let mut source = Script::in_pieces(&all, &cuts);
            for content in &contents {
                let frame = Frame::read(&mut source, WAITS, MAX_FRAME).unwrap().unwrap();
                prop_assert_eq!(frame.content(), content.as_slice());
            }
            prop_assert!(Frame::read(&mut source, WAITS, MAX_FRAME).unwrap().is_none());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = read_one(bytes);
        }
    }
}
