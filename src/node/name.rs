//! The name under which others reach this peer, and why it is that one.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tracing::debug;

use crate::net::{local_address_toward, resolve};
use crate::wire::{Endpoint, Host, Port};

/// How long looking up a name may take.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// A name and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The name.
    pub host: Host,
    /// Why it was chosen.
    pub reason: Reason,
}

/// Why a name was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The user said so.
    Given,
    /// It is this machine's host name, and resolves to this address.
    HostName(IpAddr),
    /// It is the address that the upload server is bound to, and the host name does not lead
    /// there.
    Bound,
    /// It is the local address of the way to the server: this host name does not resolve.
    Unresolved(String),
    /// It is the local address of the way to the server, which is on another machine, while this
    /// host name leads nowhere but back to the machine it is used on.
    LoopbackOnly(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => write!(f, "given with --hostname"),
            Self::HostName(address) => {
                write!(f, "this machine's host name, which resolves to {address}")
            }
            Self::Bound => write!(f, "given with --bind"),
            Self::Unresolved(name) => write!(
                f,
                "the address of this machine toward the server, for its host name {name:?} \
                 does not resolve"
            ),
            Self::LoopbackOnly(name) => write!(
                f,
                "the address of this machine toward the server, for its host name {name:?} \
                 resolves to loopback only"
            ),
        }
    }
}

/// Chooses the name: `given`, else this machine's host name where others can use it, else the
/// local address toward `server`. `bound` is the address of the upload server, if it has one
/// of its own.
pub fn choose(given: Option<Host>, bound: Option<IpAddr>, server: &Endpoint) -> Choice {
    if let Some(host) = given {
        return Choice {
            host,
            reason: Reason::Given,
        };
    }
    let name = hostname::get()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let ways = Ways {
        own: name
            .parse()
            .ok()
            .map(|host| addresses(&host))
            .unwrap_or_default(),
        toward_server: way_to(server),
        bound: bound.filter(|address| !address.is_unspecified()),
    };
    ways.choose(&name)
}

fn addresses(host: &Host) -> Vec<IpAddr> {
    let endpoint = Endpoint {
        host: host.clone(),
        port: Port::MIN,
    };
    let found = resolve(&endpoint, RESOLVE_TIME).unwrap_or_else(|error| {
        debug!(%host, %error, "the host name does not resolve");
        Vec::new()
    });
    found
        .into_iter()
        .map(|address| address.ip().to_canonical())
        .collect()
}

/// The first way to the server that this machine has: the local address, and the server's.
fn way_to(server: &Endpoint) -> Option<(IpAddr, IpAddr)> {
    let addresses: Vec<SocketAddr> = resolve(server, RESOLVE_TIME).unwrap_or_default();
    addresses.into_iter().find_map(|remote| {
        let local = local_address_toward(remote).ok()?;
        Some((local, remote.ip().to_canonical()))
    })
}

/// What the choice is made from.
#[derive(Debug, Clone)]
struct Ways {
    /// What this machine's host name resolves to.
    own: Vec<IpAddr>,
    /// The local address toward the server, and the server's.
    toward_server: Option<(IpAddr, IpAddr)>,
    /// The address that the upload server is bound to, where it is not all of them.
    bound: Option<IpAddr>,
}

impl Ways {
    fn choose(self, name: &str) -> Choice {
        if let Some(bound) = self.bound.filter(|bound| !self.own.contains(bound)) {
            return Choice {
                host: bound.into(),
                reason: Reason::Bound,
            };
        }
        let host: Option<Host> = name.parse().ok();
        let outside = self.own.iter().find(|address| !address.is_loopback());
        let usable = outside.or_else(|| self.own.first().filter(|_| self.server_is_here()));
        if let (Some(host), Some(&address)) = (host, usable) {
            return Choice {
                host,
                reason: Reason::HostName(address),
            };
        }
        // Without any way to the server, connecting will say so.
        let local = self
            .toward_server
            .map_or(IpAddr::from([127, 0, 0, 1]), |(local, _)| local);
        let reason = if self.own.is_empty() {
            Reason::Unresolved(name.to_owned())
        } else {
            Reason::LoopbackOnly(name.to_owned())
        };
        Choice {
            host: local.into(),
            reason,
        }
    }

    /// A connection to our own address leaves from that address.
    fn server_is_here(&self) -> bool {
        self.toward_server
            .is_none_or(|(local, server)| server.is_loopback() || server == local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn ways(own: &[&str], local: &str, server: &str) -> Ways {
        Ways {
            own: own.iter().map(|text| ip(text)).collect(),
            toward_server: Some((ip(local), ip(server))),
            bound: None,
        }
    }

    fn chosen(ways: Ways) -> (String, Reason) {
        let choice = ways.choose("vm");
        (choice.host.to_string(), choice.reason)
    }

    #[test]
    fn a_host_name_with_an_address_is_used() {
        let reason = Reason::HostName(ip("10.0.0.5"));
        let ways = ways(&["127.0.1.1", "10.0.0.5"], "10.0.0.5", "10.0.0.1");
        assert_eq!(chosen(ways), ("vm".to_owned(), reason));
    }

    #[test]
    fn a_host_name_on_loopback_is_used_while_the_server_is_here() {
        let reason = Reason::HostName(ip("127.0.1.1"));
        for (local, server) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("10.0.0.5", "10.0.0.5"),
        ] {
            let choice = chosen(ways(&["127.0.1.1"], local, server));
            assert_eq!(choice, ("vm".to_owned(), reason.clone()));
        }
    }

    #[test]
    fn a_host_name_on_loopback_is_not_used_toward_another_machine() {
        let reason = Reason::LoopbackOnly("vm".to_owned());
        let ways = ways(&["127.0.1.1", "::1"], "10.0.0.5", "10.0.0.1");
        assert_eq!(chosen(ways), ("10.0.0.5".to_owned(), reason));
    }

    #[test]
    fn a_host_name_that_does_not_resolve_is_not_used() {
        let reason = Reason::Unresolved("vm".to_owned());
        let ways = ways(&[], "127.0.0.1", "127.0.0.1");
        assert_eq!(chosen(ways), ("127.0.0.1".to_owned(), reason));
    }

    #[test]
    fn a_bound_address_is_used_where_the_host_name_does_not_lead_there() {
        let mut ways = ways(&["127.0.1.1"], "127.0.0.1", "127.0.0.1");
        ways.bound = Some(ip("10.0.0.5"));
        assert_eq!(chosen(ways.clone()), ("10.0.0.5".to_owned(), Reason::Bound));
        ways.bound = Some(ip("127.0.1.1"));
        assert_eq!(chosen(ways).0, "vm");
    }
}
