//! Peers and their commands, with a standard error that nobody reads.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;

use super::{Errors, VERBOSITIES, ends, for_all_errors, start};
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    Client, LIST, Program, Pty, at_once, dead_port, exchange, folder, holder, holder_that, names,
    peer_of, samples, server, server_at, sharing,
};

for_all_errors! {
    a_peer_of_an_index_server_answers_strangers_and_others
    a_peer_of_a_registration_server_answers_strangers_and_others
    a_download_too_many_ends_nothing
    a_peer_at_its_menu_goes_on_after_failures
    a_server_that_comes_back_gets_everything_again
    commands_end_as_they_do_elsewhere
}

const BAD: &str = "P2P-CI/1.0 400 Bad Request\r\n\r\n";
const NEWER: &str = "P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n";

fn peer(errors: Errors, server: u16, folder: &Path, arguments: &[&str]) -> Program {
    sharing(start("peer", peer_of(server, folder, arguments), errors))
}

fn get(number: u32) -> String {
    format!("GET RFC {number} P2P-CI/1.0\r\nHost: localhost\r\n\r\n")
}

fn a_peer_of_an_index_server_answers_strangers_and_others(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let mut server = server(&["-q"]);
        let joined = "[PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC 5 ";
        answers(errors, &mut server, verbosity, joined, |peer, server| {
            exchange(server, LIST).contains(&format!("\r\nRFC 5 RFC 5 localhost {peer}\r\n"))
        });
    });
}

fn a_peer_of_a_registration_server_answers_strangers_and_others(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let mut server = server(&[&DISTRIBUTED[..], &["-q"]].concat());
        let ask = |server, request| {
            let fields = "P2P-DI/1.0\r\nHost: vm\r\nPort: 9\r\nCookie: 1\r\n\r\n";
            exchange(server, format!("{request} {fields}"))
        };
        ask(server.port, "REGISTER Peer");
        let options = [&DISTRIBUTED, verbosity].concat();
        let joined = "[PEER] Registered with cookie 2 for ";
        answers(errors, &mut server, &options, joined, |peer, server| {
            ask(server, "PQUERY Peer-List").contains(&format!("\r\nPeer localhost {peer} "))
        });
    });
}

/// Sends valid and invalid requests to a peer, and checks that its server lists it.
fn answers(
    errors: Errors,
    server: &mut Program,
    options: &[&str],
    joined: &str,
    is_listed: impl Fn(u16, u16) -> bool,
) {
    // Two files for one number cause a warning.
    let folder = folder(&[("rfc5.txt", b"five"), ("RFC0005.txt", b"five")]);
    let options = [&["share", "--print-messages"], options].concat();
    let mut peer = peer(errors, server.port, folder.path(), &options);
    peer.expect(joined);
    for _ in 0..3 {
        for (wrong, answer) in [
            ("BLAH RFC 5 P2P-CI/1.0\r\nHost: vm\r\n\r\n", BAD),
            ("GET RFC 5 P2P-CI/2.0\r\nHost: vm\r\n\r\n", NEWER),
            ("GET RFC 5 P2P-CI/1.0\r\nHo", BAD),
            (&"x".repeat(9000), BAD),
        ] {
            assert_eq!(exchange(peer.port, wrong), answer);
        }
        let framed = exchange(peer.port, "5x        ");
        assert!(framed.contains(" 400 B"), "{framed}");
        let document = exchange(peer.port, get(5));
        assert!(document.ends_with("\r\n\r\nfive"), "{document}");
        assert!(is_listed(peer.port, server.port));
    }
    ends(peer);
    server.expect(" left");
}

fn a_download_too_many_ends_nothing(errors: Errors) {
    let server = server(&["-q"]);
    let folder = folder(&[("rfc1.txt", &b"x".repeat(20_000_000))]);
    at_once(VERBOSITIES, |verbosity| {
        let options = [
            &["share", "--print-messages", "--max-uploads", "1"],
            verbosity,
        ]
        .concat();
        let peer = peer(errors, server.port, folder.path(), &options);
        let mut slow = Client::connect(peer.port);
        slow.send(get(1));
        assert!(slow.head().starts_with("P2P-CI/1.0 200 OK\r\n"));
        for _ in 0..3 {
            let told = exchange(peer.port, get(1));
            assert_eq!(told, "P2P-CI/1.0 503 Service Unavailable\r\n\r\n");
        }
        assert_eq!(slow.rest().len(), 20_000_000);
        ends(peer);
    });
}

