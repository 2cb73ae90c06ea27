//! The ways to end a connection.

use std::io::{self, BufRead, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};

use super::Connection;
use crate::wire::Source;

/// The longest that a closed connection waits for the other side to read the last bytes,
const LINGER_TIME: Duration = Duration::from_secs(2);
/// and the most that it reads and discards in that time.
const LINGER_BYTES: usize = 1024 * 1024;

impl Connection {
    /// Sends the output, and says that no more follows. The other side can still answer.
    pub fn end_output(&mut self) -> io::Result<()> {
        self.flush()?;
        self.input.get_ref().stream.shutdown(Shutdown::Write)
    }

    /// Ends the connection after a complete answer to a complete request. It waits only if the
    /// other side has sent more.
    pub fn end(&mut self) {
        let peeked = recv(
            &self.input.get_ref().stream,
            &mut [0; 1],
            RecvFlags::DONTWAIT | RecvFlags::PEEK,
        );
        if peeked.is_ok_and(|(_, count)| count > 0) {
            self.finish();
        }
    }

    /// Ends the connection so that the other side can still read the last output: closing a socket
    /// with unread input would reset the connection and discard it.
    pub fn finish(&mut self) {
        let stream = Arc::clone(&self.input.get_ref().stream);
        if self.flush().is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
            self.allow(Some(LINGER_TIME));
            let mut left = LINGER_BYTES;
            // `io::copy` has a buffer on the stack, which the next session of the thread would keep.
            while left > 0
                && let Ok(arrived @ [_, ..]) = self.fill_buf()
            {
                let count = arrived.len();
                self.consume(count);
                left = left.saturating_sub(count);
            }
        }
    }

    /// Closes the connection at once, also for its [`Watch`](super::Watch).
    pub fn close(&self) {
        // This fails only if the other side closed first.
        let _ = self.input.get_ref().stream.shutdown(Shutdown::Both);
    }

    /// Ends the connection with a reset, as a crash of the machine does.
    pub fn reset(self) {
        // If this fails, the other side sees an ordinary close.
        let _ = self.input.get_ref().stream.set_linger(Some(Duration::ZERO));
    }
}
