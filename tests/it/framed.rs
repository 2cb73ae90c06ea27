//! The length-prefixed dialects: existing systems connect, and it works.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::support::{
    Client, PATIENCE, Program, exchange, folder, peer, peer_at_menu, peer_command, pretend, run,
    server,
};

/// A frame around this.
fn framed(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut frame = format!("{:<10}", content.len()).into_bytes();
    frame.extend_from_slice(content);
    frame
}

/// A program of the other systems, which speaks frames.
struct Framed(TcpStream);

impl Framed {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn send(&mut self, content: impl AsRef<[u8]>) {
        self.0.write_all(&framed(content)).unwrap();
    }

    /// The next frame; `None` at the end.
    fn receive_bytes(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 10];
        if self.0.read(&mut length[..1]).unwrap() == 0 {
            return None;
        }
        self.0.read_exact(&mut length[1..]).unwrap();
        let length: usize = str::from_utf8(&length).unwrap().trim_end().parse().unwrap();
        let mut content = vec![0; length];
        self.0.read_exact(&mut content).unwrap();
        Some(content)
    }

    fn receive(&mut self) -> String {
        String::from_utf8(self.receive_bytes().expect("a frame comes")).unwrap()
    }

    #[track_caller]
    fn says(&mut self, request: &str, response: &str) {
        self.send(request);
        assert_eq!(self.receive(), response);
    }

    fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0; 1]).is_ok_and(|count| count == 0)
    }
}

#[test]
fn every_message_of_the_central_index() {
    let server = server(&[]);
    let mut vm = Framed::connect(server.port);
    vm.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 404 NOT FOUND",
    );
    vm.says(
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Some title",
        "P2P-CI/1.0 200 OK\nRFC 5 Some title vm 1234",
    );
    vm.says(
        "ADD RFC 6 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Another: one",
        "P2P-CI/1.0 200 OK\nRFC 6 Another: one vm 1234",
    );
    for title in ["", "Some title"] {
        vm.says(
            &format!("LOOKUP RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: {title}"),
            "P2P-CI/1.0 200 OK\nRFC 5 Some title vm 1234",
        );
    }
    // In frames a title that is given must match too.
    vm.says(
        "LOOKUP RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Some",
        "P2P-CI/1.0 404 NOT FOUND",
    );
    vm.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 200 OK\nRFC 6 Another: one vm 1234\nRFC 5 Some title vm 1234",
    );
    vm.says(
        "ADD RFC 7 P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 400 BAD REQUEST",
    );
    vm.says(
        "ADD RFC 7 P2P-CI/2.0\nHOST: vm\nPORT: 1234\nTITLE: x",
        "P2P-CI/1.0 505 P2P-CI VERSION NOT SUPPORTED",
    );
    vm.says(
        "DEL P2P-CI/1.0\nHOST: other\nPORT: 1",
        "P2P-CI/1.0 400 BAD REQUEST",
    );
    vm.says(
        "DEL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 200 OK\nvm 1234\nRFC 6 Another: one vm 1234\nRFC 5 Some title vm 1234",
    );
    vm.says(
        "DEL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 404 NOT FOUND",
    );
    vm.says(
        "ADD RFC 8 P2P-CI/1.0\nHOST: vm\nPORT: 9\nTITLE: Back again",
        "P2P-CI/1.0 200 OK\nRFC 8 Back again vm 9",
    );
}

#[test]
fn what_one_adds_all_see() {
    let server = server(&[]);
    let mut vm = Framed::connect(server.port);
    vm.says(
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: In frames",
        "P2P-CI/1.0 200 OK\nRFC 5 In frames vm 1234",
    );
    let mut text = Client::connect(server.port);
    text.send("ADD RFC 6 P2P-CI/1.0\r\nHost: tx\r\nPort: 1\r\nTitle: In text\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 In text tx 1\r\n\r\n");
    text.send("LIST ALL P2P-CI/1.0\r\nHost: tx\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 In text tx 1\r\nRFC 5 In frames vm 1234\r\n\r\n");
    vm.says(
        "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1234",
        "P2P-CI/1.0 200 OK\nRFC 6 In text tx 1\nRFC 5 In frames vm 1234",
    );
}

