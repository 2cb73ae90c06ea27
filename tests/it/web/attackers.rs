//! Requests that no browser of ours sends.

use std::io::Write;

use super::{Response, Shown};
use crate::support::{Client, at_once, folder, pretend, server};

/// The status of the answer to these bytes.
fn status(port: u16, bytes: impl AsRef<[u8]>) -> u16 {
    let mut client = Client::connect(port);
    client.send(bytes);
    Response::read(&mut client).status
}

#[test]
fn a_host_or_an_origin_of_another_site_is_refused() {
    let server = Shown::server(&[]);
    let port = server.port;
    for (host, origin, expected) in [
        ("localhost", None, 200),
        ("LOCALHOST:9", None, 200),
        ("127.0.0.1:80", None, 200),
        ("[::1]:80", None, 200),
        ("localhost", Some("http://localhost"), 200),
        ("evil.example", None, 403),
        ("evil.example:80", None, 403),
        ("localhost.evil.example", None, 403),
        ("192.0.2.77", None, 403),
        ("", None, 400),
        ("localhost", Some("http://evil.example"), 403),
        ("localhost", Some("https://localhost"), 403),
        ("localhost:1", Some("http://localhost"), 403),
        ("localhost", Some("null"), 403),
    ] {
        for path in ["/", "/api/peers"] {
            let origin = origin.map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n");
            assert_eq!(status(port, &request), expected, "{request}");
        }
    }
    assert_eq!(status(port, "GET / HTTP/1.1\r\n\r\n"), 400);
    let twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n";
    assert_eq!(status(port, twice), 400);
}

#[test]
fn other_methods_paths_and_versions_are_refused() {
    let server = Shown::server(&[]);
    for (line, expected) in [
        ("DELETE /", 405),
        ("POST /", 405),
        ("POST /api/peers", 405),
        ("OPTIONS /api/records", 405),
        ("GET /none", 404),
        ("GET /../Cargo.toml", 404),
        ("GET /page/index.html", 404),
        // A server has nothing to use.
        ("POST /api/action", 404),
        ("GET /api/shared", 404),
        ("GET /document/5", 404),
    ] {
        let answer = server.ask(line, "", "");
        assert_eq!(answer.status, expected, "{line}");
        assert_eq!(
            answer.head.contains("\r\nAllow: GET, HEAD\r\n"),
            expected == 405
        );
    }
    for (request, expected) in [
        ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (
            "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
            400,
        ),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4097\r\n\r\n",
            413,
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
            413,
        ),
    ] {
        assert_eq!(status(server.port, request), expected, "{request}");
    }
}

#[test]
fn a_huge_head_is_refused() {
    let server = Shown::server(&[]);
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000));
    assert_eq!(status(server.port, long), 431);
    let fields = "X: y\r\n".repeat(65);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(status(server.port, many), 431);
}

#[test]
fn whoever_drips_a_request_is_cut_off_in_time() {
    let server = Shown::server(&[]);
    // One drips its head, the other its body. Each byte comes in time, and the request does not.
    let heads = [
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n",
    ];
    at_once(heads, |head| {
        let mut client = Client::connect(server.port);
        client.send(head);
        let mut stream = client.stream().try_clone().unwrap();
        let (tell, is_over) = std::sync::mpsc::channel::<()>();
        let drip = std::thread::spawn(move || {
            let pause = std::time::Duration::from_millis(500);
            // The answer ends it; else this fails after two minutes.
            for _ in 0..240 {
                let ended = is_over.recv_timeout(pause);
                let over = std::sync::mpsc::RecvTimeoutError::Timeout;
                if ended != Err(over) || stream.write_all(b"x").is_err() {
                    return;
                }
            }
        });
        let answer = Response::read(&mut client);
        assert_eq!(answer.status, 400, "{}", answer.body);
        drop(tell);
        drip.join().unwrap();
    });
}

#[test]
fn a_connection_may_carry_several_requests() {
    let server = Shown::server(&[]);
    let mut client = Client::connect(server.port);
    let request = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = "HEAD /style.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client.send(format!("{request}{request}{head}"));
    let all = String::from_utf8(client.rest()).unwrap();
    let begins = all.matches("HTTP/1.1 200 OK\r\n").count();
    assert_eq!(
        (begins, all.matches("Connection: keep-alive\r\n").count()),
        (3, 2)
    );
    assert!(all.ends_with("Connection: close\r\n\r\n"), "{all}");
}

