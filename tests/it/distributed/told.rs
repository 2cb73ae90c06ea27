//! What peers tell each other, and peers that lie.

use std::fs;
use std::io::Write;

use super::{
    command, document, empty, get, index, ok, pretended, register, registration_server, sharing,
};
use crate::support::{Client, Program, at_once, folder, pretend, run};

/// The index that `peer` sends, without its own records.
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
    // A file must be seen before its loss can be detected.
    fs::write(theirs.path().join("rfc9.txt"), "nine").unwrap();
    holder.expect("[PEER] RFC 9 is in the local index: RFC 9\n");
    fs::remove_file(theirs.path().join("rfc8.txt")).unwrap();
    holder.expect("[PEER] The file of RFC 8 disappeared from ");
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
        let begin = format!("[PEER] 127.0.0.1:{liar} did not send its index: it answered ");
        let said = printed.lines().find(|line| line.starts_with(&begin));
        assert!(said.is_some_and(|said| said.contains(shown)), "{printed}");
        assert!(!printed.contains('\u{1b}'), "{printed:?}");
        assert!(
            printed.contains("[PEER] No peers have that RFC.\n"),
            "{printed}"
        );
        assert_eq!(told(&peer), [""; 0]);
    }
}

#[test]
fn an_answer_of_another_kind_is_said() {
    let cases = [
        (String::new(), "it closed the connection without an answer"),
        (empty("503 Busy"), "it answered with code 503"),
        (
            "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
            "which is not a P2P-DI/1.0 response",
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
            "its header Content-Length is missing or invalid",
        ),
    ];
    at_once(cases, |(answer, said)| {
        let rs = registration_server(&[]);
        pretended(&rs, move |_, _| answer.clone());
        let ours = folder(&[]);
        let (code, errors) = get(&rs, ours.path(), "7");
        assert_eq!(code, Some(3), "{errors}");
        assert!(errors.contains(said), "{said}: {errors}");
    });
}

#[test]
fn an_endless_answer_is_cut_at_the_limit() {
    let rs = registration_server(&[]);
    let port = pretend(|client| {
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
        (
            "Peer vm 5\r\n",
            "it answered \\\"Peer vm 5\\\", which is not a peer",
        ),
        ("Peer vm 0 7200\r\n", "Peer vm 0 7200"),
        ("Peer a/b 5 7200\r\n", "a/b"),
    ] {
        let rs = pretend(move |mut client| {
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
