//! The registration server to the byte, and the state it keeps between runs.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::{NOBODY, answer, ask, empty, registered, registration_server, request};
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    Client, Program, STATE, exchange, folder, names, run, server, server_command, started_server,
};

const REGISTER: &str = "REGISTER Peer";
const LEAVE: &str = "LEAVE Peer";
const PQUERY: &str = "PQUERY Peer-List";
const KEEPALIVE: &str = "KEEPALIVE Peer";

/// The answer to KEEPALIVE.
const KEPT: &str = "P2P-DI/1.0 200 OK\r\nTTL: 7200\r\nContent-Length: 0\r\n\r\n";

#[track_caller]
fn says(rs: &Program, words: &str, port: u16, cookie: Option<u32>, expected: &str) {
    assert_eq!(ask(rs.port, request(words, port, cookie)), expected);
}

#[test]
fn peers_register_ask_who_is_active_and_leave() {
    let mut rs = registration_server(&[]);
    says(&rs, REGISTER, 50002, None, &registered(1, 1));
    says(&rs, PQUERY, 50002, Some(1), NOBODY);
    says(&rs, REGISTER, 50001, None, &registered(2, 1));
    says(&rs, REGISTER, 50003, None, &registered(3, 1));
    // The others, ordered by cookie; cookies are not disclosed.
    let others = "P2P-DI/1.0 200 OK\r\nPeers: 2\r\nContent-Length: 40\r\n\r\n\
                  Peer vm 50002 7200\r\nPeer vm 50003 7200\r\n";
    says(&rs, PQUERY, 50001, Some(2), others);
    says(&rs, KEEPALIVE, 50001, Some(2), KEPT);
    says(&rs, LEAVE, 50002, Some(1), &empty("200 OK"));
    says(&rs, LEAVE, 50003, Some(3), &empty("200 OK"));
    says(&rs, PQUERY, 50001, Some(2), NOBODY);
    rs.expect("[SERVER] vm:50002 (cookie 1) left\n");
    rs.expect("[SERVER] vm:50003 (cookie 3) left\n");
}

#[test]
fn a_known_cookie_is_the_same_peer_and_registrations_are_counted() {
    let rs = registration_server(&[]);
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
    says(&rs, REGISTER, 50002, None, &registered(2, 1));
    // With its cookie, even at another port.
    says(&rs, REGISTER, 50001, Some(1), &registered(1, 2));
    says(&rs, REGISTER, 50009, Some(1), &registered(1, 3));
    let moved = "P2P-DI/1.0 200 OK\r\nPeers: 1\r\nContent-Length: 20\r\n\r\nPeer vm 50009 7200\r\n";
    says(&rs, PQUERY, 50002, Some(2), moved);
    // Without a cookie, or with an unknown one: by host and port, in any letter case.
    says(&rs, REGISTER, 50009, None, &registered(1, 4));
    says(&rs, REGISTER, 50009, Some(77), &registered(1, 5));
    let shouted = request(REGISTER, 50009, None).replace("Host: vm", "Host: VM");
    assert_eq!(ask(rs.port, shouted), registered(1, 6));
    // Otherwise a new one.
    says(&rs, REGISTER, 50001, Some(77), &registered(3, 1));
    // It comes back with its cookie after leaving.
    says(&rs, LEAVE, 50009, Some(1), &empty("200 OK"));
    says(&rs, REGISTER, 50009, Some(1), &registered(1, 7));
}

#[test]
fn only_registering_activates() {
    let rs = registration_server(&[]);
    for words in [LEAVE, PQUERY, KEEPALIVE] {
        says(&rs, words, 50001, Some(1), &empty("403 Unknown Cookie"));
    }
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
    for _ in 0..2 {
        says(&rs, LEAVE, 50001, Some(1), &empty("200 OK"));
    }
    for words in [PQUERY, KEEPALIVE] {
        says(&rs, words, 50001, Some(1), &empty("403 Not Registered"));
    }
    says(&rs, REGISTER, 50001, Some(1), &registered(1, 2));
    says(&rs, PQUERY, 50001, Some(1), NOBODY);
}

