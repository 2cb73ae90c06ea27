//! The distributed index, P2P-DI/1.0: the registration server, and peers that tell each other what
//! they have.

mod commands;
mod digests;
mod get;
mod kept;
mod liars;
mod peers;
mod registration;
mod told;
mod uploads;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use expect_test::expect_file;

use crate::support::scenarios_di::{self, DISTRIBUTED, with_whole_ttls};
use crate::support::{
    Client, Program, STATE, peer_at_menu, peer_of, pretend, run, server, started_peer,
};

#[test]
fn the_printouts_of_the_testing_scenario() {
    let printed = scenarios_di::run(|_| {});
    assert!(
        printed.contains("--- the two files\nare identical\n"),
        "{printed}"
    );
    expect_file!["golden/distributed.txt"].assert_eq(&printed);
}

/// A registration server on a free port.
fn registration_server(arguments: &[&str]) -> Program {
    server(&[&DISTRIBUTED, arguments].concat())
}

/// A peer of a registration server, waiting at its menu.
fn sharing(rs: &Program, folder: &Path, arguments: &[&str]) -> Program {
    peer_at_menu("peer", rs.port, folder, &[&DISTRIBUTED, arguments].concat())
}

/// The command of a peer of a registration server.
fn command(rs: u16, folder: &Path, arguments: &[&str]) -> Command {
    peer_of(rs, folder, &[&DISTRIBUTED, arguments].concat())
}

/// A peer at its menu that saves its state for a later one.
fn sharing_with_state(rs: u16, folder: &Path, state: &Path) -> Program {
    let mut command = command(rs, folder, &[]);
    command.env(STATE, state);
    let mut peer = started_peer("peer", command);
    peer.expect("Choice: ");
    peer
}

/// A request from a peer at vm:`port` to a registration server.
fn request(words: &str, port: u16, cookie: Option<u32>) -> String {
    let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    format!("{words} P2P-DI/1.0\r\nHost: vm\r\nPort: {port}\r\n{cookie}OS: Test 1\r\n\r\n")
}

/// Sends a request, without closing its side, and returns the answer up to the close. Checks and
/// removes its `Date` and `OS`, which every response has, and replaces the rest of a TTL by the
/// whole one.
#[track_caller]
fn ask(port: u16, request: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(port);
    client.send(request);
    answer(&mut client)
}

#[track_caller]
fn answer(client: &mut Client) -> String {
    let text = String::from_utf8(client.rest()).unwrap();
    let mut lines = text.splitn(4, "\r\n");
    let [status, date, os] = [(); 3].map(|()| lines.next().unwrap_or_default());
    assert!(
        date.starts_with("Date: ") && date.ends_with(" GMT"),
        "{text:?}"
    );
    assert!(os.starts_with("OS: ") && os.len() > 4, "{text:?}");
    with_whole_ttls(&format!("{status}\r\n{}", lines.next().unwrap_or_default()))
}

/// The answer to REGISTER.
fn registered(cookie: u32, registrations: u32) -> String {
    format!(
        "P2P-DI/1.0 200 OK\r\nCookie: {cookie}\r\nTTL: 7200\r\nRegistrations: {registrations}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// An answer without a body.
fn empty(status: &str) -> String {
    format!("P2P-DI/1.0 {status}\r\nContent-Length: 0\r\n\r\n")
}

const NOBODY: &str = "P2P-DI/1.0 404 No Active Peers\r\nPeers: 0\r\nContent-Length: 0\r\n\r\n";

/// An answer with a body, as a peer gives it.
fn ok(fields: &str, body: &str) -> String {
    format!(
        "P2P-DI/1.0 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An index that consists of these lines.
fn index(lines: &[String]) -> String {
    let body: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    ok(&format!("Records: {}\r\n", lines.len()), &body)
}

/// Registers 127.0.0.1:`port`.
fn register(rs: &Program, port: u16) {
    let request = format!("REGISTER Peer P2P-DI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\n\r\n");
    assert!(ask(rs.port, request).starts_with("P2P-DI/1.0 200 OK\r\n"));
}

/// A registered peer played by the test: `answer` gets the request line and its port.
fn pretended(rs: &Program, answer: impl Fn(&str, u16) -> String + Send + 'static) -> u16 {
    let port = pretend(move |mut client| {
        let head = client.head();
        let port = client.stream().local_addr().unwrap().port();
        let line = head.lines().next().unwrap_or_default();
        // A client may close early.
        let _ = client.stream().write_all(answer(line, port).as_bytes());
    });
    register(rs, port);
    port
}

/// A registered peer that lists RFC `number` and sends this answer to requests for it.
fn holder(rs: &Program, number: u32, document: String) -> u16 {
    pretended(rs, move |line, port| {
        if line == "GET RFC-Index P2P-DI/1.0" {
            index(&[format!("RFC {number} 7200 127.0.0.1 {port} Title {number}")])
        } else {
            assert_eq!(line, format!("GET RFC {number} P2P-DI/1.0"));
            document.clone()
        }
    })
}

/// The result of a `get`: its exit code, and its errors.
fn get(rs: &Program, folder: &Path, number: &str) -> (Option<i32>, String) {
    let (status, out, errors) = run("peer", command(rs.port, folder, &["get", number]));
    assert_eq!(status.success(), !out.is_empty(), "{out}{errors}");
    (status.code(), errors)
}

/// An answer with a document, without a digest.
fn document(text: &str) -> String {
    ok("Content-Type: text/plain\r\n", text)
}
