//! Connecting to another host, with one deadline for name resolution and all addresses.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::socket_options::{prepare, prepare_local};
use super::{Connection, Sockets, Stream, resolve};
use crate::wire::Endpoint;

/// How often a pending connect checks whether the program is about to end.
const CLOSING_LOOK: Duration = Duration::from_millis(50);

/// The first port that does not belong to the services of a system.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name has no address.
    #[error("unknown host {host}: {reason}")]
    Unknown {
        /// The name.
        host: String,
        /// The resolver's error.
        reason: io::Error,
    },
    /// The port may be one of the system's services.
    #[error("did not connect to {0}: ports below {FIRST_UNPRIVILEGED} need --any-port")]
    Privileged(Endpoint),
    /// No address of the host answered.
    #[error("cannot connect to {endpoint}: {reason}")]
    Unreachable {
        /// The endpoint.
        endpoint: Endpoint,
        /// The error of the last address tried.
        reason: io::Error,
    },
}

/// The ports of other peers. What others say about their ports is a way to make us connect anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ports {
    /// From 1024 up: those below belong to the services of a system.
    #[default]
    Unprivileged,
    /// Every one.
    Any,
}

/// Connects to a peer that an index has named, if it may be on that port.
pub fn connect_to_peer(
    sockets: &Sockets,
    peer: &Endpoint,
    ports: Ports,
    time: Duration,
) -> Result<Connection, ConnectError> {
    if ports == Ports::Unprivileged && peer.port.get() < FIRST_UNPRIVILEGED {
        return Err(ConnectError::Privileged(peer.clone()));
    }
    connect(sockets, peer, time)
}

/// Connects to `endpoint`: tries each of its addresses in turn, all within `time`.
pub fn connect(
    sockets: &Sockets,
    endpoint: &Endpoint,
    time: Duration,
) -> Result<Connection, ConnectError> {
    let deadline = Instant::now() + time;
    let unknown = |reason| ConnectError::Unknown {
        host: endpoint.host.to_string(),
        reason,
    };
    let addresses = resolve(endpoint, time).map_err(unknown)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (tried, address) in addresses.iter().enumerate() {
        // An address that drops packets must leave time for those after it.
        let rest = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / rest;
        if share.is_zero() {
            last = io::ErrorKind::TimedOut.into();
            break;
        }
        let connected = connect_to(sockets, *address, share);
        match connected.and_then(|stream| Connection::opened(sockets, stream)) {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Unreachable {
        endpoint: endpoint.clone(),
        reason: last,
    })
}

/// Connects to a Unix domain socket within `time`.
pub fn connect_to_path(sockets: &Sockets, path: &Path, time: Duration) -> io::Result<Connection> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // This limits the wait for a place in the queue of the listener, too.
    socket.set_write_timeout(Some(time))?;
    socket.connect(&SockAddr::unix(path)?)?;
    prepare_local(&socket)?;
    Connection::opened(sockets, socket)
}

/// Connects to one address within `time`, unless the sockets are closed meanwhile.
fn connect_to(sockets: &Sockets, address: SocketAddr, time: Duration) -> io::Result<Stream> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    prepare(&socket)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
            return Err(error);
        }
        _ => {}
    }
    let look = Timespec::try_from(CLOSING_LOOK).map_err(io::Error::other)?;
    let end = Instant::now() + time;
    loop {
        match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&look)) {
            Ok(1..) => break,
            _ if sockets.is_closing() => return Err(io::ErrorKind::Interrupted.into()),
            _ if Instant::now() >= end => return Err(io::ErrorKind::TimedOut.into()),
            _ => {}
        }
    }
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    socket.set_nonblocking(false)?;
    Ok(socket)
}
