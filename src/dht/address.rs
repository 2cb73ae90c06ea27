//! Addresses that a node can use: IPv4 only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mainline::DEFAULT_BOOTSTRAP_NODES;

use crate::net::resolve;
use crate::wire::{Endpoint, Port};

/// How long looking up the name of a node may take.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// An address that the DHT can't use.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The host has only other addresses.
    #[error("{0} has no IPv4 address; the DHT uses IPv4 only")]
    NoIpv4(String),
    /// The address is another one.
    #[error("{0} is no IPv4 address; the DHT uses IPv4 only")]
    NotIpv4(IpAddr),
    /// The host can't be found.
    #[error("cannot find the address of {0}: {1}")]
    Unknown(String, io::Error),
}

/// The IPv4 addresses of a node to join through.
pub fn addresses(node: &Endpoint) -> Result<Vec<SocketAddrV4>, AddressError> {
    let found = resolve(node, RESOLVE_TIME);
    let found = found.map_err(|error| AddressError::Unknown(node.host.to_string(), error))?;
    let addresses: Vec<_> = found.into_iter().filter_map(v4).collect();
    if addresses.is_empty() {
        return Err(AddressError::NoIpv4(node.host.to_string()));
    }
    Ok(addresses)
}

/// The local address of a node that is to use `bind`, if given, and joins through these addresses.
/// Nobody beyond this machine needs to reach a node that joins through loopback.
pub fn local_address(
    bind: Option<IpAddr>,
    bootstrap: &[SocketAddrV4],
) -> Result<Ipv4Addr, AddressError> {
    let is_local = !bootstrap.is_empty() && bootstrap.iter().all(|node| node.ip().is_loopback());
    match bind.map(|bind| bind.to_canonical()) {
        Some(IpAddr::V4(bind)) => Ok(bind),
        Some(bind) => Err(AddressError::NotIpv4(bind)),
        None if is_local => Ok(Ipv4Addr::LOCALHOST),
        None => Ok(Ipv4Addr::UNSPECIFIED),
    }
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, address.port())),
        IpAddr::V6(_) => None,
    }
}

/// The well-known nodes of the public network. Those whose names are not found now are left out.
pub(super) fn public_nodes() -> Vec<SocketAddrV4> {
    let named = DEFAULT_BOOTSTRAP_NODES.into_iter();
    let nodes = named.filter_map(|name| Endpoint::parse(name, Port::MIN).ok());
    nodes
        .filter_map(|node| addresses(&node).ok())
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_local_where_its_introducer_is_and_uses_ipv4_only() {
        let [local, far] = ["127.0.0.1:5", "192.0.2.1:5"].map(|node| node.parse().unwrap());
        let any = Ipv4Addr::UNSPECIFIED;
        for (bind, bootstrap, expected) in [
            (None, vec![local], Some(Ipv4Addr::LOCALHOST)),
            (None, vec![local, far], Some(any)),
            (None, vec![], Some(any)),
            (
                Some("192.0.2.7"),
                vec![local],
                Some(Ipv4Addr::new(192, 0, 2, 7)),
            ),
            (
                Some("::ffff:192.0.2.7"),
                vec![],
                Some(Ipv4Addr::new(192, 0, 2, 7)),
            ),
            (Some("::1"), vec![local], None),
        ] {
            let bind = bind.map(|bind| bind.parse().unwrap());
            assert_eq!(local_address(bind, &bootstrap).ok(), expected);
        }
        let endpoint = |text| Endpoint::parse(text, Port::MIN).unwrap();
        assert_eq!(addresses(&endpoint("127.0.0.1:5")).unwrap(), [local]);
        let error = addresses(&endpoint("[::1]:5")).unwrap_err().to_string();
        assert_eq!(error, "::1 has no IPv4 address; the DHT uses IPv4 only");
    }
}
