//! How refusals and other events are reported: in their place in the printout, and in the log if
//! requested.

use crate::support::{BAD, exchange, folder, peer, server};

const BLAH: &str = "BLAH RFC 1 P2P-CI/1.0\r\nHost: vm\r\n\r\n";

#[test]
fn a_refusal_is_printed_between_the_request_and_its_answer() {
    let mut server = server(&[]);
    let (folder, arguments) = (folder(&[]), ["share", "--print-messages"]);
    let mut peer = peer("peer", server.port, folder.path(), &arguments);
    // Its connection must not come in between.
    server.expect("[SERVER] New TCP connection from ");
    for (program, tag) in [(&mut server, "SERVER"), (&mut peer, "UPLOAD")] {
        assert!(BAD.starts_with(&exchange(program.port, BLAH)));
        program.expect(&format!(
            "\nBLAH RFC 1 P2P-CI/1.0\nHost: vm\n\n[{tag}] Answering 400: \"BLAH\" is no method\n\
             [{tag}] Response to "
        ));
        // There is no complete request to print.
        assert!(BAD.starts_with(&exchange(program.port, "x".repeat(9000))));
        program.expect(&format!(
            "[{tag}] Answering 400: the message head is longer than 8192 bytes\n\
             [{tag}] Response to "
        ));
        assert!(!program.errors().contains("400"), "{}", program.errors());
    }
}

#[test]
fn a_quiet_server_logs_what_happens_where_it_is_told_to() {
    let server = server(&["-qv"]);
    assert_eq!(exchange(server.port, BLAH), BAD);
    for line in [
        "New TCP connection from 127.0.0.1:",
        "Answering 400: \"BLAH\" is no method\n",
    ] {
        server.expect_error(&format!("INFO [SERVER] {line}"));
    }
    assert!(!server.printed().contains("Answering"));
}
