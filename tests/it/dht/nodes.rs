//! Nodes that find each other over UDP, also after they were killed.

use std::fs;
use std::net::{SocketAddrV4, UdpSocket};

use p2pci::dht::AnnounceError;
use p2pci::wire::dht::Key;
use p2pci::wire::{Port, RfcNumber};
use rustix::process::Signal;

use super::{DHT, introducer, introducer_at, member};
use crate::support::{PATIENCE, names, run, server_command};

const ALONE: &str = "[DHT] No other node answers; waiting for others\n";
const JOINED: &str = "[DHT] Joined: 1 other node(s)\n";

/// A key of this test alone. A node of another test may get the port of one that was killed here, and
/// then both belong to one network.
fn key(test: u32) -> Key {
    Key::Rfc(RfcNumber::new(4_000_000_000 + test).unwrap())
}

fn ports(found: impl IntoIterator<Item = SocketAddrV4>) -> Vec<u16> {
    let mut ports: Vec<_> = found.into_iter().map(|peer| peer.port()).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn nodes_find_each_other_through_the_introducer() {
    let mut server = introducer(&[]);
    assert!(server.printed().starts_with(ALONE), "{}", server.printed());
    let first = member(server.port);
    server.expect(JOINED);
    let second = member(server.port);
    first.announce(key(0), Port::new(5001).unwrap()).unwrap();
    second.announce(key(0), Port::new(5002).unwrap()).unwrap();
    assert_eq!(
        ports(first.lookup_all(key(0), PATIENCE).addresses),
        [5001, 5002]
    );
    server.signal(Signal::TERM);
    assert!(server.wait().0.success());
    // They need it no longer.
    assert_eq!(
        ports(second.lookup_all(key(0), PATIENCE).addresses),
        [5001, 5002]
    );
}

#[test]
fn an_introducer_that_was_killed_comes_back_through_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("dht.json");
    let mut server = introducer_at(0, &state);
    let first = member(server.port);
    server.expect(JOINED);
    server.kill();
    // What is left is whole: the state and its lock.
    assert_eq!(names(folder.path()), ["dht.json", "dht.json.lock"]);
    let saved = format!(r#"{{"nodes":["{}"]}}"#, first.address());
    assert_eq!(fs::read_to_string(&state).unwrap(), saved);
    let mut again = introducer_at(server.port, &state);
    again.expect_error(&format!("Loaded 1 node(s) from {}\n", state.display()));
    // It has joined before it listens.
    assert!(again.printed().starts_with(JOINED), "{}", again.printed());
    first.announce(key(1), Port::new(5001).unwrap()).unwrap();
    let second = member(server.port);
    assert_eq!(ports(second.lookup(key(1), PATIENCE)), [5001]);
    again.signal(Signal::TERM);
    assert!(again.wait().0.success());
}

#[test]
fn an_introducer_that_comes_back_without_its_state_is_found() {
    let mut server = introducer(&[]);
    let first = member(server.port);
    server.expect(JOINED);
    server.kill();
    assert_eq!(first.announce(key(2), Port::MIN), Err(AnnounceError::Alone));
    let fresh = tempfile::tempdir().unwrap();
    let mut again = introducer_at(server.port, &fresh.path().join("dht.json"));
    assert_eq!(first.wait_for_fill(1, PATIENCE), Some(2));
    again.expect(JOINED);
    first.announce(key(2), Port::new(5001).unwrap()).unwrap();
    let second = member(server.port);
    assert_eq!(ports(second.lookup(key(2), PATIENCE)), [5001]);
}

#[test]
fn the_node_speaks_the_protocol_of_the_mainline_dht() {
    let server = introducer(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = |query: &[u8]| {
        socket.send_to(query, ("127.0.0.1", server.port)).unwrap();
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer).unwrap();
        answer[..length].to_vec()
    };
    let has = |answer: &[u8], part: &[u8]| answer.windows(part.len()).any(|it| it == part);
    // Noise is ignored.
    for noise in [
        &b""[..],
        b"JOIN a 127.0.0.1 5\r\n",
        b"d1:q4:pinge",
        &[0xff; 1400],
    ] {
        socket.send_to(noise, ("127.0.0.1", server.port)).unwrap();
    }
    let pong = ask(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t4:aaaa1:y1:qe");
    assert!(has(&pong, b"1:rd2:id20:") && has(&pong, b"1:t4:aaaa") && has(&pong, b"1:y1:r"));
    let query = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t4:aaab1:y1:qe";
    let answer = ask(query);
    assert!(has(&answer, b"5:token4:") && has(&answer, b"1:t4:aaab"));
}

#[test]
fn what_can_t_be_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("dht.json");
    fs::write(&state, "{").unwrap();
    let server = introducer_at(0, &state);
    let path = state.display();
    server.expect_error(&format!("warning: {path} is damaged ("));
    server.expect_error("and starting without any nodes\n");
    let with_state = ["--state", state.to_str().unwrap()];
    let port = server.port.to_string();
    for (arguments, expected) in [
        (
            [&DHT[..], &["--port", "0"], &with_state].concat(),
            format!("error: {path} is in use by another server; --state names another file\n"),
        ),
        (
            vec!["--index", "dht", "--port", "0", "--bind", "::1"],
            "error: ::1 is no IPv4 address; the DHT uses IPv4 only\n".to_owned(),
        ),
        (
            [&DHT[..], &["--port", &port]].concat(),
            format!(
                "error: cannot listen on 127.0.0.1:{port}: the port is in use by another program; \
                 stop that one, or choose another port\n"
            ),
        ),
    ] {
        let (status, _, errors) = run("server", server_command(&arguments));
        assert_eq!((status.code(), errors), (Some(1), expected));
    }
}

#[test]
fn a_udp_port_in_use_is_said_too() {
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let command = server_command(&[&DHT[..], &["--port", &port]].concat());
    let (status, _, errors) = run("server", command);
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.contains("the port is in use by another program"),
        "{errors}"
    );
}