#[test]
fn only_the_token_changes_something() {
    let (index, folder) = (server(&[]), folder(&[("rfc5.txt", b"five")]));
    let peer = Shown::peer(index.port, folder.path(), &[]);
    let (origin, token) = (
        format!("Origin: http://localhost:{}\r\n", peer.port),
        format!("Authorization: Bearer {}\r\n", peer.token),
    );
    assert_eq!(peer.token.len(), 32);
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(32));
    let other = "Origin: http://evil.example\r\n";
    for (headers, expected) in [
        (String::new(), 403),
        (token.clone(), 403),
        (format!("{other}{token}"), 403),
        (origin.clone(), 401),
        (format!("{origin}{wrong}"), 401),
        (
            format!("{origin}Authorization: Basic {}\r\n", peer.token),
            401,
        ),
        (format!("{origin}{token}"), 200),
    ] {
        let answer = peer.ask("POST /api/action", &headers, "{\"action\":\"list\"}");
        assert_eq!(answer.status, expected, "{headers}{}", answer.body);
    }
    let answer = peer.ask("GET /api/action", "", "");
    assert_eq!(
        (answer.status, answer.head.contains("Allow: POST\r\n")),
        (405, true)
    );
    for body in [
        "",
        "x",
        "{\"action\":\"stop\"}",
        "{\"action\":\"get\",\"number\":0}",
        "{\"action\":\"list\",\"x\":1}",
    ] {
        let answer = peer.ask("POST /api/action", &format!("{origin}{token}"), body);
        assert_eq!(answer.status, 400, "{body}");
    }
}

#[test]
fn reading_needs_the_token_unless_only_this_machine_can_connect() {
    let server = Shown::of(server(&["--web", "0.0.0.0:0"]));
    assert_eq!(server.token.len(), 32);
    for path in ["/api/peers", "/api/records", "/api/events", "/metrics"] {
        assert_eq!(server.get(path).status, 401, "{path}");
        let token = format!("Authorization: Bearer {}\r\n", server.token);
        assert_eq!(
            server.ask(&format!("GET {path}"), &token, "").status,
            200,
            "{path}"
        );
    }
    let mut peer = Client::connect(server.program.port);
    peer.add(5, "Secret", "vm", 9);
    // The page itself has no data.
    for path in ["/", "/app.js", "/style.css"] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.body.contains("Secret")),
            (200, false),
            "{path}"
        );
    }
}

/// A server whose index has so many records with titles of 1,000 quotation marks, which take two
/// bytes each in JSON.
fn server_with_long_titles(count: u32) -> Shown {
    let server = Shown::server(&["-q"]);
    let mut peer = Client::connect(server.program.port);
    let title = "\"".repeat(1000);
    for number in 1..=count {
        peer.add(number, &title, "vm", 9);
    }
    // Its records stay while it is connected.
    std::mem::forget(peer);
    server
}

#[test]
fn a_list_of_long_records_ends_early_and_goes_on() {
    let server = server_with_long_titles(1200);
    let (mut all, mut after) = (0, String::new());
    loop {
        let page = server.get(&format!("/api/records?limit=5000{after}"));
        assert!(page.body.len() < 2 * 1024 * 1024, "{}", page.body.len());
        let page: serde_json::Value = serde_json::from_str(&page.body).unwrap();
        all += page["records"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!((all, after.is_empty()), (1200, false));
}

#[test]
fn answers_that_nobody_reads_have_a_limit_together() {
    let server = server_with_long_titles(600);
    // Each takes 1 MiB, and there are 32.
    let request = "GET /api/records?limit=5000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let ask = || {
        let mut client = Client::connect(server.port);
        client.send(request);
        client
    };
    let mut clients: Vec<_> = (0..40).map(|_| ask()).collect();
    let heads: Vec<_> = clients.iter_mut().map(Client::head).collect();
    let (held, refused): (Vec<_>, Vec<_>) = heads
        .iter()
        .partition(|head| head.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!((20..=32).contains(&held.len()), "{}", held.len());
    for head in refused {
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert!(head.contains("\r\nRetry-After: 5\r\n"), "{head}");
    }
    // What is small needs no room, and who is gone gives back what he had.
    for path in ["/app.js", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    drop(clients);
    assert_eq!(server.get("/api/records").status, 200);
}

#[test]
fn an_index_that_names_many_peers_does_not_fill_the_page() {
    let line = |number: u32| format!("RFC 1 a h{number:05} 5000\r\n");
    let lines: String = (0..6000).map(line).collect();
    let index = pretend(move |mut client| {
        client.head();
        client.send(format!("P2P-CI/1.0 200 OK\r\n\r\n{lines}\r\n"));
        client.rest();
    });
    let folder = folder(&[]);
    let peer = Shown::peer(index, folder.path(), &[]);
    let headers = format!(
        "Origin: http://localhost:{}\r\nAuthorization: Bearer {}\r\n",
        peer.port, peer.token
    );
    let listed = peer.ask("POST /api/action", &headers, "{\"action\":\"list\"}");
    assert_eq!(listed.body, "{\"done\":{\"records\":6000}}");
    assert_eq!(peer.json("/api/peers").as_array().unwrap().len(), 5000);
    let snapshot = peer.watch("").expect("snapshot");
    assert_eq!(snapshot["peers"].as_array().unwrap().len(), 5000);
    assert_eq!(snapshot["counts"]["records"], 6000);
    let page = peer.get("/").body;
    assert_eq!(page.matches("<tr><td>h0").count(), 1000);
    assert!(page.contains("<caption>The first 1000 Peers</caption>"));
}
