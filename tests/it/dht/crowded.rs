//! A hash table whose keys strangers have filled with addresses of their own.

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{announced, ask, introducer, started};
use crate::support::{PATIENCE, Program, dead_port, folder};

/// The places of the catalogue and of RFC 7.
const CATALOGUE: &str = "186632515a16cb605f284c6de14f0307f477cb63";
const RFC_7: &str = "d0e8f2694a71d7f248fbaa582957b59ac7c47f1b";
/// How long a command may take.
const SOON: Duration = Duration::from_secs(5);

/// Somebody with any number of identifiers.
struct Stranger {
    socket: UdpSocket,
    identifiers: u64,
}

impl Stranger {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let identifiers = 0;
        Self {
            socket,
            identifiers,
        }
    }

    /// Announces a port for a key at a node, as one more identifier.
    fn announce(&mut self, node: u16, key: &str, port: u16) {
        self.identifiers += 1;
        let id = format!("{:020}", self.identifiers);
        let key: Vec<_> = (0..40)
            .step_by(2)
            .map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap())
            .collect();
        let mut query = format!("d1:ad2:id20:{id}9:info_hash20:").into_bytes();
        query.extend(&key);
        query.extend(b"e1:q9:get_peers2:roi1e1:t4:aaaa1:y1:qe");
        let answer = self.ask(node, &query);
        let name = b"5:token4:";
        let token = answer.windows(name.len()).position(|part| part == name);
        let token = token.unwrap() + name.len();
        let mut query = format!("d1:ad2:id20:{id}12:implied_porti0e9:info_hash20:").into_bytes();
        query.extend(&key);
        write!(query, "4:porti{port}e5:token4:").unwrap();
        query.extend(&answer[token..token + 4]);
        query.extend(b"e1:q13:announce_peer2:roi1e1:t4:aaab1:y1:qe");
        let answer = self.ask(node, &query);
        assert!(answer.ends_with(b"1:y1:re"), "{answer:?}");
    }

    fn ask(&self, node: u16, query: &[u8]) -> Vec<u8> {
        let mut answer = [0; 2048];
        // A node may ask back.
        loop {
            self.socket.send_to(query, ("127.0.0.1", node)).unwrap();
            let length = self.socket.recv(&mut answer).unwrap();
            if !answer[..length].ends_with(b"1:y1:qe") {
                return answer[..length].to_vec();
            }
        }
    }
}

/// Three peers, with RFCs 7, 8 and 9.
fn three_peers(introducer: u16) -> Vec<(Program, TempDir)> {
    let folders = ["rfc7.txt", "rfc8.txt", "rfc9.txt"].map(|name| folder(&[(name, b"text")]));
    let starting = folders.map(|folder| (started(introducer, folder.path()), folder));
    let peers = starting.into_iter();
    peers
        .map(|(peer, folder)| (announced(peer, 1), folder))
        .collect()
}

/// What `list` shows to a newcomer: the numbers, how it ended, and what it said.
fn list(introducer: u16) -> (Vec<String>, Option<i32>, String) {
    let begin = Instant::now();
    let (code, out, errors) = ask(introducer, folder(&[]).path(), &["list"]);
    let time = begin.elapsed();
    assert!(time < SOON, "it took {time:?}: {errors}");
    let numbers = out.lines().map(|line| line.split(' ').nth(1).unwrap());
    (numbers.map(str::to_owned).collect(), code, errors)
}

#[test]
fn peers_that_dead_addresses_crowd_out_are_still_found() {
    let server = introducer(&["-q"]);
    let peers = three_peers(server.port);
    // A peer's node has the port number of its upload server.
    let mut nodes: Vec<_> = peers.iter().map(|(peer, _)| peer.port).collect();
    nodes.push(server.port);
    let mut stranger = Stranger::new();
    let dead: Vec<_> = (0..70).map(|_| dead_port()).collect();
    for node in nodes {
        for port in &dead {
            stranger.announce(node, CATALOGUE, *port);
            stranger.announce(node, RFC_7, *port);
        }
    }
    let (numbers, code, errors) = list(server.port);
    assert_eq!(
        (numbers.join(" "), code),
        ("7 8 9".to_owned(), Some(0)),
        "{errors}"
    );
    assert!(errors.contains(" asked, 3 answered"), "{errors}");
    let ours = folder(&[]);
    let (code, _, errors) = ask(server.port, ours.path(), &["get", "7"]);
    assert_eq!(code, Some(0), "{errors}");
}

#[test]
fn silent_addresses_hide_nobody() {
    let server = introducer(&["-q"]);
    let peers = three_peers(server.port);
    let silent: Vec<_> = (0..40)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut stranger = Stranger::new();
    let nodes = peers.iter().map(|(peer, _)| peer.port);
    for node in nodes.chain([server.port]) {
        for address in &silent {
            stranger.announce(node, CATALOGUE, address.local_addr().unwrap().port());
        }
    }
    let (numbers, code, errors) = list(server.port);
    assert_eq!(
        (numbers.join(" "), code),
        ("7 8 9".to_owned(), Some(0)),
        "{errors}"
    );
}

#[test]
fn that_nobody_answers_is_no_empty_list() {
    let server = introducer(&["-q"]);
    // A node that shares nothing, and stores what others announce.
    let node = super::member(server.port);
    let mut stranger = Stranger::new();
    for port in [dead_port(), dead_port()] {
        for node in [server.port, node.address().port()] {
            stranger.announce(node, CATALOGUE, port);
        }
    }
    let (numbers, code, errors) = list(server.port);
    assert_eq!((numbers.len(), code), (0, Some(4)), "{errors}");
    assert!(
        errors.starts_with("error: none of the 2 peer(s) that were found answers"),
        "{errors}"
    );
}
