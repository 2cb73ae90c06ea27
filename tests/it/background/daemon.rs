//! How a peer starts and ends in the background.

use std::fs;
use std::io::{Read, Write};

use rustix::process::Signal;
use serde_json::json;

use super::{User, exchange, kill};
use crate::support::{
    LIST, dead_port, exchange as over_tcp, folder, peer_of, samples, samples_of_peer_2,
};

#[test]
fn it_returns_when_it_has_joined_and_stop_when_it_has_ended() {
    let mut user = User::new();
    let folder = samples();
    let started = user.ask(folder.path(), &["share", "--daemon"]);
    let shared = format!("2 RFC(s) of {} are shared\n", folder.path().display());
    assert_eq!((started.code, started.out.as_str()), (Some(0), ""));
    assert_eq!(started.errors, shared);
    let listed = over_tcp(user.server.port, LIST);
    assert_eq!(listed.matches("\r\nRFC ").count(), 2, "{listed}");

    let port = listed
        .trim_end()
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let get = "GET RFC 2345 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    assert!(over_tcp(port, get).starts_with("P2P-CI/1.0 200 OK\r\n"));
    let status = user.ask(folder.path(), &["status"]);
    assert_eq!((status.code, status.errors.as_str()), (Some(0), ""));
    let names: Vec<_> = status
        .out
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    let expected = [
        "index",
        "peers known",
        "shared",
        "uploads",
        "downloads",
        "pid",
        "since",
    ];
    assert_eq!(names, expected, "{}", status.out);
    let index = format!(
        "index: central 127.0.0.1:{}, connected since ",
        user.server.port
    );
    assert!(status.out.starts_with(&index), "{}", status.out);
    assert!(
        status.out.contains("\nuploads: 1 (1042 bytes)\n"),
        "{}",
        status.out
    );
    assert_eq!(
        user.status(folder.path())["last_uploads"][0]["number"],
        json!(2345)
    );

    let process = user.status(folder.path())["pid"].clone();
    let stopped = user.ask(folder.path(), &["stop"]);
    assert_eq!((stopped.code, stopped.out.as_str()), (Some(0), ""));
    let said = format!("the peer in the background (process {process}) has ended\n");
    assert_eq!(stopped.errors, said);
    user.server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
    assert_eq!(user.sockets(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn a_start_that_fails_has_the_exit_code_and_the_error_of_share() {
    let user = User::new();
    let folder = samples();
    for (arguments, code) in [
        (&["--rfcs", "9"][..], 3),
        (&["--upload-port", &user.server.port.to_string()], 1),
    ] {
        let share = |how: &[&str]| user.ask(folder.path(), &[arguments, &["share"], how].concat());
        let (alone, daemon) = (share(&[]), share(&["--daemon"]));
        assert_eq!(daemon.code, Some(code));
        assert_eq!((daemon.code, &daemon.errors), (alone.code, &alone.errors));
    }
    let mut lost = peer_of(dead_port(), folder.path(), &["share", "--daemon"]);
    lost.env(crate::support::STATE, user.state.path());
    assert_eq!(super::ended(lost).code, Some(4));
    assert_eq!(user.sockets().len(), 0);
    let both = user.ask(folder.path(), &["share", "--daemon", "--foreground"]);
    assert_eq!(both.code, Some(2));
}

#[test]
fn with_a_distributed_index_it_keeps_what_it_has_learned() {
    let user = User::with(&["-q", "--index", "distributed"]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let share = ["--index", "distributed", "share"];
    let mut holder = user.start(theirs.path(), &share);
    holder.expect("[PEER] Registered with cookie 1 ");
    holder.expect_error(" are shared\n");
    let started = user.ask(ours.path(), &[&share[..], &["--daemon"]].concat());
    assert_eq!(started.code, Some(0), "{started:?}");
    // The peer knows its index, so the command need not name it.
    let listed = user.ask(ours.path(), &["list", "--json"]);
    assert_eq!(listed.out.matches("\"ttl\"").count(), 4, "{listed:?}");
    let status = user.status(ours.path());
    assert_eq!(status["kind"], json!("distributed"));
    assert_eq!(status["index"]["cookie"], json!(2));
    assert_eq!(
        (&status["peers_known"], &status["shared"]),
        (&json!(1), &json!(2))
    );
}

#[test]
fn a_folder_has_one_peer_in_the_background() {
    let user = User::new();
    let folder = samples();
    let socket = user.daemon(folder.path());
    let process = user.process(folder.path());
    for how in ["--daemon", "--foreground"] {
        let second = user.ask(folder.path(), &["share", how]);
        assert_eq!(second.code, Some(1));
        let process = format!("a running peer (process {process}) already uses the socket");
        assert!(second.errors.contains(&process), "{}", second.errors);
    }
    // Its socket stays, and is replaced.
    kill(process, &socket);
    let again = user.ask(folder.path(), &["share", "--daemon"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_ne!(user.process(folder.path()), process);
    assert_eq!(user.sockets().len(), 1);
}

#[test]
fn in_the_foreground_it_prints_and_ends_as_share_does() {
    let user = User::new();
    let folder = samples();
    let mut peer = user.start(folder.path(), &["share", "--foreground"]);
    peer.expect("[PEER] Connected to server at port ");
    peer.expect_error(" are shared\n");
    // It may be about to listen.
    let status = std::iter::repeat_with(|| user.ask(folder.path(), &["status"]));
    let status = status
        .take(100)
        .find(|status| status.code == Some(0))
        .unwrap();
    assert!(
        status.out.contains(&format!("\npid: {}\n", peer.id())),
        "{status:?}"
    );
    peer.signal(Signal::TERM);
    let (status, out) = peer.wait();
    assert_eq!(status.code(), Some(0));
    assert!(out.ends_with("[PEER] Disconnecting...\n"), "{out}");
    assert_eq!(user.sockets().len(), 0);
}

#[test]
fn without_a_peer_there_is_nothing_to_show_or_to_end() {
    let user = User::new();
    let empty = folder(&[]);
    for command in ["status", "stop"] {
        let nobody = user.ask(empty.path(), &[command]);
        let folder = empty.path().display();
        let hint = format!("`peer --dir {folder} share --daemon` starts one");
        let error = format!("error: no peer runs in the background for {folder}; {hint}\n");
        assert_eq!((nobody.code, nobody.errors), (Some(3), error));
    }
    let nobody = user.ask(empty.path(), &["status", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&nobody.out).unwrap();
    assert_eq!(document["error"]["exit_code"], json!(3));
    let socket = empty.path().join("socket");
    let named = user.ask(
        empty.path(),
        &["--socket", socket.to_str().unwrap(), "stop"],
    );
    let hint = format!(
        "`peer --dir {} --socket {} share --daemon` starts one\n",
        empty.path().display(),
        socket.display()
    );
    assert_eq!(named.code, Some(3));
    assert!(named.errors.ends_with(&hint), "{named:?}");
}

#[test]
fn the_hint_how_to_end_a_peer_names_its_folder() {
    let user = User::new();
    let parent = folder(&[]);
    let spaced = parent.path().join("two words");
    fs::create_dir(&spaced).unwrap();
    let _socket = user.daemon(&spaced);
    let second = user.ask(&spaced, &["share", "--daemon"]);
    let hint = format!("; `peer --dir '{}' stop` ends it\n", spaced.display());
    assert_eq!(second.code, Some(1));
    assert!(second.errors.ends_with(&hint), "{second:?}");
    assert_eq!(user.ask(&spaced, &["stop"]).code, Some(0));
}

#[test]
fn a_peer_whose_socket_is_gone_is_named_by_its_process() {
    let user = User::new();
    let folder = samples();
    let socket = user.daemon(folder.path());
    let process = user.status(folder.path())["pid"].as_u64().unwrap();
    fs::remove_file(&socket).unwrap();
    for command in ["status", "stop"] {
        let ended = user.ask(folder.path(), &[command]);
        let error = format!(
            "error: the socket of the peer in the background is gone; `kill {process}` ends the \
             peer, and another can be started\n"
        );
        assert_eq!((ended.code, ended.errors), (Some(4), error));
    }
    let second = user.ask(folder.path(), &["share", "--daemon"]);
    let way_out = format!("; `kill {process}` ends it\n");
    assert!(second.errors.ends_with(&way_out), "{second:?}");
    kill(
        rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap(),
        &socket,
    );
}

#[test]
fn a_deleted_folder_still_has_its_peer() {
    let user = User::new();
    let folder = samples();
    user.daemon(folder.path());
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(user.ask(folder.path(), &["status"]).code, Some(0));
    assert_eq!(user.ask(folder.path(), &["stop"]).code, Some(0));
}

#[test]
fn a_peer_that_is_busy_is_not_taken_for_another_version() {
    let user = User::new();
    let folder = folder(&[]);
    let socket = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let busy = std::thread::spawn(move || {
        let (mut program, _) = listener.accept().unwrap();
        // What a peer says when it has no room.
        program.write_all(b"500 ERROR OCCURRED 0\r\n").unwrap();
        program.read_to_end(&mut Vec::new()).unwrap();
    });
    let path = socket.to_str().unwrap();
    let status = user.ask(folder.path(), &["--socket", path, "status"]);
    let error = format!(
        "error: the peer in the background at {path} serves too many programs at once; try again \
         later\n"
    );
    assert_eq!((status.code, status.errors), (Some(4), error));
    busy.join().unwrap();
}

#[test]
fn a_menu_serves_programs_over_a_socket_that_is_named() {
    let user = User::new();
    let (folder, place) = (samples(), folder(&[]));
    let socket = place.path().join("socket");
    let mut peer = user.start(folder.path(), &["--socket", socket.to_str().unwrap()]);
    peer.expect("Choice: ");
    assert_eq!(exchange(&socket, "INIT_PEER_TABLE\r\n"), "200 OK 0\r\n");
    peer.answer(&["3"]);
    peer.type_line("5");
    assert_eq!(peer.wait().0.code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn its_errors_go_to_a_log_that_only_the_user_reads() {
    use std::os::unix::fs::PermissionsExt;
    let mut user = User::new();
    let folder = samples();
    let log = user.daemon(folder.path()).with_extension("log");
    user.server.signal(Signal::TERM);
    user.server.wait();
    fs::remove_file(folder.path().join("rfc2345.txt")).unwrap();
    let status = || user.status(folder.path())["index"]["state"].clone();
    let tries = std::iter::repeat_with(status).take(1000);
    assert!(tries.into_iter().any(|state| state == json!("away")));
    let mode = fs::metadata(&log).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(user.ask(folder.path(), &["list"]).code, Some(4));
    let refused = exchange(&log.with_extension("sock"), "INIT_PEER_TABLE\r\n");
    assert_eq!(refused, "500 ERROR OCCURRED 0\r\n");
}
