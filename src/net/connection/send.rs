//! Writing: a buffer, and a limit on how long the other side may leave what is sent unread.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};

use super::{Connection, Socket};
use crate::net::Stream;

/// The size of the output buffer.
pub(super) const OUTPUT: usize = 64 * 1024;
/// Output of this many bytes is sent at once, without a copy.
const LONG: usize = OUTPUT / 4;
/// An output buffer larger than this is freed when it is empty.
const KEPT_OUTPUT: usize = 4 * 1024;
/// Less than a segment waits for more, or for the end of the connection.
#[cfg(target_os = "linux")]
const HELD: SendFlags = SendFlags::MORE;
#[cfg(not(target_os = "linux"))]
const HELD: SendFlags = SendFlags::empty();

impl Write for Connection {
    // Each answer calls this several times, and the compiler does not inline across modules by itself.
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = self.input.get_mut();
        let is_long = bytes.len() >= LONG;
        if is_long || socket.output.len() + bytes.len() > OUTPUT {
            socket.send()?;
        }
        if is_long {
            socket.send_bytes(bytes)?;
        } else {
            socket.output.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.get_mut().send()
    }
}

impl Connection {
    /// Sends what `write` writes. The other side must read all of it within the send time: output
    /// that holds much memory must not wait for somebody who reads it byte by byte.
    pub fn send_in_time(
        &mut self,
        write: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let socket = self.input.get_mut();
        socket.send_end = Instant::now().checked_add(socket.send_time);
        let sent = write(self).and_then(|()| self.flush());
        self.input.get_mut().send_end = None;
        sent
    }

    /// Lets what is sent from now on leave with the end of the connection, which must follow at once:
    /// then the other side need not wake twice.
    pub fn send_with_end(&mut self) {
        self.input.get_mut().is_ending = true;
    }

    /// Keeps the system from holding much output that the other side has not read: beside the limits
    /// on ours it would have none.
    pub fn keep_little(&self) -> io::Result<()> {
        let stream = &self.input.get_ref().stream;
        stream.set_send_buffer_size(OUTPUT)
    }
}

impl Socket {
    fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let flags = if self.is_ending {
            HELD
        } else {
            SendFlags::empty()
        };
        send_bytes(&self.stream, bytes, flags, self.send_time, self.send_end)
    }

    pub(super) fn send(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sent = self.send_bytes(&self.output);
        if self.output.capacity() > KEPT_OUTPUT {
            self.output = Vec::new();
        } else {
            self.output.clear();
        }
        sent
    }
}

pub(super) fn send_bytes(
    stream: &Stream,
    mut bytes: &[u8],
    flags: SendFlags,
    time: Duration,
    end: Option<Instant>,
) -> io::Result<()> {
    let left = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    send_all(left, time, end, |_| {
        let sent = send(stream, bytes, flags)?;
        bytes = bytes.get(sent..).unwrap_or_default();
        Ok(sent)
    })
}

/// Repeats attempts, each of which returns how many bytes it sent, until `left` bytes are sent, none
/// were for `time`, or it is `end`.
pub(super) fn send_all(
    mut left: u64,
    time: Duration,
    end: Option<Instant>,
    mut attempt: impl FnMut(u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut progress = Instant::now();
    while left > 0 {
        if end.is_some_and(|end| Instant::now() >= end) {
            return Err(unread(time));
        }
        match attempt(left) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(sent) => {
                left -= u64::try_from(sent).unwrap_or(left);
                progress = Instant::now();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if progress.elapsed() >= time {
                    return Err(unread(time));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn unread(time: Duration) -> io::Error {
    let seconds = time.as_secs();
    let reason = format!("the other side did not read within {seconds} seconds");
    io::Error::new(io::ErrorKind::ConnectionAborted, reason)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::net::Sockets;
    use crate::net::socket_options::prepare;

    #[test]
    fn the_last_output_leaves_with_the_end_of_the_connection() {
        let sockets = Sockets::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The system holds it for a fifth of a second at most, so a slow machine may miss some.
        let was_held = |_| {
            let mut client = TcpStream::connect(address).unwrap();
            let stream = Stream::from(listener.accept().unwrap().0);
            prepare(&stream).unwrap();
            let mut connection = Connection::opened(&sockets, stream).unwrap();
            connection.send_with_end();
            connection.write_all(b"the end").unwrap();
            connection.flush().unwrap();
            client.set_nonblocking(true).unwrap();
            let early = client.peek(&mut [0; 8]);
            connection.end();
            drop(connection);
            client.set_nonblocking(false).unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            assert_eq!(text, "the end");
            early.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        assert!((0..20).any(was_held));
    }
}
