//! The upload server's answers in both protocols, and its rate.

use std::thread;

use super::{DISTRIBUTED, answer, index, pretended, registration_server, sharing};
use crate::support::scenarios_di::{documents, with_whole_ttls};
use crate::support::{
    Client, Program, exchange, folder, names_in, peer_at_menu, peer_command, run, server,
};

fn get(what: &str, version: &str) -> String {
    format!("GET {what} {version}\r\nHost: localhost\r\nOS: Test\r\n\r\n")
}

/// A head, and the body that follows it.
fn parts(port: u16, request: &str) -> (String, Vec<u8>) {
    let mut client = Client::connect(port);
    client.send(request);
    (client.head(), client.rest())
}

/// Checks the answers of an upload server, whatever index its peer uses.
fn answers_both_protocols(peer: &Program) {
    let port = peer.port;
    let ask = |request: &str| {
        let mut client = Client::connect(port);
        client.send(request);
        answer(&mut client)
    };
    let body = format!(
        "RFC 1149 7200 localhost {port} IP over Avian Carriers\r\n\
         RFC 2324 7200 localhost {port} Hyper Text Coffee Pot Control Protocol\r\n"
    );
    let expected = format!(
        "P2P-DI/1.0 200 OK\r\nRecords: 2\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(ask(&get("RFC-Index", "P2P-DI/1.0")), expected);

    let (head, ours) = parts(port, &get("RFC 1149", "P2P-DI/1.0"));
    let expected = [
        "P2P-DI/1.0 200 OK",
        "Date",
        "OS",
        "RFC-Number",
        "RFC-Title",
        "Content-Type",
        "Last-Modified",
        "Digest",
        "Content-Length",
        "",
    ];
    assert_eq!(names_in(&head), expected);
    for field in [
        "RFC-Number: 1149",
        "RFC-Title: IP over Avian Carriers",
        "Content-Type: text/plain",
        "Digest: sha-256=965263a1a4df77ab9a4609ee55938cd741dd3e816ea2d8ba89f7856cbad45cf7",
        "Content-Length: 265",
    ] {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    let (head, theirs) = parts(port, &get("RFC 1149", "P2P-CI/1.0"));
    assert!(head.starts_with("P2P-CI/1.0 200 OK\r\n"), "{head}");
    assert!(!head.contains("Digest"), "{head}");
    assert_eq!((ours.len(), ours), (265, theirs));

    for (what, version, status) in [
        ("RFC 9", "P2P-DI/1.0", "404 Not Found"),
        ("RFC 0", "P2P-DI/1.0", "400 Bad Request"),
        ("RFC x", "P2P-DI/1.0", "400 Bad Request"),
        ("RFC-index", "P2P-DI/1.0", "400 Bad Request"),
        ("RFC-Index 1", "P2P-DI/1.0", "400 Bad Request"),
        ("RFC 1149", "P2P-DI/2.0", "505 P2P-DI Version Not Supported"),
        (
            "RFC-Index",
            "P2P-DI/0.1",
            "505 P2P-DI Version Not Supported",
        ),
    ] {
        assert_eq!(
            ask(&get(what, version)),
            super::empty(status),
            "{what} {version}"
        );
    }
    for (what, version, status) in [
        ("RFC 9", "P2P-CI/1.0", "404 Not Found"),
        ("RFC-Index", "P2P-CI/1.0", "400 Bad Request"),
        ("RFC 1149", "P2P-CI/2.0", "505 P2P-CI Version Not Supported"),
        // A request in neither protocol is answered in the first.
        ("RFC 1149", "P2P-XX/1.0", "400 Bad Request"),
    ] {
        let expected = format!("P2P-CI/1.0 {status}\r\n\r\n");
        assert_eq!(
            exchange(port, get(what, version)),
            expected,
            "{what} {version}"
        );
    }
    for (request, status) in [
        (
            "GET RFC 1149 P2P-DI/1.0\r\nOS: x\r\n\r\n",
            "400 Bad Request",
        ),
        (
            "PUT RFC 1149 P2P-DI/1.0\r\nHost: x\r\n\r\n",
            "400 Bad Request",
        ),
        (
            "REGISTER Peer P2P-DI/1.0\r\nHost: x\r\n\r\n",
            "400 Bad Request",
        ),
    ] {
        assert_eq!(ask(request), super::empty(status), "{request}");
    }
}

#[test]
fn a_peer_of_a_distributed_index_answers_both_protocols() {
    let rs = registration_server(&[]);
    let folder = documents();
    answers_both_protocols(&sharing(&rs, folder.path(), &[]));
}

#[test]
fn a_peer_of_a_central_index_answers_both_protocols() {
    let server = server(&[]);
    let folder = documents();
    answers_both_protocols(&peer_at_menu("peer", server.port, folder.path(), &[]));
}

#[test]
fn an_empty_folder_has_an_empty_index() {
    let rs = registration_server(&[]);
    let folder = folder(&[]);
    let peer = sharing(&rs, folder.path(), &[]);
    let mut client = Client::connect(peer.port);
    client.send(get("RFC-Index", "P2P-DI/1.0"));
    let expected = "P2P-DI/1.0 200 OK\r\nRecords: 0\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answer(&mut client), expected);
}

#[test]
fn only_what_was_chosen_is_told() {
    let rs = registration_server(&[]);
    let folder = folder(&[("rfc1.txt", b""), ("rfc2.txt", b""), ("rfc3.txt", b"")]);
    let peer = sharing(&rs, folder.path(), &["--rfcs", "1", "3"]);
    let (head, body) = parts(peer.port, &get("RFC-Index", "P2P-DI/1.0"));
    assert!(head.contains("\r\nRecords: 2\r\n"), "{head}");
    let body = String::from_utf8(body).unwrap();
    assert!(!body.contains("RFC 2"), "{body}");
}

#[test]
fn ten_thousand_records_are_read_and_told_again() {
    const COUNT: u32 = 10_000;
    let rs = registration_server(&["-q"]);
    let known = pretended(&rs, |_, port| {
        let line = |n| format!("RFC {n} 7200 127.0.0.1 {port} Title of {n}");
        index(&(1..=COUNT).map(line).collect::<Vec<_>>())
    });
    let ours = folder(&[("rfc20000.txt", b"")]);
    let mut peer = sharing(&rs, ours.path(), &["-q"]);
    peer.answer(&["2", "5000", ""]);
    let (head, body) = parts(peer.port, &get("RFC-Index", "P2P-DI/1.0"));
    assert!(head.contains("\r\nRecords: 10001\r\n"), "{head}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{head}"
    );
    let body = String::from_utf8(body).unwrap();
    let mut expected = format!("RFC 20000 7200 localhost {} RFC 20000\r\n", peer.port);
    expected
        .extend((1..=COUNT).map(|n| format!("RFC {n} 7200 127.0.0.1 {known} Title of {n}\r\n")));
    // Not shown in full if it differs.
    assert!(with_whole_ttls(&body) == expected, "{}", &body[..400]);
}

#[test]
fn a_rate_delays_and_changes_nothing() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let folder = folder(&[("rfc1.txt", &bytes)]);
    let rs = registration_server(&["-q"]);
    for rate in ["100KB/s", "0"] {
        let peer = sharing(&rs, folder.path(), &["--upload-rate", rate]);
        let port = peer.port;
        let downloads = ["P2P-DI/1.0", "P2P-CI/1.0"]
            .map(|version| thread::spawn(move || parts(port, &get("RFC 1", version))));
        for download in downloads {
            let (head, body) = download.join().unwrap();
            assert!(head.contains("\r\nContent-Length: 100000\r\n"), "{head}");
            assert!(body == bytes, "{rate}: {} bytes", body.len());
        }
    }
}

#[test]
fn an_invalid_rate_is_a_wrong_option() {
    for wrong in ["x", "-1", "", "5 parsecs"] {
        let arguments = [&DISTRIBUTED[..], &["--upload-rate", wrong]].concat();
        let (status, out, errors) = run("peer", peer_command(&arguments));
        assert_eq!(
            (status.code(), out.as_str()),
            (Some(2), ""),
            "{wrong:?}: {errors}"
        );
        assert!(errors.starts_with("error: "), "{errors}");
    }
}