#[test]
fn text_understands_listall_del_and_close() {
    let server = server(&[]);
    let mut text = Client::connect(server.port);
    for number in [5, 6] {
        text.send(format!(
            "ADD RFC {number} P2P-CI/1.0\r\nHost: tx\r\nPort: 1\r\nTitle: T\r\n\r\n"
        ));
        text.receive(&format!(
            "P2P-CI/1.0 200 OK\r\n\r\nRFC {number} T tx 1\r\n\r\n"
        ));
    }
    text.send("LISTALL P2P-CI/1.0\r\nHost: tx\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 T tx 1\r\nRFC 5 T tx 1\r\n\r\n");
    text.send("DEL P2P-CI/1.0\r\nHost: tx\r\nPort: 1\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 6 T tx 1\r\nRFC 5 T tx 1\r\n\r\n");
    text.send("LIST ALL P2P-CI/1.0\r\nHost: tx\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    text.send("CLOSE P2P-CI/1.0\r\n\r\n");
    text.receive("P2P-CI/1.0 200 OK\r\n\r\n\r\n");
    assert_eq!(text.rest(), b"");
}

#[test]
fn frames_come_in_any_pieces() {
    let server = server(&[]);
    let add = |number: u32| {
        framed(format!(
            "ADD RFC {number} P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: T"
        ))
    };
    let answer = |number: u32| format!("P2P-CI/1.0 200 OK\nRFC {number} T vm 1234");
    let mut vm = Framed::connect(server.port);
    for byte in add(1) {
        vm.0.write_all(&[byte]).unwrap();
    }
    assert_eq!(vm.receive(), answer(1));
    vm.0.write_all(&[add(2), add(3), add(4)].concat()).unwrap();
    for number in 2..5 {
        assert_eq!(vm.receive(), answer(number));
    }
    let two = [add(5), add(6)].concat();
    for cut in [1, 9, 10, 11, 40, two.len() - 1] {
        let (one, other) = two.split_at(cut);
        vm.0.write_all(one).unwrap();
        vm.0.flush().unwrap();
        vm.0.write_all(other).unwrap();
        assert_eq!([vm.receive(), vm.receive()], [answer(5), answer(6)]);
    }
}

#[test]
fn attackers_with_frames_are_answered_and_closed() {
    let server = server(&["--request-time", "1"]);
    for wrong in [
        "5x        ",
        "9999999999",
        "1048577   ",
        "10000     ",
        "1         ",
    ] {
        let mut attacker = Framed::connect(server.port);
        attacker.0.write_all(wrong.as_bytes()).unwrap();
        assert_eq!(
            attacker.receive(),
            "P2P-CI/1.0 400 BAD REQUEST",
            "{wrong:?}"
        );
        assert!(attacker.is_closed(), "{wrong:?}");
    }
    // Half a message in a frame is one wrong request, and so are two messages in one.
    let mut vm = Framed::connect(server.port);
    for wrong in [
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm",
        "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1\nTITLE: T\nADD RFC 6 P2P-CI/1.0\nHOST: vm\nPORT: 1\nTITLE: T",
        "",
        "\n\n",
        "register vm HTTP/1.1\r\nport: 5\r\n",
    ] {
        vm.says(wrong, "P2P-CI/1.0 400 BAD REQUEST");
    }
    vm.says("LISTALL P2P-CI/1.0\nHOST: vm", "P2P-CI/1.0 404 NOT FOUND");
}

#[test]
fn a_request_without_its_empty_line_is_answered_and_a_slow_client_loses_nothing() {
    let server = server(&[]);
    let mut lazy = Client::connect(server.port);
    lazy.send("ADD RFC 5 P2P-CI/1.0\nHost: vm\nPort: 1\nTitle: T\n");
    lazy.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 T vm 1\r\n\r\n");
    lazy.send("LIST ALL P2P-CI/1.0\nHost: vm\n");
    lazy.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 T vm 1\r\n\r\n");
    // The rest of that request comes after its answer.
    lazy.send("Port: 1\n\nLOOKUP RFC 5 P2P-CI/1.0\nHost: vm\n\n");
    lazy.receive("P2P-CI/1.0 200 OK\r\n\r\nRFC 5 T vm 1\r\n\r\n");
    let files = folder(&[("rfc5.txt", b"five")]);
    let holder = peer_at_menu("holder", server.port, files.path(), &[]);
    let mut lazy = Client::connect(holder.port);
    lazy.send("GET RFC 5 P2P-CI/1.0\nHost: localhost\n");
    assert!(lazy.head().starts_with("P2P-CI/1.0 200 OK\r\n"));
    assert_eq!(lazy.rest(), b"five");
}

#[test]
fn an_upload_in_frames_is_a_head_and_the_file_in_small_frames() {
    let server = server(&[]);
    let file: Vec<u8> = (0..=255).cycle().take(2500).collect();
    let files = folder(&[("rfc5.txt", &file), ("rfc6.txt", b"")]);
    let holder = peer_at_menu("holder", server.port, files.path(), &[]);
    let get = |number: u32| {
        let mut asker = Framed::connect(holder.port);
        asker.send(format!(
            "GET RFC {number} P2P-CI/1.0\nHOST: localhost\nPORT: 1\nOS: Test"
        ));
        let head = asker.receive();
        let mut frames = Vec::new();
        while let Some(frame) = asker.receive_bytes() {
            frames.push(frame);
        }
        (head, frames)
    };
    let (head, frames) = get(5);
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[0], "P2P-CI/1.0 200 OK");
    let names: Vec<_> = lines[1..]
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "DATE",
            "OS",
            "LAST-MODIFIED",
            "CONTENT-LENGTH",
            "CONTENT-TYPE"
        ]
    );
    assert_eq!(
        lines[4..],
        ["CONTENT-LENGTH: 2500", "CONTENT-TYPE: text/plain"]
    );
    let lengths: Vec<_> = frames.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1024, 1024, 452]);
    assert_eq!(frames.concat(), file);
    assert_eq!(get(6).1.concat(), b"");
    assert_eq!(get(7), ("P2P-CI/1.0 404 NOT FOUND".to_owned(), Vec::new()));
}

