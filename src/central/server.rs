//! The index server as a whole.

use std::io;
use std::time::Duration;

use super::{Catalog, Sessions};
use crate::event::{Events, Role};
use crate::net::{Connection, ListenError, Place, Server, Stop};
use crate::wire::Status;
use crate::wire::ci::server::Conversation;

/// What an index server is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub place: Place,
    /// The most records that one peer may have.
    pub records_per_peer: usize,
    /// How long a request may take from its first byte to its last.
    pub request_time: Duration,
}

/// Why an index server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its port can't be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// There is no thread for it.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Starts an index server without any peers.
///
/// # Errors
/// [`StartError`], before anybody could connect.
pub fn start(config: Config, events: &Events, stop: &Stop) -> Result<Server, StartError> {
    let open = config.place.listen(Role::Session, events, stop)?;
    open.announce();
    let sessions = Sessions {
        catalog: Catalog::new(config.records_per_peer),
        sockets: open.sockets().clone(),
        events: events.clone(),
        request_time: config.request_time,
    };
    let no_room = Conversation::default().refusal(Status::ServiceUnavailable);
    let serve = move |connection: &mut Connection, link| sessions.serve(connection, link);
    Ok(open.serve(no_room, serve, || {})?)
}
