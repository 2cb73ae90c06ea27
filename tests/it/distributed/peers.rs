//! A peer and its registration server: cookies, KEEPALIVE, reconnecting, leaving.

use std::fs;

use rustix::process::Signal;

use super::{
    DISTRIBUTED, ask, command, empty, registration_server, request, sharing, sharing_with_state,
};
use crate::support::scenarios_di::documents;
use crate::support::{
    STATE, at_once, dead_port, folder, peer, pretend, run, server, server_command, started_peer,
    started_server,
};

#[test]
fn the_cookie_is_kept_and_used_again() {
    let mut rs = registration_server(&[]);
    let (folder, state) = (folder(&[]), folder(&[]));
    for (cookie, registrations) in [("", 1), ("Cookie: 1\n", 2), ("Cookie: 1\n", 3)] {
        let mut peer = sharing_with_state(rs.port, folder.path(), state.path());
        let printed = peer.printed();
        let sent = printed.split("REGISTER Peer P2P-DI/1.0\n").nth(1).unwrap();
        let (sent, _) = sent.split_once("\n\n").unwrap();
        assert_eq!(sent.ends_with("\nCookie: 1"), !cookie.is_empty(), "{sent}");
        rs.expect(&format!(
            "\nCookie: 1\nTTL: 7200\nRegistrations: {registrations}\n"
        ));
        peer.type_line("5");
        assert!(peer.wait().0.success());
    }
    // Another server or another folder gets a different cookie.
    let other = registration_server(&[]);
    let peer = sharing_with_state(other.port, folder.path(), state.path());
    assert_eq!(peer.printed().matches("\nCookie: ").count(), 1);
    let another = documents();
    let peer = sharing_with_state(rs.port, another.path(), state.path());
    assert_eq!(peer.printed().matches("\nCookie: ").count(), 1);
}

#[test]
fn a_second_peer_with_the_same_folder_registers_without_a_cookie_and_says_so() {
    let rs = registration_server(&[]);
    let (folder, state) = (folder(&[]), folder(&[]));
    let first = sharing_with_state(rs.port, folder.path(), state.path());
    let second = sharing_with_state(rs.port, folder.path(), state.path());
    second.expect_error(&format!(
        "Another peer also shares {}, so this one registers without a cookie\n",
        folder.path().display()
    ));
    assert_eq!(first.errors().matches("Another peer").count(), 0);
    assert!(second.printed().contains("Registered with cookie 2 for "));
    // The first one still has its cookie.
    drop((first, second));
    let again = sharing_with_state(rs.port, folder.path(), state.path());
    assert!(again.printed().contains("Registered with cookie 1 for "));
}

#[test]
fn a_place_where_no_cookie_can_be_kept_is_no_reason_not_to_take_part() {
    let rs = registration_server(&[]);
    let folder = folder(&[("file", b"")]);
    let mut command = command(rs.port, folder.path(), &[]);
    command.env(STATE, folder.path().join("file"));
    let mut peer = started_peer("peer", command);
    peer.expect("[PEER] Registered with cookie 1 for 7200 seconds\n");
    peer.expect_error("warning: cannot save the cookie in ");
}

#[test]
fn a_silent_peer_stays_active() {
    let mut rs = registration_server(&["--ttl", "2"]);
    let folder = folder(&[]);
    let peer = sharing(&rs, folder.path(), &[]);
    // One every third of the TTL: these take longer than one TTL.
    for _ in 0..4 {
        rs.expect("KEEPALIVE Peer P2P-DI/1.0\nHost: localhost\n");
        let said = rs.expect("] Response to ");
        assert!(
            said.contains(&format!("Port: {}\nCookie: 1\n", peer.port)),
            "{said}"
        );
        rs.expect("P2P-DI/1.0 200 OK\n");
        rs.expect("\nTTL: 2\n");
    }
    assert!(!rs.printed().contains("is no longer active"));
}

#[test]
fn an_expired_peer_registers_again() {
    let mut rs = registration_server(&[]);
    let folder = folder(&[]);
    let mut peer = sharing(&rs, folder.path(), &[]);
    rs.expect("Registrations: 1\n");
    let leave = request("LEAVE Peer", peer.port, Some(1)).replace("Host: vm", "Host: localhost");
    assert_eq!(ask(rs.port, leave), empty("200 OK"));
    let printed = peer.answer(&["2", "77", ""]);
    let lines = [
        "PQUERY Peer-List P2P-DI/1.0",
        "P2P-DI/1.0 403 Not Registered",
        "REGISTER Peer P2P-DI/1.0",
        "Cookie: 1",
        "P2P-DI/1.0 200 OK",
        "[PEER] Registered with cookie 1 for 7200 seconds",
        "PQUERY Peer-List P2P-DI/1.0",
        "P2P-DI/1.0 404 No Active Peers",
        "[PEER] No peers have that RFC.",
    ];
    let mut rest = printed.as_str();
    for line in lines {
        let found = rest.split_once(&format!("{line}\n"));
        rest = found.unwrap_or_else(|| panic!("{line} in {printed}")).1;
    }
    assert!(!printed.contains("Still sharing"), "{printed}");
}

