//! Indexes that make peers fill their memory, or connect where they should not.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{
    Client, Program, dead_port, folder, peer_at_menu, peer_of, pretend, run, server,
};

/// A central index that answers LIST and LOOKUP with these records.
fn index(records: impl Fn() -> String + Send + 'static) -> u16 {
    pretend(move |mut client| {
        while !client.head().is_empty() {
            let records = records();
            let answer = format!("P2P-CI/1.0 200 OK\r\n\r\n{records}\r\n");
            // A client may close early.
            let _ = client.stream().write_all(answer.as_bytes());
        }
    })
}

/// A holder that has nothing, and the count of those who connected to it.
fn counting() -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let port = pretend(move |mut client| {
        counted.fetch_add(1, Ordering::SeqCst);
        client.head();
        client.send("P2P-CI/1.0 404 Not Found\r\n\r\n");
    });
    (port, count)
}

fn records(ports: impl IntoIterator<Item = u16>) -> String {
    let line = |port| format!("RFC 7 Seven 127.0.0.1 {port}\r\n");
    ports.into_iter().map(line).collect()
}

/// The exit code and the errors of a `get`.
fn get(index: u16, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = folder(&[]);
    let get = [&["get", "7"], arguments].concat();
    let (status, _, errors) = run("peer", peer_of(index, folder.path(), &get));
    (status.code(), errors)
}

fn at_menu(index: u16, folder: &tempfile::TempDir) -> Program {
    peer_at_menu("peer", index, folder.path(), &["-q"])
}

#[test]
fn an_endless_list_is_cut_and_the_user_is_told() {
    let line = format!("RFC 7 {} vm 5\r\n", "t".repeat(100));
    let port = index(move || line.repeat(70 * 1024 * 1024 / line.len()));
    let ours = folder(&[]);
    let mut peer = at_menu(port, &ours);
    peer.answer(&["find nothing"]);
    peer.expect_error("the answer of the index is longer than 64 MiB: its last ");
    peer.expect_error(" record(s) are left out; lookup asks for a single RFC");
    if let Some(peak) = peer.peak_memory() {
        assert!(peak < 2 * 64, "{peak} MiB");
    }
    // The connection goes on with the next response.
    peer.answer(&["find nothing"]);
}

#[test]
fn short_records_take_no_more_than_their_bytes() {
    let port = index(|| "RFC 7  a 1\r\n".repeat(1_500_000));
    let ours = folder(&[]);
    let mut peer = at_menu(port, &ours);
    peer.answer(&["find nothing"]);
    if let Some(peak) = peer.peak_memory() {
        // 17 MiB of records, and the program.
        assert!(peak < 60, "{peak} MiB");
    }
}

#[test]
fn ports_of_system_services_are_not_connected_to() {
    for port in [1, 22, 1023] {
        let index_port = index(move || records([port]));
        let (code, errors) = get(index_port, &[]);
        assert_eq!(code, Some(5), "{errors}");
        let said =
            format!("did not connect to 127.0.0.1:{port}: ports below 1024 need --any-port\n");
        assert!(errors.contains(&said), "{errors}");
    }
    // Nothing listens on port 1.
    let index_port = index(|| records([1]));
    let (code, errors) = get(index_port, &["--any-port"]);
    assert_eq!(code, Some(5), "{errors}");
    assert!(
        errors.contains("cannot connect to 127.0.0.1:1: "),
        "{errors}"
    );
}

#[test]
fn a_registration_server_names_no_ports_of_system_services_either() {
    let rs = server(&["--index", "distributed"]);
    let mut client = Client::connect(rs.port);
    client.send("REGISTER Peer P2P-DI/1.0\r\nHost: 127.0.0.1\r\nPort: 22\r\n\r\n");
    assert!(client.head().starts_with("P2P-DI/1.0 200 OK\r\n"));
    let (code, errors) = get(rs.port, &["--index", "distributed"]);
    assert_eq!(code, Some(3), "{errors}");
    let said = "127.0.0.1:22 did not send its index: did not connect to 127.0.0.1:22: ports below";
    assert!(errors.contains(said), "{errors}");
}

#[test]
fn a_holder_that_is_named_a_thousand_times_is_asked_once() {
    let (port, count) = counting();
    let index_port = index(move || records([port; 1000]));
    let (code, errors) = get(index_port, &[]);
    assert_eq!(code, Some(5), "{errors}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// What was asked for is what is downloaded, saved, printed and registered.
#[test]
fn records_of_another_rfc_answer_no_lookup() {
    let (holder, count) = counting();
    let other = index(move || format!("RFC 8 Eight 127.0.0.1 {holder}\r\n"));
    let (code, errors) = get(other, &[]);
    assert_eq!(code, Some(3), "{errors}");
    assert_eq!(count.load(Ordering::SeqCst), 0);

    let dead = dead_port();
    let both = index(move || format!("RFC 8 Eight vm 5\r\n{}", records([dead])));
    let folder = folder(&[]);
    let (status, found, _) = run("peer", peer_of(both, folder.path(), &["lookup", "7"]));
    assert_eq!(status.code(), Some(0));
    assert_eq!(found, format!("RFC 7 Seven 127.0.0.1 {dead}\n"));
}

#[test]
fn answers_to_other_requests_are_an_error() {
    let asked = AtomicUsize::new(8);
    let late = index(move || {
        format!(
            "RFC {} Title vm 5\r\n",
            asked.fetch_add(1, Ordering::SeqCst)
        )
    });
    let (code, errors) = get(late, &[]);
    assert_eq!(code, Some(4), "{errors}");
    assert!(
        errors.contains("its answers do not match the requests"),
        "{errors}"
    );
}

#[test]
fn a_command_tries_sixteen_holders_and_no_more() {
    let (holders, counts): (Vec<_>, Vec<_>) = (0..20).map(|_| counting()).unzip();
    let index_port = index(move || records(holders.iter().copied()));
    let (code, errors) = get(index_port, &[]);
    assert_eq!(code, Some(5), "{errors}");
    let said = "none of the first 16 peers with RFC 7 could deliver it, and no others were tried";
    assert!(errors.contains(said), "{errors}");
    let tried: usize = counts
        .iter()
        .map(|count| count.load(Ordering::SeqCst))
        .sum();
    assert_eq!(tried, 16);
}

#[test]
fn the_menu_asks_before_it_tries_more_than_sixteen_holders() {
    let dead: Vec<_> = (0..40).map(|_| dead_port()).collect();
    let index_port = index(move || records(dead.iter().copied()));
    let ours = folder(&[]);
    let mut peer = at_menu(index_port, &ours);
    peer.type_line("get 7");
    peer.expect("16 peers did not deliver RFC 7. Try more? [y/N]: ");
    peer.type_line("y");
    peer.expect("32 peers did not deliver RFC 7. Try more? [y/N]: ");
    let printed = peer.answer(&["n"]);
    let said = "[PEER] RFC 7 was not downloaded: none of the first 32 peers with RFC 7 could ";
    assert!(printed.contains(said), "{printed}");
    // To the end, if that is wanted.
    for line in ["get 7", "y", "y"] {
        peer.type_line(line);
    }
    let printed = peer.expect("[PEER] Could not download RFC 7 from any peer.\n");
    assert_eq!(printed.matches("[DOWNLOAD] Failed from ").count(), 40);
}
