//! A stream in memory, which arrives in pieces whose length the input chooses.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use p2pci::wire::Source;

pub(crate) struct Stream<'a> {
    rest: &'a [u8],
    piece: usize,
    ahead: usize,
    /// What was answered.
    #[allow(dead_code, reason = "some targets only read")]
    pub(crate) out: Vec<u8>,
}

impl<'a> Stream<'a> {
    /// The first byte of the input is the length of the pieces.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        let (piece, rest) = input
            .split_first()
            .map_or((1, input), |(&p, rest)| (p, rest));
        Self {
            rest,
            piece: usize::from(piece).max(1),
            ahead: 0,
            out: Vec::new(),
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead == 0 {
            self.ahead = self.piece.min(self.rest.len());
        }
        Ok(&self.rest[..self.ahead])
    }

    fn consume(&mut self, count: usize) {
        self.rest = &self.rest[count..];
        self.ahead -= count;
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Stream<'_> {
    fn allow(&mut self, _: Option<Duration>) {}

    fn arrives_within(&mut self, _: Duration) -> io::Result<bool> {
        Ok(true)
    }

    fn buffered(&self) -> &[u8] {
        &self.rest[..self.ahead]
    }
}
