//! Conversations with the index server, to the byte.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{BAD, Client, EMPTY, LIST, exchange, run, server, server_command};

fn add(number: u32, title: &str, port: u16) -> String {
    format!("ADD RFC {number} P2P-CI/1.0\r\nHost: vm\r\nPort: {port}\r\nTitle: {title}\r\n\r\n")
}

fn added(number: u32, title: &str, port: u16) -> String {
    format!("P2P-CI/1.0 200 OK\r\n\r\nRFC {number} {title} vm {port}\r\n\r\n")
}

const NONE: &str = "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n";
const VERSION: &str = "P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n\r\n";

fn lookup(number: u32) -> String {
    format!("LOOKUP RFC {number} P2P-CI/1.0\r\nHost: vm\r\nPort: 1\r\nTitle: any\r\n\r\n")
}

/// A server whose printout is piped to the test, and its port.
fn server_with_its_own_reader() -> (Child, BufReader<ChildStdout>, u16) {
    let mut child = server_command(&["--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    printout.read_line(&mut line).unwrap();
    let port = line.trim_end_matches("...\n").rsplit(' ').next().unwrap();
    (child, printout, port.parse().unwrap())
}

/// A connection from another address of this machine.
fn connect_from(address: [u8; 4], port: u16) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket
        .connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())
        .unwrap();
    Client::over(TcpStream::from(socket))
}

#[test]
fn add_lookup_and_list_newest_first() {
    let server = server(&[]);
    let (mut one, mut two) = (Client::connect(server.port), Client::connect(server.port));
    one.send(LIST);
    one.receive(EMPTY);
    one.send(add(5, "First  title", 1001));
    one.receive(&added(5, "First title", 1001));
    two.add(6, "", "vm", 1002);
    two.add(5, "Its other title", "vm", 1002);
    one.send(LIST);
    one.receive(
        "P2P-CI/1.0 200 OK\r\n\r\nRFC 5 Its other title vm 1002\r\nRFC 6  vm 1002\r\n\
         RFC 5 First title vm 1001\r\n\r\n",
    );
    one.send(lookup(5));
    one.receive(
        "P2P-CI/1.0 200 OK\r\n\r\nRFC 5 Its other title vm 1002\r\nRFC 5 First title vm 1001\r\n\r\n",
    );
    one.send(lookup(7));
    one.receive(NONE);
}

#[test]
fn adding_again_takes_the_title_and_moves_nothing() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    for (number, title) in [(1, "old"), (2, "two"), (1, "new")] {
        client.add(number, title, "vm", 9);
    }
    client.send(LIST);
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 2 two vm 9\r\nRFC 1 new vm 9\r\n\r\n");
}

#[test]
fn the_connection_goes_on_after_a_refusal() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    for (request, answer) in [
        (
            "BLAH RFC 123 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n",
            BAD,
        ),
        (
            "GET RFC 123 P2P-CI/2.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n",
            VERSION,
        ),
        ("GET RFC 123\r\n\r\n", BAD),
        ("ADD RFC 1 P2P-CI/1.0\r\n\r\n", BAD),
        (
            "ADD RFC 99999999999 P2P-CI/1.0\r\nHost: a\r\nPort: 1\r\nTitle: t\r\n\r\n",
            BAD,
        ),
        ("LOOKUP RFC 1 P2P-CI/1.0\r\nHost: a\r\n\r\n", NONE),
        (LIST, EMPTY),
    ] {
        client.send(request);
        client.receive(answer);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    let many: String = (1..=500).map(|number| add(number, "t", 9)).collect();
    client.send(many + &lookup(500) + "BLAH\n\n" + &lookup(501));
    for number in 1..=500 {
        client.receive(&added(number, "t", 9));
    }
    client.receive(&added(500, "t", 9));
    client.receive(BAD);
    client.receive(NONE);
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    for byte in add(7, "slow", 9).bytes().chain(LIST.bytes()) {
        client.send([byte]);
    }
    client.receive(&added(7, "slow", 9));
    client.receive(&added(7, "slow", 9));
}

#[test]
fn requests_are_read_liberally() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    client.send("\r\n\nADD RFC 7 P2P-CI/1.0 \ntitle:A  b \nPORT:9\nX-New: 1\nhost: vm\n\n");
    client.receive(&added(7, "A b", 9));
    client.send("\r\nLOOKUP RFC 7 P2P-CI/1.0\nHost: vm\n\n\r\n");
    client.receive(&added(7, "A b", 9));
}

#[test]
fn endless_line_is_answered_400_and_closed() {
    let server = server(&[]);
    assert_eq!(exchange(server.port, "x".repeat(9000)), BAD);
    assert_eq!(
        exchange(
            server.port,
            format!("LIST ALL P2P-CI/1.0\r\nA: {}", "x".repeat(9000))
        ),
        BAD
    );
}

#[test]
fn header_flood_is_answered_400_and_closed() {
    let server = server(&[]);
    let flood = format!(
        "LIST ALL P2P-CI/1.0\r\nHost: vm\r\n{}\r\n",
        "N: v\r\n".repeat(64)
    );
    assert_eq!(exchange(server.port, flood), BAD);
    let just_right = format!(
        "LIST ALL P2P-CI/1.0\r\nHost: vm\r\n{}\r\n",
        "N: v\r\n".repeat(63)
    );
    assert_eq!(exchange(server.port, just_right), EMPTY);
}

