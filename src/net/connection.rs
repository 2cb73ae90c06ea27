//! One TCP connection, buffered both ways, with a deadline for whole messages.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::Pace;
use super::sockets::Admission;
use crate::event::{Link, Role};
use crate::wire::Source;

/// How much is read at once. It is held by every connection, ten thousand silent ones as well.
const INPUT: usize = 4 * 1024;
/// How much is written at once.
const OUTPUT: usize = 64 * 1024;
/// An output buffer that has grown beyond this is given back when it is empty.
const KEPT_OUTPUT: usize = 4 * 1024;
/// How often a send that makes no progress is looked at: the system counts the time of each call
/// anew, also when the call before had sent something.
pub(super) const SEND_LOOK: Duration = Duration::from_secs(1);
/// The longest that a closed connection waits for the other side to take the last bytes,
const LINGER_TIME: Duration = Duration::from_secs(2);
/// and the most that it reads and throws away meanwhile.
const LINGER_BYTES: u64 = 1024 * 1024;

/// A TCP connection.
///
/// What is written is collected and goes out at the latest when the other side is waited for, so
/// that a message leaves in one piece and the answers to pipelined requests leave together.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<Socket>,
    peer: SocketAddr,
    admission: Admission,
}

#[derive(Debug)]
struct Socket {
    stream: Arc<TcpStream>,
    output: Vec<u8>,
    /// How long the other side may take nothing of what is sent before it is given up.
    send_time: Duration,
    wait: Wait,
    /// The read timeout that the socket has now: it is set only when it must change.
    timeout: Option<Duration>,
}

/// How long reads may wait.
#[derive(Debug, Clone, Copy)]
enum Wait {
    ForEver,
    /// So long from the first wait on: most messages are there whole, and need no clock.
    For(Duration),
    Until(Instant),
}

impl Connection {
    pub(super) fn new(
        stream: Arc<TcpStream>,
        peer: SocketAddr,
        admission: Admission,
        send_time: Duration,
    ) -> Self {
        let socket = Socket {
            stream,
            output: Vec::new(),
            send_time,
            wait: Wait::ForEver,
            timeout: None,
        };
        Self {
            reader: BufReader::with_capacity(INPUT, socket),
            peer,
            admission,
        }
    }

    /// The number of this connection among those of the program.
    pub fn id(&self) -> u64 {
        self.admission.id()
    }

    /// The address of the other side; an IPv4 address is shown as one, also on an IPv6 socket.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What events say of this connection.
    pub fn link(&self, role: Role) -> Link {
        Link {
            id: self.id(),
            role,
            remote: self.peer,
        }
    }

    /// Sends the next `length` bytes of `file`, after what was written before, no faster than
    /// `pace`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file ends earlier; otherwise those of the file
    /// and of the connection.
    pub fn send_file(&mut self, file: &File, length: u64, pace: Option<&Pace>) -> io::Result<()> {
        if let Some(pace) = pace {
            let socket = self.reader.get_mut();
            socket.send()?;
            let mut left = length;
            while left > 0 {
                let portion = pace.take(left);
                send_rest(&socket.stream, file, portion, socket.send_time)?;
                left -= portion;
            }
            return Ok(());
        }
        let socket = self.reader.get_mut();
        // The first bytes leave together with the head of the message.
        let head = socket.output.len();
        let room = OUTPUT.saturating_sub(head);
        let first = usize::try_from(length).unwrap_or(room).min(room);
        socket.output.resize(head + first, 0);
        (&mut &*file).read_exact(socket.output.get_mut(head..).unwrap_or_default())?;
        let first = u64::try_from(first).unwrap_or_default();
        socket.send()?;
        send_rest(&socket.stream, file, length - first, socket.send_time)
    }

    /// Closes the connection at once, also for whoever watches it.
    pub fn close(&self) {
        // It fails only where the other side was faster.
        let _ = self.reader.get_ref().stream.shutdown(Shutdown::Both);
    }

    /// What sees the end of this connection while somebody else uses it.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.reader.get_ref().stream))
    }

    /// Ends the connection after a whole answer to a whole request. There is nothing to wait for,
    /// unless more has come that nobody asked for.
    pub fn end(self) {
        let peeked = recv(
            &self.reader.get_ref().stream,
            &mut [0; 1],
            RecvFlags::DONTWAIT | RecvFlags::PEEK,
        );
        if peeked.is_ok_and(|(_, count)| count > 0) {
            self.finish();
        }
    }

    /// Ends the connection so that the other side can still read what was sent last: closing a
    /// socket with unread input would reset the connection and destroy it.
    pub fn finish(mut self) {
        let stream = Arc::clone(&self.reader.get_ref().stream);
        if self.flush().is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
            self.allow(Some(LINGER_TIME));
            let _ = io::copy(&mut self.take(LINGER_BYTES), &mut io::sink());
        }
    }
}

