//! The menu and the commands for scripts with a distributed index.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{command, registration_server, sharing};
use crate::support::scenarios_di::{documents, with_whole_ttls};
use crate::support::{Program, folder, names, run};

const AVIAN: &str = "IP over Avian Carriers";
const COFFEE: &str = "Hyper Text Coffee Pot Control Protocol";

/// The menu and its question.
const MENU: &str = "1. ADD    — share an RFC with the other peers
2. LOOKUP — find which peers have an RFC
3. LIST   — list all RFCs that this peer knows of
4. GET    — download an RFC (LOOKUP, GET, ADD)
5. EXIT   — leave and quit
Choice: ";

/// Runs a command of a peer, which must succeed and print only its result.
#[track_caller]
fn result(rs: &Program, folder: &Path, arguments: &[&str]) -> String {
    let (status, out, errors) = run("peer", command(rs.port, folder, arguments));
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{out}");
    out
}

#[track_caller]
fn document(rs: &Program, folder: &Path, arguments: &[&str]) -> Value {
    let mut document: Value = serde_json::from_str(&result(rs, folder, arguments)).unwrap();
    // A second may have passed since the record arrived.
    if let Some(records) = document.get_mut("records").and_then(Value::as_array_mut) {
        for record in records {
            let ttl = record.get_mut("ttl").expect("it has a TTL");
            assert!(ttl.as_u64().is_some_and(|ttl| (7100..=7200).contains(&ttl)));
            *ttl = json!(7200);
        }
    }
    document
}

#[test]
fn list_at_the_menu_shows_what_is_known_with_its_ttl() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (documents(), folder(&[("rfc5.txt", b"five")]));
    let holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    // Nobody was asked yet.
    let own = format!("RFC 5 7200 localhost {} RFC 5\n", peer.port);
    let known = "[PEER] These are the records that this peer knows; find asks the other peers.\n";
    assert_eq!(peer.answer(&["3"]), format!("3\n{own}{known}{MENU}"));
    peer.answer(&["2", "1149", ""]);
    let port = holder.port;
    let expected = format!(
        "3\n{own}RFC 1149 7200 localhost {port} {AVIAN}\nRFC 2324 7200 localhost {port} {COFFEE}\n{known}{MENU}"
    );
    assert_eq!(with_whole_ttls(&peer.answer(&["3"])), expected);
    // What it has downloaded is its own too.
    peer.answer(&["4", "2324", ""]);
    let printed = with_whole_ttls(&peer.answer(&["3"]));
    let own = format!("RFC 2324 7200 localhost {} {COFFEE}\n", peer.port);
    assert!(printed.contains(&own), "{printed}");
}

#[test]
fn list_at_the_menu_names_what_asks_the_others() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (documents(), folder(&[]));
    let holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &["-q"]);
    let none = "[PEER] No records are known yet; LOOKUP and find ask the other peers.\n";
    for typed in ["list", "list coffee"] {
        assert_eq!(peer.answer(&[typed]), format!("{typed}\n{none}{MENU}"));
    }
    let port = holder.port;
    let avian = format!("RFC 1149 7200 localhost {port} {AVIAN}\n");
    let coffee = format!("RFC 2324 7200 localhost {port} {COFFEE}\n");
    let question = "find\nWords of the title (press Enter for all): \n";
    let printed = with_whole_ttls(&peer.answer(&["find", ""]));
    assert_eq!(printed, format!("{question}{avian}{coffee}{MENU}"));
    let none = "[PEER] No known title has all of these words; find asks the other peers.\n";
    let typed = "list ethernet";
    assert_eq!(peer.answer(&[typed]), format!("{typed}\n{none}{MENU}"));
    let none = "[PEER] No title has all of these words.\n";
    let typed = "find ethernet";
    assert_eq!(peer.answer(&[typed]), format!("{typed}\n{none}{MENU}"));
}

#[test]
fn quiet_shows_answers_without_messages() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (documents(), folder(&[]));
    let _holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &["-q"]);
    let printed = peer.answer(&["2", "1149", ""]);
    assert!(printed.contains("\nRFC 1149 "), "{printed}");
    assert!(!printed.contains("PQUERY"), "{printed}");
    let printed = peer.answer(&["2", "9999", ""]);
    assert!(
        printed.contains("[PEER] No peers have that RFC.\n"),
        "{printed}"
    );
    let printed = peer.answer(&["4", "9999", ""]);
    assert!(
        printed.contains("[PEER] No peers have that RFC.\n"),
        "{printed}"
    );
}

#[test]
fn add_at_the_menu_is_seen_by_others() {
    let rs = registration_server(&[]);
    let (one, two) = (folder(&[]), folder(&[]));
    let mut one = sharing(&rs, one.path(), &[]);
    let mut two = sharing(&rs, two.path(), &[]);
    let printed = one.answer(&["1", "77", "Seventy-seven"]);
    assert!(
        printed.contains("[PEER] RFC 77 is in the local index: Seventy-seven\n"),
        "{printed}"
    );
    assert!(
        printed.contains(" has no file for RFC 77; others will get 404"),
        "{printed}"
    );
    let printed = two.answer(&["2", "77", ""]);
    assert!(
        printed.contains(&format!(
            "RFC 77 7200 localhost {} Seventy-seven\n",
            one.port
        )),
        "{printed}"
    );
}

