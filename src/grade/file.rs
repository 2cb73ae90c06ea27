//! Files that the grader reads and writes. None of them can make it wait for ever, or fill it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

/// Opens a file to read it. A pipe does not wait for somebody who writes to it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options.read(true).open(path)
}

/// The content of a regular file: a pipe or a device may have no end. `too_long` says what is wrong
/// if it has more than `most` bytes.
pub(super) fn content(
    file: File,
    most: u64,
    too_long: impl FnOnce() -> String,
) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    let count = file
        .take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    if u64::try_from(count).is_ok_and(|count| count <= most) {
        Ok(content)
    } else {
        Err(io::Error::other(too_long()))
    }
}

/// Opens a file to write to it: an empty one, or to append. A pipe does not wait for somebody who
/// reads it.
pub(super) fn create(path: &Path, is_appended: bool) -> io::Result<File> {
    let mut options = File::options();
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options.create(true).append(is_appended);
    if !is_appended {
        options.write(true).truncate(true);
    }
    let file = options.open(path).map_err(|error| {
        if Errno::from_io_error(&error) == Some(Errno::NXIO) {
            return io::Error::other("it is a pipe that nobody reads");
        }
        error
    })?;
    // What is written may wait for a reader that exists.
    let flags = if is_appended {
        OFlags::APPEND
    } else {
        OFlags::empty()
    };
    fcntl_setfl(&file, flags)?;
    Ok(file)
}
