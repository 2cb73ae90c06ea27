//! All open sockets of the program: their limits, and closing them from another thread.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use socket2::Type;

use super::{Stream, network_of};

/// How long a connection that was closed to make room has to end.
const ROOM_TIME: Duration = Duration::from_secs(1);

/// How many connections may be open, and how long one may block us.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// From one address (of IPv6, from one /64). Loopback is exempt, because all local peers share
    /// that address.
    pub per_address: usize,
    /// How long the other side may read nothing before the connection is given up.
    pub send_time: Duration,
}

impl Default for Limits {
    /// No limit on connections, and 30 seconds.
    fn default() -> Self {
        Self {
            total: usize::MAX,
            per_address: usize::MAX,
            send_time: Duration::from_secs(30),
        }
    }
}

/// The open sockets of a program. Clones share the same set.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limits: Limits,
    open: Mutex<Open>,
    one_closed: Condvar,
    closing_began: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    closing: bool,
    next_id: u64,
    connections: HashMap<u64, Arc<Stream>>,
    /// Connections of which a request is awaited: the first to close when room is needed.
    silent: BTreeSet<u64>,
    /// How many newcomers wait for the end of a connection that was closed for them. Its place is
    /// not free for others.
    awaited: usize,
    /// How many there are from each [`network_of`] an address.
    by_network: HashMap<IpAddr, usize>,
    listeners: Vec<Arc<Stream>>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the program is about to end")]
    Closing,
    #[error("connection limit reached")]
    Full,
    #[error("connection limit of this address reached")]
    AddressFull,
}

impl Sockets {
    /// An empty set with these limits.
    pub fn with_limits(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            ..Shared::default()
        }))
    }

    /// Adds a connection with `peer`; a Unix domain socket has no such address. At the limit, the oldest
    /// connection that owes us a request is closed to make room.
    pub(super) fn admit(
        &self,
        stream: Stream,
        peer: Option<SocketAddr>,
    ) -> Result<(Arc<Stream>, Admission), (Refused, Stream)> {
        let peer = peer.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let mut open = match self.room_for(peer.ip()) {
            Ok(open) => open,
            Err(refused) => return Err((refused, stream)),
        };
        let stream = Arc::new(stream);
        open.next_id += 1;
        let id = open.next_id;
        open.connections.insert(id, Arc::clone(&stream));
        open.silent.insert(id);
        let network = network_of(peer.ip());
        *open.by_network.entry(network).or_default() += 1;
        drop(open);
        let admission = Admission {
            id,
            peer,
            sockets: self.clone(),
        };
        Ok((stream, admission))
    }

    fn room_for(&self, address: IpAddr) -> Result<MutexGuard<'_, Open>, Refused> {
        let Limits {
            total, per_address, ..
        } = self.0.limits;
        let is_full = |open: &mut Open| open.connections.len() >= total && !open.closing;
        let mut open = self.0.open.lock();
        let same = open.by_network.get(&network_of(address));
        let same = same.copied().unwrap_or_default();
        if same >= per_address && !address.is_loopback() {
            return Err(Refused::AddressFull);
        }
        if open.connections.len() + open.awaited >= total && !open.closing {
            let oldest = open.silent.pop_first().ok_or(Refused::Full)?;
            if let Some(stream) = open.connections.get(&oldest) {
                shut_down(stream);
            }
            open.awaited += 1;
            self.0
                .one_closed
                .wait_while_for(&mut open, is_full, ROOM_TIME);
            open.awaited -= 1;
        }
        if open.closing {
            Err(Refused::Closing)
        } else if is_full(&mut open) {
            Err(Refused::Full)
        } else {
            Ok(open)
        }
    }

    /// Adds a listener, to be shut down with the rest.
    pub(super) fn admit_listener(&self, listener: Arc<Stream>) {
        let mut open = self.0.open.lock();
        if open.closing {
            shut_down_listener(&listener);
        }
        open.listeners.push(listener);
    }

    /// Marks that a connection has sent a request, so that it is not closed to make room for
    /// others.
    pub fn heard(&self, id: u64) {
        self.0.open.lock().silent.remove(&id);
    }

    /// Marks that a connection has its answer, so that it may be closed to make room for others.
    pub fn answered(&self, id: u64) {
        let mut open = self.0.open.lock();
        if open.connections.contains_key(&id) {
            open.silent.insert(id);
        }
    }

    /// Closes one connection, by its number: a thread that reads from it or writes to it
    /// continues at once with the end of the stream or an error.
    pub fn close(&self, id: u64) {
        if let Some(stream) = self.0.open.lock().connections.get(&id) {
            shut_down(stream);
        }
    }

    /// Stops listening and refuses new connections.
    pub fn stop_listening(&self) {
        let mut open = self.0.open.lock();
        open.closing = true;
        open.listeners
            .iter()
            .for_each(|listener| shut_down_listener(listener));
        self.0.closing_began.notify_all();
    }

    /// Waits until new connections are refused.
    pub(super) fn wait_until_closing(&self) {
        let mut open = self.0.open.lock();
        let is_open = |open: &mut Open| !open.closing;
        self.0.closing_began.wait_while(&mut open, is_open);
    }

    /// Stops listening, refuses new connections, and closes all open ones.
    pub fn close_all(&self) {
        self.stop_listening();
        let open = self.0.open.lock();
        open.connections
            .values()
            .for_each(|stream| shut_down(stream));
    }

    /// Lets every open connection end with a reset, so that the other side need not remember it.
    pub fn reset_when_dropped(&self) {
        let open = self.0.open.lock();
        for stream in open.connections.values() {
            // If this fails, the other side sees an ordinary close.
            let _ = stream.set_linger(Some(Duration::ZERO));
        }
    }

    /// Whether new connections are refused.
    pub fn is_closing(&self) -> bool {
        self.0.open.lock().closing
    }

    /// Waits at most `time` until no connection is open, and returns whether that is so.
    #[must_use]
    pub fn wait_until_none(&self, time: Duration) -> bool {
        let mut open = self.0.open.lock();
        let still_open = |open: &mut Open| !open.connections.is_empty();
        let waited = self
            .0
            .one_closed
            .wait_while_for(&mut open, still_open, time);
        !waited.timed_out()
    }
}

