//! One connection, buffered both ways, with a deadline for whole messages.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::input::{Input, Origin, SMALL};
use super::sockets::Admission;
use super::{Pace, Stream};
use crate::event::{Link, Role};
use crate::wire::Source;

/// The size of the output buffer.
const OUTPUT: usize = 64 * 1024;
/// Output of this many bytes is sent at once, without a copy.
const LONG: usize = OUTPUT / 4;
/// An output buffer larger than this is freed when it is empty.
const KEPT_OUTPUT: usize = 4 * 1024;
/// How often a blocked send checks its progress: the system restarts its timeout with each call,
/// even if the one before had sent something.
pub(super) const SEND_LOOK: Duration = Duration::from_secs(1);
/// How often a thread lets others run before it sleeps until a connection or a request comes. The next
/// one is often on its way: to sleep and to be woken costs more than to answer.
pub(super) const YIELDS: u32 = 4;
/// The longest that a closed connection waits for the other side to read the last bytes,
const LINGER_TIME: Duration = Duration::from_secs(2);
/// and the most that it reads and discards in that time.
const LINGER_BYTES: usize = 1024 * 1024;

/// A connection over TCP or a Unix domain socket.
///
/// Output is buffered and sent, at the latest, before waiting for the other side. So a message is
/// sent in one piece, and the answers to pipelined requests are sent together.
#[derive(Debug)]
pub struct Connection {
    input: Input<Socket>,
    peer: SocketAddr,
    /// Dropped last, because it closes the socket.
    admission: Admission,
}

#[derive(Debug)]
struct Socket {
    stream: Arc<Stream>,
    output: Vec<u8>,
    /// How long the other side may read nothing before the connection is given up.
    send_time: Duration,
    /// The time by which the output must be sent, however steadily the other side reads.
    send_end: Option<Instant>,
    wait: Wait,
    /// The socket's current read timeout. It is set only when it changes.
    timeout: Option<Duration>,
    /// Whether a request is expected at once: the connection was just accepted.
    is_new: bool,
    /// Whether the connection ends after the output.
    is_ending: bool,
}

/// How long reads may wait.
#[derive(Debug, Clone, Copy)]
enum Wait {
    ForEver,
    /// The time runs from the first wait: most messages have already arrived and need no clock.
    For(Duration),
    Until(Instant),
}

impl Wait {
    /// The same wait, with its clock running.
    fn begun(self) -> Self {
        match self {
            // A time beyond the clock means forever.
            Self::For(time) => {
                let end = Instant::now().checked_add(time);
                end.map_or(Self::ForEver, Self::Until)
            }
            begun => begun,
        }
    }
}

impl Connection {
    pub(super) fn new(
        stream: Arc<Stream>,
        peer: SocketAddr,
        admission: Admission,
        send_time: Duration,
    ) -> Self {
        let socket = Socket {
            stream,
            output: Vec::new(),
            send_time,
            send_end: None,
            wait: Wait::ForEver,
            timeout: None,
            is_new: false,
            is_ending: false,
        };
        Self {
            input: Input::new(socket),
            peer,
            admission,
        }
    }

    /// The same connection, which was accepted and whose socket already has this read timeout.
    pub(super) fn accepted(mut self, timeout: Duration) -> Self {
        let socket = self.input.get_mut();
        socket.timeout = Some(timeout);
        socket.is_new = true;
        self
    }

    /// The number of this connection among those of the program.
    pub fn id(&self) -> u64 {
        self.admission.id()
    }

    /// The remote address. An IPv4 address is shown as one even on an IPv6 socket.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This connection, as events name it.
    pub fn link(&self, role: Role) -> Link {
        Link {
            id: self.id(),
            role,
            remote: self.peer,
        }
    }

    /// Lets what is sent from now on leave with the end of the connection, which must follow at once:
    /// then the other side need not wake twice.
    pub fn send_with_end(&mut self) {
        self.input.get_mut().is_ending = true;
    }

