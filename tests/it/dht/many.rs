//! Many peers of which half are killed, and many documents.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{announced, ask, introducer, started};
use crate::support::{Program, at_menu, folder, peer_command, server, sharing};

/// How long finding, downloading or listing may take.
const SOON: Duration = Duration::from_secs(5);
const PEERS: u32 = 30;
const DOCUMENTS: u32 = 20;

/// An address of this machine that no other test uses: nodes of others, which get the ports of those
/// that are killed here, would join this network and add their documents.
const APART: &str = "127.77.0.1";

/// A peer of a network at [`APART`].
fn apart(introducer: u16, folder: &Path, arguments: &[&str]) -> Program {
    let introducer = format!("{APART}:{introducer}");
    let place = ["--index", "dht", "--host", &introducer, "--bind", APART];
    let shared = ["--dir", folder.to_str().unwrap()];
    let command = peer_command(&[&place, &shared[..], arguments].concat());
    sharing(Program::start("peer", command))
}

/// Has a peer make a choice, in time.
#[track_caller]
fn soon(peer: &mut Program, choice: &str) -> String {
    let begin = Instant::now();
    let printed = peer.answer(&[choice]);
    let time = begin.elapsed();
    assert!(time < SOON, "{choice} took {time:?}: {printed}");
    printed
}

#[test]
fn half_of_thirty_peers_and_the_introducer_are_killed_and_all_is_still_found() {
    let mut server = server(&["--index", "dht", "--bind", APART, "-q"]);
    let ours = folder(&[]);
    // Each document has two holders, of which one stays.
    let numbers = |peer: u32| {
        let both = [peer, PEERS + 1 - peer].into_iter();
        both.filter(|number| *number <= DOCUMENTS)
    };
    let text = |number: u32| format!("document {number}\n").repeat(100);
    let folders: Vec<_> = (1..=PEERS).map(|_| folder(&[])).collect();
    for (peer, folder) in (1..).zip(&folders) {
        for number in numbers(peer) {
            let path = folder.path().join(format!("rfc{}.txt", number + 100));
            fs::write(path, text(number)).unwrap();
        }
    }
    let starting: Vec<_> = folders
        .iter()
        .map(|folder| apart(server.port, folder.path(), &["--print-messages", "share"]))
        .collect();
    let mut peers: Vec<_> = (1..)
        .zip(starting)
        .map(|(number, peer)| announced(peer, numbers(number).count()))
        .collect();
    let mut seeker = at_menu(apart(server.port, ours.path(), &[]));
    server.kill();
    let rest = peers.split_off(peers.len() / 2);
    for mut dead in peers {
        dead.kill();
    }
    let living: Vec<_> = rest.iter().map(|peer| peer.port).collect();
    let is_alive = |line: &str| {
        let port = line.split(' ').nth(4).and_then(|port| port.parse().ok());
        port.is_some_and(|port: u16| living.contains(&port))
    };
    for number in 1..=DOCUMENTS {
        let printed = soon(&mut seeker, &format!("lookup {}", number + 100));
        // The last lines before the menu are the result.
        let end = printed.rfind("\n1. ADD    — ").unwrap();
        let start = printed
            .rfind(" answers\n")
            .map_or(0, |at| at + " answers\n".len());
        let found: Vec<_> = printed[start.min(end)..end].lines().collect();
        let records = found.iter().filter(|line| line.starts_with("RFC "));
        assert!(records.clone().count() > 0, "{printed}");
        assert!(records.clone().all(|line| is_alive(line)), "{printed}");
    }
    let printed = soon(&mut seeker, "list");
    let start = printed.rfind(" answered\n").unwrap();
    let listed = printed[start..]
        .lines()
        .filter(|line| line.starts_with("RFC "));
    assert!(listed.clone().all(is_alive), "{printed}");
    let mut listed: Vec<u32> = listed
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    listed.dedup();
    let all: Vec<_> = (101..=100 + DOCUMENTS).collect();
    assert_eq!(listed, all);
    for number in 1..=DOCUMENTS {
        soon(&mut seeker, &format!("get {}", number + 100));
        let path = ours.path().join(format!("rfc{}.txt", number + 100));
        assert_eq!(fs::read_to_string(path).unwrap(), text(number));
    }
}

#[test]
fn the_last_of_many_documents_is_found_by_a_peer_that_just_joined() {
    const MANY: u32 = 9823;
    let server = introducer(&["-q"]);
    let (theirs, ours) = (folder(&[]), folder(&[]));
    for number in 1..=MANY {
        fs::write(theirs.path().join(format!("rfc{number}.txt")), "text\n").unwrap();
    }
    let holder = started(server.port, theirs.path());
    // The last ones have a key of their own, and the first ones do not.
    for key in ["the catalogue", &format!("RFC {MANY}")] {
        let line = format!("[DHT] Announced port {} for {key}\n", holder.port);
        let is_announced = holder.wait_for(|printed| printed.contains(&line).then_some(()));
        assert!(is_announced.is_some(), "{}", holder.errors());
    }
    for number in [MANY.to_string(), "1".to_owned()] {
        let begin = Instant::now();
        let (code, out, errors) = ask(server.port, ours.path(), &["lookup", &number]);
        let time = begin.elapsed();
        assert_eq!((code, out.lines().count()), (Some(0), 1), "{errors}");
        assert!(time < SOON, "{number} took {time:?}");
    }
    let (code, ..) = ask(server.port, ours.path(), &["get", "1", "9823"]);
    assert_eq!(code, Some(0));
}
