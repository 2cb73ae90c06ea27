//! All open sockets of the program, so that they can be closed from elsewhere.

use std::collections::HashMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use super::Connection;

/// The open sockets of a program. Clones are handles to the same set.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<Open>,
    one_closed: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    closing: bool,
    next_id: u64,
    connections: HashMap<u64, Arc<TcpStream>>,
    listeners: Vec<Arc<TcpListener>>,
}

impl Sockets {
    /// Takes a connection in; `None` once [`Sockets::close_all`] was called.
    pub(super) fn admit(&self, stream: TcpStream) -> Option<Connection> {
        let stream = Arc::new(stream);
        let mut open = self.lock();
        if open.closing {
            return None;
        }
        open.next_id += 1;
        let id = open.next_id;
        open.connections.insert(id, Arc::clone(&stream));
        drop(open);
        Some(Connection::new(
            stream,
            Admission {
                id,
                sockets: self.clone(),
            },
        ))
    }

    /// Takes a listener in, to be shut down with the rest.
    pub(super) fn admit_listener(&self, listener: Arc<TcpListener>) {
        let mut open = self.lock();
        if open.closing {
            shut_down_listener(&listener);
        }
        open.listeners.push(listener);
    }

    /// How many connections are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().connections.len()
    }

    /// Closes one connection, by [`Connection::id`]: whoever reads it or writes to it goes on
    /// at once with the end of the stream or an error.
    pub fn close(&self, id: u64) {
        if let Some(stream) = self.lock().connections.get(&id) {
            shut_down(stream);
        }
    }

    /// Stops listening, closes every connection, and lets no new one in.
    pub fn close_all(&self) {
        let mut open = self.lock();
        open.closing = true;
        open.listeners
            .iter()
            .for_each(|listener| shut_down_listener(listener));
        open.connections
            .values()
            .for_each(|stream| shut_down(stream));
    }

    /// Whether [`Sockets::close_all`] was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Waits until every connection is gone, at most `time`, and says whether they are.
    #[must_use]
    pub fn wait_until_none(&self, time: Duration) -> bool {
        let open = self.lock();
        let still_open = |open: &mut Open| !open.connections.is_empty();
        let waited = self.0.one_closed.wait_timeout_while(open, time, still_open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Each change under this lock is one step, so a panic leaves nothing half done.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection among the open ones; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Admission {
    id: u64,
    sockets: Sockets,
}

impl Admission {
    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.sockets.lock().connections.remove(&self.id);
        self.sockets.0.one_closed.notify_all();
    }
}

fn shut_down(stream: &TcpStream) {
    // It fails only where the other side was faster.
    let _ = stream.shutdown(Shutdown::Both);
}

/// On Linux this wakes the thread that accepts at once. Elsewhere it may fail, and then a
/// connection to ourselves does the same.
fn shut_down_listener(listener: &TcpListener) {
    if SockRef::from(listener).shutdown(Shutdown::Both).is_err()
        && let Ok(address) = listener.local_addr()
    {
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}
