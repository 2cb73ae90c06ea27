//! What can be read: the page, records, peers, messages, and metrics.

use serde_json::json;

use super::Shown;
use crate::support::{Client, folder};

#[test]
fn without_scripts_the_page_is_a_table_and_a_title_stays_text() {
    let server = Shown::server(&[]);
    let mut peer = Client::connect(server.program.port);
    peer.add(7, "<script>alert(1)</script> & \"more\"", "vm", 9);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    let row = "<tr><td>7</td><td>&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;</td>\
               <td>vm</td><td>9</td></tr>";
    assert!(page.body.contains(row), "{}", page.body);
    assert!(!page.body.contains("<script>alert"));
    assert!(
        page.body
            .contains("<tr><td>vm:9</td><td>1</td><td>127.0.0.1</td></tr>")
    );
}

#[test]
fn every_response_forbids_what_a_stranger_could_use() {
    let server = Shown::server(&[]);
    for path in [
        "/",
        "/app.js",
        "/style.css",
        "/api/peers",
        "/metrics",
        "/none",
    ] {
        let head = server.get(path).head;
        for header in [
            "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
             connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            "X-Content-Type-Options: nosniff",
            "Referrer-Policy: no-referrer",
            "Cache-Control: no-store",
        ] {
            assert!(head.lines().any(|line| line == header), "{path}: {head}");
        }
    }
}

