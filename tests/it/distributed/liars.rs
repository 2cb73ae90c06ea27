//! Peers that say too much, and peers that ask for too much.

use std::net::TcpListener;

use super::{get, index, ok, pretended, registration_server, sharing};
use crate::support::{Client, Program, folder};

const INDEX: &str = "GET RFC-Index P2P-DI/1.0\r\nHost: localhost\r\n\r\n";

/// Registers a liar with so many MiB of records that nobody has.
fn liar(rs: &Program, host: &'static str, size: usize) {
    let title = "lies".repeat(256);
    pretended(rs, move |_, _| {
        let lines =
            (1..=1000 * size).map(|number| format!("RFC {number} 7200 {host} 5000 {title}\r\n"));
        let body: String = lines.collect();
        ok("", &body)
    });
}

/// A peer that shares RFC 1 and was told the indexes of everybody else.
fn victim(rs: &Program, folder: &tempfile::TempDir) -> Program {
    let mut victim = sharing(rs, folder.path(), &["-q"]);
    victim.answer(&["lookup 4000000000"]);
    victim
}

#[test]
fn two_liars_mute_nobody() {
    let rs = registration_server(&[]);
    pretended(&rs, |_, port| {
        let own = (1..=200).map(|number| format!("RFC {number} 7200 127.0.0.1 {port} Honest"));
        let hearsay = "RFC 999 3600 faraway.example 7000 Honest".to_owned();
        index(&own.chain([hearsay]).collect::<Vec<_>>())
    });
    liar(&rs, "liar1.example", 20);
    liar(&rs, "liar2.example", 20);
    let ours = folder(&[("rfc1.txt", b"one")]);
    let victim = victim(&rs, &ours);
    let mut client = Client::connect(victim.port);
    client.send(INDEX);
    let head = client.head();
    let body = String::from_utf8(client.rest()).unwrap();
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    assert!(head.contains(&format!("\r\nRecords: {}\r\n", body.lines().count())));
    assert!(body.len() < 32 * 1024 * 1024, "{}", body.len());
    let own = format!("RFC 1 7200 localhost {} RFC 1\r\n", victim.port);
    assert!(body.starts_with(&own), "our own records come first");
    let honest = body.lines().filter(|line| line.ends_with(" Honest"));
    assert_eq!(honest.count(), 201);
    if let Some(peak) = victim.peak_memory() {
        assert!(peak < 250, "{peak} MiB");
    }
}

/// It is asked first, and a GET tries sixteen holders.
#[test]
fn a_liar_who_names_a_hundred_holders_hides_nobody() {
    let rs = registration_server(&[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    pretended(&rs, move |_, _| {
        let lies = (1..=100).map(|host| format!("RFC 1 7200 127.0.1.{host} {port} Lies"));
        index(&lies.collect::<Vec<_>>())
    });
    let ours = folder(&[("rfc1.txt", b"one")]);
    let _honest = sharing(&rs, ours.path(), &["-q"]);
    let theirs = folder(&[]);
    let (code, errors) = get(&rs, theirs.path(), "1");
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(
        errors.matches("Failed from 127.0.1.").count(),
        4,
        "{errors}"
    );
}

#[test]
fn askers_who_hang_up_keep_nobody_waiting() {
    let rs = registration_server(&[]);
    liar(&rs, "liar.example", 16);
    let ours = folder(&[("rfc1.txt", b"one")]);
    let victim = victim(&rs, &ours);
    for _ in 0..32 {
        Client::connect(victim.port).send(INDEX);
    }
    // It asks the victim for its index, with a deadline, and then for the file.
    let theirs = folder(&[]);
    let (code, errors) = get(&rs, theirs.path(), "1");
    assert_eq!(code, Some(0), "{errors}");
    if let Some(peak) = victim.peak_memory() {
        assert!(peak < 250, "{peak} MiB");
    }
}

#[test]
fn an_asker_who_reads_late_gets_every_page() {
    let rs = registration_server(&[]);
    liar(&rs, "liar.example", 16);
    let ours = folder(&[]);
    let victim = victim(&rs, &ours);
    let mut late: Vec<_> = (0..8).map(|_| Client::connect(victim.port)).collect();
    for client in &mut late {
        client.send(INDEX);
    }
    let mut bodies = late.iter_mut().map(|client| {
        client.head();
        client.rest()
    });
    let first = bodies.next().unwrap();
    assert!(first.len() > 10 * 1024 * 1024, "{}", first.len());
    let count = |body: &[u8]| body.split(|&byte| byte == b'\n').count();
    // The times to live may differ.
    assert!(bodies.all(|body| count(&body) == count(&first)));
    if let Some(peak) = victim.peak_memory() {
        assert!(peak < 250, "{peak} MiB");
    }
}

#[test]
fn made_up_holders_fill_no_memory() {
    let rs = registration_server(&[]);
    pretended(&rs, |_, _| {
        let line = |n: u32| format!("RFC 7 7200 h{n}.example 5555 \r\n");
        ok("", &(0..400_000).map(line).collect::<String>())
    });
    let ours = folder(&[]);
    let victim = victim(&rs, &ours);
    if let Some(peak) = victim.peak_memory() {
        assert!(peak < 120, "{peak} MiB");
    }
}

#[test]
fn a_long_index_is_printed_in_part() {
    let rs = registration_server(&[]);
    let files: Vec<_> = (1..=203).map(|number| format!("rfc{number}.txt")).collect();
    let files: Vec<_> = files
        .iter()
        .map(|name| (name.as_str(), b"x".as_slice()))
        .collect();
    let ours = folder(&files);
    let mut peer = sharing(&rs, ours.path(), &[]);
    let mut client = Client::connect(peer.port);
    client.send(INDEX);
    assert!(client.head().contains("\r\nRecords: 203\r\n"));
    let lines = String::from_utf8(client.rest()).unwrap();
    assert_eq!(lines.lines().count(), 203);
    let printed = peer.expect("... and 3 more records\n");
    assert!(printed.contains(" RFC 200\n") && !printed.contains(" RFC 201\n"));
}
