//! Foreign index servers with our peer.

use std::sync::mpsc::{Receiver, channel};

use parking_lot::Mutex;

use super::{asked, concurrent, only_framed};
use crate::framed::Framed;
use crate::support::{Client, PATIENCE, folder, peer_at_menu, pretend, server};

/// An index server that wants the title of a LOOKUP, and answers `refusal` without it. It reports
/// the first line and the last field of each request.
fn wanting_titles(refusal: &'static str) -> (u16, Receiver<String>) {
    let (send, receive) = channel();
    let port = pretend(move |mut client| {
        loop {
            let head = client.head();
            let mut lines = head.trim_end().lines();
            let Some(line) = lines.next() else { return };
            let last = lines.next_back().unwrap();
            send.send(format!("{line}; {last}")).unwrap();
            client.send(match last {
                _ if line.starts_with("LIST") => {
                    "P2P-CI/1.0 200 OK\nRFC 6 Six vm 1\nRFC 7 Seven vm 1\n"
                }
                "Title: Seven" => "P2P-CI/1.0 200 OK\nRFC 7 Seven vm 1\n",
                _ => refusal,
            });
        }
    });
    (port, receive)
}

#[test]
fn a_server_that_wants_a_title_gets_the_one_that_it_lists() {
    for refusal in [
        "P2P-CI/1.0 404 Not Found\n\n",
        "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n",
    ] {
        let (index, requests) = wanting_titles(refusal);
        let files = folder(&[]);
        let mut peer = peer_at_menu("peer", index, files.path(), &["-q"]);
        for _ in 0..2 {
            let printed = peer.answer(&["2", "7", ""]);
            assert!(printed.contains("RFC 7 Seven vm 1\n"), "{printed}");
        }
        let port = peer.port;
        let bare = "LOOKUP RFC 7 P2P-CI/1.0; Title:";
        let list = format!("LIST ALL P2P-CI/1.0; Port: {port}");
        let titled = "LOOKUP RFC 7 P2P-CI/1.0; Title: Seven";
        // The second time it is known that the server wants one.
        let expected = [bare, &*list, titled, &*list, titled];
        assert_eq!(
            requests.try_iter().collect::<Vec<_>>(),
            expected,
            "{refusal:?}"
        );
        // What is not listed is not asked for again.
        let printed = peer.answer(&["2", "8", ""]);
        assert!(
            printed.contains("[PEER] No peers have that RFC.\n"),
            "{printed}"
        );
        assert_eq!(requests.try_iter().collect::<Vec<_>>(), [list]);
    }
}

#[test]
fn a_404_to_the_byte_is_doubted_only_for_what_the_server_has_listed() {
    let (index, requests) = wanting_titles("P2P-CI/1.0 404 Not Found\r\n\r\n\r\n");
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index, files.path(), &["-q"]);
    let printed = peer.answer(&["2", "7", ""]);
    assert!(
        printed.contains("[PEER] No peers have that RFC.\n"),
        "{printed}"
    );
    peer.answer(&["3"]);
    let printed = peer.answer(&["2", "8", ""]);
    assert!(
        printed.contains("[PEER] No peers have that RFC.\n"),
        "{printed}"
    );
    let list = format!("LIST ALL P2P-CI/1.0; Port: {}", peer.port);
    let [seven, eight] = [7, 8].map(|number| format!("LOOKUP RFC {number} P2P-CI/1.0; Title:"));
    let expected = [&seven, &list, &eight];
    assert!(requests.try_iter().eq(expected.into_iter().cloned()));
    let printed = peer.answer(&["2", "7", ""]);
    assert!(printed.contains("RFC 7 Seven vm 1\n"), "{printed}");
    let titled = format!("{seven} Seven");
    assert!(requests.try_iter().eq([seven, titled]));
}

#[test]
fn a_framed_server_that_wants_a_title_gets_it_too() {
    let (index, requests) = silent_system();
    let files = folder(&[]);
    let options = ["-q", "--dialect", "framed"];
    let mut peer = peer_at_menu("peer", index, files.path(), &options);
    let printed = peer.answer(&["2", "7", ""]);
    assert!(printed.contains("RFC 7 Seven vm 1\n"), "{printed}");
    let methods: Vec<_> = requests.try_iter().collect();
    assert_eq!(methods, ["LOOKUP", "LISTALL", "LOOKUP"]);
}

