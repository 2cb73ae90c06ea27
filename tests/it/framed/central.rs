//! The central index in frames, and the uploads of its peers.

use std::io::Write;

use super::{Framed, framed};
use crate::support::{Client, folder, names_in, peer_at_menu, server};

#[test]
fn every_message_of_the_central_index() {
    let server = server(&[]);
    let mut vm = Framed::connect(server.port);
    vm.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 404 NOT FOUND",
    );
    vm.says(
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Some title",
        "P2P-CI/1.0 200 OK\nRFC 5 Some title vm 1234",
    );
    vm.says(
        "ADD RFC 6 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Another: one",
        "P2P-CI/1.0 200 OK\nRFC 6 Another: one vm 1234",
    );
    for title in ["", "Some title"] {
        vm.says(
            &format!("LOOKUP RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: {title}"),
            "P2P-CI/1.0 200 OK\nRFC 5 Some title vm 1234",
        );
    }
    // In frames a given title must match too.
    vm.says(
        "LOOKUP RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Some",
        "P2P-CI/1.0 404 NOT FOUND",
    );
    vm.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 200 OK\nRFC 6 Another: one vm 1234\nRFC 5 Some title vm 1234",
    );
    vm.says(
        "ADD RFC 7 P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 400 BAD REQUEST",
    );
    vm.says(
        "ADD RFC 7 P2P-CI/2.0\nHOST: vm\nPORT: 1234\nTITLE: x",
        "P2P-CI/1.0 505 P2P-CI VERSION NOT SUPPORTED",
    );
    vm.says(
        "DEL P2P-CI/1.0\nHOST: other\nPORT: 1",
        "P2P-CI/1.0 400 BAD REQUEST",
    );
    vm.says(
        "DEL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 200 OK\nvm 1234\nRFC 6 Another: one vm 1234\nRFC 5 Some title vm 1234",
    );
    vm.says(
        "DEL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 404 NOT FOUND",
    );
    vm.says(
        "ADD RFC 8 P2P-CI/1.0\nHOST: vm\nPORT: 9\nTITLE: Back again",
        "P2P-CI/1.0 200 OK\nRFC 8 Back again vm 9",
    );
}

#[test]
fn what_one_adds_all_see() {
    let server = server(&[]);
    let mut vm = Framed::connect(server.port);
    vm.says(
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: In frames",
        "P2P-CI/1.0 200 OK\nRFC 5 In frames vm 1234",
    );
    let mut text = Client::connect(server.port);
    text.add(6, "In text", "tx", 1);
    text.send("LIST ALL P2P-CI/1.0\r\nHost: tx\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 In text tx 1\r\nRFC 5 In frames vm 1234\r\n\r\n");
    vm.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 200 OK\nRFC 6 In text tx 1\nRFC 5 In frames vm 1234",
    );
}

