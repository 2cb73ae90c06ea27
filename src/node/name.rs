//! Chooses the name that others use to reach this peer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tracing::debug;

use super::Failure;
use crate::net::{local_address_toward, reachable, resolve};
use crate::wire::{Endpoint, Host, Port};

/// How long a name lookup may take.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// Chooses a name, and gives the reason: `given`, else this machine's host name if others can use
/// it, else the local address toward `server`. `bound` is the address of the upload server.
pub(super) fn choose(
    given: Option<Host>,
    bound: Option<IpAddr>,
    server: &Endpoint,
) -> (Host, String) {
    if let Some(host) = given {
        return (host, "given with --hostname".to_owned());
    }
    let name = hostname::get().unwrap_or_default();
    let name = name.to_string_lossy();
    let ways = Ways {
        own: name.parse().map_or(Vec::new(), |host| addresses(&host)),
        toward_server: way_to(server),
        bound: bound.filter(|address| !address.is_unspecified()),
    };
    ways.choose(&name)
}

/// Chooses an IPv4 address, by which a hash table knows peers: the one of `given`, else the local one
/// toward `server`.
pub(super) fn choose_ipv4(
    given: Option<Host>,
    bound: Option<IpAddr>,
    server: &Endpoint,
) -> Result<(Host, String), Failure> {
    if let Some(host) = given {
        let found = addresses(&host).into_iter().find(IpAddr::is_ipv4);
        let why = format_args!("{host} (--hostname) has no IPv4 address; the DHT uses IPv4 only");
        let found = found.ok_or_else(|| Failure::other(why))?;
        return Ok((found.into(), "given with --hostname".to_owned()));
    }
    let bound = bound.filter(|address| address.is_ipv4() && !address.is_unspecified());
    if let Some(bound) = bound {
        return Ok((bound.into(), "given with --bind".to_owned()));
    }
    let toward = resolve(server, RESOLVE_TIME)
        .unwrap_or_default()
        .into_iter();
    let toward = toward.filter(SocketAddr::is_ipv4);
    let local = toward.filter_map(|remote| local_address_toward(remote).ok());
    // Without the introducer, it is the one at which most others reach this machine.
    let mut local = local.chain(reachable(None).into_iter().filter(IpAddr::is_ipv4));
    let local = local.next().unwrap_or(Ipv4Addr::LOCALHOST.into());
    let reason = "the address of this machine toward the introducer";
    Ok((local.into(), reason.to_owned()))
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
    let canonical = |address: SocketAddr| address.ip().to_canonical();
    found.into_iter().map(canonical).collect()
}

/// The local address toward the server, and the server's own.
fn way_to(server: &Endpoint) -> Option<(IpAddr, IpAddr)> {
    let addresses = resolve(server, RESOLVE_TIME).unwrap_or_default();
    addresses.into_iter().find_map(|remote| {
        let local = local_address_toward(remote).ok()?;
        Some((local, remote.ip().to_canonical()))
    })
}

/// The addresses that the choice depends on.
#[derive(Debug, Clone)]
struct Ways {
    /// The addresses of this machine's host name.
    own: Vec<IpAddr>,
    /// The local address toward the server, and the server's own.
    toward_server: Option<(IpAddr, IpAddr)>,
    /// The address of the upload server, unless it listens on all.
    bound: Option<IpAddr>,
}

impl Ways {
    fn choose(self, name: &str) -> (Host, String) {
        if let Some(bound) = self.bound.filter(|bound| !self.own.contains(bound)) {
            // The host name does not resolve to it.
            return (bound.into(), "given with --bind".to_owned());
        }
        let host: Option<Host> = name.parse().ok();
        let outside = self.own.iter().find(|address| !address.is_loopback());
        let usable = outside.or_else(|| self.own.first().filter(|_| self.server_is_here()));
        if let (Some(host), Some(address)) = (host, usable) {
            let reason = format!("this machine's host name, which resolves to {address}");
            return (host, reason);
        }
        // Without a route to the server, connecting will fail and say so.
        let local = self
            .toward_server
            .map_or(IpAddr::from([127, 0, 0, 1]), |(local, _)| local);
        let resolves = if self.own.is_empty() {
            "does not resolve"
        } else {
            "resolves to loopback only"
        };
        let toward = "the address of this machine toward the server";
        let reason = format!("{toward}, because its host name {name:?} {resolves}");
        (local.into(), reason)
    }

    /// A connection to this machine's own address starts from that address.
    fn server_is_here(&self) -> bool {
        self.toward_server
            .is_none_or(|(local, server)| server.is_loopback() || server == local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOWARD: &str = "the address of this machine toward the server, ";

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

    fn chosen(ways: Ways) -> (String, String) {
        let (host, reason) = ways.choose("vm");
        (host.to_string(), reason)
    }

    #[test]
    fn a_host_name_with_an_address_is_used() {
        let reason = "this machine's host name, which resolves to 10.0.0.5".to_owned();
        let ways = ways(&["127.0.1.1", "10.0.0.5"], "10.0.0.5", "10.0.0.1");
        assert_eq!(chosen(ways), ("vm".to_owned(), reason));
    }

    #[test]
    fn a_host_name_on_loopback_is_used_while_the_server_is_here() {
        let reason = "this machine's host name, which resolves to 127.0.1.1".to_owned();
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
        let reason = TOWARD.to_owned() + "because its host name \"vm\" resolves to loopback only";
        let ways = ways(&["127.0.1.1", "::1"], "10.0.0.5", "10.0.0.1");
        assert_eq!(chosen(ways), ("10.0.0.5".to_owned(), reason));
    }

    #[test]
    fn a_host_name_that_does_not_resolve_is_not_used() {
        let reason = TOWARD.to_owned() + "because its host name \"vm\" does not resolve";
        let ways = ways(&[], "127.0.0.1", "127.0.0.1");
        assert_eq!(chosen(ways), ("127.0.0.1".to_owned(), reason));
    }

    #[test]
    fn a_bound_address_is_used_if_the_host_name_does_not_resolve_to_it() {
        let mut ways = ways(&["127.0.1.1"], "127.0.0.1", "127.0.0.1");
        ways.bound = Some(ip("10.0.0.5"));
        let bound = ("10.0.0.5".to_owned(), "given with --bind".to_owned());
        assert_eq!(chosen(ways.clone()), bound);
        ways.bound = Some(ip("127.0.1.1"));
        assert_eq!(chosen(ways).0, "vm");
    }
}
