//! Output files that can't be replaced: standard output, devices and pipes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use crate::program::unless_unread;

/// Whether `file` is one of them; `-` is standard output.
pub(super) fn is_stream(file: &Path) -> bool {
    file == "-" || fs::metadata(file).is_ok_and(|found| !found.is_file())
}

/// Copies a document to a stream. A closed pipe is not an error.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut document = File::open(from)?;
    let copied = if to == "-" {
        let mut stdout = io::stdout().lock();
        io::copy(&mut document, &mut stdout).and_then(|_| stdout.flush())
    } else {
        // Nonblocking, so that a pipe without a reader is an error and not an endless wait.
        let mut stream = fs::OpenOptions::new()
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(to)
            .map_err(|error| match error.raw_os_error() {
                Some(code) if code == Errno::NXIO.raw_os_error() => {
                    io::Error::other("it has no reader")
                }
                _ => error,
            })?;
        fcntl_setfl(&stream, OFlags::empty())?;
        io::copy(&mut document, &mut stream).map(drop)
    };
    unless_unread(copied)
}
