//! Saved printouts: ours, and those of programs that deviate.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::Graded;
use crate::support::{at_once, folder, peer_command, run};

fn grade_files(folder: &Path, files: &[&str], arguments: &[&str]) -> Graded {
    let arguments = [&["grade", "printout"], files, arguments].concat();
    let mut command = peer_command(&arguments);
    command.current_dir(folder);
    let (status, out, errors) = run("grader", command);
    Graded {
        code: status.code(),
        out,
        errors,
    }
}

/// The printouts of our own programs, from the golden transcript.
fn golden() -> TempDir {
    let golden = include_str!("../golden/scenarios.txt");
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = None;
    for line in golden.lines().filter(|line| !line.starts_with("====")) {
        if let Some(name) = line.strip_prefix("--- ") {
            current = ["server", "peer 1", "peer 2"]
                .into_iter()
                .find(|it| *it == name);
        } else if line
            .split_once(". ")
            .is_some_and(|(digit, rest)| digit.len() == 1 && rest.contains(':'))
        {
            // The heading of a scenario.
            current = None;
        } else if let Some(name) = current {
            let printed = files.entry(name).or_default();
            printed.push_str(line);
            printed.push('\n');
        }
    }
    let folder = folder(&[]);
    for (name, mut printed) in files {
        for number in 1..=9 {
            printed = printed
                .replace(&format!("<port {number}>"), &format!("4000{number}"))
                .replace(&format!("<client {number}>"), &format!("5000{number}"));
        }
        for date in ["<date>", "<last-modified>"] {
            printed = printed.replace(date, "Fri, 17 Apr 2026 16:08:18 GMT");
        }
        let printed = printed.replace("<os>", "Linux 6.1.0");
        let name = format!("{}.txt", name.replace(' ', ""));
        fs::write(folder.path().join(name), printed).unwrap();
    }
    folder
}

const ALL: [&str; 3] = ["server.txt", "peer1.txt", "peer2.txt"];

#[test]
fn our_own_printouts_show_all_and_deviate_in_nothing() {
    let files = golden();
    let graded = grade_files(files.path(), &ALL, &[]);
    let last = "11 of 11 points for the protocol. All checks hold.\n";
    assert!(graded.out.ends_with(last), "{}", graded.out);
    graded.says(&[
        "shows-register: server.txt:5, ",
        "shows-505: server.txt:",
        "shows-leaving: server.txt:",
    ]);
    assert_eq!((graded.code, graded.errors.as_str()), (Some(0), ""));
}

#[test]
fn our_own_printouts_with_something_changed_have_that_finding_and_no_other() {
    let files = golden();
    let read = |name: &str| fs::read_to_string(files.path().join(name)).unwrap();
    for (name, from, to, check, said) in [
        (
            "peer1.txt",
            "Content-Length: 912\n",
            "Content-Length: 911\n",
            "messages-fit",
            "Content-Length is 911, but line ",
        ),
        (
            "server.txt",
            "RFC 3457 Requirements for IPsec Remote Access Scenarios localhost 40002\nRFC 3457",
            "RFC 3458 Requirements for IPsec Remote Access Scenarios localhost 40002\nRFC 3457",
            "messages-fit",
            "has the record \"RFC 3458 Requirements",
        ),
        (
            "server.txt",
            "P2P-CI/1.0 404 Not Found\n\n\n",
            "P2P-CI/1.0 404 NOT FOUND\n\n\n",
            "messages-form",
            "expected \"P2P-CI/1.0 404 Not Found\", got \"P2P-CI/1.0 404 NOT FOUND\"",
        ),
        (
            "peer1.txt",
            "LIST ALL P2P-CI/1.0\nHost: localhost\n",
            "LIST ALL P2P-CI/1.0\nHost:localhost\n",
            "messages-form",
            "expected \"Host: localhost\", got \"Host:localhost\"",
        ),
        (
            "peer1.txt",
            "Content-Type: text/plain\n",
            "",
            "messages-form",
            "it lacks the header Content-Type",
        ),
        (
            "server.txt",
            "[SERVER] Response to 127.0.0.1:50001:\nP2P-CI/1.0 404 Not Found\n\n\n",
            "",
            "messages-fit",
            "LOOKUP RFC 999 P2P-CI/1.0: no answer is printed after it",
        ),
    ] {
        let whole = read(name);
        assert!(whole.contains(from), "{from:?} in {whole}");
        let changed = whole.replacen(from, to, 1);
        fs::write(files.path().join(name), changed).unwrap();
        let is_of_both_sides = from.starts_with("LIST");
        let graded = grade_files(files.path(), &ALL, &["--json"]);
        fs::write(files.path().join(name), whole).unwrap();
        let mut failed = graded.failed();
        failed.retain(|name| !is_of_both_sides || name != "sides-agree");
        assert_eq!(failed, [check], "{}", graded.out);
        let told = graded.out.replace("\\\"", "\"");
        assert!(told.contains(said), "{said} in {told}");
        assert_eq!(graded.code, Some(8));
    }
}

