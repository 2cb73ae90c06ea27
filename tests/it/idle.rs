//! Attackers that make the server work and then stay silent, and clients that are only slow.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::framed::Framed;
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    BAD, Client, LIST, PATIENCE, Program, at_once, exchange, folder, listening, peer, server,
    server_command,
};

/// The memory of a program, in KiB.
fn memory(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

/// Waits until a program has at most so much memory, and returns how much it has.
fn memory_at_most(program: &Program, most: u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let memory = memory(program);
        if memory <= most || Instant::now() > deadline {
            return memory;
        }
        thread::yield_now();
    }
}

/// An index with long titles, and a connection that keeps them there.
fn with_long_titles() -> (Program, Client) {
    let server = server(&["-q"]);
    let mut holder = Client::connect(server.port);
    let title = "t".repeat(1000);
    for number in 1..=1500 {
        holder.add(number, &title, "vm", 9);
    }
    (server, holder)
}

/// What 500 connections cost that ask this and then stay silent, in KiB each. An idle one may cost
/// 16, and its thread about as much, twice that in a build without optimization.
fn costs<C>(ask: impl Fn(u16) -> C) {
    const MANY: u64 = 500;
    let (server, _holder) = with_long_titles();
    let before = memory(&server);
    let _idle: Vec<_> = (0..MANY).map(|_| ask(server.port)).collect();
    let most = before + MANY * 48;
    let after = memory_at_most(&server, most);
    let each = (after - before) / MANY;
    assert!(after <= most, "{each} KiB for each idle connection");
}

#[test]
fn idler_after_a_long_list_costs_little() {
    costs(|port| {
        let mut client = Client::connect(port);
        client.send(LIST);
        client.head();
        while !client.line().is_empty() {}
        client
    });
}

#[test]
fn idler_after_a_framed_listall_costs_little() {
    costs(|port| {
        let mut client = Framed::connect(port);
        client.send("LISTALL P2P-CI/1.0\nHOST: x");
        assert!(client.receive().len() > 1_040_000);
        client
    });
}

