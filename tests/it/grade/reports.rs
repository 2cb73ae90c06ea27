//! The forms of the report, and what is chosen for it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::deviant::Deviant;
use super::{grade, grade_port};
use crate::support::{at_once, dead_port, folder, peer_command, run};

#[test]
fn a_failure_shows_the_bytes_and_how_they_usually_come_about() {
    let graded = grade_port(
        Deviant::start("lookup-404-form"),
        &["--only", "lookup-404-form"],
    );
    let expected = r"
5 not found
  FAIL  lookup-404-form   the answer 404 is exact to the byte
        the answer is right, but not to the byte
        sent:
            LOOKUP RFC 9999 P2P-CI/1.0\r\n
            Host: peer-1.grader\r\n
";
    assert!(graded.out.contains(expected), "{}", graded.out);
    let expected = r#"
            Title: Nobody Has It\r\n
            \r\n
        expected:
            P2P-CI/1.0 404 Not Found\r\n
            \r\n
            \r\n
        got:
            P2P-CI/1.0 404 Not Found\n
                                    ^ first difference
            \n
            \n
        usual cause: a line ends with LF alone: print() and "\n" write LF; the protocol wants "\r\n"

0 of 1 points for the protocol. 1 check failed: lookup-404-form.
"#;
    assert!(graded.out.ends_with(expected), "{}", graded.out);
    assert_eq!(graded.code, Some(8));
}

#[test]
fn what_is_too_much_is_marked_with_its_usual_cause() {
    at_once(
        [
            (
                "close-forgets",
                "RFC 9061 Of Two Peers peer-1",
                "recv() returns no bytes",
            ),
            (
                "reset-forgets",
                "RFC 9065 Of Two Peers peer-1",
                "skips the lines that remove",
            ),
            (
                "lookup-by-number",
                "P2P-CI/1.0 404",
                "only the number counts",
            ),
        ],
        |(check, line, cause)| {
            let graded = grade_port(Deviant::start(check), &["--only", check]);
            let mut lines = graded.out.lines().skip_while(|line| line.trim() != "got:");
            let marked = lines.find(|it| it.trim().starts_with(line)).unwrap();
            let mark = lines.next().unwrap();
            assert!(mark.trim() == "^ first difference", "{}", graded.out);
            let place = mark.find('^').unwrap();
            assert!(!marked[place..].starts_with('\\'), "{}", graded.out);
            assert!(graded.out.contains(cause), "{cause} in {}", graded.out);
        },
    );
}