/// An admitted connection's place in the set, freed on drop.
#[derive(Debug)]
pub(super) struct Admission {
    id: u64,
    peer: SocketAddr,
    sockets: Sockets,
}

impl Admission {
    /// The number of the connection.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The remote address. An IPv4 address is one even on an IPv6 socket.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How long the other side may read nothing before the connection is given up.
    pub(super) fn send_time(&self) -> Duration {
        self.sockets.0.limits.send_time
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let network = network_of(self.peer.ip());
        let mut open = self.sockets.0.open.lock();
        let stream = open.connections.remove(&self.id);
        open.silent.remove(&self.id);
        if let Some(same) = open.by_network.get_mut(&network) {
            *same -= 1;
            if *same == 0 {
                open.by_network.remove(&network);
            }
        }
        drop(open);
        // This closes the socket, unless somebody watches it, and others need not wait for that.
        drop(stream);
        self.sockets.0.one_closed.notify_all();
    }
}

fn shut_down(stream: &Stream) {
    // This fails only if the other side closed first.
    let _ = stream.shutdown(Shutdown::Both);
}

/// On Linux this wakes the accepting thread at once. On other systems it may fail; connecting to
/// ourselves then does the same.
fn shut_down_listener(listener: &Stream) {
    if listener.shutdown(Shutdown::Both).is_err()
        && let Ok(address) = listener.local_addr()
        && let Ok(caller) = Stream::new(address.domain(), Type::STREAM, None)
    {
        let _ = caller.connect_timeout(&address, Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread::{self, JoinHandle};

    use socket2::Domain;

    use super::*;

    /// A connection from a made-up address, and its other side.
    fn admit(sockets: &Sockets, from: impl Into<IpAddr>) -> Result<(Admission, Stream), Refused> {
        let (ours, other) = Stream::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        let admitted = sockets.admit(ours, Some(SocketAddr::new(from.into(), 1)));
        let (_, admission) = admitted.map_err(|(refused, _)| refused)?;
        Ok((admission, other))
    }

    /// Frees a connection's place when it is closed, as its session does.
    fn session((admission, mut other): (Admission, Stream)) -> JoinHandle<()> {
        thread::spawn(move || {
            let patience = Duration::from_secs(20);
            other.set_read_timeout(Some(patience)).unwrap();
            assert_eq!(other.read(&mut [0]).unwrap(), 0);
            drop(admission);
        })
    }

    #[test]
    fn one_address_has_its_share_and_loopback_is_exempt() {
        let sockets = Sockets::with_limits(Limits {
            per_address: 2,
            ..Limits::default()
        });
        let first = admit(&sockets, [10, 0, 0, 1]).unwrap();
        let _second = admit(&sockets, [10, 0, 0, 1]).unwrap();
        assert_eq!(
            admit(&sockets, [10, 0, 0, 1]).unwrap_err(),
            Refused::AddressFull
        );
        let _other = admit(&sockets, [10, 0, 0, 2]).unwrap();
        let _loopback: Vec<_> = (0..5)
            .map(|_| admit(&sockets, [127, 0, 0, 1]).unwrap())
            .collect();
        drop(first);
        assert!(admit(&sockets, [10, 0, 0, 1]).is_ok());
    }

    #[test]
    fn whoever_has_a_whole_64_has_one_share() {
        let sockets = Sockets::with_limits(Limits {
            per_address: 2,
            ..Limits::default()
        });
        let host = |network, host| IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host]);
        let _held = [1, 2].map(|number| admit(&sockets, host(7, number)).unwrap());
        let refused = admit(&sockets, host(7, 3)).unwrap_err();
        assert_eq!(refused, Refused::AddressFull);
        assert!(admit(&sockets, host(8, 1)).is_ok());
    }

    #[test]
    fn the_oldest_silent_connection_makes_room_and_no_other() {
        let sockets = Sockets::with_limits(Limits {
            total: 2,
            ..Limits::default()
        });
        let heard = admit(&sockets, [10, 0, 0, 1]).unwrap();
        sockets.heard(heard.0.id());
        let silent = admit(&sockets, [10, 0, 0, 2]).unwrap();
        let silent = session(silent);
        let late = admit(&sockets, [10, 0, 0, 3]).unwrap();
        silent.join().unwrap();
        sockets.heard(late.0.id());
        assert_eq!(admit(&sockets, [10, 0, 0, 4]).unwrap_err(), Refused::Full);
        // One that has its answer makes room as well.
        sockets.answered(late.0.id());
        let late = session(late);
        let _newcomer = admit(&sockets, [10, 0, 0, 4]).unwrap();
        late.join().unwrap();
        sockets.close_all();
        assert_eq!(
            admit(&sockets, [10, 0, 0, 4]).unwrap_err(),
            Refused::Closing
        );
    }
}
