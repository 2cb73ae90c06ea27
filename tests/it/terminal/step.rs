//! A screen that waits for Enter after each message.

use super::{CTRL_C, Terminal, is_usual, options};
use crate::support::{exchange, samples, server};

/// A peer that shares the samples, and shows one message at a time.
fn stepping_peer(server: u16, folder: &std::path::Path) -> Terminal {
    let host = format!("127.0.0.1:{server}");
    let options = [&options(&host, folder)[..], &["--step"]].concat();
    Terminal::start(env!("CARGO_BIN_EXE_peer"), &options, (24, 120), &[])
}

/// Waits until the screen waits below this many messages.
fn wait_below(peer: &Terminal, messages: usize) {
    peer.wait_until(|lines| {
        let ends = [" Sending:", " Response:"];
        let is_message = |line: &&String| ends.iter().any(|end| line.ends_with(end));
        let shown = lines.iter().filter(is_message).count();
        lines.last().unwrap() == "(Enter) " && shown == messages
    });
}

#[test]
fn it_waits_for_enter_after_each_message() {
    let server = server(&[]);
    let samples = samples();
    let mut peer = stepping_peer(server.port, samples.path());
    let port = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = port.rsplit(' ').next().unwrap().parse().unwrap();
    // Two requests and two responses.
    for messages in 1..=4 {
        wait_below(&peer, messages);
        peer.type_keys("\r");
    }
    peer.wait_for_prompt("Choice: ");
    // The upload is complete before anybody presses Enter, which the prompt gets.
    let get = "GET RFC 2345 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    assert!(exchange(port, get).starts_with("P2P-CI/1.0 200 OK\r\n"));
    let is_shown = |lines: &[String], text| lines.iter().any(|line: &String| line.contains(text));
    let lines = peer.wait_until(|lines| is_shown(lines, "[UPLOAD] Request from "));
    assert!(!is_shown(&lines, "[UPLOAD] Response to "), "{lines:?}");
    peer.type_keys(CTRL_C);
    let lines = peer.wait_until(|lines| {
        is_shown(lines, "Press Ctrl-C again to quit") && lines.last().unwrap() == "Choice: "
    });
    assert!(!is_shown(&lines, "[UPLOAD] Response to "), "{lines:?}");
    peer.type_keys("\r");
    let lines = peer.wait_until(|lines| is_shown(lines, "[UPLOAD] Response to "));
    assert!(!is_shown(&lines, "[UPLOAD] Sent RFC 2345"), "{lines:?}");
    peer.type_keys("\r");
    peer.wait_for("[UPLOAD] Sent RFC 2345");
    assert!(!is_shown(&peer.screen(), "Nothing was chosen"));
}

#[test]
fn ctrl_c_ends_the_peer_cleanly() {
    let server = server(&[]);
    let samples = samples();
    for messages in [1, 2] {
        let mut peer = stepping_peer(server.port, samples.path());
        for shown in 1..messages {
            wait_below(&peer, shown);
            peer.type_keys("\r");
        }
        wait_below(&peer, messages);
        peer.type_keys(CTRL_C);
        let (code, lines) = peer.wait();
        assert_eq!(code, 0);
        assert_eq!(lines.last().unwrap(), "", "{lines:?}");
        assert_eq!(lines[lines.len() - 2], "[PEER] Disconnecting...");
        for prompt in ["(Enter)", "Choice:"] {
            assert!(!lines.iter().any(|line| line.contains(prompt)), "{lines:?}");
        }
        assert!(is_usual(peer.modes()));
    }
}

#[test]
fn ctrl_c_shows_the_rest_and_ends_the_server() {
    let mut server = Terminal::start(
        env!("CARGO_BIN_EXE_server"),
        &["--port", "0", "--step"],
        (24, 120),
        &[],
    );
    let port = server.wait_for("[SERVER] Listening on port ");
    let port = port.trim_end_matches('.').rsplit(' ').next().unwrap();
    let list = "LIST ALL P2P-CI/1.0\r\nHost: vm\r\nPort: 5\r\n\r\n";
    let answer = exchange(port.parse().unwrap(), list);
    assert!(answer.starts_with("P2P-CI/1.0 "), "{answer}");
    server.wait_for_line("(Enter) ");
    server.type_keys(CTRL_C);
    let (code, lines) = server.wait();
    assert_eq!(code, 0);
    assert_eq!(lines[lines.len() - 2], "[SERVER] Stopped.", "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("Response to ")));
    assert!(!lines.iter().any(|line| line.contains("(Enter)")));
}
