//! What reading a message requires of a stream: bounded waits and bounded lines.

use std::io::{self, BufRead, Read};
use std::time::Duration;

/// A stream of bytes from a stranger, whose waits can be bounded.
pub trait Source: BufRead {
    /// Bounds all reads from now until the next call: once `time` has passed, reads that would
    /// block fail with [`io::ErrorKind::TimedOut`]. `None` waits forever.
    fn allow(&mut self, time: Option<Duration>);

    /// The bytes that can be read without blocking.
    fn buffered(&self) -> &[u8];
}

/// Bytes in memory.
impl Source for &[u8] {
    fn allow(&mut self, _: Option<Duration>) {}

    fn buffered(&self) -> &[u8] {
        self
    }
}

/// Appends one line with its `\n` to `text`, reading at most `limit` bytes, and returns how many it
/// read. A line without `\n` was cut off by the limit or by the end of the stream. After an error,
/// `text` has what was read before it.
pub fn read_line(source: &mut impl BufRead, limit: usize, text: &mut Vec<u8>) -> io::Result<usize> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    source.take(limit).read_until(b'\n', text)
}
