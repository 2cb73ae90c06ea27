//! The answers of a peer's upload server, to the byte.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::Signal;

use crate::support::{Client, Program, exchange, folder, names_in, peer, server};

fn get(number: u32) -> String {
    format!("GET RFC {number} P2P-CI/1.0\r\nHost: localhost\r\nOS: Test\r\n\r\n")
}

const BAD: &str = "P2P-CI/1.0 400 Bad Request\r\n\r\n";
const NONE: &str = "P2P-CI/1.0 404 Not Found\r\n\r\n";

/// A peer that shares `folder` without a menu, and its server, which must keep running.
fn sharing(folder: &Path) -> (Program, Program) {
    let server = server(&[]);
    let peer = peer("peer", server.port, folder, &["share", "--print-messages"]);
    (peer, server)
}

#[test]
fn options_stand_before_and_after_the_command() {
    let folder = folder(&[
        ("rfc1.txt", b"one"),
        ("rfc2.txt", b"two"),
        ("rfc3.txt", b"three"),
    ]);
    let server = server(&[]);
    for arguments in [
        &["-r", "1", "3", "share", "--print-messages"][..],
        &["--print-messages", "share", "-r", "1,3"],
    ] {
        let mut peer = peer("peer", server.port, folder.path(), arguments);
        peer.expect("[PEER] Registering RFC 3: RFC 3\n");
        assert_eq!(download(peer.port, 3).1, b"three");
        assert_eq!(exchange(peer.port, get(2)), NONE);
    }
}

/// GETs an RFC: returns the head of the answer, and the file.
fn download(port: u16, number: u32) -> (String, Vec<u8>) {
    let mut client = Client::connect(port);
    client.send(get(number));
    (client.head(), client.rest())
}

#[test]
fn the_answer_has_five_headers_and_the_file() {
    let folder = folder(&[("rfc5.txt", b"five\n")]);
    let (mut peer, _server) = sharing(folder.path());
    let (head, file) = download(peer.port, 5);
    let expected = [
        "P2P-CI/1.0 200 OK",
        "Date",
        "OS",
        "Last-Modified",
        "Content-Length",
        "Content-Type",
        "",
    ];
    assert_eq!(names_in(&head), expected);
    assert!(
        head.contains("\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\n"),
        "{head}"
    );
    assert_eq!(file, b"five\n");
    peer.expect("[UPLOAD] Sent RFC 5 to 127.0.0.1:");
    peer.expect(" (5 bytes)\n");
}

#[test]
fn dates_are_rfc_1123_in_gmt() {
    let folder = folder(&[("rfc5.txt", b"")]);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_775_150_418);
    fs::File::options()
        .append(true)
        .open(folder.path().join("rfc5.txt"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    let (peer, _server) = sharing(folder.path());
    let (head, _) = download(peer.port, 5);
    assert!(
        head.contains("\r\nLast-Modified: Thu, 02 Apr 2026 17:20:18 GMT\r\n"),
        "{head}"
    );
}

#[test]
fn bytes_are_never_touched() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let large = b"0123456789abcde\n".repeat(100_000);
    let files: [(&str, &[u8]); 7] = [
        ("rfc1.txt", b""),
        ("rfc2.txt", b"no final newline"),
        ("rfc3.txt", b"\r\n\r\nlines\r\nof\nboth\rkinds\r\n"),
        ("rfc4.txt", b"nul \0 form feed \x0c bom \xef\xbb\xbf"),
        ("rfc5.txt", b"Latin-1: \xe9\xe8\xff"),
        ("rfc6.txt", &every_byte),
        ("rfc7.txt", &large),
    ];
    let folder = folder(&files);
    let (peer, _server) = sharing(folder.path());
    for (number, (name, bytes)) in (1..).zip(files) {
        let (head, file) = download(peer.port, number);
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", bytes.len())),
            "{name}: {head}"
        );
        assert!(file == bytes, "{name} differs");
    }
}