/// A registration server and its port.
fn registration_server() -> (Program, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("peers.json");
    let server = server(&["--index", "distributed", "--state", file.to_str().unwrap()]);
    (server, state)
}

/// The body of a response, after its head is checked.
#[track_caller]
fn body(response: &str) -> serde_json::Value {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        head,
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len())
    );
    serde_json::from_str(body).unwrap()
}

#[track_caller]
fn keys(object: &serde_json::Value) -> Vec<&str> {
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
    let (server, _state) = registration_server();
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
    // Beside it a peer that speaks text, on one table.
    let text = "REGISTER Peer P2P-DI/1.0\r\nHost: tx\r\nPort: 9\r\nOS: T\r\n\r\n";
    assert!(exchange(server.port, text).contains("\r\nCookie: 2\r\n"));
    vm.send(cookie("PQuery", 1));
    let peers = body(&vm.receive());
    let other: serde_json::Value = serde_json::from_str(peers[0].as_str().unwrap()).unwrap();
    assert_eq!(keys(&other), PEER_KEYS);
    assert_eq!(
        (&other["hostname"], &other["port"]),
        (&"tx".into(), &9.into())
    );
    let query = "PQUERY Peer-List P2P-DI/1.0\r\nHost: tx\r\nPort: 9\r\nCookie: 2\r\nOS: T\r\n\r\n";
    assert!(exchange(server.port, query).ends_with("\r\n\r\nPeer vm 1235 7200\r\n"));

    vm.says(&cookie("leave", 1), "HTTP/1.1 200 OK\r\n\r\n");
    assert!(exchange(server.port, query).starts_with("P2P-DI/1.0 404 No Active Peers\r\n"));
    // In frames a sign of life activates again.
    vm.send(cookie("keepalive", 1));
    assert_eq!(body(&vm.receive())["active"], true);
    assert!(exchange(server.port, query).ends_with("\r\n\r\nPeer vm 1235 7200\r\n"));
    // A peer that registers again is known by its host and port.
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
    let (server, _state) = registration_server();
    let file = b"\x00\xff binary";
    let files = folder(&[("rfc48.txt", file)]);
    let options = ["--index", "distributed"];
    let holder = peer_at_menu("holder", server.port, files.path(), &options);
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

/// A peer that is told how to speak.
fn speaking(name: &str, server: u16, files: &Path, dialect: &str, index: &str) -> Program {
    let options = ["--dialect", dialect, "--index", index];
    peer_at_menu(name, server, files, &options)
}

#[test]
fn a_swarm_of_both_dialects_on_both_indexes() {
    let (registration, _state) = registration_server();
    let central = server(&[]);
    for (index, server) in [
        ("central", central.port),
        ("distributed", registration.port),
    ] {
        let folders = [b"in text".as_slice(), b"in frames", b"by itself"]
            .map(|text| folder(&[(&format!("rfc{}.txt", text.len()), text)]));
        let _text = speaking("text", server, folders[0].path(), "text", index);
        let mut framed = speaking("framed", server, folders[1].path(), "framed", index);
        let mut auto = speaking("auto", server, folders[2].path(), "auto", index);
        // "in text" is RFC 7, and "in frames" and "by itself" are RFC 9.
        let printed = framed.answer(&["get 7"]);
        assert!(
            printed.contains("rfc7.txt (7 bytes)\n"),
            "{index}: {printed}"
        );
        let printed = auto.answer(&["get 7"]);
        assert!(
            printed.contains("rfc7.txt (7 bytes)\n"),
            "{index}: {printed}"
        );
        for folder in &folders {
            assert_eq!(
                fs::read(folder.path().join("rfc7.txt")).unwrap(),
                b"in text"
            );
        }
        framed.type_line("5");
        let (status, printed) = framed.wait();
        assert!(status.success(), "{index}: {printed}");
        let goodbye = if index == "central" {
            "DEL P2P-CI/1.0\n"
        } else {
            "leave "
        };
        assert!(printed.contains(goodbye), "{index}: {printed}");
    }
}

/// An index of the other systems, which knows frames and nothing else: whoever speaks text to it
/// is closed, as one that takes ten bytes for a length does.
fn framed_index(records: &'static str) -> u16 {
    pretend(move |mut client: Client| {
        let mut first = [0; 10];
        if client
            .stream()
            .peek(&mut first)
            .is_ok_and(|count| count > 0)
            && !first[0].is_ascii_digit()
        {
            return;
        }
        let mut framed = Framed(client.stream().try_clone().unwrap());
        while let Some(request) = framed.receive_bytes() {
            let request = String::from_utf8(request).unwrap();
            let answer = match request.split(' ').next().unwrap() {
                "LOOKUP" | "LISTALL" | "ADD" => format!("P2P-CI/1.0 200 OK\n{records}"),
                _ => "P2P-CI/1.0 200 OK".to_owned(),
            };
            framed.send(answer);
        }
        let _ = client.rest();
    })
}

#[test]
fn a_system_that_knows_frames_alone_is_found_out_and_remembered() {
    let holder = pretend(|client: Client| {
        let mut framed = Framed(client.stream().try_clone().unwrap());
        let mut first = [0; 1];
        if client
            .stream()
            .peek(&mut first)
            .is_ok_and(|count| count > 0)
            && first[0] == b'G'
        {
            return;
        }
        let request = framed.receive();
        assert!(
            request.starts_with("GET RFC 5 P2P-CI/1.0\nHOST: 127.0.0.1\nPORT: "),
            "{request}"
        );
        framed.send("P2P-CI/1.0 200 OK\nCONTENT-LENGTH: 1500\nCONTENT-TYPE: text/plain");
        framed.send([b'x'; 1024]);
        framed.send([b'y'; 476]);
    });
    let records = format!("RFC 5 Five 127.0.0.1 {holder}");
    let index = framed_index(Box::leak(records.into_boxed_str()));
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index, files.path(), &[]);
    let printed = peer.answer(&["get 5"]);
    assert!(printed.contains("rfc5.txt (1500 bytes)\n"), "{printed}");
    let file = fs::read(files.path().join("rfc5.txt")).unwrap();
    assert_eq!(file, [[b'x'; 1024].as_slice(), &[b'y'; 476]].concat());
    // Text was tried once with each of the two.
    let printed = peer.printed();
    assert_eq!(
        printed.matches("\nLOOKUP RFC 5 P2P-CI/1.0\nHost: ").count(),
        1,
        "{printed}"
    );
    assert_eq!(
        printed.matches("\nGET RFC 5 P2P-CI/1.0\nHost: ").count(),
        1,
        "{printed}"
    );
    let printed = peer.answer(&["3"]);
    assert!(!printed.contains("LIST ALL"), "{printed}");
}

