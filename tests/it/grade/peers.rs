//! Peers under test: our own with `--run`, and those that deviate, who do what a person would.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use p2pci::grade::checks::PEER;

use super::Graded;
use super::deviant_peer::{
    ADD_FIRST, ALSO, BY_HAND, DOCUMENT, Deviant, FAITHFUL, Kind, PER_REQUEST, SPACES,
};
use crate::support::{at_once, folder, peer_command, run};

const OUR_OWN: &str = env!("CARGO_BIN_EXE_peer");

/// Runs `peer grade peer` with these arguments, on a free port.
fn grade_peer(arguments: &[&str]) -> Graded {
    let arguments = [&["grade", "peer", "--port", "0"], arguments].concat();
    let (status, out, errors) = run("grader", peer_command(&arguments));
    Graded {
        code: status.code(),
        out,
        errors,
    }
}

/// Grades a deviant, which reads what the grader tells a person.
fn grade_deviant(check: &'static str, arguments: &[&str]) -> Graded {
    grade_one(arguments, move |port, lines| {
        Deviant::run(check, port, lines);
    })
}

/// Grades a peer that knows the grader's port and reads what the grader tells a person.
pub(super) fn grade_one(
    arguments: &[&str],
    peer: impl FnOnce(u16, &mut dyn Iterator<Item = String>) + Send + 'static,
) -> Graded {
    let options = ["grade", "peer", "--port", "0", "--patience", "5"];
    let mut command = peer_command(&[&options, arguments].concat());
    let state = tempfile::tempdir().unwrap();
    command.env(crate::support::STATE, state.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut grader = command.spawn().unwrap();
    let mut lines = BufReader::new(grader.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let first = lines.next().unwrap();
    let (_, port) = first.split_once("port ").expect(&first);
    let port = port.split(',').next().unwrap().parse().unwrap();
    let peer = thread::spawn(move || peer(port, &mut lines));
    let mut out = String::new();
    let mut stdout = grader.stdout.take().unwrap();
    stdout.read_to_string(&mut out).unwrap();
    let code = grader.wait().unwrap().code();
    // Its requests fail once the grader has seen enough.
    let _ = peer.join();
    Graded {
        code,
        out,
        errors: first,
    }
}

#[test]
fn our_own_peer_has_every_point() {
    let files = folder(&[
        ("rfc2345.txt", b"Domain Names\n"),
        ("rfc99.txt", b"Hosts\n"),
    ]);
    let path = files.path().to_str().unwrap();
    let by_default = format!("{OUR_OWN} --host localhost:{{port}} --dir {path}");
    let graded = grade_peer(&["--files", path, "--run", &by_default]);
    let last = "19 of 19 points for the protocol, 1 of 1 points for robustness. All checks hold.\n";
    assert!(
        graded.out.ends_with(last),
        "{}{}",
        graded.out,
        graded.errors
    );
    assert_eq!(graded.code, Some(0));
    let command = format!("{by_default} --pipeline 4");
    let graded = grade_peer(&["--files", path, "--run", &command]);
    let last = "19 of 19 points for the protocol, 2 of 2 points for robustness. All checks hold.\n";
    assert!(
        graded.out.ends_with(last),
        "{}{}",
        graded.out,
        graded.errors
    );
    assert_eq!(graded.code, Some(0));
    let large = fs::read(files.path().join("rfc9002.txt")).unwrap();
    assert_eq!(large.len(), 300_000);
    // The numbers of the grader are not those that it has now.
    let graded = grade_peer(&["--files", path, "--run", &command]);
    assert!(
        graded.out.ends_with(last),
        "{}{}",
        graded.out,
        graded.errors
    );
}

#[test]
fn a_peer_that_deviates_fails_its_check_and_no_other() {
    let files = folder(&[("rfc2345.txt", DOCUMENT)]);
    let files = files.path().to_str().unwrap();
    let faithful = ("", Vec::new());
    let deviants = PEER.iter().map(|check| (check.name, vec![check.name]));
    at_once(deviants.chain([faithful]), |(check, failed)| {
        let graded = grade_deviant(check, &["--json", "--files", files]);
        assert_eq!(graded.failed(), failed, "{check:?}: {}", graded.out);
        assert_eq!(graded.code, Some(if check.is_empty() { 0 } else { 8 }));
        if check.is_empty() {
            let mut verdicts = graded.verdicts().into_values();
            assert!(verdicts.all(|verdict| verdict == "ok"), "{}", graded.out);
        }
    });
}

#[test]
fn a_faithful_peer_may_write_spaces_and_register_by_hand() {
    at_once([SPACES, BY_HAND], |kind| {
        let files = folder(&[("rfc2345.txt", DOCUMENT)]);
        let files = files.path().to_str().unwrap();
        let graded = grade_deviant(kind, &["--files", files]);
        let all = "All checks hold.\n";
        assert!(graded.out.ends_with(all), "{kind}: {}", graded.out);
        assert_eq!(graded.code, Some(0));
    });
}

#[test]
fn a_connection_for_each_request_loses_the_records() {
    let graded = grade_deviant(PER_REQUEST, &["--json"]);
    // Its two ADDs came together.
    let lost = ["answer-together", "exit-closes"];
    assert_eq!(graded.failed(), lost, "{}", graded.out);
    let graded = grade_deviant(PER_REQUEST, &["--only", "lookup-form,exit-closes"]);
    graded.says(&[
        "  ok    lookup-form ",
        "        it left the index after ADD RFC 99: its record is gone\n",
        "usual cause: each request has a connection of its own",
    ]);
}

#[test]
fn an_add_before_the_download_is_out_of_order() {
    let graded = grade_deviant(ADD_FIRST, &["--json"]);
    assert_eq!(graded.failed(), ["get-flow"], "{}", graded.out);
    let graded = grade_deviant(ADD_FIRST, &["--only", "get-flow"]);
    graded.says(&["        its ADD came before its GET", "ADD RFC 9002 P2P"]);
}

/// What the peer got can be compared although it does not register it, and answers in pieces read.
#[test]
fn an_add_that_is_missing_costs_one_point() {
    let only = "get-ok,get-flow,get-request-form,get-identical,answer-split";
    let graded = grade_deviant("get-flow", &["--only", only]);
    graded.says(&[
        "  FAIL  get-flow ",
        "  ok    get-request-form ",
        "  ok    get-identical ",
        "  ok    answer-split ",
    ]);
}

#[test]
fn a_get_that_the_holder_refuses_is_shown_with_the_reason() {
    let kind = Kind {
        request: |request| request.replace("Host: 127.0.0.1\r\nOS", "Host: 127.0.0.1:80\r\nOS"),
        ..FAITHFUL
    };
    let grade = |arguments: &[&str]| {
        grade_one(arguments, move |port, lines| {
            Deviant::run_as(kind, port, lines);
        })
    };
    let graded = grade(&["--json"]);
    let lost = ["get-flow", "get-request-form"];
    assert_eq!(graded.failed(), lost, "{}", graded.out);
    let graded = grade(&["--only", "get-flow"]);
    let why = "        its GET is refused: ";
    graded.says(&[why, "Host", "            Host: 127.0.0.1:80\\r\\n\n"]);
}

#[test]
fn every_add_that_the_index_refuses_is_a_deviation() {
    let requests = [
        (
            "also: ADD RFC 77 P2P-CI/1.0\r\nHost: 127.0.0.1\r\nPort: PORT\r\n\r\n",
            "Title",
        ),
        (
            "also: ADD RFC abc P2P-CI/1.0\r\nHost: vm\r\nPort: PORT\r\nTitle: x\r\n\r\n",
            "abc",
        ),
        (
            "also: ADD RFC 77 P2P-CI/1.0\r\nPort: PORT\r\nTitle: x\r\n\r\n",
            "Host",
        ),
        (
            "also: ADD RFC 77\r\nHost: vm\r\nPort: PORT\r\nTitle: x\r\n\r\n",
            "is not a request line",
        ),
        ("also: HELLO\r\n\r\n", "HELLO"),
        (
            "also: ADD RFC 77 P2P-CI/1.0\r\nHost: 192.0.2.2\r\nPort: PORT\r\nTitle: x\r\n\r\n",
            "already registered as 127.0.0.1:",
        ),
        (
            "also: ADD RFC 77 P2P-CI/1.0\r\nHost: \u{1b}[2Jx\r\nPort: PORT\r\nTitle: \u{7}\r\n\r\n",
            "\\u{1b}[2Jx",
        ),
    ];
    at_once(requests, |(kind, said)| {
        let graded = grade_deviant(kind, &["--json"]);
        assert_eq!(graded.failed(), ["add-form"], "{kind:?}: {}", graded.out);
        let graded = grade_deviant(kind, &["--only", "add-form"]);
        let line = kind.strip_prefix(ALSO).unwrap().lines().next().unwrap();
        graded.says(&["its request is refused: ", said, line]);
    });
}

/// Makes what is no file to compare, from its path and that of a secret.
type Make = fn(&Path, &Path);

#[test]
fn only_regular_files_are_compared() {
    let secret = folder(&[("secret.txt", b"not for students\n")]);
    let make: [(Make, &str); 4] = [
        (
            |file, secret| symlink(secret, file).unwrap(),
            "not a regular file",
        ),
        (
            |file, _| symlink("/dev/zero", file).unwrap(),
            "not a regular file",
        ),
        (
            |file, _| {
                let made = Command::new("mkfifo").arg(file).status().unwrap();
                assert!(made.success());
            },
            "not a regular file",
        ),
        (
            |file, _| fs::File::create(file).unwrap().set_len(20 << 30).unwrap(),
            "more than 16 MiB",
        ),
    ];
    at_once(make, |(make, said)| {
        let files = folder(&[]);
        make(
            &files.path().join("rfc2345.txt"),
            &secret.path().join("secret.txt"),
        );
        let path = files.path().to_str().unwrap();
        let graded = grade_deviant("", &["--files", path, "--only", "get-body"]);
        graded.says(&[said]);
        assert!(!graded.out.contains("not for students"), "{}", graded.out);
        assert_eq!(graded.code, Some(8));
    });
}

/// Who grades may name a link to the folder.
#[test]
fn the_folder_of_files_may_be_a_link() {
    let (real, links) = (folder(&[("rfc2345.txt", DOCUMENT)]), folder(&[]));
    let link = links.path().join("link");
    symlink(real.path(), &link).unwrap();
    let arguments = ["--only", "get-body", "--files", link.to_str().unwrap()];
    let graded = grade_deviant("", &arguments);
    assert!(graded.out.ends_with("All checks hold.\n"), "{}", graded.out);
    fs::write(real.path().join("rfc2345.txt"), "another").unwrap();
    let graded = grade_deviant("", &arguments);
    graded.says(&["the body is not that of the file"]);
}

/// The program may not: the report would show what it may not read.
#[test]
fn the_one_that_puts_a_link_in_the_place_of_its_files() {
    let secret = folder(&[("rfc99.txt", b"not for students\n")]);
    let own = folder(&[]);
    let files = own.path().join("rfcs");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("rfc99.txt"), "Hosts\n").unwrap();
    let command = format!(
        "mv rfcs moved; ln -s {} rfcs; exec {OUR_OWN} --host localhost:{{port}} --dir moved",
        secret.path().display()
    );
    let graded = grade_peer(&[
        "--in",
        own.path().to_str().unwrap(),
        "--files",
        files.to_str().unwrap(),
        "--only",
        "get-body",
        "--run",
        &command,
    ]);
    let last = "1 of 1 points for the protocol. All checks hold.\n";
    assert!(graded.out.ends_with(last), "{}", graded.out);
}

#[test]
fn a_local_date_is_marked_at_its_zone() {
    let graded = grade_deviant("get-headers", &["--only", "get-headers"]);
    let mark = "            Date: Sat, 21 Nov 2026 19:27:28 -0000\\r\\n\n                                            \
                ^ first difference\n";
    graded.says(&[
        mark,
        "Date is missing, or not in its form",
        "usual cause: the date is local",
    ]);
}

#[test]
fn a_body_that_is_not_the_file_is_shown() {
    let files = folder(&[("RFC-02345.txt", b"Another document\n")]);
    let files = files.path().to_str().unwrap();
    let graded = grade_deviant("", &["--files", files, "--only", "get-body"]);
    graded.says(&[
        "the body is not that of the file",
        "            Another document\\n\n",
        "            RFC 2345\\n\n",
    ]);
}

/// Grades how one that changes its answers sends a file.
fn grade_upload(answer: fn(Vec<u8>) -> Vec<u8>, only: &str) -> Graded {
    let files = folder(&[("rfc2345.txt", DOCUMENT)]);
    let files = files.path().to_str().unwrap();
    let kind = Kind { answer, ..FAITHFUL };
    grade_one(&["--files", files, "--only", only], move |port, lines| {
        Deviant::run_as(kind, port, lines);
    })
}

#[test]
fn a_body_of_another_length_than_its_file_is_shown() {
    let cut = |mut answer: Vec<u8>| {
        answer.truncate(answer.len() - 2);
        answer
    };
    grade_upload(cut, "get-body").says(&[
        "the body is cut: Content-Length is 20, as long as the file, and 18 bytes came",
        "            A document\\n\n",
    ]);
    let crlf = |answer: Vec<u8>| {
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        format!("{head}\r\n\r\n{}", body.replace('\n', "\r\n")).into_bytes()
    };
    grade_upload(crlf, "get-body").says(&[
        "the body is too long: Content-Length is 20, as long as the file, and 22 bytes came",
        "usual cause: LF has become CRLF",
    ]);
    let wrong = |answer: Vec<u8>| {
        let text = String::from_utf8(answer).unwrap();
        text.replace("Length: 20", "Length: 19").into_bytes()
    };
    grade_upload(wrong, "get-body").says(&[
        "Content-Length is 19, and the body has 20 bytes",
        "            Content-Length: 20\\r\\n\n",
    ]);
}

#[test]
fn a_length_that_is_missing_is_that_of_the_document() {
    let none = |answer: Vec<u8>| {
        let text = String::from_utf8(answer).unwrap();
        text.replace("Content-Length: 20\r\n", "").into_bytes()
    };
    grade_upload(none, "get-headers").says(&[
        "Content-Length is missing, or not in its form",
        "            Content-Length: 20\\r\\n\n",
    ]);
}

#[test]
fn a_status_line_that_deviates_is_named() {
    let kind = |answer: Vec<u8>| {
        let text = String::from_utf8(answer).unwrap();
        text.replace("200 OK", "200 ok").into_bytes()
    };
    let graded = grade_upload(kind, "get-headers");
    graded.says(&["        the status line is missing, or not in its form\n"]);
}

/// Its document is small enough for the buffers of who reads nothing.
#[test]
fn an_upload_server_that_serves_one_at_a_time_is_seen() {
    let graded = grade_deviant("get-parallel", &["--only", "get-ok,get-parallel"]);
    graded.says(&[
        "  ok    get-ok ",
        "        while others wait, no answer within 5 s\n",
        "usual cause: the upload server serves one downloader at a time",
    ]);
}

/// The lines that a person reads while a peer joins, and then closes its connection at the first choice
/// in its menu, or does nothing.
fn grade_idle(arguments: &[&str], leaves: bool) -> (Graded, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&told);
    let graded = grade_one(arguments, move |port, lines| {
        let mut index = Some(TcpStream::connect(("127.0.0.1", port)).unwrap());
        let add = b"ADD RFC 9 P2P-CI/1.0\r\nHost: localhost\r\nPort: 9\r\nTitle: T\r\n\r\n";
        index.as_mut().unwrap().write_all(add).unwrap();
        for line in lines {
            if leaves {
                index = None;
            }
            all.lock().unwrap().push(line);
        }
        drop(index);
    });
    let told = told.lock().unwrap().clone();
    (graded, told)
}

