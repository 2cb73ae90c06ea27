//! Where the output of commands goes: transcripts, pipes, full disks.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{ICP, ask, stage};
use crate::support::{Program, folder, peer_at_menu, peer_of, pretend, samples, server};

fn printing_to(out: impl Into<Stdio>) -> [Stdio; 3] {
    [Stdio::piped(), out.into(), Stdio::piped()]
}

#[test]
fn a_transcript_that_can_not_be_written_whole_is_said_with_its_name() {
    let stage = stage();
    let full = stage.ask(&["--transcript", "/dev/full", "lookup", "123"]);
    assert_eq!(full.code, Some(1));
    let error = "error: could not write everything to /dev/full\n";
    assert!(full.errors.ends_with(error), "{}", full.errors);
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error() {
    let stage = stage();
    let folder = folder(&[]);
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let unread = stage.ask(&["get", "-o", pipe.to_str().unwrap(), "123"]);
    assert_eq!(unread.code, Some(1));
    assert!(
        unread.errors.contains("pipe: it has no reader\n"),
        "{}",
        unread.errors
    );
}

#[test]
fn messages_are_printed_where_they_are_wanted() {
    let stage = stage();
    let printed = stage.ask(&["--print-messages", "lookup", "123"]);
    let out = printed.result();
    assert!(
        out.starts_with("[UPLOAD] Upload server listening on port "),
        "{out}"
    );
    assert!(out.contains("[PEER] Sending:\nLOOKUP RFC 123 P2P-CI/1.0\nHost: localhost\nPort: "));
    let record = format!("RFC 123 {ICP} localhost {}\n", stage.two.port);
    let response = format!("[PEER] Response:\nP2P-CI/1.0 200 OK\n\n{record}\n");
    assert!(out.contains(&response), "{out}");
    // One in the message, and one as the result.
    assert_eq!(out.matches(&record).count(), 2, "{out}");
    assert!(out.ends_with("[PEER] Disconnecting...\n"), "{out}");
    for both in [
        &["list", "--json", "--print-messages"][..],
        &["--print-messages", "list", "--json"],
    ] {
        let wrong = stage.ask(both);
        assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""), "{both:?}");
    }
}

#[test]
fn a_transcript_has_every_message_in_every_mode_and_grows() {
    let logs = folder(&[("peer.txt", b"before\n")]);
    let file = |name: &str| logs.path().join(name).to_str().unwrap().to_owned();
    let (of_server, of_peer) = (file("server.txt"), file("peer.txt"));
    let mut server = server(&["-q", "--transcript", &of_server]);
    let samples = samples();
    let quiet = ["-q", "--transcript", &of_peer];
    let mut peer = peer_at_menu("peer", server.port, samples.path(), &quiet);
    peer.answer(&["list"]);
    peer.type_line("5");
    assert!(peer.wait().0.success());
    let menu = fs::read_to_string(&of_peer).unwrap();
    let (run, of_menu) = menu
        .split_once("\n[UPLOAD] Upload server listening on port ")
        .unwrap();
    assert!(run.starts_with("before\n[RUN] 2"), "{menu}");
    assert!(
        run.contains(" peer ") && run.ends_with(&format!(" -q --transcript {of_peer}")),
        "{run}"
    );
    // The answer is there as a message, and not again as lines.
    assert_eq!(of_menu.matches("\nRFC 2345 ").count(), 2, "{of_menu}");
    assert!(
        menu.contains("\nChoice: list\n[PEER] Sending:\nLIST ALL P2P-CI/1.0\n"),
        "{menu}"
    );
    assert!(
        menu.ends_with("\nChoice: 5\n[PEER] Disconnecting...\n"),
        "{menu}"
    );
    assert!(!peer.printed().contains("LIST ALL"));

    let add = ["-q", "--transcript", &of_peer, "add", "2345"];
    let added = ask(server.port, samples.path(), &add);
    assert!(added.result().starts_with("RFC 2345 "));
    let both = fs::read_to_string(&of_peer).unwrap();
    let of_add = both.strip_prefix(&menu).expect("it is appended");
    assert!(of_add.starts_with("[RUN] 2"), "{of_add}");
    assert!(
        of_add.contains("[PEER] Sending:\nADD RFC 2345 P2P-CI/1.0\n"),
        "{of_add}"
    );
    assert!(
        of_add.contains("[PEER] Response:\nP2P-CI/1.0 200 OK\n"),
        "{of_add}"
    );

    server.signal(Signal::TERM);
    let (status, out) = server.wait();
    assert!(status.success());
    assert!(!out.contains("P2P-CI/1.0"), "{out}");
    let all = fs::read_to_string(&of_server).unwrap();
    assert!(
        all.contains(":\nLIST ALL P2P-CI/1.0\nHost: localhost\n"),
        "{all}"
    );
    assert!(all.ends_with("[SERVER] Stopped.\n"), "{all}");
    assert!(!all.contains('\u{1b}') && !all.contains('\r'));

    let nowhere = logs.path().join("no/where.txt");
    let failed = ask(
        server.port,
        samples.path(),
        &["--transcript", nowhere.to_str().unwrap(), "list"],
    );
    assert_eq!(failed.code, Some(1));
    let error = format!("error: cannot write {}: ", nowhere.display());
    assert!(failed.errors.starts_with(&error), "{failed:?}");
}

#[test]
fn a_reader_that_closes_early_is_not_a_failure() {
    let title = "A title of some length that fills a pipe in no time ".repeat(15);
    // More than any pipe holds.
    let records: String = (1..=3000)
        .map(|n| format!("RFC {n} {title} vm 5\r\n"))
        .collect();
    let index = pretend(move |mut client| {
        client.head();
        client.send(format!("P2P-CI/1.0 200 OK\r\n\r\n{records}\r\n"));
        client.rest();
    });
    let empty = folder(&[]);
    for format in [&["list"][..], &["list", "--json"]] {
        let (ours, theirs) = std::io::pipe().unwrap();
        let list = peer_of(index, empty.path(), format);
        let mut peer = Program::start_at("peer", list, printing_to(theirs));
        let mut reader = BufReader::new(ours);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("RFC 1 A title") || line == "{\n", "{line}");
        drop(reader);
        assert_eq!(peer.wait().0.code(), Some(0), "{format:?}");
        assert_eq!(peer.errors(), "");
    }
}

#[test]
fn a_full_disk_is_code_1_and_says_so() {
    let stage = stage();
    for asked in [
        &["list"][..],
        &["list", "--json"],
        &["get", "123", "-o", "-"],
        &["get", "123"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let asking = peer_of(stage.server.port, stage.empty.path(), asked);
        let mut peer = Program::start_at("peer", asking, printing_to(full));
        assert_eq!(peer.wait().0.code(), Some(1), "{asked:?}");
        peer.expect_error("No space left on device (os error 28)\n");
        peer.expect_error("error: cannot write ");
    }
}
