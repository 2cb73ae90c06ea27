//! Peers in the background that a failed test has left.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

/// Kills the peers that run in the background with this state folder, when it is dropped.
pub(crate) struct Leftovers(pub(crate) PathBuf);

impl Drop for Leftovers {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(self.0.join("p2pci")) else {
            return;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let is_lock = path.to_str().unwrap().ends_with(".sock.lock");
            // A process that still holds its lock has its number in the file.
            if is_lock
                && matches!(
                    File::open(&path).unwrap().try_lock(),
                    Err(TryLockError::WouldBlock)
                )
            {
                let number = fs::read_to_string(&path).unwrap();
                let pid = number.trim().parse().ok().and_then(Pid::from_raw);
                let _ = kill_process(pid.unwrap(), Signal::KILL);
            }
        }
    }
}
