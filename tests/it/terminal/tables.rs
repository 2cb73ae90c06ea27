//! Tables, pages and color.

use std::fs;

use super::{Terminal, options, peer_at, peer_of_size, peer_with, shown};
use crate::support::{Client, STATE, folder, peer_at_menu, samples, samples_of_peer_2, server};

/// Registers these RFCs, for as long as the connection lives.
fn registered(server: u16, numbers: &[u32], title: &str, host: &str) -> Client {
    let mut client = Client::connect(server);
    for &number in numbers {
        client.add(number, title, host, 65535);
    }
    client
}

/// The sequences that set colors.
fn colors(raw: &str) -> Vec<&str> {
    let sequences = raw.split("\u{1b}[").skip(1);
    let ends = |text: &&str| {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        Some(text.as_bytes()[end] == b'm').filter(|is_color| *is_color)
    };
    sequences.filter(|text| ends(text).is_some()).collect()
}

/// The part of the screen after `start` bytes, as if it were wide.
fn since(peer: &Terminal, start: usize) -> Vec<String> {
    shown(&peer.raw()[start..], 1000)
}

#[test]
fn a_short_answer_is_the_message_and_no_table() {
    let server = server(&[]);
    let empty = folder(&[]);
    let _holder = registered(server.port, &[7, 8], "A title", "vm");
    let mut peer = peer_at(server.port, empty.path());
    peer.wait_for_prompt("Choice: ");
    for choice in ["list\r", "lookup 7\r"] {
        let start = peer.raw().len();
        peer.type_keys(choice);
        peer.wait_for_prompt("Choice: ");
        let lines = since(&peer, start);
        let records = lines.iter().filter(|line| line.contains("A title"));
        let expected = if choice.starts_with("list") { 2 } else { 1 };
        assert_eq!(records.count(), expected, "{lines:?}");
    }
    // What is typed besides makes it a table.
    peer.type_keys("list by title\r");
    peer.wait_for("  7  A title  vm:65535");
}

#[test]
fn a_table_fits_a_narrow_screen() {
    let server = server(&[]);
    let empty = folder(&[]);
    let title = "A title that is much longer than the screen is wide";
    let host = "a-host-with-quite-a-long-name.example.org";
    let numbers = [7, u32::MAX];
    let _holder = registered(server.port, &numbers, title, host);
    let mut peer = peer_of_size(server.port, empty.path(), (24, 40));
    peer.wait_for_prompt("Choice: ");
    for choice in ["list longer\r", "find LONGER\r"] {
        let start = peer.raw().len();
        peer.type_keys(choice);
        peer.wait_for_prompt("Choice: ");
        let lines = since(&peer, start);
        let is_header = |line: &String| line.trim_start().starts_with("RFC  ");
        let header = lines.iter().position(is_header).unwrap();
        let end = lines
            .iter()
            .position(|line| line.starts_with("1. ADD"))
            .unwrap();
        let table = &lines[header..end];
        assert_eq!(table.len(), 3, "{table:?}");
        let fits = |line: &String| line.chars().count() <= 40;
        assert!(table.iter().all(fits), "{table:?}");
        assert!(table[2].starts_with("4294967295  A title"), "{table:?}");
    }
}