#[test]
fn get_all_at_the_menu_asks_everybody() {
    let rs = registration_server(&[]);
    let (one, two, ours) = (documents(), folder(&[("rfc5.txt", b"five")]), folder(&[]));
    let _one = sharing(&rs, one.path(), &[]);
    let _two = sharing(&rs, two.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["get all"]);
    assert_eq!(
        names(ours.path()),
        ["rfc1149.txt", "rfc2324.txt", "rfc5.txt"]
    );
}

#[test]
fn lookup_list_and_find_print_records() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (documents(), folder(&[]));
    let holder = sharing(&rs, theirs.path(), &[]);
    let port = holder.port;
    let record = |number: u32, title: &str| json!({"number": number, "title": title, "host": "localhost", "port": port, "ttl": 7200});
    let both = json!({"records": [record(1149, AVIAN), record(2324, COFFEE)]});
    assert_eq!(document(&rs, ours.path(), &["list", "--json"]), both);
    let one = json!({"records": [record(2324, COFFEE)]});
    let found = document(&rs, ours.path(), &["find", "coffee", "--json"]);
    assert_eq!(found, one);
    let lines = with_whole_ttls(&result(&rs, ours.path(), &["list"]));
    let expected = format!(
        "RFC 1149 7200 localhost {port} {AVIAN}\nRFC 2324 7200 localhost {port} {COFFEE}\n"
    );
    assert_eq!(lines, expected);
    let lines = with_whole_ttls(&result(&rs, ours.path(), &["find", "AVIAN", "ip"]));
    assert_eq!(lines, format!("RFC 1149 7200 localhost {port} {AVIAN}\n"));
    for wanted in [&["lookup", "77"][..], &["find", "nothing"]] {
        let (status, out, errors) = run("peer", command(rs.port, ours.path(), wanted));
        assert_eq!((status.code(), out.as_str()), (Some(3), ""), "{errors}");
    }
    assert_eq!(names(ours.path()), [""; 0]);
}

#[test]
fn lookup_prints_records_as_list_does() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (documents(), folder(&[]));
    let holder = sharing(&rs, theirs.path(), &[]);
    let port = holder.port;
    let line = format!("RFC 1149 7200 localhost {port} {AVIAN}\n");
    let printed = with_whole_ttls(&result(&rs, ours.path(), &["lookup", "1149"]));
    assert_eq!(printed, line);
    let record =
        json!({"number": 1149, "title": AVIAN, "host": "localhost", "port": port, "ttl": 7200});
    let found = document(&rs, ours.path(), &["lookup", "1149", "--json"]);
    assert_eq!(found, json!({"records": [record]}));
}

#[test]
fn get_downloads_what_others_have() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (documents(), folder(&[]));
    let holder = sharing(&rs, theirs.path(), &[]);
    let got = document(&rs, ours.path(), &["-q", "get", "all", "--json"]);
    let downloaded = |number: u32, title: &str| {
        let name = format!("rfc{number}.txt");
        let length = fs::metadata(theirs.path().join(&name)).unwrap().len();
        json!({
            "number": number, "title": title, "host": "localhost", "port": holder.port,
            "path": ours.path().join(name), "bytes": length,
        })
    };
    let expected = json!({
        "downloaded": [downloaded(1149, AVIAN), downloaded(2324, COFFEE)], "kept": [], "failed": [],
    });
    assert_eq!(got, expected);
    for name in ["rfc1149.txt", "rfc2324.txt"] {
        assert_eq!(
            fs::read(ours.path().join(name)).unwrap(),
            fs::read(theirs.path().join(name)).unwrap()
        );
    }
    let text = result(&rs, ours.path(), &["get", "1149", "-o", "-"]);
    assert_eq!(
        text.as_bytes(),
        fs::read(theirs.path().join("rfc1149.txt")).unwrap()
    );
}

#[test]
fn commands_leave_when_they_end() {
    let mut rs = registration_server(&[]);
    let ours = folder(&[]);
    for _ in 0..2 {
        assert_eq!(result(&rs, ours.path(), &["list"]), "");
        rs.expect(") left\n");
    }
}

#[test]
fn commands_are_one_peer_to_the_registration_server() {
    let mut rs = registration_server(&[]);
    let (one, two, state) = (folder(&[]), folder(&[]), folder(&[]));
    for (folder, count) in [(&one, 1), (&two, 2)] {
        let mut list = command(rs.port, folder.path(), &["list"]);
        list.env(crate::support::STATE, state.path());
        assert!(run("peer", list).0.success());
        rs.expect(&format!("\nCookie: 1\nTTL: 7200\nRegistrations: {count}\n"));
    }
}

#[test]
fn a_get_that_shares_tells_others_what_it_has_got() {
    let mut rs = registration_server(&[]);
    let (theirs, ours, others) = (documents(), folder(&[]), folder(&[]));
    let mut holder = sharing(&rs, theirs.path(), &[]);
    let share = command(rs.port, ours.path(), &["get", "1149", "--share"]);
    let share = Program::start("peer", share);
    share.expect_error("RFC 1149 is in ");
    holder.type_line("5");
    assert!(holder.wait().0.success());
    rs.expect(") left\n");
    result(&rs, others.path(), &["-q", "get", "1149"]);
    assert_eq!(names(others.path()), ["rfc1149.txt"]);
}