#[test]
fn an_expired_peer_detects_it_with_its_next_keepalive() {
    let mut rs = registration_server(&["--ttl", "2"]);
    let folder = folder(&[]);
    let peer = sharing(&rs, folder.path(), &[]);
    let leave = request("LEAVE Peer", peer.port, Some(1)).replace("Host: vm", "Host: localhost");
    assert_eq!(ask(rs.port, leave), empty("200 OK"));
    rs.expect(" left\n");
    rs.expect("P2P-DI/1.0 403 Not Registered\n");
    rs.expect("REGISTER Peer P2P-DI/1.0\n");
    rs.expect("\nCookie: 1\nTTL: 2\nRegistrations: 2\n");
}

#[test]
fn a_server_that_has_forgotten_everybody_gives_a_new_cookie() {
    let mut before = registration_server(&[]);
    let (one, two) = (folder(&[]), folder(&[]));
    let _one = sharing(&before, one.path(), &[]);
    let mut two = sharing(&before, two.path(), &[]);
    before.kill();
    let port = before.port.to_string();
    let arguments = [&DISTRIBUTED[..], &["--port", &port]].concat();
    let _after = started_server(server_command(&arguments));
    let printed = two.answer(&["2", "77", ""]);
    assert!(
        printed.contains("P2P-DI/1.0 403 Unknown Cookie\n"),
        "{printed}"
    );
    assert!(
        printed.contains("[PEER] Registered with cookie 1 for 7200 seconds\n"),
        "{printed}"
    );
    assert!(
        printed.contains("[PEER] No peers have that RFC.\n"),
        "{printed}"
    );
}

#[test]
fn peers_of_a_server_that_has_forgotten_everybody_find_each_other() {
    let mut before = registration_server(&[]);
    let (one, two) = (folder(&[]), folder(&[]));
    let mut one = sharing(&before, one.path(), &[]);
    let mut two = sharing(&before, two.path(), &[]);
    before.kill();
    let port = before.port.to_string();
    let arguments = [&DISTRIBUTED[..], &["--port", &port]].concat();
    let _after = started_server(server_command(&arguments));
    // The second one is first this time, so it gets the cookie that the first one still has.
    two.answer(&["2", "77", ""]);
    one.answer(&["2", "77", ""]);
    let ports = [one.port, two.port];
    for (peer, other) in [&mut two, &mut one].into_iter().zip(ports) {
        let printed = peer.answer(&["2", "77", ""]);
        let expected = format!("Peer localhost {other} ");
        assert!(printed.contains(&expected), "{printed}");
    }
}

#[test]
fn a_server_that_goes_away_is_said_once_and_what_is_known_can_be_downloaded() {
    let state = folder(&[]);
    let file = state.path().join("peers.json");
    let options = ["--ttl", "1", "--state", file.to_str().unwrap()];
    let mut before = registration_server(&options);
    let (ours, theirs) = (folder(&[]), documents());
    let mut holder = sharing(&before, theirs.path(), &[]);
    let mut peer = sharing(&before, ours.path(), &[]);
    assert!(peer.answer(&["2", "1149", ""]).contains("RFC 2324 7200 "));
    before.kill();
    for peer in [&mut peer, &mut holder] {
        peer.expect(". Still sharing; will reconnect.\n");
    }
    let printed = peer.answer(&["4", "1149", ""]);
    assert!(printed.contains("[DOWNLOAD] Saved to "), "{printed}");
    assert_eq!(
        fs::read(ours.path().join("rfc1149.txt")).unwrap(),
        fs::read(theirs.path().join("rfc1149.txt")).unwrap()
    );
    let printed = peer.answer(&["4", "9999", ""]);
    assert!(
        printed.contains("[PEER] RFC 9999 was not downloaded: "),
        "{printed}"
    );

    let port = before.port.to_string();
    let arguments = [&DISTRIBUTED[..], &["--port", &port], &options].concat();
    let _after = started_server(server_command(&arguments));
    for (peer, cookie) in [(&mut peer, 2), (&mut holder, 1)] {
        peer.expect(&format!(
            "[PEER] Registered with cookie {cookie} for 1 seconds\n"
        ));
        let lost = peer.printed().matches("Still sharing").count();
        assert_eq!(lost, 1, "{}", peer.printed());
    }
    let printed = peer.answer(&["2", "77", ""]);
    assert!(printed.contains("\nPeers: 1\n"), "{printed}");
}

#[test]
fn the_status_names_the_server_and_the_cookie() {
    let rs = registration_server(&[]);
    let folder = folder(&[]);
    let mut peer = sharing(&rs, folder.path(), &[]);
    let printed = peer.answer(&["status"]);
    let begin = format!("[PEER] Index: 127.0.0.1:{}, registered since ", rs.port);
    assert!(printed.contains(&begin), "{printed}");
    assert!(printed.contains(", cookie 1\n"), "{printed}");
}

