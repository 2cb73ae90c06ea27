//! A small comparison of the kinds of index: exact counts, and what is found after failures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::Signal;

use crate::experiment::{curves, rows};
use crate::support::{Program, folder, names, peer_command, run};

const FILES: [&str; 9] = [
    "index-join.svg",
    "index-list-bytes.svg",
    "index-list.svg",
    "index-load.svg",
    "index-lookup-first.svg",
    "index-lookup-missing.svg",
    "index-lookup.svg",
    "index-time.svg",
    "index.csv",
];
const HEADER: &str = "index,peers,operation,count,succeeded,messages,messages_most,bytes,bytes_most,busiest_node,busiest_messages,median_ms,p99_ms";
const OPERATIONS: [&str; 9] = [
    "join",
    "lookup-first",
    "lookup",
    "lookup-missing",
    "list",
    "get",
    "get-without-server",
    "get-half-dead",
    "get-stale",
];

/// A comparison in networks of 4 and 5 peers, each with two of six RFCs.
fn comparison(temporary: &Path, out: &Path, arguments: &[&str]) -> Command {
    let small = ["experiment", "--compare", "--peers", "4", "--per-peer", "2"];
    let mut command = peer_command(&small);
    command.args(["--synthetic", "6x2KiB", "--out"]).arg(out);
    command.args(arguments).env("TMPDIR", temporary);
    command
}

/// Runs a comparison to its end. The searches of a hash table take most of the time, so it is longer
/// than other programs may take; each of them has a deadline.
fn ended(mut command: Command) -> (ExitStatus, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status, text(output.stdout), text(output.stderr))
}

/// Checks a row: the cost of an operation in a network of so many `peers`, of which so many are
/// `living` after half were killed.
fn check(row: &[String], kind: &str, peers: usize, living: usize, operation: &str) {
    let name = [kind, &peers.to_string(), operation];
    assert_eq!(row[..3], name);
    let number = |at: usize| row[at].parse::<f64>().unwrap();
    let count: usize = row[3].parse().unwrap();
    if operation == "get-stale" {
        // Who is asked first depends on chance, and how fast the server notices.
        assert!(count <= 3 * living && row[4] == row[3], "{row:?}");
        return;
    }
    let expected = match operation {
        "lookup-first" => 20,
        "lookup" => 10 * peers,
        "get" | "get-without-server" => 3 * peers,
        "get-half-dead" => 3 * living,
        _ => peers,
    };
    assert_eq!(count, expected, "{row:?}");
    let is_central = kind == "central";
    if is_central && operation == "get-without-server" {
        // A peer asks once at most, until it notices.
        assert!(row[4] == "0" && number(5) < 0.34, "{row:?}");
        assert_eq!(row[11..], ["", ""]);
        return;
    }
    assert_eq!(row[4], row[3], "{row:?}");
    assert!(0.0 < number(11) && number(11) <= number(12), "{row:?}");

    if kind == "dht" {
        of_the_hash_table(row, operation, peers);
        return;
    }
    let messages = row[5].as_str();
    let everybody = format!("{}.0", 2 * peers);
    let is_between = |least: f64, most: f64| least < number(5) && number(5) < most;
    match (operation, is_central) {
        ("join", true) => assert_eq!([messages, &row[9]], ["4.0", "server"]),
        ("lookup" | "lookup-first" | "lookup-missing" | "list", true) => {
            assert_eq!([messages, &row[9]], ["2.0", "server"]);
        }
        ("get", true) => assert_eq!(messages, "4.0"),
        ("join" | "get" | "get-without-server", false) => assert_eq!(messages, "2.0"),
        ("lookup-missing" | "list", false) => assert_eq!(messages, everybody),
        // The first peer that is asked has some of the documents.
        ("lookup-first", false) => {
            let most = everybody.parse().unwrap();
            assert!(is_between(4.0, most), "{row:?}");
        }
        // Whoever has asked remembers.
        ("lookup", false) => assert!(is_between(0.0, 2.0), "{row:?}"),
        _ => assert!(is_between(1.9, 4.1), "{row:?}"),
    }
    let is_at_most = |mean, most| number(mean) <= number(most);
    assert!(is_at_most(5, 6) && is_at_most(7, 8), "{row:?}");
}