#[test]
fn what_is_not_a_request_is_answered_400() {
    let rs = registration_server(&[]);
    let fields = "Host: vm\r\nPort: 5\r\nCookie: 1\r\nOS: x\r\n\r\n";
    for line in [
        "REGISTER P2P-DI/1.0",
        "register Peer P2P-DI/1.0",
        "REGISTER peer P2P-DI/1.0",
        "REGISTER Peer x P2P-DI/1.0",
        "REGISTER  Peer P2P-DI/1.0",
        "PQUERY Peer P2P-DI/1.0",
        "BLAH Peer P2P-DI/1.0",
        "GET RFC-Index P2P-DI/1.0",
        "GET RFC 1 P2P-DI/1.0",
        "REGISTER Peer P2P-CI/1.0",
        "REGISTER Peer P2P-DI/1",
        "REGISTER Peer",
        "GET / HTTP/1.1",
        "\u{1}",
    ] {
        let said = ask(rs.port, format!("{line}\r\n{fields}"));
        assert_eq!(said, empty("400 Bad Request"), "{line}");
    }
    for (words, fields) in [
        (REGISTER, ""),
        (REGISTER, "Host: vm\r\n"),
        (REGISTER, "Port: 5\r\n"),
        (REGISTER, "Host: a b\r\nPort: 5\r\n"),
        (REGISTER, "Host: vm\r\nPort: 0\r\n"),
        (REGISTER, "Host: vm\r\nPort: 65536\r\n"),
        (REGISTER, "Host: vm\r\nPort: x\r\n"),
        (REGISTER, "Host: vm\r\nPort: 5\r\nPort: 5\r\n"),
        (REGISTER, "Host: vm\r\nPort: 5\r\nCookie: 0\r\n"),
        (REGISTER, "Host: vm\r\nPort: 5\r\nCookie: -1\r\n"),
        (REGISTER, "Host: vm\r\nPort: 5\r\nCookie: 4294967296\r\n"),
        (REGISTER, "Host: vm\r\nPort: 5\r\nCookie:\r\n"),
        (REGISTER, "Host: vm\r\nPort: 5\r\nno field\r\n"),
        (LEAVE, "Host: vm\r\nPort: 5\r\n"),
        (PQUERY, "Host: vm\r\nPort: 5\r\n"),
        (KEEPALIVE, "Host: vm\r\nPort: 5\r\n"),
        (KEEPALIVE, "Host: vm\r\nCookie: 1\r\n"),
        (KEEPALIVE, "Port: 5\r\nCookie: 1\r\n"),
    ] {
        let said = ask(rs.port, format!("{words} P2P-DI/1.0\r\n{fields}\r\n"));
        assert_eq!(said, empty("400 Bad Request"), "{words} {fields:?}");
    }
    // Too long, and cut off.
    let long = format!(
        "REGISTER Peer P2P-DI/1.0\r\nHost: {}\r\n\r\n",
        "x".repeat(9000)
    );
    assert_eq!(ask(rs.port, long), empty("400 Bad Request"));
    let mut half = Client::connect(rs.port);
    half.send("REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\n");
    half.half_close();
    assert_eq!(answer(&mut half), empty("400 Bad Request"));
    // None of these registered anybody.
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
}

#[test]
fn what_is_read_liberally_in_the_one_protocol_is_in_the_other() {
    let rs = registration_server(&[]);
    let said = ask(
        rs.port,
        "\r\n\nREGISTER Peer P2P-DI/1.0  \nPORT:50001 \nx: y\nhost:   vm\n\n",
    );
    assert_eq!(said, registered(1, 1));
    says(&rs, KEEPALIVE, 50001, Some(1), KEPT);
}

#[test]
fn another_version_is_answered_505() {
    let rs = registration_server(&[]);
    for line in [
        "REGISTER Peer P2P-DI/2.0",
        "BLAH P2P-DI/1.1",
        "LEAVE Peer P2P-DI/0.9",
    ] {
        let said = ask(rs.port, format!("{line}\r\nHost: vm\r\n\r\n"));
        assert_eq!(said, empty("505 P2P-DI Version Not Supported"), "{line}");
    }
}

