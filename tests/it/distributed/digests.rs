//! Documents and their digests.

use std::fs;

use super::{command, document, get, holder, ok, registration_server, sharing};
use crate::support::{folder, names, run};

#[test]
fn bytes_that_are_not_those_announced_are_not_saved() {
    let digest = |digest: &str| ok(&format!("Digest: {digest}\r\n"), "seven");
    let short = "P2P-DI/1.0 200 OK\r\nContent-Length: 9\r\n\r\nseven".to_owned();
    let zeros = format!("SHA-256={}", "0".repeat(64));
    for (answer, code, failure) in [
        (digest(&zeros), 7, "SHA-256 mismatch: got "),
        (
            digest("sha-256=xyz"),
            6,
            "its header Digest is missing or invalid",
        ),
        (short, 7, "it sent 5 of 9 bytes"),
    ] {
        let rs = registration_server(&[]);
        holder(&rs, 7, answer.clone());
        let ours = folder(&[]);
        let (ended, errors) = get(&rs, ours.path(), "7");
        assert_eq!(ended, Some(code), "{answer:?}: {errors}");
        assert!(errors.contains(failure), "{errors}");
        assert_eq!(names(ours.path()), [""; 0], "{answer:?}");
    }
}

#[test]
fn a_holder_that_sends_another_rfc_is_not_believed() {
    let rs = registration_server(&[]);
    holder(&rs, 7, ok("RFC-Number: 8\r\n", "eight"));
    let ours = folder(&[]);
    let (ended, errors) = get(&rs, ours.path(), "7");
    assert_eq!(ended, Some(7), "{errors}");
    assert!(errors.contains("it sent RFC 8 instead"), "{errors}");
    assert_eq!(names(ours.path()), [""; 0]);
    // Another holder may deliver.
    holder(&rs, 7, ok("RFC-Number: 7\r\n", "seven"));
    let (ended, errors) = get(&rs, ours.path(), "7");
    assert_eq!(ended, Some(0), "{errors}");
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_wrong_digest_leaves_what_was_there_and_leads_to_the_next() {
    let rs = registration_server(&[]);
    let zeros = format!("Digest: sha-256={}\r\n", "0".repeat(64));
    holder(&rs, 7, ok(&zeros, "wrong"));
    let (theirs, ours) = (
        folder(&[("rfc7.txt", b"seven")]),
        folder(&[("rfc7.txt", b"old")]),
    );
    let _holder = sharing(&rs, theirs.path(), &[]);
    let arguments = ["get", "7", "--force"];
    let (status, _, errors) = run("peer", command(rs.port, ours.path(), &arguments));
    assert!(status.success(), "{errors}");
    assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_digest_that_is_missing_or_of_another_kind_is_none() {
    // The last one has no length either, and ends with the connection.
    for answer in [
        document("seven"),
        ok("Digest: md5=x\r\n", "seven"),
        "P2P-DI/1.0 200 OK\r\n\r\nseven".to_owned(),
    ] {
        let rs = registration_server(&[]);
        holder(&rs, 7, answer.clone());
        let ours = folder(&[]);
        let (ended, errors) = get(&rs, ours.path(), "7");
        assert_eq!(ended, Some(0), "{answer:?}: {errors}");
        assert_eq!(fs::read(ours.path().join("rfc7.txt")).unwrap(), b"seven");
    }
}

#[test]
fn a_download_speaks_of_itself_from_then_on() {
    let rs = registration_server(&[]);
    let (theirs, ours, others) = (folder(&[("rfc7.txt", b"seven")]), folder(&[]), folder(&[]));
    let mut holder = sharing(&rs, theirs.path(), &[]);
    let mut peer = sharing(&rs, ours.path(), &[]);
    peer.answer(&["4", "7", ""]);
    holder.type_line("5");
    assert!(holder.wait().0.success());
    // The departed peer is still known here; it is tried, and fails.
    assert_eq!(get(&rs, others.path(), "7").0, Some(0));
    assert_eq!(fs::read(others.path().join("rfc7.txt")).unwrap(), b"seven");
}
