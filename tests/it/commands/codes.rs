//! Failures of commands: one exit code for each kind.

use rustix::process::Signal;

use super::{Ended, ask, stage};
use crate::support::{
    Program, dead_port, folder, hanging_holder, holder, names, peer_of, pretend, registered,
    samples, server,
};

/// Asserts how a command failed: its code, no standard output, and the exact error.
#[track_caller]
fn failed(ended: &Ended, code: i32, errors: &str) {
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(code), ""),
        "{ended:?}"
    );
    assert_eq!(ended.errors, errors);
}

#[test]
fn a_file_that_can_not_be_written_is_code_1() {
    let server = server(&["-q"]);
    let _holder = holder(
        server.port,
        b"P2P-CI/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    );
    let files = folder(&[("file", b"")]);
    let nowhere = files.path().join("no/where");
    let ended = ask(
        server.port,
        files.path(),
        &["get", "7", "-o", nowhere.to_str().unwrap()],
    );
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(
        ended.errors.contains(nowhere.to_str().unwrap()),
        "{ended:?}"
    );
    assert_eq!(names(files.path()), ["file"]);
}

#[test]
fn wrong_options_are_code_2() {
    let empty = folder(&[]);
    for wrong in [
        &["get", "5-1"][..],
        &["get", "all", "5"],
        &["get", "0"],
        &["get", "1-4294967295"],
        &["get"],
        &["get", "-o", "x", "5", "6"],
        &["get", "-o", "x", "all"],
        &["get", "-o", "-", "--json", "5"],
        &["get", "-o", "x", "--share", "5"],
        &["get", "-j", "0", "5"],
        &["lookup"],
        &["lookup", "5", "6"],
        &["lookup", "x"],
        &["find"],
        &["list", "5"],
        &["add", "5", "--title", "a\nb"],
        &["--pipeline", "0", "list"],
        &["--upload-port", "65536", "list"],
        &["list", "--dance"],
    ] {
        let ended = ask(1, empty.path(), wrong);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(ended.errors.starts_with("error: "), "{wrong:?}: {ended:?}");
    }
}

#[test]
fn a_word_that_only_the_menu_takes_names_the_option_or_command_for_it() {
    let empty = folder(&[]);
    for (typed, tip) in [
        (
            &["add", "5", "New title"][..],
            "a title goes after '--title', in quotes",
        ),
        (
            &["list", "mime"],
            "'peer find' searches titles, and 'peer lookup' shows one RFC",
        ),
        (&["lookup", "5", "New title"], "'peer find' searches titles"),
    ] {
        let ended = ask(1, empty.path(), typed);
        assert_eq!(ended.code, Some(2));
        let word = typed.last().unwrap();
        let said = format!("error: unexpected argument '{word}' found\n\n  tip: {tip}\n\nUsage: ");
        assert!(ended.errors.starts_with(&said), "{ended:?}");
    }
}

#[test]
fn what_nobody_has_is_code_3() {
    let stage = stage();
    let empty = stage.empty.path();
    failed(&stage.ask(&["lookup", "9"]), 3, "error: nobody has RFC 9\n");
    failed(
        &stage.ask(&["find", "no", "such"]),
        3,
        "error: no title contains \"no such\"\n",
    );
    let said = "error: RFC 9 was not downloaded: nobody has RFC 9\n";
    failed(&stage.ask(&["get", "9"]), 3, said);
    failed(
        &stage.ask(&["get", "-o", "-", "9"]),
        3,
        "error: nobody has RFC 9\n",
    );
    failed(
        &stage.ask(&["-r", "9", "share"]),
        3,
        &format!(
            "error: not found: {} has no file for RFC 9; it has none\n",
            empty.display()
        ),
    );
    assert_eq!(names(empty), [""; 0]);
}

#[test]
fn a_server_that_is_not_there_is_code_4() {
    let (port, empty) = (dead_port(), folder(&[]));
    let errors = format!(
        "error: the index server can't be reached: cannot connect to 127.0.0.1:{port}: \
         Connection refused (os error 111); start one with: server --port {port}\n"
    );
    for asked in [
        &["lookup", "9"][..],
        &["list"],
        &["find", "x"],
        &["get", "9"],
        &["add", "9"],
    ] {
        failed(&ask(port, empty.path(), asked), 4, &errors);
    }
}

#[test]
fn a_server_that_goes_away_in_the_middle_is_code_4() {
    let empty = folder(&[]);
    for answer in ["", "P2P-CI/1.0 200 OK\r\n\r\nRFC 9 Nine vm 5\r\nRFC 9"] {
        let index = pretend(move |mut client| {
            client.head();
            client.send(answer);
        });
        for asked in [&["lookup", "9"][..], &["list"], &["get", "9"]] {
            let asked = [&["--dialect", "text"], asked].concat();
            let ended = ask(index, empty.path(), &asked);
            assert_eq!(
                (ended.code, ended.out.as_str()),
                (Some(4), ""),
                "{asked:?} {ended:?}"
            );
            let lost = format!(
                "no usable answer from the index server 127.0.0.1:{index}: it closed the connection"
            );
            assert!(ended.errors.contains(&lost), "{ended:?}");
        }
    }
}

#[test]
fn an_unreachable_holder_is_code_5() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    let port = dead_port();
    let _gone = registered(server.port, 7, "Seven", port);
    let fault = format!(
        "[DOWNLOAD] Failed from 127.0.0.1:{port}: cannot connect to 127.0.0.1:{port}: Connection refused (os error 111)\n"
    );
    let none = "none of 1 peer(s) with RFC 7 could deliver it\n";
    let errors = format!("{fault}error: RFC 7 was not downloaded: {none}");
    failed(&ask(server.port, empty.path(), &["get", "7"]), 5, &errors);
    let errors = format!("{fault}error: {none}");
    failed(
        &ask(server.port, empty.path(), &["get", "7", "-o", "-"]),
        5,
        &errors,
    );
    assert_eq!(names(empty.path()), [""; 0]);
}

