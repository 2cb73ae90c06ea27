//! The bars of downloads.

use std::net::TcpListener;
use std::sync::mpsc;

use super::{CTRL_C, Terminal, is_usual, options, peer_at};
use crate::support::{
    Client, Leftovers, PATIENCE, Program, STATE, exchange, folder, holder_that, names, peer_of,
    run, server,
};

/// A holder of RFC 7 that sends half of it, reports that, and sends the rest on request.
fn slow_holder(server: u16) -> (Client, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (go_on, wait) = mpsc::channel();
    let (say, half_sent) = mpsc::channel();
    let holder = holder_that(server, move |mut client| {
        client.head();
        client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 2048\r\n\r\n");
        client.send([b'a'; 1024]);
        let _ = say.send(());
        let _ = wait.recv();
        client.send([b'b'; 1024]);
    });
    (holder, half_sent, go_on)
}

#[test]
fn ctrl_c_cancels_a_download_that_hangs_and_the_menu_comes_back() {
    let mut server = server(&[]);
    let empty = folder(&[]);
    let (_holder, _, _go_on) = slow_holder(server.port);
    let mut peer = peer_at(server.port, empty.path());
    peer.answer("Choice: ", "get 7");
    peer.wait_for("1.00 KiB/2.00 KiB");
    peer.type_keys(CTRL_C);
    let lines = peer.wait_for_prompt("Choice: ");
    assert!(!lines.iter().any(|line| line.contains("KiB")), "{lines:?}");
    peer.wait_for("[PEER] RFC 7 was not downloaded: canceled.");
    assert_eq!(names(empty.path()), [""; 0]);
    peer.type_keys("5\r");
    assert_eq!(peer.wait().0, 0);
    assert!(is_usual(peer.modes()), "{:?}", peer.modes());
    server.expect("left. Removed 1 peer(s), 0 RFC(s).\n");
}

#[test]
fn what_is_typed_before_ctrl_c_stays_on_the_line() {
    let server = server(&[]);
    let empty = folder(&[]);
    let (_holder, _, _go_on) = slow_holder(server.port);
    let mut peer = peer_at(server.port, empty.path());
    peer.answer("Choice: ", "get 7");
    peer.wait_for("1.00 KiB/2.00 KiB");
    peer.type_keys("5");
    peer.type_keys(CTRL_C);
    peer.wait_for_prompt("Choice: 5");
    peer.type_keys("\r");
    assert_eq!(peer.wait().0, 0);
}

#[test]
fn a_silent_holder_is_named_and_ctrl_c_cancels_one_download_and_then_all() {
    let server = server(&[]);
    let empty = folder(&[]);
    // Somebody who listens, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let mut holder = Client::connect(server.port);
    for number in [7, 8, 9] {
        holder.add(
            number,
            "Silent",
            "127.0.0.1",
            listener.local_addr().unwrap().port(),
        );
    }
    let mut peer = peer_at(server.port, empty.path());
    peer.answer("Choice: ", "get 7-9");
    for (number, rest) in [(7, " Ctrl-C again cancels the rest."), (8, "")] {
        peer.wait_for(&format!(
            "[DOWNLOAD] Connecting to {name} for RFC {number}..."
        ));
        peer.wait_until(|lines| {
            lines
                .last()
                .unwrap()
                .starts_with(&format!("waiting for {name} …"))
        });
        peer.type_keys(CTRL_C);
        let said = format!("[PEER] RFC {number} was not downloaded: canceled.{rest}");
        peer.wait_until(|lines| lines.contains(&said));
    }
    let lines = peer.wait_for_prompt("Choice: ");
    assert!(
        !lines.iter().any(|line| line.contains("for RFC 9...")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("waiting for")),
        "{lines:?}"
    );
    // The peer is as well as before.
    peer.type_keys("list\r");
    peer.wait_for("RFC 9 ");
}

#[test]
fn a_download_that_takes_its_time_shows_a_bar_which_goes_away() {
    let server = server(&[]);
    let empty = folder(&[]);
    let (_holder, _, go_on) = slow_holder(server.port);
    let host = format!("127.0.0.1:{}", server.port);
    let get = [&options(&host, empty.path())[..], &["get", "7"]].concat();
    let peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &get, (24, 80), &[]);
    let bar = peer.wait_for("1.00 KiB/2.00 KiB");
    assert!(bar.starts_with("RFC 7 "), "{bar}");
    go_on.send(()).unwrap();
    let (code, lines) = peer.wait();
    assert_eq!(code, 0);
    let path = empty.path().join("rfc7.txt");
    let [said, record, end] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(
        *said,
        format!("RFC 7 is in {} (2048 bytes)", path.display())
    );
    assert!(record.starts_with("RFC 7 Seven 127.0.0.1 "), "{record}");
    assert_eq!(end, "");
}

