//! Peers under test: our own with `--run`, and those that deviate, who do what a person would.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread;

use p2pci::grade::checks::PEER;

use super::Graded;
use super::deviant_peer::{DOCUMENT, Deviant};
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
fn a_body_that_is_not_the_file_is_shown() {
    let files = folder(&[("RFC-02345.txt", b"Another document\n")]);
    let files = files.path().to_str().unwrap();
    let graded = grade_deviant("", &["--files", files, "--only", "get-body"]);
    for said in [
        "the body is not that of the file",
        "            Another document\\n\n",
        "            RFC 2345\\n\n",
    ] {
        assert!(graded.out.contains(said), "{said} in {}", graded.out);
    }
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
    for said in ["no LIST within 5 s", "typed A Document That Nobody Has"] {
        assert!(graded.out.contains(said), "{said} in {}", graded.out);
    }
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
                "it seems to wait for an answer to \"Host name: \"",
            ),
        ],
        |(arguments, said)| {
            let graded = grade_peer(arguments);
            assert_eq!((graded.code, graded.out.as_str()), (Some(4), ""));
            assert!(graded.errors.contains(said), "{said} in {}", graded.errors);
        },
    );
}

#[test]
fn options_that_conflict_are_refused() {
    for (arguments, error) in [
        (&["--isolated"][..], "--isolated is for"),
        (&["--keys", "get=4"], "--keys is for"),
        (&["--keys", "add=4"], "expected lookup=TEXT"),
        (&["--only", "list-all"], "unknown check \"list-all\""),
    ] {
        let graded = grade_peer(arguments);
        assert_eq!(graded.code, Some(2), "{arguments:?}: {}", graded.errors);
        assert!(graded.errors.contains(error), "{}", graded.errors);
    }
}