#[test]
fn a_person_whose_peer_has_left_is_told_so() {
    let only = ["--only", "lookup-form,list-form,exit-closes"];
    let (graded, told) = grade_idle(&only, true);
    graded.says(&[
        "        no LOOKUP came, because the peer has left\n",
        "  skip  list-form         the peer has left\n",
        "  skip  exit-closes       the peer has left\n",
    ]);
    assert!(graded.errors.ends_with("register an RFC (5 s)."));
    let lookup = "LOOKUP, RFC 9001, title Grading Over Carrier Pigeons (5 s)";
    assert_eq!(
        told,
        [
            &format!("Choose in the menu of your peer: {lookup}"),
            "The peer has left; the remaining steps are skipped.",
        ]
    );
}

#[test]
fn a_person_who_chooses_nothing_is_told_that_the_grader_goes_on() {
    let (graded, told) = grade_idle(&["--only", "answer-split"], false);
    graded.says(&["        no LOOKUP within 5 s\n"]);
    // There was no answer to read.
    assert!(!graded.out.contains("usual cause"), "{}", graded.out);
    assert_eq!(told[1..], ["No LOOKUP came within 5 s; going on."]);
    let graded = grade_deviant("answer-split", &["--only", "answer-split"]);
    graded.says(&["usual cause: what one recv() returns"]);
}

