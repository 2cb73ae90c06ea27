//! GET from the menu, from holders of all kinds.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{
    Client, Program, dead_port, folder, holder, holder_that, names, peer_at_menu, registered,
    server,
};

const FILE: &str = "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole";

/// The output of a GET of RFC 7 into an empty folder.
fn get_into(server: &Program, folder: &Path) -> String {
    let mut peer = peer_at_menu("peer", server.port, folder, &["--dialect", "text"]);
    peer.answer(&["4", "7", ""])
}

#[test]
fn a_holder_that_fails_is_followed_by_the_next() {
    for bad in [
        "P2P-CI/1.0 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        "P2P-CI/1.0 404 Not Found\r\n\r\n",
        "P2P-CI/1.0 200 OK\r\nContent-Length: -1\r\n\r\nwhole",
        "P2P-CI/1.0 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nwhole",
        "P2P-CI/1.0 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nwhole",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "",
        "P2P-CI/1.0 200 OK\r\nContent-Length: 1073741825\r\n\r\nmore than we take",
        "P2P-CI/1.0 200 OK\r\nContent-Le",
        "P2P-CI/1.0 200 OK\r\nContent-Length: 5",
        "P2P-CI/1.0 200 OK\r\nOS: y\r\n",
        "P2P-CI/1.0 404 Not Found\r\n",
        "P2P-CI/1.0 404",
    ] {
        let server = server(&[]);
        let _good = holder(server.port, FILE);
        let _bad = holder(server.port, bad);
        let folder = folder(&[]);
        let printed = get_into(&server, folder.path());
        assert!(
            printed.contains("[DOWNLOAD] Failed from 127.0.0.1:"),
            "{bad:?}: {printed}"
        );
        assert!(
            printed.contains("rfc7.txt (5 bytes)\n"),
            "{bad:?}: {printed}"
        );
        assert_eq!(fs::read(folder.path().join("rfc7.txt")).unwrap(), b"whole");
    }
}

#[test]
fn without_a_holder_that_delivers_nothing_changes() {
    let server = server(&[]);
    let _bad = holder(
        server.port,
        "P2P-CI/1.0 200 OK\r\nContent-Length: 50\r\n\r\nshort",
    );
    // Nobody listens on this port any more.
    let _gone = registered(server.port, 7, "Seven", dead_port());
    let folder = folder(&[("rfc7.txt", b"old")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    let printed = peer.answer(&["4", "7", "", "y"]);
    assert!(printed.contains("it sent 5 of 50 bytes\n"), "{printed}");
    assert!(
        printed.contains("cannot connect to 127.0.0.1:"),
        "{printed}"
    );
    let end = "[PEER] Could not download RFC 7 from any peer.\n";
    assert!(printed.contains(end), "{printed}");
    assert_eq!(fs::read(folder.path().join("rfc7.txt")).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["rfc7.txt"]);
}

#[test]
fn answers_are_read_liberally() {
    for good in [
        "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole and more than that",
        "P2P-CI/1.0 200 OK\r\n\r\nwhole",
        "\r\n\r\nP2P-CI/1.0 200 fine\nContent-Type: text/text\nLast Modified: x\ncontent-length:5\n\nwhole",
    ] {
        let server = server(&[]);
        let _holder = holder(server.port, good);
        let folder = folder(&[]);
        let printed = get_into(&server, folder.path());
        assert_eq!(
            fs::read(folder.path().join("rfc7.txt")).unwrap(),
            b"whole",
            "{good:?}: {printed}"
        );
    }
}

#[test]
fn a_connection_left_open_after_the_file_holds_nobody_up() {
    let server = server(&[]);
    let open = std::sync::Mutex::new(Vec::new());
    let _holder = holder_that(server.port, move |mut client| {
        client.head();
        client.send(FILE);
        open.lock().unwrap().push(client);
    });
    let folder = folder(&[]);
    let printed = get_into(&server, folder.path());
    assert!(printed.contains("rfc7.txt (5 bytes)\n"), "{printed}");
}

#[test]
fn the_copy_has_the_time_of_the_original() {
    let server = server(&[]);
    let answer = "P2P-CI/1.0 200 OK\r\nLast-Modified: Fri, 17 Apr 2026 16:08:18 GMT\r\nContent-Length: 5\r\n\r\nwhole";
    let _holder = holder(server.port, answer);
    let folder = folder(&[]);
    get_into(&server, folder.path());
    let modified = fs::metadata(folder.path().join("rfc7.txt"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(
        modified,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_776_442_098)
    );
}

#[test]
fn the_document_is_registered_under_the_title_found() {
    let mut server = server(&[]);
    let _holder = holder(server.port, FILE);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    peer.answer(&["4", "7", ""]);
    let (ours, end) = (peer.port, "\r\n\r\n");
    server.expect(&format!("RFC 7 Seven localhost {ours}\n\n"));
    let mut client = Client::connect(server.port);
    client.send("LOOKUP RFC 7 P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    assert!(client.head().starts_with("P2P-CI/1.0 200 OK"));
    assert_eq!(
        client.line() + end,
        format!("RFC 7 Seven localhost {ours}{end}")
    );
}

#[test]
fn a_large_file_arrives_whole() {
    let server = server(&["-q"]);
    let from = folder(&[]);
    let source = fs::File::create(from.path().join("rfc7.txt")).unwrap();
    source.set_len(200_000_000).unwrap();
    let _holder = peer_at_menu("holder", server.port, from.path(), &[]);
    let to = folder(&[]);
    let printed = get_into(&server, to.path());
    assert!(
        printed.contains("rfc7.txt (200000000 bytes)\n"),
        "{printed}"
    );
    assert_eq!(
        fs::metadata(to.path().join("rfc7.txt")).unwrap().len(),
        200_000_000
    );
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing() {
    let server = server(&[]);
    let _holder = holder(server.port, FILE);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    // A missing folder fails at the same point as a full disk, on any machine.
    fs::remove_dir(folder.path()).unwrap();
    let printed = peer.answer(&["4", "7", ""]);
    assert!(
        printed.contains("[PEER] RFC 7 was not downloaded: cannot write "),
        "{printed}"
    );
    fs::create_dir(folder.path()).unwrap();
    assert!(
        peer.answer(&["4", "7", ""])
            .contains("rfc7.txt (5 bytes)\n")
    );
}