#[test]
fn a_download_by_a_peer_in_the_background_shows_the_same_bars() {
    let server = server(&[]);
    let (empty, state) = (folder(&[]), folder(&[]));
    let _leftovers = Leftovers(state.path().to_owned());
    let (_holder, _, go_on) = slow_holder(server.port);
    let mut share = peer_of(server.port, empty.path(), &["share", "--daemon"]);
    assert!(
        run("peer", {
            share.env(STATE, state.path());
            share
        })
        .0
        .success()
    );
    let host = format!("127.0.0.1:{}", server.port);
    let get = [&options(&host, empty.path())[..], &["get", "7", "99"]].concat();
    let variables = [(STATE, state.path().to_str().unwrap())];
    let peer = Terminal::start(env!("CARGO_BIN_EXE_peer"), &get, (24, 80), &variables);
    let bar = peer.wait_for("1.00 KiB/2.00 KiB");
    assert!(bar.starts_with("RFC 7 "), "{bar}");
    peer.wait_for("1 of 2, 1.00 KiB");
    go_on.send(()).unwrap();
    let (code, lines) = peer.wait();
    assert_eq!(code, 3);
    let path = empty.path().join("rfc7.txt");
    let said = format!("RFC 7 is in {} (2048 bytes)", path.display());
    assert_eq!(lines[0], said);
    assert!(!lines.iter().any(|line| line.contains("KiB")), "{lines:?}");
}

#[test]
fn a_bar_at_the_menu_stays_below_what_is_printed() {
    let server = server(&[]);
    let empty = folder(&[("rfc5.txt", b"five")]);
    let (_holder, _, go_on) = slow_holder(server.port);
    let mut peer = peer_at(server.port, empty.path());
    let port = peer.wait_for("[UPLOAD] Upload server listening on port ");
    let port = port.rsplit(' ').next().unwrap().parse().unwrap();
    peer.answer("Choice: ", "get 7");
    peer.wait_for("1.00 KiB/2.00 KiB");
    let get = "GET RFC 5 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n";
    assert!(exchange(port, get).ends_with("\r\n\r\nfive"));
    peer.wait_until(|lines| {
        let place = |text| lines.iter().position(|line| line.contains(text));
        place("[UPLOAD] Sent RFC 5 to ") < place("1.00 KiB/2.00 KiB")
            && place("[UPLOAD] Sent RFC 5 to ").is_some()
    });
    go_on.send(()).unwrap();
    peer.wait_for("[DOWNLOAD] Saved to ");
    let lines = peer.wait_for_prompt("Choice: ");
    assert!(!lines.iter().any(|line| line.contains("KiB")), "{lines:?}");
}

#[test]
fn a_pipe_gets_no_bar() {
    let servers = [server(&[]), server(&[])];
    let [(_one, half_sent, go_on), (_other, _, other_goes_on)] =
        servers.each_ref().map(|server| slow_holder(server.port));
    let (piped, watched) = (folder(&[]), folder(&[]));
    let mut peer = Program::start(
        "peer",
        peer_of(servers[0].port, piped.path(), &["get", "7"]),
    );
    half_sent.recv_timeout(PATIENCE).unwrap();
    // A download at a terminal that began later has its bar, so this one would have one too.
    let host = format!("127.0.0.1:{}", servers[1].port);
    let get = [&options(&host, watched.path())[..], &["get", "7"]].concat();
    let at_terminal = Terminal::start(env!("CARGO_BIN_EXE_peer"), &get, (24, 80), &[]);
    at_terminal.wait_for("1.00 KiB/2.00 KiB");
    go_on.send(()).unwrap();
    other_goes_on.send(()).unwrap();
    assert!(peer.wait().0.success());
    let path = piped.path().join("rfc7.txt");
    let said = format!("RFC 7 is in {} (2048 bytes)\n", path.display());
    peer.expect_error(&said);
    assert_eq!(peer.errors(), said);
    assert_eq!(at_terminal.wait().0, 0);
}
