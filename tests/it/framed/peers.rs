//! Peers that are told, or detect, which dialect others speak.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::Framed;
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{
    Program, folder, holder_that, peer_at_menu, peer_command, pretend, run, server, server_at,
};

/// A peer with a given dialect.
fn speaking(name: &str, server: u16, files: &Path, dialect: &str, index: &str) -> Program {
    let options = ["--dialect", dialect, "--index", index];
    peer_at_menu(name, server, files, &options)
}

#[test]
fn a_swarm_of_both_dialects_on_both_indexes() {
    let registration = server(&DISTRIBUTED);
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

/// A program of another system: each connection that speaks frames is passed to `serve`. A text
/// connection is closed, as a program does that reads ten bytes as a length.
fn framed_alone(serve: impl Fn(Framed) + Send + 'static) -> u16 {
    pretend(move |client| {
        let mut first = [0; 1];
        let is_frame = client.stream().peek(&mut first).is_ok() && first[0].is_ascii_digit();
        if is_frame {
            serve(Framed(client.stream().try_clone().unwrap()));
        }
    })
}

/// A system that answers with these frames, depending on the first word of a request.
fn framed_system(answer: impl Fn(&str) -> Vec<Vec<u8>> + Send + 'static) -> u16 {
    framed_alone(move |mut framed| {
        while let Some(request) = framed.receive_bytes() {
            let request = String::from_utf8(request).unwrap();
            for frame in answer(request.split(' ').next().unwrap()) {
                framed.send(frame);
            }
        }
    })
}

/// A central index with these records.
fn framed_index(records: String) -> u16 {
    framed_system(move |method| {
        let records = match method {
            "LOOKUP" | "LISTALL" | "ADD" => format!("\n{records}"),
            _ => String::new(),
        };
        vec![format!("P2P-CI/1.0 200 OK{records}").into_bytes()]
    })
}

#[test]
fn a_system_that_only_speaks_frames_is_detected_and_remembered() {
    let holder = framed_alone(|mut framed| {
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
    let index = framed_index(records);
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index, files.path(), &[]);
    let printed = peer.answer(&["get 5"]);
    assert!(printed.contains("rfc5.txt (1500 bytes)\n"), "{printed}");
    let file = fs::read(files.path().join("rfc5.txt")).unwrap();
    assert_eq!(file, [[b'x'; 1024].as_slice(), &[b'y'; 476]].concat());
    // Text was tried once with each of them.
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
    let index = server(&[]);
    let _holder = holder_that(index.port, |client| {
        let mut framed = Framed(client.stream().try_clone().unwrap());
        framed.receive();
        framed.send("P2P-CI/1.0 200 OK\nCONTENT-LENGTH: 1500");
        let empty = b"0         ";
        while framed.0.write_all(empty).is_ok() {}
    });
    let files = folder(&[]);
    let mut peer = peer_at_menu("peer", index.port, files.path(), &["--dialect", "framed"]);
    let printed = peer.answer(&["get 7"]);
    assert!(printed.contains(": it sent 0 of 1500 bytes\n"), "{printed}");
}

#[test]
fn what_is_told_to_be_text_is_not_tried_in_frames() {
    let index = framed_index(String::new());
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
    let options = ["--dialect", "framed"];
    let mut framed = peer_at_menu("framed", before.port, files.path(), &options);
    let port = before.port;
    drop(before);
    framed.expect("Still sharing; will reconnect.");
    let mut after = server_at(port);
    framed.expect("again, registered 1 of 1 RFC(s)\n");
    after.expect("ADD RFC 5 P2P-CI/1.0\nHOST: localhost\n");
}

/// A response with a body, as written by those systems.
fn http(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn a_distributed_system_that_only_speaks_frames_is_joined() {
    let holder = framed_system(|method| match method {
        "rfcquery" => {
            let documents =
                r#"[{"number": 48, "title": "In frames", "hostname": "127.0.0.1", "path": "x"}]"#;
            vec![http(documents.as_bytes())]
        }
        "getrfc" => vec![http(b"{}"), http(b"forty-eight")],
        _ => vec![b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec()],
    });
    // It counts cookies from 0.
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
    let mut peer = peer_at_menu("peer", rs, files.path(), &DISTRIBUTED);
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
