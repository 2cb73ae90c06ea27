//! The two servers, with a standard error that nobody reads.

use std::time::Instant;

use super::{Errors, VERBOSITIES, ends, for_all_errors, start};
use crate::framed::Framed;
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    BAD, Client, EMPTY, LIST, PATIENCE, Program, at_once, exchange, folder, listening,
    server_command,
};

const NO_METHOD: &str = "BLAH RFC 1 P2P-CI/1.0\r\nHost: vm\r\n\r\n";

for_all_errors! {
    bad_requests_are_answered_and_so_are_the_next
    a_connection_too_many_ends_nothing
    bad_requests_are_answered_and_peers_register
    a_connection_too_many_does_not_end_the_registration_server
    what_could_not_be_saved_for_a_while_is_saved_later
}

fn serving(errors: Errors, arguments: &[&str]) -> Program {
    let command = server_command(&[&["--port", "0"], arguments].concat());
    listening(start("server", command, errors))
}

fn registering(errors: Errors, arguments: &[&str]) -> Program {
    serving(errors, &[&DISTRIBUTED, arguments].concat())
}

fn bad_requests_are_answered_and_so_are_the_next(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let server = serving(errors, verbosity);
        let mut stranger = Client::connect(server.port);
        for _ in 0..3 {
            stranger.send(NO_METHOD);
            stranger.receive(BAD);
            stranger.send(LIST);
            stranger.receive(EMPTY);
        }
        // Those after which the stream is out of step.
        for wrong in ["x".repeat(9000), "LIST ALL P2P-CI/1.0\r\nHo".to_owned()] {
            assert_eq!(exchange(server.port, wrong), BAD);
        }
        let framed = exchange(server.port, "5x        ");
        assert!(framed.contains("P2P-CI/1.0 400 BAD REQUEST"), "{framed}");
        stranger.send(LIST);
        stranger.receive(EMPTY);
        assert_eq!(exchange(server.port, LIST), EMPTY);
        ends(server);
    });
}

fn a_connection_too_many_ends_nothing(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let server = serving(errors, &[&["--max-peers", "1"], verbosity].concat());
        let mut inside = Client::connect(server.port);
        turned_away(&server, "P2P-CI/1.0 503 ", || {
            inside.send(LIST);
            inside.receive(EMPTY);
        });
        drop(inside);
        is_served_at_last(&server, LIST, EMPTY);
        ends(server);
    });
}

fn a_connection_too_many_does_not_end_the_registration_server(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let server = registering(errors, &[&["--max-peers", "1"], verbosity].concat());
        // Only framed connections stay open for more than one request.
        let mut inside = Framed::connect(server.port);
        turned_away(&server, "P2P-DI/1.0 503 ", || {
            inside.send("register vm HTTP/1.1\r\nport: 5\r\nHost: vm\r\n");
            assert!(inside.receive().starts_with("HTTP/1.1 200 OK\r\n"));
        });
        drop(inside);
        is_served_at_last(&server, &register(6), REGISTERED);
        ends(server);
    });
}

/// While one may `stay`, there is no room for others.
fn turned_away(server: &Program, no_room: &str, mut stay: impl FnMut()) {
    for _ in 0..3 {
        stay();
        let told = Client::connect(server.port).rest();
        assert!(told.starts_with(no_room.as_bytes()), "{told:?}");
    }
    stay();
}

/// A place is free once its thread has released it.
fn is_served_at_last(server: &Program, request: &str, answer: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !exchange(server.port, request).starts_with(answer) {
        assert!(Instant::now() < deadline, "the place stays taken");
    }
}

fn bad_requests_are_answered_and_peers_register(errors: Errors) {
    at_once(VERBOSITIES, |verbosity| {
        let server = registering(errors, verbosity);
        let mut framed = Framed::connect(server.port);
        for port in 1..=3 {
            for wrong in [
                NO_METHOD,
                "REGISTER Peer P2P-DI/1.0\r\nHo",
                &"x".repeat(9000),
            ] {
                let answer = exchange(server.port, wrong);
                assert!(
                    answer.starts_with("P2P-DI/1.0 400 Bad Request\r\n"),
                    "{answer}"
                );
            }
            framed.says("dance vm HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n");
            assert!(exchange(server.port, register(port)).starts_with(REGISTERED));
            framed.send("keepalive vm HTTP/1.1\r\nPeer-Cookie: 1\r\n");
            assert!(framed.receive().starts_with("HTTP/1.1 200 OK\r\n"));
        }
        ends(server);
    });
}

const REGISTERED: &str = "P2P-DI/1.0 200 OK\r\n";

fn register(port: u16) -> String {
    format!("REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: {port}\r\nOS: Test\r\n\r\n")
}

fn what_could_not_be_saved_for_a_while_is_saved_later(errors: Errors) {
    let place = folder(&[]);
    let file = place.path().join("peers");
    let state = ["--state", file.to_str().unwrap()];
    let mut server = registering(errors, &state);
    let registers =
        |server: &Program, port| exchange(server.port, register(port)).starts_with(REGISTERED);
    assert!(registers(&server, 1001));
    server.limit_files(Some(4096));
    assert!(!registers(&server, 1002));
    server.limit_files(None);
    let deadline = Instant::now() + PATIENCE;
    while !registers(&server, 1003) {
        assert!(Instant::now() < deadline, "nothing is saved any more");
    }
    assert!(registers(&server, 1002));
    server.kill();
    let after = registering(errors, &state);
    let query = "PQUERY Peer-List P2P-DI/1.0\r\nHost: vm\r\nPort: 1001\r\nCookie: 1\r\n\r\n";
    let answer = exchange(after.port, query);
    for port in [1002, 1003] {
        assert!(answer.contains(&format!("\r\nPeer vm {port} ")), "{answer}");
    }
    ends(after);
}
