//! A terminal that nobody reads, which strangers fill up.

use std::process::{Command, Stdio};

use super::{VERBOSITIES, ends};
use crate::framed::Framed;
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    BAD, Client, EMPTY, LIST, Program, Pty, at_once, exchange, folder, listening, peer_of, server,
    server_command, sharing,
};

/// Each one produces a log line. A terminal holds some kilobytes, and a pipe 64.
const MANY: usize = 2000;

fn start(name: &str, command: Command) -> Program {
    let terminal = Pty::open();
    let streams = [Stdio::piped(), Stdio::piped(), terminal.stdio()];
    let mut program = Program::start_at(name, command, streams);
    program.needs(terminal);
    program
}

fn serving(arguments: &[&str]) -> Program {
    let arguments = [&["--port", "0", "-q"], arguments].concat();
    listening(start("server", server_command(&arguments)))
}

#[test]
fn bad_requests_to_the_index_server() {
    at_once(VERBOSITIES, |verbosity| {
        let server = serving(verbosity);
        let mut stranger = Client::connect(server.port);
        for _ in 0..MANY {
            stranger.send("BLAH RFC 1 P2P-CI/1.0\r\nHost: vm\r\n\r\n");
            stranger.receive(BAD);
        }
        assert_eq!(exchange(server.port, LIST), EMPTY);
        ends(server);
    });
}

#[test]
fn bad_requests_to_the_registration_server() {
    at_once(VERBOSITIES, |verbosity| {
        let server = serving(&[&DISTRIBUTED, verbosity].concat());
        let mut stranger = Framed::connect(server.port);
        for _ in 0..MANY {
            stranger.says("dance vm HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n");
        }
        let register = "REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 9\r\n\r\n";
        let answer = exchange(server.port, register);
        assert!(answer.starts_with("P2P-DI/1.0 200 OK\r\n"), "{answer}");
        ends(server);
    });
}

#[test]
fn bad_requests_to_a_peer() {
    let server = server(&["-q"]);
    let folder = folder(&[("rfc5.txt", b"five")]);
    at_once(VERBOSITIES, |verbosity| {
        let share = [&["share", "--print-messages"], verbosity].concat();
        let peer = sharing(start("peer", peer_of(server.port, folder.path(), &share)));
        // Each of them uses its own connection.
        for _ in 0..MANY / 4 {
            let mut stranger = Client::connect(peer.port);
            stranger.send("BLAH RFC 1 P2P-CI/1.0\r\nHost: vm\r\n\r\n");
            stranger.receive("P2P-CI/1.0 400 Bad Request\r\n\r\n");
        }
        let get = "GET RFC 5 P2P-CI/1.0\r\nHost: vm\r\n\r\n";
        assert!(exchange(peer.port, get).ends_with("\r\n\r\nfive"));
        assert!(exchange(server.port, LIST).contains(&format!(" localhost {}\r\n", peer.port)));
        ends(peer);
    });
}
