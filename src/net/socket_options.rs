//! The options of a connection's socket, whichever side opened it.

use std::io;
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

/// How often a blocked send checks its progress: the system restarts its timeout with each call,
/// even if the one before had sent something.
const SEND_LOOK: Duration = Duration::from_secs(1);
/// How long a connection is silent before the system probes whether the remote host is still there,
const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
/// how long each probe waits for an answer,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// and how many go unanswered before the connection is given up.
const KEEPALIVE_PROBES: u32 = 3;

/// Messages are small and complete, so they are sent without delay. A remote host that disappears
/// is detected, however long its peer would have been silent.
pub(super) fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_write_timeout(Some(SEND_LOOK))?;
    let probes = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&probes)?;
    // The system sends no probes while sent bytes are unacknowledged.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(
        KEEPALIVE_AFTER + KEEPALIVE_INTERVAL * KEEPALIVE_PROBES,
    ))?;
    Ok(())
}

/// A connection over a Unix domain socket ends with the process on the other side.
pub(super) fn prepare_local(socket: &Socket) -> io::Result<()> {
    socket.set_write_timeout(Some(SEND_LOOK))
}
