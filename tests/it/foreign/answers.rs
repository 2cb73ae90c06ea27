//! The peer with foreign index servers, in every form that exists.

use crate::support::{Client, MENU, at_once, folder, peer, peer_at_menu, pretend};

/// A server that answers every ADD with `add` and everything else with `search`.
fn index(add: &'static str, search: &'static str) -> u16 {
    pretend(move |mut client| {
        loop {
            let head = client.head();
            match head.split(' ').next() {
                Some("ADD") => client.send(add),
                Some("LIST" | "LOOKUP") => client.send(search),
                _ => return,
            }
        }
    })
}

#[test]
fn every_form_of_response_is_understood() {
    let two = "RFC 9 Nine vm 1\nRFC 8 Eight too vm 2\n";
    let cases = [
        // The strict form, and then forms seen in the wild.
        (
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 5 F vm 1\r\n\r\n",
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 9 Nine vm 1\r\nRFC 8 Eight too vm 2\r\n\r\n",
            two,
        ),
        (
            "P2P-CI/1.0 200 OK\nRFC 5 F vm 1\n",
            "P2P-CI/1.0 200 OK\nRFC 9 Nine vm 1\nRFC 8 Eight too vm 2\n",
            two,
        ),
        (
            "P2P-CI/1.0 200 OK\r\n\r\n",
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 9 Nine vm 1\r\nRFC 8 Eight too vm 2",
            two,
        ),
        // Records without `RFC`, or with a colon after it.
        (
            "P2P-CI/1.0 200 OK\n5 F vm 1\n",
            "P2P-CI/1.0 200 OK\n9 Nine vm 1\n8 Eight too vm 2\n",
            two,
        ),
        (
            "P2P-CI/1.0 200 OK\nRFC: 5 F vm 1\n",
            "P2P-CI/1.0 200 OK\nRFC: 9 Nine vm 1\nRFC:8 Eight too vm 2",
            two,
        ),
        // A status line without its end, and then silence.
        (
            "P2P-CI/1.0 200 OK",
            "P2P-CI/1.0 404 Not Found",
            "[PEER] The index has no records.\n",
        ),
        (
            "P2P-CI/1.0 200 OK\r\n",
            "P2P-CI/1.0 200 OK\r\n\r\n",
            "[PEER] The index has no records.\n",
        ),
        (
            "P2P-CI/1.0 200 ok\r\n\r\n\r\n\r\n",
            "P2P-CI/1.0 404 NOT FOUND\r\n\r\n",
            "[PEER] The index has no records.\n",
        ),
    ];
    at_once(cases, |(add, search, shown)| {
        let folder = folder(&[("rfc5.txt", b"five"), ("rfc6.txt", b"six")]);
        let mut peer = peer_at_menu("peer", index(add, search), folder.path(), &["-q"]);
        for _ in 0..2 {
            assert!(
                peer.answer(&["3"])
                    .starts_with(&format!("3\n{shown}{MENU}")),
                "{search:?}"
            );
        }
    });
}

#[test]
fn a_refused_add_is_reported_and_the_others_go_on() {
    let folder = folder(&[("rfc5.txt", b"five"), ("rfc6.txt", b"six")]);
    let index = index(
        "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n",
        "P2P-CI/1.0 200 OK\r\n\r\n\r\n",
    );
    let mut peer = peer_at_menu("peer", index, folder.path(), &[]);
    for number in [5, 6] {
        let line = format!(
            "[PEER] RFC {number} was not registered: the index server refused the request with code 400: another peer may have this name and port (--hostname and --upload-port choose others), or the limit of RFCs per peer is reached\n"
        );
        assert!(peer.printed().contains(&line));
    }
    assert!(peer.answer(&["3"]).contains("P2P-CI/1.0 200 OK\n\n\n"));
}

#[test]
fn another_kind_of_server_is_a_clear_error() {
    let folder = folder(&[("rfc5.txt", b"five")]);
    let index = index("HTTP/1.1 400 Bad Request\r\n\r\n", "");
    let mut peer = peer("peer", index, folder.path(), &[]);
    let (status, _) = peer.wait();
    assert_eq!(status.code(), Some(6));
    peer.expect_error(
        "it answered \"HTTP/1.1 400 Bad Request\", which is not a P2P-CI/1.0 response",
    );
}

#[test]
fn requests_are_written_strictly_and_one_at_a_time() {
    let (send, receive) = std::sync::mpsc::channel();
    let index = pretend(move |mut client: Client| {
        for _ in 0..2 {
            let head = client.head();
            // Had the peer sent more than one request, the rest would be in the buffer.
            client.stream().set_nonblocking(true).unwrap();
            let ahead = client.stream().peek(&mut [0]).is_ok();
            client.stream().set_nonblocking(false).unwrap();
            send.send((head, ahead)).unwrap();
            client.send("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 F vm 1\r\n\r\n");
        }
        client.rest();
    });
    let folder = folder(&[("rfc5.txt", b"five"), ("rfc6.txt", b"six")]);
    let peer = peer_at_menu("peer", index, folder.path(), &[]);
    for number in [5, 6] {
        let expected = format!(
            "ADD RFC {number} P2P-CI/1.0\r\nHost: localhost\r\nPort: {}\r\nTitle: RFC {number}\r\n\r\n",
            peer.port
        );
        assert_eq!(receive.recv().unwrap(), (expected, false));
    }
}