#[test]
fn exit_the_end_of_input_and_signals_leave() {
    let mut rs = registration_server(&[]);
    let folder = folder(&[]);
    for end in ["5", "", "INT", "TERM"] {
        let mut peer = sharing(&rs, folder.path(), &[]);
        match end {
            "" => peer.close_input(),
            "INT" => peer.signal(Signal::INT),
            "TERM" => peer.signal(Signal::TERM),
            choice => peer.type_line(choice),
        }
        let (status, printed) = peer.wait();
        assert!(status.success(), "{end}: {printed}");
        assert!(
            printed.contains("[PEER] Disconnecting...\n[PEER] Sending:\nLEAVE Peer P2P-DI/1.0\n"),
            "{end}: {printed}"
        );
        assert!(
            printed.contains("[PEER] Response:\nP2P-DI/1.0 200 OK\n"),
            "{end}: {printed}"
        );
        rs.expect(&format!("[SERVER] localhost:{} (cookie ", peer.port));
        rs.expect(") left\n");
    }
}

#[test]
fn a_peer_that_shares_without_a_menu_leaves_too() {
    let mut rs = registration_server(&[]);
    let folder = documents();
    let mut share = peer(
        "peer",
        rs.port,
        folder.path(),
        &[&DISTRIBUTED[..], &["share"]].concat(),
    );
    share.expect("[PEER] Registered with cookie 1 for 7200 seconds\n");
    share.expect_error(&format!(
        "2 RFC(s) of {} are shared\n",
        folder.path().display()
    ));
    share.signal(Signal::TERM);
    assert!(share.wait().0.success());
    rs.expect("(cookie 1) left\n");
}

#[test]
fn a_peer_that_is_killed_is_active_until_its_time_runs_out() {
    let mut rs = registration_server(&["--ttl", "2"]);
    let folder = folder(&[]);
    let mut peer = sharing(&rs, folder.path(), &[]);
    peer.kill();
    let said = rs.expect("is no longer active\n");
    assert!(!said.contains("left"), "{said}");
    assert!(
        said.ends_with(&format!(
            "[SERVER] localhost:{} (cookie 1) is no longer active\n",
            peer.port
        )),
        "{said}"
    );
}

#[test]
fn without_a_registration_server_there_is_no_peer() {
    let folder = folder(&[]);
    let (status, _, errors) = run("peer", command(dead_port(), folder.path(), &[]));
    assert_eq!(status.code(), Some(4), "{errors}");
    assert!(
        errors.starts_with("error: the index server can't be reached: cannot connect to "),
        "{errors}"
    );
}

#[test]
fn a_server_of_the_other_kind_is_said_to_speak_another_protocol() {
    let folder = folder(&[("rfc1.txt", b"one")]);
    let central = server(&[]);
    let (status, _, errors) = run("peer", command(central.port, folder.path(), &[]));
    assert_eq!(status.code(), Some(6), "{errors}");
    assert!(
        errors.contains("this is a central index server: use --index central\n"),
        "{errors}"
    );
    let rs = registration_server(&[]);
    let command = crate::support::peer_of(rs.port, folder.path(), &["list"]);
    let (status, _, errors) = run("peer", command);
    assert_eq!(status.code(), Some(6), "{errors}");
}

#[test]
fn a_server_that_is_busy_is_a_clear_error() {
    let rs = pretend(|mut client| {
        client.head();
        client.send("P2P-DI/1.0 503 Busy\r\nContent-Length: 0\r\n\r\n");
    });
    let folder = folder(&[]);
    let (status, _, errors) = run("peer", command(rs, folder.path(), &[]));
    assert_eq!(status.code(), Some(4), "{errors}");
    assert!(errors.contains("503"), "{errors}");
}

#[test]
fn what_a_server_says_is_checked() {
    let cases = [
        ("", 4),
        ("P2P-DI/1.0 200 OK\r\n\r\n", 6),
        ("P2P-DI/1.0 200 OK\r\nCookie: x\r\nTTL: 5\r\n\r\n", 6),
        ("P2P-DI/1.0 200 OK\r\nCookie: 0\r\nTTL: 5\r\n\r\n", 6),
        ("P2P-DI/1.0 200 OK\r\nCookie: 1\r\n\r\n", 6),
        (
            "P2P-DI/1.0 200 OK\r\nCookie: 1\r\nTTL: 5\r\nContent-Length: 9\r\n\r\nshort",
            4,
        ),
        (
            "P2P-DI/1.0 200 OK\r\nCookie: 1\r\nTTL: 5\r\nContent-Length: 99999999\r\n\r\n",
            6,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", 6),
    ];
    at_once(cases, |(said, code)| {
        let rs = pretend(move |mut client| {
            client.head();
            client.send(said);
        });
        let folder = folder(&[]);
        let (status, _, errors) = run("peer", command(rs, folder.path(), &["list"]));
        assert_eq!(status.code(), Some(code), "{said:?}: {errors}");
    });
}
