//! The peer at its menu, and how it starts and ends.

use std::fs;

use rustix::process::Signal;

use crate::support::{
    MENU, dead_port, folder, peer, peer_at_menu, peer_command, pretend, run, samples, server,
};

#[test]
fn a_wrong_answer_is_reported_and_asked_again() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    peer.type_line("9");
    assert_eq!(
        peer.expect("\nChoice: "),
        "9\n[PEER] Unknown choice \"9\": type a number from 1 to 5, or help.\nChoice: "
    );
    peer.type_line("");
    assert_eq!(
        peer.expect("\nChoice: "),
        "\n[PEER] Nothing was chosen: type a number from 1 to 5.\nChoice: "
    );
    let printed = peer.answer(&["2", "abc", "0", "4294967296", "7", ""]);
    let wrong = "Not understood: an RFC number is a whole number from 1 to 4294967295, not";
    for answer in ["abc", "0", "4294967296"] {
        assert!(
            printed.contains(&format!(
                "RFC number: {answer}\n[PEER] {wrong} {answer:?} (Enter goes back).\n"
            )),
            "{printed}"
        );
    }
    assert!(
        printed.contains("RFC number: 7\nRFC title (press Enter to skip): \n[PEER] Sending:\n"),
        "{printed}"
    );
}

#[test]
fn an_empty_answer_goes_back_to_the_menu() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    for (choice, question) in [
        ("1", "RFC number: "),
        ("2", "RFC number: "),
        ("get", "RFC number: "),
    ] {
        let printed = peer.answer(&[choice, ""]);
        assert_eq!(printed, format!("{choice}\n{question}\n{MENU}"));
    }
}

#[test]
fn find_without_words_shows_everything() {
    let server = server(&[]);
    let folder = folder(&[("rfc1.txt", b""), ("rfc2.txt", b"")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &["-q"]);
    let port = peer.port;
    let all = format!("RFC 2 RFC 2 localhost {port}\nRFC 1 RFC 1 localhost {port}\n");
    let question = "Words of the title (press Enter for all): ";
    let printed = peer.answer(&["find", ""]);
    assert_eq!(printed, format!("find\n{question}\n{all}{MENU}"));
}

#[test]
fn what_has_nothing_to_show_says_so() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    let printed = peer.answer(&["list"]);
    let said = "200 OK\n\n\n[PEER] The index has no records.\n";
    assert!(printed.contains(said), "{printed}");
    let printed = peer.answer(&["get all"]);
    let said = "\n[PEER] Nothing to download: no other peer shares an RFC.\n";
    assert!(printed.contains(said), "{printed}");
    let printed = peer.answer(&["get 9"]);
    let said = "404 Not Found\n\n\n[PEER] No peers have that RFC.\n1. ADD";
    assert!(printed.contains(said), "{printed}");
}

#[test]
fn a_lookup_takes_a_title_and_a_get_several_numbers() {
    let server = server(&[]);
    let (theirs, ours) = (folder(&[("rfc1.txt", b""), ("rfc2.txt", b"")]), folder(&[]));
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    let mut peer = peer_at_menu("peer", server.port, ours.path(), &[]);
    let printed = peer.answer(&["lookup rfc 9001 A Title"]);
    let asked = format!(
        "LOOKUP RFC 9001 P2P-CI/1.0\nHost: localhost\nPort: {}\nTitle: A Title\n\n",
        peer.port
    );
    assert!(printed.contains(&asked), "{printed}");
    let printed = peer.answer(&["4", "1 x", "2 1"]);
    let wrong = "RFC number: 1 x\n[PEER] Not understood: an RFC number is a whole number from 1 to \
                 4294967295, not \"x\" (Enter goes back).\n";
    assert!(printed.contains(wrong), "{printed}");
    assert!(!printed.contains("RFC title"), "{printed}");
    assert!(ours.path().join("rfc1.txt").exists() && ours.path().join("rfc2.txt").exists());
}