#[test]
fn what_the_other_side_has_not_received_is_found() {
    let files = golden();
    let path = files.path().join("peer2.txt");
    let changed =
        fs::read_to_string(&path)
            .unwrap()
            .replacen("LOOKUP RFC 123 ", "LOOKUP RFC 124 ", 1);
    fs::write(&path, changed).unwrap();
    let graded = grade_files(files.path(), &ALL, &["--only", "sides-agree"]);
    graded.says(&[
        "LOOKUP RFC 124 P2P-CI/1.0: the server has not received it",
        "LOOKUP RFC 123 P2P-CI/1.0: no peer has sent it",
    ]);
    let alone = grade_files(files.path(), &["server.txt"], &["--only", "sides-agree"]);
    let skipped = "skip  sides-agree       it needs printouts of both sides\n";
    assert!(alone.out.contains(skipped), "{}", alone.out);
}

/// A GET is lost only if the one who was asked has a printout that does not show it.
#[test]
fn a_file_that_is_not_the_holders_accuses_nobody() {
    let files = golden();
    let third_peer = "ADD RFC 7 P2P-CI/1.0\nHost: localhost\nPort: 40009\nTitle: T\n\n\
                      P2P-CI/1.0 200 OK\n\nRFC 7 T localhost 40009\n\n";
    let sent = "$ peer send 'BLAH RFC 1 P2P-CI/1.0'\nBLAH RFC 1 P2P-CI/1.0\nHost: localhost\n\n\
                P2P-CI/1.0 400 Bad Request\n\n\n";
    let server = fs::read_to_string(files.path().join("server.txt")).unwrap();
    for (text, is_empty) in [
        ("", true),
        ("hello\n", true),
        ("2 RFC(s) of rfcs are shared\n", true),
        (third_peer, false),
        (sent, false),
    ] {
        fs::write(files.path().join("s1.txt"), text).unwrap();
        // The server has received what the third one sent.
        let received = if text == third_peer { text } else { "" };
        fs::write(files.path().join("server.txt"), server.clone() + received).unwrap();
        for peer in ["peer1.txt", "peer2.txt"] {
            let graded = grade_files(files.path(), &["server.txt", peer, "s1.txt"], &[]);
            graded.says(&["  ok    sides-agree "]);
            let note = "No message was found in s1.txt.\n";
            assert_eq!(graded.out.contains(note), is_empty, "{}", graded.out);
            let note = "sides-agree: the holder's printout is not here, so these GETs are not \
                        compared: peer1.txt:";
            let is_noted = graded.out.contains(note);
            assert_eq!(is_noted, peer == "peer1.txt", "{}", graded.out);
        }
    }
    let path = files.path().join("peer2.txt");
    let holder = fs::read_to_string(&path).unwrap();
    let silent = holder.replacen("GET RFC 123 ", "GET RFC 124 ", 1);
    fs::write(&path, silent).unwrap();
    let all = ["server.txt", "peer1.txt", "peer2.txt", "s1.txt"];
    let graded = grade_files(files.path(), &all, &["--only", "sides-agree"]);
    graded.says(&["GET RFC 123 P2P-CI/1.0: the holder has not received it"]);
    let alone = ["peer1.txt", "s1.txt"];
    let graded = grade_files(files.path(), &alone, &["--only", "sides-agree"]);
    graded.says(&["  skip  sides-agree       it needs printouts of both sides\n"]);
}

/// The time for a message must not grow with their number: otherwise these take many minutes.
#[test]
fn long_printouts_of_many_messages_are_graded() {
    let requests = "ADD RFC 1 P2P-CI/1.0\n".repeat(20_000);
    let answers = "P2P-CI/1.0 200 OK\n".repeat(20_000);
    let hosts = (0..20_000).map(|host| format!("LIST ALL P2P-CI/1.0\nHost: vm{host}\nPort: 5\n\n"));
    let lists: String = hosts.collect();
    let names = ("P2P-CI/".repeat(1170) + "\n").repeat(1000);
    let files = folder(&[
        ("requests.txt", requests.as_bytes()),
        ("peer.txt", lists.as_bytes()),
        ("server.txt", lists.as_bytes()),
        ("answers.txt", (requests.clone() + &answers).as_bytes()),
        ("names.txt", names.as_bytes()),
    ]);
    at_once(
        [
            (&["requests.txt"][..], "and 19980 more"),
            (&["answers.txt"], "and 19980 more"),
            (&["names.txt"], "no message was found"),
            (&["peer.txt", "server.txt"], "ok    sides-agree"),
        ],
        |(names, said)| grade_files(files.path(), names, &[]).says(&[said]),
    );
}