#[test]
fn records_come_in_pages_the_newest_first() {
    let server = Shown::server(&[]);
    let mut peer = Client::connect(server.program.port);
    for number in 1..=700 {
        peer.add(number, "A title", "vm", 9);
    }
    let first = server.json("/api/records?limit=2");
    let record = |number| json!({"number": number, "title": "A title", "host": "vm", "port": 9});
    assert_eq!(first["records"], json!([record(700), record(699)]));
    let mut after = first["next"].as_str().unwrap().to_owned();
    let mut numbers = vec![700, 699];
    // A record that comes meanwhile is in none of the pages that follow.
    peer.add(900, "Late", "vm", 9);
    loop {
        let page = server.json(&format!("/api/records?after={after}&limit=300"));
        let records = page["records"].as_array().unwrap();
        assert!(records.len() <= 300);
        numbers.extend(
            records
                .iter()
                .map(|record| record["number"].as_u64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert!(numbers.into_iter().eq((1..=700).rev()));
    let all = server.json("/api/records");
    assert_eq!(all["records"].as_array().unwrap().len(), 701);
    assert_eq!(all["next"], json!(null));
    for wrong in ["limit=0", "limit=5001", "limit=x", "after=x", "after="] {
        assert_eq!(
            server.get(&format!("/api/records?{wrong}")).status,
            400,
            "{wrong}"
        );
    }
}

#[test]
fn peers_are_listed_with_their_records() {
    let server = Shown::server(&[]);
    let mut peers = [1, 2].map(|_| Client::connect(server.program.port));
    peers[0].add(5, "Five", "vm", 9);
    peers[0].add(6, "Six", "vm", 9);
    peers[1].add(5, "Five", "other", 8);
    let listed = server.json("/api/peers");
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| {
            (
                peer["name"].as_str().unwrap(),
                peer["records"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(names, [("other:8", 1), ("vm:9", 2)]);
    assert_eq!(listed[0]["remote"], "127.0.0.1");
}

#[test]
fn the_last_messages_are_kept() {
    let server = Shown::server(&[]);
    let mut peer = Client::connect(server.program.port);
    peer.add(5, "Five", "vm", 9);
    let messages = server.wait("/api/events", |kept| {
        let kept = kept.as_array().unwrap();
        (kept.len() == 2).then(|| kept.clone())
    });
    let (request, response) = (&messages[0], &messages[1]);
    let text = "ADD RFC 5 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\nTitle: Five\r\n\r\n";
    assert_eq!(request["text"], text);
    assert_eq!(
        (&request["way"], &request["method"]),
        (&json!("received"), &json!("ADD"))
    );
    assert_eq!(
        (&request["role"], &request["peer"]),
        (&json!("session"), &json!("vm:9"))
    );
    assert_eq!(
        (&request["size"], &request["cut"]),
        (&json!(text.len()), &json!(false))
    );
    assert_eq!(
        (&response["way"], &response["status"]),
        (&json!("sent"), &json!(200))
    );
    assert_eq!(
        (&response["line"], &response["peer"]),
        (&json!("P2P-CI/1.0 200 OK"), &json!("vm:9"))
    );
}

#[test]
fn metrics_count_requests_by_method_and_status() {
    let server = Shown::server(&[]);
    let mut peer = Client::connect(server.program.port);
    peer.add(5, "Five", "vm", 9);
    for number in [5, 6, 6] {
        peer.send(format!(
            "LOOKUP RFC {number} P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\n\r\n"
        ));
        peer.head();
        peer.head();
    }
    peer.send("BLAH RFC 6 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\n\r\n");
    peer.head();
    let metrics = server.get("/metrics");
    let kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8";
    assert!(metrics.head.contains(kind), "{}", metrics.head);
    for line in [
        "# TYPE p2pci_requests_total counter",
        "p2pci_requests_total{method=\"ADD\",status=\"200\"} 1",
        "p2pci_requests_total{method=\"LOOKUP\",status=\"200\"} 1",
        "p2pci_requests_total{method=\"LOOKUP\",status=\"404\"} 2",
        "p2pci_requests_total{method=\"other\",status=\"400\"} 1",
        "p2pci_refusals_total{reason=\"bad_request\"} 1",
        "p2pci_peers 1",
        "p2pci_records 1",
        "p2pci_request_duration_seconds_bucket{le=\"+Inf\"} 5",
        "p2pci_request_duration_seconds_count 5",
    ] {
        assert!(
            metrics.body.lines().any(|it| it == line),
            "{line}\n{}",
            metrics.body
        );
    }
}

#[test]
fn a_registration_server_has_a_page_too() {
    let server = Shown::server(&["--index", "distributed"]);
    let mut stream = server.watch("");
    let snapshot = stream.expect("snapshot");
    assert_eq!(
        (&snapshot["program"], &snapshot["kind"]),
        (&json!("server"), &json!("distributed"))
    );
    let mut peer = Client::connect(server.program.port);
    peer.send("REGISTER Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\n\r\n");
    assert_eq!(stream.expect("peer")["peer"]["name"], "vm:5");
    assert_eq!(server.json("/api/peers")[0]["name"], "vm:5");
    assert_eq!(
        server.json("/api/records"),
        json!({"records": [], "next": null})
    );
    let mut peer = Client::connect(server.program.port);
    peer.send("LEAVE Peer P2P-DI/1.0\r\nHost: vm\r\nPort: 5\r\nCookie: 1\r\n\r\n");
    let left = json!({"name": "vm:5", "why": "left", "records": 0});
    assert_eq!(stream.expect("left"), left);
}

#[cfg(feature = "dht")]
#[test]
fn an_introducer_has_a_page_too() {
    let server = Shown::server(&["--index", "dht", "--bind", "127.0.0.1"]);
    let mut stream = server.watch("");
    assert_eq!(stream.expect("snapshot")["kind"], "dht");
    let mut peer = Client::connect(server.program.port);
    peer.send("JOIN a 127.0.0.1 5\r\n");
    let joined = stream.expect("message");
    assert_eq!(
        (&joined["line"], &joined["peer"]),
        (&json!("JOIN a 127.0.0.1 5"), &json!("127.0.0.1:5"))
    );
    assert_eq!(stream.expect("peer")["peer"]["name"], "127.0.0.1:5");
    assert_eq!(server.json("/api/peers")[0]["remote"], "127.0.0.1");
    let mut peer = Client::connect(server.program.port);
    peer.send("DELETE a\r\n");
    let deleted = stream.find("message", |message| message["line"] == "DELETE a");
    assert_eq!(deleted["peer"], "127.0.0.1:5");
    let left = json!({"name": "127.0.0.1:5", "why": "left", "records": 0});
    assert_eq!(stream.expect("left"), left);
}

#[cfg(feature = "dht")]
#[test]
fn an_introducer_shows_the_nodes_in_contact() {
    let server = Shown::server(&["--index", "dht", "--bind", "127.0.0.1"]);
    let mut stream = server.watch("");
    let folder = folder(&[]);
    let options = ["--index", "dht", "share"];
    let peer = crate::support::peer("127.0.0.1", server.program.port, folder.path(), &options);
    let name = format!("127.0.0.1:{}", peer.port);
    assert_eq!(stream.expect("peer")["peer"]["name"], name);
    let counts = stream.find("counts", |counts| counts["peers"] == 1);
    assert_eq!(counts["records"], 0);
    peer.signal(rustix::process::Signal::KILL);
    assert_eq!(stream.expect("left")["name"], name);
    assert_eq!(server.json("/api/peers"), json!([]));
}

#[test]
fn without_the_option_nothing_listens() {
    let folder = folder(&[]);
    let server = crate::support::server(&[]);
    let peer = crate::support::peer("peer", server.port, folder.path(), &["share"]);
    for program in [&server, &peer] {
        assert!(!program.errors().contains("http://"));
        let threads = std::fs::read_dir(format!("/proc/{}/task", program.id())).unwrap();
        let names = threads
            .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
        let names: Vec<_> = names.collect();
        assert!(
            !names
                .iter()
                .any(|name| name.trim() == "page" || name.trim() == "web")
        );
    }
}
