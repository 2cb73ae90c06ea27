//! Who is at the other end of a connection, as far as messages and events tell.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

use super::feed::Message;
use super::first_line::first_line;
use crate::event::{Link, Role, Way};
use crate::wire::{Endpoint, Port};

/// The most connections, addresses and peers that are remembered, each; those heard of first are
/// forgotten.
const REMEMBERED: usize = 10_000;
/// The longest name that is remembered, in bytes.
const LONGEST: usize = 255;

/// The names of others.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// What requests said on connections that others opened.
    said: Latest<(Role, u64)>,
    /// Where this program has connected to.
    dialed: Latest<SocketAddr>,
    /// The peers of an introducer, by address and by the name that they chose.
    joined: Latest<(IpAddr, String)>,
}

impl Names {
    /// Takes in that this program has connected to `name`.
    pub(super) fn dialed(&mut self, remote: SocketAddr, name: &Endpoint) {
        self.dialed.insert(remote, name.to_string());
    }

    /// Takes in that a connection has ended.
    pub(super) fn closed(&mut self, link: Link) {
        self.said.remove(&(link.role, link.id));
    }

    /// The host and port of the other end of a message's connection.
    pub(super) fn of(&mut self, message: &Message) -> Option<&str> {
        let link = message.link;
        if matches!(link.role, Role::Index | Role::Download) {
            return self.dialed.get(&link.remote);
        }
        let connection = (link.role, link.id);
        if message.way == Way::Received {
            let name = match link.role {
                Role::Introducer => self.joining(link.remote.ip().to_canonical(), message),
                _ => in_headers(&message.bytes),
            };
            if let Some(name) = name {
                self.said.insert(connection, name);
            }
        }
        self.said.get(&connection)
    }

    /// The peer at `address` that a JOIN or DELETE is about.
    fn joining(&mut self, address: IpAddr, message: &Message) -> Option<String> {
        let line = String::from_utf8_lossy(first_line(&message.bytes));
        let mut words = line.split_whitespace();
        let (operation, chosen) = (words.next()?, words.next()?);
        if chosen.len() > LONGEST {
            return None;
        }
        let key = (address, chosen.to_owned());
        match operation {
            "JOIN" => {
                let port: Port = words.nth(1)?.parse().ok()?;
                let name = SocketAddr::new(address, port.get()).to_string();
                self.joined.insert(key, name.clone());
                Some(name)
            }
            "DELETE" => self.joined.remove(&key),
            _ => None,
        }
    }
}

/// The names that were inserted last.
#[derive(Debug)]
struct Latest<K> {
    /// Each with its place in the order.
    names: HashMap<K, (u64, String)>,
    order: BTreeMap<u64, K>,
    next: u64,
}

impl<K> Default for Latest<K> {
    fn default() -> Self {
        Self {
            names: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> Latest<K> {
    fn get(&self, key: &K) -> Option<&str> {
        self.names.get(key).map(|(_, name)| name.as_str())
    }

    fn remove(&mut self, key: &K) -> Option<String> {
        let (place, name) = self.names.remove(key)?;
        self.order.remove(&place);
        Some(name)
    }

    fn insert(&mut self, key: K, name: String) {
        self.remove(&key);
        self.order.insert(self.next, key.clone());
        self.names.insert(key, (self.next, name));
        self.next += 1;
        if self.names.len() > REMEMBERED
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.names.remove(&oldest);
        }
    }
}

/// The name that a request gives of its peer, in the headers Host and Port.
fn in_headers(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let field = |name: &str| {
        let mut lines = text.lines().skip(1).take_while(|line| !line.is_empty());
        lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let (host, port) = (
        field("host")?.parse().ok()?,
        field("port")?.parse::<Port>().ok()?,
    );
    Some(Endpoint { host, port }.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::web::first_line::kind;

    /// A message to an introducer on this connection.
    fn message(id: u64, text: &str) -> Message {
        Message {
            time: SystemTime::UNIX_EPOCH,
            link: Link {
                id,
                role: Role::Introducer,
                remote: "192.0.2.1:5".parse().unwrap(),
            },
            way: Way::Received,
            kind: kind(text.as_bytes()),
            bytes: text.into(),
            size: text.len(),
            more: 0,
            is_bad: false,
        }
    }

    #[test]
    fn a_new_peer_has_a_name_however_many_joined_before() {
        let mut names = Names::default();
        let mut join = |number: u64| {
            let text = format!("JOIN p{number} x 40001 y\r\n");
            names.of(&message(number, &text)).map(str::to_owned)
        };
        let name = Some("192.0.2.1:40001".to_owned());
        for number in 0..=u64::try_from(REMEMBERED).unwrap() {
            assert_eq!(join(number), name, "{number}");
        }
        assert_eq!(names.joined.names.len(), REMEMBERED);
        assert_eq!(names.joined.order.len(), REMEMBERED);
        // The first one is forgotten, the second one is not.
        let mut delete = |number: u64| {
            let text = format!("DELETE p{number}\r\n");
            names
                .of(&message(1_000_000 + number, &text))
                .map(str::to_owned)
        };
        assert_eq!((delete(0), delete(1)), (None, name));
    }

    #[test]
    fn a_long_name_is_not_remembered() {
        let mut names = Names::default();
        let text = format!("JOIN {} x 40001 y\r\n", "n".repeat(LONGEST + 1));
        assert_eq!(names.of(&message(1, &text)), None);
        assert!(names.joined.names.is_empty());
    }
}
