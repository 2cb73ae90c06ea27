//! The live stream: a snapshot, then what changes.

use std::net::{SocketAddr, TcpStream};

use serde_json::json;
use socket2::{Domain, SockRef, Socket, Type};

use super::{Shown, Stream};
use crate::support::{Client, server_command, started_server};

#[test]
fn a_stream_begins_with_a_snapshot_and_goes_on_with_changes() {
    let server = Shown::server(&[]);
    let mut peer = Client::connect(server.program.port);
    peer.add(5, "Five", "vm", 9);
    let mut stream = server.watch("");
    let snapshot = stream.expect("snapshot");
    assert_eq!(snapshot["program"], "server");
    assert_eq!(snapshot["kind"], "central");
    assert_eq!(
        snapshot["name"],
        format!("localhost:{}", server.program.port)
    );
    assert_eq!(snapshot["peers"][0]["name"], "vm:9");
    assert_eq!(snapshot["peers"][0]["records"], 1);
    assert_eq!(snapshot["counts"]["records"], 1);

    peer.add(6, "Six", "vm", 9);
    let is_six = |message: &serde_json::Value| message["line"] == "ADD RFC 6 P2P-CI/1.0";
    let message = stream.find("message", is_six);
    assert_eq!(
        (&message["bad"], &message["more"]),
        (&json!(false), &json!(0))
    );
    let record = json!({"number": 6, "title": "Six", "host": "vm", "port": 9});
    let added = json!({"record": record, "added": true});
    assert_eq!(
        stream.find("record", |event| event["record"]["number"] == 6),
        added
    );
    assert_eq!(
        stream.find("peer", |event| event["peer"]["records"] == 2)["peer"]["name"],
        "vm:9"
    );

    peer.send("DEL RFC 6 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\n\r\n");
    peer.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 Six vm 9\r\n\r\n");
    let removed = json!({"record": record, "added": false});
    assert_eq!(
        stream.find("record", |event| event["added"] == false),
        removed
    );
    let counts = stream.find("counts", |counts| counts["requests"] == 3);
    assert_eq!(
        (&counts["peers"], &counts["records"]),
        (&json!(1), &json!(1))
    );

    drop(peer);
    let left = json!({"name": "vm:9", "why": "left", "records": 1});
    assert_eq!(stream.expect("left"), left);
}

#[test]
fn a_peer_whose_connection_fails_is_lost() {
    let server = Shown::server(&[]);
    let mut stream = server.watch("");
    stream.expect("snapshot");
    let mut peer = Client::connect(server.program.port);
    peer.add(5, "Five", "vm", 9);
    SockRef::from(peer.stream())
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    let lost = json!({"name": "vm:9", "why": "lost", "records": 1});
    assert_eq!(stream.expect("left"), lost);
}

#[test]
fn nothing_that_a_stranger_sends_begins_another_event() {
    let server = Shown::server(&[]);
    let mut stream = server.watch("");
    stream.expect("snapshot");
    let mut peer = Client::connect(server.program.port);
    let request = "ADD RFC 5 P2P-CI/1.0\r\ndata: {}\r\nevent: left\r\n\u{2028}\u{85}: x\r\n\r\n";
    peer.send(request);
    peer.head();
    // Each line of the stream has one of these forms; `Stream` checks that.
    let message = stream.expect("message");
    assert_eq!(
        (&message["text"], &message["bad"]),
        (&json!(request), &json!(true))
    );
}

#[test]
fn a_snapshot_of_long_messages_is_short() {
    let server = Shown::server(&["-q"]);
    let mut peer = Client::connect(server.program.port);
    // Control characters take six times their room in JSON.
    let long = "\u{1}".repeat(7000);
    let mut stream = server.watch("");
    stream.expect("snapshot");
    for turn in 0..20 {
        peer.send(format!("BLAH RFC {turn} P2P-CI/1.0\r\nX: {long}\r\n\r\n"));
        peer.head();
    }
    stream.find("message", |message| {
        message["text"]
            .as_str()
            .unwrap()
            .starts_with("BLAH RFC 19 ")
    });
    // One that is made later has it.
    let snapshot = loop {
        let snapshot = server.watch("").expect("snapshot");
        let messages = snapshot["messages"].as_array().unwrap();
        let is_last = |line: &str| line.starts_with("BLAH RFC 19 ");
        if messages
            .iter()
            .any(|it| is_last(it["line"].as_str().unwrap()))
        {
            break snapshot;
        }
    };
    let length = snapshot["messages"].to_string().len();
    assert!((100_000..300_000).contains(&length), "{length}");
    assert_eq!(server.json("/api/events").as_array().unwrap().len(), 40);
}

#[test]
fn one_that_does_not_read_loses_events_and_holds_up_nobody() {
    let server = Shown::server(&["-q"]);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    socket.connect(&address.into()).unwrap();
    let mut slow = Stream::over(Client::over(TcpStream::from(socket)), server.port, "");
    slow.expect("snapshot");
    let mut quick = server.watch("");
    quick.expect("snapshot");
    let mut peer = Client::connect(server.program.port);
    // Control characters take six times their room in JSON.
    let long = "\u{1}".repeat(7000);
    for turn in 0..100 {
        peer.send(format!(
            "BLAH RFC {turn} P2P-CI/1.0\r\nHost: vm\r\nX: {long}\r\n\r\n"
        ));
        peer.head();
        peer.head();
    }
    // Another one is told all the same, up to the end.
    quick.expect("message");
    quick.find("counts", |counts| counts["requests"] == 100);
    let gap = slow.expect("gap");
    assert!(gap["missed"].as_u64().unwrap() > 0, "{gap}");
    // It goes on where the others are.
    peer.send("LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    peer.head();
    slow.find("counts", |counts| counts["requests"] == 101);
    quick.find("counts", |counts| counts["requests"] == 101);
}

#[test]
fn a_stream_ends_with_the_server_and_begins_anew_with_the_next() {
    let mut server = Shown::server(&[]);
    let mut stream = server.watch("");
    stream.expect("snapshot");
    server.program.signal(rustix::process::Signal::TERM);
    assert!(server.program.wait().0.success());
    stream.0.rest();
    let (port, web) = (server.program.port.to_string(), server.port.to_string());
    let again = started_server(server_command(&["--port", &port, "--web", &web]));
    let again = Shown::of(again);
    assert_eq!(again.port, server.port);
    assert_eq!(again.watch("").expect("snapshot")["peers"], json!([]));
}
