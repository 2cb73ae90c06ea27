//! Who is at the other end of a connection, as far as messages and events tell.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

use super::feed::Message;
use super::first_line::first_line;
use crate::event::{Link, Role, Way};
use crate::wire::{Endpoint, Port};

/// The most connections, addresses and peers that are remembered, each.
const REMEMBERED: usize = 10_000;

/// The names of others.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// What requests said on connections that others opened.
    said: HashMap<(Role, u64), String>,
    /// Where this program has connected to.
    dialed: HashMap<SocketAddr, String>,
    /// The peers of an introducer, by address and by the name that they chose.
    joined: HashMap<(IpAddr, String), String>,
}

impl Names {
    /// Takes in that this program has connected to `name`.
    pub(super) fn dialed(&mut self, remote: SocketAddr, name: &Endpoint) {
        remember(&mut self.dialed, remote, name.to_string());
    }

    /// Takes in that a connection has ended.
    pub(super) fn closed(&mut self, link: Link) {
        self.said.remove(&(link.role, link.id));
    }

    /// The host and port of the other end of a message's connection.
    pub(super) fn of(&mut self, message: &Message) -> Option<&str> {
        let link = message.link;
        if matches!(link.role, Role::Index | Role::Download) {
            return self.dialed.get(&link.remote).map(String::as_str);
        }
        let connection = (link.role, link.id);
        if message.way == Way::Received {
            let name = match link.role {
                Role::Introducer => self.joining(link.remote.ip().to_canonical(), message),
                _ => in_headers(&message.bytes),
            };
            if let Some(name) = name {
                remember(&mut self.said, connection, name);
            }
        }
        self.said.get(&connection).map(String::as_str)
    }

    /// The peer at `address` that a JOIN or DELETE is about.
    fn joining(&mut self, address: IpAddr, message: &Message) -> Option<String> {
        let line = String::from_utf8_lossy(first_line(&message.bytes));
        let mut words = line.split_whitespace();
        let (operation, chosen) = (words.next()?, words.next()?);
        let key = (address, chosen.to_owned());
        match operation {
            "JOIN" => {
                let port: Port = words.nth(1)?.parse().ok()?;
                let name = SocketAddr::new(address, port.get()).to_string();
                remember(&mut self.joined, key, name.clone());
                Some(name)
            }
            "DELETE" => self.joined.remove(&key),
            _ => None,
        }
    }
}

/// Remembers a value, unless that is one too many.
fn remember<K: Eq + Hash>(map: &mut HashMap<K, String>, key: K, value: String) {
    if map.len() < REMEMBERED || map.contains_key(&key) {
        map.insert(key, value);
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
