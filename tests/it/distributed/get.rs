//! GET among peers: who is asked, and who is next if one does not deliver.

use std::fs;
use std::time::Instant;

use super::{
    command, document, empty, get, holder, index, pretended, register, registration_server, sharing,
};
use crate::support::{Client, PATIENCE, dead_port, folder, names, pretend, run};

#[test]
fn a_third_peer_that_somebody_knows_of_is_enough() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    // It is asked first, because it registered first.
    let asked = pretend(|_| {});
    register(&rs, asked);
    let third = sharing(&rs, theirs.path(), &[]);
    let third_port = third.port;
    let between = pretended(&rs, move |line, _| {
        assert_eq!(line, "GET RFC-Index P2P-DI/1.0");
        index(&[format!("RFC 7 100 localhost {third_port} Seven")])
    });
    // The third peer is no longer listed as active, but is still running.
    let leave = super::request("LEAVE Peer", third_port, Some(2));
    let leave = leave.replace("Host: vm", "Host: localhost");
    assert_eq!(super::ask(rs.port, leave), empty("200 OK"));
    let mut peer = sharing(&rs, ours.path(), &[]);
    let printed = peer.answer(&["4", "7", ""]);
    assert!(
        printed.contains(&format!(
            "[DOWNLOAD] Connecting to localhost:{third_port} for RFC 7...\n"
        )),
        "{printed}"
    );
    assert!(
        printed.contains(&format!("Peer 127.0.0.1 {between} ")),
        "{printed}"
    );
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
    let asked = third.printed();
    assert!(!asked.contains("GET RFC-Index"), "{asked}");
}

#[test]
fn nobody_is_asked_for_what_is_known_already() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (
        folder(&[("rfc7.txt", b"seven"), ("rfc8.txt", b"eight")]),
        folder(&[]),
    );
    let holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["4", "7", ""]);
    let printed = peer.answer(&["4", "8", ""]);
    assert!(!printed.contains("PQUERY"), "{printed}");
    assert_eq!(fs::read(ours.path().join("rfc8.txt")).unwrap(), b"eight");
    assert_eq!(holder.printed().matches("\nGET RFC-Index ").count(), 1);
}

#[test]
fn the_search_ends_with_the_first_peer_that_delivers() {
    let rs = registration_server(&[]);
    holder(&rs, 7, document("seven"));
    let not_asked = folder(&[]);
    let not_asked = sharing(&rs, not_asked.path(), &[]);
    let ours = folder(&[]);
    assert_eq!(get(&rs, ours.path(), "7").0, Some(0));
    let printed = not_asked.printed();
    assert!(!printed.contains("[UPLOAD] Request"), "{printed}");
}

#[test]
fn a_peer_that_lacks_what_it_lists_leads_to_the_next() {
    let rs = registration_server(&[]);
    holder(&rs, 7, empty("404 Not Found"));
    holder(&rs, 7, empty("503 Busy"));
    holder(&rs, 7, String::new());
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let _holder = sharing(&rs, theirs.path(), &[]);
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(code, Some(0), "{errors}");
    for failure in [
        "it answered with code 404",
        "it answered with code 503",
        "without an answer",
    ] {
        assert!(errors.contains(failure), "{errors}");
    }
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_holder_without_room_is_one_that_does_not_deliver() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (
        folder(&[("rfc7.txt", &b"x".repeat(20_000_000))]),
        folder(&[]),
    );
    let mut busy = sharing(&rs, theirs.path(), &["--max-uploads", "1"]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["2", "7", ""]);
    // Its place is free once its thread has released it.
    let deadline = Instant::now() + PATIENCE;
    let _slow = loop {
        let mut slow = Client::connect(busy.port);
        slow.send("GET RFC 7 P2P-DI/1.0\r\nHost: localhost\r\n\r\n");
        if slow.head().starts_with("P2P-DI/1.0 200 OK\r\n") {
            break slow;
        }
        assert!(Instant::now() < deadline, "its only place stays taken");
    };
    busy.expect("\nGET RFC 7 P2P-DI/1.0\n");
    let printed = peer.answer(&["4", "7", ""]);
    assert!(
        printed.contains(": it answered with code 503\n"),
        "{printed}"
    );
    let (code, errors) = get(&rs, ours.path(), "7");
    assert!(code == Some(3) || code == Some(5), "{code:?}: {errors}");
    assert!(errors.contains("it answered with code 503"), "{errors}");
}

