//! A class of submissions.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use rustix::process::Signal;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, kill_process};
use tempfile::TempDir;

#[cfg(target_os = "linux")]
use super::programs::runs;
use crate::support::{Program, folder, peer_command, run};

const SERVER: &str = env!("CARGO_BIN_EXE_server");
const PEER: &str = env!("CARGO_BIN_EXE_peer");

/// A class with these submissions, each with what starts its server.
fn class(submissions: &[(&str, &str)]) -> TempDir {
    let class = folder(&[]);
    for (name, script) in submissions {
        fs::create_dir(class.path().join(name)).unwrap();
        fs::write(class.path().join(name).join("run"), script).unwrap();
    }
    class
}

fn arguments<'a>(class: &'a TempDir, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let folder = class.path().to_str().unwrap();
    let usual = [
        "grade",
        "class",
        folder,
        "--server",
        "sh ./run {port}",
        "--out",
        out,
    ];
    [&usual, more].concat()
}

#[test]
fn every_submission_has_a_row_and_a_report() {
    let class = class(&[
        ("alice", &format!("exec {SERVER} -q --port $1")),
        ("bob, the slow", "sleep 1000"),
        ("carol", "echo oh; exit 3"),
    ]);
    let results = folder(&[]);
    let out = results.path().join("results");
    let out = out.to_str().unwrap();
    let command = peer_command(&arguments(&class, out, &["-j", "3"]));
    let (status, printed, errors) = run("grader", command);
    assert_eq!(status.code(), Some(8), "{errors}");
    let read = |name: &str| fs::read_to_string(format!("{out}/{name}")).unwrap();
    let table = read("table.csv");
    let rows: Vec<_> = table.lines().collect();
    assert!(
        rows[0].starts_with(
            "submission,program,points,max,problem,1 registration,1 registration max,2 list,"
        ),
        "{table}"
    );
    assert!(rows[0].ends_with(",robust,robust max"), "{table}");
    assert_eq!(
        rows[1],
        "alice,server,18,18,,4,4,2,2,3,3,2,2,2,2,3,3,2,2,9,9"
    );
    for (row, begin, said) in [
        (
            rows[2],
            "\"bob, the slow\",server,0,18,",
            "has not listened on port ",
        ),
        (rows[3], "carol,server,0,18,", "exit code 3"),
    ] {
        assert!(row.starts_with(begin) && row.contains(said), "{row}");
    }
    assert!(read("alice-server.txt").contains("All checks hold."));
    assert!(read("carol-server.txt").contains("exit code 3"));
    // The points of all three agree, and those for robustness are apart.
    let json: serde_json::Value = serde_json::from_str(&read("alice-server.json")).unwrap();
    let tests = json["tests"].as_array().unwrap().iter();
    let scores: f64 = tests.filter_map(|test| test["score"].as_f64()).sum();
    assert_eq!((&json["score"], scores), (&18.0.into(), 18.0));
    for said in [
        "server         points  1 registration",
        "alice          18/18   4/4",
        "2 could not be graded.\nNo check of the others failed.\n",
    ] {
        assert!(printed.contains(said), "{said} in {printed}");
    }
    assert!(
        errors.contains("alice: server: 18 of 18 points"),
        "{errors}"
    );
}

#[test]
fn one_that_hangs_costs_its_deadline() {
    let class = class(&[("bob", "sleep 1000")]);
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let command = peer_command(&arguments(&class, out, &["--deadline", "1"]));
    let (status, printed, errors) = run("grader", command);
    assert_eq!(status.code(), Some(8), "{errors}");
    assert!(
        printed.contains("bob     not graded within 1 s"),
        "{printed}"
    );
}

#[test]
fn ctrl_c_keeps_what_is_done() {
    let class = class(&[("alice", "exit 3"), ("bob", "sleep 1000")]);
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let mut grader = Program::start("grader", peer_command(&arguments(&class, out, &[])));
    grader.expect_error("alice: server: the program ended before ");
    grader.signal(Signal::INT);
    let (status, _, _) = grader.end();
    assert_eq!(status.code(), Some(130));
    let table = fs::read_to_string(results.path().join("table.csv")).unwrap();
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains("\nalice,server,0,18"), "{table}");
}

