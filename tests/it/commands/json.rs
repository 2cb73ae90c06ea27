//! Results and failures as JSON.

use std::fs;

use serde_json::{Value, json};

use super::{DNS, ICP, IPSEC, ask, stage};
use crate::support::{dead_port, folder, server};

#[test]
fn results_as_json_have_exactly_these_fields() {
    let stage = stage();
    let (one, two) = (stage.one.port, stage.two.port);
    let record = |number, title, port| json!({"number": number, "title": title, "host": "localhost", "port": port});
    let icp = json!({"records": [record(123, ICP, two)]});
    assert_eq!(stage.ask(&["lookup", "123", "--json"]).json(), icp);
    assert_eq!(stage.ask(&["find", "icp", "--json"]).json(), icp);
    let all = json!({"records": [
        record(3457, IPSEC, two), record(123, ICP, two), record(3457, IPSEC, one), record(2345, DNS, one),
    ]});
    assert_eq!(stage.ask(&["list", "--json"]).json(), all);

    let added = stage
        .ask(&["add", "5", "--title", "A \"title\" é", "--json"])
        .json();
    let port = added["record"]["port"].as_u64().unwrap();
    assert_eq!(
        added,
        json!({"record": record(5, "A \"title\" é", u16::try_from(port).unwrap())})
    );

    let empty = stage.empty.path();
    fs::write(empty.join("rfc2345.txt"), "ours").unwrap();
    let got = stage.ask(&["-q", "get", "--json", "2345", "123", "9"]);
    assert_eq!(got.code, Some(3));
    let expected = json!({
        "downloaded": [{"number": 123, "title": ICP, "host": "localhost", "port": two,
            "path": empty.join("rfc123.txt"), "bytes": 912}],
        "kept": [{"number": 2345, "path": empty.join("rfc2345.txt")}],
        "failed": [{"number": 9, "error": "nobody has RFC 9", "exit_code": 3}],
    });
    assert_eq!(got.json(), expected);

    let file = empty.join("one");
    let got = stage.ask(&["get", "--json", "-o", file.to_str().unwrap(), "123"]);
    let expected = json!({
        "downloaded": [{"number": 123, "title": ICP, "host": "localhost", "port": two,
            "path": file, "bytes": 912}],
        "kept": [],
        "failed": [],
    });
    assert_eq!((got.code, got.json()), (Some(0), expected));
}

#[test]
fn failures_as_json_are_one_document_as_well() {
    let (port, empty) = (dead_port(), folder(&[]));
    let message = format!(
        "the index server can't be reached: cannot connect to 127.0.0.1:{port}: \
             Connection refused (os error 111); start one with: server --port {port}"
    );
    let expected = json!({"error": {"message": message, "exit_code": 4}});
    for asked in [
        &["list", "--json"][..],
        &["lookup", "7", "--json"],
        &["find", "x", "--json"],
        &["add", "7", "--json"],
        &["get", "7", "--json"],
        &["get", "7", "8", "--json"],
        &["get", "7", "-o", "x", "--json"],
    ] {
        let ended = ask(port, empty.path(), asked);
        assert_eq!(
            (ended.code, ended.json()),
            (Some(4), expected.clone()),
            "{asked:?}"
        );
        assert_eq!(ended.errors, format!("error: {message}\n"));
    }
    // What nobody has gives one document too, for every command.
    let server = server(&["-q"]);
    for asked in [
        &["lookup", "9", "--json"][..],
        &["find", "x", "--json"],
        &["get", "9", "--json"],
        &["get", "9", "-o", "x", "--json"],
    ] {
        let ended = ask(server.port, empty.path(), asked);
        assert_eq!(ended.code, Some(3), "{asked:?} {ended:?}");
        let document: Result<Value, _> = serde_json::from_str(&ended.out);
        assert!(document.is_ok(), "{asked:?} {ended:?}");
    }
}
