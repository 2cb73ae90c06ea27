//! Leaving a question and not the program, slips, and Ctrl-Z.

use super::{CTRL_C, CTRL_D, Terminal, is_usual, options, peer_at, peer_of_size};
use crate::support::{folder, samples, samples_of_peer_2, server};

const CTRL_Z: &str = "\u{1a}";

#[test]
fn ctrl_c_and_ctrl_d_at_a_question_go_back_to_the_menu() {
    let server = server(&[]);
    let (ours, theirs) = (
        folder(&[("rfc5.txt", b"ours")]),
        folder(&[("rfc5.txt", b"theirs")]),
    );
    let _holder = peer_at(server.port, theirs.path());
    let mut peer = peer_at(server.port, ours.path());
    for keys in [CTRL_C, CTRL_D] {
        for (choice, question) in [
            ("1", "RFC number: "),
            ("2", "RFC number: "),
            ("add 5", ""),
            ("find", "Words of the title (press Enter for all): "),
            ("get 5", " exists. Replace it? [y/N]: "),
        ] {
            peer.answer("Choice: ", choice);
            if !question.is_empty() {
                peer.wait_for_prompt(question);
                peer.type_keys(keys);
            }
        }
        peer.answer("Choice: ", "2");
        peer.answer("RFC number: ", "5");
        peer.wait_for_prompt("RFC title (press Enter to skip): ");
        peer.type_keys(keys);
    }
    let lines = peer.wait_for_prompt("Choice: ");
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("LOOKUP RFC 5 ") && line.contains("[D"))
    );
    assert_eq!(
        std::fs::read(ours.path().join("rfc5.txt")).unwrap(),
        b"ours"
    );
    peer.type_keys(CTRL_D);
    assert_eq!(peer.wait().0, 0);
}

#[test]
fn a_slip_is_one_line_and_the_first_menu_names_the_other_choices() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_of_size(server.port, folder.path(), (24, 120));
    let lines = peer.wait_for_prompt("Choice: ");
    let note = "Also: find WORDS, status, help. Tab completes names and numbers.";
    assert_eq!(lines[lines.len() - 2], note);
    for (typed, said) in [
        (
            "9",
            "[PEER] Unknown choice \"9\": type a number from 1 to 5, or help.",
        ),
        ("l", "[PEER] \"l\" is ambiguous: lookup or list."),
        ("get x", "[PEER] Not understood: "),
    ] {
        let before = peer.screen().len();
        peer.type_keys(&format!("{typed}\r"));
        let lines = peer.wait_for_prompt("Choice: ");
        assert_eq!(lines.len(), before + 2, "{lines:?}");
        assert!(lines[before].starts_with(said), "{lines:?}");
    }
    peer.type_keys("he\r");
    let lines = peer.wait_for_prompt("Choice: ");
    assert!(lines[lines.len() - 2].starts_with("5. EXIT "), "{lines:?}");
    peer.type_keys("q\r");
    assert_eq!(peer.wait().0, 0);
}

#[test]
fn ctrl_c_while_the_index_is_silent_says_how_to_quit() {
    let index = crate::support::pretend(|mut client| drop(client.rest()));
    let folder = folder(&[]);
    let mut peer = peer_at(index, folder.path());
    peer.answer("Choice: ", "list");
    peer.wait_for("LIST ALL P2P-CI/1.0");
    peer.type_keys(CTRL_C);
    peer.wait_for("Press Ctrl-C again to quit");
    peer.type_keys(CTRL_C);
    assert_eq!(peer.wait().0, 0);
    assert!(is_usual(peer.modes()));
}

#[test]
fn ctrl_z_and_fg_bring_back_the_prompt_its_modes_and_what_was_typed() {
    let server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at(server.port, theirs.path());
    let shell = ["--norc", "--noprofile", "-i"];
    let mut bash = Terminal::start("bash", &shell, (24, 200), &[("PS1", "shell$ ")]);
    bash.wait_for_prompt("shell$ ");
    let host = format!("127.0.0.1:{}", server.port);
    let options = options(&host, ours.path()).join(" ");
    bash.type_keys(&format!("{} {options}\r", env!("CARGO_BIN_EXE_peer")));
    bash.wait_for_prompt("Choice: ");
    bash.type_and_see("sta");
    for _ in 0..3 {
        bash.type_keys(CTRL_Z);
        bash.wait_for_prompt("shell$ ");
        bash.type_keys("fg\r");
        bash.wait_for_prompt("Choice: sta");
        assert!(!is_usual(bash.modes()));
    }
    bash.type_keys("t\r");
    bash.wait_for("[PEER] Shared: 2 RFC(s) of ");
    bash.answer("Choice: ", "5");
    bash.wait_for_prompt("shell$ ");
    bash.type_keys("exit\r");
    assert_eq!(bash.wait().0, 0);
}
