//! Listening, and accepting connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::debug;

use super::Stream;
use super::connection::YIELDS;
use super::socket_options::{prepare, prepare_local};

/// How many connections may wait to be accepted. The system may lower it.
const BACKLOG: i32 = 4096;
/// How long accepting waits for a connection before it returns. On Linux it is also the read timeout
/// of the listener, which accepted connections inherit: most of them wait as long for a request, and
/// need not set it.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(30);

/// A port could not be opened for listening.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", why(.reason))]
pub struct ListenError {
    address: SocketAddr,
    reason: io::Error,
}

impl ListenError {
    /// `address` can't be opened for `reason`.
    pub fn new(address: SocketAddr, reason: io::Error) -> Self {
        Self { address, reason }
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use by another program; stop that one, or choose another port"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "no permission for that port; choose one from 1024 up".to_owned()
        }
        _ => error.to_string(),
    }
}

/// A TCP port, or a Unix domain socket, that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<Socket>,
    /// `None` for a Unix domain socket.
    address: Option<SocketAddr>,
}

impl Listener {
    /// Listens on `port` of the local address `bind`, or of every IPv6 and IPv4 address (of every
    /// IPv4 address if the machine has no IPv6). Port 0 selects any free port.
    pub fn bind(bind: Option<IpAddr>, port: u16) -> Result<Self, ListenError> {
        let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let any_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let first = bind.map_or(any_v6, |ip| SocketAddr::new(ip, port));
        let failed = |address| move |reason| ListenError::new(address, reason);
        let bound = match listen(first) {
            Err(error) if bind.is_none() && is_without_ipv6(&error) => {
                debug!(%error, "IPv6 is not available; listening on IPv4 only");
                listen(any_v4).map_err(failed(any_v4))
            }
            bound => bound.map_err(failed(first)),
        };
        let socket = bound?;
        let address = socket.local_addr().map_err(failed(first))?;
        Ok(Self {
            socket: Arc::new(socket),
            address: address.as_socket(),
        })
    }

    /// Listens on a Unix domain socket that is bound to its path.
    pub(super) fn local(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.listen(BACKLOG)?;
        Ok(Self {
            socket: Arc::new(socket),
            address: None,
        })
    }

    /// The port; 0 for a Unix domain socket.
    pub fn port(&self) -> u16 {
        self.address.map_or(0, |address| address.port())
    }

    /// The socket. Shutting it down ends a wait for a connection.
    pub(super) fn socket(&self) -> Arc<Stream> {
        Arc::clone(&self.socket)
    }

    /// Accepts a connection, and returns where it comes from. [`io::ErrorKind::TimedOut`]: there
    /// was none for [`IDLE_TIME`].
    pub(super) fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        loop {
            for _ in 0..YIELDS {
                match self.socket.accept() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                    accepted => {
                        let (stream, from) = accepted?;
                        let gone = |error| io::Error::new(io::ErrorKind::ConnectionAborted, error);
                        self.prepare_accepted(&stream).map_err(gone)?;
                        return Ok((stream, from.as_socket()));
                    }
                }
            }
            let mut arrivals = [PollFd::new(&self.socket, PollFlags::IN)];
            let time = Timespec::try_from(IDLE_TIME).ok();
            match poll(&mut arrivals, time.as_ref()) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The read timeout is then [`IDLE_TIME`].
    fn prepare_accepted(&self, stream: &Stream) -> io::Result<()> {
        match self.address {
            // It inherits the options of the listener.
            Some(_) if cfg!(target_os = "linux") => return Ok(()),
            Some(_) => prepare(stream)?,
            None => prepare_local(stream)?,
        }
        // Not every system leaves this to the listener alone.
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(IDLE_TIME))
    }
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait until the system forgets the connections of the previous run.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    prepare(&socket)?;
    socket.set_read_timeout(Some(IDLE_TIME))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_detects_a_host_that_disappears() {
        let listener = Listener::bind(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let _client = std::net::TcpStream::connect(("127.0.0.1", listener.port())).unwrap();
        let (socket, _) = listener.accept().unwrap();
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_mins(1));
        assert_eq!(
            socket.tcp_keepalive_interval().unwrap(),
            Duration::from_secs(10)
        );
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.read_timeout().unwrap(), Some(IDLE_TIME));
        #[cfg(target_os = "linux")]
        assert_eq!(
            socket.tcp_user_timeout().unwrap(),
            Some(Duration::from_secs(90))
        );
    }
}
