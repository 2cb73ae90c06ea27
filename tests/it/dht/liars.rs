//! Strangers that announce what is not there, or serve something else.

use std::fs;
use std::thread;

use p2pci::wire::Port;
use p2pci::wire::dht::Key;

use super::{announced, ask, introducer, member, peer_at_menu, started};
use crate::support::{Program, dead_port, folder, pretend};

/// How many nodes make up a poisoned key, and how many addresses each announces.
const NODES: usize = 10;
const EACH: usize = 20;

fn rfc(number: &str) -> Key {
    Key::Rfc(number.parse().unwrap())
}

#[test]
fn a_poisoned_key_shows_nobody_who_is_not_there() {
    let server = introducer(&["-q"]);
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let holder = announced(started(server.port, theirs.path()), 1);
    let nodes: Vec<_> = (0..NODES).map(|_| member(server.port)).collect();
    let dead: Vec<_> = (0..NODES * EACH).map(|_| dead_port()).collect();
    thread::scope(|scope| {
        for (node, ports) in nodes.iter().zip(dead.chunks(EACH)) {
            scope.spawn(move || {
                for port in ports {
                    node.announce(rfc("7"), Port::new(*port).unwrap()).unwrap();
                }
            });
        }
    });
    let mut peer = peer_at_menu(server.port, ours.path());
    let printed = peer.answer(&["2", "7", ""]);
    let holders = || printed.lines().filter(|line| line.starts_with("RFC 7 "));
    assert!(holders().count() > 0, "{printed}");
    let own = format!(" 127.0.0.1 {}", holder.port);
    assert!(holders().all(|line| line.contains(&own)), "{printed}");
    peer.answer(&["4", "7", ""]);
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

/// Pretends to be a peer that has RFC 7, and serves other bytes than it announces.
fn liar() -> u16 {
    pretend(|mut client| {
        let request = client.line();
        client.head();
        let port = client.stream().local_addr().unwrap().port();
        let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nOS: Test 1\r\n";
        if request.contains("RFC-Index") {
            let record = format!("RFC 7 7200 127.0.0.1 {port} Seven\r\n");
            let length = record.len();
            client.send(format!(
                "P2P-DI/1.0 200 OK\r\n{date}Records: 1\r\nContent-Length: {length}\r\n\r\n{record}"
            ));
        } else {
            let digest = "0".repeat(64);
            client.send(format!(
                "P2P-DI/1.0 200 OK\r\n{date}RFC-Number: 7\r\nRFC-Title: Seven\r\n\
                 Digest: sha-256={digest}\r\nContent-Length: 5\r\n\r\nwrong"
            ));
        }
    })
}

#[test]
fn a_holder_that_serves_other_bytes_is_passed_over() {
    let server = introducer(&["-q"]);
    let node = member(server.port);
    node.announce(rfc("7"), Port::new(liar()).unwrap()).unwrap();
    let ours = folder(&[]);
    let (code, _, errors) = ask(server.port, ours.path(), &["get", "7"]);
    assert_eq!(code, Some(7), "{errors}");
    let theirs = folder(&[("rfc7.txt", b"seven")]);
    let _holder = announced(started(server.port, theirs.path()), 1);
    let (code, _, errors) = ask(server.port, ours.path(), &["get", "7"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_peer_that_comes_back_on_another_port_is_found_there() {
    let server = introducer(&["-q"]);
    let (theirs, ours) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]));
    let mut holder = announced(started(server.port, theirs.path()), 1);
    let mut peer = peer_at_menu(server.port, ours.path());
    let shown = |printed: &str, holder: &Program| {
        let port = format!(" 127.0.0.1 {} ", holder.port);
        let lines = printed.lines().filter(|line| line.starts_with("RFC 7 "));
        lines.filter(|line| line.contains(&port)).count()
    };
    let printed = peer.answer(&["2", "7", ""]);
    assert!(shown(&printed, &holder) > 0, "{printed}");
    holder.kill();
    let again = announced(started(server.port, theirs.path()), 1);
    let printed = peer.answer(&["2", "7", ""]);
    assert!(shown(&printed, &again) > 0, "{printed}");
    assert_eq!(shown(&printed, &holder), 0, "{printed}");
    peer.answer(&["4", "7", ""]);
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_hundred_announcements_crowd_out_nobody() {
    let server = introducer(&["-q"]);
    let [one, two] = [(); 2].map(|()| folder(&[("rfc7.txt", b"7")]));
    let ours = folder(&[]);
    let first = announced(started(server.port, one.path()), 1);
    let mut busy = announced(peer_at_menu(server.port, two.path()), 1);
    for _ in 0..100 {
        busy.answer(&["add 7 Seven"]);
    }
    // Whatever came before is announced before.
    fs::write(two.path().join("rfc8.txt"), "8").unwrap();
    busy.answer(&["add 8 Eight"]);
    let line = |key: &str| format!("[DHT] Announced port {} for {key}\n", busy.port);
    let last = line("RFC 8");
    let printed = busy.wait_for(|printed| printed.contains(&last).then(|| printed.to_owned()));
    let printed = printed.unwrap();
    let count = |key: &str| printed.matches(&line(key)).count();
    assert_eq!(
        (count("RFC 7"), count("the catalogue")),
        (1, 1),
        "{printed}"
    );
    let (code, out, _) = ask(server.port, ours.path(), &["lookup", "7"]);
    assert_eq!(code, Some(0));
    for port in [first.port, busy.port] {
        assert!(out.contains(&format!(" 127.0.0.1 {port} ")), "{out}");
    }
}
