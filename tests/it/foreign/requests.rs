//! Foreign peers with our server and our upload server. What they send has no empty line at its end.

use std::path::Path;

use crate::support::{Client, Program, at_once, folder, peer, server};

/// A peer that shares RFC 5, and its server.
fn sharing(folder: &Path) -> (Program, Program) {
    let server = server(&[]);
    let peer = peer("peer", server.port, folder, &["share"]);
    (peer, server)
}

#[test]
fn a_peer_whose_last_line_has_no_end_has_a_whole_session() {
    let shared = folder(&[("rfc5.txt", b"five\n")]);
    let (peer, mut server) = sharing(shared.path());
    // The lines are joined with LF, and each answer is one read.
    let mut client = Client::connect(server.port);
    for number in [6, 7] {
        client.send(format!(
            "ADD RFC {number} P2P-CI/1.0\nHost: p1\nPort: 9\nTitle: Title of the RFC {number}"
        ));
        client.receive(&format!(
            "P2P-CI/1.0 200 OK\nRFC {number} Title of the RFC {number} p1 9\n"
        ));
    }
    let ours = format!("RFC 5 RFC 5 localhost {}\n", peer.port);
    client.send("LOOKUP RFC 5 P2P-CI/1.0\nHost: p1\nPort: 9\nTitle: Title of the RFC 5");
    client.receive(&format!("P2P-CI/1.0 200 OK\n{ours}"));
    client.send("LOOKUP RFC 8 P2P-CI/1.0\nHost: p1\nPort: 9\nTitle: none");
    client.receive("P2P-CI/1.0 404 Not Found\n");
    client.send("LIST ALL P2P-CI/1.0\nHost: p1\nPort: 9");
    client.receive(&format!(
        "P2P-CI/1.0 200 OK\nRFC 7 Title of the RFC 7 p1 9\nRFC 6 Title of the RFC 6 p1 9\n{ours}"
    ));
    client.send("CLOSE P2P-CI/1.0\nHost: p1\n");
    client.receive("P2P-CI/1.0 200 OK\n");
    assert_eq!(client.rest(), b"");
    server.expect("[SERVER] Peer p1:9 left. Removed 1 peer(s), 2 RFC(s).\n");
}

#[test]
fn a_peer_is_answered_in_its_own_line_ends() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    client.send("ADD RFC 1 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\nTitle: One\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\nRFC 1 One vm 9\r\n");
    client.send("LIST ALL P2P-CI/1.0\nHOST: vm\nPORT: 9\n");
    client.receive("P2P-CI/1.0 200 OK\nRFC 1 One vm 9\n");
    client.send("DEL P2P-CI/1.0\nHOST: vm\nPORT: 9\n");
    client.receive("P2P-CI/1.0 200 OK\nRFC 1 One vm 9\n");
    client.send("LIST ALL P2P-CI/1.0\nHOST: vm\nPORT: 9\n");
    client.receive("P2P-CI/1.0 200 OK\n");
}

#[test]
fn a_title_that_stops_in_the_middle_is_completed_when_the_rest_arrives() {
    let mut server = server(&[]);
    let mut client = Client::connect(server.port);
    client.send("ADD RFC 1 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\nTitle: IPs");
    client.receive("P2P-CI/1.0 200 OK\r\nRFC 1 IPs vm 9\r\n");
    client.send("ec\r\n\r\n");
    client.send("LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 1 IPsec vm 9\r\n\r\n");
    drop(client);
    server.expect("[SERVER] Peer vm:9 left. Removed 1 peer(s), 1 RFC(s).\n");
}

