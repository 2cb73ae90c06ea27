//! A copy of what is read, for answers that turn out not to be understood.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use super::Source;

/// The most bytes that are copied.
const MOST: usize = 8 * 1024;

/// A source that copies the first 8 KiB that are read from it.
#[derive(Debug)]
pub struct Tee<'a, S> {
    source: &'a mut S,
    read: Vec<u8>,
}

impl<'a, S: Source> Tee<'a, S> {
    /// Copies what is read from `source` from now on.
    pub fn of(source: &'a mut S) -> Self {
        let read = Vec::new();
        Self { source, read }
    }

    /// The first 8 KiB that arrived: what was read, and what could be read next without waiting.
    pub fn arrived(mut self) -> Vec<u8> {
        copy(self.source.buffered(), &mut self.read);
        self.read
    }
}

fn copy(bytes: &[u8], into: &mut Vec<u8>) {
    let room = MOST.saturating_sub(into.len()).min(bytes.len());
    into.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

impl<S: Source> Source for Tee<'_, S> {
    fn allow(&mut self, time: Option<Duration>) {
        self.source.allow(time);
    }

    fn arrives_within(&mut self, time: Duration) -> io::Result<bool> {
        self.source.arrives_within(time)
    }

    fn buffered(&self) -> &[u8] {
        self.source.buffered()
    }
}

impl<S: Source> Read for Tee<'_, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(into)?;
        copy(into.get(..count).unwrap_or_default(), &mut self.read);
        Ok(count)
    }
}

impl<S: Source> BufRead for Tee<'_, S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        let consumed = self.source.buffered().get(..count).unwrap_or_default();
        copy(consumed, &mut self.read);
        self.source.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;

    #[test]
    fn what_arrived_is_copied_however_it_is_read() {
        let mut source = Script::of("HTTP/1.1 400 Bad Request\r\n\r\n");
        let mut tee = Tee::of(&mut source);
        let mut line = Vec::new();
        (&mut tee).take(4).read_to_end(&mut line).unwrap();
        tee.read_until(b' ', &mut line).unwrap();
        assert_eq!(line, b"HTTP/1.1 ");
        assert_eq!(tee.arrived(), b"HTTP/1.1 400 Bad Request\r\n\r\n");
    }

    #[test]
    fn only_the_beginning_of_much_is_copied() {
        let mut source = Script::of("x".repeat(3 * MOST));
        let mut tee = Tee::of(&mut source);
        let mut piece = vec![0; 2 * MOST];
        tee.read_exact(&mut piece).unwrap();
        assert_eq!(tee.arrived().len(), MOST);
    }
}