#[test]
fn other_programs_print_in_other_ways() {
    let python = r"Connected by ('127.0.0.1', 51000)
Received: b'LIST ALL P2P-CI/1.0\r\nHost: vm\r\nPort: 5000\r\n\r\n'
Sending: b'P2P-CI/1.0 200 OK\r\n\r\n\r\n'
Received: b'ADD RFC 5 P2P-CI/1.0\nHost: vm\nPort: 5000\nTitle: A Title\n\n'
Sending: b'P2P-CI/1.0 200 OK\r\n\r\nRFC 5 A Title vm 5000\r\n\r\n'
vm left
";
    let files = folder(&[("server.log", python.as_bytes()), ("empty.log", b"hello\n")]);
    let graded = grade_files(files.path(), &["server.log"], &["--json"]);
    let failed = graded.failed();
    let form = "server.log:4: ADD RFC 5 P2P-CI/1.0: a line ends with \\\\n alone";
    assert!(graded.out.contains(form), "{}", graded.out);
    let shown = [
        "shows-register",
        "shows-list",
        "shows-leaving",
        "messages-fit",
    ];
    assert!(
        !failed.iter().any(|name| shown.contains(&name.as_str())),
        "{failed:?}"
    );
    let empty = grade_files(files.path(), &["empty.log"], &[]);
    assert!(empty.out.contains("no message was found"), "{}", empty.out);
    let missing = grade_files(files.path(), &["missing.log"], &[]);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.errors.contains("cannot read missing.log"),
        "{}",
        missing.errors
    );
    assert_eq!(grade_files(files.path(), &[], &[]).code, Some(2));
}

#[test]
fn what_a_printout_need_not_show_is_not_judged() {
    let heads = "peer says\nADD RFC 5 P2P-CI/1.0\nHost: vm\nPort: 5000\nTitle: A   Title\ngot\n\
                 P2P-CI/1.0 200 OK\nRFC 5 A   Title vm 5000\nexited\n";
    let files = folder(&[
        ("peer.txt", heads.as_bytes()),
        ("server.txt", heads.as_bytes()),
    ]);
    for only in ["messages-form", "shows-leaving"] {
        let graded = grade_files(files.path(), &["server.txt"], &["--only", only]);
        assert_eq!(graded.code, Some(0), "{}", graded.out);
    }
    let quoted = "b'ADD RFC 5 P2P-CI/1.0\\r\\nHost: vm\\r\\nPort: 5\\r\\nTitle: A\\r\\n'\n";
    let wrong = "P2P-CI/1.0 200 OK\n\nRFC  5 A vm 5\n";
    fs::write(files.path().join("peer.txt"), format!("{quoted}{wrong}")).unwrap();
    let graded = grade_files(files.path(), &["peer.txt"], &["--only", "messages-form"]);
    graded.says(&[
        "no empty line ends its head",
        "\"RFC  5 A vm 5\" is no record",
    ]);
}

#[test]
fn long_lines_and_long_files_fill_no_report() {
    let long = format!(
        "ADD RFC 5 P2P-CI/1.0\nHost: vm\nTitle: {}\n\n",
        "x".repeat(5000)
    );
    let files = folder(&[("peer.txt", long.repeat(30).as_bytes())]);
    let graded = grade_files(files.path(), &["peer.txt"], &[]);
    assert!(graded.out.len() < 32 * 1024, "{}", graded.out.len());
    assert!(graded.out.contains("and 10 more"), "{}", graded.out);
    let file = fs::File::create(files.path().join("peer.txt")).unwrap();
    file.set_len(16 * 1024 * 1024 + 1).unwrap();
    let graded = grade_files(files.path(), &["peer.txt"], &[]);
    assert_eq!((graded.code, graded.out.as_str()), (Some(2), ""));
    let said = "cannot read peer.txt: it is longer than 16 MiB; cut it";
    assert!(graded.errors.contains(said), "{}", graded.errors);
}