#[test]
fn another_protocol_is_code_6() {
    let empty = folder(&[]);
    let http = pretend(|mut client| {
        client.head();
        client.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    for asked in [
        &["list"][..],
        &["lookup", "7"],
        &["add", "7"],
        &["get", "7"],
    ] {
        let asked = [&["--dialect", "text"], asked].concat();
        let ended = ask(http, empty.path(), &asked);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (Some(6), ""),
            "{asked:?} {ended:?}"
        );
        let answered =
            "it answered \"HTTP/1.1 400 Bad Request\", which is not a P2P-CI/1.0 response";
        assert!(ended.errors.contains(answered), "{ended:?}");
    }
    for answer in [
        b"P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n".as_slice(),
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let server = server(&["-q"]);
        let _holder = holder(server.port, answer);
        let ended = ask(
            server.port,
            empty.path(),
            &["--dialect", "text", "get", "7"],
        );
        assert_eq!((ended.code, ended.out.as_str()), (Some(6), ""), "{ended:?}");
        assert!(
            ended
                .errors
                .starts_with("[DOWNLOAD] Failed from 127.0.0.1:"),
            "{ended:?}"
        );
    }
}

#[test]
fn a_refused_registration_is_code_6() {
    let samples = samples();
    let index = pretend(|mut client| {
        client.head();
        client.send("P2P-CI/1.0 400 Bad Request\r\n\r\n\r\n");
        client.rest();
    });
    let ended = ask(index, samples.path(), &["add", "2345"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(6), ""), "{ended:?}");
    assert!(
        ended
            .errors
            .ends_with("error: the index server refused RFC 2345\n"),
        "{ended:?}"
    );
}

#[test]
fn wrong_bytes_are_code_7() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    let _holder = holder(
        server.port,
        b"P2P-CI/1.0 200 OK\r\nContent-Length: 50\r\n\r\nshort",
    );
    let file = empty.path().join("document");
    for asked in [
        &["get", "7"][..],
        &["get", "7", "-o", "-"],
        &["get", "7", "-o", file.to_str().unwrap()],
    ] {
        let ended = ask(server.port, empty.path(), asked);
        assert_eq!((ended.code, ended.out.as_str()), (Some(7), ""), "{ended:?}");
        assert!(
            ended.errors.contains(": it sent 5 of 50 bytes\n"),
            "{ended:?}"
        );
        assert_eq!(names(empty.path()), [""; 0]);
    }
}

