//! The page of a peer: search, download, and read.

use std::fs;

use serde_json::{Value, json};

use super::Shown;
use crate::support::{Client, folder, peer, peer_of, run, server};

/// The answer to an action.
fn act(peer: &Shown, action: &Value) -> Value {
    let headers = format!(
        "Origin: http://localhost:{}\r\nAuthorization: Bearer {}\r\n",
        peer.port, peer.token
    );
    let answer = peer.ask("POST /api/action", &headers, &action.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn a_click_finds_and_downloads() {
    for kind in ["central", "distributed"] {
        let index = server(&["--index", kind]);
        let theirs = folder(&[("rfc7.txt", b"<html><script>alert(1)</script>")]);
        let ours = folder(&[("rfc5.txt", b"five")]);
        let options = ["--index", kind, "-q", "share"];
        let other = peer("other", index.port, theirs.path(), &options);
        other.expect_error("1 RFC(s)");
        let shown = Shown::peer(index.port, ours.path(), &["--index", kind]);
        let mut stream = shown.watch("");
        let snapshot = stream.expect("snapshot");
        assert_eq!(
            (&snapshot["program"], &snapshot["kind"]),
            (&json!("peer"), &json!(kind))
        );
        assert_eq!(
            snapshot["name"],
            format!("localhost:{}", shown.program.port)
        );

        // Without scripts, a table shows the folder.
        let page = shown.get("/").body;
        let own = "<caption>Shared by this peer</caption>";
        assert!(
            page.contains(own) && page.contains("<tr><td>5</td>"),
            "{page}"
        );

        let server = format!("127.0.0.1:{}", index.port);
        let messages = snapshot["messages"].as_array().unwrap();
        assert!(
            messages.iter().all(|message| message["peer"] == server),
            "{messages:?}"
        );

        let found = act(&shown, &json!({"action": "find", "words": "7"}));
        assert_eq!(found["records"][0]["port"], other.port, "{found}");
        let listed = act(&shown, &json!({"action": "list"}));
        assert_eq!(listed, json!({"done": {"records": 2}}));
        let peers = stream.expect("peer");
        assert_eq!(peers["peer"]["name"], format!("localhost:{}", other.port));
        let records = shown.json("/api/records?limit=1");
        assert_eq!(records["records"].as_array().unwrap().len(), 1);
        let rest = shown.json(&format!(
            "/api/records?after={}",
            records["next"].as_str().unwrap()
        ));
        assert_eq!(
            (rest["records"].as_array().unwrap().len(), &rest["next"]),
            (1, &Value::Null)
        );

        assert_eq!(shown.get("/document/7").status, 404);
        let got = act(&shown, &json!({"action": "get", "number": 7}));
        let from = format!("localhost:{}", other.port);
        assert_eq!(
            got,
            json!({"done": {"number": 7, "bytes": 31, "from": from}})
        );
        let request = stream.find("message", |message| message["role"] == "download");
        assert_eq!(
            (&request["method"], &request["peer"]),
            (&json!("GET"), &json!(from))
        );
        let done = stream.find("transfer", |transfer| transfer["step"] == "done");
        assert_eq!(
            (&done["way"], &done["other"]),
            (&json!("download"), &json!(from))
        );
        assert_eq!((&done["done"], &done["length"]), (&json!(31), &json!(31)));
        let text = fs::read_to_string(ours.path().join("rfc7.txt")).unwrap();
        let document = shown.get("/document/7");
        assert_eq!((document.status, &document.body), (200, &text));
        assert!(
            document
                .head
                .contains("\r\nContent-Type: text/plain; charset=utf-8\r\n")
        );
        assert!(
            document
                .head
                .contains("\r\nX-Content-Type-Options: nosniff\r\n")
        );
        let again = act(&shown, &json!({"action": "get", "number": 7}));
        assert_eq!(again, json!({"done": {"number": 7, "kept": true}}));
        let nobody = act(&shown, &json!({"action": "get", "number": 99}));
        assert_eq!(
            nobody,
            json!({"error": "RFC 99 was not downloaded: nobody has RFC 99"})
        );
        let shared = shown.json("/api/shared");
        assert_eq!(
            (&shared[0]["number"], &shared[0]["bytes"]),
            (&json!(5), &json!(4))
        );
        assert_eq!(
            (&shared[1]["number"], &shared[1]["bytes"]),
            (&json!(7), &json!(31))
        );
    }
}

#[test]
fn a_download_makes_this_peer_a_holder() {
    for kind in ["central", "distributed"] {
        let index = server(&["--index", kind]);
        let (theirs, ours) = (folder(&[("rfc7.txt", b"")]), folder(&[("rfc5.txt", b"")]));
        let options = ["--index", kind, "-q", "share"];
        let other = peer("other", index.port, theirs.path(), &options);
        other.expect_error("1 RFC(s)");
        let shown = Shown::peer(index.port, ours.path(), &["--index", kind]);
        // What it has registered is known before anybody asks.
        let is_ours = |record: &Value| record["port"] == shown.program.port;
        let count = |page: &Value| page["records"].as_array().unwrap().len();
        let page = shown.wait("/api/records", |page| {
            (count(page) > 0).then_some(page.clone())
        });
        assert!(is_ours(&page["records"][0]), "{page}");
        let mut stream = shown.watch("");
        act(&shown, &json!({"action": "list"}));
        stream.find("counts", |counts| counts["records"] == 2);
        act(&shown, &json!({"action": "get", "number": 7}));
        if kind == "central" {
            let is_new = |event: &Value| event["record"]["number"] == 7;
            let added = stream.find("record", is_new);
            assert!(
                is_ours(&added["record"]) && added["added"] == true,
                "{added}"
            );
        }
        stream.find("counts", |counts| counts["records"] == 3);
        let page = shown.json("/api/records");
        let records = page["records"].as_array().unwrap();
        let holders = records.iter().filter(|record| record["number"] == 7);
        assert_eq!((holders.count(), records.len()), (2, 3), "{page}");
    }
}

/// The ADDs of so many documents are sent together.
#[test]
fn all_of_a_large_folder_is_shown() {
    let names: Vec<_> = (1..=40).map(|n| format!("rfc{n}.txt")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b""[..])).collect();
    let (index, folder) = (server(&[]), folder(&files));
    let shown = Shown::peer(index.port, folder.path(), &[]);
    shown.wait("/api/records?limit=100", |page| {
        (page["records"].as_array()?.len() == 40).then_some(())
    });
}

#[test]
fn a_command_that_ends_at_once_has_no_page() {
    let (server, folder) = (server(&[]), folder(&[]));
    for command in ["list", "status", "grade server localhost", "get 5"] {
        let words: Vec<_> = command.split(' ').collect();
        let options = [&["--web", "0"], &words[..]].concat();
        let (status, _, errors) = run("peer", peer_of(server.port, folder.path(), &options));
        let why = "error: --web needs a peer that stays: use it with the menu or with share\n";
        assert_eq!(status.code(), Some(2), "{command}");
        assert!(errors.starts_with(why), "{errors}");
    }
    // In the environment it may be meant for others.
    let mut list = peer_of(server.port, folder.path(), &["list"]);
    list.env("P2PCI_WEB", "0");
    assert!(run("peer", list).0.success());
}

#[test]
fn an_upload_is_shown() {
    let (index, folder) = (server(&[]), folder(&[("rfc5.txt", b"five")]));
    let shown = Shown::peer(index.port, folder.path(), &[]);
    let mut stream = shown.watch("");
    stream.expect("snapshot");
    let mut other = Client::connect(shown.program.port);
    other.send("GET RFC 5 P2P-CI/1.0\r\nHost: vm\r\nOS: x\r\n\r\n");
    other.rest();
    let done = stream.find("transfer", |transfer| transfer["step"] == "done");
    assert_eq!(
        (&done["way"], &done["number"], &done["done"]),
        (&json!("upload"), &json!(5), &json!(4))
    );
    let metrics = shown.get("/metrics").body;
    assert!(
        metrics.contains("p2pci_requests_total{method=\"GET\",status=\"200\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn what_is_not_shared_can_not_be_read() {
    let index = server(&[]);
    let folder = folder(&[
        ("rfc5.txt", b"five"),
        ("rfc6.txt", b"six"),
        ("secret", b"x"),
    ]);
    let shown = Shown::peer(index.port, folder.path(), &["--rfcs", "5"]);
    for (path, expected) in [
        ("/document/5", 200),
        ("/document/6", 404),
        ("/document/secret", 404),
        ("/document/../secret", 404),
        ("/document/", 404),
    ] {
        assert_eq!(shown.get(path).status, expected, "{path}");
    }
}