#[test]
fn a_long_answer_is_cut_and_a_table_with_pages_follows() {
    let server = server(&[]);
    let empty = folder(&[]);
    let numbers: Vec<u32> = (1..=24).collect();
    let _holder = registered(server.port, &numbers, "One of many", "vm");
    let _other = registered(server.port, &[24], "One of many", "other");
    let mut peer = peer_of_size(server.port, empty.path(), (14, 80));
    let is_row = |line: &&String| line.contains("  One of many  ");
    let rows = |lines: &[String]| lines.iter().filter(is_row).count();
    let is_record = |line: &&String| line.starts_with("RFC ") && line.contains(" One of many ");
    peer.answer("Choice: ", "3");
    let question = " of 24 shown. Space for more, / to search, q to stop: ";
    let lines = peer.wait_for_prompt(&format!("10{question}"));
    assert_eq!(lines.iter().filter(is_record).count(), 20);
    let cut = "… and 5 more records, in the table below".to_owned();
    assert!(lines.contains(&cut), "{lines:?}");
    assert_eq!(rows(&lines), 10);
    peer.type_keys(" ");
    assert_eq!(rows(&peer.wait_for_prompt(&format!("20{question}"))), 20);
    peer.type_keys("\r");
    let lines = peer.wait_for_prompt("Choice: ");
    assert_eq!(rows(&lines), 24);
    let both = " 24  One of many  other:65535, vm:65535";
    assert!(lines.iter().any(|line| line.ends_with(both)), "{lines:?}");

    peer.type_keys("list by number\r");
    peer.wait_for_prompt(&format!("10{question}"));
    peer.type_keys("/");
    peer.answer("Search for: ", "other:6");
    assert_eq!(rows(&peer.wait_for_prompt("Choice: ")), 24 + 10 + 1);
    peer.type_keys("list one\r");
    peer.wait_for_prompt(&format!("10{question}"));
    peer.type_keys("q");
    assert_eq!(rows(&peer.wait_for_prompt("Choice: ")), 24 + 11 + 10);
}

#[test]
fn a_pager_of_the_user_shows_a_long_table() {
    let server = server(&[]);
    let empty = folder(&[]);
    let numbers: Vec<u32> = (1..=24).collect();
    let _holder = registered(server.port, &numbers, "One of many", "vm");
    let variables = [(STATE, "/dev/null"), ("PAGER", "sed 's/^/paged: /'")];
    let mut peer = peer_with(server.port, empty.path(), (14, 80), &variables);
    peer.answer("Choice: ", "3");
    let lines = peer.wait_for_prompt("Choice: ");
    let paged = lines.iter().filter(|line| line.starts_with("paged: "));
    assert_eq!(paged.count(), 1 + 24, "{lines:?}");
}

#[test]
fn many_registrations_are_two_exchanges_a_line_and_a_sum() {
    let server = server(&[]);
    let names: Vec<_> = (1..=12).map(|number| format!("rfc{number}.txt")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let folder = folder(&files);
    let log = folder.path().join("log");
    let host = format!("127.0.0.1:{}", server.port);
    let adds = |text: &str| text.matches("ADD RFC ").count();
    let mut options = options(&host, folder.path()).to_vec();
    options.extend(["--transcript", log.to_str().unwrap()]);
    for (option, count) in [(&[][..], 2), (&["--print-messages"], 12)] {
        let options = [&options[..], option].concat();
        let mut peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &options, (24, 80), &[]);
        let lines = peer.wait_for_prompt("Choice: ");
        assert_eq!(adds(&lines.join("\n")), count, "{lines:?}");
        let line = "[PEER] Registering 10 more RFC(s)…".to_owned();
        assert_eq!(lines.contains(&line), count == 2, "{lines:?}");
        // The first line has scrolled away on a small screen.
        let listening = lines
            .iter()
            .find(|line| line.contains("listening on port "));
        let (_, port) = listening.unwrap().rsplit_once(' ').unwrap();
        let line = format!("[PEER] Registered 12 of 12 RFC(s); upload port {port}");
        assert_eq!(lines.contains(&line), count == 2, "{lines:?}");
        peer.type_keys("5\r");
        assert_eq!(peer.wait().0, 0);
    }
    let all = fs::read_to_string(&log).unwrap();
    assert_eq!((adds(&all), all.matches("[RUN] ").count()), (24, 2));
    assert!(!all.contains("Registering 10 more"), "{all}");
}

