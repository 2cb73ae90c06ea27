//! Commands that use a peer in the background: the same results as alone.

use std::fs;
use std::sync::{Mutex, mpsc};
use std::thread;

use rustix::process::{Signal, kill_process};

use super::{User, ended, kill};
use crate::support::{
    LIST, PATIENCE, STATE, dead_port, exchange as over_tcp, folder, hanging_holder, holder,
    holder_that, names, peer, peer_command, samples, samples_of_peer_2,
};

const USES: &str = "using the peer in the background, process ";

/// The answer of a holder of RFC 7.
const SEVEN: &str = "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nseven";

#[test]
fn results_and_exit_codes_are_the_same_and_what_was_added_stays() {
    let user = User::new();
    let (shared, other, theirs) = (samples(), samples(), samples_of_peer_2());
    let _holder = peer("holder", user.server.port, theirs.path(), &["share"]);
    user.daemon(shared.path());
    for (command, code) in [
        (&["list"][..], 0),
        (&["list", "--json"], 0),
        (&["lookup", "3457"], 0),
        (&["lookup", "999"], 3),
        (&["lookup", "999", "--json"], 3),
        (&["find", "requirements"], 0),
        (&["find", "nothing", "--json"], 3),
    ] {
        // No peer shares the other folder in the background.
        let (alone, with) = (
            user.ask(other.path(), command),
            user.ask(shared.path(), command),
        );
        assert_eq!(with.code, Some(code), "{with:?}");
        assert_eq!(with, alone);
        let verbose = user.ask(shared.path(), &[&["-v"], command].concat());
        assert!(verbose.errors.contains(USES), "{verbose:?}");
    }
    let alone = user.ask(other.path(), &["get", "123", "2345", "999", "--json"]);
    let with = user.ask(shared.path(), &["get", "123", "2345", "999", "--json"]);
    let named = |text: &str| text.replace(&*shared.path().to_string_lossy(), "FOLDER");
    let named_too = |text: &str| text.replace(&*other.path().to_string_lossy(), "FOLDER");
    assert_eq!((with.code, alone.code), (Some(3), Some(3)));
    assert_eq!(named(&with.out), named_too(&alone.out));
    assert_eq!(named(&with.errors), named_too(&alone.errors));
    fs::write(shared.path().join("rfc5.txt"), "five").unwrap();
    let added = user.ask(shared.path(), &["add", "5", "--title", "Five"]);
    assert!(added.out.starts_with("RFC 5 Five localhost "), "{added:?}");
    assert_eq!(added.errors, "");
    // It lasts anyway, so there is nothing to stay for.
    let staying = user.ask(shared.path(), &["add", "5", "--title", "Five", "--stay"]);
    assert_eq!((staying.code, staying.out), (Some(0), added.out));
    let missing = user.ask(shared.path(), &["add", "6"]);
    assert!(
        missing.errors.contains("has no file for RFC 6"),
        "{missing:?}"
    );
    // Alone, the registrations would have ended with the commands.
    let listed = over_tcp(user.server.port, LIST);
    for number in [5, 6, 123, 2345] {
        assert!(listed.contains(&format!("\r\nRFC {number} ")), "{listed}");
    }
    assert_eq!(user.status(shared.path())["downloads"], 1);
}

#[test]
fn a_command_for_another_index_or_with_messages_works_alone() {
    let user = User::new();
    let shared = samples();
    user.daemon(shared.path());
    let ask = |arguments: &[&str]| {
        let folder = shared.path().to_str().unwrap();
        let mut command = peer_command(&[&["-v", "--dir", folder], arguments, &["list"]].concat());
        command.env(STATE, user.state.path());
        ended(command)
    };
    let dead = format!("127.0.0.1:{}", dead_port());
    let server = format!("127.0.0.1:{}", user.server.port);
    for (options, uses, code) in [
        (&[][..], true, 0),
        (&["--host", &server], true, 0),
        (&["--host", &server, "--index", "central"], true, 0),
        (&["--index", "central"], true, 0),
        (&["--host", &dead], false, 4),
        (&["--host", &server, "--index", "distributed"], false, 6),
        (&["--host", &server, "--print-messages"], false, 0),
        (&["--host", &server, "--transcript", "/dev/null"], false, 0),
    ] {
        let asked = ask(options);
        assert_eq!(asked.errors.contains(USES), uses, "{asked:?}");
        assert_eq!(asked.code, Some(code), "{asked:?}");
    }
}

