//! The prompt: editing, history, completion, and how it ends.

use std::fs;
use std::io::Write;

use rexpect::process::Signal;
use tempfile::TempDir;

use super::{CTRL_C, CTRL_D, Terminal, UP, is_usual, peer_at, peer_with};
use crate::support::{
    Program, STATE, exchange, folder, peer_at_menu, samples, samples_of_peer_2, server,
};

/// A server, the folder of a peer, and the peer at its prompt.
fn at_the_prompt() -> (Program, TempDir, Terminal) {
    let (server, samples) = (server(&[]), samples());
    let mut peer = peer_at(server.port, samples.path());
    peer.wait_for_prompt("Choice: ");
    (server, samples, peer)
}

#[test]
fn what_is_typed_stays_while_others_download() {
    let server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    let mut peer = peer_at(server.port, ours.path());
    let port = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = port.rsplit(' ').next().unwrap().parse().unwrap();
    peer.wait_for_prompt("Choice: ");
    peer.type_and_see("get 12");
    let get = "GET RFC 2345 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    assert!(exchange(port, get).starts_with("P2P-CI/1.0 200 OK\r\n"));
    let lines = peer.wait_until(|lines| {
        let is_sent = |line: &String| line.starts_with("[UPLOAD] Sent RFC 2345 to ");
        lines.iter().any(is_sent) && lines.last().unwrap() == "Choice: get 12"
    });
    let menu = lines
        .iter()
        .position(|line| line.starts_with("Also: "))
        .unwrap();
    assert!(lines[menu + 1].starts_with("[UPLOAD] Request from "));
    assert_eq!(lines[menu + 2], "GET RFC 2345 P2P-CI/1.0");
    peer.type_keys("3\r");
    peer.wait_for("[DOWNLOAD] Saved to ");
    assert_eq!(
        fs::read(ours.path().join("rfc123.txt")).unwrap(),
        fs::read(theirs.path().join("rfc123.txt")).unwrap()
    );
}

#[test]
fn what_was_chosen_in_one_run_is_there_in_the_next_and_other_answers_are_not() {
    let server = server(&[]);
    let (ours, theirs, state) = (samples(), samples_of_peer_2(), folder(&[]));
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    let start = || {
        let state = state.path().to_str().unwrap();
        let variables = [(STATE, state)];
        peer_with(server.port, ours.path(), (24, 80), &variables)
    };
    let mut peer = start();
    for (question, answer) in [
        ("Choice: ", "find ipsec"),
        ("Choice: ", "1"),
        ("RFC number: ", "77"),
        ("RFC title: ", "A title of ours"),
        ("Choice: ", "4"),
        ("RFC number: ", "3457"),
        ("RFC title (press Enter to skip): ", ""),
        (" exists. Replace it? [y/N]: ", "n"),
        ("Choice: ", "get rfc3457"),
        (" exists. Replace it? [y/N]: ", "yes"),
    ] {
        peer.answer(question, answer);
    }
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_D);
    assert_eq!(peer.wait().0, 0);
    let history = fs::read_to_string(state.path().join("p2pci/history")).unwrap();
    let kept: Vec<_> = history.lines().filter(|l| !l.starts_with('#')).collect();
    let chosen = ["find ipsec", "1", "77", "4", "3457", "get rfc3457"];
    assert_eq!(kept, chosen);

    let mut peer = start();
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(UP);
    peer.wait_for_line("Choice: get rfc3457");
    for _ in 1..chosen.len() {
        peer.type_keys(UP);
    }
    peer.wait_for_line("Choice: find ipsec");
    peer.type_keys("\r");
    peer.wait_for("3457  Requirements for IPsec Remote Access…");
}

#[test]
fn tab_completes_choices_and_the_numbers_that_are_known() {
    let (_server, _samples, mut peer) = at_the_prompt();
    let port = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = port.rsplit(' ').next().unwrap().parse().unwrap();
    peer.type_keys("l\t");
    peer.wait_for("lookup  list");
    peer.wait_for_line("Choice: l");
    // Messages still appear.
    exchange(
        port,
        "GET RFC 99 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n",
    );
    peer.wait_for("[UPLOAD] Response to ");
    peer.wait_for_line("Choice: l");
    peer.type_keys("i\t");
    peer.wait_for_line("Choice: list");
    peer.type_keys("\r");
    peer.wait_for("RFC 3457 Requirements for IPsec Remote Access Scenarios localhost ");
    peer.wait_for_prompt("Choice: ");
    peer.type_keys("get 34\t");
    peer.wait_for_line("Choice: get 3457");
}