#[test]
fn text_understands_listall_del_and_close() {
    let server = server(&[]);
    let mut text = Client::connect(server.port);
    for number in [5, 6] {
        text.add(number, "T", "tx", 1);
    }
    text.send("LISTALL P2P-CI/1.0\r\nHost: tx\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 T tx 1\r\nRFC 5 T tx 1\r\n\r\n");
    text.send("DEL P2P-CI/1.0\r\nHost: tx\r\nPort: 1\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 T tx 1\r\nRFC 5 T tx 1\r\n\r\n");
    text.send("LIST ALL P2P-CI/1.0\r\nHost: tx\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    text.send("CLOSE P2P-CI/1.0\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    assert_eq!(text.rest(), b"");
}

#[test]
fn frames_come_in_any_pieces() {
    let server = server(&[]);
    let add = |number: u32| {
        framed(format!(
            "ADD RFC {number} P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: T"
        ))
    };
    let answer = |number: u32| format!("P2P-CI/1.0 200 OK\nRFC {number} T vm 1234");
    let mut vm = Framed::connect(server.port);
    for byte in add(1) {
        vm.0.write_all(&[byte]).unwrap();
    }
    assert_eq!(vm.receive(), answer(1));
    vm.0.write_all(&[add(2), add(3), add(4)].concat()).unwrap();
    for number in 2..5 {
        assert_eq!(vm.receive(), answer(number));
    }
    let two = [add(5), add(6)].concat();
    for cut in [1, 9, 10, 11, 40, two.len() - 1] {
        let (one, other) = two.split_at(cut);
        vm.0.write_all(one).unwrap();
        vm.0.flush().unwrap();
        vm.0.write_all(other).unwrap();
        assert_eq!([vm.receive(), vm.receive()], [answer(5), answer(6)]);
    }
}

#[test]
fn attackers_with_frames_are_answered_and_closed() {
    let server = server(&["--request-time", "1"]);
    for wrong in [
        "5x        ",
        "9999999999",
        "1048577   ",
        "10000     ",
        "1         ",
    ] {
        let mut attacker = Framed::connect(server.port);
        attacker.0.write_all(wrong.as_bytes()).unwrap();
        assert_eq!(
            attacker.receive(),
            "P2P-CI/1.0 400 BAD REQUEST",
            "{wrong:?}"
        );
        assert!(attacker.is_closed(), "{wrong:?}");
    }
    // Half a message in a frame is one invalid request, and so are two messages in one.
    let mut vm = Framed::connect(server.port);
    for wrong in [
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm",
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1\nTITLE: T\nADD RFC 6 P2P-CI/1.0\nHOST: vm\nPORT: 1\nTITLE: T",
        "",
        "\n\n",
        "register vm HTTP/1.1\r\nport: 5\r\n",
    ] {
        vm.says(wrong, "P2P-CI/1.0 400 BAD REQUEST");
    }
    vm.says("LISTALL P2P-CI/1.0\nHOST: vm", "P2P-CI/1.0 404 NOT FOUND");
}

#[test]
fn a_request_without_its_empty_line_is_answered_and_a_slow_client_loses_nothing() {
    let server = server(&[]);
    let mut lazy = Client::connect(server.port);
    lazy.send("ADD RFC 5 P2P-CI/1.0\nHost: vm\nPort: 1\nTitle: T\n");
    lazy.receive("P2P-CI/1.0 200 OK\nRFC 5 T vm 1\n");
    lazy.send("LIST ALL P2P-CI/1.0\nHost: vm\n");
    lazy.receive("P2P-CI/1.0 200 OK\nRFC 5 T vm 1\n");
    // The rest of that request comes after its answer.
    lazy.send("Port: 1\n\nLOOKUP RFC 5 P2P-CI/1.0\nHost: vm\n\n");
    lazy.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 T vm 1\r\n\r\n");
    let files = folder(&[("rfc5.txt", b"five")]);
    let holder = peer_at_menu("holder", server.port, files.path(), &[]);
    let mut lazy = Client::connect(holder.port);
    lazy.send("GET RFC 5 P2P-CI/1.0\nHost: localhost\n");
    assert!(lazy.head().starts_with("P2P-CI/1.0 200 OK\n"));
    assert_eq!(lazy.rest(), b"five");
}

#[test]
fn an_upload_in_frames_is_a_head_and_the_file_in_small_frames() {
    let server = server(&[]);
    let file: Vec<u8> = (0..=255).cycle().take(2500).collect();
    let files = folder(&[("rfc5.txt", &file), ("rfc6.txt", b"")]);
    let holder = peer_at_menu("holder", server.port, files.path(), &[]);
    let get = |number: u32| {
        let mut asker = Framed::connect(holder.port);
        asker.send(format!(
            "GET RFC {number} P2P-CI/1.0\nHOST: localhost\nPORT: 1\nOS: Test"
        ));
        let head = asker.receive();
        let mut frames = Vec::new();
        while let Some(frame) = asker.receive_bytes() {
            frames.push(frame);
        }
        (head, frames)
    };
    let (head, frames) = get(5);
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(
        names_in(&head),
        [
            "P2P-CI/1.0 200 OK",
            "DATE",
            "OS",
            "LAST-MODIFIED",
            "CONTENT-LENGTH",
            "CONTENT-TYPE"
        ]
    );
    assert_eq!(
        lines[4..],
        ["CONTENT-LENGTH: 2500", "CONTENT-TYPE: text/plain"]
    );
    let lengths: Vec<_> = frames.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1024, 1024, 452]);
    assert_eq!(frames.concat(), file);
    assert_eq!(get(6).1.concat(), b"");
    assert_eq!(get(7), ("P2P-CI/1.0 404 NOT FOUND".to_owned(), Vec::new()));
}