#[test]
fn a_document_elsewhere_is_where_this_program_says() {
    let user = User::new();
    let (shared, here) = (folder(&[]), folder(&[]));
    let _holder = holder(user.server.port, SEVEN);
    user.daemon(shared.path());
    let get = |file: &str| {
        let mut command = user.command(shared.path(), &["get", "7", "-o", file, "--json"]);
        command.current_dir(here.path());
        ended(command)
    };
    let got = get("seven.txt");
    assert!(got.out.contains("\"path\": \"seven.txt\""), "{got:?}");
    assert_eq!(fs::read(here.path().join("seven.txt")).unwrap(), b"seven");
    let printed = user.ask(shared.path(), &["get", "7", "-o", "-"]);
    assert_eq!((printed.code, printed.out.as_str()), (Some(0), "seven"));
    assert_eq!(names(shared.path()), [""; 0]);
}

#[test]
fn ctrl_c_interrupts_this_download_and_no_other() {
    let user = User::new();
    let shared = folder(&[]);
    let (begun, has_begun) = mpsc::channel();
    let (ended, has_ended) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let _holder = holder_that(user.server.port, move |mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nse");
        begun.send(()).unwrap();
        if let Some(wait) = wait.lock().unwrap().take() {
            // The first download goes on when the second one was interrupted.
            thread::spawn(move || {
                let _ = wait.recv();
                client.send("ven");
            });
        } else {
            client.rest();
            ended.send(()).unwrap();
        }
    });
    user.daemon(shared.path());
    let get = ["get", "7", "--force", "--json"];
    let mut first = user.start(shared.path(), &get);
    has_begun.recv_timeout(PATIENCE).unwrap();
    let mut second = user.start(shared.path(), &get);
    has_begun.recv_timeout(PATIENCE).unwrap();
    second.signal(Signal::INT);
    let (status, out) = second.wait();
    assert_eq!(status.code(), Some(130));
    let nothing = "{\n  \"downloaded\": [],\n  \"kept\": [],\n  \"failed\": []\n}\n";
    assert_eq!(out, nothing);
    has_ended.recv_timeout(PATIENCE).unwrap();
    go_on.send(()).unwrap();
    assert_eq!(first.wait().0.code(), Some(0));
    assert_eq!(names(shared.path()), ["rfc7.txt"]);
}

#[test]
fn a_peer_that_dies_or_hangs_is_an_error_with_4() {
    let user = User::new();
    let shared = folder(&[]);
    let (_holder, begun) = hanging_holder(user.server.port);
    let socket = user.daemon(shared.path());
    let process = user.process(shared.path());
    let mut get = user.start(shared.path(), &["get", "7"]);
    begun.recv_timeout(PATIENCE).unwrap();
    kill(process, &socket);
    let (status, _) = get.wait();
    let error = format!(
        "error: the peer in the background (process {process}) ended before the command was done; \
         run the command again\n"
    );
    assert_eq!((status.code(), get.all_errors()), (Some(4), error));
    // It has left its socket, and nobody is there.
    assert_eq!(user.ask(shared.path(), &["lookup", "7"]).code, Some(0));

    let again = user.ask(shared.path(), &["share", "--daemon"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    kill_process(user.process(shared.path()), Signal::STOP).unwrap();
    let hangs = user.ask(shared.path(), &["list"]);
    assert_eq!(hangs.code, Some(4), "{hangs:?}");
    assert!(
        hangs.errors.contains("has not answered for 10 s"),
        "{hangs:?}"
    );
}