/// Sees when a connection is closed by either side, without reading from it.
#[derive(Debug)]
pub struct Watch(Arc<TcpStream>);

impl Watch {
    /// Whether it watches this connection.
    pub fn is_of(&self, connection: &Connection) -> bool {
        Arc::ptr_eq(&self.0, &connection.reader.get_ref().stream)
    }

    /// Waits until the connection is closed, also where there are bytes that nobody has read yet, at
    /// most `time`, and says whether it is.
    #[must_use]
    pub fn wait_until_closed(&self, time: Duration) -> bool {
        #[cfg(target_os = "linux")]
        let end = PollFlags::RDHUP;
        // Elsewhere a hang-up is seen without being asked for.
        #[cfg(not(target_os = "linux"))]
        let end = PollFlags::empty();
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(&self.0, end)], left.as_ref()) {
                Err(Errno::INTR) => {}
                closed => return closed != Ok(0),
            }
        }
    }
}

/// Makes attempts, each of which says how many bytes it sent, until `left` bytes are sent or
/// nothing is for `time`.
fn send_all(
    mut left: u64,
    time: Duration,
    mut attempt: impl FnMut(u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut progress = Instant::now();
    while left > 0 {
        match attempt(left) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(sent) => {
                left -= u64::try_from(sent).unwrap_or(left);
                progress = Instant::now();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if progress.elapsed() >= time {
                    let seconds = time.as_secs();
                    let reason = format!("nothing of what was sent was read for {seconds} seconds");
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn send_rest(stream: &TcpStream, file: &File, left: u64, time: Duration) -> io::Result<()> {
    send_all(left, time, |left| {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        Ok(rustix::fs::sendfile(stream, file, None, most)?)
    })
}

#[cfg(not(target_os = "linux"))]
fn send_rest(stream: &TcpStream, file: &File, mut left: u64, time: Duration) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(256 * 1024);
    while left > 0 {
        buffer.clear();
        let most = left.min(u64::try_from(buffer.capacity()).unwrap_or(left));
        if io::copy(&mut file.take(most), &mut buffer)? < most {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        send_bytes(stream, &buffer, time)?;
        left -= most;
    }
    Ok(())
}

fn send_bytes(mut stream: &TcpStream, mut bytes: &[u8], time: Duration) -> io::Result<()> {
    send_all(u64::try_from(bytes.len()).unwrap_or(u64::MAX), time, |_| {
        let sent = stream.write(bytes)?;
        bytes = bytes.get(sent..).unwrap_or_default();
        Ok(sent)
    })
}

impl Socket {
    /// Sends what was collected.
    fn send(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sent = send_bytes(&self.stream, &self.output, self.send_time);
        if self.output.capacity() > KEPT_OUTPUT {
            self.output = Vec::new();
        } else {
            self.output.clear();
        }
        sent
    }

    /// Sets the socket's timeout to what is left of the time that reads may wait.
    fn prepare_wait(&mut self) -> io::Result<()> {
        let left = match self.wait {
            Wait::ForEver => None,
            Wait::For(time) => {
                // A time beyond the clock is as good as for ever.
                let end = Instant::now().checked_add(time);
                self.wait = end.map_or(Wait::ForEver, Wait::Until);
                Some(time)
            }
            Wait::Until(end) => Some(end.saturating_duration_since(Instant::now())),
        };
        // Zero is no timeout that could be set.
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if left != self.timeout {
            self.stream.set_read_timeout(left)?;
            self.timeout = left;
        }
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.send()?;
        loop {
            self.prepare_wait()?;
            match (&*self.stream).read(into) {
                // The timeout ran out a little early, or a signal came: look at the clock again.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                // What the system gives up is not our deadline.
                Err(e) if e.raw_os_error() == Some(Errno::TIMEDOUT.raw_os_error()) => {
                    let reason = "the machine of the other side does not answer any more";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason));
                }
                read => return read,
            }
        }
    }
}

impl Source for Connection {
    fn allow(&mut self, time: Option<Duration>) {
        self.reader.get_mut().wait = time.map_or(Wait::ForEver, Wait::For);
    }

    fn buffered(&self) -> &[u8] {
        self.reader.buffer()
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = self.reader.get_mut();
        if socket.output.len() + bytes.len() > OUTPUT {
            socket.send()?;
        }
        socket.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.reader.get_mut().send()
    }
}
