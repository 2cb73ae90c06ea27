//! DEL of a single RFC: a peer takes back what is gone from its folder.

use std::fs;
use std::sync::mpsc;

use crate::support::{BAD, Client, PATIENCE, exchange, folder, peer_at_menu, pretend, server};

const NONE: &str = "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n";

fn delete(number: u32, host: &str, port: u16) -> String {
    format!("DEL RFC {number} P2P-CI/1.0\r\nHost: {host}\r\nPort: {port}\r\n\r\n")
}

#[test]
fn a_peer_takes_back_one_record_of_its_own() {
    let server = server(&[]);
    let mut other = Client::connect(server.port);
    other.add(5, "Theirs", "other", 9);
    let mut client = Client::connect(server.port);
    client.send(delete(5, "vm", 1));
    client.receive(NONE);
    client.add(5, "Five", "vm", 1);
    client.add(6, "Six", "vm", 1);
    client.send(delete(5, "vm", 1));
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 Five vm 1\r\n\r\n");
    client.send(delete(5, "vm", 1));
    client.receive(NONE);
    for wrong in [
        delete(6, "other", 9),
        delete(0, "vm", 1),
        "DEL RFC 6 P2P-CI/1.0\r\nHost: vm\r\n\r\n".to_owned(),
        "DEL RFC P2P-CI/1.0\r\nHost: vm\r\nPort: 1\r\n\r\n".to_owned(),
    ] {
        client.send(&wrong);
        client.receive(BAD);
    }
    client.send("LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 Six vm 1\r\nRFC 5 Theirs other 9\r\n\r\n");
    client.send("LOOKUP RFC 5 P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 Theirs other 9\r\n\r\n");
    // What was taken back can be added again, and leaves with the peer.
    client.add(5, "Again", "vm", 1);
    client.send("DEL P2P-CI/1.0\r\nHost: vm\r\nPort: 1\r\n\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 Again vm 1\r\nRFC 6 Six vm 1\r\n\r\n");
}

#[test]
fn in_frames_there_is_no_such_request() {
    let server = server(&[]);
    let request = "DEL RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1";
    let answer = exchange(server.port, format!("{:<10}{request}", request.len()));
    assert_eq!(answer, "26        P2P-CI/1.0 400 BAD REQUEST");
}

#[test]
fn the_record_of_a_deleted_file_is_taken_back() {
    let server = server(&[]);
    let ours = folder(&[("rfc1.txt", b"one"), ("rfc2.txt", b"two")]);
    let mut peer = peer_at_menu("peer", server.port, ours.path(), &[]);
    // A file must be seen before its loss can be detected.
    fs::write(ours.path().join("rfc3.txt"), "three").unwrap();
    peer.expect("[PEER] Registering RFC 3: RFC 3\n");
    fs::remove_file(ours.path().join("rfc2.txt")).unwrap();
    let port = peer.port;
    peer.expect("[PEER] The file of RFC 2 disappeared from ");
    peer.expect(&format!(
        "[PEER] Sending:\nDEL RFC 2 P2P-CI/1.0\nHost: localhost\nPort: {port}\n\n\
         [PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC 2 RFC 2 localhost {port}\n\n"
    ));
    let lookup = |number| {
        exchange(
            server.port,
            format!("LOOKUP RFC {number} P2P-CI/1.0\r\nHost: x\r\n\r\n"),
        )
    };
    assert_eq!(lookup(2), NONE);
    assert!(lookup(1).starts_with("P2P-CI/1.0 200 OK\r\n"));
    fs::write(ours.path().join("rfc2.txt"), "two again").unwrap();
    peer.expect("[PEER] Registering RFC 2: RFC 2\n");
    peer.expect(&format!("RFC 2 RFC 2 localhost {port}\n\n"));
    assert!(lookup(2).starts_with("P2P-CI/1.0 200 OK\r\n"));
}

/// A peer deletes two files at a server that answers DEL RFC in this way, or closes. Returns the
/// start lines of the requests, up to the second connection if there is one.
fn requests_at_a_server_that_says(answer: Option<&'static str>) -> Vec<String> {
    let (tell, told) = mpsc::channel();
    let port = pretend(move |mut client| {
        loop {
            let head = client.head();
            let line = head.lines().next().unwrap_or("closed").to_owned();
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            tell.send(line).unwrap();
            match (words[0].as_str(), answer) {
                ("closed", _) | ("DEL", None) => return,
                ("DEL", Some(answer)) => client.send(answer),
                _ => client.send("P2P-CI/1.0 200 OK\r\n\r\n\r\n"),
            }
        }
    });
    let ours = folder(&[
        ("rfc1.txt", b"one"),
        ("rfc2.txt", b"two"),
        ("rfc4.txt", b"four"),
    ]);
    let mut peer = peer_at_menu("peer", port, ours.path(), &["--dialect", "text"]);
    fs::write(ours.path().join("rfc5.txt"), "five").unwrap();
    peer.expect("[PEER] Registering RFC 5: RFC 5\n");
    for number in [1, 2] {
        fs::remove_file(ours.path().join(format!("rfc{number}.txt"))).unwrap();
        peer.expect(&format!(
            "[PEER] The file of RFC {number} disappeared from "
        ));
    }
    // What comes into the folder later is registered: the watch goes on.
    fs::write(ours.path().join("rfc6.txt"), "six").unwrap();
    let mut requests = Vec::new();
    loop {
        let line = told.recv_timeout(PATIENCE).expect("RFC 6 is registered");
        let is_last = line == "ADD RFC 6 P2P-CI/1.0";
        requests.push(line);
        if is_last {
            return requests;
        }
    }
}

fn count(requests: &[String], start: &str) -> usize {
    let found = requests.iter().filter(|line| line.starts_with(start));
    found.count()
}

#[test]
fn a_server_that_does_not_know_it_is_asked_once_and_keeps_its_peer() {
    for answer in [
        BAD,
        "P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n\r\n",
    ] {
        let requests = requests_at_a_server_that_says(Some(answer));
        assert_eq!(count(&requests, "DEL RFC "), 1, "{requests:?}");
        assert_eq!(count(&requests, "ADD RFC 4 "), 1, "{requests:?}");
        assert_eq!(count(&requests, "closed"), 0, "{requests:?}");
    }
}

#[test]
fn a_server_that_closes_because_of_it_is_asked_once_and_gets_everything_again() {
    let requests = requests_at_a_server_that_says(None);
    assert_eq!(count(&requests, "DEL RFC "), 1, "{requests:?}");
    assert!(count(&requests, "ADD RFC 4 ") >= 2, "{requests:?}");
    assert_eq!(
        count(&requests, "ADD RFC 1 "),
        1,
        "it is not added again: {requests:?}"
    );
}

#[test]
fn a_server_that_removes_all_records_instead_gets_them_again() {
    let all = "P2P-CI/1.0 200 OK\r\n\r\nRFC 1 a vm 5\r\nRFC 4 b vm 5\r\n\r\n";
    let requests = requests_at_a_server_that_says(Some(all));
    assert_eq!(count(&requests, "DEL RFC "), 1, "{requests:?}");
    assert!(count(&requests, "ADD RFC 4 ") >= 2, "{requests:?}");
}
