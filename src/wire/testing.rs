//! A stream for tests, which arrives in given pieces.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use super::Source;

/// Pieces of a stream. A read never crosses the boundary of two pieces, as with a socket.
#[derive(Debug)]
pub(crate) struct Script {
    pieces: VecDeque<Piece>,
    position: usize,
    consumed: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Silence for longer than anyone waits.
    Silence,
    /// Silence for one wait.
    Pause,
}

impl Script {
    pub(crate) fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            pieces: VecDeque::from([Piece::Bytes(bytes.into())]),
            position: 0,
            consumed: 0,
        }
    }

    /// These pieces, with a pause between them that ends one wait.
    pub(crate) fn with_pauses(pieces: &[&str]) -> Self {
        let mut script = Self::of("");
        for piece in pieces {
            script
                .pieces
                .push_back(Piece::Bytes(piece.as_bytes().to_vec()));
            script.pieces.push_back(Piece::Pause);
        }
        script
    }

    /// Appends bytes.
    pub(crate) fn then(&mut self, bytes: &str) {
        self.pieces
            .push_back(Piece::Bytes(bytes.as_bytes().to_vec()));
    }

    /// `bytes`, then silence instead of a close.
    pub(crate) fn then_silence(bytes: impl Into<Vec<u8>>) -> Self {
        let mut script = Self::of(bytes);
        script.pieces.push_back(Piece::Silence);
        script
    }

    /// `text` in pieces of the lengths `cuts`, repeated.
    pub(crate) fn in_pieces(text: impl AsRef<[u8]>, cuts: &[usize]) -> Self {
        let mut script = Self::of("");
        let mut rest = text.as_ref();
        for &cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            script.pieces.push_back(Piece::Bytes(piece.to_vec()));
            rest = after;
        }
        script
    }

    pub(crate) fn read_so_far(&self) -> usize {
        self.consumed
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
        while let Some(Piece::Bytes(bytes)) = self.pieces.front() {
            if self.position < bytes.len() {
                break;
            }
            self.pieces.pop_front();
            self.position = 0;
        }
        if matches!(self.pieces.front(), Some(Piece::Pause)) {
            self.pieces.pop_front();
            self.position = 0;
            return Err(io::ErrorKind::TimedOut.into());
        }
        match self.pieces.front() {
            Some(Piece::Bytes(bytes)) => Ok(&bytes[self.position..]),
            Some(Piece::Silence | Piece::Pause) => Err(io::ErrorKind::TimedOut.into()),
            None => Ok(&[]),
        }
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
        self.consumed += count;
    }
}

impl Source for Script {
    fn allow(&mut self, _: Option<Duration>) {}

    fn buffered(&self) -> &[u8] {
        match self.pieces.front() {
            Some(Piece::Bytes(bytes)) => &bytes[self.position..],
            _ => &[],
        }
    }
}