#[test]
fn ctrl_c_clears_the_line_and_leaves_the_second_time() {
    let (mut server, _samples, mut peer) = at_the_prompt();
    peer.type_and_see("get 34");
    assert!(!is_usual(peer.modes()));
    peer.type_keys(CTRL_C);
    peer.answer("Choice: ", "status");
    peer.wait_for("[PEER] Shared: 2 RFC(s) of ");
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_C);
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_C);
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let again = "Press Ctrl-C again to quit";
    let last = ["Choice:", again, "Choice:", "[PEER] Disconnecting...", ""];
    assert!(lines.ends_with(&last.map(String::from)), "{lines:?}");
    assert!(is_usual(peer.modes()));
    server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
}

#[test]
fn ctrl_c_twice_leaves_also_where_the_first_cleared_a_line() {
    let (_server, _samples, mut peer) = at_the_prompt();
    peer.type_and_see("get");
    peer.type_keys(CTRL_C);
    peer.wait_for_prompt("Choice: ");
    peer.type_keys(CTRL_C);
    assert_eq!(peer.wait().0, 0);
}

#[test]
fn keys_that_no_line_can_hold_do_no_harm() {
    let server = server(&[]);
    let (samples, state) = (samples(), folder(&[]));
    let history = state.path().join("p2pci/history");
    fs::create_dir(history.parent().unwrap()).unwrap();
    fs::write(&history, "list \u{1b}[31mred\u{1b}]0;x\u{7}\n").unwrap();
    let variables = [(STATE, state.path().to_str().unwrap())];
    let mut peer = peer_with(server.port, samples.path(), (24, 80), &variables);
    peer.wait_for_prompt("Choice: ");
    // A raw control character, and a history that we did not write.
    peer.type_keys("find \u{16}\u{1b}[31mx\u{16}\u{7}\u{1}\u{5}\u{15}");
    peer.type_keys(UP);
    peer.type_keys("\u{15}");
    // A byte that is not UTF-8.
    peer.keyboard.write_all(b"find caf\xe9\r").unwrap();
    peer.wait_until(|lines| lines.ends_with(&["Choice: find caf", "Choice: "].map(String::from)));
    peer.type_keys("\u{15}status\r");
    peer.wait_for("[PEER] Shared: 2 RFC(s) of ");
    assert!(!peer.raw().contains("\u{1b}[31mred"), "{:?}", peer.raw());
}

#[test]
fn a_signal_in_the_middle_of_a_line_leaves_the_terminal_as_it_was() {
    let (mut server, _samples, mut peer) = at_the_prompt();
    peer.type_and_see("get 34");
    assert!(!is_usual(peer.modes()));
    peer.process.signal(Signal::SIGTERM).unwrap();
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let last = ["Choice: get 34", "[PEER] Disconnecting...", ""].map(String::from);
    assert!(lines.ends_with(&last), "{lines:?}");
    assert!(is_usual(peer.modes()), "{:?}", peer.modes());
    server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
}

#[test]
fn a_session_that_is_pasted_is_as_many_answers_as_it_has_lines() {
    let (_server, _samples, mut peer) = at_the_prompt();
    peer.type_keys("status\r2\r3457\r\r5\r");
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    for (line, before) in [
        ("Choice: status", "Also: find WORDS, "),
        ("Choice: 2", "5. EXIT "),
        ("Choice: 5", "5. EXIT "),
    ] {
        let place = lines.iter().position(|shown| shown == line).unwrap();
        assert!(lines[place - 1].starts_with(before), "{lines:?}");
    }
    assert!(lines.contains(&"RFC number: 3457".to_owned()), "{lines:?}");
}

#[test]
fn exit_and_the_end_of_input_leave_the_terminal_as_it_was() {
    let server = server(&[]);
    let samples = samples();
    for keys in ["5\r", "exit\r", CTRL_D] {
        let mut peer = peer_at(server.port, samples.path());
        peer.wait_for_prompt("Choice: ");
        peer.type_keys(keys);
        let (code, lines) = peer.wait();
        assert_eq!(code, 0);
        let last = ["[PEER] Disconnecting...", ""].map(String::from);
        assert!(lines.ends_with(&last), "{lines:?}");
        assert!(is_usual(peer.modes()));
    }
}
