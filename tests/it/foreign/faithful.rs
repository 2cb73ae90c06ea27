//! What programs get that follow the agreement: these bytes, whatever is tolerated elsewhere.

use crate::support::{BAD, Client, exchange, folder, peer, server};

#[test]
fn a_faithful_request_gets_what_the_agreement_says() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    let fields = "Host: vm\r\nPort: 9\r\n";
    let one = "RFC 1 One! vm 9\r\n";
    for (request, answer) in [
        (
            format!("ADD RFC 1 P2P-CI/1.0\r\n{fields}Title: One!\r\n\r\n"),
            format!("P2P-CI/1.0 200 OK\r\n\r\n{one}\r\n"),
        ),
        (
            format!("LOOKUP RFC 1 P2P-CI/1.0\r\n{fields}Title: \r\n\r\n"),
            format!("P2P-CI/1.0 200 OK\r\n\r\n{one}\r\n"),
        ),
        (
            format!("LOOKUP RFC 2 P2P-CI/1.0\r\n{fields}Title: \r\n\r\n"),
            "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n".to_owned(),
        ),
        (
            format!("LIST ALL P2P-CI/1.0\r\n{fields}\r\n"),
            format!("P2P-CI/1.0 200 OK\r\n\r\n{one}\r\n"),
        ),
        // Header names in capitals, and bare LF with an empty line, change nothing.
        (
            "LIST ALL P2P-CI/1.0\nHOST: vm\nPORT: 9\n\n".to_owned(),
            format!("P2P-CI/1.0 200 OK\r\n\r\n{one}\r\n"),
        ),
        // Words that a sloppy request may have are refused.
        (format!("LIST P2P-CI/1.0\r\n{fields}\r\n"), BAD.to_owned()),
        (format!("JOIN P2P-CI/1.0\r\n{fields}\r\n"), BAD.to_owned()),
        ("INIT - P2P-CI/1.0\r\n\r\n".to_owned(), BAD.to_owned()),
        (
            format!("CONNECT 9 P2P-CI/1.0\r\n{fields}\r\n"),
            BAD.to_owned(),
        ),
        ("~~~~\r\n\r\n".to_owned(), BAD.to_owned()),
        (
            format!("LIST ALL P2P-CI/2.0\r\n{fields}\r\n"),
            "P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n\r\n".to_owned(),
        ),
    ] {
        client.send(&request);
        client.receive(&answer);
    }
}

#[test]
fn a_faithful_get_gets_what_the_agreement_says() {
    let shared = folder(&[("rfc5.txt", b"five\n")]);
    let server = server(&[]);
    let peer = peer("peer", server.port, shared.path(), &["share"]);
    let fields = "Host: x\r\nOS: y\r\n\r\n";
    let answer = exchange(peer.port, format!("GET RFC 5 P2P-CI/1.0\r\n{fields}"));
    let (head, document) = answer.split_once("\r\n\r\n").unwrap();
    let dated = |line: &str| match line.split_once(": ") {
        Some((name @ ("Date" | "OS" | "Last-Modified"), _)) => format!("{name}: ...\r\n"),
        _ => format!("{line}\r\n"),
    };
    assert_eq!(
        head.split("\r\n").map(dated).collect::<String>(),
        "P2P-CI/1.0 200 OK\r\nDate: ...\r\nOS: ...\r\nLast-Modified: ...\r\n\
         Content-Length: 5\r\nContent-Type: text/plain\r\n"
    );
    assert_eq!(document, "five\n");
    for (line, code) in [
        ("GET 5 P2P-CI/1.0", "400 Bad Request"),
        ("GET RFC 6 P2P-CI/1.0", "404 Not Found"),
    ] {
        let answer = exchange(peer.port, format!("{line}\r\n{fields}"));
        assert_eq!(answer, format!("P2P-CI/1.0 {code}\r\n\r\n"));
    }
}
