//! The answer to PQUERY. It may be long, so it is measured first and then written in pieces.

use std::io::{self, Write};

use super::client::MAX_PEER_LIST;
use super::registration::Registration;
use super::{Origin, framed, head};
use crate::wire::frame::PREFIX;
use crate::wire::{Dialect, Status};

/// The answer to PQUERY: at most as long as peers accept, which is 16 MiB in text, or one frame.
#[derive(Debug)]
pub struct PeerList<I> {
    dialect: Dialect,
    head: Vec<u8>,
    peers: I,
    count: usize,
}

impl<I: Iterator<Item = Registration> + Clone> PeerList<I> {
    /// The answer with as many of the first `peers` as fit.
    pub(super) fn new(dialect: Dialect, peers: I, origin: Origin<'_>) -> Self {
        let (count, length) = measure(dialect, peers.clone());
        let head = match dialect {
            Dialect::Text => {
                let status = match count {
                    0 => Status::NoActivePeers,
                    _ => Status::Ok,
                };
                head(status, origin, &format!("Peers: {count}\r\n"), length)
            }
            Dialect::Framed => {
                let head = framed::body_head(length);
                let content = long(head.as_bytes()) + length;
                format!("{content:<PREFIX$}{head}").into_bytes()
            }
        };
        Self {
            dialect,
            head,
            peers,
            count,
        }
    }

    /// The number of peers in it.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no peers.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Writes it, or only its head and its first `most` peers.
    pub fn write(&self, most: usize, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.head)?;
        let mut buffer = Vec::new();
        for (peer, index) in self.peers.clone().zip(0..self.count.min(most)) {
            buffer.clear();
            encode(self.dialect, &peer, index, &mut buffer);
            out.write_all(&buffer)?;
        }
        if self.count <= most {
            out.write_all(end(self.dialect, self.count))?;
        }
        Ok(())
    }
}

/// How many of the peers fit, and the length of the body with them.
fn measure(dialect: Dialect, peers: impl Iterator<Item = Registration>) -> (usize, u64) {
    let fits = |length| match dialect {
        Dialect::Text => length <= MAX_PEER_LIST,
        Dialect::Framed => framed::fits(length),
    };
    let (mut count, mut length, mut buffer) = (0, 0, Vec::new());
    for peer in peers {
        buffer.clear();
        encode(dialect, &peer, count, &mut buffer);
        if !fits(length + long(&buffer) + long(end(dialect, count + 1))) {
            break;
        }
        length += long(&buffer);
        count += 1;
    }
    (count, length + long(end(dialect, count)))
}

fn long(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Encodes the peer at this index of the list.
fn encode(dialect: Dialect, registration: &Registration, index: usize, out: &mut Vec<u8>) {
    let Registration { peer, ttl, .. } = registration;
    // Writing to memory does not fail.
    let _ = match dialect {
        Dialect::Text => write!(out, "Peer {} {} {ttl}\r\n", peer.host, peer.port),
        Dialect::Framed => {
            let before = if index == 0 { '[' } else { ',' };
            write!(out, "{before}{}", framed::other_peer(registration))
        }
    };
}

/// What follows the last of so many peers.
fn end(dialect: Dialect, count: usize) -> &'static [u8] {
    match dialect {
        Dialect::Text => b"",
        Dialect::Framed if count == 0 => b"[]",
        Dialect::Framed => b"]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::di::client::Response;
    use crate::wire::di::registration::Cookie;
    use crate::wire::di::registration::tests::PEER_QUERY;
    use crate::wire::testing::Script;
    use crate::wire::{Endpoint, Port};
    use std::time::{Duration, SystemTime};

    const ORIGIN: Origin<'static> = Origin {
        date: SystemTime::UNIX_EPOCH,
        os: "Test 1",
    };

    /// Peers with names of this many bytes.
    fn peers(count: u16, name: usize) -> impl Iterator<Item = Registration> + Clone {
        let host: crate::wire::Host = "x".repeat(name).parse().unwrap();
        (0..count).map(move |number| Registration {
            cookie: Cookie(7),
            peer: Endpoint {
                host: host.clone(),
                port: Port::new(1000 + number % 5000).unwrap(),
            },
            is_active: true,
            ttl: 7199,
            registrations: 2,
            heard: SystemTime::UNIX_EPOCH,
        })
    }

    fn written<I: Iterator<Item = Registration> + Clone>(
        list: &PeerList<I>,
        most: usize,
    ) -> String {
        let mut bytes = Vec::new();
        list.write(most, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The peers in the list, as the peer that asked reads it.
    fn told(dialect: Dialect, count: u16, name: usize) -> Vec<Endpoint> {
        let list = PeerList::new(dialect, peers(count, name), ORIGIN);
        let mut source = Script::then_silence(written(&list, usize::MAX));
        let answer = PEER_QUERY(7).read_answer(dialect, &mut source, Duration::from_secs(1));
        let Response::Peers(told) = answer.unwrap().answer.unwrap() else {
            panic!("it is no list");
        };
        assert_eq!(told.len(), list.len());
        told
    }

    #[test]
    fn a_list_is_written_and_read_in_both_dialects_up_to_what_fits() {
        for dialect in [Dialect::Text, Dialect::Framed] {
            for count in [0, 1, 2, 300] {
                let expected = peers(count, 3).map(|registration| registration.peer);
                assert_eq!(told(dialect, count, 3), expected.collect::<Vec<_>>());
            }
        }
        // No more than are taken, and no fewer.
        let line = "Peer  1000 7199\r\n".len() + 255;
        assert_eq!(
            told(Dialect::Text, u16::MAX, 255).len(),
            16 * 1024 * 1024 / line
        );
        let list = PeerList::new(Dialect::Framed, peers(9000, 3), ORIGIN);
        let (one, frame) = (
            written(&list, 1).len() - written(&list, 0).len(),
            written(&list, 9000),
        );
        assert!((1024 * 1024 - one..=1024 * 1024 + PREFIX).contains(&frame.len()));
        assert_eq!(told(Dialect::Framed, 9000, 3).len(), list.len());
    }

    #[test]
    fn answers_are_exact_to_the_byte() {
        let begin = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nOS: Test 1\r\n";
        let text =
            |count, most| written(&PeerList::new(Dialect::Text, peers(count, 1), ORIGIN), most);
        let nobody = format!(
            "P2P-DI/1.0 404 No Active Peers\r\n{begin}Peers: 0\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(text(0, 9), nobody);
        let head = format!("P2P-DI/1.0 200 OK\r\n{begin}Peers: 2\r\nContent-Length: 32\r\n\r\n");
        let lines = ["Peer x 1000 7199\r\n", "Peer x 1001 7199\r\n"];
        let head = head.replace("32", "36");
        assert_eq!(text(2, 9), format!("{head}{}", lines.concat()));
        assert_eq!(text(2, 1), format!("{head}{}", lines[0]));

        let framed = |count| written(&PeerList::new(Dialect::Framed, peers(count, 1), ORIGIN), 9);
        let object = |port: u16| {
            format!(
                r#"{{"hostname":"x","cookie":0,"port":{port},"last_active_time":0.0,"registration_count":2,"active":true,"ttl":7199}}"#
            )
        };
        for (count, objects) in [(0, vec![]), (2, vec![object(1000), object(1001)])] {
            let body = serde_json::to_string(&objects).unwrap();
            let length = body.len();
            let content = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            assert_eq!(framed(count), format!("{:<10}{content}", content.len()));
        }
    }
}
