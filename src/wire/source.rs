//! What reading a message needs of a stream: bounded waits and bounded lines.

use std::io::{self, BufRead, Read};
use std::time::Duration;

/// A stream of bytes from a stranger, whose waits can be bounded.
pub trait Source: BufRead {
    /// Bounds all the reading from now until the next call: once `time` has passed, reads that
    /// would have to wait fail with [`io::ErrorKind::TimedOut`]. `None` waits for ever.
    fn allow(&mut self, time: Option<Duration>);

    /// The bytes that can be read without any wait.
    fn buffered(&self) -> &[u8];
}

/// Bytes that are all there.
impl Source for &[u8] {
    fn allow(&mut self, _: Option<Duration>) {}

    fn buffered(&self) -> &[u8] {
        self
    }
}

/// Appends one line with its `\n` to `text`, reading at most `limit` bytes, and returns how many
/// it read. A line without `\n` at its end was cut by the limit or by the end of the stream.
///
/// # Errors
/// Those of the stream. What was read before the error is in `text`.
pub fn read_line(source: &mut impl BufRead, limit: usize, text: &mut Vec<u8>) -> io::Result<usize> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    source.take(limit).read_until(b'\n', text)
}