#[test]
fn a_holder_of_empty_frames_is_given_up() {
    let holder = pretend(|client: Client| {
        let mut framed = Framed(client.stream().try_clone().unwrap());
        framed.receive();
        framed.send("P2P-CI/1.0 200 OK\nCONTENT-LENGTH: 1500");
        let empty = b"0         ";
        while framed.0.write_all(empty).is_ok() {}
    });
    let index = server(&[]);
    let mut registered = Client::connect(index.port);
    registered.send(format!(
        "ADD RFC 5 P2P-CI/1.0\r\nHost: 127.0.0.1\r\nPort: {holder}\r\nTitle: T\r\n\r\n"
    ));
    registered.head();
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index.port, files.path(), &["--dialect", "framed"]);
    let printed = peer.answer(&["get 5"]);
    assert!(printed.contains(": it sent 0 of 1500 bytes\n"), "{printed}");
}

#[test]
fn what_is_told_to_be_text_is_not_tried_in_frames() {
    let index = framed_index("");
    let files = folder(&[]);
    let host = format!("127.0.0.1:{index}");
    let dir = files.path().to_str().unwrap();
    let options = ["--host", &host, "--dir", dir, "--dialect", "text", "list"];
    let (status, out, errors) = run("peer", peer_command(&options));
    assert_eq!((status.code(), out.as_str()), (Some(4), ""), "{errors}");
    let options = ["--host", &host, "--dir", dir, "list"];
    let (status, _, errors) = run("peer", peer_command(&options));
    assert_eq!(status.code(), Some(0), "{errors}");
}