#[test]
fn half_closed_gets_its_answers() {
    let server = server(&[]);
    assert_eq!(exchange(server.port, LIST), EMPTY);
    assert_eq!(
        exchange(server.port, format!("{LIST}{LIST}")),
        format!("{EMPTY}{EMPTY}")
    );
    assert_eq!(exchange(server.port, "LIST ALL P2P-CI/1.0\r\nHost: v"), BAD);
    assert_eq!(exchange(server.port, ""), "");
}

#[test]
fn huge_number_is_refused_and_the_connection_goes_on() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    let digits = "9".repeat(4000);
    for number in [
        "4294967296",
        "18446744073709551616",
        "-1",
        "+1",
        "1e9",
        digits.as_str(),
    ] {
        client.send(format!(
            "LOOKUP RFC {number} P2P-CI/1.0\r\nHost: vm\r\n\r\n"
        ));
        client.receive(BAD);
        client.send(format!(
            "ADD RFC 1 P2P-CI/1.0\r\nHost: vm\r\nPort: {number}\r\nTitle: t\r\n\r\n"
        ));
        client.receive(BAD);
    }
    client.add(u32::MAX, "the last one", "vm", 65535);
}

#[test]
fn garbage_is_refused() {
    let server = server(&[]);
    let answer = exchange(
        server.port,
        b"\x16\x03\x01\x02\0\x01\xff\n\xfe\xff\0\n\n".as_slice(),
    );
    assert_eq!(answer, BAD);
    assert_eq!(
        exchange(server.port, "GET / HTTP/1.1\r\nHost: vm\r\n\r\n"),
        BAD
    );
}

#[test]
fn terminal_forger_is_escaped_in_the_printout() {
    let mut server = server(&[]);
    let attack =
        "LIST ALL P2P-CI/1.0\r\nHost: vm\r\nX: \u{1b}[2J\u{202e}\r\n[SERVER] Stopped.\r\n\r\n";
    assert_eq!(exchange(server.port, attack), BAD);
    let printed = server.expect(" closed\n");
    assert!(
        printed.contains("X: \\u{1b}[2J\\u{202e}\n\\[SERVER] Stopped.\n"),
        "{printed}"
    );
    assert!(!printed.contains('\u{1b}'));
}

#[test]
fn leaving_in_any_way_removes_the_records() {
    let mut server = server(&[]);
    let mut watcher = Client::connect(server.port);
    for way in ["close", "reset", "half-close"] {
        let mut peer = Client::connect(server.port);
        peer.send(add(1, "t", 9) + &add(2, "t", 9));
        peer.receive(&added(1, "t", 9));
        peer.receive(&added(2, "t", 9));
        match way {
            "reset" => SockRef::from(peer.stream())
                .set_linger(Some(std::time::Duration::ZERO))
                .unwrap(),
            "half-close" => peer.half_close(),
            _ => {}
        }
        drop(peer);
        server.expect("[SERVER] Peer vm:9 left. Removed 1 peer(s), 2 RFC(s).\n");
        watcher.send(LIST);
        watcher.receive(EMPTY);
    }
}

#[test]
fn a_crashed_peer_takes_its_name_back_from_the_same_address() {
    let mut server = server(&[]);
    let mut before = Client::connect(server.port);
    before.send(add(1, "before", 9) + &add(2, "before", 9));
    before.receive(&added(1, "before", 9));
    before.receive(&added(2, "before", 9));
    let mut after = Client::connect(server.port);
    after.add(1, "after", "vm", 9);
    server.expect("[SERVER] Peer vm:9 left. Removed 1 peer(s), 2 RFC(s).\n");
    server.expect("[SERVER] Added vm:9\n");
    assert_eq!(before.rest(), b"");
    after.send(LIST);
    after.receive(&added(1, "after", 9));
}

#[cfg(target_os = "linux")]
#[test]
fn takeover_from_another_address_is_refused() {
    let server = server(&[]);
    let mut victim = Client::connect(server.port);
    victim.add(1, "mine", "vm", 9);
    let mut thief = connect_from([127, 0, 0, 2], server.port);
    thief.send(add(1, "stolen", 9));
    thief.receive(BAD);
    thief.send(add(2, "stolen", 9));
    thief.receive(BAD);
    thief.send("LOOKUP RFC 1 P2P-CI/1.0\r\nHost: VM\r\nPort: 9\r\n\r\n");
    thief.receive(BAD);
    thief.add(3, "its own", "vm", 10);
    drop(thief);
    victim.send(lookup(1));
    victim.receive(&added(1, "mine", 9));
}

#[test]
fn a_connection_has_one_name() {
    let server = server(&[]);
    let mut client = Client::connect(server.port);
    client.add(1, "t", "vm", 9);
    client.send(add(2, "t", 10));
    client.receive(BAD);
    client.add(2, "t", "vm", 9);
}