#[test]
fn a_list_is_filtered_and_sorted_by_what_is_typed() {
    let server = server(&[]);
    let folder = folder(&[("rfc1.txt", b""), ("rfc2.txt", b""), ("rfc3.txt", b"")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &["-q"]);
    peer.answer(&["add 2 Zebra of ours"]);
    peer.answer(&["add 1 yak of ours"]);
    let port = peer.port;
    let ours = [
        format!("RFC 1 yak of ours localhost {port}\n"),
        format!("RFC 2 Zebra of ours localhost {port}\n"),
    ];
    let three = format!("RFC 3 RFC 3 localhost {port}\n");
    let [yak, zebra] = ours;
    for (typed, expected) in [
        ("list OURS by title", format!("{yak}{zebra}")),
        ("list ours by number", format!("{yak}{zebra}")),
        ("list by title", format!("{three}{yak}{zebra}")),
        ("li rfc", three.clone()),
        (
            "list no such words",
            "[PEER] No title has all of these words.\n".to_owned(),
        ),
    ] {
        assert_eq!(peer.answer(&[typed]), format!("{typed}\n{expected}{MENU}"));
    }
}

#[test]
fn the_end_of_input_is_exit_and_at_a_question_an_error() {
    let mut server = server(&[]);
    let folder = folder(&[]);
    for before in [&[][..], &["1"], &["1", "5"], &["4", "5"]] {
        let is_complete = before.is_empty();
        let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
        for line in before {
            peer.type_line(line);
        }
        peer.close_input();
        let (status, printed) = peer.wait();
        assert_eq!(status.code(), Some(i32::from(!is_complete)));
        assert!(
            printed.ends_with("\n[PEER] Disconnecting...\n"),
            "{printed:?}"
        );
        let said = "error: the input ended at a question, and the choice was not completed\n";
        assert_eq!(peer.all_errors().ends_with(said), !is_complete);
        server.expect(" closed\n");
    }
}

#[test]
fn add_takes_the_title_of_the_file_or_the_one_typed() {
    let server = server(&[]);
    let samples = samples();
    let mut peer = peer_at_menu("peer", server.port, samples.path(), &["-r", "3457"]);
    let printed = peer.answer(&["1", "2345", ""]);
    assert!(
        printed
            .contains("RFC number: 2345\nRFC title: \n[PEER] Registering RFC 2345: Domain Names"),
        "{printed}"
    );
    let printed = peer.answer(&["1", "2345", "Another title"]);
    assert!(printed.contains("\nTitle: Another title\n\n[PEER] Response:\nP2P-CI/1.0 200 OK\n\nRFC 2345 Another title localhost"));
}

#[test]
fn add_without_a_file_is_sent_with_a_warning() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    let printed = peer.answer(&["1", "77", "Seventy-seven"]);
    let warning = format!(
        "[PEER] Warning: {} has no file for RFC 77; others will get 404 Not Found.\n",
        folder.path().display()
    );
    assert!(printed.contains(&warning), "{printed}");
    assert!(
        printed.contains(&format!("RFC 77 Seventy-seven localhost {}\n", peer.port)),
        "{printed}"
    );
    assert!(peer.answer(&["1", "78", ""]).contains("Title: RFC 78\n"));
}

#[test]
fn an_existing_file_is_replaced_only_with_permission() {
    let server = server(&[]);
    let (ours, theirs) = (
        folder(&[("rfc5.txt", b"ours")]),
        folder(&[("rfc5.txt", b"theirs")]),
    );
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &[]);
    let mut peer = peer_at_menu("peer", server.port, ours.path(), &[]);
    for refusal in [&["n"][..], &[""], &["maybe", "n"]] {
        let printed = peer.answer(&[&["4", "5", ""], refusal].concat());
        let question = format!(
            "{}/rfc5.txt exists. Replace it? [y/N]: ",
            ours.path().display()
        );
        assert_eq!(
            printed.matches(&question).count(),
            refusal.len(),
            "{printed}"
        );
        assert!(!printed.contains("[DOWNLOAD]"), "{printed}");
        assert_eq!(fs::read(ours.path().join("rfc5.txt")).unwrap(), b"ours");
    }
    peer.answer(&["4", "5", "", "y"]);
    assert_eq!(fs::read(ours.path().join("rfc5.txt")).unwrap(), b"theirs");
}