#[test]
fn reader_of_nothing_after_a_del_leaves_nothing_behind() {
    let server = server(&["--send-time", "1"]);
    let mut stuck = Client::connect(server.port);
    let title = "t".repeat(1000);
    for number in 1..=8000 {
        stuck.add(number, &title, "vm", 9);
    }
    socket2::SockRef::from(stuck.stream())
        .set_recv_buffer_size(4096)
        .unwrap();
    stuck.send("DEL P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\n\r\n");
    let mut server = server;
    server.expect("[SERVER] Peer vm:9 left. Removed 1 peer(s), 8000 RFC(s).\n");
    assert_eq!(exchange(server.port, LIST), "P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    drop(stuck);
}

#[test]
fn a_del_of_many_records_is_answered_whole() {
    let mut server = server(&[]);
    let mut client = Client::connect(server.port);
    for number in 1..=1000 {
        client.add(number, "t", "vm", 9);
    }
    client.send("DEL P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\n\r\n");
    let lines: String = (1..=1000)
        .rev()
        .map(|number| format!("RFC {number} t vm 9\r\n"))
        .collect();
    client.receive(&format!("P2P-CI/1.0 200 OK\r\n\r\n{lines}\r\n"));
    server.expect("[SERVER] Peer vm:9 left. Removed 1 peer(s), 1000 RFC(s).\n");
    client.add(1, "back", "vm", 10);
}

#[test]
fn slow_get_is_delivered_whole() {
    let text = b"0123456789abcdef".repeat(10_000);
    let shared = folder(&[("rfc5.txt", &text)]);
    let server = server(&[]);
    let peer = peer("peer", server.port, shared.path(), &["share"]);
    let pieces = ["Host: x\r\n", "OS: y\r\n", "\r\n"];
    at_once(["CI", "DI"], |protocol| {
        at_once([5, 6], |number| {
            let mut client = Client::connect(peer.port);
            client.send(format!("GET RFC {number} P2P-{protocol}/1.0\r\n"));
            for piece in pieces {
                client.send(piece);
                // The next piece arrives when the answer has begun.
                client.stream().peek(&mut [0; 1]).unwrap();
            }
            let head = client.head();
            let found = if number == 5 {
                "200 OK"
            } else {
                "404 Not Found"
            };
            assert!(
                head.starts_with(&format!("P2P-{protocol}/1.0 {found}\r\n")),
                "{head}"
            );
            assert!(number == 6 || client.rest() == text);
        });
    });
}

#[test]
fn slow_requests_are_answered_and_their_late_fields_count() {
    let mut central = server(&[]);
    let mut client = Client::connect(central.port);
    client.send("LOOKUP RFC 1 P2P-CI/1.0\r\nHost: vm\r\n");
    // So far it looks like one of a program that sends no empty lines and expects none.
    client.receive("P2P-CI/1.0 404 Not Found\r\n");
    client.send("Port: 77\r\n\r\n");
    central.expect("[SERVER] Added vm:77\n");
    // There is no second answer.
    client.send("LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    drop(client);
    central.expect("[SERVER] Peer vm:77 left. Removed 1 peer(s), 0 RFC(s).\n");

    let registration = server(&DISTRIBUTED);
    let mut client = Client::connect(registration.port);
    client.send("REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\n");
    let answer = client.head();
    assert!(answer.starts_with("P2P-DI/1.0 200 OK\r\n"), "{answer}");
    client.send("OS: late\r\n");
    client.send("\r\n");
    assert_eq!(client.rest(), b"");
}

#[test]
fn drippers_of_nothing_have_one_deadline() {
    let drips: [(&str, &str); 4] = [
        (" \r\n", " \r\n"),
        ("\r\n", "\r\n"),
        ("\t\n", "\n"),
        ("LIST ALL P2P-CI/1.0\r\n", "A: b\r\n"),
    ];
    for (index, answer) in [(&[][..], BAD), (&DISTRIBUTED, "P2P-DI/1.0 408 ")] {
        let time = [&["--port", "0", "--request-time", "2"], index].concat();
        let server = listening(Program::start("server", server_command(&time)));
        at_once(drips, |(first, next)| {
            let mut client = Client::connect(server.port);
            let begun = Instant::now();
            client.send(first);
            let gap = Some(Duration::from_millis(200));
            client.stream().set_read_timeout(gap).unwrap();
            let mut stream = client.stream();
            let mut byte = [0; 1];
            while std::io::Read::read(&mut stream, &mut byte).is_err() {
                client.send(next);
                assert!(begun.elapsed() < PATIENCE, "{first:?} has no deadline");
                stream = client.stream();
            }
            assert_eq!(byte, answer.as_bytes()[..1]);
            // Twice the time would be four seconds.
            assert!(begun.elapsed() < Duration::from_millis(3500), "{first:?}");
        });
    }
}

/// Each field would begin a deadline of its own, for 64 of them.
#[test]
fn dripper_of_late_fields_has_the_deadline_of_its_request() {
    let server = server(&["--request-time", "1"]);
    let mut client = Client::connect(server.port);
    let begun = Instant::now();
    client.send("LOOKUP RFC 1 P2P-CI/1.0\r\nHost: vm\r\n");
    client.receive("P2P-CI/1.0 404 Not Found\r\n");
    let gap = Some(Duration::from_millis(300));
    client.stream().set_read_timeout(gap).unwrap();
    while std::io::Read::read(&mut client.stream(), &mut [0; 1]).is_err() {
        client.send("A: b\r\n");
        let time = begun.elapsed();
        assert!(time < Duration::from_secs(8), "it is still served");
    }
}

/// The time of a request without an end is not that of the next one.
#[test]
fn after_a_request_without_an_end_a_peer_may_be_silent() {
    let server = server(&["--request-time", "1"]);
    let mut client = Client::connect(server.port);
    client.send("LOOKUP RFC 1 P2P-CI/1.0\r\nHost: vm\r\n");
    client.receive("P2P-CI/1.0 404 Not Found\r\n");
    let silence = Some(Duration::from_millis(1500));
    client.stream().set_read_timeout(silence).unwrap();
    let silent = std::io::Read::read(&mut client.stream(), &mut [0; 1]);
    assert!(silent.is_err(), "the connection was ended");
    client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(LIST);
    client.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
}

#[test]
fn empty_lines_after_a_request_do_not_begin_another_one() {
    let server = server(&["--request-time", "1"]);
    let mut client = Client::connect(server.port);
    client.send(format!("{LIST}\r\n"));
    client.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    let silence = Some(Duration::from_millis(1500));
    client.stream().set_read_timeout(silence).unwrap();
    let silent = std::io::Read::read(&mut client.stream(), &mut [0; 1]);
    assert!(silent.is_err(), "the connection was ended");
    client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    client.add(1, "t", "vm", 9);
}

/// How often this is in a text.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn flooder_of_bad_requests_is_printed_ten_times_a_second_and_counted() {
    const MANY: usize = 3000;
    let begun = Instant::now();
    let mut central = server(&["-v"]);
    let mut client = Client::connect(central.port);
    for _ in 0..MANY {
        client.send("BLAH RFC 1 P2P-CI/1.0\r\nHost: vm\r\n\r\n");
        client.receive(BAD);
    }
    // Valid requests are always printed.
    for _ in 0..50 {
        client.send(LIST);
        client.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    }
    drop(client);
    central.expect(" closed\n");
    let most = 10 * usize::try_from(begun.elapsed().as_secs() + 2).unwrap();
    let printed = central.printed();
    let refused = count(&printed, "Answering 400: \"BLAH\" is no method\n");
    assert!((10..=most).contains(&refused), "{refused}");
    for part in ["BLAH RFC 1 P2P-CI/1.0\n", "P2P-CI/1.0 400 Bad Request\n"] {
        assert_eq!(count(&printed, part), refused);
    }
    assert_eq!(count(&printed, "LIST ALL P2P-CI/1.0\n"), 50);
    assert_eq!(count(&printed, "P2P-CI/1.0 200 OK\n"), 50);
    let told = printed.lines().filter_map(|line| {
        let rest = line.strip_prefix("[SERVER] ")?;
        rest.split_once(" more refused request(s) from 127.0.0.1:")?
            .0
            .parse::<usize>()
            .ok()
    });
    assert_eq!(told.sum::<usize>() + refused, MANY);
    let logged = count(&central.errors(), "is no method");
    assert!((10..=most).contains(&logged), "{logged}");

    let mut registration = server(&DISTRIBUTED);
    let mut framed = Framed::connect(registration.port);
    for _ in 0..MANY {
        framed.says("dance vm HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n");
    }
    drop(framed);
    registration.expect(" more refused request(s) from 127.0.0.1:");
}
