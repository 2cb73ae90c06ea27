//! GET: one document, several, and into a file.

use std::fs;
use std::sync::{Arc, Barrier};

use super::{DNS, ICP, IPSEC, ask, stage};
use crate::support::{
    Program, dead_port, folder, names, peer_at_menu, peer_of, pretend, registered, server,
};

#[test]
fn get_prints_the_record_of_each_document_that_came() {
    let stage = stage();
    let (one, two) = (stage.one.port, stage.two.port);
    let to = stage.empty.path();
    let icp = format!("RFC 123 {ICP} localhost {two}\n");
    let dns = format!("RFC 2345 {DNS} localhost {one}\n");
    let got = stage.ask(&["get", "rfc123"]);
    assert_eq!((got.code, &got.out), (Some(0), &icp));
    let said = format!("RFC 123 is in {}/rfc123.txt (912 bytes)\n", to.display());
    assert_eq!(got.errors, said);
    assert_eq!(names(to), ["rfc123.txt"]);

    // An existing file is kept, and is only replaced on request.
    let kept = stage.ask(&["get", "123"]);
    assert_eq!((kept.code, kept.out.as_str()), (Some(0), ""));
    let path = to.join("rfc123.txt");
    let said = format!(
        "RFC 123 is already in {}; --force replaces it\n",
        path.display()
    );
    assert_eq!(kept.errors, said);
    fs::write(&path, "ours").unwrap();
    assert_eq!(stage.ask(&["-q", "get", "123"]).result(), "");
    assert_eq!(fs::read(&path).unwrap(), b"ours");
    assert_eq!(stage.ask(&["-q", "get", "--force", "123"]).result(), icp);
    assert_eq!(fs::metadata(&path).unwrap().len(), 912);

    // Ranges and several numbers, one at a time to get a known order.
    fs::remove_file(&path).unwrap();
    let got = stage.ask(&["-q", "get", "-j", "1", "2345", "122-123"]);
    assert_eq!((got.code, got.out), (Some(3), [&*icp, &*dns].concat()));
    assert_eq!(names(to), ["rfc123.txt", "rfc2345.txt"]);
    let got = stage.ask(&["-q", "get", "all"]);
    assert!(
        got.result()
            .starts_with(&format!("RFC 3457 {IPSEC} localhost "))
    );
    assert_eq!(got.out.lines().count(), 1);
    assert_eq!(names(to), ["rfc123.txt", "rfc2345.txt", "rfc3457.txt"]);
}

#[test]
fn get_into_a_file_or_standard_output_gives_the_very_bytes() {
    let server = server(&["-q"]);
    let binary: Vec<u8> = (0..=255)
        .cycle()
        .take(300_000)
        .chain(*b"\r\n\n\r")
        .collect();
    let theirs = folder(&[("rfc7.txt", &binary), ("rfc8.txt", b"")]);
    let holder = peer_at_menu("holder", server.port, theirs.path(), &["-q"]);
    let empty = folder(&[]);
    let record = format!("RFC 7 RFC 7 localhost {}\n", holder.port);

    let file = empty.path().join("some.bin");
    let into = ["get", "7", "-o", file.to_str().unwrap()];
    assert_eq!(ask(server.port, empty.path(), &into).result(), record);
    assert_eq!(fs::read(&file).unwrap(), binary);
    fs::write(&file, "before").unwrap();
    assert_eq!(ask(server.port, empty.path(), &into).result(), record);
    assert_eq!(fs::read(&file).unwrap(), binary);

    for (number, bytes) in [("7", &binary[..]), ("8", b"")] {
        let to_stdout = peer_of(server.port, empty.path(), &["get", "-o", "-", number]);
        let mut peer = Program::start("peer", to_stdout);
        assert!(peer.wait().0.success());
        assert!(peer.printed_bytes() == bytes);
        assert_eq!(peer.errors(), "");
    }
    // It did not go into the folder, and the index does not know about it.
    assert_eq!(names(empty.path()), ["some.bin"]);
}

#[test]
fn get_of_several_goes_on_after_a_failure_and_says_at_the_end_what_failed() {
    let stage = stage();
    let dead = dead_port();
    let _gone = registered(stage.server.port, 200, "Gone", dead);
    let get = ["get", "-j", "1", "123", "9", "200", "2345"];
    let ended = stage.ask(&get);
    assert_eq!(ended.code, Some(3));
    let (one, two) = (stage.one.port, stage.two.port);
    let records = format!("RFC 123 {ICP} localhost {two}\nRFC 2345 {DNS} localhost {one}\n");
    assert_eq!(ended.out, records);
    let last = "error: RFC 9 was not downloaded: nobody has RFC 9\n\
        error: RFC 200 was not downloaded: none of 1 peer(s) with RFC 200 could deliver it\n\
        error: 2 of 4 RFCs were not downloaded\n";
    assert!(ended.errors.ends_with(last), "{ended:?}");
    assert_eq!(names(stage.empty.path()), ["rfc123.txt", "rfc2345.txt"]);
    // The first failure determines the code.
    assert_eq!(stage.ask(&["get", "-j", "1", "200", "999"]).code, Some(5));
}

#[test]
fn downloads_run_at_once_and_are_spread_over_the_holders() {
    let server = server(&["-q"]);
    let empty = folder(&[]);
    // Neither answers before both were asked.
    let both = Arc::new(Barrier::new(2));
    let holders: Vec<_> = (0..2)
        .map(|_| {
            let both = Arc::clone(&both);
            let port = pretend(move |mut client| {
                client.head();
                both.wait();
                client.send("P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
            });
            (registered(server.port, 7, "Seven", port), port)
        })
        .collect();
    let ports: Vec<_> = holders.iter().map(|(_, port)| *port).collect();
    let mut clients: Vec<_> = holders.into_iter().map(|(client, _)| client).collect();
    for (client, port) in clients.iter_mut().zip(&ports) {
        client.add(8, "Eight", "127.0.0.1", *port);
    }
    let ended = ask(
        server.port,
        empty.path(),
        &["-q", "get", "-j", "2", "7", "8", "--json"],
    );
    let downloaded = &ended.json()["downloaded"];
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    let mut from: Vec<_> = (0..2)
        .map(|n| downloaded[n]["port"].as_u64().unwrap())
        .collect();
    let mut ports: Vec<_> = ports.into_iter().map(u64::from).collect();
    from.sort_unstable();
    ports.sort_unstable();
    assert_eq!(from, ports);
}
