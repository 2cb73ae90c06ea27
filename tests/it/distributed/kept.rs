//! What the registration server keeps on disk: it forgets no peer that it acknowledged, and refuses
//! those that it can't save.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use super::{NOBODY, ask, empty, registered, registration_server, request};
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{PATIENCE, Program, folder, names, run, server_command, started_server};

const REGISTER: &str = "REGISTER Peer";
const PQUERY: &str = "PQUERY Peer-List";

/// A registration server that keeps its peers in `file`.
fn keeping(file: &Path) -> Program {
    registration_server(&["--state", file.to_str().unwrap()])
}

#[test]
fn on_a_full_disk_acknowledged_peers_stay_and_others_get_503() {
    let state = folder(&[]);
    let file = state.path().join("peers");
    let mut rs = keeping(&file);
    assert_eq!(
        ask(rs.port, request(REGISTER, 50001, None)),
        registered(1, 1)
    );
    rs.limit_files(Some(4096));
    for (words, port, cookie) in [
        (REGISTER, 50002, None),
        (REGISTER, 50001, Some(1)),
        ("LEAVE Peer", 50001, Some(1)),
    ] {
        let said = ask(rs.port, request(words, port, cookie));
        assert_eq!(said, empty("503 Busy"), "{words} {port}");
        rs.expect("[SERVER] Answering 503: the file of the peers cannot be written\n");
    }
    rs.expect_error("peers get 503 until it can be written");
    // The refused peer is not registered, and the other one is.
    assert_eq!(ask(rs.port, request(PQUERY, 50001, Some(1))), NOBODY);
    rs.signal(Signal::KILL);
    rs.wait();

    let rs = keeping(&file);
    rs.expect_error("Loaded 1 peer(s) from ");
    assert_eq!(ask(rs.port, request(PQUERY, 50001, Some(1))), NOBODY);
    assert_eq!(
        ask(rs.port, request(REGISTER, 50001, Some(1))),
        registered(1, 2)
    );
}

#[test]
fn a_disk_that_has_room_again_is_used_again() {
    let state = folder(&[]);
    let file = state.path().join("peers");
    let mut rs = keeping(&file);
    rs.limit_files(Some(4096));
    assert_eq!(
        ask(rs.port, request(REGISTER, 50001, None)),
        empty("503 Busy")
    );
    rs.limit_files(None);
    let deadline = Instant::now() + PATIENCE;
    let said = loop {
        let said = ask(rs.port, request(REGISTER, 50001, None));
        if said != empty("503 Busy") {
            break said;
        }
        assert!(Instant::now() < deadline, "{said}");
    };
    assert!(
        said.ends_with("Registrations: 1\r\nContent-Length: 0\r\n\r\n"),
        "{said}"
    );
    rs.signal(Signal::KILL);
    rs.wait();
    keeping(&file).expect_error("Loaded 1 peer(s) from ");
}

#[test]
fn killed_right_after_an_answer_it_forgets_nobody() {
    let state = folder(&[]);
    let file = state.path().join("peers");
    for known in 0..5 {
        let mut rs = keeping(&file);
        if known > 0 {
            rs.expect_error(&format!("Loaded {known} peer(s) from "));
        }
        let said = ask(rs.port, request(REGISTER, 50001 + known, None));
        rs.kill();
        assert_eq!(said, registered(u32::from(known) + 1, 1));
    }
}

#[test]
fn a_refused_leave_writes_nothing() {
    let state = folder(&[]);
    let file = state.path().join("peers");
    let rs = keeping(&file);
    assert_eq!(
        ask(rs.port, request(REGISTER, 50001, None)),
        registered(1, 1)
    );
    let before = fs::read(&file).unwrap();
    for (port, cookie) in [(50001, 9), (50002, 1)] {
        let leave = request("LEAVE Peer", port, Some(cookie));
        for _ in 0..20 {
            assert_eq!(ask(rs.port, &leave), empty("403 Unknown Cookie"));
        }
    }
    // Any change is on disk before it is answered.
    assert!(fs::read(&file).unwrap() == before, "the file has changed");
}

#[test]
fn the_file_of_an_earlier_version_is_carried_over() {
    let far = 4_000_000_000_000_u64;
    let json = format!(
        r#"{{"next_cookie":8,"peers":[{{"cookie":7,"host":"vm","port":50001,"expires":{far},"registered":0,"registrations":{{}}}}]}}"#
    );
    let state = folder(&[("peers.json", json.as_bytes())]);
    let file = state.path().join("peers.json");
    let rs = keeping(&file);
    rs.expect_error("which is now a database; the earlier file is kept as ");
    assert!(
        rs.errors().contains("Loaded 1 peer(s) from "),
        "{}",
        rs.errors()
    );
    assert_eq!(ask(rs.port, request(PQUERY, 50001, Some(7))), NOBODY);
    assert_eq!(
        ask(rs.port, request(REGISTER, 50002, None)),
        registered(8, 1)
    );
    // No time to live is longer than a whole one from now.
    let other = "P2P-DI/1.0 200 OK\r\nPeers: 1\r\nContent-Length: 20\r\n\r\nPeer vm 50001 7200\r\n";
    assert_eq!(ask(rs.port, request(PQUERY, 50002, Some(8))), other);
    let names = names(state.path());
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(
        fs::read_to_string(state.path().join(&names[1])).unwrap(),
        json
    );
}

#[test]
fn a_server_with_a_limit_on_the_size_of_its_files_answers_503_and_goes_on() {
    let state = folder(&[]);
    let file = state.path().join("peers");
    let server = server_command(&DISTRIBUTED);
    // In blocks of 512 or 1,024 bytes.
    let limited = "ulimit -f 4000; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(server.get_program());
    command.args(server.get_args()).args(["--port", "0"]);
    command.args([Path::new("--state"), &file]);
    let mut rs = started_server(command);
    let mut known = 0;
    let name = "x".repeat(250);
    loop {
        let framed: String = (0..500)
            .map(|number| {
                let port = 1000 + number;
                let content = format!("register {known}{name} HTTP/1.1\r\nport: {port}\r\n\r\n");
                format!("{:<10}{content}", content.len())
            })
            .collect();
        let answers = crate::support::exchange(rs.port, framed);
        let count = answers.matches("HTTP/1.1 200 OK").count();
        known += count;
        if count < 500 {
            assert_eq!(answers.matches("HTTP/1.1 503").count(), 500 - count);
            break;
        }
        assert!(known < 100_000, "no limit is reached");
    }
    assert_eq!(ask(rs.port, request(REGISTER, 1, None)), empty("503 Busy"));
    rs.kill();
    keeping(&file).expect_error(&format!("Loaded {known} peer(s) from "));
}

#[test]
fn the_file_is_its_owner_s_and_one_server_s_under_every_name() {
    let state = folder(&[("peers", b"")]);
    let [file, link, hard] = ["peers", "link", "hard"].map(|name| state.path().join(name));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    fs::hard_link(&file, &hard).unwrap();
    let rs = keeping(&link);
    assert_eq!(
        ask(rs.port, request(REGISTER, 50001, None)),
        registered(1, 1)
    );
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let dotted = state.path().join(".").join("peers");
    for same in [&file, &link, &hard, &dotted] {
        let same = same.to_str().unwrap();
        let arguments = [&DISTRIBUTED[..], &["--port", "0", "--state", same]].concat();
        let (status, _, errors) = run("server", server_command(&arguments));
        assert_eq!(status.code(), Some(1), "{errors}");
        assert!(errors.contains(" is in use by another server"), "{errors}");
    }
}