#[test]
fn a_framed_peer_that_is_away_and_back_is_registered_in_frames_again() {
    let before = server(&[]);
    let files = folder(&[("rfc5.txt", b"five")]);
    let mut framed = peer(
        "framed",
        before.port,
        files.path(),
        &["--dialect", "framed"],
    );
    framed.expect("Choice: ");
    let port = before.port;
    drop(before);
    framed.expect("Sharing goes on");
    let mut after = crate::support::server_at(port);
    framed.expect("again, registered 1 of 1 RFC(s)\n");
    after.expect("ADD RFC 5 P2P-CI/1.0\nHOST: localhost\n");
}

/// A registration server or peer of the other systems: frames, with answers by the first word of a
/// request. Whoever speaks text to it is closed.
fn framed_system(answer: impl Fn(&str) -> Vec<Vec<u8>> + Send + 'static) -> u16 {
    pretend(move |client: Client| {
        let mut first = [0; 1];
        let is_text = client.stream().peek(&mut first).is_ok() && !first[0].is_ascii_digit();
        if is_text {
            return;
        }
        let mut framed = Framed(client.stream().try_clone().unwrap());
        while let Some(request) = framed.receive_bytes() {
            let request = String::from_utf8(request).unwrap();
            for frame in answer(request.split(' ').next().unwrap()) {
                framed.send(frame);
            }
        }
    })
}

/// A response with a body, as those systems write it.
fn http(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn a_distributed_system_that_knows_frames_alone_is_joined() {
    let holder = framed_system(|method| match method {
        "rfcquery" => {
            let documents =
                r#"[{"number": 48, "title": "In frames", "hostname": "127.0.0.1", "path": "x"}]"#;
            vec![http(documents.as_bytes())]
        }
        "getrfc" => vec![http(b"{}"), http(b"forty-eight")],
        _ => vec![b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec()],
    });
    // Its cookies are counted from 0.
    let peer = move |port: u16| {
        format!(
            "{{\"hostname\": \"127.0.0.1\", \"cookie\": 0, \"port\": {port}, \"last_active_time\": 1.0, \
             \"registration_count\": 1, \"active\": true, \"ttl\": 7200}}"
        )
    };
    let rs = framed_system(move |method| match method {
        "register" | "keepalive" => vec![http(peer(1).as_bytes())],
        "pquery" => {
            let encoded = serde_json::to_string(&[peer(holder)]).unwrap();
            vec![http(encoded.as_bytes())]
        }
        _ => vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()],
    });
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", rs, files.path(), &["--index", "distributed"]);
    let printed = peer.answer(&["get 48"]);
    assert!(printed.contains("rfc48.txt (11 bytes)\n"), "{printed}");
    assert_eq!(
        fs::read(files.path().join("rfc48.txt")).unwrap(),
        b"forty-eight"
    );
    peer.type_line("5");
    let (status, printed) = peer.wait();
    assert!(status.success());
    assert!(
        printed.contains("leave localhost HTTP/1.1\nPeer-Cookie: 0\n"),
        "{printed}"
    );
}