#[test]
fn files_for_other_programs_have_the_points_of_the_rubric() {
    let files = folder(&[("rubric.toml", b"add-ok = 10\nadd-form = 2.5\n")]);
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let graded = grade_port(
        Deviant::start("add-form"),
        &[
            "--only",
            "add-ok,add-form,add-record",
            "--rubric",
            &path("rubric.toml"),
            "--junit",
            &path("junit.xml"),
            "--gradescope",
            &path("results.json"),
        ],
    );
    let last = "10 of 12.5 points for the protocol. 1 check failed: add-form.\n";
    assert!(graded.out.ends_with(last), "{}", graded.out);
    let junit = fs::read_to_string(path("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"3\" failures=\"1\""), "{junit}");
    let results = fs::read_to_string(path("results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let scores = results["tests"].as_array().unwrap().iter();
    let scores: Vec<_> = scores
        .map(|test| [&test["score"], &test["max_score"]].map(|it| it.as_f64().unwrap()))
        .collect();
    assert_eq!(scores, [[10.0, 10.0], [0.0, 0.0], [0.0, 2.5]]);
}

#[test]
fn a_server_that_is_not_there_is_code_4_with_a_report() {
    let files = folder(&[]);
    let path = files.path().join("results.json");
    let graded = grade_port(dead_port(), &["--gradescope", path.to_str().unwrap()]);
    assert_eq!((graded.code, graded.out.as_str()), (Some(4), ""));
    assert!(
        graded
            .errors
            .starts_with("error: cannot connect to 127.0.0.1:"),
        "{}",
        graded.errors
    );
    let results: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let tests = results["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 27);
    let scores = tests.iter().filter_map(|test| test["score"].as_f64());
    assert_eq!(scores.collect::<Vec<_>>(), [0.0; 18], "{results}");
}

#[test]
fn the_checks_are_listed_and_wrong_names_are_refused() {
    let listed = grade(&["--list-checks"]);
    assert_eq!(listed.code, Some(0));
    let begin = "1 registration\n  add-ok            an ADD is answered with 200\n";
    assert!(listed.out.starts_with(begin), "{}", listed.out);
    let rubric = folder(&[("rubric.toml", b"ad-ok = 1")]);
    let rubric = rubric.path().join("rubric.toml");
    for (arguments, code, error) in [
        (
            &["localhost", "--only", "ad-ok"][..],
            2,
            "unknown check \"ad-ok\"",
        ),
        (&["localhost", "--run", "server"], 2, "conflicts with --run"),
        (&["localhost", "--isolated"], 2, "--isolated is for"),
        (&["a b"], 2, "a host is"),
        (&[], 2, "name a server"),
        (
            &["localhost", "--rubric", rubric.to_str().unwrap()],
            2,
            "unknown check \"ad-ok\"",
        ),
    ] {
        let graded = grade(arguments);
        assert_eq!(graded.code, Some(code), "{arguments:?}: {}", graded.errors);
        assert!(graded.errors.contains(error), "{}", graded.errors);
        assert_eq!(graded.out, "");
    }
}

/// Nothing waits for the other end of a pipe, or reads a device to its end.
#[test]
fn what_is_no_file_to_read_or_write_is_named() {
    let server = crate::support::server(&["-q"]);
    let files = folder(&[("file", b"")]);
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let [file, folder, missing] = [path("file"), path(""), path("x/y")];
    // Whoever opens a pipe to read it is a reader for a moment, and some cases need one without any.
    let [pipe, out_pipe] = [path("pipe"), path("out-pipe")];
    let pipes = [&pipe, &out_pipe];
    let made = Command::new("mkfifo").args(pipes).status().unwrap();
    assert!(made.success());
    fs::create_dir(files.path().join("submission")).unwrap();
    let target = format!("127.0.0.1:{}", server.port);
    let server = ["server", &target, "--only", "add-ok"];
    let started = ["server", "--port", "0", "--run", "exit 3 # {port}"];
    let isolated = ["server", "--isolated", "--run", "true"];
    let class = ["class", &folder, "--server", "true", "--out"];
    let with_rubric = ["class", &folder, "--peer", "true", "--peer-rubric"];
    let [read, write] = ["cannot read", "cannot write"];
    let [special, unread] = ["it is not a regular file", "it is a pipe that nobody reads"];
    let [none, is_folder, no_folder] = ["No such file", "Is a directory", "ot a directory"];
    let printout = &["printout"][..];
    let cases = [
        (printout, "", &pipe, 1, read, special),
        (printout, "", &folder, 1, read, special),
        (printout, "", &missing, 1, read, none),
        (&server, "--rubric", &pipe, 2, read, special),
        (&server, "--rubric", &folder, 2, read, special),
        (&server, "--rubric", &missing, 2, read, none),
        (&with_rubric, "", &pipe, 2, read, special),
        (&server, "--junit", &out_pipe, 1, write, unread),
        (&server, "--junit", &folder, 1, write, is_folder),
        (&server, "--gradescope", &out_pipe, 1, write, unread),
        (&server, "--gradescope", &missing, 1, write, none),
        (&started, "--keep-output", &out_pipe, 1, write, unread),
        (&started, "--keep-output", &folder, 1, write, is_folder),
        (&isolated, "--hide", &file, 1, "", no_folder),
        (&isolated, "--hide", &missing, 1, "", none),
        (
            &["peer"],
            "--files",
            &file,
            1,
            "cannot read the folder",
            no_folder,
        ),
        (
            &class,
            "",
            &file,
            1,
            "cannot create the folder",
            "File exists",
        ),
    ];
    at_once(cases, |(arguments, option, path, code, doing, reason)| {
        let option = Some(option).filter(|it| !it.is_empty());
        let all = ["grade"].into_iter().chain(arguments.iter().copied());
        let all: Vec<_> = all.chain(option).chain([path.as_str()]).collect();
        let (status, out, errors) = run("grader", peer_command(&all));
        if option == Some("--hide") && !super::programs::can_isolate() {
            return;
        }
        assert_eq!(status.code(), Some(code), "{all:?}: {errors}");
        assert!(
            errors.contains(&format!("{doing} {path}")) || doing.is_empty(),
            "{errors}"
        );
        assert!(errors.contains(reason), "{reason} in {errors}");
        // What took minutes is not lost.
        let has_report = matches!(option, Some("--junit" | "--gradescope"));
        assert_eq!(out.ends_with("All checks hold.\n"), has_report, "{out}");
    });
}
