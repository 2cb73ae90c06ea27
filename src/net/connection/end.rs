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

/// The length of a document that a system sends, with its head, before any of it is acknowledged: most
/// of ten short segments (RFC 6928),
const AT_ONCE: u64 = 10 * 1024;
/// and over loopback, where segments are longer, the window that a connection begins with.
const AT_ONCE_OVER_LOOPBACK: u64 = 64 * 1024;

impl Connection {
    /// Sends the output, and says that no more follows. The other side can still answer.
    pub fn end_output(&mut self) -> io::Result<()> {
        self.flush()?;
        self.input.get_ref().stream.shutdown(Shutdown::Write)
    }

    /// Ends the connection after a complete answer to a complete request, with a document of
    /// `length` bytes.
    ///
    /// What arrives at a closed socket resets the connection, and what was not sent until then is lost.
    /// So it waits for the end of the other side if that has sent more, or may do so before it has the
    /// answer. If there is neither, a close is cheaper.
    pub fn end(&mut self, length: u64) {
        let at_once = if self.peer().ip().is_loopback() {
            AT_ONCE_OVER_LOOPBACK
        } else {
            AT_ONCE
        };
        if length > at_once || self.has_more() {
            self.finish();
        }
    }

    /// Whether the other side has sent more than was read.
    fn has_more(&self) -> bool {
        let peeked = recv(
            &self.input.get_ref().stream,
            &mut [0; 1],
            RecvFlags::DONTWAIT | RecvFlags::PEEK,
        );
        peeked.is_ok_and(|(_, count)| count > 0)
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::net::{Sockets, Stream};

    #[test]
    fn an_empty_line_after_the_answer_was_sent_resets_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = Stream::from(listener.accept().unwrap().0);
        let mut connection = Connection::opened(&Sockets::default(), stream).unwrap();
        let answer = vec![b'x'; 100_000];
        let length = u64::try_from(answer.len()).unwrap();
        let ending = thread::spawn(move || {
            connection.write_all(&answer).unwrap();
            connection.flush().unwrap();
            connection.end(length);
        });
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        client.write_all(b"\r\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        ending.join().unwrap();
        assert_eq!(got.len(), 100_000);
        assert!(client.take_error().unwrap().is_none());
    }
}