#[test]
fn a_server_that_follows_the_agreement_is_asked_once() {
    let server = server(&["-q"]);
    let files = folder(&[]);
    let printed = asked(
        server.port,
        files.path(),
        &["--print-messages", "lookup", "7"],
    )
    .1;
    assert_eq!(printed.matches("[PEER] Sending:\n").count(), 1, "{printed}");
}

#[test]
fn a_server_that_takes_cr_for_a_part_of_the_version_gets_lf() {
    let index = pretend(|mut client| {
        loop {
            let head = client.head();
            match head.split_once('\n') {
                None => return,
                Some((line, _)) if line.ends_with("P2P-CI/1.0") => {
                    client.send("P2P-CI/1.0 200 OK\nRFC 7 Seven vm 1\n\n");
                }
                Some(_) => client.send("P2P-CI/1.0 505 P2P-CI Version Not Supported\n\n"),
            }
        }
    });
    let files = folder(&[("rfc7.txt", b"seven")]);
    let mut peer = peer_at_menu("peer", index, files.path(), &[]);
    let printed = peer.answer(&["3"]);
    assert!(printed.contains("RFC 7 Seven vm 1\n"), "{printed}");
    let printed = peer.printed();
    // The first request showed it.
    assert_eq!(printed.matches(" 505 ").count(), 1, "{printed}");
    assert!(!printed.contains("was not registered"), "{printed}");
}

/// A system that speaks only in frames and keeps everything else open. It reports the methods of
/// its requests.
fn silent_system() -> (u16, Receiver<String>) {
    let (send, receive) = channel();
    let port = concurrent(move |client| {
        let Some(mut framed) = only_framed(&client) else {
            return;
        };
        while let Some(request) = framed.next() {
            let method = request.split(' ').next().unwrap().to_owned();
            let has_title = request.ends_with("TITLE: Seven");
            framed.send(match method.as_str() {
                "LOOKUP" if !has_title => "P2P-CI/1.0 404 NOT FOUND",
                _ => "P2P-CI/1.0 200 OK\nRFC 7 Seven vm 1",
            });
            send.send(method).unwrap();
        }
    });
    (port, receive)
}

#[test]
fn a_silent_server_is_asked_in_frames_and_remembered() {
    let (index, methods) = silent_system();
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index, files.path(), &[]);
    let notice = format!(
        "\n[PEER] 127.0.0.1:{index} is silent; asking in frames as well\n[PEER] Sending:\n"
    );
    for is_first in [true, false] {
        let printed = peer.answer(&["3"]);
        assert!(printed.contains("RFC 7 Seven vm 1\n"), "{printed}");
        assert_eq!(printed.contains(&notice), is_first, "{printed}");
    }
    // The first one is the question whether it speaks frames.
    assert_eq!(methods.try_iter().collect::<Vec<_>>(), ["LISTALL"; 3]);
}

#[test]
fn a_slow_server_that_speaks_text_is_not_taken_for_a_framed_one() {
    let (send, frames) = channel();
    let (tell, was_asked) = channel();
    let was_asked = Mutex::new(was_asked);
    let index = concurrent(move |mut client| {
        let line = client.line();
        if !line.starts_with("LIST ALL ") {
            // A frame is no request; its answer comes at once.
            let _ = send.send(line);
            client.send("P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n");
            tell.send(()).unwrap();
            return;
        }
        client.head();
        // It works until the peer has asked in frames too.
        was_asked.lock().recv_timeout(PATIENCE).unwrap();
        client.send("P2P-CI/1.0 200 OK\r\n\r\nRFC 7 Seven vm 1\r\n\r\n");
        client.rest();
    });
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index, files.path(), &["-q"]);
    let printed = peer.answer(&["3"]);
    assert!(printed.contains("RFC 7 Seven vm 1\n"), "{printed}");
    assert_eq!(frames.try_iter().count(), 1, "it was asked in frames");
}

#[test]
fn a_server_of_both_dialects_that_is_slow_keeps_its_peer() {
    // The question in frames takes over no name.
    let server = server(&["-q"]);
    let mut client = Client::connect(server.port);
    client.add(7, "Seven", "vm", 9);
    let mut framed = Framed::connect(server.port);
    framed.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 0",
        "P2P-CI/1.0 400 BAD REQUEST",
    );
    client.add(8, "Eight", "vm", 9);
}
