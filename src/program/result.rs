//! Standard output as the place of a result.

use std::io::{self, BufWriter, Write};

use anyhow::Context;

use super::{Failure, PRINT_TIME};
use crate::printout::Transcript;

/// Writes a result to standard output. The messages that have led to it come first, where they are
/// printed.
pub fn print(
    transcript: &Transcript,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    transcript.finish(PRINT_TIME);
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    // What could not be written must not be tried again when the buffer goes.
    drop(out.into_parts());
    Ok(unless_unread(written).context("cannot write standard output")?)
}

/// A reader that has seen enough (`peer list | head`) is no failure.
pub fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
