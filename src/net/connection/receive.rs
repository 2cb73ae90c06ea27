//! Reading, with a limit on each wait.

use std::io::{self, BufRead, Read};
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::{Connection, Socket, Wait, YIELDS};
use crate::net::input::{Origin, SMALL};
use crate::wire::Source;

impl Source for Connection {
    fn allow(&mut self, time: Option<Duration>) {
        self.input.get_mut().wait = time.map_or(Wait::ForEver, Wait::For);
    }

    fn arrives_within(&mut self, time: Duration) -> io::Result<bool> {
        let whole = self.input.get_mut().wait.begun();
        let short = Wait::For(time).begun();
        self.input.get_mut().wait = match (whole, short) {
            (Wait::Until(whole), Wait::Until(short)) => Wait::Until(whole.min(short)),
            (_, short) => short,
        };
        let came = self.input.fill_buf().map(|_| true);
        self.input.get_mut().wait = whole;
        match came {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            came => came,
        }
    }

    fn buffered(&self) -> &[u8] {
        self.input.buffered()
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.input.read(into)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }
}

impl Origin for Socket {
    fn read_within(
        &mut self,
        time: Option<Duration>,
        into: &mut [u8],
    ) -> io::Result<Option<usize>> {
        let is_soon = !self.output.is_empty() || mem::take(&mut self.is_new);
        self.send()?;
        let mut soon = is_soon.then(|| self.read_soon(into)).flatten();
        loop {
            let (is_short, read) = match soon.take() {
                Some(read) => (false, read),
                None => (self.prepare_wait(time)?, (&*self.stream).read(into)),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && is_short => return Ok(None),
                // The timeout fired a little early, or a signal came: check the clock again.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                // This timeout is the system's, not our deadline.
                Err(e) if e.raw_os_error() == Some(Errno::TIMEDOUT.raw_os_error()) => {
                    let reason = "the remote host stopped responding";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason));
                }
                read => return read.map(Some),
            }
        }
    }

    fn is_large(&self) -> bool {
        self.output.capacity() > SMALL
    }

    fn free(&mut self) {
        self.output = Vec::new();
    }
}

impl Socket {
    /// Reads what arrives while others run for a moment. `None`: nothing does.
    fn read_soon(&self, into: &mut [u8]) -> Option<io::Result<usize>> {
        for _ in 0..YIELDS {
            match recv(&self.stream, &mut *into, RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN | Errno::INTR) => thread::yield_now(),
                read => return Some(read.map(|(_, count)| count).map_err(io::Error::from)),
            }
        }
        None
    }

    /// Sets the socket's timeout to the time left for this read, or to `most` if that is shorter.
    /// Returns whether it is `most`.
    fn prepare_wait(&mut self, most: Option<Duration>) -> io::Result<bool> {
        let left = match self.wait {
            Wait::ForEver => None,
            Wait::For(time) => {
                self.wait = self.wait.begun();
                Some(time)
            }
            Wait::Until(end) => Some(end.saturating_duration_since(Instant::now())),
        };
        // The system does not accept a zero timeout.
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let is_short = most.is_some_and(|most| left.is_none_or(|left| most < left));
        let left = if is_short { most } else { left };
        if left != self.timeout {
            self.stream.set_read_timeout(left)?;
            self.timeout = left;
        }
        Ok(is_short)
    }
}