    /// Sends the next `length` bytes of `file`, after the buffered output, no faster than `pace`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the file ends early; otherwise those of the file and of
    /// the connection.
    pub fn send_file(&mut self, file: &File, length: u64, pace: Option<&Pace>) -> io::Result<()> {
        if let Some(pace) = pace {
            let socket = self.input.get_mut();
            socket.send()?;
            let mut left = length;
            while left > 0 {
                let portion = pace.take(left);
                send_rest(&socket.stream, file, portion, socket.send_time)?;
                left -= portion;
            }
            return Ok(());
        }
        let socket = self.input.get_mut();
        let head = socket.output.len();
        match usize::try_from(length).map(|length| head.saturating_add(length)) {
            Ok(whole) if whole <= OUTPUT => {
                socket.output.resize(whole, 0);
                (&mut &*file).read_exact(socket.output.get_mut(head..).unwrap_or_default())?;
                socket.send()
            }
            _ => {
                cork(&socket.stream, true);
                socket.send()?;
                send_rest(&socket.stream, file, length, socket.send_time)?;
                if !socket.is_ending {
                    cork(&socket.stream, false);
                }
                Ok(())
            }
        }
    }

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

    /// Keeps the system from holding much output that the other side has not read: beside the limits
    /// on ours it would have none.
    pub fn keep_little(&self) -> io::Result<()> {
        let stream = &self.input.get_ref().stream;
        stream.set_send_buffer_size(OUTPUT)
    }

    /// Closes the connection at once, also for its [`Watch`].
    pub fn close(&self) {
        // This fails only if the other side closed first.
        let _ = self.input.get_ref().stream.shutdown(Shutdown::Both);
    }

    /// Ends the connection with a reset, as a crash of the machine does.
    pub fn reset(self) {
        // If this fails, the other side sees an ordinary close.
        let _ = self.input.get_ref().stream.set_linger(Some(Duration::ZERO));
    }

    /// Detects the end of this connection while somebody else uses it.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.input.get_ref().stream))
    }

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
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            let [ours, others] = [self, other].map(|side| &*side.input.get_ref().stream);
            let mut ready = [ours, others].map(|stream| PollFd::new(stream, PollFlags::IN));
            let polled = poll(&mut ready, left.as_ref());
            if polled != Err(Errno::INTR) {
                let [ours, others] = ready.map(|side| !side.revents().is_empty());
                return polled.is_ok() && ours && !others;
            }
        }
    }

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

/// Repeats attempts, each of which returns how many bytes it sent, until `left` bytes are sent, none
/// were for `time`, or it is `end`.
fn send_all(
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

/// While corked, only full segments are sent. The system moves 64 KiB of a file at a time, which is
/// not a multiple of a segment: uncorked, each time leaves a small one.
#[cfg(target_os = "linux")]
fn cork(stream: &Stream, is_corked: bool) {
    // If this fails, the file takes more segments. A Unix domain socket has none.
    let _ = stream.set_tcp_cork(is_corked);
}

#[cfg(not(target_os = "linux"))]
fn cork(_: &Stream, _: bool) {}

#[cfg(target_os = "linux")]
fn send_rest(stream: &Stream, file: &File, left: u64, time: Duration) -> io::Result<()> {
    send_all(left, time, None, |left| {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        Ok(rustix::fs::sendfile(stream, file, None, most)?)
    })
}

#[cfg(not(target_os = "linux"))]
fn send_rest(stream: &Stream, file: &File, mut left: u64, time: Duration) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(256 * 1024);
    while left > 0 {
        buffer.clear();
        let most = left.min(u64::try_from(buffer.capacity()).unwrap_or(left));
        if io::copy(&mut file.take(most), &mut buffer)? < most {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        send_bytes(stream, &buffer, SendFlags::empty(), time, None)?;
        left -= most;
    }
    Ok(())
}

/// Less than a segment waits for more, or for the end of the connection.
#[cfg(target_os = "linux")]
const HELD: SendFlags = SendFlags::MORE;
#[cfg(not(target_os = "linux"))]
const HELD: SendFlags = SendFlags::empty();

fn send_bytes(
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

impl Socket {
    fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let flags = if self.is_ending {
            HELD
        } else {
            SendFlags::empty()
        };
        send_bytes(&self.stream, bytes, flags, self.send_time, self.send_end)
    }

    fn send(&mut self) -> io::Result<()> {
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

impl Write for Connection {
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
