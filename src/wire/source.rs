//! What reading a message requires of a stream: bounded waits and bounded lines.

use std::io::{self, BufRead, Read};
use std::time::Duration;

/// An untrusted stream of bytes with bounded waits.
pub trait Source: BufRead {
    /// Limits all reads from now until the next call: once `time` has passed, reads that would have
    /// to wait fail with [`io::ErrorKind::TimedOut`]. `None` waits forever.
    fn allow(&mut self, time: Option<Duration>);

    /// Waits for more bytes, for at most `time`, and never longer than [`allow`](Self::allow) does,
    /// whose limit stays as it is. Returns whether something arrived; the end of the stream counts.
    fn arrives_within(&mut self, time: Duration) -> io::Result<bool>;

    /// The bytes that can be read without waiting.
    fn buffered(&self) -> &[u8];
}

/// Bytes in memory: reads never wait.
impl Source for &[u8] {
    fn allow(&mut self, _: Option<Duration>) {}

    fn arrives_within(&mut self, _: Duration) -> io::Result<bool> {
        Ok(true)
    }

    fn buffered(&self) -> &[u8] {
        self
    }
}

/// Appends one line with its `\n` to `text`, reading at most `limit` bytes, and returns how many it
/// read. A line without `\n` was cut off by the limit or the end of the stream. After an error,
/// `text` contains what was read before it.
pub(super) fn read_line(
    source: &mut impl BufRead,
    limit: usize,
    text: &mut Vec<u8>,
) -> io::Result<usize> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    source.take(limit).read_until(b'\n', text)
}

/// A stream for tests, which arrives in the pieces that the test chooses.
#[cfg(test)]
pub(crate) mod testing {
    use std::collections::VecDeque;

    use super::*;

    /// Pieces of a stream. As with a socket, a read never crosses the boundary of two pieces.
    #[derive(Debug, Default)]
    pub(crate) struct Script {
        pieces: VecDeque<Piece>,
        consumed: usize,
        /// The limits that the reader has set, in order.
        allowed: Vec<Option<Duration>>,
        /// How often the reader has waited for more than it needs.
        short_waits: usize,
    }

    #[derive(Debug)]
    enum Piece {
        Bytes(VecDeque<u8>),
        /// The other side sends nothing more: every read times out.
        Silence,
        /// The other side sends nothing for a while: one read times out.
        Pause,
    }

    impl Script {
        pub(crate) fn of(bytes: impl Into<Vec<u8>>) -> Self {
            let mut script = Self::default();
            script.then(bytes);
            script
        }

        /// Appends these bytes.
        pub(crate) fn then(&mut self, bytes: impl Into<Vec<u8>>) {
            let bytes: Vec<u8> = bytes.into();
            self.pieces.push_back(Piece::Bytes(bytes.into()));
        }

        /// These pieces, with a pause after each.
        pub(crate) fn with_pauses(pieces: &[&str]) -> Self {
            let mut script = Self::default();
            for piece in pieces {
                script.then(*piece);
                script.pieces.push_back(Piece::Pause);
            }
            script
        }

        /// `bytes`, then silence instead of a close.
        pub(crate) fn then_silence(bytes: impl Into<Vec<u8>>) -> Self {
            let mut script = Self::of(bytes);
            script.pieces.push_back(Piece::Silence);
            script
        }

        /// `text` in pieces whose lengths cycle through `cuts`.
        pub(crate) fn in_pieces(text: impl AsRef<[u8]>, cuts: &[usize]) -> Self {
            let mut script = Self::default();
            let mut rest = text.as_ref();
            for &cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                script.then(piece);
                rest = after;
            }
            script
        }

        pub(crate) fn read_so_far(&self) -> usize {
            self.consumed
        }

        /// How often the reader has waited for more than it needs.
        pub(crate) fn short_waits(&self) -> usize {
            self.short_waits
        }

        /// The limits that the reader has set so far, in order.
        pub(crate) fn allowed(&self) -> &[Option<Duration>] {
            &self.allowed
        }
    }

    impl Read for Script {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.fill_buf()?.read(into)?;
            self.consume(count);
            Ok(count)
        }
    }

    impl BufRead for Script {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            let is_empty =
                |piece: &mut Piece| matches!(piece, Piece::Bytes(bytes) if bytes.is_empty());
            while self.pieces.pop_front_if(is_empty).is_some() {}
            let is_pause = |piece: &mut Piece| matches!(piece, Piece::Pause);
            if self.pieces.pop_front_if(is_pause).is_some() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.pieces.front() {
                Some(Piece::Silence) => Err(io::ErrorKind::TimedOut.into()),
                _ => Ok(self.buffered()),
            }
        }

        fn consume(&mut self, count: usize) {
            if let Some(Piece::Bytes(bytes)) = self.pieces.front_mut() {
                bytes.drain(..count);
            }
            self.consumed += count;
        }
    }

    impl Source for Script {
        fn allow(&mut self, time: Option<Duration>) {
            self.allowed.push(time);
        }

        fn arrives_within(&mut self, _: Duration) -> io::Result<bool> {
            self.short_waits += 1;
            match self.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
                came => came.map(|_| true),
            }
        }

        fn buffered(&self) -> &[u8] {
            match self.pieces.front() {
                Some(Piece::Bytes(bytes)) => bytes.as_slices().0,
                _ => &[],
            }
        }
    }
}
