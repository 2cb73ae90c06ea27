//! The folders of an isolated program under test: it can change its own one and nothing else.

use std::env;
use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::mount::{MountFlags, mount, mount_bind_recursive, mount_remount};

/// Where programs keep sockets through which they take orders, and files of other users.
const PRIVATE: [&str; 2] = ["/tmp", "/run"];
/// What of `/proc` changes the whole system, if the user may.
const SYSTEM: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];
/// The devices that exist. Others may be disks and terminals.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Makes everything read-only but the current folder, and replaces [`PRIVATE`], `/dev`, and the
/// hidden folders by empty ones. The current folder stays visible within these.
pub(super) fn confine(hidden: &[PathBuf]) -> io::Result<()> {
    let path = env::current_dir()?;
    let own = File::open(&path)?;
    let flags = make_read_only(&path)?;
    protect_system()?;
    replace_devices()?;
    let private = PRIVATE.iter().map(Path::new);
    for folder in private.chain(hidden.iter().map(PathBuf::as_path)) {
        if folder.is_dir() {
            empty(folder, FOR_ALL)?;
        }
    }
    fs::create_dir_all(&path)?;
    mount_bind_recursive(place(&own), &path)?;
    mount_remount(&path, MountFlags::BIND | flags, "")?;
    // So far it is the read-only one.
    env::set_current_dir(&path)
}

/// Makes all mounts read-only but `/proc`, where a process defines its users. Returns the flags that
/// the one of this folder had.
fn make_read_only(own: &Path) -> io::Result<MountFlags> {
    let own = mount_id(own)?;
    let mut of_own = MountFlags::empty();
    for line in fs::read("/proc/self/mountinfo")?.split(|byte| *byte == b'\n') {
        let Some(it) = Mount::read(line) else {
            continue;
        };
        if it.id == own {
            of_own = it.flags;
        }
        if it.place == Path::new("/proc") {
            continue;
        }
        // Another one may cover it, or nobody may see it.
        if mount_id(&it.place).is_ok_and(|id| id == it.id) {
            let flags = MountFlags::BIND | MountFlags::RDONLY | it.flags;
            mount_remount(&it.place, flags, "").map_err(|error| {
                let place = it.place.display();
                io::Error::other(format!("cannot make {place} read-only: {error}"))
            })?;
        }
    }
    Ok(of_own)
}

fn mount_id(place: &Path) -> io::Result<u64> {
    let about = statx(CWD, place, AtFlags::NO_AUTOMOUNT, StatxFlags::MNT_ID)?;
    Ok(about.stx_mnt_id)
}

/// A line of `/proc/self/mountinfo` (proc(5)).
struct Mount {
    id: u64,
    place: PathBuf,
    /// Those that a change must keep.
    flags: MountFlags,
}

impl Mount {
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let place = PathBuf::from(unescaped(fields.nth(3)?));
        let options = fields.next()?.split(|byte| *byte == b',');
        let flags = options.filter_map(|option| match option {
            b"ro" => Some(MountFlags::RDONLY),
            b"nosuid" => Some(MountFlags::NOSUID),
            b"nodev" => Some(MountFlags::NODEV),
            b"noexec" => Some(MountFlags::NOEXEC),
            _ => None,
        });
        Some(Self {
            id,
            place,
            flags: flags.collect(),
        })
    }
}

/// Without the octal escapes of white space.
fn unescaped(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = after.get(3..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    OsString::from_vec(bytes)
}

/// The options of a folder in memory to which all can write, as to `/tmp`,
const FOR_ALL: &CStr = c"size=64m,mode=1777";
/// and of one to which only its owner can. In the other kind the system does not let a shell write to
/// devices of another user, such as `/dev/null`.
const FOR_OWNER: &CStr = c"size=64m,mode=755";

/// Replaces a folder by an empty one in memory.
fn empty(folder: &Path, options: &CStr) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", folder, "tmpfs", flags, options)?)
}

fn protect_system() -> io::Result<()> {
    for name in SYSTEM {
        let path = Path::new("/proc").join(name);
        if path.exists() {
            mount_bind_recursive(&path, &path)?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | flags, "")?;
        }
    }
    Ok(())
}

fn replace_devices() -> io::Result<()> {
    let folder = Path::new("/dev");
    let kept = DEVICES.map(|name| Some((folder.join(name), File::open(folder.join(name)).ok()?)));
    empty(folder, FOR_OWNER)?;
    for (path, device) in kept.into_iter().flatten() {
        File::create(&path)?;
        mount_bind_recursive(place(&device), &path)?;
    }
    for (name, to) in [
        ("fd", ""),
        ("stdin", "/0"),
        ("stdout", "/1"),
        ("stderr", "/2"),
    ] {
        symlink(format!("/proc/self/fd{to}"), folder.join(name))?;
    }
    fs::create_dir(folder.join("shm"))
}

/// A path to an open file or folder, even where another one covers it.
fn place(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_has_an_id_a_place_and_flags() {
        let line = b"36 35 98:0 /mnt1 /my\\040disk ro,noatime,nosuid master:1 - ext3 /dev/root rw";
        let mount = Mount::read(line).unwrap();
        assert_eq!((mount.id, mount.place), (36, PathBuf::from("/my disk")));
        assert_eq!(mount.flags, MountFlags::RDONLY | MountFlags::NOSUID);
        assert!(Mount::read(b"").is_none());
    }
}
