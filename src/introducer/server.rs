//! The introducer.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Sessions;
use super::table::Table;
use crate::dht::{self, AddressError, DhtNode};
use crate::event::{Events, Role};
use crate::net::{Connection, ListenError, Open, Place, Server, Stop};
use crate::state_file::Storage;
use crate::wire::control::{self, Status};

/// How often a free port is looked for: it must be free for TCP and for UDP.
const PORT_ATTEMPTS: u32 = 20;
/// How long joining the network of the previous run may delay the start.
const JOIN_TIME: Duration = Duration::from_secs(5);

/// The configuration of an introducer.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens, for TCP and for UDP.
    pub place: Place,
    /// How long a request over TCP may take, from the connection on.
    pub request_time: Duration,
    /// Where the nodes that it knows are stored between runs.
    pub storage: Storage,
    /// Whether it joins the public network.
    pub public: bool,
    /// The peers that have joined, at first none.
    pub table: Arc<Mutex<Table>>,
}

/// Why an introducer can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The TCP port can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The address is no IPv4 address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The node can't be started.
    #[error(transparent)]
    Node(#[from] dht::StartError),
    /// The thread can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Starts an introducer, which joins the network of its previous run. Returns its node as well.
pub fn start(
    config: &Config,
    events: &Events,
    stop: &Stop,
) -> Result<(Server, Arc<DhtNode>), StartError> {
    let (open, node) = open(config, events, stop)?;
    // Whoever asks from now on is led to the others.
    node.wait_until_settled(JOIN_TIME);
    open.announce();
    let sessions = Sessions {
        table: Arc::clone(&config.table),
        sockets: open.sockets().clone(),
        events: events.clone(),
        request_time: config.request_time,
    };
    let no_room = control::response(Status::ErrorOccurred, b"");
    let serve = move |connection: &mut Connection, link| sessions.serve(connection, link);
    let node = Arc::new(node);
    let running = Arc::clone(&node);
    let server = open.serve(no_room, serve, move || running.close())?;
    Ok((server, node))
}

/// Opens one port for both. Port 0 is any that is free for both.
fn open(config: &Config, events: &Events, stop: &Stop) -> Result<(Open, DhtNode), StartError> {
    let bind = dht::local_address(config.place.bind, &[])?;
    let mut place = config.place.clone();
    // The nodes use nothing else.
    place.reached_at.retain(IpAddr::is_ipv4);
    let mut attempts = if config.place.port == 0 {
        PORT_ATTEMPTS
    } else {
        1
    };
    loop {
        let open = place.clone().listen(Role::Introducer, events, stop)?;
        let node = dht::Config {
            bind,
            port: open.port(),
            bootstrap: Vec::new(),
            saved: config.storage.clone().path("dht", open.port()),
            is_introducer: true,
            public: config.public,
        };
        attempts -= 1;
        match DhtNode::start(node, events, stop) {
            Ok(node) => return Ok((open, node)),
            Err(dht::StartError::Listen(_)) if attempts > 0 => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::Notes;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    fn config(bind: std::net::IpAddr) -> Config {
        Config {
            place: Place {
                bind: Some(bind),
                ..Place::default()
            },
            request_time: Duration::from_secs(20),
            storage: Storage::Memory,
            public: false,
            table: Arc::default(),
        }
    }

    #[test]
    fn one_port_is_a_node_and_a_list() {
        let notes = Notes::default();
        let events = Events::default().and(notes.clone());
        let local = Ipv4Addr::LOCALHOST;
        let started = start(&config(local.into()), &events, &Stop::default());
        let (server, introducer) = started.unwrap();
        let node = dht::Config {
            bind: local,
            port: 0,
            bootstrap: vec![std::net::SocketAddrV4::new(local, server.port())],
            saved: None,
            is_introducer: false,
            public: false,
        };
        let node = DhtNode::start(node, &Events::default(), &Stop::default()).unwrap();
        assert!(node.wait_for_fill(0, Duration::from_secs(20)).is_some());
        assert!(
            introducer
                .wait_for_fill(0, Duration::from_secs(20))
                .is_some()
        );
        assert_eq!(introducer.contacts(), [node.address()]);
        let mut peer = TcpStream::connect((local, server.port())).unwrap();
        peer.write_all(b"JOIN a 127.0.0.1 5\r\n").unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "200 OK 0\r\n");
        drop(server);
        let told = notes.all();
        assert!(told[0] == "Dht(Alone)" && told[1].starts_with("Listening"));
        assert_eq!(told.last().unwrap(), "Stopped { cut_off: false }");
    }

    #[test]
    fn an_address_that_is_not_ipv4_is_an_error() {
        let config = config(Ipv6Addr::LOCALHOST.into());
        let refused = start(&config, &Events::default(), &Stop::default());
        let said = refused.unwrap_err().to_string();
        assert_eq!(said, "::1 is no IPv4 address; the DHT uses IPv4 only");
    }
}
