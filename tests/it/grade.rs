//! The grader, with servers that deviate and servers that attack it.

mod attackers;
mod classes;
mod deviant;
mod deviant_peer;

mod kinds;
mod limits;
mod peers;
mod planted;
mod printouts;
mod programs;
mod reports;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use p2pci::grade::checks::SERVER;
use serde_json::Value;

use crate::support::{at_once, peer_command, run, server};
use deviant::{Deviant, Pieces};

/// The end of `peer grade server` with these arguments.
struct Graded {
    code: Option<i32>,
    out: String,
    errors: String,
}

fn grade(arguments: &[&str]) -> Graded {
    let arguments = [&["grade", "server"], arguments].concat();
    let (status, out, errors) = run("grader", peer_command(&arguments));
    Graded {
        code: status.code(),
        out,
        errors,
    }
}

impl Graded {
    /// Checks that it says all of this.
    #[track_caller]
    fn says(&self, all: &[&str]) {
        for said in all {
            assert!(self.out.contains(said), "{said} in {}", self.out);
        }
    }

    /// The verdicts by check.
    fn verdicts(&self) -> BTreeMap<String, String> {
        let report: Value = serde_json::from_str(&self.out).expect(&self.errors);
        let checks = report["checks"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        checks
            .map(|check| (text(&check["name"]), text(&check["verdict"])))
            .collect()
    }

    fn failed(&self) -> Vec<String> {
        let verdicts = self.verdicts().into_iter();
        let failed = verdicts.filter(|(_, verdict)| verdict == "fail");
        failed.map(|(name, _)| name).collect()
    }
}

fn grade_port(port: u16, arguments: &[&str]) -> Graded {
    grade(&[&[format!("127.0.0.1:{port}").as_str()], arguments].concat())
}

#[test]
fn our_own_server_has_every_point() {
    let server = server(&["-q"]);
    let graded = grade_port(server.port, &[]);
    let last = "18 of 18 points for the protocol, 9 of 9 points for robustness. All checks hold.\n";
    assert!(graded.out.ends_with(last), "{}", graded.out);
    assert_eq!((graded.code, graded.errors.as_str()), (Some(0), ""));
    // It has forgotten the first grader, and would not mind if it had not.
    assert_eq!(grade_port(server.port, &[]).code, Some(0));
}

/// Ten runs at once.
#[test]
fn verdicts_are_the_same_beside_a_busy_loop() {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let _end = Ends(&is_over);
        let ours = format!("{} -q --port {{port}}", env!("CARGO_BIN_EXE_server"));
        at_once(0..10, |_| {
            let graded = grade(&["--json", "--port", "0", "--run", &ours]);
            let mut verdicts = graded.verdicts().into_values();
            assert!(verdicts.all(|verdict| verdict == "ok"), "{}", graded.out);
        });
    });
}

/// Ends the loop, also if a check panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_deviant_fails_its_check_and_no_other() {
    let faithful = ("", Vec::new());
    let deviants = SERVER.iter().map(|check| (check.name, vec![check.name]));
    at_once(deviants.chain([faithful]), |(check, failed)| {
        let graded = grade_port(Deviant::start(check), &["--json"]);
        assert_eq!(graded.failed(), failed, "{check:?}: {}", graded.out);
        let is_complete = check.is_empty();
        assert_eq!(graded.code, Some(if is_complete { 0 } else { 8 }));
        if is_complete {
            let mut verdicts = graded.verdicts().into_values();
            assert!(verdicts.all(|verdict| verdict == "ok"), "{}", graded.out);
        }
    });
}

#[test]
fn a_server_that_removes_records_by_host_learns_why() {
    let port = Deviant::start("same-host");
    let graded = grade_port(port, &["--only", "same-host"]);
    graded.says(&[
        "        after the other peer of this host left, it ",
        "usual cause: records are removed by host alone: host and port together name a peer\n",
    ]);
}

#[test]
fn one_answer_to_two_requests_is_shown_with_what_was_expected() {
    let graded = grade_port(Deviant::start("pipelined"), &["--only", "pipelined"]);
    graded.says(&["        one answer to two requests: no answer within 5 s\n"]);
    let (expected, got) = graded.out.split_once("        got:\n").unwrap();
    assert_eq!(expected.matches(" 200 OK").count(), 2, "{}", graded.out);
    assert_eq!(got.matches(" 200 OK").count(), 1, "{}", graded.out);
    assert!(got.contains("RFC 9073 Asked for Twice "), "{}", graded.out);
}

#[test]
fn what_needs_a_failed_check_is_not_judged() {
    let graded = grade_port(Deviant::start("add-ok"), &["--json"]);
    let verdicts = graded.verdicts();
    for (check, verdict) in [
        ("add-ok", "fail"),
        ("add-record", "skip"),
        ("list-all", "skip"),
        ("garbage", "skip"),
        ("lookup-404", "ok"),
        ("version-505", "ok"),
    ] {
        assert_eq!(verdicts[check], verdict, "{check}");
    }
}

#[test]
fn a_faithful_server_may_write_in_pieces() {
    let at_once_written = [Pieces::Lines(Duration::ZERO), Pieces::Two];
    let often = at_once_written.iter().cycle().take(10);
    let bytes = Pieces::Bytes(Duration::from_millis(2));
    at_once(often.chain([&bytes]), |pieces| {
        let graded = grade_port(Deviant::start_in("", *pieces), &["--json"]);
        let verdicts = graded.verdicts();
        let all_hold = verdicts.values().all(|verdict| verdict == "ok");
        assert!(all_hold, "{}", graded.out);
        assert_eq!(graded.code, Some(0));
    });
}

#[test]
fn a_faithful_server_may_pause_after_each_line() {
    let some = ["--only", "add-record,list-form,lookup-form,lookup-404-form"];
    at_once([50, 150, 240, 300], |pause| {
        let pieces = Pieces::Lines(Duration::from_millis(pause));
        let graded = grade_port(Deviant::start_in("", pieces), &some);
        let all = "4 of 4 points for the protocol. All checks hold.\n";
        assert!(graded.out.ends_with(all), "{}", graded.out);
    });
}

#[test]
fn a_deviant_that_writes_in_pieces_fails_its_check_and_no_other() {
    let checks = ["add-form", "list-form", "lookup-404-form", "close-forgets"];
    at_once(checks, |check| {
        let port = Deviant::start_in(check, Pieces::Lines(Duration::ZERO));
        let graded = grade_port(port, &["--json"]);
        assert_eq!(graded.failed(), [check], "{}", graded.out);
    });
}
