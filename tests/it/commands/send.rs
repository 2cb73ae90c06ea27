//! `peer send`: a request as it is typed, and what comes back.

use std::sync::mpsc;

use rustix::process::Signal;

use super::{Ended, ended};
use crate::support::{
    BAD, Program, dead_port, folder, peer, peer_command, pretend, samples, server,
};

const BLAH: [&str; 2] = ["BLAH RFC 123 P2P-CI/1.0", "Host: localhost"];

fn send(port: u16, arguments: &[&str]) -> Ended {
    let host = format!("localhost:{port}");
    ended(peer_command(
        &[&["send", "--host", &host], arguments].concat(),
    ))
}

/// Scenarios 6 and 7, with both kinds of programs that answer.
#[test]
fn a_wrong_request_and_its_answer_are_printed_as_they_stand_on_the_wire() {
    let (server, samples) = (server(&[]), samples());
    let mut peer = peer("peer", server.port, samples.path(), &["share"]);
    peer.expect("Connected to server at port ");
    let newer = ["GET RFC 123 P2P-CI/2.0", "Host: localhost", "OS: Mac"];
    for (request, answer) in [
        (&BLAH[..], "400 Bad Request\n\n"),
        (&newer, "505 P2P-CI Version Not Supported\n\n"),
    ] {
        let sent = format!("[PEER] Sending:\n{}\n\n", request.join("\n"));
        let answer = format!("[PEER] Response:\nP2P-CI/1.0 {answer}");
        let to_server = send(server.port, request);
        assert_eq!(to_server.result(), format!("{sent}{answer}\n"));
        // The head of an answer of a peer ends with one empty line.
        let to_peer = send(peer.port, request);
        assert_eq!(to_peer.result(), format!("{sent}{answer}"));
    }
    let found = send(
        server.port,
        &["LOOKUP RFC 2345 P2P-CI/1.0", "Host: localhost"],
    );
    let record = format!("Retrieval localhost {}\n\n", peer.port);
    assert!(found.result().ends_with(&record), "{found:?}");
}

#[test]
fn a_quiet_send_prints_the_bytes_of_the_answer_alone() {
    let (server, folder) = (server(&[]), folder(&[]));
    let quiet = send(server.port, &[&["-q"], &BLAH[..]].concat());
    assert_eq!(quiet.result(), BAD);
    let file = folder.path().join("transcript.txt");
    let saved = ["-q", "--transcript", file.to_str().unwrap()];
    assert_eq!(
        send(server.port, &[&saved, &BLAH[..]].concat()).result(),
        BAD
    );
    let transcript = std::fs::read_to_string(file).unwrap();
    let expected = format!(
        "[PEER] Sending:\n{}\n\n[PEER] Response:\n{}",
        BLAH.join("\n"),
        BAD.replace('\r', "")
    );
    assert!(transcript.ends_with(&expected), "{transcript}");
}

#[test]
fn the_empty_line_is_added_unless_the_request_is_raw() {
    for (arguments, sent) in [
        (&["a", "b: c"][..], &b"a\r\nb: c\r\n\r\n"[..]),
        (&["--raw", "a", "b: c"], b"a\r\nb: c\r\n"),
        (&["--raw", "a", ""], b"a\r\n\r\n"),
    ] {
        let (said, came) = mpsc::channel();
        let other = pretend(move |mut client| {
            said.send(client.rest()).unwrap();
            client.send("any answer");
        });
        let answered = send(other, arguments);
        assert!(
            answered.result().ends_with("Response:\nany answer\n"),
            "{answered:?}"
        );
        assert_eq!(came.recv().unwrap(), sent, "{arguments:?}");
    }
}

#[test]
fn an_answer_is_shown_even_if_the_other_side_does_not_close() {
    let (done, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let other = pretend(move |mut client| {
        client.send("P2P-CI/1.0 200 OK\r\n\r\n");
        let _ = wait.lock().unwrap().recv();
    });
    assert!(
        send(other, &["x"])
            .result()
            .ends_with("P2P-CI/1.0 200 OK\n\n")
    );
    drop(done);
}

#[test]
fn no_answer_is_code_4() {
    let dead = dead_port();
    let failed = send(dead, &["x"]);
    assert_eq!((failed.code, failed.out.as_str()), (Some(4), ""));
    let error = format!("error: cannot connect to localhost:{dead}: Connection refused");
    assert!(failed.errors.starts_with(&error), "{failed:?}");

    let silent = pretend(|mut client| drop(client.rest()));
    let failed = send(silent, &["x"]);
    assert_eq!(failed.code, Some(4));
    let error = format!(
        "error: no answer from localhost:{silent}: it closed the connection without an answer\n"
    );
    assert_eq!(failed.errors, error);

    let (held, connected) = mpsc::channel();
    let hanging = pretend(move |client| held.send(client).unwrap());
    let host = format!("localhost:{hanging}");
    let mut waiting = Program::start("peer", peer_command(&["send", "--host", &host, "x"]));
    let _connection = connected.recv().unwrap();
    waiting.signal(Signal::INT);
    assert_eq!(waiting.wait().0.code(), Some(130));
}