#[test]
fn a_server_of_one_kind_refuses_the_peers_of_the_other_in_its_own_protocol() {
    let rs = registration_server(&[]);
    let list = "LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n";
    assert_eq!(ask(rs.port, list), empty("400 Bad Request"));
    let central = server(&[]);
    assert_eq!(
        exchange(central.port, request(REGISTER, 5, None)),
        "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n"
    );
}

#[test]
fn there_is_one_response_for_each_connection() {
    let rs = registration_server(&[]);
    let two = [REGISTER, LEAVE].map(|words| request(words, 50001, Some(1)));
    assert_eq!(ask(rs.port, two.concat()), registered(1, 1));
    // The second one was not read.
    says(&rs, KEEPALIVE, 50001, Some(1), KEPT);
}

#[test]
fn a_request_that_is_not_complete_in_time_is_answered_408() {
    let rs = registration_server(&["--request-time", "1"]);
    let mut clients = ["", "\r\n", "REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\n"].map(|begin| {
        let mut client = Client::connect(rs.port);
        client.send(begin);
        client
    });
    for client in &mut clients {
        assert_eq!(answer(client), empty("408 Request Timeout"));
    }
}

#[test]
fn more_connections_than_there_may_be_are_answered_503() {
    let mut rs = registration_server(&["--max-peers", "1"]);
    // An answered connection keeps its place for a moment, so that the client can read the answer.
    let mut inside = Client::connect(rs.port);
    inside.send(request(REGISTER, 50001, None));
    inside.head();
    let mut outside = Client::connect(rs.port);
    assert_eq!(answer(&mut outside), empty("503 Busy"));
    rs.expect("[SERVER] Turned away a connection from 127.0.0.1: connection limit reached\n");
}

#[test]
fn silent_connections_make_room() {
    let rs = registration_server(&["--max-peers", "1"]);
    let mut silent = Client::connect(rs.port);
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
    assert_eq!(silent.rest(), b"");
}

#[test]
fn a_peer_that_is_silent_for_its_ttl_is_no_longer_active() {
    let mut rs = registration_server(&["--ttl", "1"]);
    let registered =
        |cookie, registrations| registered(cookie, registrations).replace("TTL: 7200", "TTL: 1");
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
    rs.expect("[SERVER] vm:50001 (cookie 1) is no longer active\n");
    says(&rs, KEEPALIVE, 50001, Some(1), &empty("403 Not Registered"));
    says(&rs, REGISTER, 50002, None, &registered(2, 1));
    says(&rs, PQUERY, 50002, Some(2), NOBODY);
    says(&rs, REGISTER, 50001, Some(1), &registered(1, 2));
    // A peer that left is not also reported as expired.
    says(&rs, LEAVE, 50002, Some(2), &empty("200 OK"));
    rs.expect("[SERVER] vm:50001 (cookie 1) is no longer active\n");
    let printed = rs.printed();
    assert!(!printed.contains("vm:50002 (cookie 2) is not"), "{printed}");
}

#[test]
fn peers_that_register_at_once_get_cookies_of_their_own() {
    let rs = registration_server(&["-q"]);
    let port = rs.port;
    let threads: Vec<_> = (0..4_u16)
        .map(|thread| {
            let register = move |n| ask(port, request(REGISTER, 1000 * (thread + 1) + n, None));
            std::thread::spawn(move || (0..10).map(register).collect::<Vec<_>>())
        })
        .collect();
    let mut said: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    said.sort();
    let mut expected: Vec<_> = (1..=40).map(|cookie| registered(cookie, 1)).collect();
    expected.sort();
    assert_eq!(said, expected);
}

/// A registration server that keeps its table in `file`.
fn keeping(file: &Path) -> Program {
    registration_server(&["--state", file.to_str().unwrap()])
}

