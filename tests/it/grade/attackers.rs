//! Servers and peers that attack the grader. Each is graded to its end, and a report stays small.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::deviant_peer::Deviant;
use super::peers::grade_one;
use super::{Graded, grade_port};
use crate::support::at_once;

/// What a server does with a connection.
type Answer = fn(TcpStream);

/// Serves each connection in a thread.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(stream.unwrap()));
        }
    });
    port
}

/// What only needs a short time, even with an answer that never ends.
const SOME: [&str; 2] = ["--only", "add-ok,add-form,method-400"];

fn check(graded: &Graded) {
    assert_eq!(graded.code, Some(8), "{}", graded.errors);
    assert!(graded.out.len() < 32 * 1024, "{}", graded.out.len());
    assert!(!graded.out.contains('\u{1b}'), "{}", graded.out);
}

fn write_forever(mut stream: TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

#[test]
fn the_silent_the_endless_and_the_rude() {
    let cases: [(Answer, &str); 6] = [
        (
            |stream| {
                thread::park();
                drop(stream);
            },
            "no answer within 5 s",
        ),
        (drop, "closed the connection without an answer"),
        (
            |mut stream| {
                let _ = stream.write_all(b"P2P-CI/1.0 200 OK\r\n\r\n");
                write_forever(stream, &b"RFC 9001 T vm 5\r\n".repeat(1000));
            },
            "its answer is longer than 1 MiB",
        ),
        (
            |stream| write_forever(stream, &[b'x'; 4096]),
            "is not a P2P-CI/1.0 response",
        ),
        (|stream| write_forever(stream, b"\r\n"), "answer"),
        (
            |mut stream| {
                let _ = stream.write_all(b"\x1b]0;owned\x07\x1b[2J\r\n");
                thread::park();
            },
            "\\u{1b}]0;owned\\u{7}\\u{1b}[2J",
        ),
    ];
    at_once(cases, |(answer, said)| {
        let graded = grade_port(serve(answer), &SOME);
        check(&graded);
        graded.says(&[said]);
    });
}

#[test]
fn the_dripper_costs_its_deadline() {
    let port = serve(|mut stream| {
        let pause = Some(std::time::Duration::from_millis(300));
        stream.set_read_timeout(pause).unwrap();
        for byte in b"P2P-CI/1.0 200 OK\r\n\r\nRFC 9001 Drip".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            // The pause ends early when the grader hangs up.
            if stream.read(&mut [0; 1000]).is_ok_and(|count| count == 0) {
                return;
            }
        }
    });
    let graded = grade_port(port, &["--only", "add-ok"]);
    check(&graded);
    assert!(
        graded.out.contains("no complete answer within 5 s"),
        "{}",
        graded.out
    );
}

/// A peer that joins and adds its RFCs as it should, and then attacks whoever downloads from it.
#[test]
fn upload_servers_that_attack() {
    let cases: [(Answer, &str); 6] = [
        (
            |stream| drop((thread::park(), stream)),
            "no answer within 5 s",
        ),
        (drop, "closed the connection without an answer"),
        (
            |mut stream| {
                let head = format!("P2P-CI/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", u64::MAX);
                let _ = stream.write_all(head.as_bytes());
                write_forever(stream, &[b'x'; 4096]);
            },
            "Content-Length is missing or invalid",
        ),
        (
            |stream| write_forever(stream, &[b'x'; 4096]),
            // Too long or too late: that depends on the machine.
            "expected:\n            P2P-CI/1.0 200 OK\\r\\n\n",
        ),
        (
            |stream| write_forever(stream, b"Name: value\r\n"),
            "expected:\n            P2P-CI/1.0 404 Not Found\\r\\n\n",
        ),
        (
            |mut stream| {
                let _ = stream.write_all(b"\x1b]0;owned\x07\x1b[2J\r\n");
                thread::park();
            },
            "\\u{1b}]0;owned\\u{7}\\u{1b}[2J",
        ),
    ];
    at_once(cases, |(attack, said)| {
        let graded = grade_one(&["--only", "get-ok,get-404"], move |port, lines| {
            Deviant::attack(attack, port, lines);
        });
        check(&graded);
        graded.says(&[said]);
    });
}

/// A peer that does what it should, and its own noise at the ports of the grader: bytes of no
/// meaning, a line without an end, requests without their answers being read, and silence.
#[test]
fn noise_at_the_ports_of_the_grader() {
    let graded = grade_one(&["--json"], |port, lines| {
        // The peer that joins first is the one that is graded.
        let mut noise = Vec::new();
        let lines = lines.inspect(|line| {
            if line.contains("menu of your peer: EXIT") {
                return noise.clear();
            }
            for bytes in [
                &[0xff_u8; 16 * 1024][..],
                &[b'x'; 16 * 1024],
                b"ADD RFC ",
                b"",
            ] {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.set_nonblocking(true).unwrap();
                // What does not fit, the grader has not read.
                let _ = stream.write(bytes);
                noise.push(stream);
            }
        });
        Deviant::run("", port, lines);
    });
    assert_eq!(graded.failed(), [""; 0], "{}", graded.out);
    assert!(graded.out.len() < 32 * 1024, "{}", graded.out.len());
}

/// A server without threads.
#[test]
fn the_one_that_serves_one_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut last = String::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let request = String::from_utf8_lossy(&buffer[..count]);
                let value = |name| request.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(rfc), Some(title)) = (value("ADD "), value("Title: ")) {
                    last = format!(
                        "P2P-CI/1.0 200 OK\r\n\r\n{} {title} {} {}\r\n\r\n",
                        rfc.trim_end_matches(" P2P-CI/1.0"),
                        value("Host: ").unwrap(),
                        value("Port: ").unwrap(),
                    );
                }
                let _ = stream.write_all(last.as_bytes());
            }
        }
    });
    let graded = grade_port(port, &["--only", "add-ok,lookup-records,concurrent"]);
    check(&graded);
    graded.says(&[
        "  ok    add-ok ",
        "an ADD failed: no answer within 5 s; the server serves one connection at a time",
        "        usual cause: the server serves one connection at a time",
    ]);
}