/// A submission can do that where it is not isolated.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_grader_is_no_success() {
    let class = class(&[("alice", "sleep 98764.1; exit")]);
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let mut grader = Program::start("grader", peer_command(&arguments(&class, out, &[])));
    while !runs("98764.1") {
        std::thread::yield_now();
    }
    let of_alice = format!("{}/alice\0--gradescope", class.path().display());
    let its_grader = fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_it = String::from_utf8_lossy(&line).contains(&of_alice);
        let id = entry.file_name().to_str()?.parse().ok()?;
        is_it.then(|| Pid::from_raw(id)).flatten()
    });
    kill_process(its_grader.unwrap(), Signal::KILL).unwrap();
    let (status, printed, errors) = grader.end();
    assert_eq!(status.code(), Some(8), "{errors}");
    assert!(
        printed.contains("alice   its grader was ended from outside (signal 9)"),
        "{printed}"
    );
    assert!(printed.ends_with("1 could not be graded.\n"), "{printed}");
    let json = fs::read_to_string(format!("{out}/alice-server.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let tests = json["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 27);
    let apart = serde_json::json!({ "points": 0.0, "max": 1.0 });
    assert!(
        tests.iter().all(|it| {
            (it["score"] == 0.0 && it["max_score"] == 1.0) || it["extra_data"] == apart
        })
    );
    let table = fs::read_to_string(format!("{out}/table.csv")).unwrap();
    assert!(table.contains("alice,server,0,18,\"its grader"), "{table}");
    // The program under test ends with its grader.
    assert!(!runs("98764.1"));
}

/// Without isolation a program can end its grader. What it leaves behind would be graded in place of the
/// next, or hold its port. A system without `unshare` isolates nothing.
#[cfg(target_os = "linux")]
#[test]
fn the_one_that_kills_its_grader_is_not_in_the_way_of_the_next() {
    let class = class(&[
        (
            "alice",
            "setsid sleep 98768.1 & sleep 98768.2 & id=$PPID; \
             until tr '\\0' ' ' < /proc/$id/cmdline | grep -q 'grade server'; do \
             id=$(ps -o ppid= -p $id | tr -d ' '); done; kill -9 $id; wait",
        ),
        (
            "bob",
            &format!("ps -e -o args | grep '[9]8768' && exit 3; exec {SERVER} -q --port $1"),
        ),
    ]);
    let programs = folder(&[("unshare", b"#!/bin/sh\nexit 1\n")]);
    let unshare = programs.path().join("unshare");
    fs::set_permissions(unshare, Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        programs.path().display(),
        std::env::var("PATH").unwrap()
    );
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let mut command = peer_command(&arguments(&class, out, &[]));
    command.env("PATH", path);
    let (status, printed, errors) = run("grader", command);
    assert_eq!(status.code(), Some(8), "{errors}");
    assert!(
        errors.contains("Not isolated, so one at a time"),
        "{errors}"
    );
    for said in [
        "alice   its grader was ended from outside (signal 9)",
        "bob     18/18 ",
    ] {
        assert!(printed.contains(said), "{said} in {printed}");
    }
    assert!(!runs("98768."));
}

/// One has a name that is too long for its files, and one has no place for them.
#[test]
fn the_one_without_a_report_costs_nobody_the_table() {
    let long = "x".repeat(250);
    let good = format!("exec {SERVER} -q --port $1");
    let class = class(&[("alice", &good), ("bob", &good), (&long, "exit 3")]);
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    fs::create_dir(results.path().join("bob-server.txt")).unwrap();
    let command = peer_command(&arguments(&class, out, &["-j", "3"]));
    let (status, printed, errors) = run("grader", command);
    assert_eq!(status.code(), Some(1), "{errors}");
    let said = format!("cannot write {out}/bob-server.txt: Is a directory");
    assert!(errors.contains(&format!("warning: {said}")), "{errors}");
    let table = fs::read_to_string(format!("{out}/table.csv")).unwrap();
    for row in [
        "\nalice,server,18,18,,4,4,",
        &format!("\nbob,server,0,18,cannot start its grader: {said}"),
        &format!("\n{long},server,0,18,the program ended "),
    ] {
        assert!(table.contains(row), "{row} in {table}");
    }
    assert!(printed.contains("2 could not be graded.\n"), "{printed}");
    let names = fs::read_dir(out).unwrap().flatten();
    let names = names.map(|file| file.file_name().into_string().unwrap());
    let reports: Vec<_> = names.filter(|name| name.starts_with("xxx")).collect();
    assert_eq!(reports.len(), 2, "{reports:?}");
    let json = fs::read_to_string(format!("{out}/bob-server.json")).unwrap();
    assert!(json.contains("not judged: cannot start"), "{json}");
}

#[test]
fn ctrl_c_keeps_the_table_of_a_name_that_is_too_long() {
    let long = "x".repeat(250);
    let class = class(&[(&long, "exit 3"), ("yes", "sleep 1000")]);
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let mut grader = Program::start("grader", peer_command(&arguments(&class, out, &[])));
    grader.expect_error(&format!("{long}: server: the program ended before "));
    grader.signal(Signal::INT);
    let (status, _, _) = grader.end();
    assert_eq!(status.code(), Some(130));
    let table = fs::read_to_string(results.path().join("table.csv")).unwrap();
    assert!(table.contains(&format!("\n{long},server,0,18")), "{table}");
}