#[test]
fn messages_differ_in_color_by_direction_and_their_text_stays_whole() {
    let server = server(&[]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    for variables in [&[][..], &[("NO_COLOR", "1")], &[("CLICOLOR", "0")]] {
        let _ = fs::remove_file(ours.path().join("rfc123.txt"));
        let mut peer = peer_with(server.port, ours.path(), (24, 80), variables);
        peer.answer("Choice: ", "get 123");
        peer.answer("Choice: ", "lookup 9");
        peer.answer("Choice: ", "exit");
        let (code, lines) = peer.wait();
        assert_eq!(code, 0);
        let whole = ["LOOKUP RFC 123 P2P-CI/1.0", "Host: localhost"].map(String::from);
        assert!(lines.windows(2).any(|two| two == whole), "{lines:?}");
        let raw = peer.raw();
        if !variables.is_empty() {
            assert!(colors(&raw).is_empty(), "{variables:?}: {raw:?}");
            continue;
        }
        for colored in [
            "\u{1b}[33m[PEER] Sending:\u{1b}[0m\r\n\u{1b}[30m\u{1b}[43mL\u{1b}[0mOOKUP RFC 123",
            "\u{1b}[34m[PEER] Response:\u{1b}[0m\r\n\u{1b}[30m\u{1b}[44mP\u{1b}[0m2P-CI/1.0 ",
            "\u{1b}[1m\u{1b}[32m200\u{1b}[0m OK\r\n\u{1b}[30m\u{1b}[44m\u{1b}[X\u{1b}[0m\r\n",
            "\u{1b}[1m\u{1b}[31m404\u{1b}[0m Not Found\r\n",
        ] {
            assert!(raw.contains(colored), "{colored:?}\n{raw:?}");
        }
        for tag in ["[PEER]", "[UPLOAD]", "[DOWNLOAD]"] {
            assert!(raw.contains(&format!("{tag}\u{1b}[0m ")), "{tag}: {raw:?}");
        }
    }
}

#[test]
fn the_window_has_the_name_of_the_program_and_then_its_old_one() {
    let server = Terminal::start(
        env!("CARGO_BIN_EXE_server"),
        &["--port", "0"],
        (24, 80),
        &[],
    );
    let line = server.wait_for("[SERVER] Listening on port ");
    let port = line.trim_end_matches('.').rsplit(' ').next().unwrap();
    server.wait_for("Peers reach this server at ");
    assert!(
        server
            .raw()
            .contains(&format!("\u{1b}]2;server :{port}\u{7}"))
    );
    let empty = folder(&[]);
    let mut peer = peer_at(port.parse().unwrap(), empty.path());
    let line = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = line.rsplit(' ').next().unwrap();
    peer.answer("Choice: ", "5");
    assert_eq!(peer.wait().0, 0);
    let raw = peer.raw();
    let (before, after) = raw
        .split_once(&format!("\u{1b}]2;peer localhost:{port}\u{7}"))
        .unwrap();
    assert!(
        before.ends_with("\u{1b}[22;2t") && after.contains("\u{1b}[23;2t"),
        "{raw:?}"
    );
}

#[test]
fn the_time_is_before_our_lines_and_never_in_messages() {
    let server = server(&[]);
    let samples = samples();
    let host = format!("127.0.0.1:{}", server.port);
    let options = [&options(&host, samples.path())[..], &["--timestamps"]].concat();
    let mut peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &options, (24, 120), &[]);
    peer.answer("Choice: ", "list");
    let lines = peer.wait_for_prompt("Choice: ");
    let has_time = |line: &str| {
        let digits = line.replace(|c: char| c.is_ascii_digit(), "0");
        digits.starts_with("[00:00:00.000] ")
    };
    for (line, is_ours) in [
        ("[PEER] Response:", true),
        ("[UPLOAD] Upload server listening", true),
        ("LIST ALL P2P-CI/1.0", false),
        ("RFC 2345 Domain Names", false),
        ("5. EXIT", false),
    ] {
        let found = lines.iter().find(|shown| shown.contains(line)).unwrap();
        assert_eq!(has_time(found), is_ours, "{found}");
    }
}

#[test]
fn an_error_at_a_terminal_has_color() {
    let server = server(&[]);
    let empty = folder(&[]);
    let host = format!("127.0.0.1:{}", server.port);
    let lookup = [&options(&host, empty.path())[..], &["lookup", "9"]].concat();
    for (variables, has_color) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &lookup, (24, 80), variables);
        let (code, lines) = peer.wait();
        assert_eq!(code, 3);
        assert_eq!(lines, ["error: nobody has RFC 9", ""]);
        assert_eq!(
            !colors(&peer.raw()).is_empty(),
            has_color,
            "{:?}",
            peer.raw()
        );
    }
}
