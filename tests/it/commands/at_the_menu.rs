//! The commands as words of the menu.

use super::{DNS, stage};
use crate::support::{MENU, names, peer_at_menu};

#[test]
fn the_menu_knows_names_and_arguments() {
    let mut stage = stage();
    let empty = stage.empty.path().to_owned();
    let mut peer = peer_at_menu("peer", stage.server.port, &empty, &[]);
    let printed = peer.answer(&["get 3457"]);
    assert!(
        printed.starts_with("get 3457\n[PEER] Sending:\nLOOKUP RFC 3457 P2P-CI/1.0\n"),
        "{printed}"
    );
    assert!(printed.contains("[DOWNLOAD] Saved to "), "{printed}");
    assert_eq!(names(&empty), ["rfc3457.txt"]);
    let printed = peer.answer(&["lookup rfc3457"]);
    assert!(
        printed.contains("LOOKUP RFC 3457 P2P-CI/1.0\n") && printed.contains("\nTitle: \n"),
        "{printed}"
    );
    let printed = peer.answer(&["2", "RFC 123", ""]);
    assert!(printed.contains("RFC number: RFC 123\nRFC title (press Enter to skip): \n[PEER] Sending:\nLOOKUP RFC 123 "), "{printed}");
    let printed = peer.answer(&["GET RFC 123"]);
    assert!(printed.contains("rfc123.txt (912 bytes)\n"), "{printed}");
    let printed = peer.answer(&["List"]);
    assert!(
        printed.starts_with("List\n[PEER] Sending:\nLIST ALL P2P-CI/1.0\n"),
        "{printed}"
    );
    let printed = peer.answer(&["find company RETRIEVAL"]);
    let record = format!("RFC 2345 {DNS} localhost {}\n", stage.one.port);
    assert!(
        printed.ends_with(&format!("\n\n{record}{MENU}")),
        "{printed}"
    );
    let printed = peer.answer(&["find no such words"]);
    assert!(
        printed.contains("\n[PEER] No title has all of these words.\n"),
        "{printed}"
    );
    let printed = peer.answer(&["add 77 A title of ours"]);
    assert!(
        printed.contains("ADD RFC 77 P2P-CI/1.0\n")
            && printed.contains("\nTitle: A title of ours\n"),
        "{printed}"
    );
    for (wrong, advice) in [
        ("5 x", "type a number from 1 to 5, or help."),
        ("status x", "type a number from 1 to 5, or help."),
        ("gett 5", "did you mean get?"),
        ("lokup 12", "did you mean lookup?"),
        ("6", "type a number from 1 to 5, or help."),
    ] {
        peer.type_line(wrong);
        let said = format!("{wrong}\n[PEER] Unknown choice {wrong:?}: {advice}\nChoice: ");
        assert_eq!(peer.expect("\nChoice: "), said);
    }
    peer.type_line("l");
    let said = "l\n[PEER] \"l\" is ambiguous: lookup or list.\nChoice: ";
    assert_eq!(peer.expect("\nChoice: "), said);
    for wrong in [
        "get x",
        "lookup 0",
        "get 5-1",
        "get all 5",
        "add x y",
        "list by foo",
    ] {
        peer.type_line(wrong);
        let printed = peer.expect("\nChoice: ");
        assert!(
            printed.starts_with(&format!("{wrong}\n[PEER] Not understood: ")),
            "{printed}"
        );
    }
    let help = peer.answer(&["help"]);
    assert_eq!(
        peer.answer(&["help get"]),
        help.replacen("help\n", "help get\n", 1)
    );
    for name in ["add", "lookup", "list", "get", "exit", "find", "status"] {
        assert!(help.contains(&format!("  {name} ")), "{help}");
    }
    peer.type_line("qu");
    assert!(peer.wait().0.success());
    stage.one.type_line("EXIT");
    assert!(stage.one.wait().0.success());
}

#[test]
fn status_shows_the_state_of_a_peer() {
    let mut stage = stage();
    stage.one.answer(&["get 123"]);
    let printed = stage.two.answer(&["status"]);
    let (port, server) = (stage.two.port, stage.server.port);
    for line in [
        format!("[PEER] This peer: localhost:{port}\n"),
        format!("[PEER] Index: 127.0.0.1:{server}, connected since "),
        "[PEER] Shared: 2 RFC(s) of ".to_owned(),
        "[PEER] Uploads: 1 (912 bytes)\n".to_owned(),
        "[PEER] Downloads: 0 (0 bytes)\n".to_owned(),
        "[PEER] RFC 123 was downloaded by ".to_owned(),
    ] {
        assert!(printed.contains(&line), "{line}{printed}");
    }
    let printed = stage.one.answer(&["STATUS"]);
    assert!(
        printed.contains("[PEER] Downloads: 1 (912 bytes)\n"),
        "{printed}"
    );
    assert!(printed.contains("[PEER] Shared: 3 RFC(s) of "), "{printed}");
    stage.one.answer(&["add 777 Without a file"]);
    let printed = stage.one.answer(&["status"]);
    assert!(printed.contains("[PEER] Shared: 3 RFC(s) of "), "{printed}");
}