#[test]
fn nothing_is_downloaded_from_ourselves() {
    let server = server(&[]);
    let folder = folder(&[("rfc5.txt", b"ours")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    let printed = peer.answer(&["4", "5", ""]);
    assert!(
        printed.contains(
            "[PEER] RFC 5 was not downloaded: only this peer has RFC 5.\n\
             [PEER] Could not download RFC 5 from any peer.\n"
        ),
        "{printed}"
    );
}

#[test]
fn only_what_was_chosen_is_offered() {
    let server = server(&[]);
    let folder = folder(&[("rfc1.txt", b""), ("rfc2.txt", b""), ("rfc3.txt", b"")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &["--rfcs", "1", "3"]);
    let printed = peer.answer(&["3"]);
    let port = peer.port;
    assert!(
        printed.contains(&format!(
            "\n\nRFC 3 RFC 3 localhost {port}\nRFC 1 RFC 1 localhost {port}\n\n"
        )),
        "{printed}"
    );
}

#[test]
fn a_chosen_rfc_that_is_not_there_is_an_error_that_lists_what_is() {
    let folder = folder(&[("rfc1.txt", b""), ("rfc2.txt", b"")]);
    let dir = folder.path().to_str().unwrap();
    let (status, out, errors) = run("peer", peer_command(&["--dir", dir, "-r", "2", "9"]));
    assert_eq!((status.code(), out.as_str()), (Some(3), ""));
    assert_eq!(
        errors,
        format!("error: not found: {dir} has no file for RFC 9; it has 1, 2\n")
    );
}

#[test]
fn a_server_that_is_not_there_is_a_clear_error() {
    let folder = folder(&[]);
    let dir = folder.path().join("new");
    let port = dead_port();
    let free = format!("127.0.0.1:{port}");
    let arguments = ["--host", &free, "--dir", dir.to_str().unwrap()];
    let (status, _, errors) = run("peer", peer_command(&arguments));
    assert_eq!(status.code(), Some(4));
    let expected = format!(
        "error: the index server can't be reached: cannot connect to {free}: Connection refused \
         (os error 111); start one with: server --port {port}\n"
    );
    assert_eq!(errors, expected);
    assert!(dir.is_dir(), "the folder is made");
}

#[test]
fn a_lost_server_is_reported_and_the_menu_stays() {
    let mut server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    // A connection that the server has not accepted yet would be reset, not closed.
    server.expect("[SERVER] New TCP connection from ");
    server.kill();
    let port = server.port;
    peer.expect(&format!(
        "[PEER] Lost connection to the index server 127.0.0.1:{port}: it closed the connection. \
         Still sharing; will reconnect.\n"
    ));
    let printed = peer.answer(&["3"]);
    assert!(
        printed.contains(
            "[PEER] Could not list the index: the connection to the index server 127.0.0.1:"
        ),
        "{printed}"
    );
    let printed = peer.answer(&["4", "5", ""]);
    assert!(
        printed.contains(
            "[PEER] RFC 5 was not downloaded: the connection to the index server 127.0.0.1:"
        ),
        "{printed}"
    );
    let printed = peer.answer(&["1", "5", "Five"]);
    assert!(
        printed.contains(
            "[PEER] RFC 5 will be registered when the index is back: the connection to the index server 127.0.0.1:"
        ),
        "{printed}"
    );
    let lost = peer.printed().matches("Still sharing").count();
    assert_eq!(lost, 1, "{}", peer.printed());
}

#[test]
fn signals_at_the_menu_end_the_peer_cleanly() {
    let mut server = server(&[]);
    let folder = folder(&[("rfc1.txt", b"")]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
        peer.signal(signal);
        let (status, printed) = peer.wait();
        assert!(status.success());
        assert_eq!(printed, "\n[PEER] Disconnecting...\n");
        server.expect("left. Removed 1 peer(s), 1 RFC(s).\n");
    }
}

#[test]
fn quiet_shows_answers_without_messages() {
    let server = server(&[]);
    let folder = folder(&[("rfc1.txt", b"")]);
    let mut peer = peer("peer", server.port, folder.path(), &["-q"]);
    let printed = peer.expect("Choice: ");
    let port = peer.port;
    let expected = format!(
        "[UPLOAD] Upload server listening on port {port}\n[PEER] Hostname: localhost\n\
         [PEER] (given with --hostname)\n[PEER] Connecting to server 127.0.0.1:{server}...\n\
         [PEER] Connected to server at port {server}\n\
         {MENU}",
        server = server.port
    );
    assert_eq!(printed, expected);
    assert!(
        peer.answer(&["3"])
            .starts_with(&format!("3\nRFC 1 RFC 1 localhost {port}\n{MENU}"))
    );
    assert!(
        peer.answer(&["2", "9", ""])
            .contains("[PEER] No peers have that RFC.\n")
    );
}

#[test]
fn an_upload_port_in_use_is_a_clear_error() {
    let server = server(&[]);
    let folder = folder(&[]);
    let port = server.port.to_string();
    let arguments = ["--dir", folder.path().to_str().unwrap(), "-p", &port];
    let (status, _, errors) = run("peer", peer_command(&arguments));
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.starts_with(&format!(
            "error: cannot listen on [::]:{port}: the port is in use"
        )),
        "{errors}"
    );
}

#[test]
fn wrong_options_end_with_2() {
    for wrong in [
        &["--host", "a b"][..],
        &["--hostname", "a/b"],
        &["-r", "0"],
        &["-p", "x"],
        &["dance"],
    ] {
        let (status, out, errors) = run("peer", peer_command(wrong));
        assert_eq!((status.code(), out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(errors.starts_with("error: "), "{errors}");
    }
}

#[test]
fn what_is_typed_ahead_stays_where_it_is() {
    // The index never answers, so the first choice is the last one read.
    let index = pretend(|mut client| drop(client.rest()));
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", index, folder.path(), &[]);
    let taken = peer.type_until_full("3\n");
    assert!(taken < 1024 * 1024, "{taken} bytes were taken");
    peer.expect("LIST ALL P2P-CI/1.0");
}

#[test]
fn an_endless_line_is_one_wrong_answer() {
    let server = server(&[]);
    let folder = folder(&[]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &[]);
    peer.type_line(&"9".repeat(1_000_000));
    let printed = peer.expect("\nChoice: ");
    assert!(printed.contains("Unknown choice \"9"));
    peer.type_line("5");
    assert!(peer.wait().0.success());
}

#[test]
fn quiet_does_not_call_a_refused_rfc_registered() {
    let server = server(&["--max-records-per-peer", "1"]);
    let folder = folder(&[("rfc1.txt", b"one")]);
    let mut peer = peer_at_menu("peer", server.port, folder.path(), &["-q"]);
    assert!(
        peer.answer(&["1", "1", ""])
            .contains("[PEER] RFC 1 is registered.\n")
    );
    let printed = peer.answer(&["1", "8", ""]);
    assert!(printed.contains(
        "[PEER] RFC 8 was not registered: the index server refused the request with code 400: "
    ));
    assert!(!printed.contains("RFC 8 is registered"), "{printed}");
}
