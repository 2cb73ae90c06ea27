//! The kinds of existing programs, by the names of the tolerances for them: T for peers that ask a server
//! or download, P for servers and upload servers that our peer asks. Each loses the checks of what it
//! does differently, and no other: a grader reads liberally, and judges the form.

use super::deviant::{Deviant as Server, Rewrite};
use super::deviant_peer::{DOCUMENT, Deviant as Peer, FAITHFUL, Kind};
use super::grade_port;
use super::peers::grade_one;
use crate::support::{at_once, folder};

/// Whether a request is a LOOKUP without a title.
fn has_no_title(request: &str) -> bool {
    request.starts_with("LOOKUP") && request.lines().any(|line| line.trim() == "Title:")
}

/// A server, what it does with an answer, and the checks that it loses.
type ServerKind = (&'static str, Rewrite, &'static [&'static str]);

const SERVERS: &[ServerKind] = &[
    (
        "P1 it wants the title of a LOOKUP, and answers 404 without",
        |request, answer| {
            let refused = "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n".to_owned();
            let is_found = answer.contains(" 200 ");
            Some(if is_found && has_no_title(request) {
                refused
            } else {
                answer
            })
        },
        &["lookup-by-number"],
    ),
    (
        "P1 it wants the title of a LOOKUP, and answers 400 without",
        |request, answer| {
            let refused = "P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n".to_owned();
            Some(if has_no_title(request) {
                refused
            } else {
                answer
            })
        },
        &["lookup-by-number"],
    ),
    (
        "P3 it understands only frames, and keeps what it does not understand open",
        |_, _| None,
        &["add-ok", "lookup-404", "method-400", "version-505"],
    ),
    (
        "P4 it takes the CR for a part of the version, and answers 505",
        |_, _| Some("P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n\r\n".to_owned()),
        &[
            "add-ok",
            "host-missing-400",
            "lookup-404",
            "method-400",
            "number-400",
            "port-400",
        ],
    ),
    (
        "P5 its status line has no end",
        |_, answer| {
            let is_refusal = !answer.contains(" 200 ");
            let line = answer.trim_end().to_owned();
            Some(if is_refusal { line } else { answer })
        },
        &["error-form", "lookup-404-form"],
    ),
    (
        "P6 its records have no RFC",
        |_, answer| Some(answer.replace("RFC ", "")),
        &["add-form", "list-form", "lookup-form"],
    ),
    (
        "P6 its records have RFC: before the number",
        |_, answer| Some(answer.replace("RFC ", "RFC: ")),
        &["add-form", "list-form", "lookup-form"],
    ),
    (
        "its records have the title at the end",
        |_, answer| {
            let lines = answer.split_inclusive("\r\n");
            let changed = lines.map(|line| {
                let words: Vec<_> = line.trim_end().split(' ').collect();
                match words.as_slice() {
                    ["RFC", number, title @ .., host, port] => {
                        format!("RFC {number} {host} {port} {}\r\n", title.join(" "))
                    }
                    _ => line.to_owned(),
                }
            });
            Some(changed.collect())
        },
        &["add-record", "list-all", "lookup-records"],
    ),
    (
        "it stores nothing",
        |request, answer| {
            let is_found = answer.contains(" 200 ") && !request.starts_with("ADD");
            let not_found = "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n".to_owned();
            Some(if is_found { not_found } else { answer })
        },
        &["list-all", "lookup-records"],
    ),
    (
        "it answers the second ADD with the record of the first",
        |request, answer| {
            let is_second = request.starts_with("ADD RFC 9012 ");
            let first = answer.replace("9012 The Second", "9011 The First");
            Some(if is_second { first } else { answer })
        },
        &["add-several"],
    ),
    (
        "only its answers to ADD end with an empty line",
        |request, answer| {
            let is_bare = answer.contains(" 200 ") && !request.starts_with("ADD");
            Some(if is_bare {
                bare(&answer).to_owned()
            } else {
                answer
            })
        },
        &["list-form", "lookup-form"],
    ),
    (
        "only its answers to LIST have no empty line at the end",
        |request, answer| {
            let is_list = request.starts_with("LIST");
            Some(if is_list {
                bare(&answer).to_owned()
            } else {
                answer
            })
        },
        &["list-form"],
    ),
];

#[test]
fn a_server_of_each_kind_loses_what_it_does_differently() {
    at_once(SERVERS, |(kind, rewrite, lost)| {
        // One that is always silent costs the time of each check.
        let all = ["--json"].into_iter();
        let only = ["--only"].into_iter().chain(lost.iter().copied());
        let is_silent = kind.starts_with("P3 ");
        let some: Vec<_> = all.chain(only.take_while(|_| is_silent)).collect();
        let graded = grade_port(Server::start_as(*rewrite), &some);
        assert_eq!(&graded.failed(), lost, "{kind}: {}", graded.out);
    });
}

/// A message without its last, empty line.
fn bare(message: &str) -> &str {
    message.strip_suffix("\r\n").unwrap()
}

/// The requests of a peer, but not those of its upload server's downloaders.
const REQUESTS: &[&str] = &["add-form", "get-request-form", "list-form", "lookup-form"];

/// Replaces the head of a 200.
fn with_head(answer: &[u8], head: fn(&str) -> String) -> Vec<u8> {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    let (old, document) = answer.split_at(end);
    let old = str::from_utf8(old).unwrap();
    if old.contains(" 200 ") {
        [head(old).as_bytes(), document].concat()
    } else {
        answer.to_vec()
    }
}

/// A peer, and the checks that it loses.
type PeerKind = (&'static str, Kind, &'static [&'static str]);

const PEERS: &[PeerKind] = &[
    (
        "T1 a last line without its end",
        Kind {
            request: |request| request.trim_end().to_owned(),
            ..FAITHFUL
        },
        REQUESTS,
    ),
    (
        "T2 no empty line",
        Kind {
            request: |request| bare(&request).to_owned(),
            ..FAITHFUL
        },
        REQUESTS,
    ),
    (
        "T2 LF, no empty line, and names in capitals",
        Kind {
            request: |request| {
                let names = ["Host:", "Port:", "Title:", "OS:"].into_iter();
                let request = bare(&request).replace("\r\n", "\n");
                names.fold(request, |it, name| it.replace(name, &name.to_uppercase()))
            },
            ..FAITHFUL
        },
        REQUESTS,
    ),
    (
        "T3 it reads once, and takes that for the head",
        Kind {
            reads_once: true,
            ..FAITHFUL
        },
        &["get-identical"],
    ),
    (
        "T4 padding after the message",
        Kind {
            request: |request| format!("{}{}", bare(&request), "~".repeat(300)),
            ..FAITHFUL
        },
        REQUESTS,
    ),
    (
        "T4 LIST without ALL",
        Kind {
            request: |request| request.replace("LIST ALL", "LIST"),
            ..FAITHFUL
        },
        &["list-form"],
    ),
    (
        "T4 a greeting",
        Kind {
            greeting: Some("JOIN P2P-CI/1.0\nHost: 127.0.0.1\nPort: 9"),
            ..FAITHFUL
        },
        &["add-form"],
    ),
    (
        "T5 GET without RFC",
        Kind {
            request: |request| match request.strip_prefix("GET RFC ") {
                Some(rest) => format!("GET {}", bare(rest).replace("\r\n", "\n")),
                None => request,
            },
            ..FAITHFUL
        },
        &["get-request-form"],
    ),
    (
        "P2 no empty line after the head",
        Kind {
            answer: |answer| with_head(&answer, |head| bare(head).to_owned()),
            ..FAITHFUL
        },
        &["get-ok"],
    ),
    (
        "P3 its upload server is silent",
        Kind {
            answer: |_| Vec::new(),
            ..FAITHFUL
        },
        &["get-400", "get-404", "get-505", "get-ok"],
    ),
    (
        "P4 its upload server takes the CR for a part of the version",
        Kind {
            answer: |_| b"P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n".to_vec(),
            ..FAITHFUL
        },
        &["get-400", "get-404", "get-ok"],
    ),
    (
        "P5 a status line without its end",
        Kind {
            answer: |answer| {
                let is_ok = answer.starts_with(b"P2P-CI/1.0 200 ");
                let line = answer.trim_ascii_end().to_vec();
                if is_ok { answer } else { line }
            },
            ..FAITHFUL
        },
        &["get-error-form"],
    ),
    (
        "P7 the document as a field",
        Kind {
            answer: |answer| with_head(&answer, |head| format!("{} RFC Data: ", bare(head))),
            ..FAITHFUL
        },
        &["get-ok"],
    ),
    (
        "P8 the bare document",
        Kind {
            answer: |answer| with_head(&answer, |_| String::new()),
            ..FAITHFUL
        },
        &["get-ok"],
    ),
];

#[test]
fn a_peer_of_each_kind_loses_what_it_does_differently() {
    let files = folder(&[("rfc2345.txt", DOCUMENT)]);
    let files = files.path().to_str().unwrap();
    at_once(PEERS, |(kind, program, lost)| {
        let program = *program;
        let graded = grade_one(&["--json", "--files", files], move |port, lines| {
            Peer::run_as(program, port, lines);
        });
        assert_eq!(&graded.failed(), lost, "{kind}: {}", graded.out);
    });
}
