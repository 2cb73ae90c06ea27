//! Without the introducer, without others, and what can't work.

use std::net::{TcpListener, UdpSocket};

use super::{
    announced, ask, command, command_with_state, introducer, introducer_at, peer_at_menu, started,
};
use crate::support::{
    Leftovers, Program, dead_port, folder, peer_command, run, samples, server, sharing,
};

const ALONE: &str = "[DHT] No other node answers; waiting for others\n";

/// A port that is free for TCP and for UDP.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[test]
fn a_lone_peer_goes_on_and_announces_when_a_second_one_appears() {
    let (theirs, ours) = (samples(), folder(&[]));
    let port = free_port().to_string();
    let arguments = ["--upload-port", &port];
    let first = command(dead_port(), theirs.path(), &arguments);
    let mut first = sharing(Program::start("peer", first));
    let printed = first.expect("Choice: ");
    assert!(printed.contains(ALONE), "{printed}");
    let printed = first.answer(&["2", "2345", ""]);
    let own = format!(" 127.0.0.1 {port} Domain Names");
    assert!(printed.contains(&own), "{printed}");
    let printed = first.answer(&["2", "7", ""]);
    assert!(
        printed.contains("[PEER] RFC 7 was not looked up: no node of the DHT answers"),
        "{printed}"
    );
    let printed = first.answer(&["status"]);
    assert!(printed.contains(", alone since "), "{printed}");
    let mut second = peer_at_menu(first.port, ours.path());
    first.expect("[DHT] Joined: 1 other node(s)\n");
    let _first = announced(first, 2);
    let printed = second.answer(&["2", "2345", ""]);
    assert!(
        printed.contains("[DHT] Looking for RFC 2345: 1 holder(s), 1 answers\n"),
        "{printed}"
    );
}

#[test]
fn a_command_without_anybody_fails_with_4() {
    let nowhere = dead_port();
    let expected = format!(
        "error: no node of the DHT answers, neither the introducer 127.0.0.1:{nowhere} nor one \
         known from before; `server --index dht` starts an introducer\n"
    );
    for arguments in [&["lookup", "7"][..], &["list"], &["get", "7"]] {
        let ended = ask(nowhere, folder(&[]).path(), arguments);
        assert_eq!(ended, (Some(4), String::new(), expected.clone()));
    }
}

#[test]
fn a_server_of_another_kind_is_named() {
    for kind in ["central", "distributed"] {
        let state = folder(&[]);
        let state = state.path().join("state");
        let options = ["-q", "--index", kind, "--state", state.to_str().unwrap()];
        let server = server(&options);
        for arguments in [&["list"][..], &["share"]] {
            let (code, out, errors) = ask(server.port, folder(&[]).path(), arguments);
            let hint = format!(": use --index {kind}\n");
            assert!(errors.ends_with(&hint), "{out}{errors}");
            assert_eq!(code, Some(6));
        }
    }
}

#[test]
fn peers_come_back_without_the_introducer() {
    let mut server = introducer(&["-q"]);
    let (theirs, ours, state) = (samples(), folder(&[]), folder(&[]));
    let _holder = announced(started(server.port, theirs.path()), 2);
    let port = server.port;
    let again = || command_with_state(port, ours.path(), state.path(), &["lookup", "2345"]);
    let (status, first, _) = run("peer", again());
    assert!(status.success());
    server.kill();
    let (status, second, errors) = run("peer", again());
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    assert_eq!((first.lines().count(), second.lines().count()), (1, 1));
    let mut peer = sharing(Program::start(
        "peer",
        command_with_state(port, ours.path(), state.path(), &[]),
    ));
    peer.expect("Choice: ");
    assert!(!peer.answer(&["2", "3457", ""]).contains("Nobody"));
}

#[test]
fn an_introducer_that_was_killed_is_not_needed_and_leads_to_all_when_it_is_back() {
    let state = folder(&[]);
    let state = state.path().join("dht.json");
    let mut server = introducer_at(0, &state);
    let (theirs, ours) = (samples(), folder(&[]));
    let _holder = announced(started(server.port, theirs.path()), 2);
    let mut peer = peer_at_menu(server.port, ours.path());
    // What it has saved by then leads to the others.
    server.expect("[DHT] Joined: ");
    server.kill();
    let printed = peer.answer(&["2", "2345", ""]);
    assert!(
        printed.contains("2345: 1 holder(s), 1 answers\n"),
        "{printed}"
    );
    let _again = introducer_at(server.port, &state);
    let (code, out, _) = ask(server.port, folder(&[]).path(), &["lookup", "3457"]);
    assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
}

#[test]
fn what_is_not_ipv4_is_said() {
    let folder = folder(&[]);
    let dir = folder.path().to_str().unwrap();
    let server = introducer(&["-q"]);
    let host = format!("127.0.0.1:{}", server.port);
    let error = |options: &[&str]| {
        let all = [&["--index", "dht", "--dir", dir], options, &["list"]].concat();
        let (status, _, errors) = run("peer", peer_command(&all));
        (status.code(), errors)
    };
    for (options, code, expected) in [
        (
            &["--host", "[::1]:7494"][..],
            4,
            "error: ::1 has no IPv4 address; the DHT uses IPv4 only\n",
        ),
        (
            &["--host", &host, "--bind", "::1"],
            4,
            "error: ::1 is no IPv4 address; the DHT uses IPv4 only\n",
        ),
        (
            &["--host", &host, "--hostname", "::1"],
            1,
            "error: ::1 (--hostname) has no IPv4 address; the DHT uses IPv4 only\n",
        ),
    ] {
        assert_eq!(error(options), (Some(code), expected.to_owned()));
    }
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, errors) = error(&["--host", &host, "--upload-port", &port]);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("the port is in use by another program"),
        "{errors}"
    );
}

#[test]
fn a_lone_peer_in_the_background_says_so() {
    let (theirs, state) = (samples(), folder(&[]));
    let _leftovers = Leftovers(state.path().to_owned());
    let nowhere = dead_port();
    let ask = |arguments: &[&str]| {
        let command = command_with_state(nowhere, theirs.path(), state.path(), arguments);
        let (status, _, errors) = run("peer", command);
        (status.code(), errors)
    };
    let (code, errors) = ask(&["share", "--daemon"]);
    assert_eq!(code, Some(0), "{errors}");
    let said = "No other node answers; waiting for others\n";
    assert!(errors.ends_with(said), "{errors}");
    assert_eq!(ask(&["stop"]).0, Some(0));
}

#[test]
fn a_peer_that_only_this_machine_can_reach_says_so() {
    let server = introducer(&["-q"]);
    let host = format!("localhost:{}", server.port);
    let theirs = samples();
    let dir = theirs.path().to_str().unwrap();
    let share = ["--index", "dht", "--host", &host, "--dir", dir, "share"];
    let peer = sharing(Program::start("peer", peer_command(&share)));
    peer.expect_error(
        "warning: only programs on this machine can reach this peer at 127.0.0.1; to share on the \
         network, name the introducer by its address or host name (--host)\n",
    );
}
