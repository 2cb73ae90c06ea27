//! Programs that the grader starts.

use std::fs;
use std::process::Command;

use rexpect::process::{PtyProcess, WaitStatus};
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

/// Whether the system lets users have processes, a network, and mounts of their own.
pub(super) fn can_isolate() -> bool {
    let options = "--user --map-root-user --net --uts --mount --ipc --pid --fork --mount-proc";
    let tried = Command::new("unshare")
        .args(options.split(' '))
        .arg("true")
        .output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// Whether a process with this word in its command line is alive.
#[cfg(target_os = "linux")]
pub(super) fn runs(word: &str) -> bool {
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
    // On another port than that of the grader.
    let elsewhere = format!("exec {SERVER} -q --port 0 # {{port}}");
    crate::support::at_once(
        [
            #[cfg(target_os = "linux")]
            (
                elsewhere.as_str(),
                "; it listens on ",
                "] Listening on port ",
            ),
            ("echo oh; exit 3 # {port}", "exit code 3", "oh\n"),
            (
                "printf '\\033]0;owned\\007'; exit 3 # {port}",
                "exit code 3",
                "\\u{1b}]0;owned\\u{7}",
            ),
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
                "yes xxxx | tr -d '\\n' # {port}",
                " bytes instead",
                "xxxxxxxx",
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
    graded.says(&["the program has ended: exit code 7", "    last words\n"]);
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
        if !can_isolate() {
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

/// What it writes to the terminal would be what the grader says, and what it types there would be
/// commands for the shell of the grader.
#[test]
fn the_one_that_opens_the_terminal_has_none() {
    let isolated = can_isolate().then_some("--isolated");
    crate::support::at_once([None, isolated], |isolated| {
        let files = folder(&[]);
        let kept = files.path().join("kept");
        let command = format!(
            "(: < /dev/tty) 2> /dev/null && echo has a terminal; \
             echo started; exec {SERVER} -q --port {{port}}"
        );
        let mut grader = peer_command(&["grade", "server", "--only", "add-ok", "--port", "0"]);
        grader.args(["--run", &command, "--keep-output"]).arg(&kept);
        grader.args(isolated);
        let process = PtyProcess::new(grader).unwrap();
        // Nobody needs what it prints, but it must be read.
        let mut terminal = process.get_file_handle().unwrap();
        let printed = std::thread::spawn(move || {
            let mut printed = Vec::new();
            // At a terminal the end is an error.
            let _ = std::io::Read::read_to_end(&mut terminal, &mut printed);
            String::from_utf8_lossy(&printed).into_owned()
        });
        let status = process.wait().unwrap();
        let printed = printed.join().unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 0)), "{printed}");
        let kept = fs::read_to_string(kept).unwrap();
        assert!(kept.starts_with("started\n"), "{kept}");
    });
}

#[test]
fn the_one_that_looks_for_secrets_of_the_grader() {
    let files = folder(&[]);
    let kept = files.path().join("kept");
    let command = format!("env; exec {SERVER} -q --port {{port}}");
    let arguments = [
        "grade", "server", "--port", "0", "--only", "add-ok", "--run",
    ];
    let mut grader = peer_command(&arguments);
    grader.arg(&command).arg("--keep-output").arg(&kept);
    grader.env("COURSE_TOKEN", "secret").env("LC_ALL", "C");
    let (status, _, errors) = crate::support::run("grader", grader);
    assert_eq!(status.code(), Some(0), "{errors}");
    let kept = fs::read_to_string(kept).unwrap();
    assert!(kept.contains("LC_ALL=C\n"), "{kept}");
    for name in ["COURSE_TOKEN", "P2PCI_"] {
        assert!(!kept.contains(name), "{kept}");
    }
}

/// It tries to change what is not its own, and to end who grades it.
#[test]
fn the_one_that_attacks_from_isolation() {
    if !can_isolate() {
        return;
    }
    let class = folder(&[("results", b"untouched")]);
    let own = class.path().join("own");
    let other = class.path().join("other");
    for folder in [&own, &other] {
        fs::create_dir(folder).unwrap();
    }
    let home = folder(&[]);
    let test = std::process::id();
    let command = format!(
        "exec 2> /dev/null; ls ..; kill -9 1; kill -INT 1; kill -9 $PPID; \
         kill -0 {test} && echo sees the test; \
         echo x > {outside}/x && echo writes outside; echo x > ../other/x; \
         mount -o remount,bind,rw / && echo undoes it; umount /tmp && echo shows files; \
         ls /dev/pts | grep . ; [ -e /dev/tty ] && echo tty; \
         echo x > /tmp/x && echo x > own && echo writes its own; exec {SERVER} -q",
        outside = env!("CARGO_TARGET_TMPDIR"),
    );
    let kept = home.path().join("kept");
    let [own, class, kept] = [&own, class.path(), kept.as_path()].map(|it| it.to_str().unwrap());
    let graded = grade(&[
        "--isolated",
        "--run",
        &command,
        "--in",
        own,
        "--hide",
        class,
        "--keep-output",
        kept,
    ]);
    assert_eq!(graded.code, Some(0), "{}{}", graded.out, graded.errors);
    let printed = fs::read_to_string(kept).unwrap();
    assert!(
        printed.starts_with("own\nwrites its own\n[SERVER]"),
        "{printed}"
    );
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(format!("{own}/own")).unwrap(), "x\n");
    let untouched = fs::read_to_string(format!("{class}/results")).unwrap();
    assert_eq!(untouched, "untouched");
}

#[test]
fn the_one_that_fills_the_disk() {
    let files = folder(&[]);
    let command = format!("head -c 200M /dev/zero > big; exec {SERVER} -q --port {{port}}");
    let graded = run_and_grade(
        &command,
        &["--in", files.path().to_str().unwrap(), "--only", "add-ok"],
    );
    assert_eq!(graded.code, Some(0), "{}", graded.errors);
    let length = fs::metadata(files.path().join("big")).unwrap().len();
    assert_eq!(length, 100 * 1024 * 1024);
}

/// One that ends at each LOOKUP is started again, and its other checks are judged.
#[test]
fn the_one_that_crashes_loses_no_other_check() {
    let files = folder(&[]);
    let command = format!(
        "({SERVER} --port {{port}} & echo $! > pid; wait) | while read -r line; do case $line in \
         *LOOKUP*) kill -9 $(cat pid); sleep 0.1; echo last words; exit 7;; esac; done"
    );
    let only = "add-ok,lookup-records,number-400";
    let folder = files.path().to_str().unwrap();
    let graded = run_and_grade(&command, &["--in", folder, "--only", only]);
    assert_eq!(graded.code, Some(8), "{}{}", graded.out, graded.errors);
    graded.says(&[
        "  ok    add-ok ",
        "  ok    number-400 ",
        "  FAIL  lookup-records ",
        "an answer, because the program has ended: exit code 7\n",
        "            last words\n",
        "the program ended early, and was started again once\n",
    ]);
}

/// A CI system must not be content with a server that does not start.
#[test]
fn one_that_does_not_start_is_an_error_in_junit() {
    let files = folder(&[]);
    let junit = files.path().join("junit.xml");
    let graded = run_and_grade("exit 3 # {port}", &["--junit", junit.to_str().unwrap()]);
    assert_eq!(graded.code, Some(4), "{}", graded.errors);
    let xml = fs::read_to_string(junit).unwrap();
    let counts = "tests=\"27\" failures=\"0\" errors=\"27\" skipped=\"0\"";
    assert!(xml.contains(counts), "{xml}");
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let graded = run_and_grade("true # {port}", &["--in", "nothing-here"]);
    assert_eq!(graded.code, Some(1));
    let said = "cannot open the folder nothing-here";
    assert!(graded.errors.contains(said), "{}", graded.errors);
}