#[test]
fn a_signal_while_a_download_hangs_is_128_and_its_number() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    let (_holder, begun) = hanging_holder(server.port);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for asked in [
            &["get", "7"][..],
            &["get", "7", "8"],
            &["get", "-o", "-", "7"],
        ] {
            let mut peer = Program::start("peer", peer_of(server.port, empty.path(), asked));
            begun.recv().unwrap();
            peer.signal(signal);
            let (status, out) = peer.wait();
            assert_eq!((status.code(), out.as_str()), (Some(code), ""), "{asked:?}");
            assert_eq!(names(empty.path()), [""; 0]);
        }
    }
}

#[test]
fn a_server_that_is_not_there_can_be_started_with_the_command_in_the_error() {
    let (port, folder) = (dead_port(), folder(&[]));
    let distributed = ["--index", "distributed", "list"];
    let asked = ask(port, folder.path(), &distributed);
    let next = format!("; start one with: server --index distributed --port {port}\n");
    assert!(asked.errors.ends_with(&next), "{asked:?}");
    assert_eq!(asked.code, Some(4));
}

/// Each kind of server answers a request of another protocol in its own, so the peer can tell.
#[test]
fn a_server_of_another_kind_is_named_with_the_option_for_it() {
    let kinds = ["central", "distributed", "dht"];
    let servers = [
        server(&["-q"]),
        server(&["-q", "--index", "distributed"]),
        server(&["-q", "--index", "dht", "--bind", "127.0.0.1"]),
    ];
    let folder = samples();
    let names = [
        "a central index server",
        "a registration server",
        "the introducer of a hash table",
    ];
    for (asked, kind) in [(1, 0), (2, 0), (0, 1), (2, 1)] {
        let (port, name) = (servers[asked].port, names[asked]);
        let error = format!(
            "error: no usable answer from the index server 127.0.0.1:{port}: this is {name}: use \
             --index {}\n",
            kinds[asked]
        );
        for command in [
            &["list"][..],
            &["share", "-q"],
            &["--dialect", "text", "list"],
        ] {
            let arguments = [&["--index", kinds[kind]], command].concat();
            let asked = ask(port, folder.path(), &arguments);
            assert_eq!(
                (asked.code, asked.errors.as_str()),
                (Some(6), error.as_str())
            );
        }
    }
}

#[test]
fn an_answer_that_is_not_understood_is_printed() {
    let folder = folder(&[]);
    let rs = server(&["-q", "--index", "distributed"]);
    let asked = ask(rs.port, folder.path(), &["--print-messages", "list"]);
    let refused = "\n\n[PEER] Response:\nP2P-DI/1.0 400 Bad Request\nDate: ";
    assert!(asked.out.contains(refused), "{asked:?}");
    assert_eq!(asked.code, Some(6));
    // An incomplete one is printed too.
    let index = pretend(|mut client| {
        client.head();
        client.send("P2P-DI/1.0 200 OK\r\nCookie: 1\r\nContent-Length: 9\r\n\r\n\u{1b}[2J");
    });
    let list = ["--index", "distributed", "--print-messages", "list"];
    let asked = ask(index, folder.path(), &list);
    let cut = "[PEER] Response:\nP2P-DI/1.0 200 OK\nCookie: 1\nContent-Length: 9\n\n\\u{1b}[2J\n";
    assert!(asked.out.contains(cut), "{asked:?}");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_said() {
    let server = server(&["-q"]);
    let folder = folder(&[("afile", b"")]);
    let file = folder.path().join("afile");
    let error = format!("error: {} is a file, not a folder\n", file.display());
    for below in ["", "rfcs"] {
        for command in [&["list"][..], &["share"], &["share", "--daemon"], &[]] {
            failed(&ask(server.port, &file.join(below), command), 1, &error);
        }
    }
}
