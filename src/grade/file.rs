//! Files that the grader reads and writes. None of them can make it wait for ever, or fill it.

use std::fs::{self, File};
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

/// Opens an empty file to write to it. A pipe does not wait for somebody who reads it. An isolated
/// program under test can link from its folder to anywhere: there a link in place of the file is
/// replaced, and a link on the way to it is an error.
pub(super) fn create(path: &Path, untrusted: Option<&Path>) -> io::Result<File> {
    if let Some(folder) = untrusted {
        remove_link(path, &fs::canonicalize(folder)?)?;
    }
    let mut options = File::options();
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options.create(true).write(true).truncate(true);
    let file = options.open(path).map_err(|error| {
        if Errno::from_io_error(&error) == Some(Errno::NXIO) {
            return io::Error::other("it is a pipe that nobody reads");
        }
        error
    })?;
    // What is written may wait for a reader that exists, and replaces nothing that others write.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// Removes a link in this folder that is in place of the file.
fn remove_link(path: &Path, folder: &Path) -> io::Result<()> {
    for link in path.ancestors().filter(|place| place.is_symlink()) {
        let parent = link.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = fs::canonicalize(parent.unwrap_or(Path::new(".")))?;
        // In /dev, links such as /dev/stdout are those of the system, even if the folder is /.
        if !parent.starts_with(folder) || parent.starts_with("/dev") {
            continue;
        }
        if link != path {
            let link = link.display();
            let why = "a link that the program may have made; name another folder";
            return Err(io::Error::other(format!("{link} is {why}")));
        }
        fs::remove_file(path)?;
    }
    Ok(())
}
