//! Programs that the grader starts.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::{Graded, grade};
use crate::support::{Program, folder, peer_command};

const SERVER: &str = env!("CARGO_BIN_EXE_server");

/// Grades what this shell command starts, on a free port. `{server}` is our own server.
fn run_and_grade(command: &str, arguments: &[&str]) -> Graded {
    let command = command.replace("{server}", &format!("{SERVER} -q --port {{port}}"));
    let port = if command.contains("{port}") {
        "0"
    } else {
        "7734"
    };
    grade(&[&["--run", &command, "--port", port], arguments].concat())
}

/// Whether a process with this word in its command line is alive.
#[cfg(target_os = "linux")]
fn runs(word: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_grader = String::from_utf8_lossy(&line).contains("grade");
        String::from_utf8_lossy(&line).contains(word) && !is_grader
    })
}

#[test]
fn a_program_is_started_in_its_folder_and_ended() {
    let files = folder(&[("name", b"seventh\n")]);
    let kept = files.path().join("kept");
    let graded = run_and_grade(
        "cat name; echo port {port}; exec {server}",
        &[
            "--in",
            files.path().to_str().unwrap(),
            "--keep-output",
            kept.to_str().unwrap(),
            "--only",
            "add-ok",
        ],
    );
    assert_eq!(graded.code, Some(0), "{}", graded.errors);
    let printed = fs::read_to_string(kept).unwrap();
    assert!(printed.starts_with("seventh\nport "), "{printed}");
    assert!(printed.contains("[SERVER] Listening on port "), "{printed}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_one_that_forks_leaves_nothing_behind() {
    let graded = run_and_grade(
        "sleep 98761.1 & setsid sleep 98761.2 & (setsid sh -c 'sleep 98761.3 & sleep 98761.4' &) ; {server}",
        &["--only", "add-ok"],
    );
    assert_eq!(graded.code, Some(0), "{}", graded.errors);
    assert!(!runs("98761."));
}

#[test]
fn how_a_start_failed_is_reported() {
    crate::support::at_once(
        [
            ("echo oh; exit 3 # {port}", "exit code 3", "oh\n"),
            (
                "nothing-like-it # {port}",
                "did not find the command",
                "nothing-like-it",
            ),
            (
                "printf 'Enter host name: '; read host # {port}",
                "it seems to wait for an answer to \"Enter host name: \"",
                "Enter host name:\n",
            ),
            (
                "exec sleep 1000 # {port}",
                "has not listened on port ",
                "printed nothing",
            ),
        ],
        |(command, error, printed)| {
            let graded = run_and_grade(command, &[]);
            assert_eq!((graded.code, graded.out.as_str()), (Some(4), ""));
            for said in [error, printed] {
                assert!(graded.errors.contains(said), "{said} in {}", graded.errors);
            }
        },
    );
}

#[test]
fn megabytes_of_output_are_counted_and_not_kept() {
    let graded = run_and_grade(
        "head -c 20000000 /dev/zero; exec {server}",
        &["--only", "add-ok"],
    );
    assert_eq!(graded.code, Some(0), "{}", graded.errors);
    assert!(
        graded.out.contains("\nthe program printed 200"),
        "{}",
        graded.out
    );
    assert!(graded.out.len() < 4096, "{}", graded.out);
}

/// It is killed at its first request. Then nothing else can be judged, which is not success.
#[test]
fn a_program_that_dies_is_reported_with_its_last_words() {
    let files = folder(&[]);
    let command = format!(
        "({SERVER} --port {{port}} & echo $! > pid; wait) | while read -r line; do case $line in \
         *Request*) kill -9 $(cat pid); echo last words; exit 7;; esac; done"
    );
    let graded = run_and_grade(&command, &["--in", files.path().to_str().unwrap()]);
    assert_eq!(graded.code, Some(8), "{}{}", graded.out, graded.errors);
    for said in ["the program has ended: exit code 7", "    last words\n"] {
        assert!(graded.out.contains(said), "{said} in {}", graded.out);
    }
}

#[test]
fn an_occupied_port_is_a_clear_error() {
    let server = crate::support::server(&["-q"]);
    let port = server.port.to_string();
    let graded = grade(&["--run", "true", "--port", &port]);
    assert_eq!(graded.code, Some(1));
    assert!(
        graded.errors.contains("another program listens on "),
        "{}",
        graded.errors
    );
}

#[test]
fn ctrl_c_ends_the_program_under_test_too() {
    let command = format!("sleep 98762.1 & exec {SERVER} -q --port {{port}}");
    let arguments = ["grade", "server", "--port", "0", "--run", &command];
    let mut grader = Program::start("grader", peer_command(&arguments));
    #[cfg(target_os = "linux")]
    while !runs("98762.1") {
        std::thread::yield_now();
    }
    grader.signal(Signal::INT);
    let (status, out, _) = grader.end();
    assert_eq!((status.code(), out.as_str()), (Some(130), ""));
    #[cfg(target_os = "linux")]
    assert!(!runs("98762.1"));
}

/// Several can use the well-known port at the same time, and none reaches the network.
#[test]
fn isolated_programs_have_a_network_of_their_own() {
    let is_allowed = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--uts",
            "--pid",
            "--fork",
            "true",
        ])
        .output()
        .is_ok_and(|tried| tried.status.success());
    let server = crate::support::server(&["-q"]);
    let command = format!(
        "hostname; sleep 98763.1 & (echo > /dev/tcp/127.0.0.1/{}) 2>/dev/null && echo reached; exec {SERVER} -q",
        server.port
    );
    let files = folder(&[]);
    crate::support::at_once(["one", "two"], |name| {
        let kept = files.path().join(name);
        let graded = grade(&[
            "--isolated",
            "--run",
            &format!("bash -c '{command}'"),
            "--keep-output",
            kept.to_str().unwrap(),
        ]);
        if !is_allowed {
            assert!(
                graded.errors.contains("does not allow --isolated"),
                "{}",
                graded.errors
            );
            assert_eq!(graded.code, Some(1));
            return;
        }
        assert_eq!(graded.code, Some(0), "{}{}", graded.out, graded.errors);
        let printed = fs::read_to_string(kept).unwrap();
        assert!(printed.starts_with("localhost\n"), "{printed}");
        assert!(!printed.contains("reached"), "{printed}");
    });
    #[cfg(target_os = "linux")]
    assert!(!runs("98763.1"));
}
