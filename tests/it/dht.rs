//! The third index: the introducer, over TCP and over UDP, and what it keeps between runs.

mod introducer;
mod nodes;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use p2pci::dht::{Config, DhtNode};
use p2pci::event::Events;
use p2pci::net::Stop;

use crate::support::{PATIENCE, Program, server, server_command, started_server};

const DHT: [&str; 4] = ["--index", "dht", "--bind", "127.0.0.1"];

/// An introducer on a free port.
fn introducer(arguments: &[&str]) -> Program {
    server(&[&DHT, arguments].concat())
}

/// An introducer on this port, with this state file.
fn introducer_at(port: u16, state: &Path) -> Program {
    let (port, state) = (port.to_string(), state.to_str().unwrap());
    let place = ["--port", &port, "--state", state];
    started_server(server_command(&[&DHT[..], &place].concat()))
}

/// A node in the process of the test that has joined through 127.0.0.1:`port`.
fn member(port: u16) -> DhtNode {
    let config = Config {
        bind: Ipv4Addr::LOCALHOST,
        port: 0,
        bootstrap: vec![SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)],
        saved: None,
        is_introducer: false,
        public: false,
    };
    let node = DhtNode::start(config, &Events::default(), &Stop::default()).unwrap();
    assert_eq!(node.wait_for_fill(0, PATIENCE), Some(1));
    node
}
