//! Peers that find each other: at the menu, by commands, and in the background.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{announced, ask, command, introducer, peer_at_menu, started};
use crate::support::{Client, Leftovers, STATE, folder, names, run, samples, samples_of_peer_2};

#[test]
fn commands_find_list_and_download() {
    let server = introducer(&["-q"]);
    let (theirs, ours) = (samples(), folder(&[]));
    let holder = announced(started(server.port, theirs.path()), 2);
    let port = holder.port;
    let here = ours.path();
    let line = |number, title: &str| {
        let known = format!("RFC {number} ");
        let end = format!(" 127.0.0.1 {port} {title}\n");
        move |out: &str| out.starts_with(&known) && out.ends_with(&end)
    };
    let (code, out, errors) = ask(server.port, here, &["lookup", "2345"]);
    let is_right = line(2345, "Domain Names and Company Name Retrieval");
    assert!(is_right(&out), "{out}");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let counts = "1 peer(s) found, 1 asked, 1 answered\n";
    let (code, out, errors) = ask(server.port, here, &["find", "ipsec"]);
    let is_right = line(3457, "Requirements for IPsec Remote Access Scenarios");
    assert!(is_right(&out), "{out}");
    assert_eq!((code, errors.as_str()), (Some(0), counts));
    let (code, out, _) = ask(server.port, here, &["list", "--json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(listed["records"].as_array().unwrap().len(), 2);
    let peers = json!({"found": 1, "asked": 1, "answered": 1, "is_sample": false});
    assert_eq!(listed["peers"], peers);
    let (code, ..) = ask(server.port, here, &["get", "all"]);
    assert_eq!(code, Some(0));
    assert_eq!(names(here), ["rfc2345.txt", "rfc3457.txt"]);
    let (code, out, errors) = ask(server.port, here, &["lookup", "9999"]);
    let nobody = "error: nobody has RFC 9999\n";
    assert_eq!((code, out.as_str(), errors.as_str()), (Some(3), "", nobody));
}

#[test]
fn at_the_menu_everybody_who_announced_a_document_is_shown() {
    let server = introducer(&["-q"]);
    let (one, two, ours) = (samples(), samples_of_peer_2(), folder(&[]));
    let first = announced(started(server.port, one.path()), 2);
    let second = announced(started(server.port, two.path()), 2);
    let mut peer = peer_at_menu(server.port, ours.path());
    let printed = peer.answer(&["2", "3457", ""]);
    assert!(
        printed.contains("[DHT] Looking for RFC 3457: 2 holder(s), 2 answers\n"),
        "{printed}"
    );
    for port in [first.port, second.port] {
        let record = format!(" 127.0.0.1 {port} Requirements for IPsec");
        assert!(printed.matches(&record).count() >= 2, "{printed}");
    }
    let printed = peer.answer(&["3"]);
    assert!(
        printed.contains("[PEER] 2 peer(s) found, 2 asked, 2 answered\n"),
        "{printed}"
    );
    peer.answer(&["4", "123", ""]);
    assert_eq!(names(ours.path()), ["rfc123.txt"]);
    // It shares what it has, from then on.
    peer.expect(&format!("[DHT] Announced port {} for RFC 123\n", peer.port));
    let (code, out, _) = ask(server.port, one.path(), &["lookup", "123"]);
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}");
    let status = peer.answer(&["status"]);
    let index = format!("[PEER] Index: 127.0.0.1:{}, joined since ", server.port);
    assert!(status.contains(&index), "{status}");
}

#[test]
fn a_document_that_comes_is_announced_and_found() {
    let server = introducer(&["-q"]);
    let (theirs, ours) = (samples(), folder(&[]));
    let mut holder = announced(started(server.port, theirs.path()), 2);
    fs::write(theirs.path().join("rfc7.txt"), "seven").unwrap();
    holder.expect(&format!("Announced port {} for RFC 7\n", holder.port));
    let (code, ..) = ask(server.port, ours.path(), &["get", "7"]);
    assert_eq!(code, Some(0));
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

/// Runs a command that finds a peer in the background by this state.
fn ask_beside(
    server: u16,
    folder: &Path,
    state: &Path,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let mut command = command(server, folder, arguments);
    command.env(STATE, state);
    let (status, out, errors) = run("peer", command);
    (status.code(), out, errors)
}

#[test]
fn a_peer_in_the_background_works_for_commands() {
    let server = introducer(&["-q"]);
    let state = folder(&[]);
    let _leftovers = Leftovers(state.path().to_owned());
    let (theirs, ours) = (samples_of_peer_2(), samples());
    let _holder = announced(started(server.port, theirs.path()), 2);
    let ask = |arguments: &[&str]| ask_beside(server.port, ours.path(), state.path(), arguments);
    assert_eq!(ask(&["share", "--daemon"]).0, Some(0));
    let (code, out, errors) = ask(&["-v", "lookup", "123"]);
    assert!(
        errors.contains("using the peer in the background"),
        "{errors}"
    );
    assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
    let (code, out, errors) = ask(&["list"]);
    let counts = "1 peer(s) found, 1 asked, 1 answered\n";
    assert_eq!((code, out.lines().count()), (Some(0), 4), "{out}");
    assert_eq!(errors, counts);
    assert_eq!(ask(&["get", "123"]).0, Some(0));
    let (_, out, _) = ask(&["status"]);
    let index = format!("index: dht 127.0.0.1:{}, joined since ", server.port);
    assert!(out.starts_with(&index), "{out}");
    assert!(
        out.contains("\npeers known: 1\nshared: 3 RFC(s) of "),
        "{out}"
    );
    assert_eq!(ask(&["stop"]).0, Some(0));
}

#[test]
fn many_questions_at_once_share_the_threads_that_ask() {
    let server = introducer(&["-q"]);
    let state = folder(&[]);
    let _leftovers = Leftovers(state.path().to_owned());
    let (theirs, ours) = (samples_of_peer_2(), samples());
    let _holder = announced(started(server.port, theirs.path()), 2);
    let ask = |arguments: &[&str]| {
        let (code, out, errors) = ask_beside(server.port, ours.path(), state.path(), arguments);
        assert_eq!(code, Some(0), "{errors}");
        out
    };
    ask(&["share", "--daemon"]);
    let status = ask(&["status"]);
    let id = status.lines().find_map(|line| line.strip_prefix("pid: "));
    let tasks = format!("/proc/{}/task", id.unwrap());
    let most = thread::scope(|scope| {
        let asking: Vec<_> = (0..30)
            .map(|_| scope.spawn(|| ask(&["find", "ipsec"])))
            .collect();
        let mut most = 0;
        while asking.iter().any(|asking| !asking.is_finished()) {
            most = fs::read_dir(&tasks).unwrap().count().max(most);
            thread::yield_now();
        }
        for answer in asking {
            assert_eq!(answer.join().unwrap().lines().count(), 2);
        }
        most
    });
    // A thread for each client and some for the rest. Two peers and an introducer are there to ask.
    assert!(most < 300, "{most} threads");
}

#[test]
fn a_silent_address_holds_up_nobody() {
    let server = introducer(&["-q"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let liar = super::member(server.port);
    let port = silent.local_addr().unwrap().port();
    let key = p2pci::wire::dht::Key::Rfc("3457".parse().unwrap());
    liar.announce(key, p2pci::wire::Port::new(port).unwrap())
        .unwrap();
    let (theirs, ours) = (samples(), folder(&[]));
    let holder = announced(started(server.port, theirs.path()), 2);
    let (code, out, _) = ask(server.port, ours.path(), &["lookup", "3457"]);
    assert_eq!(code, Some(0));
    assert!(out.contains(&format!(" {} ", holder.port)) && !out.contains(&port.to_string()));
    // It was asked.
    let (asked, _) = silent.accept().unwrap();
    asked
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(Client::over(asked).line(), "GET RFC-Index P2P-DI/1.0");
}
