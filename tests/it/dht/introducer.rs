//! JOIN and DELETE to the byte, and what else arrives at that port.

use rustix::process::Signal;

use super::introducer;
use crate::support::{Client, at_once, exchange};

/// Sends a line, without closing this side, and returns the answer up to the close.
#[track_caller]
fn says(port: u16, line: &str, expected: &str) {
    let mut client = Client::connect(port);
    client.send(line);
    assert_eq!(
        String::from_utf8_lossy(&client.rest()),
        expected,
        "{line:?}"
    );
}

const UNKNOWN: &str = "404 OPERATION UNKNOWN 0\r\n";
const MALFORMED: &str = "422 MALFORMED 0\r\n";

#[test]
fn peers_join_learn_of_others_and_leave() {
    let mut server = introducer(&[]);
    let port = server.port;
    says(port, "JOIN one 127.0.0.1 5001 \r\n", "200 OK 0\r\n");
    let first = "1,one,127.0.0.1,5001\r\n";
    says(
        port,
        "JOIN two 127.0.0.1 5002\r\n",
        &format!("200 OK 22\r\n{first}"),
    );
    let second = "2,two,127.0.0.1,5002\r\n";
    says(
        port,
        "JOIN three 127.0.0.1 5003\r\n",
        &format!("200 OK 44\r\n{first}{second}"),
    );
    says(port, "DELETE one\r\n", "200 OK 0\r\n");
    // One that comes again keeps its number.
    says(
        port,
        "JOIN two 127.0.0.1 5002\n",
        "200 OK 24\r\n3,three,127.0.0.1,5003\r\n",
    );
    says(port, "DELETE nobody \r\n", "200 OK 0\r\n");
    server.signal(Signal::TERM);
    let (status, printed) = server.wait();
    assert!(status.success());
    let shown = printed.split("[SERVER] New TCP connection").nth(2).unwrap();
    let lines: Vec<_> = shown.lines().skip(1).collect();
    assert_eq!(lines.len(), 5, "{printed}");
    assert!(
        lines[0].starts_with("[SERVER] Request from 127.0.0.1:"),
        "{printed}"
    );
    assert_eq!(lines[1], "JOIN two 127.0.0.1 5002");
    assert!(
        lines[2].starts_with("[SERVER] Response to 127.0.0.1:"),
        "{printed}"
    );
    assert_eq!(lines[3..], ["200 OK 22", first.trim_end()]);
    assert!(
        printed.ends_with("[SERVER] Stopping...\n[SERVER] Stopped.\n"),
        "{printed}"
    );
}

#[test]
fn five_others_are_handed_out_those_heard_of_last() {
    let server = introducer(&[]);
    let join = |number: u16| {
        let line = format!("JOIN p{number} 127.0.0.1 {}\r\n", 5000 + number);
        exchange(server.port, line)
    };
    let rows = |numbers: &[u16]| {
        let row = |number: &u16| format!("{number},p{number},127.0.0.1,{}\r\n", 5000 + number);
        let rows: String = numbers.iter().map(row).collect();
        format!("200 OK {}\r\n{rows}", rows.len())
    };
    for number in 1..=6 {
        join(number);
    }
    assert_eq!(join(7), rows(&[2, 3, 4, 5, 6]));
    assert_eq!(join(1), rows(&[3, 4, 5, 6, 7]));
    assert_eq!(join(8), rows(&[1, 4, 5, 6, 7]));
}

#[test]
fn what_is_not_a_request_is_answered_as_well() {
    let mut server = introducer(&[]);
    for (line, expected) in [
        ("HELLO\r\n", UNKNOWN),
        ("join a 127.0.0.1 5\r\n", UNKNOWN),
        ("GET / HTTP/1.1\r\n\r\n", UNKNOWN),
        ("\r\n", MALFORMED),
        ("JOIN\r\n", MALFORMED),
        ("JOIN a\r\n", MALFORMED),
        ("JOIN a 127.0.0.1\r\n", MALFORMED),
        ("JOIN a 127.0.0.1 x\r\n", MALFORMED),
        ("JOIN a 127.0.0.1 0\r\n", MALFORMED),
        ("JOIN a 127.0.0.1 65536\r\n", MALFORMED),
        ("JOIN a localhost 5\r\n", MALFORMED),
        ("JOIN a,b 127.0.0.1 5\r\n", MALFORMED),
        ("JOIN a\u{1b}[2J 127.0.0.1 5\r\n", MALFORMED),
        // Nobody enters another.
        ("JOIN a 10.0.0.1 5\r\n", MALFORMED),
        ("JOIN a 127.0.0.2 5\r\n", MALFORMED),
        ("DELETE\r\n", MALFORMED),
    ] {
        says(server.port, line, expected);
    }
    let long = format!("JOIN {} 127.0.0.1 5\r\n", "x".repeat(8 * 1024));
    says(server.port, &long, MALFORMED);
    // Without its end.
    assert_eq!(exchange(server.port, "JOIN a 127.0.0.1 5"), MALFORMED);
    let mut client = Client::connect(server.port);
    client.send(b"JOIN \xff 127.0.0.1 5\r\n");
    assert_eq!(client.rest(), MALFORMED.as_bytes());
    says(server.port, "JOIN a 127.0.0.1 5\r\n", "200 OK 0\r\n");
    server.expect("[SERVER] Answering 404: \"HELLO\" is not an operation\n");
    server.expect("[SERVER] Answering 422: the address is not that of the connection\n");
}

#[test]
fn mute_and_trickler_are_answered_in_time_and_hold_up_nobody() {
    let server = introducer(&["--request-time", "1", "--max-peers", "40"]);
    let mute: Vec<_> = (0..30).map(|_| Client::connect(server.port)).collect();
    says(server.port, "JOIN a 127.0.0.1 5\r\n", "200 OK 0\r\n");
    at_once(mute, |mut client| {
        assert_eq!(client.rest(), MALFORMED.as_bytes());
    });
    let mut trickler = Client::connect(server.port);
    trickler.send("JOIN b");
    assert_eq!(trickler.rest(), MALFORMED.as_bytes());
}
