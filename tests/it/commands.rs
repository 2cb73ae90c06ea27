//! The commands for scripts: exact output, exit codes, JSON, and what they leave alone.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier, mpsc};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Client, Program, exchange, folder, names, peer_at_menu, peer_command, peer_of, pretend, run,
    samples, samples_of_peer_2, server, server_command,
};

const IPSEC: &str = "Requirements for IPsec Remote Access Scenarios";
const DNS: &str = "Domain Names and Company Name Retrieval";
const ICP: &str = "A Proferred Official ICP";

/// What a command has left behind.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl Ended {
    /// Asserts that it has ended well, with nothing but a result.
    #[track_caller]
    fn result(&self) -> &str {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{self:?}");
        &self.out
    }

    /// The one JSON document on standard output.
    #[track_caller]
    fn json(&self) -> Value {
        assert!(self.out.ends_with("}\n"), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

fn ended(command: Command) -> Ended {
    let (status, out, errors) = run("peer", command);
    let code = status.code();
    Ended { code, out, errors }
}

fn ask(server: u16, folder: &Path, arguments: &[&str]) -> Ended {
    ended(peer_of(server, folder, arguments))
}

/// Says to the index that 127.0.0.1:`port` has RFC `number`, for as long as the connection lives.
fn registered(server: u16, number: u32, title: &str, port: u16) -> Client {
    let mut client = Client::connect(server);
    client.send(format!(
        "ADD RFC {number} P2P-CI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\nTitle: {title}\r\n\r\n"
    ));
    client.receive(&format!(
        "P2P-CI/1.0 200 OK\r\n\r\nRFC {number} {title} 127.0.0.1 {port}\r\n\r\n"
    ));
    client
}

/// A holder of RFC 7 that gives `answer` to every GET and closes.
fn holder(server: u16, answer: &'static [u8]) -> Client {
    let port = pretend(move |mut client| {
        client.head();
        client.send(answer);
    });
    registered(server, 7, "Seven", port)
}

/// A holder of RFC 7 that begins to deliver, says so, and hangs.
fn hanging_holder(server: u16) -> (Client, mpsc::Receiver<()>) {
    let (begun, wait) = mpsc::channel();
    let port = pretend(move |mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        begun.send(()).unwrap();
        client.rest();
    });
    (registered(server, 7, "Seven", port), wait)
}

/// A port at which nobody listens.
fn dead_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn list(server: u16) -> String {
    exchange(server, "LIST ALL P2P-CI/1.0\r\nHost: localhost\r\n\r\n")
}

/// A server, the two peers of the scenarios at their menus, and an empty folder.
struct Stage {
    server: Program,
    one: Program,
    two: Program,
    empty: tempfile::TempDir,
    _folders: [tempfile::TempDir; 2],
}

fn stage() -> Stage {
    let server = server(&["-q"]);
    let folders = [samples(), samples_of_peer_2()];
    let one = peer_at_menu("one", server.port, folders[0].path(), &["-q"]);
    let two = peer_at_menu("two", server.port, folders[1].path(), &["-q"]);
    Stage {
        server,
        one,
        two,
        empty: folder(&[]),
        _folders: folders,
    }
}

impl Stage {
    fn ask(&self, arguments: &[&str]) -> Ended {
        ask(self.server.port, self.empty.path(), arguments)
    }
}

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
fn get_prints_the_record_of_each_document_that_came() {
    let stage = stage();
    let (one, two) = (stage.one.port, stage.two.port);
    let to = stage.empty.path();
    let icp = format!("RFC 123 {ICP} localhost {two}\n");
    let dns = format!("RFC 2345 {DNS} localhost {one}\n");
    let got = stage.ask(&["get", "rfc123"]);
    assert_eq!((got.code, &got.out), (Some(0), &icp));
    let said = format!("RFC 123 is in {}/rfc123.txt (912 bytes)\n", to.display());
    assert_eq!(got.errors, said);
    assert_eq!(names(to), ["rfc123.txt"]);

    // What is there is kept, and a file that is replaced is asked for.
    let kept = stage.ask(&["get", "123"]);
    assert_eq!((kept.code, kept.out.as_str()), (Some(0), ""));
    let path = to.join("rfc123.txt");
    let said = format!(
        "RFC 123 is in {} already; --force replaces it\n",
        path.display()
    );
    assert_eq!(kept.errors, said);
    fs::write(&path, "ours").unwrap();
    assert_eq!(stage.ask(&["-q", "get", "123"]).result(), "");
    assert_eq!(fs::read(&path).unwrap(), b"ours");
    assert_eq!(stage.ask(&["-q", "get", "--force", "123"]).result(), icp);
    assert_eq!(fs::metadata(&path).unwrap().len(), 912);

    // Ranges and several numbers, one at a time so that the order is known.
    fs::remove_file(&path).unwrap();
    let got = stage.ask(&["-q", "get", "-j", "1", "2345", "122-123"]);
    assert_eq!((got.code, got.out), (Some(3), [&*icp, &*dns].concat()));
    assert_eq!(names(to), ["rfc123.txt", "rfc2345.txt"]);
    let got = stage.ask(&["-q", "get", "all"]);
    assert!(
        got.result()
            .starts_with(&format!("RFC 3457 {IPSEC} localhost "))
    );
    assert_eq!(got.out.lines().count(), 1);
    assert_eq!(names(to), ["rfc123.txt", "rfc2345.txt", "rfc3457.txt"]);
}

#[test]
fn get_into_a_file_or_standard_output_gives_the_very_bytes() {
    let server = server(&["-q"]);
    let binary: Vec<u8> = (0..=255)
        .cycle()
        .take(300_000)
        .chain(*b"\r\n\n\r")
        .collect();
    let theirs = folder(&[("rfc7.txt", &binary), ("rfc8.txt", b"")]);
    let holder = peer_at_menu("holder", server.port, theirs.path(), &["-q"]);
    let empty = folder(&[]);
    let record = format!("RFC 7 RFC 7 localhost {}\n", holder.port);

    let file = empty.path().join("some.bin");
    let into = ["get", "7", "-o", file.to_str().unwrap()];
    assert_eq!(ask(server.port, empty.path(), &into).result(), record);
    assert_eq!(fs::read(&file).unwrap(), binary);
    fs::write(&file, "before").unwrap();
    assert_eq!(ask(server.port, empty.path(), &into).result(), record);
    assert_eq!(fs::read(&file).unwrap(), binary);

    for (number, bytes) in [("7", &binary[..]), ("8", b"")] {
        let to_stdout = peer_of(server.port, empty.path(), &["get", "-o", "-", number]);
        let mut peer = Program::start("peer", to_stdout);
        assert!(peer.wait().0.success());
        assert!(peer.printed_bytes() == bytes);
        assert_eq!(peer.errors(), "");
    }
    // Nothing of it went into the folder, and the index does not know of it.
    assert_eq!(names(empty.path()), ["some.bin"]);
}

#[test]
fn add_registers_with_the_title_of_the_file_or_the_one_given() {
    let server = server(&["-q"]);
    let samples = samples();
    let add =
        |arguments: &[&str]| ask(server.port, samples.path(), &[&["add"], arguments].concat());
    let without_port = |added: &Ended| {
        let line = added.result().strip_suffix('\n').unwrap();
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
    assert_eq!(absent.errors, warning);
}

#[test]
fn a_transcript_that_can_not_be_written_whole_is_said_with_its_name() {
    let stage = stage();
    let full = stage.ask(&["--transcript", "/dev/full", "lookup", "123"]);
    assert_eq!(full.code, Some(1));
    let error = "error: not everything could be written to /dev/full\n";
    assert!(full.errors.ends_with(error), "{}", full.errors);
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error() {
    let stage = stage();
    let folder = folder(&[]);
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let unread = stage.ask(&["get", "-o", pipe.to_str().unwrap(), "123"]);
    assert_eq!(unread.code, Some(1));
    assert!(
        unread.errors.contains("pipe: nobody reads it\n"),
        "{}",
        unread.errors
    );
}

#[test]
fn messages_are_printed_where_they_are_wanted() {
    let stage = stage();
    let printed = stage.ask(&["--print-messages", "lookup", "123"]);
    let out = printed.result();
    assert!(
        out.starts_with("[UPLOAD] Upload server listening on port "),
        "{out}"
    );
    assert!(out.contains("[PEER] Sending:\nLOOKUP RFC 123 P2P-CI/1.0\nHost: localhost\nPort: "));
    let record = format!("RFC 123 {ICP} localhost {}\n", stage.two.port);
    let response = format!("[PEER] Response:\nP2P-CI/1.0 200 OK\n\n{record}\n");
    assert!(out.contains(&response), "{out}");
    // The one in the message, and the result.
    assert_eq!(out.matches(&record).count(), 2, "{out}");
    assert!(out.ends_with("[PEER] Disconnecting...\n"), "{out}");
    for both in [
        &["list", "--json", "--print-messages"][..],
        &["--print-messages", "list", "--json"],
    ] {
        let wrong = stage.ask(both);
        assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""), "{both:?}");
    }
}

#[test]
fn a_transcript_has_every_message_in_every_mode_and_grows() {
    let logs = folder(&[("peer.txt", b"before\n")]);
    let file = |name: &str| logs.path().join(name).to_str().unwrap().to_owned();
    let (of_server, of_peer) = (file("server.txt"), file("peer.txt"));
    let mut server = server(&["-q", "--transcript", &of_server]);
    let samples = samples();
    let quiet = ["-q", "--transcript", &of_peer];
    let mut peer = peer_at_menu("peer", server.port, samples.path(), &quiet);
    peer.answer(&["list"]);
    peer.type_line("5");
    assert!(peer.wait().0.success());
    let menu = fs::read_to_string(&of_peer).unwrap();
    assert!(
        menu.starts_with("before\n[UPLOAD] Upload server listening on port "),
        "{menu}"
    );
    assert!(
        menu.contains("\nChoice: list\n[PEER] Sending:\nLIST ALL P2P-CI/1.0\n"),
        "{menu}"
    );
    assert!(
        menu.ends_with("\nChoice: 5\n[PEER] Disconnecting...\n"),
        "{menu}"
    );
    assert!(!peer.printed().contains("LIST ALL"));

    let add = ["--transcript", &of_peer, "add", "2345"];
    let added = ask(server.port, samples.path(), &add);
    assert!(added.result().starts_with("RFC 2345 "));
    let both = fs::read_to_string(&of_peer).unwrap();
    let of_add = both.strip_prefix(&menu).expect("it is appended");
    assert!(
        of_add.contains("[PEER] Sending:\nADD RFC 2345 P2P-CI/1.0\n"),
        "{of_add}"
    );
    assert!(
        of_add.contains("[PEER] Response:\nP2P-CI/1.0 200 OK\n"),
        "{of_add}"
    );

    server.signal(Signal::TERM);
    let (status, out) = server.wait();
    assert!(status.success());
    assert!(!out.contains("P2P-CI/1.0"), "{out}");
    let all = fs::read_to_string(&of_server).unwrap();
    assert!(
        all.contains(":\nLIST ALL P2P-CI/1.0\nHost: localhost\n"),
        "{all}"
    );
    assert!(all.ends_with("[SERVER] Stopped.\n"), "{all}");
    assert!(!all.contains('\u{1b}') && !all.contains('\r'));

    let nowhere = logs.path().join("no/where.txt");
    let failed = ask(
        server.port,
        samples.path(),
        &["--transcript", nowhere.to_str().unwrap(), "list"],
    );
    assert_eq!(failed.code, Some(1));
    let error = format!("error: cannot write {}: ", nowhere.display());
    assert!(failed.errors.starts_with(&error), "{failed:?}");
}

/// Asserts how a command has failed: its code, nothing on standard output, and the whole error.
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
fn a_folder_that_is_none_is_code_1() {
    let server = server(&["-q"]);
    let _holder = holder(
        server.port,
        b"P2P-CI/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    );
    let files = folder(&[("file", b"")]);
    let file = files.path().join("file");
    let ended = ask(server.port, &file, &["get", "7"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.errors.starts_with("error: cannot "), "{ended:?}");
    assert!(ended.errors.contains(file.to_str().unwrap()), "{ended:?}");
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
        &["list", "--dance"],
    ] {
        let ended = ask(1, empty.path(), wrong);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(ended.errors.starts_with("error: "), "{wrong:?}: {ended:?}");
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
        "error: no title holds \"no such\"\n",
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
        "error: the index server can't be reached: cannot connect to 127.0.0.1:{port}: Connection refused (os error 111)\n"
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
            let lost =
                format!("the index server 127.0.0.1:{index} is lost: it closed the connection");
            assert!(ended.errors.contains(&lost), "{ended:?}");
        }
    }
}

#[test]
fn a_holder_that_is_gone_is_code_5() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    let port = dead_port();
    let _gone = registered(server.port, 7, "Seven", port);
    let fault = format!(
        "[DOWNLOAD] Failed from 127.0.0.1:{port}: cannot connect to 127.0.0.1:{port}: Connection refused (os error 111)\n"
    );
    let none = "none of 1 holder(s) of RFC 7 could deliver it\n";
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
        let answered = "it answered \"HTTP/1.1 400 Bad Request\", which is no P2P-CI/1.0 response";
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
            .ends_with("error: the index server has refused RFC 2345\n"),
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
fn sharing_ends_with_0_on_a_signal() {
    let mut server = server(&["-q"]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &["-q"]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut sharing = Program::start("peer", peer_of(server.port, ours.path(), &["share"]));
        sharing.expect_error(&format!(
            "2 RFC(s) of {} are shared\n",
            ours.path().display()
        ));
        sharing.signal(signal);
        assert_eq!(sharing.wait().0.code(), Some(0));
        server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
    }
    for signal in [Signal::INT, Signal::TERM] {
        let get = ["get", "123", "--share"];
        let mut sharing = Program::start("peer", peer_of(server.port, ours.path(), &get));
        let path = ours.path().join("rfc123.txt");
        sharing.expect_error(&format!("RFC 123 is in {}", path.display()));
        sharing.signal(signal);
        assert_eq!(sharing.wait().0.code(), Some(0));
    }
}

#[test]
fn get_with_share_registers_the_folder_and_serves_it() {
    let server = server(&["-q"]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let holder = peer_at_menu("holder", server.port, theirs.path(), &["-q"]);
    let get = ["get", "--share", "123"];
    let mut sharing = Program::start("peer", peer_of(server.port, ours.path(), &get));
    sharing.expect(&format!("RFC 123 {ICP} localhost {}\n", holder.port));
    let all = list(server.port);
    let port = |number: u32| {
        let start = format!("RFC {number} ");
        let mut lines = all.lines().filter(|line| line.starts_with(&start));
        let port = |line: &str| line.rsplit(' ').next().unwrap().parse::<u16>().unwrap();
        lines
            .by_ref()
            .map(port)
            .find(|port| *port != holder.port)
            .unwrap()
    };
    for number in [123, 2345, 3457] {
        let get = format!("GET RFC {number} P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n");
        let answer = exchange(port(number), get);
        assert!(answer.starts_with("P2P-CI/1.0 200 OK\r\n"), "{answer}");
    }
    sharing.signal(Signal::TERM);
    let (status, out) = sharing.wait();
    assert_eq!((status.code(), out.as_str()), (Some(0), ""));
}

#[test]
fn get_of_several_goes_on_after_a_failure_and_says_at_the_end_what_failed() {
    let stage = stage();
    let dead = dead_port();
    let _gone = registered(stage.server.port, 200, "Gone", dead);
    let get = ["get", "-j", "1", "123", "9", "200", "2345"];
    let ended = stage.ask(&get);
    assert_eq!(ended.code, Some(3));
    let (one, two) = (stage.one.port, stage.two.port);
    let records = format!("RFC 123 {ICP} localhost {two}\nRFC 2345 {DNS} localhost {one}\n");
    assert_eq!(ended.out, records);
    let last = "error: RFC 9 was not downloaded: nobody has RFC 9\n\
        error: RFC 200 was not downloaded: none of 1 holder(s) of RFC 200 could deliver it\n\
        error: 2 of 4 RFCs were not downloaded\n";
    assert!(ended.errors.ends_with(last), "{ended:?}");
    assert_eq!(names(stage.empty.path()), ["rfc123.txt", "rfc2345.txt"]);
    // The first failure gives the code, whichever it is.
    assert_eq!(stage.ask(&["get", "-j", "1", "200", "999"]).code, Some(5));
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
        list(server.port),
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
        // What it does not share, it does not serve.
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

#[test]
fn downloads_run_at_once_and_are_spread_over_the_holders() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    // Neither answers before both have been asked.
    let both = Arc::new(Barrier::new(2));
    let holders: Vec<_> = (0..2)
        .map(|_| {
            let both = Arc::clone(&both);
            let port = pretend(move |mut client| {
                client.head();
                both.wait();
                client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
            });
            (registered(server.port, 7, "Seven", port), port)
        })
        .collect();
    let ports: Vec<_> = holders.iter().map(|(_, port)| *port).collect();
    let mut clients: Vec<_> = holders.into_iter().map(|(client, _)| client).collect();
    for (client, port) in clients.iter_mut().zip(&ports) {
        client.send(format!(
            "ADD RFC 8 P2P-CI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\nTitle: Eight\r\n\r\n"
        ));
        client.receive(&format!(
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 8 Eight 127.0.0.1 {port}\r\n\r\n"
        ));
    }
    let ended = ask(
        server.port,
        empty.path(),
        &["-q", "get", "-j", "2", "7", "8", "--json"],
    );
    let downloaded = &ended.json()["downloaded"];
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    let mut from: Vec<_> = (0..2)
        .map(|n| downloaded[n]["port"].as_u64().unwrap())
        .collect();
    let mut ports: Vec<_> = ports.into_iter().map(u64::from).collect();
    from.sort_unstable();
    ports.sort_unstable();
    assert_eq!(from, ports);
}

#[test]
fn results_as_json_have_exactly_these_fields() {
    let stage = stage();
    let (one, two) = (stage.one.port, stage.two.port);
    let record = |number, title, port| json!({"number": number, "title": title, "host": "localhost", "port": port});
    let icp = json!({"records": [record(123, ICP, two)]});
    assert_eq!(stage.ask(&["lookup", "123", "--json"]).json(), icp);
    assert_eq!(stage.ask(&["find", "icp", "--json"]).json(), icp);
    let all = json!({"records": [
        record(3457, IPSEC, two), record(123, ICP, two), record(3457, IPSEC, one), record(2345, DNS, one),
    ]});
    assert_eq!(stage.ask(&["list", "--json"]).json(), all);

    let added = stage
        .ask(&["add", "5", "--title", "A \"title\" é", "--json"])
        .json();
    let port = added["record"]["port"].as_u64().unwrap();
    assert_eq!(
        added,
        json!({"record": record(5, "A \"title\" é", u16::try_from(port).unwrap())})
    );

    let empty = stage.empty.path();
    fs::write(empty.join("rfc2345.txt"), "ours").unwrap();
    let got = stage.ask(&["-q", "get", "--json", "2345", "123", "9"]);
    assert_eq!(got.code, Some(3));
    let expected = json!({
        "downloaded": [{"number": 123, "title": ICP, "host": "localhost", "port": two,
            "path": empty.join("rfc123.txt"), "bytes": 912}],
        "kept": [{"number": 2345, "path": empty.join("rfc2345.txt")}],
        "failed": [{"number": 9, "error": "nobody has RFC 9", "exit_code": 3}],
    });
    assert_eq!(got.json(), expected);

    let file = empty.join("one");
    let got = stage.ask(&["get", "--json", "-o", file.to_str().unwrap(), "123"]);
    let expected = json!({
        "downloaded": [{"number": 123, "title": ICP, "host": "localhost", "port": two,
            "path": file, "bytes": 912}],
        "kept": [],
        "failed": [],
    });
    assert_eq!((got.code, got.json()), (Some(0), expected));
}

#[test]
fn failures_as_json_are_one_document_as_well() {
    let (port, empty) = (dead_port(), folder(&[]));
    let message = format!(
        "the index server can't be reached: cannot connect to 127.0.0.1:{port}: Connection refused (os error 111)"
    );
    let expected = json!({"error": {"message": message, "exit_code": 4}});
    for asked in [
        &["list", "--json"][..],
        &["lookup", "7", "--json"],
        &["find", "x", "--json"],
        &["add", "7", "--json"],
        &["get", "7", "--json"],
        &["get", "7", "8", "--json"],
        &["get", "7", "-o", "x", "--json"],
    ] {
        let ended = ask(port, empty.path(), asked);
        assert_eq!(
            (ended.code, ended.json()),
            (Some(4), expected.clone()),
            "{asked:?}"
        );
        assert_eq!(ended.errors, format!("error: {message}\n"));
    }
    // What nobody has is one document too, whatever asks.
    let server = server(&["-q"]);
    for asked in [
        &["lookup", "9", "--json"][..],
        &["find", "x", "--json"],
        &["get", "9", "--json"],
        &["get", "9", "-o", "x", "--json"],
    ] {
        let ended = ask(server.port, empty.path(), asked);
        assert_eq!(ended.code, Some(3), "{asked:?} {ended:?}");
        let document: Result<Value, _> = serde_json::from_str(&ended.out);
        assert!(document.is_ok(), "{asked:?} {ended:?}");
    }
}

#[test]
fn options_may_come_from_the_environment_and_the_command_line_wins() {
    let mut server = server(&[]);
    let (samples, empty) = (samples(), folder(&[]));
    let host = format!("127.0.0.1:{}", server.port);
    let _holder = registered(server.port, 7, "Seven", 7001);
    let record = "RFC 7 Seven 127.0.0.1 7001\n";

    let mut list = peer_command(&["list"]);
    list.env("P2PCI_HOST", &host);
    assert_eq!(ended(list).result(), record);
    let mut list = peer_command(&["list", "--host", &host]);
    list.env("P2PCI_HOST", "127.0.0.1:1");
    assert_eq!(ended(list).result(), record);

    let mut json = peer_command(&["list"]);
    json.env("P2PCI_HOST", &host).env("P2PCI_JSON", "1");
    assert_eq!(ended(json).json()["records"][0]["number"], 7);
    for off in ["0", "false", ""] {
        let mut lines = peer_command(&["list"]);
        lines.env("P2PCI_HOST", &host).env("P2PCI_JSON", off);
        assert_eq!(ended(lines).result(), record, "{off:?}");
    }

    let mut menu = peer_command(&["--dir", samples.path().to_str().unwrap()]);
    menu.env("P2PCI_HOST", &host)
        .env("P2PCI_DIR", empty.path())
        .env("P2PCI_QUIET", "1");
    menu.env("P2PCI_HOSTNAME", "localhost");
    let menu = ended(menu);
    assert_eq!(menu.code, Some(0));
    assert!(!menu.out.contains("P2P-CI/1.0"), "{menu:?}");
    server.expect("\r\nHost: localhost\r\n".replace('\r', "").as_str());
    server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
    let mut menu = peer_command(&["--hostname", "localhost"]);
    menu.env("P2PCI_HOST", &host)
        .env("P2PCI_DIR", samples.path());
    assert!(ended(menu).out.contains("ADD RFC 2345 P2P-CI/1.0\n"));

    let mut another = server_command(&["-q"]);
    another.env("P2PCI_PORT", "0");
    let mut another = Program::start("server", another);
    let line = another.expect("...\n");
    assert_ne!(line, "[SERVER] Listening on port 7734...\n");
    let mut taken = server_command(&["--port", &server.port.to_string()]);
    taken.env("P2PCI_PORT", "0").env("P2PCI_QUIET", "1");
    let (status, _, errors) = run("server", taken);
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.contains(&format!(":{}: the port is in use", server.port)),
        "{errors}"
    );
}

#[test]
fn what_the_environment_switches_off_or_on_is_no_conflict_with_the_command_line() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    let _holder = holder(
        server.port,
        b"P2P-CI/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    );
    let file = empty.path().join("document");
    let into_file = ["get", "7", "-o", file.to_str().unwrap()];
    let messages = "[UPLOAD] Upload server listening on port ";
    for (variable, value, arguments, out) in [
        ("P2PCI_SHARE", "0", &into_file[..], "RFC 7 Seven 127.0.0.1 "),
        ("P2PCI_JSON", "0", &["get", "7", "-o", "-"], "x"),
        ("P2PCI_PRINT_MESSAGES", "0", &["list", "--json"], "{\n"),
        (
            "P2PCI_PRINT_MESSAGES",
            "0",
            &["list", "-q"],
            "RFC 7 Seven 127.0.0.1 ",
        ),
        ("P2PCI_QUIET", "0", &["list", "--print-messages"], messages),
        ("P2PCI_QUIET", "1", &["list", "--print-messages"], messages),
    ] {
        let mut asking = peer_of(server.port, empty.path(), arguments);
        asking.env(variable, value);
        let ended = ended(asking);
        assert_eq!(
            ended.code,
            Some(0),
            "{variable}={value} {arguments:?}: {}",
            ended.errors
        );
        assert!(
            ended.out.starts_with(out),
            "{variable}={value} {arguments:?}: {}",
            ended.out
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let title = "A title of some length that fills a pipe in no time ".repeat(15);
    // More than any pipe holds.
    let records: String = (1..=3000)
        .map(|n| format!("RFC {n} {title} vm 5\r\n"))
        .collect();
    let index = pretend(move |mut client| {
        client.head();
        client.send(format!("P2P-CI/1.0 200 OK\r\n\r\n{records}\r\n"));
        client.rest();
    });
    let empty = folder(&[]);
    for format in [&["list"][..], &["list", "--json"]] {
        let (ours, theirs) = std::io::pipe().unwrap();
        let list = peer_of(index, empty.path(), format);
        let mut peer = Program::start_printing_to("peer", list, Stdio::from(theirs));
        let mut reader = std::io::BufReader::new(ours);
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        assert!(line.starts_with("RFC 1 A title") || line == "{\n", "{line}");
        drop(reader);
        assert_eq!(peer.wait().0.code(), Some(0), "{format:?}");
        assert_eq!(peer.errors(), "");
    }
}

#[test]
fn a_full_disk_is_code_1_and_says_so() {
    let stage = stage();
    for asked in [
        &["list"][..],
        &["list", "--json"],
        &["get", "123", "-o", "-"],
        &["get", "123"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let asking = peer_of(stage.server.port, stage.empty.path(), asked);
        let mut peer = Program::start_printing_to("peer", asking, Stdio::from(full));
        assert_eq!(peer.wait().0.code(), Some(1), "{asked:?}");
        peer.expect_error("No space left on device (os error 28)\n");
        peer.expect_error("error: cannot write ");
    }
}

#[test]
fn the_menu_knows_names_and_objects() {
    let mut stage = stage();
    let empty = stage.empty.path().to_owned();
    let mut peer = peer_at_menu("peer", stage.server.port, &empty, &[]);
    let printed = peer.answer(&["get 3457"]);
    assert!(
        printed.starts_with("get 3457\n[PEER] Sending:\nLOOKUP RFC 3457 P2P-CI/1.0\n"),
        "{printed}"
    );
    assert!(printed.contains("[DOWNLOAD] Saved to "), "{printed}");
    assert_eq!(names(&empty), ["rfc3457.txt"]);
    let printed = peer.answer(&["lookup rfc3457"]);
    assert!(
        printed.contains("LOOKUP RFC 3457 P2P-CI/1.0\n") && printed.contains("\nTitle: \n"),
        "{printed}"
    );
    let printed = peer.answer(&["2", "RFC 123", ""]);
    assert!(printed.contains("RFC number: RFC 123\nRFC title (press Enter to skip): \n[PEER] Sending:\nLOOKUP RFC 123 "), "{printed}");
    let printed = peer.answer(&["GET RFC 123"]);
    assert!(printed.contains("rfc123.txt (912 bytes)\n"), "{printed}");
    let printed = peer.answer(&["List"]);
    assert!(
        printed.starts_with("List\n[PEER] Sending:\nLIST ALL P2P-CI/1.0\n"),
        "{printed}"
    );
    let printed = peer.answer(&["find company RETRIEVAL"]);
    let record = format!("RFC 2345 {DNS} localhost {}\n", stage.one.port);
    assert!(
        printed.ends_with(&format!(
            "\n\n{record}1. ADD\n2. LOOKUP\n3. LIST\n4. GET\n5. EXIT\nChoice: "
        )),
        "{printed}"
    );
    let printed = peer.answer(&["find no such words"]);
    assert!(
        printed.contains("\n[PEER] No title has all of these words.\n"),
        "{printed}"
    );
    let printed = peer.answer(&["add 77 A title of ours"]);
    assert!(
        printed.contains("ADD RFC 77 P2P-CI/1.0\n")
            && printed.contains("\nTitle: A title of ours\n"),
        "{printed}"
    );
    for wrong in ["3 x", "5 x", "find", "status x", "gett 5", "6"] {
        let printed = peer.answer(&[wrong]);
        let said =
            format!("{wrong}\n[PEER] {wrong:?} is no choice: type a number from 1 to 5.\n1. ADD\n");
        assert!(printed.starts_with(&said), "{printed}");
    }
    for wrong in ["get x", "lookup 0", "get 5-1", "get all 5", "add x y"] {
        let printed = peer.answer(&[wrong]);
        assert!(
            printed.starts_with(&format!("{wrong}\n[PEER] Not understood: ")),
            "{printed}"
        );
    }
    let help = peer.answer(&["help"]);
    for name in ["add", "lookup", "list", "get", "exit", "find", "status"] {
        assert!(help.contains(&format!("  {name} ")), "{help}");
    }
    peer.type_line("exit");
    assert!(peer.wait().0.success());
    stage.one.type_line("EXIT");
    assert!(stage.one.wait().0.success());
}

#[test]
fn status_says_how_a_peer_stands() {
    let mut stage = stage();
    stage.one.answer(&["get 123"]);
    let printed = stage.two.answer(&["status"]);
    let (port, server) = (stage.two.port, stage.server.port);
    for line in [
        format!("[PEER] This peer: localhost:{port}\n"),
        format!("[PEER] Index: 127.0.0.1:{server}, connected since "),
        "[PEER] Shared: 2 RFC(s) of ".to_owned(),
        "[PEER] Uploads: 1 (912 bytes)\n".to_owned(),
        "[PEER] Downloads: 0 (0 bytes)\n".to_owned(),
        "[PEER] RFC 123 was downloaded by ".to_owned(),
    ] {
        assert!(printed.contains(&line), "{line}{printed}");
    }
    let printed = stage.one.answer(&["STATUS"]);
    assert!(
        printed.contains("[PEER] Downloads: 1 (912 bytes)\n"),
        "{printed}"
    );
    assert!(printed.contains("[PEER] Shared: 3 RFC(s) of "), "{printed}");
}

#[test]
fn the_start_says_on_standard_error_how_much_is_shared() {
    let server = server(&["-q"]);
    let (samples, empty) = (samples(), folder(&[("readme.txt", b"")]));
    for command_name in [&[][..], &["share"]] {
        let peer = Program::start("peer", peer_of(server.port, samples.path(), command_name));
        peer.expect_error(&format!(
            "2 RFC(s) of {} are shared\n",
            samples.path().display()
        ));
        assert!(!peer.printed().contains("are shared"));
        let peer = Program::start("peer", peer_of(server.port, empty.path(), command_name));
        let warning = format!(
            "warning: no RFCs are shared: {} has no files named rfcN.txt\n",
            empty.path().display()
        );
        peer.expect_error(&warning);
        assert!(!peer.printed().contains("no RFCs"));
    }
}
