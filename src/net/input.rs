//! The input buffer of a connection: small while it is idle, large while much arrives.

use std::io::{self, BufRead, Read};
use std::time::Duration;

/// The size of the buffer at first, in bytes. Every connection holds one, even ten thousand silent
/// ones.
pub(super) const SMALL: usize = 512;
/// The size once more arrives at a time: requests that are pipelined, for example.
const LARGE: usize = 8 * 1024;
/// How long nothing arrives until large buffers are freed.
const KEPT_TIME: Duration = Duration::from_secs(1);

/// Where the input comes from.
pub(super) trait Origin {
    /// Reads what arrives. Returns `None` if that takes longer than `time`.
    fn read_within(&mut self, time: Option<Duration>, into: &mut [u8])
    -> io::Result<Option<usize>>;

    /// Whether it holds more memory than an idle connection should.
    fn is_large(&self) -> bool;

    /// Frees that memory.
    fn free(&mut self);
}

/// A buffered reader.
#[derive(Debug)]
pub(super) struct Input<O> {
    origin: O,
    buffer: Vec<u8>,
    /// What was read and not consumed.
    start: usize,
    end: usize,
}

impl<O: Origin> Input<O> {
    pub(super) fn new(origin: O) -> Self {
        Self {
            origin,
            buffer: vec![0; SMALL],
            start: 0,
            end: 0,
        }
    }

    pub(super) fn get_ref(&self) -> &O {
        &self.origin
    }

    pub(super) fn get_mut(&mut self) -> &mut O {
        &mut self.origin
    }

    /// What can be read without waiting.
    pub(super) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn is_large(&self) -> bool {
        self.buffer.len() > SMALL || self.origin.is_large()
    }

    /// Reads into the empty buffer.
    fn refill(&mut self) -> io::Result<()> {
        // The last read filled it, so there was more.
        if self.end == self.buffer.len() && self.end < LARGE {
            self.buffer = vec![0; LARGE];
        }
        (self.start, self.end) = (0, 0);
        self.end = loop {
            let time = self.is_large().then_some(KEPT_TIME);
            if let Some(count) = self.origin.read_within(time, &mut self.buffer)? {
                break count;
            }
            self.buffer = vec![0; SMALL];
            self.origin.free();
        };
        Ok(())
    }
}

impl<O: Origin> BufRead for Input<O> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.refill()?;
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

impl<O: Origin> Read for Input<O> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // What is long enough need not go through the buffer.
        if self.start == self.end && into.len() >= LARGE {
            let read = self.origin.read_within(None, into)?;
            return Ok(read.unwrap_or_default());
        }
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Arrivals; an empty one is a long silence.
    #[derive(Default)]
    struct Arrivals {
        pieces: VecDeque<Vec<u8>>,
        sizes: Vec<usize>,
    }

    impl Origin for Arrivals {
        fn read_within(
            &mut self,
            time: Option<Duration>,
            into: &mut [u8],
        ) -> io::Result<Option<usize>> {
            self.sizes.push(into.len());
            let Some(piece) = self.pieces.front_mut() else {
                return Ok(Some(0));
            };
            if piece.is_empty() {
                assert!(time.is_some(), "an idle connection with a large buffer");
                self.pieces.pop_front();
                return Ok(None);
            }
            let count = piece.as_slice().read(into)?;
            piece.drain(..count);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
            Ok(Some(count))
        }

        fn is_large(&self) -> bool {
            false
        }

        fn free(&mut self) {}
    }

    #[test]
    fn the_buffer_grows_with_what_arrives_and_is_freed_after_a_silence() {
        let pieces = [
            vec![1; 100],
            vec![2; 3000],
            vec![3; 200],
            vec![],
            vec![4; 50],
        ];
        let arrivals = Arrivals {
            pieces: pieces.clone().into(),
            ..Arrivals::default()
        };
        let (mut input, mut all) = (Input::new(arrivals), Vec::<u8>::new());
        while !input.fill_buf().unwrap().is_empty() {
            all.extend(input.buffered());
            input.consume(input.buffered().len());
        }
        assert_eq!(all, pieces.concat());
        let sizes = [SMALL, SMALL, LARGE, LARGE, LARGE, SMALL, SMALL];
        assert_eq!(input.origin.sizes, sizes);
    }
}
