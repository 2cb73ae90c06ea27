//! The kinds of index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::wire::dht::INTRODUCER_PORT;
use crate::wire::{Port, ci, di};

/// How peers learn who has what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From one server that knows all records: P2P-CI.
    Central,
    /// From each other; a server knows which peers are active: P2P-DI.
    Distributed,
    /// From each other; a distributed hash table leads to those who have it.
    Dht,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Central, Self::Distributed, Self::Dht];

    /// Its name in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Central => "central",
            Self::Distributed => "distributed",
            Self::Dht => "dht",
        }
    }

    /// A short description.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Central => "One server knows who has what: P2P-CI",
            Self::Distributed => "The peers know it, and a server knows who is active: P2P-DI",
            Self::Dht => "The peers know it, and no server is needed: a distributed hash table",
        }
    }

    /// The well-known port of its server.
    pub fn port(self) -> Port {
        let port = match self {
            Self::Central => ci::SERVER_PORT,
            Self::Distributed => di::REGISTRATION_PORT,
            Self::Dht => INTRODUCER_PORT,
        };
        Port::new(port).unwrap_or(Port::MIN)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("unknown kind of index {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_and_a_port_of_its_own() {
        for (kind, name, port) in [
            (Kind::Central, "central", 7734),
            (Kind::Distributed, "distributed", 65243),
            (Kind::Dht, "dht", 7494),
        ] {
            assert_eq!(
                (kind.to_string(), name.parse()),
                (name.to_owned(), Ok(kind))
            );
            assert_eq!(kind.port().get(), port);
        }
        let error = "Central".parse::<Kind>().unwrap_err();
        assert_eq!(error, "unknown kind of index \"Central\"");
    }
}
