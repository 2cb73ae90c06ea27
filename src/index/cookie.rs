//! The file that keeps a peer's cookie between runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::wire::Endpoint;
use crate::wire::di::exchange::Digest;
use crate::wire::di::registration::Cookie;

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1024;

/// The file, locked against other peers: two peers with one cookie would be one peer to the
/// registration server.
#[derive(Debug)]
pub struct CookieFile {
    file: File,
    path: PathBuf,
}

impl CookieFile {
    /// The file of the peer that shares `shared` and registers with `server`. It is created in
    /// `folder` if missing. `None` means that another peer uses it.
    pub fn open(folder: &Path, server: &Endpoint, shared: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("cookie-{}", state_name(Some(server), shared)));
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The cookie of the previous run, if any.
    pub fn read(&self) -> Option<Cookie> {
        let mut text = String::new();
        let mut file = &self.file;
        file.rewind().ok()?;
        file.take(MAX_FILE).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Saves a cookie.
    pub fn write(&self, cookie: Cookie) -> io::Result<()> {
        let text = format!("{cookie}\n");
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(u64::try_from(text.len()).unwrap_or_default())?;
        file.sync_all()
    }
}

/// What distinguishes the state of the peer that shares `shared`, and uses `server` if that matters,
/// from that of others, in the name of a file.
pub fn state_name(server: Option<&Endpoint>, shared: &Path) -> String {
    let shared = fs::canonicalize(shared).unwrap_or_else(|_| shared.to_owned());
    let mut hash = Sha256::new();
    let server = server.map(Endpoint::to_string).unwrap_or_default();
    hash.update(server.to_ascii_lowercase());
    hash.update([0]);
    hash.update(shared.as_os_str().as_encoded_bytes());
    let mut name = Digest(hash.finalize().into()).to_string();
    name.truncate(16);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_kept_for_one_peer_at_a_time() {
        let (state, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = Endpoint::parse("RS:5", crate::wire::Port::MIN).unwrap();
        let open = |shared: &Path| CookieFile::open(state.path(), &server, shared).unwrap();
        let cookies = [7, 65536, 8].map(Cookie);
        {
            let file = open(shared.path()).unwrap();
            assert_eq!(file.read(), None);
            for cookie in cookies {
                file.write(cookie).unwrap();
                assert_eq!(file.read(), Some(cookie));
            }
            assert!(open(shared.path()).is_none(), "another peer uses it");
            assert_eq!(open(state.path()).unwrap().read(), None, "another folder");
        }
        let again = open(shared.path()).unwrap();
        assert_eq!(again.read(), Some(cookies[2]));
        fs::write(again.path(), "no cookie").unwrap();
        assert_eq!(again.read(), None);
    }
}
