//! A server at a terminal, and output that must never contain control sequences.

use rexpect::process::Signal;

use super::{Terminal, peer_with};
use crate::support::{samples, samples_of_peer_2, scenarios, server};

#[test]
fn the_server_at_a_terminal_says_where_peers_reach_it() {
    let program = env!("CARGO_BIN_EXE_server");
    let bound = ["--port", "0", "--bind", "127.0.0.1"];
    let server = Terminal::start(program, &bound, (24, 80), &[]);
    server.wait_for("[SERVER] Listening on port ");
    let line = server.wait_for("Peers reach this server at");
    assert!(
        line.starts_with("Peers reach this server at 127.0.0.1:"),
        "{line}"
    );
    let mut server = Terminal::start(program, &["--port", "0"], (24, 200), &[]);
    let line = server.wait_for("Peers reach this server at");
    assert!(line.contains("127.0.0.1"), "{line}");
    server.process.signal(Signal::SIGTERM).unwrap();
    let (code, lines) = server.wait();
    assert_eq!(code, 0);
    let last = ["[SERVER] Stopping...", "[SERVER] Stopped.", ""].map(String::from);
    assert!(lines.ends_with(&last), "{lines:?}");
}

#[test]
fn a_terminal_that_can_do_nothing_gets_plain_lines() {
    let server = server(&[]);
    let samples = samples();
    let dumb = [("TERM", "dumb")];
    let mut peer = peer_with(server.port, samples.path(), (24, 80), &dumb);
    peer.answer("Choice: ", "3");
    peer.answer("Choice: ", "5");
    assert_eq!(peer.wait().0, 0);
    assert!(!peer.raw().contains('\u{1b}'), "{:?}", peer.raw());
    assert_eq!(peer.raw().matches("Choice: 3\r\n").count(), 1);
}

#[test]
fn a_pipe_gets_the_printouts_by_the_byte_and_nothing_for_a_terminal() {
    let mut server = scenarios::server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let mut one = scenarios::peer("peer 1", server.port, ours.path(), &[]);
    let mut two = scenarios::peer("peer 2", server.port, theirs.path(), &[]);
    one.answer(&["3"]);
    one.answer(&["2", "3457", ""]);
    one.answer(&["4", "123", ""]);
    one.answer(&["find ipsec"]);
    one.type_line("5");
    two.type_line("5");
    for peer in [&mut one, &mut two] {
        assert!(peer.wait().0.success());
    }
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().0.success());
    for program in [&server, &one, &two] {
        assert!(!program.printed_bytes().contains(&0x1b));
    }
    let golden = include_str!("../golden/scenarios.txt");
    let scenes: Vec<_> = golden.split("\n\n===").collect();
    let of_peer_1 = scenes[..4].iter().flat_map(|scene| {
        let parts = scene.split("--- ");
        parts.filter_map(|part| part.strip_prefix("peer 1\n"))
    });
    let expected: String = of_peer_1.map(|part| part.trim_end_matches('\n')).collect();
    let names = [
        (server.port.to_string(), "<server port>"),
        (one.port.to_string(), "<port 1>"),
        (two.port.to_string(), "<port 2>"),
        (ours.path().display().to_string(), "<folder 1>"),
    ];
    let printed = scenarios::normalized(&one.printed(), &names);
    assert!(printed.starts_with(&expected), "{printed}\n---\n{expected}");
    assert!(
        printed.ends_with("\nChoice: 5\n[PEER] Disconnecting...\n"),
        "{printed}"
    );
}