fn a_peer_at_its_menu_goes_on_after_failures(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let server = server(&["-q"]);
        let (_good, _bad) = (
            holder(
                server.port,
                "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole",
            ),
            holder(
                server.port,
                "P2P-CI/1.0 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            ),
        );
        let folder = folder(&[]);
        let mut peer = peer(errors, server.port, folder.path(), verbosity);
        peer.expect("Choice: ");
        let printed = peer.answer(&["get 7"]);
        assert!(printed.contains(": it sent 5 of 9 bytes\n"), "{printed}");
        assert!(printed.contains("rfc7.txt (5 bytes)\n"), "{printed}");
        peer.answer(&["get 8"]);
        peer.answer(&["1", "9", "Nine"]);
        fs::remove_file(folder.path().join("rfc7.txt")).unwrap();
        assert!(peer.answer(&["3"]).contains("RFC 9 Nine localhost "));
        peer.type_line("5");
        assert_eq!(peer.wait().0.code(), Some(0));
    });
}

fn a_server_that_comes_back_gets_everything_again(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let mut before = server(&["-q"]);
        let folder = samples();
        let share = [&["share", "--print-messages"], verbosity].concat();
        let mut peer = peer(errors, before.port, folder.path(), &share);
        peer.expect("[PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC 3457 ");
        before.kill();
        let _after = server_at(before.port);
        peer.expect(" again, registered 2 of 2 RFC(s)\n");
        ends(peer);
    });
}

fn commands_end_as_they_do_elsewhere(errors: Errors) {
    let server = server(&["-q"]);
    let _bad = holder(
        server.port,
        "P2P-CI/1.0 200 OK\r\nContent-Length: 9\r\n\r\nshort",
    );
    let folder = folder(&[]);
    at_once(VERBOSITIES, |verbosity| {
        let expected = [
            (server.port, &["lookup", "9"][..], 3, ""),
            (server.port, &["get", "7"], 7, ""),
            (server.port, &["get", "-j", "1", "7", "9"], 7, ""),
            (server.port, &["get", "7", "-o", "-"], 7, ""),
            (server.port, &["lookup", "7"], 0, "RFC 7 Seven 127.0.0.1 "),
            (
                server.port,
                &["add", "8", "--title", "Eight"],
                0,
                "RFC 8 Eight localhost ",
            ),
            (dead_port(), &["list"], 4, ""),
        ];
        // All at once, because each may wait a while for a reader of its errors.
        let peers = expected.map(|(port, asked, ..)| {
            let command = peer_of(port, folder.path(), &[asked, verbosity].concat());
            start("peer", command, errors)
        });
        for (mut peer, (_, asked, code, out)) in peers.into_iter().zip(expected) {
            let (status, printed) = peer.wait();
            assert_eq!(status.code(), Some(code), "{asked:?}");
            assert!(printed.starts_with(out), "{asked:?}: {printed}");
        }
    });
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_bar_that_nobody_sees_holds_up_no_download() {
    let (go_on, wait) = mpsc::channel();
    let index = server(&["-q"]);
    let _holder = holder_that(index.port, move |mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 2048\r\n\r\n");
        client.send([b'a'; 1024]);
        let _ = wait.recv();
        client.send([b'b'; 1024]);
    });
    let (folder, mut terminal) = (folder(&[]), Pty::open());
    let get = peer_of(index.port, folder.path(), &["get", "7"]);
    let mut peer = Program::start_at(
        "peer",
        get,
        [Stdio::piped(), Stdio::piped(), terminal.stdio()],
    );
    terminal.read_until("1.00 KiB/2.00 KiB");
    terminal.stop();
    go_on.send(()).unwrap();
    let (status, printed) = peer.wait();
    assert_eq!(status.code(), Some(0), "{printed}");
    let file = fs::read(folder.path().join("rfc7.txt")).unwrap();
    assert_eq!(file.len(), 2048);
}
