//! Tables, pages and colour.

use std::fs;

use super::{Terminal, options, peer_of_size, peer_with, shown};
use crate::support::{Client, folder, peer_at_menu, samples, samples_of_peer_2, server};

/// Registers these RFCs, for as long as the connection lives.
fn registered(server: u16, numbers: &[u32], title: &str, host: &str) -> Client {
    let mut client = Client::connect(server);
    for &number in numbers {
        client.add(number, title, host, 65535);
    }
    client
}

/// The sequences that set colours.
fn colours(raw: &str) -> Vec<&str> {
    let sequences = raw.split("\u{1b}[").skip(1);
    let ends = |text: &&str| {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        Some(text.as_bytes()[end] == b'm').filter(|is_colour| *is_colour)
    };
    sequences.filter(|text| ends(text).is_some()).collect()
}

#[test]
fn a_table_comes_after_the_messages_and_fits_a_narrow_screen() {
    let server = server(&[]);
    let empty = folder(&[]);
    let title = "A title that is much longer than the screen is wide";
    let host = "a-host-with-quite-a-long-name.example.org";
    let numbers = [7, u32::MAX];
    let _holder = registered(server.port, &numbers, title, host);
    let mut peer = peer_of_size(server.port, empty.path(), (24, 40));
    peer.wait_for_prompt("Choice: ");
    for (choice, rows) in [
        ("list\r", 2),
        ("lookup 4294967295\r", 1),
        ("find LONGER\r", 2),
    ] {
        let start = peer.raw().len();
        peer.type_keys(choice);
        peer.wait_for_prompt("Choice: ");
        // As it was printed, and not as the narrow screen has broken it.
        let lines = shown(&peer.raw()[start..], 1000);
        let record = format!("RFC 4294967295 {title} {host} 65535");
        let message = lines.iter().position(|line| *line == record).unwrap();
        let header = lines
            .iter()
            .position(|line| line.trim_start().starts_with("RFC  "))
            .unwrap();
        let end = lines.iter().position(|line| line == "1. ADD").unwrap();
        assert!(message < header, "{lines:?}");
        let table = &lines[header..end];
        assert_eq!(table.len(), rows + 1, "{table:?}");
        assert!(
            table.iter().all(|line| line.chars().count() <= 40),
            "{table:?}"
        );
        assert!(table[1].starts_with("4294967295  A title"), "{table:?}");
        assert!(table[1].ends_with("  65535"), "{table:?}");
    }
}

#[test]
fn a_table_longer_than_the_screen_is_shown_a_page_at_a_time() {
    let server = server(&[]);
    let empty = folder(&[]);
    let numbers: Vec<u32> = (1..=14).collect();
    let _holder = registered(server.port, &numbers, "One of many", "vm");
    let mut peer = peer_of_size(server.port, empty.path(), (10, 80));
    let rows = |lines: &[String]| {
        let is_row = |line: &&String| line.contains("  One of many  vm ");
        lines.iter().filter(is_row).count()
    };
    peer.answer("Choice: ", "3");
    let lines = peer.wait_for_prompt("6 of 14 shown. Enter for more, q to stop: ");
    assert_eq!(rows(&lines), 6);
    peer.type_keys("\r");
    let lines = peer.wait_for_prompt("12 of 14 shown. Enter for more, q to stop: ");
    assert_eq!(rows(&lines), 12);
    peer.type_keys("\r");
    assert_eq!(rows(&peer.wait_for_prompt("Choice: ")), 14);
    peer.type_keys("list\r");
    peer.answer("6 of 14 shown. Enter for more, q to stop: ", "q");
    assert_eq!(rows(&peer.wait_for_prompt("Choice: ")), 14 + 6);
}

#[test]
fn our_tags_have_colour_and_messages_have_none() {
    let server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    for variables in [&[][..], &[("NO_COLOR", "1")], &[("CLICOLOR", "0")]] {
        let _ = fs::remove_file(ours.path().join("rfc123.txt"));
        let mut peer = peer_with(server.port, ours.path(), (24, 80), variables);
        peer.answer("Choice: ", "get 123");
        peer.answer("Choice: ", "exit");
        assert_eq!(peer.wait().0, 0);
        let raw = peer.raw();
        assert!(
            raw.contains(" Sending:\r\nLOOKUP RFC 123 P2P-CI/1.0\r\nHost: localhost\r\nPort: "),
            "{raw:?}"
        );
        if !variables.is_empty() {
            assert!(colours(&raw).is_empty(), "{variables:?}: {raw:?}");
            continue;
        }
        let mut rest = raw;
        for tag in ["[PEER]", "[UPLOAD]", "[DOWNLOAD]"] {
            let end = format!("{tag}\u{1b}[0m ");
            let (before, _) = rest.split_once(&end).expect("the tag has colour");
            let start = before.rfind("\u{1b}[").unwrap();
            let coloured = format!("{}{end}", &before[start..]);
            rest = rest.replace(&coloured, "");
            assert!(!rest.contains(&format!("\n{tag}")), "{rest:?}");
        }
        // There is no other colour, so none in a message.
        assert!(colours(&rest).is_empty(), "{rest:?}");
    }
}

#[test]
fn an_error_at_a_terminal_has_colour() {
    let server = server(&[]);
    let empty = folder(&[]);
    let host = format!("127.0.0.1:{}", server.port);
    let lookup = [&options(&host, empty.path())[..], &["lookup", "9"]].concat();
    for (variables, has_colour) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &lookup, (24, 80), variables);
        let (code, lines) = peer.wait();
        assert_eq!(code, 3);
        assert_eq!(lines, ["error: nobody has RFC 9", ""]);
        assert_eq!(
            !colours(&peer.raw()).is_empty(),
            has_colour,
            "{:?}",
            peer.raw()
        );
    }
}
