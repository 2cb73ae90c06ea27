//! The distributed index in frames.

use serde_json::Value;

use super::Framed;
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{exchange, folder, peer_at_menu, server};

/// The body of a response, after checking its head.
#[track_caller]
fn body(response: &str) -> Value {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        head,
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len())
    );
    serde_json::from_str(body).unwrap()
}

#[track_caller]
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

const PEER_KEYS: [&str; 7] = [
    "active",
    "cookie",
    "hostname",
    "last_active_time",
    "port",
    "registration_count",
    "ttl",
];

#[test]
fn every_message_of_the_registration_server() {
    let server = server(&DISTRIBUTED);
    let mut vm = Framed::connect(server.port);
    let register = |host: &str, port: u16| {
        format!("register {host} HTTP/1.1\r\nport: {port}\r\nHost: {host}\r\nOS: T\r\nDate: x\r\n")
    };
    let cookie = |method: &str, cookie: u32| {
        format!("{method} vm HTTP/1.1\r\nPeer-Cookie: {cookie}\r\nHost: vm\r\n")
    };
    vm.send(register("vm", 1235));
    let object = body(&vm.receive());
    assert_eq!(keys(&object), PEER_KEYS);
    assert_eq!(object["hostname"], "vm");
    assert_eq!(
        (&object["cookie"], &object["port"]),
        (&1.into(), &1235.into())
    );
    assert!(object["last_active_time"].is_f64() && object["active"] == true);
    assert_eq!(
        (&object["ttl"], &object["registration_count"]),
        (&7200.into(), &1.into())
    );

    vm.send(cookie("pquery", 1));
    assert_eq!(
        vm.receive(),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    );
    // A peer that speaks text uses the same table.
    let text = "REGISTER Peer P2P-DI/1.0\r\nHost: tx\r\nPort: 9\r\nOS: T\r\n\r\n";
    assert!(exchange(server.port, text).contains("\r\nCookie: 2\r\n"));
    vm.send(cookie("PQuery", 1));
    let peers = body(&vm.receive());
    let other: Value = serde_json::from_str(peers[0].as_str().unwrap()).unwrap();
    assert_eq!(keys(&other), PEER_KEYS);
    assert_eq!(
        (&other["hostname"], &other["port"]),
        (&"tx".into(), &9.into())
    );
    let query = "PQUERY Peer-List P2P-DI/1.0\r\nHost: tx\r\nPort: 9\r\nCookie: 2\r\nOS: T\r\n\r\n";
    assert!(exchange(server.port, query).ends_with("\r\n\r\nPeer vm 1235 7200\r\n"));

    vm.says(&cookie("leave", 1), "HTTP/1.1 200 OK\r\n\r\n");
    assert!(exchange(server.port, query).starts_with("P2P-DI/1.0 404 No Active Peers\r\n"));
    // In frames any request activates again.
    vm.send(cookie("keepalive", 1));
    assert_eq!(body(&vm.receive())["active"], true);
    assert!(exchange(server.port, query).ends_with("\r\n\r\nPeer vm 1235 7200\r\n"));
    // A peer that registers again is recognized by its host and port.
    vm.send(register("vm", 1235));
    let again = body(&vm.receive());
    assert_eq!(
        (&again["cookie"], &again["registration_count"]),
        (&1.into(), &2.into())
    );

    for (wrong, answer) in [
        (cookie("leave", 0), "403 Forbidden"),
        (cookie("keepalive", 99), "403 Forbidden"),
        (cookie("dance", 1), "400 Bad Request"),
        ("register vm HTTP/1.1\r\n".to_owned(), "400 Bad Request"),
        ("LISTALL P2P-CI/1.0\nHOST: vm".to_owned(), "400 Bad Request"),
    ] {
        vm.says(&wrong, &format!("HTTP/1.1 {answer}\r\n\r\n"));
    }
}

#[test]
fn rfcquery_and_getrfc_of_a_peer() {
    let server = server(&DISTRIBUTED);
    let file = b"\x00\xff binary";
    let files = folder(&[("rfc48.txt", file)]);
    let holder = peer_at_menu("holder", server.port, files.path(), &DISTRIBUTED);
    let mut asker = Framed::connect(holder.port);
    asker.send("rfcquery vm HTTP/1.1\r\nHost: vm\r\n");
    let documents = body(&asker.receive());
    assert_eq!(keys(&documents[0]), ["hostname", "number", "path", "title"]);
    assert_eq!(
        (&documents[0]["number"], &documents[0]["path"]),
        (&48.into(), &"rfc48.txt".into())
    );
    asker.send("getrfc vm HTTP/1.1\r\nRFC-Number: 48\r\n");
    assert_eq!(body(&asker.receive())["path"], "rfc48.txt");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
    assert_eq!(
        asker.receive_bytes().unwrap(),
        [head.as_bytes(), file].concat()
    );
    asker.says(
        "getrfc vm HTTP/1.1\r\nRFC-Number: 49\r\n",
        "HTTP/1.1 403 Forbidden\r\n\r\n",
    );
}

/// A request for a document in one frame.
const GETRFC: &str = "getrfc vm HTTP/1.1\r\nRFC-Number: 48\r\n";

#[test]
fn the_hoarder_of_upload_slots_loses_them_to_newcomers() {
    let server = server(&DISTRIBUTED);
    let files = folder(&[("rfc48.txt", b"48")]);
    let options = [&DISTRIBUTED[..], &["--max-uploads", "4"]].concat();
    let holder = peer_at_menu("holder", server.port, files.path(), &options);
    let hoarder: Vec<_> = (0..4)
        .map(|_| {
            let mut slot = Framed::connect(holder.port);
            slot.send("rfcquery vm HTTP/1.1\r\nHost: vm\r\n");
            assert!(slot.receive().starts_with("HTTP/1.1 200 OK"));
            slot
        })
        .collect();
    for _ in 0..3 {
        let get = "GET RFC 48 P2P-CI/1.0\r\nHost: vm\r\nOS: x\r\n\r\n";
        let answer = exchange(holder.port, get);
        assert!(answer.starts_with("P2P-CI/1.0 200 OK\r\n"), "{answer}");
    }
    drop(hoarder);
}

#[test]
fn those_who_hang_up_do_not_spend_the_upload_rate() {
    let server = server(&DISTRIBUTED);
    let large = b"48".repeat(450_000);
    let files = folder(&[("rfc48.txt", &large), ("rfc1.txt", b"one")]);
    // At this rate one large document takes longer than a test is patient.
    let options = [&DISTRIBUTED[..], &["--upload-rate", "30KB/s"]].concat();
    let holder = peer_at_menu("holder", server.port, files.path(), &options);
    for _ in 0..30 {
        let mut gone = Framed::connect(holder.port);
        gone.send(GETRFC);
    }
    let mut honest = Framed::connect(holder.port);
    honest.send(GETRFC.replace("48", "1"));
    assert_eq!(body(&honest.receive())["number"], 1);
    assert!(honest.receive().ends_with("\r\n\r\none"));
}