#[test]
fn a_get_that_names_its_sender_learns_whose_host_it_needs() {
    let kind = Kind {
        request: |request| request.replace("Host: 127.0.0.1", "Host: localhost"),
        ..FAITHFUL
    };
    let arguments = ["--only", "get-flow,get-request-form"];
    let graded = grade_one(&arguments, move |port, lines| {
        Deviant::run_as(kind, port, lines);
    });
    let cause = "usual cause: Host of a GET is the host that is asked, not your own\n";
    graded.says(&["  ok    get-flow ", cause]);
}

/// It asks where the server is before it connects.
#[test]
fn questions_at_the_start_are_answered() {
    let files = folder(&[("rfc99.txt", b"Hosts\n")]);
    let command = format!(
        "printf 'Server: '; read host; printf 'Port: '; read port; \
         exec {OUR_OWN} --host $host:$port --dir {}",
        files.path().display()
    );
    let keys = ["--keys", "start=localhost\\n{port}\\n"];
    let run = ["--run", &command, "--only", "joins,list-form"];
    let graded = grade_peer(&[&run[..], &keys].concat());
    assert!(graded.out.ends_with("All checks hold.\n"), "{}", graded.out);
}

#[test]
fn own_keys_are_typed() {
    let files = folder(&[("rfc99.txt", b"Hosts\n")]);
    let path = files.path().to_str().unwrap();
    let command = format!(
        "{OUR_OWN} --host localhost:{{port}} --dir {path} & while read -r line; do echo $line; done"
    );
    let graded = grade_peer(&[
        "--run",
        &command,
        "--keys",
        "list=typed {title}\\n",
        "get=3\\n",
        "--only",
        "list-form",
    ]);
    // The shell reads it instead of the peer.
    graded.says(&["no LIST within 5 s", "typed A Document That Nobody Has"]);
    assert_eq!(graded.code, Some(8));
}

