//! The index server.

use std::io;
use std::time::Duration;

use super::{Catalog, Sessions};
use crate::event::{Events, Role};
use crate::net::{Connection, ListenError, Place, Server, Stop};
use crate::wire::Status;
use crate::wire::ci::server::Conversation;

/// The configuration of an index server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub place: Place,
    /// The index, which is empty.
    pub catalog: Catalog,
    /// How long a request may take from its first byte to its last.
    pub request_time: Duration,
}

/// Why an index server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The thread can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Starts an index server without any peers.
pub fn start(config: Config, events: &Events, stop: &Stop) -> Result<Server, StartError> {
    let open = config.place.listen(Role::Session, events, stop)?;
    open.announce();
    let sessions = Sessions {
        catalog: config.catalog,
        sockets: open.sockets().clone(),
        events: events.clone(),
        request_time: config.request_time,
    };
    let no_room = Conversation::default().refusal(Status::ServiceUnavailable);
    let serve = move |connection: &mut Connection, link| sessions.serve(connection, link);
    Ok(open.serve(no_room, serve, || {})?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::Notes;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};

    #[test]
    fn a_server_that_is_dropped_ends_its_sessions_and_reports_it() {
        let notes = Notes::default();
        let place = Place {
            bind: Some(Ipv4Addr::LOCALHOST.into()),
            reached_at: vec![Ipv4Addr::LOCALHOST.into()],
            ..Place::default()
        };
        let config = Config {
            place,
            catalog: Catalog::new(1),
            request_time: Duration::from_secs(20),
        };
        let events = Events::default().and(notes.clone());
        let server = start(config, &events, &Stop::default()).unwrap();
        let mut peer = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        peer.write_all(b"LIST ALL P2P-CI/1.0\nHost: vm\nPort: 5\n\n")
            .unwrap();
        let mut answer = [0; 4];
        peer.read_exact(&mut answer).unwrap();
        drop(server);
        let mut rest = String::new();
        peer.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "CI/1.0 200 OK\r\n\r\n\r\n");
        let told = notes.all();
        let begins = |event: &String| event.split([' ', '(']).next().unwrap().to_owned();
        let order: Vec<_> = told.iter().map(begins).collect();
        let expected = [
            "Listening",
            "Notice",
            "Opened",
            "Message",
            "Entered",
            "Message",
            "Left",
            "Closed",
            "Stopped",
        ];
        assert_eq!(order, expected);
        assert!(told[1].contains("Peers reach this server at 127.0.0.1"));
        assert_eq!(told[8], "Stopped { cut_off: false }");
    }
}
