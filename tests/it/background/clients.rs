//! Existing programs, to the byte, and the lines of `RUN`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{User, connect, exchange};
use crate::support::{Program, dead_port, folder, holder, peer_of, registered};

const OK: &str = "200 OK 0\r\n";

/// A peer as existing clients expect it: they run in the folder above the shared one.
fn peer_for_clients(user: &User, above: &Path) -> (Program, PathBuf) {
    fs::create_dir(above.join("p2pvar")).unwrap();
    let options = ["--socket", "p2pvar/uds_socket"];
    let mut command = peer_of(user.server.port, Path::new("p2pvar"), &options);
    command.current_dir(above);
    let mut peer = Program::start("peer", command);
    peer.expect("Choice: ");
    (peer, above.join("p2pvar/uds_socket"))
}

#[test]
fn an_existing_client_lists_shares_downloads_and_searches() {
    let user = User::new();
    let above = folder(&[("rfc5.txt", b"\n\nfive\r\nlines\n"), ("notes.txt", b"")]);
    let (mut peer, socket) = peer_for_clients(&user, above.path());
    let seven = b"P2P-CI/1.0 200 OK\r\nContent-Length: 9\r\n\r\n\xffse\r\nven\n";
    let _holder = holder(user.server.port, seven);
    let _others = [(7, "Seven too"), (12, "Twelve")]
        .map(|(number, title)| registered(user.server.port, number, title, dead_port()));

    assert_eq!(exchange(&socket, "INIT_PEER_TABLE \r\n"), OK);
    let files = "200 OK 21\r\nrfc7.txt\r\nrfc12.txt\r\n";
    assert_eq!(exchange(&socket, "LIST_ALL_FILES\r\n"), files);
    assert_eq!(exchange(&socket, "UPLOAD rfc5.txt\r\n"), OK);
    // It is shared already.
    assert_eq!(exchange(&socket, "UPLOAD rfc5.txt\r\n"), OK);
    let copied = fs::read(above.path().join("p2pvar/rfc5.txt")).unwrap();
    assert_eq!(copied, b"\n\nfive\r\nlines\n");
    let found = format!("rfc5.txt localhost {} RFC 5\r\n", port(&peer));
    let found = format!("200 OK {}\r\n{found}", found.len());
    for search in ["rfc5.txt", "5", "RFC 5", "rfc"] {
        assert_eq!(
            exchange(&socket, format!("SEARCH {search}\r\n")),
            found,
            "{search}"
        );
    }
    assert_eq!(
        exchange(&socket, "SEARCH rfc99.txt\r\n"),
        "404 NOT FOUND 0\r\n"
    );
    assert_eq!(
        exchange(&socket, "SEARCH no such words\r\n"),
        "404 NOT FOUND 0\r\n"
    );
    let mut stream = connect(&socket);
    stream.write_all(b"DOWNLOAD rfc7.txt\r\n").unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
    assert_eq!(bytes, b"200 OK 9\r\n\xffse\r\nven\n");
    assert_eq!(
        fs::read(above.path().join("p2pvar/rfc7.txt")).unwrap(),
        b"\xffse\r\nven\n"
    );
    let all = crate::support::exchange(user.server.port, crate::support::LIST);
    let record = format!("\r\nRFC 7 Seven localhost {}\r\n", port(&peer));
    assert!(all.contains(&record), "{all}");
    for (request, answer) in [
        ("DOWNLOAD rfc99.txt", "404 OPERATION UNKNOWN 0\r\n"),
        ("DOWNLOAD notes.txt", "404 OPERATION UNKNOWN 0\r\n"),
        ("DOWNLOAD 12", "500 ERROR OCCURRED 0\r\n"),
        ("UPLOAD rfc99.txt", "404 NOT FOUND 0\r\n"),
        ("UPLOAD notes.txt", "404 NOT FOUND 0\r\n"),
        ("QUIT", "404 OPERATION UNKNOWN 0\r\n"),
        ("list_all_files", "404 OPERATION UNKNOWN 0\r\n"),
    ] {
        assert_eq!(
            exchange(&socket, format!("{request}\r\n")),
            answer,
            "{request}"
        );
    }
    let status = exchange(&socket, "STATUS\r\n");
    let (head, body) = status.split_once("\r\n").unwrap();
    assert_eq!(head, format!("200 OK {}", body.len()));
    assert!(body.contains("\r\ndownloads: 1 (9 bytes)\r\n"), "{body}");
    assert_eq!(exchange(&socket, "STOP\r\n"), OK);
    assert_eq!(peer.wait().0.code(), Some(0));
    assert!(!socket.exists());
}

fn port(peer: &Program) -> u16 {
    let printed = peer.printed();
    let (_, rest) = printed.split_once("listening on port ").unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

#[test]
fn run_answers_with_lines_and_asks_before_it_replaces_a_file() {
    let user = User::new();
    let shared = folder(&[("rfc7.txt", b"old")]);
    let _holder = holder(
        user.server.port,
        "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nseven",
    );
    let socket = user.daemon(shared.path());
    let run = |answer: &str| {
        let mut stream = connect(&socket);
        let get = r#"{"get":{"numbers":[7],"title":"","place":{"folder":"ask"},"jobs":1}}"#;
        stream
            .write_all(format!("RUN {get}\r\n").as_bytes())
            .unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let line = line.unwrap();
            if line.starts_with(r#"{"question":"#) {
                stream.write_all(format!("{answer}\n").as_bytes()).unwrap();
            }
            lines.extend(Some(line).filter(|line| !line.is_empty()));
        }
        lines
    };
    let path = shared.path().join("rfc7.txt");
    let question = format!(
        "{{\"question\":{{\"replace\":{:?}}}}}",
        path.display().to_string()
    );
    for answer in ["false", "null", "nonsense"] {
        let lines = run(answer);
        assert_eq!(lines[0], question);
        assert!(lines.len() == 3 || answer == "nonsense", "{lines:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old", "{answer}");
    }
    let lines = run("true");
    assert_eq!(lines[0], question);
    assert!(
        lines[1].starts_with(r#"{"event":{"download":"#),
        "{lines:?}"
    );
    let [.., done, last] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert!(
        done.starts_with(r#"{"done":{"downloaded":{"number":7,"#),
        "{done}"
    );
    assert!(
        last.starts_with(r#"{"ended":{"outcome":{"downloaded":[{"number":7,"#),
        "{last}"
    );
    assert!(last.ends_with(r#""exit_code":0}}"#), "{last}");
    assert_eq!(fs::read(&path).unwrap(), b"seven");
    let missing = exchange(
        &socket,
        "RUN {\"find\":{\"number\":{\"number\":9,\"title\":\"\"}}}\r\n",
    );
    assert_eq!(
        missing,
        "{\"ended\":{\"outcome\":{\"records\":[]},\"exit_code\":3}}\n"
    );
    let _: UnixStream = connect(&socket);
}
