//! GET among peers that tell each other what they have, and those who lie.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::{
    command, dead_port, empty, holder, index, ok, pretended, register, registration_server, sharing,
};
use crate::support::{Client, PATIENCE, Program, folder, names, run};

/// What a `get` has left behind: its exit code, and its errors.
fn get(rs: &Program, folder: &Path, number: &str) -> (Option<i32>, String) {
    let (status, out, errors) = run("peer", command(rs.port, folder, &["get", number]));
    assert_eq!(status.success(), !out.is_empty(), "{out}{errors}");
    (status.code(), errors)
}

/// The answer that carries a document, without a digest.
fn document(text: &str) -> String {
    ok("Content-Type: text/plain\r\n", text)
}

#[test]
fn a_third_peer_that_somebody_knows_of_is_enough() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    // It is asked first, for it has registered first.
    let asked = super::pretend(|_| {});
    register(&rs, asked);
    let third = sharing(&rs, theirs.path(), &[]);
    let third_port = third.port;
    let between = pretended(&rs, move |line, _| {
        assert_eq!(line, "GET RFC-Index P2P-DI/1.0");
        index(&[format!("RFC 7 100 localhost {third_port} Seven")])
    });
    // The third peer is not listed as active any more, and is there all the same.
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
fn whoever_does_not_have_what_it_lists_leads_to_the_next() {
    let rs = registration_server(&[]);
    holder(&rs, 7, empty("404 Not Found"));
    holder(&rs, 7, empty("503 Busy"));
    holder(&rs, 7, String::new());
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let _holder = sharing(&rs, theirs.path(), &[]);
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(code, Some(0), "{errors}");
    for failure in [
        "it answers with code 404",
        "it answers with code 503",
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
    // The place of that question is free once its thread has let go of it.
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
        printed.contains(": it answers with code 503\n"),
        "{printed}"
    );
    let (code, errors) = get(&rs, ours.path(), "7");
    assert!(code == Some(3) || code == Some(5), "{code:?}: {errors}");
    assert!(errors.contains("it answers with code 503"), "{errors}");
}

#[test]
fn a_file_that_went_leads_to_the_next_peer() {
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
    // And one that is dead only as a holder.
    pretended(&rs, move |_, _| {
        index(&[format!("RFC 7 7200 127.0.0.1 {dead} Seven")])
    });
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let _holder = sharing(&rs, theirs.path(), &[]);
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        errors.contains(&format!(
            "[PEER] 127.0.0.1:{dead} has not told its index: cannot connect to "
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
            "error: RFC 7 was not downloaded: none of 2 holder(s) of RFC 7 could deliver it\n"
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
        printed.contains("[PEER] Nobody has RFC 9999.\n"),
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
        printed
            .contains("[PEER] RFC 7 was not downloaded: only this peer says that it has RFC 7.\n"),
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

#[test]
fn bytes_that_are_not_those_announced_are_not_saved() {
    let digest = |digest: &str| ok(&format!("Digest: {digest}\r\n"), "seven");
    let short = "P2P-DI/1.0 200 OK\r\nContent-Length: 9\r\n\r\nseven".to_owned();
    let zeros = format!("SHA-256={}", "0".repeat(64));
    for (answer, code, failure) in [
        (digest(&zeros), 7, "its bytes have the SHA-256 "),
        (
            digest("sha-256=xyz"),
            6,
            "its header Digest is missing or wrong",
        ),
        (short, 7, "it sent 5 of 9 bytes"),
    ] {
        let rs = registration_server(&[]);
        holder(&rs, 7, answer.clone());
        let ours = folder(&[]);
        let (ended, errors) = get(&rs, ours.path(), "7");
        assert_eq!(ended, Some(code), "{answer:?}: {errors}");
        assert!(errors.contains(failure), "{errors}");
        assert_eq!(names(ours.path()), [""; 0], "{answer:?}");
    }
}

#[test]
fn a_wrong_digest_leaves_what_was_there_and_leads_to_the_next() {
    let rs = registration_server(&[]);
    let zeros = format!("Digest: sha-256={}\r\n", "0".repeat(64));
    holder(&rs, 7, ok(&zeros, "wrong"));
    let (theirs, ours) = (
        folder(&[("rfc7.txt", b"seven")]),
        folder(&[("rfc7.txt", b"old")]),
    );
    let _holder = sharing(&rs, theirs.path(), &[]);
    let arguments = ["get", "7", "--force"];
    let (status, _, errors) = run("peer", command(rs.port, ours.path(), &arguments));
    assert!(status.success(), "{errors}");
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_digest_that_is_missing_or_of_another_kind_is_none() {
    // The last one has no length either: it goes on up to the close.
    for answer in [
        document("seven"),
        ok("Digest: md5=x\r\n", "seven"),
        "P2P-DI/1.0 200 OK\r\n\r\nseven".to_owned(),
    ] {
        let rs = registration_server(&[]);
        holder(&rs, 7, answer.clone());
        let ours = folder(&[]);
        let (ended, errors) = get(&rs, ours.path(), "7");
        assert_eq!(ended, Some(0), "{answer:?}: {errors}");
        assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
    }
}

#[test]
fn a_download_speaks_of_itself_from_then_on() {
    let rs = registration_server(&[]);
    let (theirs, ours, others) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]), folder(&[]));
    let mut holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["4", "7", ""]);
    holder.type_line("5");
    assert!(holder.wait().0.success());
    // The departed peer is still known to this one, and is tried, and fails.
    assert_eq!(get(&rs, others.path(), "7").0, Some(0));
    assert_eq!(fs::read(others.path().join("rfc7.txt")).unwrap(), b"seven");
}