#[test]
fn refusals_end_with_one_empty_line() {
    let folder = folder(&[("rfc123.txt", b"text")]);
    let (peer, _server) = sharing(folder.path());
    assert_eq!(exchange(peer.port, get(9)), NONE);
    let rest = "Host: localhost\r\nOS: Mac\r\n\r\n";
    let version = "P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n";
    assert_eq!(
        exchange(peer.port, format!("BLAH RFC 123 P2P-CI/1.0\r\n{rest}")),
        BAD
    );
    assert_eq!(
        exchange(peer.port, format!("GET RFC 123 P2P-CI/2.0\r\n{rest}")),
        version
    );
    assert_eq!(exchange(peer.port, "GET RFC 123 P2P-CI/1.0\r\n\r\n"), BAD);
    assert_eq!(
        exchange(peer.port, "GET RFC 123 P2P-CI/1.0\r\nHost: x"),
        BAD
    );
    assert_eq!(exchange(peer.port, "x".repeat(9000)), BAD);
}

#[test]
fn nothing_outside_the_folder_can_be_named() {
    let folder = folder(&[("rfc1.txt", b"text"), ("secret.txt", b"secret")]);
    let (peer, _server) = sharing(folder.path());
    for name in [
        "../rfc1",
        "secret",
        "/etc/passwd",
        "1.txt",
        "..%2frfc1",
        "1/../1",
        "+1",
        "0",
    ] {
        let request = format!("GET RFC {name} P2P-CI/1.0\r\nHost: x\r\n\r\n");
        assert_eq!(exchange(peer.port, request), BAD, "{name}");
    }
}

#[test]
fn what_is_not_a_file_is_not_found() {
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("rfc1.txt")).unwrap();
    symlink("nowhere", folder.path().join("rfc2.txt")).unwrap();
    let pipe = folder.path().join("rfc3.txt");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    let (peer, _server) = sharing(folder.path());
    for number in 1..=3 {
        assert_eq!(exchange(peer.port, get(number)), NONE, "{number}");
    }
}

#[test]
fn files_come_and_go_while_the_peer_runs() {
    let folder = folder(&[]);
    let (peer, _server) = sharing(folder.path());
    assert_eq!(exchange(peer.port, get(4)), NONE);
    fs::write(folder.path().join("rfc4.txt"), "four").unwrap();
    assert_eq!(download(peer.port, 4).1, b"four");
    fs::remove_file(folder.path().join("rfc4.txt")).unwrap();
    assert_eq!(exchange(peer.port, get(4)), NONE);
}

#[test]
fn silent_and_slow_connections_keep_nobody_waiting() {
    let folder = folder(&[("rfc1.txt", &b"x".repeat(20_000_000))]);
    let (peer, _server) = sharing(folder.path());
    let _silent: Vec<_> = (0..20).map(|_| Client::connect(peer.port)).collect();
    let mut slow = Client::connect(peer.port);
    slow.send(get(1));
    assert!(slow.head().starts_with("P2P-CI/1.0 200 OK"));
    assert_eq!(download(peer.port, 1).1.len(), 20_000_000);
    assert_eq!(slow.rest().len(), 20_000_000);
}

#[test]
fn several_downloads_run_at_once() {
    let bytes = b"0123456789abcdef".repeat(200_000);
    let folder = folder(&[("rfc1.txt", &bytes)]);
    let (peer, _server) = sharing(folder.path());
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(peer.port)).collect();
    for client in &mut clients {
        client.send(get(1));
    }
    // Every head arrives before any file is read, so no download waits for the end of another.
    for client in &mut clients {
        assert!(client.head().contains("Content-Length: 3200000\r\n"));
    }
    for client in &mut clients {
        assert!(client.rest() == bytes);
    }
}

#[test]
fn signals_end_the_peer_cleanly_during_a_download() {
    let folder = folder(&[("rfc1.txt", &b"x".repeat(20_000_000))]);
    for signal in [Signal::INT, Signal::TERM] {
        let (mut peer, mut server) = sharing(folder.path());
        peer.expect("[PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC 1 ");
        let mut slow = Client::connect(peer.port);
        slow.send(get(1));
        slow.head();
        peer.signal(signal);
        let (status, printed) = peer.wait();
        assert!(status.success(), "{printed}");
        assert!(printed.contains("[PEER] Disconnecting...\n"), "{printed}");
        server.expect("left. Removed 1 peer(s), 1 RFC(s).\n");
    }
}
