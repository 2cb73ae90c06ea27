//! What this machine knows about itself, and what the system's resolver knows about others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::wire::Endpoint;

/// The system's name and kernel release, as the `OS` header gives them: `Linux 6.1.0`.
pub fn operating_system() -> String {
    let system = rustix::system::uname();
    let (name, release) = (system.sysname(), system.release());
    format!("{} {}", name.to_string_lossy(), release.to_string_lossy())
}

/// The addresses of a host. It fails with [`io::ErrorKind::TimedOut`] if the resolver takes longer
/// than `time`.
pub fn resolve(endpoint: &Endpoint, time: Duration) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (endpoint.host.as_str().to_owned(), endpoint.port.get());
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // The system's resolver has no deadline, so it runs in a thread that can be abandoned.
    let (send, receive) = mpsc::channel();
    thread::Builder::new()
        .name(format!("resolve {host}"))
        .spawn(move || {
            // After a timeout nobody receives this.
            let _ = send.send((host.as_str(), port).to_socket_addrs().map(Vec::from_iter));
        })?;
    receive
        .recv_timeout(time)
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The addresses at which others may reach this machine: those of all interfaces, without
/// link-local ones.
fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let is_link_local = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let interfaces = if_addrs::get_if_addrs()?;
    let mut addresses: Vec<_> = interfaces.into_iter().map(|i| i.addr.ip()).collect();
    addresses.retain(|address| !is_link_local(address));
    // Globally usable addresses come first, and IPv4 before IPv6.
    addresses.sort_by_key(|address| (address.is_loopback(), *address));
    addresses.dedup();
    Ok(addresses)
}

/// The addresses at which others reach a server that listens on `bound`, or else on every address.
/// Empty if the system does not know.
pub fn reachable(bound: Option<IpAddr>) -> Vec<IpAddr> {
    if let Some(address) = bound.filter(|address| !address.is_unspecified()) {
        return vec![address];
    }
    let mut addresses = own_addresses().unwrap_or_default();
    addresses.retain(|address| bound.is_none_or(|bound| bound.is_ipv6() || address.is_ipv4()));
    addresses
}

/// The network to which the shares of strangers are given: an IPv4 address, or the /64 of an IPv6
/// address, all of which one customer of a provider can use.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// The local address from which this machine would connect to `remote`. Nothing is sent.
pub fn local_address_toward(remote: SocketAddr) -> io::Result<IpAddr> {
    let any = match remote {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
