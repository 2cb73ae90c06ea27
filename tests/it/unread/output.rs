//! Standard output on a terminal that nobody reads.

use std::fs::File;
use std::process::{Command, Stdio};

use super::ends;
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    Client, EMPTY, LIST, Program, Pty, at_once, dead_port, exchange, folder, peer_of, server,
    server_command,
};

/// A program at a terminal.
#[derive(Debug, Clone, Copy)]
enum At {
    /// Only with its standard output,
    Output,
    /// or with all streams.
    All,
}

/// Why nobody reads the terminal.
#[derive(Debug, Clone, Copy)]
enum Unread {
    /// It is stopped.
    Stopped,
    /// Its buffer is full.
    Full,
}

const WAYS: [(At, Unread); 4] = [
    (At::Output, Unread::Stopped),
    (At::Output, Unread::Full),
    (At::All, Unread::Stopped),
    (At::All, Unread::Full),
];

/// Starts a program, waits until it has printed `last`, and learns its port, which follows `port`.
fn start(mut command: Command, at: At, port: &str, last: &str) -> (Program, Pty) {
    let mut terminal = Pty::open();
    command.env("TERM", "xterm");
    let streams = match at {
        At::Output => [Stdio::piped(), terminal.stdio(), Stdio::piped()],
        At::All => [(); 3].map(|()| terminal.stdio()),
    };
    let mut program = Program::start_at(&format!("program at {at:?}"), command, streams);
    let printed = terminal.read_until(last);
    let (_, rest) = printed.split_once(port).expect("its port is printed");
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
    program.port = rest[..end].parse().unwrap();
    (program, terminal)
}

/// Nobody reads the terminal any more. `ask` makes the program print, and must be answered.
fn answers_and_ends(program: Program, terminal: &Pty, unread: Unread, mut ask: impl FnMut(u16)) {
    let times = match unread {
        Unread::Stopped => {
            terminal.stop();
            3
        }
        // A terminal holds some kilobytes.
        Unread::Full => 500,
    };
    for _ in 0..times {
        ask(program.port);
    }
    ends(program);
}

fn serving(at: At, arguments: &[&str]) -> (Program, Pty) {
    let command = server_command(&[&["--port", "0"], arguments].concat());
    start(command, at, "Listening on port ", "...")
}

#[test]
fn of_the_index_server() {
    at_once(WAYS, |(at, unread)| {
        let (server, terminal) = serving(at, &[]);
        let mut peer = Client::connect(server.port);
        answers_and_ends(server, &terminal, unread, |_| {
            peer.send(LIST);
            peer.receive(EMPTY);
        });
    });
}

#[test]
fn of_the_registration_server() {
    at_once(WAYS, |(at, unread)| {
        let (server, terminal) = serving(at, &DISTRIBUTED);
        let ask = |port, request| {
            let request =
                format!("{request} P2P-DI/1.0\r\nHost: vm\r\nPort: 9\r\nCookie: 1\r\n\r\n");
            let answer = exchange(port, request);
            assert!(answer.starts_with("P2P-DI/1.0 200 OK\r\n"), "{answer}");
        };
        ask(server.port, "REGISTER Peer");
        answers_and_ends(server, &terminal, unread, |port| {
            ask(port, "KEEPALIVE Peer");
        });
    });
}

/// Downloads from a peer whose printout goes to a terminal.
fn downloads(arguments: &[&str], last: &str) {
    let server = server(&["-q"]);
    let folder = folder(&[("rfc5.txt", b"five")]);
    at_once(WAYS, |(at, unread)| {
        let peer = peer_of(server.port, folder.path(), arguments);
        let (peer, terminal) = start(peer, at, "Upload server listening on port ", last);
        answers_and_ends(peer, &terminal, unread, |port| {
            let get = "GET RFC 5 P2P-CI/1.0\r\nHost: vm\r\n\r\n";
            assert!(exchange(port, get).ends_with("\r\n\r\nfive"));
        });
    });
}

#[test]
fn of_a_peer_that_shares() {
    downloads(&["share", "--print-messages"], "FC 5 RFC 5 localhost ");
}

#[test]
fn of_a_peer_at_its_menu() {
    downloads(&[], "Choice: ");
}

/// Both outputs are one place, which fails before the program has begun. Whether the failure comes
/// first is chance, so there are several runs.
#[test]
fn one_full_disk_for_both_outputs_does_not_keep_a_program_from_its_work() {
    let (port, folder) = (dead_port(), folder(&[]));
    at_once(0..12, |_| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let command = peer_of(port, folder.path(), &["-vvv", "list"]);
        let streams = [Stdio::null(), full.try_clone().unwrap().into(), full.into()];
        let mut program = Program::start_at("peer", command, streams);
        assert_eq!(program.wait().0.code(), Some(4));
    });
}
