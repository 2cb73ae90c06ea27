//! Refusals are printed in their place in the session, on the one screen that a person looks at,
//! and no log lines come in between.

use super::{Terminal, peer_of_size};
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{Client, folder, server};

const WIDE: (u16, u16) = (24, 200);

/// Invalid requests to an index server: those of the scenarios, and others.
const REFUSED: [&str; 4] = [
    "BLAH RFC 123 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n",
    "GET RFC 123 P2P-CI/2.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n",
    "no request\r\nno field\r\n\r\n",
    "10        in a frame",
];
const REFUSED_BY_REGISTRATION: [&str; 4] = [
    "BLAH Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\n\r\n",
    "REGISTER Peer P2P-DI/2.0\r\nHost: vm\r\nPort: 5\r\n\r\n",
    "no request\r\nno field\r\n\r\n",
    "10        in a frame",
];
/// A refusal before there is a whole request to print.
const OUT_OF_STEP: [&str; 2] = ["GET RFC 123 P2P-CI/1.0\r\nHo", "5x        "];

/// Sends a request, and returns what must be printed.
fn refused(port: u16, tag: &str, request: &str) -> (String, Vec<String>) {
    let mut stranger = Client::connect(port);
    let from = stranger.stream().local_addr().unwrap();
    stranger.send(request);
    stranger.half_close();
    let answer = String::from_utf8(stranger.rest()).unwrap();
    let code = if request.contains("/2.0") { 505 } else { 400 };
    let mut printed = Vec::new();
    if !OUT_OF_STEP.contains(&request) {
        printed.push(format!("[{tag}] Request from {from}:"));
        printed.extend(request.lines().map(str::to_owned));
    }
    printed.push(format!("[{tag}] Answering {code}: "));
    printed.push(format!("[{tag}] Response to {from}:"));
    printed.extend(answer.lines().map(str::to_owned));
    (from.to_string(), printed)
}

/// Asserts that these are the lines; a reason may follow the status.
#[track_caller]
fn assert_shown(shown: &[String], expected: &[String]) {
    let is_as = |(shown, expected): (&String, &String)| {
        let is_reason = expected.ends_with(": ") && shown.len() > expected.len();
        shown == expected || is_reason && shown.starts_with(expected)
    };
    let is_so = shown.len() == expected.len() && shown.iter().zip(expected).all(is_as);
    assert!(is_so, "{shown:#?}\nis not\n{expected:#?}");
}

#[test]
fn refusals_of_both_servers() {
    for (index, refusals) in [(&[][..], REFUSED), (&DISTRIBUTED, REFUSED_BY_REGISTRATION)] {
        let arguments = [&["--port", "0"], index].concat();
        let server = Terminal::start(env!("CARGO_BIN_EXE_server"), &arguments, WIDE, &[]);
        let line = server.wait_for("[SERVER] Listening on port ");
        let port = line.trim_end_matches('.').rsplit(' ').next().unwrap();
        server.wait_for("Peers reach this server at ");
        let start = server.screen().len() - 1;
        let mut expected = Vec::new();
        for request in refusals.into_iter().chain(OUT_OF_STEP) {
            let (from, printed) = refused(port.parse().unwrap(), "SERVER", request);
            expected.push(format!("[SERVER] New TCP connection from {from}"));
            expected.extend(printed);
            if index.is_empty() {
                expected.push(format!("[SERVER] Connection from {from} closed"));
            }
            // The next one starts when all of this one is there.
            server.wait_until(|lines| lines.len() > start + expected.len());
        }
        let shown = server.screen();
        assert_shown(&shown[start..shown.len() - 1], &expected);
    }
}

#[test]
fn refusals_of_a_peer_above_its_prompt() {
    let (server, folder) = (server(&["-q"]), folder(&[]));
    let mut peer = peer_of_size(server.port, folder.path(), WIDE);
    let line = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = line.rsplit(' ').next().unwrap();
    let start = peer.wait_for_prompt("Choice: ").len() - 1;
    let mut expected = Vec::new();
    for request in REFUSED.into_iter().chain(OUT_OF_STEP) {
        expected.extend(refused(port.parse().unwrap(), "UPLOAD", request).1);
        peer.wait_until(|lines| lines.len() > start + expected.len());
    }
    expected.push("Choice: ".to_owned());
    assert_shown(&peer.wait_for_line("Choice: ")[start..], &expected);
}
