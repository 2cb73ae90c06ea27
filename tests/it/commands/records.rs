//! LOOKUP, LIST, find and ADD: their output, and that they change nothing else.

use std::path::Path;
use std::sync::mpsc;

use rustix::process::Signal;

use super::{DNS, Ended, ICP, IPSEC, ask, stage};
use crate::support::{
    LIST, Program, exchange, folder, names, peer_of, pretend, registered, samples, server,
};

#[test]
fn lookup_list_and_find_print_the_records_alone() {
    let stage = stage();
    let (one, two) = (stage.one.port, stage.two.port);
    let ipsec = format!("RFC 3457 {IPSEC} localhost {two}\nRFC 3457 {IPSEC} localhost {one}\n");
    let dns = format!("RFC 2345 {DNS} localhost {one}\n");
    let icp = format!("RFC 123 {ICP} localhost {two}\n");
    for number in ["3457", "rfc3457", "RFC3457.txt", "rfc 3457"] {
        assert_eq!(stage.ask(&["lookup", number]).result(), ipsec);
    }
    let (first, second) = ipsec.split_at(ipsec.find('\n').unwrap() + 1);
    let all = [first, &icp, second, &dns].concat();
    assert_eq!(stage.ask(&["list"]).result(), all);
    for words in [&["ipsec"][..], &["SCENARIOS", "req"], &["sec rem", "acc"]] {
        let found = stage.ask(&[&["find"], words].concat());
        assert_eq!(found.result(), ipsec, "{words:?}");
    }
    assert_eq!(stage.ask(&["find", "omain", "nAm"]).result(), dns);
    let everything = stage.ask(&["find", "e"]);
    assert_eq!(everything.result(), all);
    assert_eq!(names(stage.empty.path()), [""; 0]);
}

#[test]
fn add_registers_with_the_title_of_the_file_or_the_one_given() {
    let server = server(&["-q"]);
    let samples = samples();
    let add =
        |arguments: &[&str]| ask(server.port, samples.path(), &[&["add"], arguments].concat());
    let without_port = |added: &Ended| {
        assert_eq!(added.code, Some(0), "{added:?}");
        assert_eq!(added.errors, only_while_it_runs(2345, samples.path()));
        let line = added.out.strip_suffix('\n').unwrap();
        line.rsplit_once(' ').unwrap().0.to_owned()
    };
    assert_eq!(
        without_port(&add(&["2345"])),
        format!("RFC 2345 {DNS} localhost")
    );
    assert_eq!(
        without_port(&add(&["rfc2345", "--title", "Another title"])),
        "RFC 2345 Another title localhost"
    );
    let absent = add(&["77"]);
    assert_eq!(absent.code, Some(0));
    assert!(
        absent.out.starts_with("RFC 77 RFC 77 localhost "),
        "{absent:?}"
    );
    let warning = format!(
        "[PEER] Warning: {} has no file for RFC 77; others will get 404 Not Found.\n",
        samples.path().display()
    );
    assert_eq!(
        absent.errors,
        warning + &only_while_it_runs(77, samples.path())
    );
    assert_eq!(add(&["-q", "2345"]).errors, "");
}

fn only_while_it_runs(number: u32, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "RFC {number} is registered only while this command runs; --stay keeps it registered, and \
         so does a peer in the background (`peer --dir {folder} share --daemon`)\n"
    )
}

#[test]
fn add_with_stay_serves_this_rfc_until_a_signal() {
    let mut server = server(&["-q"]);
    let samples = samples();
    let add = peer_of(server.port, samples.path(), &["add", "--stay", "2345"]);
    let mut staying = Program::start("peer", add);
    let record = staying.expect("\n");
    assert!(record.starts_with(&format!("RFC 2345 {DNS} ")), "{record}");
    // Nothing else of the folder.
    let listed = exchange(server.port, LIST);
    let expected = format!("P2P-CI/1.0 200 OK\r\n\r\n{}\r\n\r\n", record.trim_end());
    assert_eq!(listed, expected);
    let port = record.trim_end().rsplit(' ').next().unwrap();
    let get = "GET RFC 2345 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    let got = exchange(port.parse().unwrap(), get);
    assert!(got.starts_with("P2P-CI/1.0 200 OK\r\n"), "{got}");
    staying.signal(Signal::INT);
    let (status, _, errors) = staying.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    server.expect("left. Removed 1 peer(s), 1 RFC(s).\n");
}

#[test]
fn add_with_stay_ends_if_it_fails() {
    let refusing = pretend(|mut client| {
        client.head();
        client.send("P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n");
        client.rest();
    });
    let samples = samples();
    let failed = ask(refusing, samples.path(), &["add", "--stay", "2345"]);
    assert_eq!(
        (failed.code, failed.out.as_str()),
        (Some(6), ""),
        "{failed:?}"
    );
}

#[test]
fn a_command_that_asks_registers_nothing_and_makes_no_folder() {
    let server = server(&["-q"]);
    let (samples, holder) = (samples(), registered(server.port, 7, "Seven", 7001));
    let parent = folder(&[]);
    let missing = parent.path().join("missing");
    let record = "RFC 7 Seven 127.0.0.1 7001\n";
    for asked in [&["lookup", "7"][..], &["list"], &["find", "seven"]] {
        for folder in [samples.path(), &missing] {
            assert_eq!(ask(server.port, folder, asked).result(), record);
        }
    }
    assert!(!missing.exists());
    assert_eq!(
        exchange(server.port, LIST),
        format!("P2P-CI/1.0 200 OK\r\n\r\n{}\r\n\r\n", record.trim_end())
    );
    drop(holder);

    // Meanwhile, its folder is not registered, and the port that it names listens.
    let (said, more) = mpsc::channel();
    let index = pretend(move |mut client| {
        let head = client.head();
        assert!(head.starts_with("LOOKUP RFC 7 P2P-CI/1.0\r\n"), "{head}");
        let port = head.split("\r\nPort: ").nth(1).unwrap();
        let port = port.split("\r\n").next().unwrap().parse().unwrap();
        // It does not serve what it does not share.
        let get = "GET RFC 2345 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
        assert_eq!(
            exchange(port, get).split("\r\n").next(),
            Some("P2P-CI/1.0 404 Not Found")
        );
        client.send("P2P-CI/1.0 200 OK\r\n\r\nRFC 7 Seven vm 5\r\n\r\n");
        said.send(client.rest()).unwrap();
    });
    let ended = ask(index, samples.path(), &["lookup", "7"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "RFC 7 Seven vm 5\n"),
        "{ended:?}"
    );
    assert_eq!(more.recv().unwrap(), b"");
}