#[test]
fn a_restart_forgets_nobody_whether_it_was_stopped_or_killed() {
    for signal in [Signal::TERM, Signal::KILL] {
        let state = folder(&[]);
        let file = state.path().join("deep/er/peers");
        let mut before = keeping(&file);
        says(&before, REGISTER, 50001, None, &registered(1, 1));
        says(&before, REGISTER, 50002, None, &registered(2, 1));
        says(&before, REGISTER, 50001, Some(1), &registered(1, 2));
        says(&before, REGISTER, 50003, None, &registered(3, 1));
        says(&before, LEAVE, 50002, Some(2), &empty("200 OK"));
        before.signal(signal);
        assert_eq!(before.wait().0.success(), signal == Signal::TERM);

        let after = keeping(&file);
        after.expect_error(&format!("Loaded 3 peer(s) from {}\n", file.display()));
        says(
            &after,
            KEEPALIVE,
            50002,
            Some(2),
            &empty("403 Not Registered"),
        );
        let others =
            "P2P-DI/1.0 200 OK\r\nPeers: 1\r\nContent-Length: 20\r\n\r\nPeer vm 50003 7200\r\n";
        says(&after, PQUERY, 50001, Some(1), others);
        says(&after, REGISTER, 50001, Some(1), &registered(1, 3));
        says(&after, REGISTER, 50002, None, &registered(2, 2));
        says(&after, REGISTER, 50004, None, &registered(4, 1));
        assert_eq!(names(file.parent().unwrap()), ["peers"]);
    }
}

#[test]
fn nobody_leaves_for_somebody_else() {
    let rs = registration_server(&[]);
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
    let unknown = empty("403 Unknown Cookie");
    for words in [LEAVE, KEEPALIVE, PQUERY] {
        says(&rs, words, 50002, Some(1), &unknown);
    }
    says(&rs, REGISTER, 50001, Some(1), &registered(1, 2));
}

#[test]
fn a_damaged_file_is_set_aside() {
    let state = folder(&[("peers.json", b"{\"next_cookie\":")]);
    let file = state.path().join("peers.json");
    let rs = keeping(&file);
    rs.expect_error("starting without any peers\n");
    let names = names(state.path());
    let set_aside = names.iter().find(|name| name.contains("damaged")).unwrap();
    let set_aside = state.path().join(set_aside);
    let errors = rs.errors();
    for named in [&file, &set_aside] {
        assert!(errors.contains(named.to_str().unwrap()), "{errors}");
    }
    assert_eq!(fs::read(set_aside).unwrap(), b"{\"next_cookie\":");
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
}

#[test]
fn a_file_that_cannot_be_written_is_a_clear_error() {
    let state = folder(&[("file", b""), ("text", b"")]);
    let below = state.path().join("file/peers");
    for path in [below.as_path(), state.path()] {
        let path = path.to_str().unwrap();
        let arguments = [&DISTRIBUTED[..], &["--port", "0", "--state", path]].concat();
        let (status, out, errors) = run("server", server_command(&arguments));
        assert_eq!((status.code(), out.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.starts_with("error: cannot "), "{errors}");
        assert!(errors.contains(path), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn each_port_has_a_file_of_its_own() {
    let state = folder(&[]);
    let arguments = [&DISTRIBUTED[..], &["--port", "0"]].concat();
    let servers = [(); 2].map(|()| {
        let mut command = server_command(&arguments);
        command.env(STATE, state.path());
        started_server(command)
    });
    for rs in &servers {
        says(rs, REGISTER, 50001, None, &registered(1, 1));
    }
    let mut expected = servers
        .each_ref()
        .map(|rs| format!("registrations-{}.redb", rs.port));
    expected.sort();
    assert_eq!(names(&state.path().join("p2pci")), expected);
}

#[test]
fn a_file_is_used_by_one_server_at_a_time() {
    let state = folder(&[]);
    let file = state.path().join("peers.json");
    let _first = keeping(&file);
    let path = file.to_str().unwrap();
    let arguments = [&DISTRIBUTED[..], &["--port", "0", "--state", path]].concat();
    let (status, _, errors) = run("server", server_command(&arguments));
    let expected =
        format!("error: {path} is in use by another server; --state names another file\n");
    assert_eq!((status.code(), errors), (Some(1), expected));
}

#[test]
fn the_end_of_the_server_is_said() {
    let mut rs = registration_server(&["-q"]);
    says(&rs, REGISTER, 50001, None, &registered(1, 1));
    rs.signal(Signal::INT);
    let (status, printed) = rs.wait();
    assert!(status.success());
    assert!(
        printed.ends_with(
            "[SERVER] Registered vm:50001 with cookie 1\n[SERVER] Stopping...\n[SERVER] Stopped.\n"
        ),
        "{printed}"
    );
}
