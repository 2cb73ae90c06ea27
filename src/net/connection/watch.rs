//! Waiting for what the other side does, without reading from the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Connection;
use crate::net::Stream;

impl Connection {
    /// Whether the other side can't receive an answer any more. One that has only ended its own
    /// output still can.
    pub fn is_gone(&self) -> bool {
        let stream = &self.input.get_ref().stream;
        let mut ends = [PollFd::new(stream, PollFlags::empty())];
        poll(&mut ends, Some(&Timespec::default())).is_ok_and(|ended| ended > 0)
    }

    /// Waits at most `time` until this connection or another one has something to read, or is closed.
    /// Returns whether it is only this one. Nothing may be buffered in either.
    pub fn answers_before(&self, other: &Self, time: Duration) -> bool {
        let streams = [self, other].map(|side| &*side.input.get_ref().stream);
        let mut sides = streams.map(|stream| PollFd::new(stream, PollFlags::IN));
        let polled = poll_for(&mut sides, time);
        let [ours, others] = sides.map(|side| !side.revents().is_empty());
        polled.is_ok() && ours && !others
    }

    /// Detects the end of this connection while somebody else uses it.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.input.get_ref().stream))
    }
}

/// Detects when either side closes a connection, without reading from it.
#[derive(Debug)]
pub struct Watch(Arc<Stream>);

impl Watch {
    /// Whether it watches this connection.
    pub fn is_of(&self, connection: &Connection) -> bool {
        Arc::ptr_eq(&self.0, &connection.input.get_ref().stream)
    }

    /// Waits at most `time` until the connection is closed, even if unread bytes remain. Returns
    /// whether it is closed.
    #[must_use]
    pub fn wait_until_closed(&self, time: Duration) -> bool {
        #[cfg(target_os = "linux")]
        let end = PollFlags::RDHUP;
        // Other systems report a hang-up without being asked.
        #[cfg(not(target_os = "linux"))]
        let end = PollFlags::empty();
        poll_for(&mut [PollFd::new(&self.0, end)], time) != Ok(0)
    }
}

/// Polls for `time`, whatever signals come. Returns how many are ready.
fn poll_for(sides: &mut [PollFd<'_>], time: Duration) -> Result<usize, Errno> {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        match poll(sides, left.as_ref()) {
            Err(Errno::INTR) => {}
            polled => return polled,
        }
    }
}