#[test]
fn a_downloader_that_reads_once_finds_the_head_in_its_first_read() {
    let text = b"0123456789abcdef".repeat(10_000);
    let shared = folder(&[("rfc5.txt", &text)]);
    let (peer, _server) = sharing(shared.path());
    at_once(
        [
            ("Host: x\nOS: y\n", "\n", "Content-Length"),
            ("HOST: x\nOS: y", "\n", "CONTENT-LENGTH"),
            ("Host: x\r\nOS: y\r\n", "\r\n", "Content-Length"),
        ],
        |(fields, end, length)| {
            let first_end = if fields.contains('\r') { "\r\n" } else { "\n" };
            let mut client = Client::connect(peer.port);
            client.send(format!("GET RFC 5 P2P-CI/1.0{first_end}{fields}"));
            let mut read = [0; 16_384];
            let mut stream = client.stream();
            let count = std::io::Read::read(&mut stream, &mut read).unwrap();
            let head = str::from_utf8(&read[..count]).unwrap();
            let lines: Vec<_> = head.split(end).collect();
            assert_eq!(lines[0], "P2P-CI/1.0 200 OK");
            assert_eq!(lines[4], format!("{length}: {}", text.len()));
            assert_eq!(
                lines[6..],
                ["", ""],
                "the document is not in the first read"
            );
            assert_eq!(client.rest(), text);

            let mut client = Client::connect(peer.port);
            client.send(format!("GET RFC 6 P2P-CI/1.0{first_end}{fields}"));
            let answer = format!("P2P-CI/1.0 404 Not Found{end}");
            assert_eq!(client.rest(), answer.as_bytes());
        },
    );
}

#[test]
fn padding_after_a_message_is_no_part_of_it() {
    let server = server(&[]);
    at_once(
        [("~", 2000), ("!", 1024), ("\\&!", 1), ("\\&!", 300)],
        |(pad, count)| {
            let padding = pad.repeat(count);
            let mut client = Client::connect(server.port);
            let port = 1000 + count + pad.len();
            for title in ["One", "Two!"] {
                // After a line, and, as an option, with the end of it.
                let end = if title == "One" { "" } else { "\n" };
                client.send(format!(
                    "ADD RFC 1 P2P-CI/1.0\nHost: vm\nPort: {port}\nTitle: {title}{end}{padding}"
                ));
                client.receive(&format!("P2P-CI/1.0 200 OK\nRFC 1 {title} vm {port}\n"));
            }
            client.send(format!("DEL P2P-CI/1.0\nHost: vm\nPort: {port}\n{padding}"));
            client.receive(&format!("P2P-CI/1.0 200 OK\nRFC 1 Two! vm {port}\n"));
        },
    );
}

#[test]
fn a_greeting_is_answered_and_has_no_effect() {
    let server = server(&[]);
    at_once(
        [
            "JOIN P2P-CI/1.0\nHost: vm\nPort: 9",
            "INIT - P2P-CI/1.0",
            "CONNECT 50123 P2P-CI/1.0\n",
            "REGISTER P2P-CI/1.0 Host: vm Port: 9\n",
            "REGISTER P2P-CI/1.0 \nHost: vm \nPort: 9 \n",
        ],
        |greeting| {
            let mut client = Client::connect(server.port);
            client.send(greeting);
            client.receive("P2P-CI/1.0 200 OK\n");
            client.send("LIST P2P-CI/1.0\nHost: vm\n");
            client.receive("P2P-CI/1.0 200 OK\n");
        },
    );
}

#[test]
fn a_get_without_the_word_rfc_gets_the_document() {
    let shared = folder(&[("rfc5.txt", b"five\n")]);
    let (peer, _server) = sharing(shared.path());
    for (request, end) in [
        ("GET 5 P2P-CI/1.0\nHost: x\nOS: y\n", "\n\nfive\n"),
        ("GET 5 P2P-CI/1.0\nHost: x\nOS: y", "\n\nfive\n"),
        ("GET 5 P2P-CI/1.0\nHost: x\nOS: y\n\n", "\r\n\r\nfive\n"),
    ] {
        let mut client = Client::connect(peer.port);
        client.send(request);
        let answer = String::from_utf8(client.rest()).unwrap();
        assert!(answer.starts_with("P2P-CI/1.0 200 OK"), "{answer}");
        assert!(answer.ends_with(end), "{answer}");
    }
}
