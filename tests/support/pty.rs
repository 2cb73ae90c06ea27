//! A pseudo-terminal that is read only as far as a test wants.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Action, tcflow};

use super::PATIENCE;

/// A terminal that exists as long as this value.
pub(crate) struct Pty {
    /// The side of the person,
    person: File,
    /// and the side of the programs.
    programs: File,
    seen: Vec<u8>,
}

impl Pty {
    pub(crate) fn open() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        // Programs started by the tests must not inherit it.
        fcntl_setfd(&person, FdFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let programs = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        Self {
            person: person.into(),
            programs: programs.into(),
            seen: Vec::new(),
        }
    }

    /// For a program that reads or writes here.
    pub(crate) fn stdio(&self) -> Stdio {
        self.programs.try_clone().unwrap().into()
    }

    /// Stops the output, as Ctrl-S does: writers block from now on.
    pub(crate) fn stop(&self) {
        tcflow(&self.programs, Action::OOff).unwrap();
    }

    /// Reads until `text` was printed, and no further. Returns everything read so far.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            if seen.contains(text) {
                return seen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.try_into().unwrap();
            let mut more = [PollFd::new(&self.person, PollFlags::IN)];
            let is_more = poll(&mut more, Some(&left)).unwrap() > 0;
            assert!(is_more, "{text:?} is not on the terminal:\n{seen}");
            let mut buffer = [0; 1024];
            let count = self.person.read(&mut buffer).unwrap();
            self.seen.extend_from_slice(&buffer[..count]);
        }
    }
}
