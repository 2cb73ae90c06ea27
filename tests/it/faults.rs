//! What goes away, breaks or changes while the programs run.

use std::fs;

use rustix::process::Signal;

use crate::support::{
    Client, LIST, PATIENCE, Program, folder, hanging_holder, holder_that, names, peer,
    peer_at_menu, pretend, server, server_at,
};

/// The numbers in the index, newest first.
fn listed(server: &Program) -> Vec<u32> {
    let mut client = Client::connect(server.port);
    client.send(LIST);
    client.head();
    let lines = std::iter::repeat_with(|| client.line()).take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_server_that_was_killed_and_restarted_gets_everything_again() {
    let mut before = server(&[]);
    let folder = folder(&[("rfc1.txt", b"one"), ("rfc2.txt", b"two")]);
    let mut peer = peer_at_menu("peer", before.port, folder.path(), &[]);
    peer.answer(&["1", "3", "Three"]);
    before.kill();
    peer.expect(": it closed the connection. Still sharing; will reconnect.\n");
    // Sharing goes on.
    let mut client = Client::connect(peer.port);
    client.send("GET RFC 1 P2P-CI/1.0\r\nHost: x\r\n\r\n");
    client.head();
    assert_eq!(client.rest(), b"one");
    // What is added meanwhile is not lost either.
    assert!(
        peer.answer(&["1", "4", "Four"])
            .contains("[PEER] RFC 4 will be registered when the index is back: ")
    );

    let after = server_at(before.port);
    peer.expect(&format!(
        "[PEER] Connected to server at port {} again, registered 4 of 4 RFC(s)\n",
        after.port
    ));
    assert_eq!(listed(&after), [4, 3, 2, 1]);
    assert!(
        peer.answer(&["2", "4", ""])
            .contains(&format!("RFC 4 Four localhost {}\n", peer.port))
    );
}

#[test]
fn a_server_without_room_is_tried_again() {
    let server = server(&["--max-peers", "1"]);
    let mut inside = Client::connect(server.port);
    inside.send(LIST);
    inside.head();
    let folder = folder(&[("rfc1.txt", b"one")]);
    let mut peer = peer("peer", server.port, folder.path(), &[]);
    peer.expect("503 Service Unavailable\n\n\n");
    peer.expect(": it has no room for one more peer (503). Still sharing; will reconnect.\n");
    drop(inside);
    peer.expect(" again, registered 1 of 1 RFC(s)\n");
}

#[test]
fn many_adds_go_ahead_with_pipeline() {
    let server = server(&[]);
    let files: Vec<_> = (1..=25).map(|number| format!("rfc{number}.txt")).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let folder = folder(&files);
    let peer = peer_at_menu("peer", server.port, folder.path(), &["--pipeline", "10"]);
    assert_eq!(listed(&server), (1..=25).rev().collect::<Vec<_>>());
    let printed = peer.printed();
    // Ten requests stand before the first response.
    let first = printed.split("[PEER] Response:").next().unwrap();
    assert_eq!(first.matches("[PEER] Sending:").count(), 10, "{first}");
    assert_eq!(
        printed
            .matches("[PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC ")
            .count(),
        25
    );
}

#[test]
fn files_that_come_are_registered_and_files_that_go_are_said() {
    let server = server(&[]);
    let folder = folder(&[("rfc1.txt", b"one")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    fs::write(folder.path().join("rfc2.txt"), "two").unwrap();
    peer.expect("[PEER] Registering RFC 2: RFC 2\n");
    peer.expect("[PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC 2 RFC 2 localhost");
    assert_eq!(listed(&server), [2, 1]);
    fs::remove_file(folder.path().join("rfc1.txt")).unwrap();
    let gone = format!(
        "[PEER] RFC 1 is gone from {}; others will get 404 Not Found.\n",
        folder.path().display()
    );
    peer.expect(&gone);
    // It comes back as another file.
    fs::write(folder.path().join("RFC0001.txt"), "one again").unwrap();
    peer.expect("[PEER] Registering RFC 1: RFC 1\n");
    assert_eq!(peer.printed().matches("Registering RFC 2").count(), 1);
}

/// An upload of a large file that has begun and is not being read.
fn begun_upload(server: &Program) -> (tempfile::TempDir, Program, Client) {
    let folder = folder(&[
        ("rfc1.txt", &b"0123456789".repeat(2_000_000)),
        ("rfc2.txt", b"two"),
    ]);
    let peer = peer(
        "peer",
        server.port,
        folder.path(),
        &["share", "--print-messages"],
    );
    let mut client = Client::connect(peer.port);
    client.send("GET RFC 1 P2P-CI/1.0\r\nHost: x\r\n\r\n");
    assert!(client.head().contains("Content-Length: 20000000\r\n"));
    (folder, peer, client)
}

fn other_downloads_go_on(peer: &Program) {
    let mut client = Client::connect(peer.port);
    client.send("GET RFC 2 P2P-CI/1.0\r\nHost: x\r\n\r\n");
    client.head();
    assert_eq!(client.rest(), b"two");
}

#[test]
fn a_file_replaced_by_rename_during_an_upload_is_delivered_from_the_old_one() {
    let server = server(&[]);
    let (folder, peer, mut client) = begun_upload(&server);
    fs::write(folder.path().join("new"), "new").unwrap();
    fs::rename(folder.path().join("new"), folder.path().join("rfc1.txt")).unwrap();
    assert!(client.rest() == b"0123456789".repeat(2_000_000));
    other_downloads_go_on(&peer);
}

#[test]
fn a_file_removed_during_an_upload_is_delivered_whole() {
    let server = server(&[]);
    let (folder, peer, mut client) = begun_upload(&server);
    fs::remove_file(folder.path().join("rfc1.txt")).unwrap();
    assert_eq!(client.rest().len(), 20_000_000);
    other_downloads_go_on(&peer);
}

#[test]
fn a_file_truncated_during_an_upload_ends_that_upload_only() {
    let server = server(&[]);
    let (folder, mut peer, mut client) = begun_upload(&server);
    fs::File::options()
        .write(true)
        .open(folder.path().join("rfc1.txt"))
        .unwrap()
        .set_len(1000)
        .unwrap();
    assert!(client.rest().len() < 20_000_000);
    peer.expect("[UPLOAD] RFC 1 was not sent whole to 127.0.0.1:");
    other_downloads_go_on(&peer);
}

#[test]
fn a_downloader_that_goes_away_ends_its_upload_only() {
    let server = server(&[]);
    let (_folder, mut peer, client) = begun_upload(&server);
    drop(client);
    peer.expect("[UPLOAD] RFC 1 was not sent whole to 127.0.0.1:");
    other_downloads_go_on(&peer);
}

#[test]
fn a_signal_during_a_download_ends_the_peer_and_leaves_nothing() {
    let server = server(&[]);
    let (_holder, began) = hanging_holder(server.port);
    let folder = folder(&[("rfc1.txt", b"one")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    for line in ["4", "7", ""] {
        peer.type_line(line);
    }
    began.recv_timeout(PATIENCE).unwrap();
    peer.signal(Signal::INT);
    let (status, printed) = peer.wait();
    assert!(status.success(), "{printed}");
    assert!(printed.ends_with("[PEER] Disconnecting...\n"), "{printed}");
    assert_eq!(names(folder.path()), ["rfc1.txt"]);
}

#[test]
fn a_read_only_folder_fails_one_request_and_no_more() {
    let server = server(&[]);
    let theirs = folder(&[("rfc7.txt", b"seven")]);
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    // A folder in the place of the file can't be written, also by a user who may write anywhere.
    let ours = folder(&[]);
    fs::create_dir(ours.path().join("rfc7.txt")).unwrap();
    let mut peer = peer_at_menu("peer", server.port, ours.path(), &[]);
    let printed = peer.answer(&["4", "7", ""]);
    assert!(
        printed.contains("rfc7.txt: it is there and is not a file.\n"),
        "{printed}"
    );
    fs::remove_dir(ours.path().join("rfc7.txt")).unwrap();
    assert!(
        peer.answer(&["4", "7", ""])
            .contains("rfc7.txt (5 bytes)\n")
    );
}

#[test]
fn a_server_with_standard_output_on_a_full_disk_goes_on() {
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else {
        return;
    };
    let mut server = crate::support::server_command(&["--port", "0"]);
    let mut child = server
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut errors = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut errors, &mut line).unwrap();
    std::io::BufRead::read_line(&mut errors, &mut line).unwrap();
    assert!(line.contains("Peers reach this server at "), "{line}");
    assert!(line.contains("cannot print any more"), "{line}");
    assert!(child.try_wait().unwrap().is_none(), "the server still runs");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_file_that_went_is_not_registered_again() {
    let mut before = server(&[]);
    let folder = folder(&[("rfc1.txt", b"one"), ("rfc2.txt", b"two")]);
    let mut peer = peer_at_menu("peer", before.port, folder.path(), &[]);
    // The watch has to have seen a file before it can miss it.
    fs::write(folder.path().join("rfc3.txt"), "three").unwrap();
    peer.expect("[PEER] Registering RFC 3: RFC 3\n");
    fs::remove_file(folder.path().join("rfc2.txt")).unwrap();
    peer.expect("[PEER] RFC 2 is gone from ");
    before.kill();
    let after = server_at(before.port);
    peer.expect(" again, registered 2 of 2 RFC(s)\n");
    assert_eq!(listed(&after), [3, 1]);
}

#[test]
fn a_title_that_comes_late_is_registered_too() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    let path = folder.path().join("rfc9.txt");
    let header = "Network Working Group\nRequest for Comments: 9      May 1999\n\n\n";
    fs::write(&path, header).unwrap();
    peer.expect("[PEER] Registering RFC 9: RFC 9\n");
    let title =
        format!("{header}                    A Title That Comes Late\n\n\nAbstract\n\n   Text.\n");
    fs::write(&path, title).unwrap();
    peer.expect("[PEER] Registering RFC 9: A Title That Comes Late\n");
    assert_eq!(listed(&server), [9]);
}

#[test]
fn a_download_without_an_index_to_register_it_is_kept_and_said() {
    let mut server = server(&[]);
    let (send, began) = std::sync::mpsc::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let _holder = holder_that(server.port, move |mut client| {
        client.head();
        send.send(()).unwrap();
        let _ = wait.recv();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
    });
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    for line in ["4", "7", ""] {
        peer.type_line(line);
    }
    began.recv_timeout(PATIENCE).unwrap();
    server.kill();
    peer.expect("[PEER] Lost connection to the index server ");
    drop(go_on);
    peer.expect("rfc7.txt (5 bytes)\n");
    peer.expect("[PEER] RFC 7 is downloaded, and not registered: the index server ");
    assert_eq!(fs::read(folder.path().join("rfc7.txt")).unwrap(), b"whole");
}

#[test]
fn a_name_that_was_taken_for_a_while_is_registered_later() {
    // The real pauses are too long for a test; that it is tried at once after a return is not.
    let (send, requests) = std::sync::mpsc::channel();
    let refusals = std::sync::atomic::AtomicUsize::new(0);
    let index = pretend(move |mut client| {
        let first = refusals.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        send.send(client.head()).unwrap();
        if first {
            client.send("P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n");
        } else {
            client.send("P2P-CI/1.0 200 OK\r\n\r\nRFC 1 RFC 1 localhost 1\r\n\r\n");
            client.rest();
        }
    });
    let folder = folder(&[("rfc1.txt", b"one")]);
    let mut peer = peer_at_menu("peer", index, folder.path(), &[]);
    assert!(peer.printed().contains("[PEER] RFC 1 is not registered: "));
    peer.expect(" again, registered 1 of 1 RFC(s)\n");
    assert!(
        requests
            .iter()
            .take(2)
            .all(|head| head.starts_with("ADD RFC 1 P2P-CI/1.0\r\n"))
    );
}

#[test]
fn a_list_that_is_cut_off_is_not_shown_as_whole() {
    let folder = folder(&[]);
    let index = pretend(|mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 T vm 53870\r\nRFC 5 T vm 538");
    });
    let mut peer = peer_at_menu("peer", index, folder.path(), &[]);
    let printed = peer.answer(&["4", "5", ""]);
    assert!(
        printed.contains("it closed the connection in the middle of a response"),
        "{printed}"
    );
    assert!(!printed.contains("[DOWNLOAD]"), "{printed}");
}

#[test]
fn a_signal_during_a_connect_is_no_failure() {
    // A listener whose backlog is full answers nobody.
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let fill = || {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address.into());
        socket
    };
    let _fill: Vec<_> = (0..4).map(|_| fill()).collect();
    let folder = folder(&[]);
    let mut peer = peer("peer", address.port(), folder.path(), &[]);
    peer.expect("[PEER] Connecting to server ");
    peer.signal(Signal::TERM);
    let (status, _) = peer.wait();
    assert!(status.success(), "{status}");
}
