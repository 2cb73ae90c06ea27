//! Sharing without a menu.

use rustix::process::Signal;

use super::ICP;
use crate::support::{
    LIST, Program, exchange, folder, peer_at_menu, peer_of, samples, samples_of_peer_2, server,
};

#[test]
fn sharing_ends_with_0_on_a_signal() {
    let mut server = server(&["-q"]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let _holder = peer_at_menu("holder", server.port, theirs.path(), &["-q"]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut sharing = Program::start("peer", peer_of(server.port, ours.path(), &["share"]));
        sharing.expect_error(&format!(
            "2 RFC(s) of {} are shared\n",
            ours.path().display()
        ));
        sharing.signal(signal);
        assert_eq!(sharing.wait().0.code(), Some(0));
        server.expect("left. Removed 1 peer(s), 2 RFC(s).\n");
    }
    for signal in [Signal::INT, Signal::TERM] {
        let get = ["get", "123", "--share"];
        let mut sharing = Program::start("peer", peer_of(server.port, ours.path(), &get));
        let path = ours.path().join("rfc123.txt");
        sharing.expect_error(&format!(" in {}", path.display()));
        sharing.signal(signal);
        assert_eq!(sharing.wait().0.code(), Some(0));
    }
}

#[test]
fn get_with_share_registers_the_folder_and_serves_it() {
    let server = server(&["-q"]);
    let (ours, theirs) = (samples(), samples_of_peer_2());
    let holder = peer_at_menu("holder", server.port, theirs.path(), &["-q"]);
    let get = ["get", "--share", "123"];
    let mut sharing = Program::start("peer", peer_of(server.port, ours.path(), &get));
    sharing.expect(&format!("RFC 123 {ICP} localhost {}\n", holder.port));
    let all = exchange(server.port, LIST);
    let port = |number: u32| {
        let start = format!("RFC {number} ");
        let mut lines = all.lines().filter(|line| line.starts_with(&start));
        let port = |line: &str| line.rsplit(' ').next().unwrap().parse::<u16>().unwrap();
        lines
            .by_ref()
            .map(port)
            .find(|port| *port != holder.port)
            .unwrap()
    };
    for number in [123, 2345, 3457] {
        let get = format!("GET RFC {number} P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n");
        let answer = exchange(port(number), get);
        assert!(answer.starts_with("P2P-CI/1.0 200 OK\r\n"), "{answer}");
    }
    sharing.signal(Signal::TERM);
    let (status, out) = sharing.wait();
    assert_eq!((status.code(), out.as_str()), (Some(0), ""));
}

#[test]
fn the_start_says_on_standard_error_how_much_is_shared() {
    let server = server(&["-q"]);
    let (samples, empty) = (samples(), folder(&[("readme.txt", b"")]));
    for command_name in [&[][..], &["share"]] {
        let peer = Program::start("peer", peer_of(server.port, samples.path(), command_name));
        peer.expect_error(&format!(
            "2 RFC(s) of {} are shared\n",
            samples.path().display()
        ));
        assert!(!peer.printed().contains("are shared"));
        let peer = Program::start("peer", peer_of(server.port, empty.path(), command_name));
        let warning = format!(
            "warning: no RFCs are shared: {} has no files named rfcN.txt\n",
            empty.path().display()
        );
        peer.expect_error(&warning);
        assert!(!peer.printed().contains("no RFCs"));
    }
}
