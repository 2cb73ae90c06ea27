//! Writes results to standard output.

use std::io::{self, BufWriter, Write};

use anyhow::Context;

use super::{Failure, PRINT_TIME};
use crate::printout::Transcript;

/// Writes a result to standard output, after any messages that were printed. Fails if it can't be
/// written.
pub fn print(
    transcript: &Transcript,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    transcript.finish(PRINT_TIME);
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    // A failed write must not be repeated when the buffer is dropped.
    drop(out.into_parts());
    Ok(unless_unread(written).context("cannot write standard output")?)
}

/// A reader that closes the pipe early (`peer list | head`) is not a failure.
pub fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