/// The index of `peer`, as it tells it, without what it has itself.
fn told(peer: &Program) -> Vec<String> {
    let mut client = Client::connect(peer.port);
    client.send("GET RFC-Index P2P-DI/1.0\r\nHost: localhost\r\n\r\n");
    client.head();
    let body = String::from_utf8(client.rest()).unwrap();
    body.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_said_of_us_is_skipped_and_no_record_outlives_its_time() {
    let rs = registration_server(&[]);
    let ours = folder(&[("rfc1.txt", b"one")]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    let us = peer.port;
    let liar = pretended(&rs, move |_, port| {
        index(&[
            format!("RFC 66 7200 localhost {us} Not ours"),
            format!("RFC 66 7200 LOCALHOST {us} Not ours"),
            format!("RFC 1 5 localhost {us} Renamed"),
            "RFC 2 4294967295 vm 5 Far too long".to_owned(),
            "RFC 3 100 vm 5 Shorter".to_owned(),
            "RFC 4 0 vm 5 Dead".to_owned(),
            format!("RFC 5 3 127.0.0.1 {port} Its own"),
        ])
    });
    peer.answer(&["2", "9999", ""]);
    let ttls: Vec<_> = told(&peer)
        .into_iter()
        .map(|line| {
            let words: Vec<_> = line.splitn(4, ' ').map(str::to_owned).collect();
            let ttl: u32 = words[2].parse().unwrap();
            (format!("{} {}", words[1], words[3]), ttl)
        })
        .collect();
    let named: Vec<_> = ttls.iter().map(|(record, _)| record.as_str()).collect();
    let expected = [
        format!("1 localhost {us} RFC 1"),
        "2 vm 5 Far too long".to_owned(),
        "3 vm 5 Shorter".to_owned(),
        format!("5 127.0.0.1 {liar} Its own"),
    ];
    assert_eq!(named, expected);
    for ((record, ttl), most) in ttls.iter().zip([7200, 7200, 100, 7200]) {
        assert!((most - 30..=most).contains(ttl), "{record}: {ttl}");
    }
}

#[test]
fn what_others_say_never_lengthens_what_is_known() {
    let rs = registration_server(&[]);
    let say = |ttl: u32| move |_: &str, _: u16| index(&[format!("RFC 3 {ttl} vm 5 Three")]);
    pretended(&rs, say(100));
    pretended(&rs, say(7200));
    let ours = folder(&[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["2", "9999", ""]);
    peer.answer(&["2", "9999", ""]);
    let told = told(&peer);
    assert_eq!(told.len(), 1, "{told:?}");
    let ttl: u32 = told[0].split(' ').nth(2).unwrap().parse().unwrap();
    assert!(ttl <= 100, "{told:?}");
}

#[test]
fn what_its_holder_no_longer_lists_is_dropped() {
    let rs = registration_server(&[]);
    let (theirs, ours) = (
        folder(&[("rfc7.txt", b"seven"), ("rfc8.txt", b"eight")]),
        folder(&[]),
    );
    let mut holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["2", "7", ""]);
    assert_eq!(told(&peer).len(), 2);
    // A file must have been seen before it can be missed.
    fs::write(theirs.path().join("rfc9.txt"), "nine").unwrap();
    holder.expect("[PEER] RFC 9 is in the local index: RFC 9\n");
    fs::remove_file(theirs.path().join("rfc8.txt")).unwrap();
    holder.expect("[PEER] RFC 8 is gone from ");
    peer.answer(&["2", "9999", ""]);
    let told = told(&peer);
    let numbers: Vec<_> = told
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(numbers, ["7", "9"], "{told:?}");
}

#[test]
fn an_answer_with_a_wrong_line_is_refused_whole_and_said() {
    for (line, shown) in [
        ("RFC 7 7200 vm 5 A\u{1b}[2Jtitle", "A\\u{1b}[2Jtitle"),
        ("RFC 7 7200 a/b 5 T", "a/b"),
        ("RFC 7 -1 vm 5 T", "-1"),
        ("RFC 7 7200 vm 0 T", "vm 0"),
        ("RFC 0 7200 vm 5 T", "RFC 0"),
        ("RFC 7 7200 vm", "7200 vm"),
        ("nonsense", "nonsense"),
    ] {
        let rs = registration_server(&[]);
        let liar = pretended(&rs, move |_, port| {
            index(&[
                format!("RFC 9 7200 127.0.0.1 {port} Right"),
                line.to_owned(),
            ])
        });
        let ours = folder(&[]);
        let mut peer = sharing(&rs, ours.path(), &[]);
        let printed = peer.answer(&["2", "9", ""]);
        let begin =
            format!("[PEER] 127.0.0.1:{liar} has not told its index: its answer has the line ");
        let said = printed.lines().find(|line| line.starts_with(&begin));
        assert!(said.is_some_and(|said| said.contains(shown)), "{printed}");
        assert!(!printed.contains('\u{1b}'), "{printed:?}");
        assert!(printed.contains("[PEER] Nobody has it.\n"), "{printed}");
        assert_eq!(told(&peer), [""; 0]);
    }
}

#[test]
fn an_answer_of_another_kind_is_said() {
    for (answer, said) in [
        (String::new(), "it closed the connection without an answer"),
        (empty("503 Busy"), "it answers with code 503"),
        (
            "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
            "which is no P2P-DI/1.0 status line",
        ),
        (
            "P2P-DI/1.0 200 OK\r\nContent-Length: 67108865\r\n\r\n".to_owned(),
            "its answer is longer than 64 MiB",
        ),
        (
            "P2P-DI/1.0 200 OK\r\nContent-Length: 100\r\n\r\nRFC 7 7200 vm 5 T\r\n".to_owned(),
            "it sent 19 of 100 bytes",
        ),
        (
            "P2P-DI/1.0 200 OK\r\nContent-Length: x\r\n\r\n".to_owned(),
            "its header Content-Length is missing or wrong",
        ),
    ] {
        let rs = registration_server(&[]);
        pretended(&rs, move |_, _| answer.clone());
        let ours = folder(&[]);
        let (code, errors) = get(&rs, ours.path(), "7");
        assert_eq!(code, Some(3), "{errors}");
        assert!(errors.contains(said), "{said}: {errors}");
    }
}

#[test]
fn an_endless_answer_is_cut_at_the_limit() {
    let rs = registration_server(&[]);
    let port = super::pretend(|client| {
        let mut stream = client.stream();
        let _ = stream.write_all(b"P2P-DI/1.0 200 OK\r\n\r\n");
        let lines = b"RFC 7 7200 vm 5 Title\r\n".repeat(10_000);
        while stream.write_all(&lines).is_ok() {}
    });
    register(&rs, port);
    let ours = folder(&[]);
    let (code, errors) = get(&rs, ours.path(), "7");
    assert_eq!(code, Some(3), "{errors}");
    assert!(
        errors.contains("its answer is longer than 64 MiB"),
        "{errors}"
    );
}

#[test]
fn the_number_of_records_in_the_head_is_only_said() {
    for count in ["0", "99999999", "x", "-1"] {
        let rs = registration_server(&[]);
        pretended(&rs, move |line, port| {
            if line.starts_with("GET RFC-Index") {
                let body = format!("RFC 7 7200 127.0.0.1 {port} Seven\r\n");
                ok(&format!("Records: {count}\r\n"), &body)
            } else {
                document("seven")
            }
        });
        let ours = folder(&[]);
        assert_eq!(get(&rs, ours.path(), "7").0, Some(0), "{count}");
    }
}

#[test]
fn a_list_of_peers_that_cannot_be_read_is_no_list() {
    for (body, said) in [
        ("Peer vm 5\r\n", "its answer has the line \\\"Peer vm 5\\\""),
        ("Peer vm 0 7200\r\n", "Peer vm 0 7200"),
        ("Peer a/b 5 7200\r\n", "a/b"),
    ] {
        let rs = super::pretend(move |mut client| {
            let line = client.head();
            client.send(if line.starts_with("REGISTER") {
                ok("Cookie: 1\r\nTTL: 7200\r\nRegistrations: 1\r\n", "")
            } else if line.starts_with("PQUERY") {
                ok("Peers: 1\r\n", body)
            } else {
                ok("", "")
            });
        });
        let ours = folder(&[]);
        let (status, _, errors) = run("peer", command(rs, ours.path(), &["get", "7"]));
        assert_eq!(status.code(), Some(6), "{errors}");
        assert!(errors.replace('"', "\\\"").contains(said), "{errors}");
    }
}