/// One changes the reports of those before it, and links to other folders are no submissions.
#[test]
fn the_one_that_changes_results() {
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let forge = format!(
        "for file in {out}/alice*; do echo forged > $file; done; ln -s /dev/null {out}/table.csv; \
         exit 3"
    );
    let class = class(&[
        ("alice", &format!("exec {SERVER} -q --port $1")),
        ("bob\n\u{1b}[31m", &forge),
    ]);
    symlink("/etc", class.path().join("carol")).unwrap();
    let command = peer_command(&arguments(&class, out, &[]));
    let (status, _, errors) = run("grader", command);
    assert_eq!(status.code(), Some(8), "{errors}");
    assert!(
        errors.contains("carol: not graded, because it is a link"),
        "{errors}"
    );
    let mut files: Vec<_> = fs::read_dir(out).unwrap().flatten().collect();
    files.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = files
        .iter()
        .map(|it| it.file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for (file, name) in files.iter().zip(&names) {
        assert!(file.file_type().unwrap().is_file(), "{name}");
        assert!(!name.contains(['\n', '\u{1b}']), "{name}");
        let contents = fs::read_to_string(file.path()).unwrap();
        assert!(!contents.contains("forged"), "{name}: {contents}");
    }
}

/// Otherwise its report would show what it may not read.
#[test]
fn the_one_that_links_its_files_to_those_of_others() {
    let secret = folder(&[("rfc99.txt", b"not for students\n")]);
    let class = class(&[("alice", ""), ("bob", "")]);
    for (name, target) in [("alice", secret.path()), ("bob", Path::new("own"))] {
        let submission = class.path().join(name);
        fs::create_dir(submission.join("own")).unwrap();
        fs::write(submission.join("own/rfc99.txt"), "hosts\n").unwrap();
        symlink(target, submission.join("rfcs")).unwrap();
    }
    let results = folder(&[]);
    let (path, out) = (
        class.path().to_str().unwrap(),
        results.path().to_str().unwrap(),
    );
    let command = format!("exec {PEER} --host localhost:{{port}} --dir own");
    let arguments = [
        "grade", "class", path, "--peer", &command, "--files", "rfcs", "-j", "2",
    ];
    let command = peer_command(&[&arguments[..], &["--out", out]].concat());
    let (_, _, errors) = run("grader", command);
    let said = "peer: compared with no files, because it has no folder rfcs of its own\n";
    assert!(errors.contains(&format!("alice: {said}")), "{errors}");
    assert!(!errors.contains(&format!("bob: {said}")), "{errors}");
    for name in ["alice", "bob"] {
        let report = fs::read_to_string(format!("{out}/{name}-peer.txt")).unwrap();
        assert!(report.contains("  ok    get-body "), "{report}");
        assert!(!report.contains("not for students"), "{report}");
    }
}

/// Otherwise it could change them, and put links in their place.
#[test]
fn the_results_are_in_no_submission() {
    let class = class(&[("alice", "exit 3")]);
    let elsewhere = folder(&[]);
    let alice = class.path().join("alice");
    symlink(elsewhere.path(), alice.join("link")).unwrap();
    for out in ["results", "new/results", "link", "link/results"] {
        let out = alice.join(out);
        let command = peer_command(&arguments(&class, out.to_str().unwrap(), &[]));
        let (status, _, errors) = run("grader", command);
        assert_eq!(status.code(), Some(1), "{errors}");
        let said = format!(
            "{} could change the results in {}; name another folder with --out\n",
            alice.display(),
            out.display()
        );
        assert!(errors.ends_with(&said), "{errors}");
    }
    assert_eq!(fs::read_dir(&alice).unwrap().count(), 2);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// The server of a submission is graded, and its peer is not.
#[test]
fn ctrl_c_keeps_a_finished_half() {
    let class = class(&[("alice", "exit 3")]);
    let results = folder(&[]);
    let out = results.path().to_str().unwrap();
    let command = peer_command(&arguments(&class, out, &["--peer", "sleep 1000"]));
    let mut grader = Program::start("grader", command);
    grader.expect_error("alice: server: the program ended before ");
    grader.signal(Signal::INT);
    let (status, printed, _) = grader.end();
    assert_eq!(status.code(), Some(130));
    assert!(printed.contains("alice   the program ended"), "{printed}");
    let table = fs::read_to_string(results.path().join("table.csv")).unwrap();
    assert!(table.contains("\nalice,server,0,18"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");
}

#[test]
fn a_class_needs_submissions_and_a_command() {
    let class = class(&[]);
    let path = class.path().to_str().unwrap();
    for (arguments, code, error) in [
        (&[path][..], 2, "name the command of a server"),
        (&[path, "--server", "true"], 1, "has no subfolder to grade"),
        (&[path, "--server", "true", "--files", "x"], 2, "--peer "),
        (
            &[path, "--server", "true", "--keys", "exit=6"],
            2,
            "--peer ",
        ),
        (
            &["nothing-here", "--server", "true"],
            1,
            "cannot read the folder",
        ),
    ] {
        let arguments = [&["grade", "class"], arguments].concat();
        let (status, _, errors) = run("grader", peer_command(&arguments));
        assert_eq!(status.code(), Some(code), "{errors}");
        assert!(errors.contains(error), "{errors}");
    }
}
