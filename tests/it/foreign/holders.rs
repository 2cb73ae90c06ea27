//! Foreign upload servers with our downloader.

use std::fs;

use super::{asked, concurrent, only_framed};
use crate::support::{at_once, dead_port, folder, holder, holder_that, names, registered, server};

/// A document that begins as RFCs do.
const DOCUMENT: &str = "\n\n\nNetwork Working Group\n\nsome text\n";

/// GETs RFC 7 from a holder with this answer: the exit code, the errors, and the file.
fn get(answer: &str, options: &[&str]) -> (Option<i32>, String, Option<String>) {
    let server = server(&["-q"]);
    let _holder = holder(server.port, answer.to_owned());
    let files = folder(&[]);
    let arguments = [&["--dialect", "text", "get", "7"], options].concat();
    let (code, _, errors) = asked(server.port, files.path(), &arguments);
    let file = fs::read_to_string(files.path().join("rfc7.txt")).ok();
    assert_eq!(names(files.path()).len(), usize::from(file.is_some()));
    (code, errors, file)
}

#[test]
fn a_document_after_a_head_without_an_empty_line_keeps_its_first_line() {
    let length = DOCUMENT.len();
    at_once(["\n", "\r\n"], |end| {
        let document = DOCUMENT.replace('\n', end);
        let length = document.len();
        let answer =
            format!("P2P-CI/1.0 200 OK{end}OS: x{end}Content-Length: {length}{end}{document}");
        let (code, errors, file) = get(&answer, &[]);
        assert_eq!((code, file), (Some(0), Some(document)), "{errors}");
    });
    // With the empty line nothing changes, and one that is missing is not made up.
    let head = format!("P2P-CI/1.0 200 OK\nContent-Length: {length}\n\n");
    let (code, _, file) = get(&format!("{head}{DOCUMENT}"), &[]);
    assert_eq!((code, file.as_deref()), (Some(0), Some(DOCUMENT)));
    for short in [2, 3, length] {
        let (code, errors, file) = get(&format!("{head}{}", &DOCUMENT[short..]), &[]);
        assert_eq!((code, file), (Some(7), None), "{errors}");
    }
}

#[test]
fn a_head_that_is_none_is_no_file() {
    at_once(
        [
            // The document as a field, with and without its length.
            "P2P-CI/1.0 200 OK\n OS: x\n RFC Data: Network Working Group\n\nsome text\n",
            "P2P-CI/1.0 200 OK\nContent-Length: 10\n RFC Data: Network\n\nsome text\n",
            // The document directly after the fields.
            "P2P-CI/1.0 200 OK\nOS: x\nNetwork Working Group\n\nsome text\n",
            // An empty line too early.
            "P2P-CI/1.0 200 OK\nDate: x\n\nOS: x\nContent-Length: 10\n\nsome text\n",
        ],
        |answer| {
            let (code, errors, file) = get(answer, &[]);
            assert_eq!((code, file), (Some(6), None), "{answer:?}: {errors}");
        },
    );
    // What was taken for fields is missing from the document.
    let swallowed = "P2P-CI/1.0 200 OK\nContent-Length: 19\nNote: a\n\nsome text\n";
    let (code, errors, file) = get(swallowed, &[]);
    assert_eq!((code, file), (Some(7), None), "{errors}");
}

#[test]
fn a_bare_file_is_taken_on_request() {
    let (code, errors, file) = get(DOCUMENT, &[]);
    assert_eq!((code, file), (Some(6), None), "{errors}");
    assert!(errors.contains("--accept-bare"), "{errors}");
    let (code, errors, file) = get(DOCUMENT, &["--accept-bare"]);
    assert_eq!((code, file.as_deref()), (Some(0), Some(DOCUMENT)));
    let bytes = DOCUMENT.len();
    let said = format!("sent RFC 7 without a head: its {bytes} bytes may not be all of it\n");
    assert!(errors.contains(&said), "{errors}");
    // An answer with a head is what it was.
    let whole = "P2P-CI/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole and more";
    let (code, errors, file) = get(whole, &["--accept-bare"]);
    assert_eq!((code, file.as_deref()), (Some(0), Some("whole")));
    assert!(!errors.contains("without a head"), "{errors}");
    let (code, _, file) = get("", &["--accept-bare"]);
    assert_eq!((code, file), (Some(5), None));
}

#[test]
fn a_holder_that_takes_cr_for_a_part_of_the_version_gets_lf() {
    let server = server(&["-q"]);
    let _holder = holder_that(server.port, |mut client| {
        let head = client.head();
        client.send(if head.starts_with("GET RFC 7 P2P-CI/1.0\n") {
            "P2P-CI/1.0 200 OK\nContent-Length: 5\n\nseven"
        } else {
            "P2P-CI/1.0 505 P2P-CI Version Not Supported\n\n"
        });
    });
    let files = folder(&[]);
    let (code, _, errors) = asked(server.port, files.path(), &["get", "7"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(fs::read(files.path().join("rfc7.txt")).unwrap(), b"seven");
}

#[test]
fn a_silent_holder_is_asked_in_frames() {
    let holder = concurrent(|client| {
        let Some(mut framed) = only_framed(&client) else {
            return;
        };
        framed.receive();
        framed.send("P2P-CI/1.0 200 OK\nCONTENT-LENGTH: 5");
        framed.send("seven");
    });
    let server = server(&["-q"]);
    let _other = registered(server.port, 7, "Seven", dead_port());
    let _holder = registered(server.port, 7, "Seven", holder);
    let files = folder(&[]);
    let (code, _, errors) = asked(server.port, files.path(), &["get", "7"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(fs::read(files.path().join("rfc7.txt")).unwrap(), b"seven");
}
