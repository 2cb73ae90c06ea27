//! Attackers that hold connections, flood the server, or send slowly. For garbage see `server`.

use socket2::SockRef;
use std::io::{Read, Write};
use std::time::Instant;

use crate::support::{BAD, Client, EMPTY, LIST, PATIENCE, exchange, folder, peer, server};

const NO_ROOM: &str = "P2P-CI/1.0 503 Service Unavailable\r\n\r\n\r\n";

/// A connection that has sent a request, and so keeps its place.
fn established(port: u16) -> Client {
    let mut client = Client::connect(port);
    client.send(LIST);
    client.receive(EMPTY);
    client
}

#[test]
fn many_connections_are_told_that_there_is_no_room() {
    let mut server = server(&["--max-peers", "3"]);
    let mut inside: Vec<_> = (0..3).map(|_| established(server.port)).collect();
    for _ in 0..5 {
        let mut outside = Client::connect(server.port);
        assert_eq!(String::from_utf8_lossy(&outside.rest()), NO_ROOM);
    }
    assert_eq!(exchange(server.port, LIST), NO_ROOM);
    for client in &mut inside {
        client.send(LIST);
        client.receive(EMPTY);
    }
    server.expect("[SERVER] Turned away a connection from 127.0.0.1: connection limit reached\n");
    drop(inside.pop());
    server.expect(" closed\n");
    // The place is free once its thread has released it.
    let deadline = Instant::now() + PATIENCE;
    while exchange(server.port, LIST) != EMPTY {
        assert!(
            Instant::now() < deadline,
            "the place of one that left stays taken"
        );
    }
}

#[test]
fn silent_connections_make_room_for_those_who_speak() {
    let server = server(&["--max-peers", "3"]);
    let mut registered = established(server.port);
    let mut silent = [Client::connect(server.port), Client::connect(server.port)];
    // A single line is not a request.
    silent[0].send("\r\n");
    let mut late = established(server.port);
    assert_eq!(silent[0].rest(), b"", "the oldest silent one is closed");
    let mut later = established(server.port);
    assert_eq!(silent[1].rest(), b"");
    for client in [&mut registered, &mut late, &mut later] {
        client.send(LIST);
        client.receive(EMPTY);
    }
}

#[test]
fn record_flood_ends_at_the_limit_and_the_connection_stays() {
    let mut server = server(&["--max-records-per-peer", "2"]);
    let mut client = Client::connect(server.port);
    for number in 1..=2 {
        client.add(number, "t", "vm", 9);
    }
    client.send("ADD RFC 3 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\nTitle: t\r\n\r\n");
    client.receive(BAD);
    client.add(2, "new", "vm", 9);
    server.expect(
        "[SERVER] Answering 400: limit of 2 records reached\n\
         [SERVER] Response to ",
    );
}

#[test]
fn dripper_is_answered_400_when_its_time_is_up() {
    let server = server(&["--request-time", "1"]);
    let mut dripper = Client::connect(server.port);
    let mut patient = established(server.port);
    let mut stream = dripper.stream().try_clone().unwrap();
    // It sends bytes far too slowly for a request, until it is cut off.
    let drips = std::thread::spawn(move || {
        let mut gap = [0; 1];
        stream
            .set_read_timeout(Some(std::time::Duration::from_millis(50)))
            .unwrap();
        for byte in LIST.bytes().cycle() {
            if stream.write_all(&[byte.max(b' ')]).is_err() || stream.read(&mut gap).is_ok() {
                return;
            }
        }
    });
    drips.join().unwrap();
    let rest = String::from_utf8_lossy(&dripper.rest()).into_owned();
    assert!(
        BAD.ends_with(&rest) && rest.len() + 1 >= BAD.len(),
        "{rest:?}"
    );
    patient.send(LIST);
    patient.receive(EMPTY);
}

#[test]
fn half_a_request_is_answered_400_when_its_time_is_up() {
    let server = server(&["--request-time", "1"]);
    let mut client = Client::connect(server.port);
    client.send("ADD RFC 5 P2P-CI/1.0\r\nHost: vm\r\n");
    client.receive(BAD);
    assert_eq!(client.rest(), b"");
}

#[test]
fn slow_reader_holds_up_nobody_but_itself() {
    let server = server(&["-q"]);
    let mut peer = Client::connect(server.port);
    let title = "t".repeat(1000);
    for number in 1..=3000 {
        peer.add(number, &title, "vm", 9);
    }
    let mut slow = Client::connect(server.port);
    SockRef::from(slow.stream())
        .set_recv_buffer_size(4096)
        .unwrap();
    for _ in 0..10 {
        slow.send(LIST);
    }
    for number in 1..=1000 {
        peer.send(format!(
            "LOOKUP RFC {number} P2P-CI/1.0\r\nHost: vm\r\n\r\n"
        ));
        peer.receive(&format!(
            "P2P-CI/1.0 200 OK\r\n\r\nRFC {number} {title} vm 9\r\n\r\n"
        ));
    }
    // When it finally reads, every byte is there.
    slow.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 3000 ttt");
}

#[test]
fn a_reader_of_nothing_is_given_up() {
    let mut server = server(&["-q", "--send-time", "1"]);
    let mut peer = Client::connect(server.port);
    let title = "t".repeat(1000);
    for number in 1..=8000 {
        peer.add(number, &title, "vm", 9);
    }
    let mut stuck = Client::connect(server.port);
    SockRef::from(stuck.stream())
        .set_recv_buffer_size(4096)
        .unwrap();
    let from = stuck.stream().local_addr().unwrap();
    stuck.send(LIST);
    server.expect(&format!("[SERVER] Connection from {from} closed\n"));
}

#[test]
fn too_many_downloads_are_told_that_there_is_no_room() {
    let server = server(&[]);
    let folder = folder(&[("rfc1.txt", &b"x".repeat(20_000_000))]);
    let peer = peer(
        "peer",
        server.port,
        folder.path(),
        &["share", "--print-messages", "--max-uploads", "2"],
    );
    let get = "GET RFC 1 P2P-CI/1.0\r\nHost: x\r\n\r\n";
    let mut slow: Vec<_> = (0..2).map(|_| Client::connect(peer.port)).collect();
    for client in &mut slow {
        client.send(get);
        assert!(client.head().starts_with("P2P-CI/1.0 200 OK"));
    }
    assert_eq!(
        exchange(peer.port, get),
        "P2P-CI/1.0 503 Service Unavailable\r\n\r\n"
    );
    assert_eq!(slow[0].rest().len(), 20_000_000);
}