#[test]
fn a_file_that_disappeared_leads_to_the_next_peer() {
    let rs = registration_server(&[]);
    let (gone, theirs, ours) = (
        folder(&[("rfc7.txt", b"seven")]),
        folder(&[("rfc7.txt", b"seven too")]),
        folder(&[]),
    );
    let _gone = sharing(&rs, gone.path(), &[]);
    let _holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["2", "7", ""]);
    fs::remove_file(gone.path().join("rfc7.txt")).unwrap();
    let printed = peer.answer(&["4", "7", ""]);
    assert!(printed.contains("P2P-DI/1.0 404 Not Found\n"), "{printed}");
    assert_eq!(
        fs::read(ours.path().join("rfc7.txt")).unwrap(),
        b"seven too"
    );
}

#[test]
fn a_dead_peer_in_the_list_is_skipped() {
    let rs = registration_server(&[]);
    let dead = dead_port();
    register(&rs, dead);
    // And one that only fails as a holder.
    pretended(&rs, move |_, _| {
        index(&[format!("RFC 7 7200 127.0.0.1 {dead} Seven")])
    });
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let _holder = sharing(&rs, theirs.path(), &[]);
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        errors.contains(&format!(
            "[PEER] 127.0.0.1:{dead} did not send its index: cannot connect to "
        )),
        "{errors}"
    );
    assert!(
        errors.contains(&format!(
            "[DOWNLOAD] Failed from 127.0.0.1:{dead}: cannot connect to "
        )),
        "{errors}"
    );
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn when_the_list_is_exhausted_that_is_the_end() {
    let rs = registration_server(&[]);
    let ours = folder(&[]);
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(
        (code, errors.as_str()),
        (
            Some(3),
            "error: RFC 7 was not downloaded: nobody has RFC 7\n"
        )
    );
    holder(&rs, 7, empty("404 Not Found"));
    holder(&rs, 7, String::new());
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(code, Some(5), "{errors}");
    assert!(
        errors.ends_with(
            "error: RFC 7 was not downloaded: none of 2 peer(s) with RFC 7 could deliver it\n"
        ),
        "{errors}"
    );
    assert_eq!(get(&rs, ours.path(), "8").0, Some(3));
    assert_eq!(names(ours.path()), [""; 0]);
}

#[test]
fn a_get_of_what_nobody_has_says_so() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let _holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    let printed = peer.answer(&["4", "9999", ""]);
    assert!(
        printed.contains("[PEER] No peers have that RFC.\n"),
        "{printed}"
    );
}

#[test]
fn nothing_is_downloaded_from_ourselves() {
    let rs = registration_server(&[]);
    let ours = folder(&[("rfc7.txt", b"seven")]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    let printed = peer.answer(&["4", "7", ""]);
    assert!(
        printed.contains("[PEER] RFC 7 was not downloaded: only this peer has RFC 7.\n"),
        "{printed}"
    );
}

#[test]
fn peers_of_one_name_are_told_apart_by_their_ports() {
    let rs = registration_server(&[]);
    let (one, two, ours) = (
        folder(&[("rfc7.txt", b"seven")]),
        folder(&[("rfc7.txt", b"seven"), ("rfc8.txt", b"eight")]),
        folder(&[]),
    );
    let (one, two) = (sharing(&rs, one.path(), &[]), sharing(&rs, two.path(), &[]));
    let (status, out, errors) = run("peer", command(rs.port, ours.path(), &["list"]));
    assert!(status.success(), "{errors}");
    let mut lines: Vec<_> = out
        .lines()
        .map(|line| line.replace(" 7199 ", " 7200 "))
        .collect();
    lines.sort();
    let mut expected = [(7, one.port), (7, two.port), (8, two.port)]
        .map(|(number, port)| format!("RFC {number} 7200 localhost {port} RFC {number}"));
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(get(&rs, ours.path(), "8").0, Some(0));
}