#[test]
fn the_kinds_need_as_many_messages_as_theory_says_and_survive_what_they_can() {
    let (temporary, results) = (folder(&[]), folder(&[]));
    // The folder is created.
    let out = results.path().join("of/today");
    let command = comparison(temporary.path(), &out, &[]);
    let (status, printed, errors) = ended(command);
    assert_eq!(status.code(), Some(0), "{errors}");
    assert_eq!(names(&out), FILES);
    assert_eq!(names(temporary.path()), [""; 0]);

    let rows = rows(&out.join("index.csv"), HEADER);
    let mut cases = Vec::new();
    for (peers, living) in [(4, 2)] {
        for kind in ["central", "distributed", "dht"] {
            cases.extend(OPERATIONS.map(|operation| (kind, peers, living, operation)));
        }
    }
    assert_eq!(rows.len(), cases.len());
    for (row, (kind, peers, living, operation)) in rows.iter().zip(cases) {
        check(row, kind, peers, living, operation);
    }

    for name in FILES.iter().take_while(|name| **name != "index.csv") {
        let svg = fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(curves(&svg), 3, "{name}");
        for text in [
            "\ncentral: ",
            "\ndistributed: ",
            "\ndht: ",
            "number of peers",
            "2 RFCs of 2.0 KiB at each peer, each of them at two; loopback",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    let (table, paths) = printed.split_once("\n\n").unwrap();
    let found: BTreeMap<_, _> = table.lines().skip(1).map(found).collect();
    let all = [
        (("central", "4"), ("0/12", "6/6")),
        (("distributed", "4"), ("12/12", "6/6")),
        (("dht", "4"), ("12/12", "6/6")),
    ];
    assert_eq!(found, all.into());
    let mut paths: Vec<_> = paths.lines().map(str::to_owned).collect();
    paths.sort();
    let expected = FILES.map(|name| out.join(name).display().to_string());
    assert_eq!(paths, expected);
    let said: Vec<_> = errors.lines().collect();
    let expected = [
        "central, 4 peers, run 1 of 1",
        "distributed, 4 peers, run 1 of 1",
        "dht, 4 peers, run 1 of 1",
    ];
    assert_eq!(said, expected);
}

/// Every node answers a search, and a peer that was found is asked over TCP. Nodes come and go, so
/// the exact number depends on who has noticed.
fn of_the_hash_table(row: &[String], operation: &str, peers: usize) {
    let mean: f64 = row[5].parse().unwrap();
    let all = u32::try_from(peers + 1).unwrap();
    let is_between = |least: u32, most: u32| f64::from(least) <= mean && mean <= f64::from(most);
    let is_right = match operation {
        // Each of three keys is looked for and then announced, except that the first peers are few.
        "join" => is_between(all, 3 * 4 * all),
        "lookup-first" => is_between(4, 4 * all),
        // Whoever has asked remembers.
        "lookup" => mean < 4.0 * f64::from(all),
        "lookup-missing" | "list" => is_between(2 * all, 20 * all),
        _ => is_between(2, 8 * all),
    };
    assert!(is_right, "{row:?}");
}

/// The kind and the size in a line of the table, and what is found without the server and with half
/// of the peers.
fn found(line: &str) -> ((&str, &str), (&str, &str)) {
    let cells: Vec<_> = line.split_whitespace().collect();
    let [kind, peers, .., without_server, half_dead] = cells[..] else {
        panic!("{line}");
    };
    ((kind, peers), (without_server, half_dead))
}

#[test]
fn messages_are_printed_on_request() {
    let (temporary, out) = (folder(&[]), folder(&[]));
    let mut command = comparison(temporary.path(), out.path(), &["--peers", "4"]);
    command.args(["-q", "--print-messages"]);
    let mut peer = Program::start("peer", command);
    for line in ["LIST ALL P2P-CI/1.0\n", "PQUERY Peer-List P2P-DI/1.0\n"] {
        peer.expect(line);
    }
    peer.signal(Signal::INT);
    assert_eq!(peer.wait().0.code(), Some(130));
}

#[test]
fn invalid_comparisons_are_code_2() {
    let (temporary, out) = (folder(&[]), folder(&[]));
    for (wrong, why) in [
        (&["--peers", "3"][..], "--peers 3 is too few for --compare"),
        (&["--peers", "65"], "65 is not in 2..=64"),
        (&["--task", "1"], "--compare conflicts with --task"),
        (&["--order", "worst"], "--compare conflicts with --task"),
        (&["--fetch", "1"], "--compare conflicts with --task"),
        (&["--corpus", "x"], "--synthetic conflicts with --corpus"),
        (
            &["--peers", "8"],
            "--synthetic makes 6 files, but the experiment needs 8",
        ),
    ] {
        let command = comparison(temporary.path(), out.path(), wrong);
        let (status, printed, errors) = run("peer", command);
        assert_eq!(
            (status.code(), printed.as_str()),
            (Some(2), ""),
            "{wrong:?}"
        );
        assert!(errors.contains(why), "{why} in {errors}");
    }
    assert_eq!(names(out.path()), [""; 0]);
}

#[test]
fn a_signal_ends_a_comparison_and_nothing_stays_behind() {
    let (temporary, out) = (folder(&[]), folder(&[]));
    let slow = comparison(temporary.path(), out.path(), &["--upload-rate", "100B/s"]);
    let mut peer = Program::start("peer", slow);
    peer.expect_error("central, 4 peers, run 1 of 1");
    peer.signal(Signal::INT);
    assert_eq!(peer.wait().0.code(), Some(130));
    assert_eq!(names(temporary.path()), [""; 0]);
    assert_eq!(names(out.path()), [""; 0]);
}