#[test]
fn a_name_only_used_in_queries_leaves_when_another_one_is_registered() {
    let mut server = server(&[]);
    let mut client = Client::connect(server.port);
    client.send("LIST ALL P2P-CI/1.0\r\nHost: vm\r\nPort: 8\r\n\r\n");
    client.receive(EMPTY);
    client.add(1, "t", "vm", 9);
    server.expect("[SERVER] Added vm:8\n");
    server.expect("[SERVER] Peer vm:8 left. Removed 1 peer(s), 0 RFC(s).\n");
    server.expect("[SERVER] Connection from host vm at 127.0.0.1:");
    server.expect("[SERVER] Added vm:9\n");
}

#[test]
fn a_printout_that_nobody_reads_holds_up_nobody() {
    let (mut child, _printout, port) = server_with_its_own_reader();
    let mut client = Client::connect(port);
    for number in 1..=2000 {
        client.add(number, "t", "vm", 9);
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_long_list_is_sent_whole_and_printed_in_part() {
    let mut server = server(&[]);
    let mut client = Client::connect(server.port);
    for number in 1..=5000 {
        client.add(number, "t", "vm", 9);
    }
    client.send(LIST);
    let lines: String = (1..=5000)
        .rev()
        .map(|number| format!("RFC {number} t vm 9\r\n"))
        .collect();
    client.receive(&format!("P2P-CI/1.0 200 OK\r\n\r\n{lines}\r\n"));
    let printed = server.expect("more records\n\n");
    assert!(printed.ends_with("\nRFC 4801 t vm 9\n... and 4800 more records\n\n"));
}

#[test]
fn ipv6_and_ipv4_are_served_alike() {
    let mut server = server(&[]);
    let Ok(stream) = TcpStream::connect(("::1", server.port)) else {
        return;
    };
    let mut client = Client::over(stream);
    client.send("ADD RFC 1 P2P-CI/1.0\r\nHost: ::1\r\nPort: 9\r\nTitle: t\r\n\r\n");
    client.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 1 t ::1 9\r\n\r\n");
    server.expect("[SERVER] New TCP connection from [::1]:");
    server.expect("[SERVER] Added [::1]:9\n");
    Client::connect(server.port).send(LIST);
    server.expect("[SERVER] New TCP connection from 127.0.0.1:");
}

#[test]
fn quiet_prints_only_connection_events() {
    let mut server = server(&["-q"]);
    let mut client = Client::connect(server.port);
    client.add(1, "t", "vm", 9);
    let from = client.stream().local_addr().unwrap();
    drop(client);
    server.expect(" RFC(s).\n");
    let expected = format!(
        "[SERVER] Listening on port {}...\n[SERVER] New TCP connection from {from}\n\
         [SERVER] Connection from host vm at {from}\n\
         [SERVER] Added vm:9\n[SERVER] Peer vm:9 left. Removed 1 peer(s), 1 RFC(s).\n",
        server.port
    );
    assert_eq!(server.printed(), expected);
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let first = server(&[]);
    let (status, out, errors) = run(
        "server",
        server_command(&["--port", &first.port.to_string()]),
    );
    assert_eq!((status.code(), out.as_str()), (Some(1), ""));
    let expected = format!(
        "error: cannot listen on [::]:{}: the port is in use by another program; stop that one, or \
         choose another port\n",
        first.port
    );
    assert_eq!(errors, expected);
}

#[test]
fn an_address_that_is_not_ours_is_one_clear_line() {
    let (status, _, errors) = run(
        "server",
        server_command(&["--bind", "192.0.2.77", "--port", "0"]),
    );
    assert_eq!(status.code(), Some(1));
    let expected =
        "error: cannot listen on 192.0.2.77:0: this machine does not have that address\n";
    assert_eq!(errors, expected);
}

#[test]
fn wrong_options_end_with_2() {
    for wrong in [
        ["--port", "70000"],
        ["--bind", "nowhere"],
        ["--nonsense", "1"],
    ] {
        let (status, out, errors) = run("server", server_command(&wrong));
        assert_eq!((status.code(), out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(errors.contains(wrong[0]), "{errors}");
    }
}

#[test]
fn signals_end_the_server_cleanly_with_connections_open() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = server(&[]);
        let (mut silent, mut peer) = (Client::connect(server.port), Client::connect(server.port));
        peer.add(1, "t", "vm", 9);
        server.expect("RFC 1 t vm 9\n\n");
        server.signal(signal);
        assert_eq!((silent.rest(), peer.rest()), (vec![], vec![]));
        let (status, printed) = server.wait();
        assert!(status.success());
        assert!(printed.contains("[SERVER] Peer vm:9 left. Removed 1 peer(s), 1 RFC(s).\n"));
        assert!(printed.ends_with("[SERVER] Stopped.\n"), "{printed}");
        assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    }
}

#[test]
fn a_reader_of_the_printout_that_goes_away_ends_nothing() {
    let (child, printout, port) = server_with_its_own_reader();
    drop(printout);
    for _ in 0..3 {
        assert_eq!(exchange(port, LIST), EMPTY);
    }
    // A clean end writes the warnings first.
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("has stopped: "));
}
