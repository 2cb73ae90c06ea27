//! Programs that take as much of the machine as they can. What they try is more than the limit and
//! less than what would harm a machine without one.

use super::programs::can_isolate;
use super::{Graded, grade};
use crate::support::at_once;

/// Grades what this shell command starts, which should end before it listens.
fn run_and_grade(command: &str, isolated: Option<&str>) -> Graded {
    let command = format!("{command} # {{port}}");
    let usual = ["--port", "0", "--run", &command];
    let all: Vec<_> = usual.into_iter().chain(isolated).collect();
    let graded = grade(&all);
    assert_eq!(graded.code, Some(4), "{}{}", graded.out, graded.errors);
    graded
}

#[cfg(target_os = "linux")]
#[test]
fn the_one_that_forks_for_ever() {
    let isolated = can_isolate().then_some("--isolated");
    at_once([None, isolated], |isolated| {
        let command = "i=0; while [ $i -lt 1500 ]; do sleep 98766.1 & i=$((i+1)); done; wait";
        let graded = run_and_grade(command, isolated);
        // Isolated, the system refuses it, unless root grades.
        let said = "it had more than 500 processes and threads, so the grader ended it";
        let is_refused = isolated.is_some() && graded.errors.contains("Cannot fork");
        assert!(
            graded.errors.contains(said) || is_refused,
            "{}",
            graded.errors
        );
    });
    assert!(!super::programs::runs("98766.1"));
}

/// No process has much: what they share counts for each.
#[cfg(target_os = "linux")]
#[test]
fn the_one_that_allocates_in_many_processes() {
    let command = "x=$(head -c 20000000 /dev/zero | tr '\\0' x); i=0; \
                   while [ $i -lt 150 ]; do (sleep 98767.1; :) & i=$((i+1)); done; wait";
    let graded = run_and_grade(command, None);
    let said = "it used more than 2 GiB of memory, so the grader ended it";
    assert!(graded.errors.contains(said), "{}", graded.errors);
    assert!(!super::programs::runs("98767.1"));
}

#[test]
fn the_one_that_allocates_for_ever() {
    let isolated = can_isolate().then_some("--isolated");
    at_once([None, isolated], |isolated| {
        let command = "for size in 1 10 100 10000; do \
                       dd if=/dev/zero of=/dev/null bs=${size}M count=1 || exit 7; echo has $size; \
                       done";
        let graded = run_and_grade(command, isolated);
        assert!(graded.errors.contains("exit code 7"), "{}", graded.errors);
        assert!(graded.errors.contains("has 100\n"), "{}", graded.errors);
        assert!(!graded.errors.contains("has 10000\n"), "{}", graded.errors);
    });
}
