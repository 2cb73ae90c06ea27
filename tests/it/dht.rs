//! The third index: the introducer, over TCP and over UDP, what it keeps between runs, and peers that
//! find each other in the hash table.

mod crowded;
mod introducer;
mod liars;
mod many;
mod nodes;
mod peers;
mod without;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::Command;

use expect_test::expect_file;
use p2pci::dht::{Config, DhtNode};
use p2pci::event::Events;
use p2pci::net::Stop;

use crate::support::{
    PATIENCE, Program, STATE, at_menu, peer_of, run, scenarios_dht, server, server_command,
    sharing, started_server,
};

#[test]
fn the_printouts_of_the_scenario() {
    let printed = scenarios_dht::run(|_| {});
    assert!(
        printed.contains("--- the two files\nare identical\n"),
        "{printed}"
    );
    expect_file!["golden/dht.txt"].assert_eq(&printed);
}

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

/// The command of a peer.
fn command(introducer: u16, folder: &Path, arguments: &[&str]) -> Command {
    peer_of(
        introducer,
        folder,
        &[&["--index", "dht"], arguments].concat(),
    )
}

/// The command of a peer that keeps its state here.
fn command_with_state(introducer: u16, folder: &Path, state: &Path, arguments: &[&str]) -> Command {
    let mut command = command(introducer, folder, arguments);
    command.env(STATE, state);
    command
}

/// A peer that shares a folder. Until it has [announced] it, others may not find it.
fn started(introducer: u16, folder: &Path) -> Program {
    let command = command(introducer, folder, &["--print-messages", "share"]);
    sharing(Program::start("peer", command))
}

/// Waits until a peer has announced so many documents, and that it shares anything.
fn announced(mut peer: Program, documents: usize) -> Program {
    let line = format!("[DHT] Announced port {} for ", peer.port);
    for _ in 0..=documents {
        peer.expect(&line);
    }
    peer
}

/// A peer at its menu.
fn peer_at_menu(introducer: u16, folder: &Path) -> Program {
    let command = command(introducer, folder, &[]);
    at_menu(sharing(Program::start("peer", command)))
}

/// What a command prints and says, and its exit code.
fn ask(introducer: u16, folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (status, out, errors) = run("peer", command(introducer, folder, arguments));
    (status.code(), out, errors)
}
