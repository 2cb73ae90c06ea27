//! One connection, buffered both ways, with a deadline for whole messages.

mod end;
mod receive;
mod send;
mod send_file;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stream;
use super::input::Input;
use super::sockets::{Admission, Refused, Sockets};
use crate::event::{Link, Role};

pub use watch::Watch;

/// How often a thread lets others run before it sleeps until a connection or a request comes. The next
/// one is often on its way: to sleep and to be woken costs more than to answer.
pub(super) const YIELDS: u32 = 4;

/// A connection over TCP or a Unix domain socket.
///
/// Output is buffered and sent, at the latest, before waiting for the other side. So a message is
/// sent in one piece, and the answers to pipelined requests are sent together.
#[derive(Debug)]
pub struct Connection {
    input: Input<Socket>,
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

impl Connection {
    /// A connection that we opened.
    pub(super) fn opened(sockets: &Sockets, stream: Stream) -> io::Result<Self> {
        let peer = stream.peer_addr().ok().and_then(|peer| peer.as_socket());
        match sockets.admit(stream, peer) {
            Ok((stream, admission)) => Ok(Self::new(stream, admission)),
            Err((refused, _)) => Err(io::Error::other(refused)),
        }
    }

    /// A connection that a listener has accepted from `peer`. Its socket already has this read timeout.
    pub(super) fn accepted(
        sockets: &Sockets,
        stream: Stream,
        peer: Option<SocketAddr>,
        timeout: Duration,
    ) -> Result<Self, (Refused, Stream)> {
        let (stream, admission) = sockets.admit(stream, peer)?;
        let mut connection = Self::new(stream, admission);
        let socket = connection.input.get_mut();
        socket.timeout = Some(timeout);
        socket.is_new = true;
        Ok(connection)
    }

    fn new(stream: Arc<Stream>, admission: Admission) -> Self {
        let socket = Socket {
            stream,
            output: Vec::new(),
            send_time: admission.send_time(),
            send_end: None,
            wait: Wait::ForEver,
            timeout: None,
            is_new: false,
            is_ending: false,
        };
        Self {
            input: Input::new(socket),
            admission,
        }
    }

    /// The number of this connection among those of the program.
    pub fn id(&self) -> u64 {
        self.admission.id()
    }

    /// The remote address. An IPv4 address is shown as one even on an IPv6 socket.
    pub fn peer(&self) -> SocketAddr {
        self.admission.peer()
    }

    /// This connection, as events name it.
    pub fn link(&self, role: Role) -> Link {
        Link {
            id: self.id(),
            role,
            remote: self.peer(),
        }
    }
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
