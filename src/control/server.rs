//! The control socket of a peer: a thread for each connection.

use std::io;
use std::thread;

use super::session::Session;
use crate::event::{Events, Level, Role};
use crate::net::{Connection, Limits, Listener, Sockets, Stop};
use crate::node::Handle;
use crate::wire::control::{Status, response};

/// How many programs may be connected at a time.
const MOST: usize = 64;

/// Answers programs in the background, until it is dropped.
#[derive(Debug)]
pub struct Server {
    sockets: Sockets,
}

impl Server {
    /// Answers on `listener` with the actions of a node that has joined its index. `stop` closes
    /// all connections; `end` is called when a program asks the peer to end.
    pub fn start(
        listener: Listener,
        node: Handle,
        events: Events,
        stop: &Stop,
        end: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let limits = Limits {
            total: MOST,
            ..Limits::default()
        };
        let sockets = Sockets::with_limits(limits);
        stop.watch(&sockets);
        let session = Session::new(node, sockets.clone(), end);
        let no_room = response(Status::ErrorOccurred, b"");
        let open = sockets.clone();
        let serve = move || {
            let answer = move |connection: &mut Connection| session.serve(connection);
            let accepted = listener.serve(Role::Control, &open, no_room, &events, answer);
            if let Err(error) = accepted {
                let what = format_args!("cannot accept programs: {error}");
                events.notice(Level::Warning, what);
            }
        };
        let thread = thread::Builder::new().name("control".to_owned());
        thread.spawn(serve)?;
        Ok(Self { sockets })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.sockets.close_all();
    }
}