#[test]
fn a_peer_that_does_not_come_is_code_4() {
    at_once(
        [
            (&["--patience", "1"][..], "no peer has connected to port "),
            (&["--run", "echo oh; exit 3"], "exit code 3"),
            (
                &["--run", "printf 'Host name: '; read host; sleep 100"],
                "it seems to wait for an answer to \"Host name: \", and gets none; \
                 --keys 'start=TEXT\\n' types TEXT",
            ),
        ],
        |(arguments, said)| {
            let graded = grade_peer(arguments);
            assert_eq!((graded.code, graded.out.as_str()), (Some(4), ""));
            assert!(graded.errors.contains(said), "{said} in {}", graded.errors);
        },
    );
}

/// It ends at the first choice in its menu, and leaves properly when it is started again.
#[test]
fn the_one_that_crashes_can_still_leave() {
    let files = folder(&[("rfc99.txt", b"Hosts\n")]);
    let program = format!("{OUR_OWN} --host localhost:{{port}} --dir .");
    let command =
        format!("[ -e again ] && exec {program}; touch again; {program} share & read line; exit 7");
    let (own, only) = (files.path().to_str().unwrap(), "lookup-form,exit-closes");
    let graded = grade_peer(&["--in", own, "--only", only, "--run", &command]);
    graded.says(&[
        "        no LOOKUP came, because the program has ended: exit code 7\n",
        "  ok    exit-closes ",
        "the program ended early, and was started again once\n",
    ]);
}

/// It is no wrong option.
#[test]
fn a_folder_of_files_that_is_missing_is_named() {
    let graded = grade_peer(&["--files", "missing", "--run", "true"]);
    assert_eq!(graded.code, Some(1), "{}", graded.errors);
    let said = "error: --files: cannot read the folder missing: ";
    assert!(graded.errors.starts_with(said), "{}", graded.errors);
}

#[test]
fn options_that_conflict_are_refused() {
    for (arguments, error) in [
        (&["--isolated"][..], "--isolated is for"),
        (&["--keys", "get=4"], "--keys is for"),
        (&["--keys", "quit=4"], "expected start=TEXT, add=TEXT"),
        (&["--keys", "start={number}"], "{number}\" is unknown"),
        (&["--keys", "get=4\\q"], "\\q\" is unknown"),
        (&["--keys", "get=4 {nummer}"], "{nummer}\" is unknown"),
        (&["--only", "list-all"], "unknown check \"list-all\""),
    ] {
        let graded = grade_peer(arguments);
        assert_eq!(graded.code, Some(2), "{arguments:?}: {}", graded.errors);
        assert!(graded.errors.contains(error), "{}", graded.errors);
    }
}
