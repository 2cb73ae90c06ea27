//! What the tests of the table have in common.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use super::{Now, Registrar};
use crate::registration::entry::DAY;
use crate::wire::di::registration::{Claim, Cookie, Registration};
use crate::wire::{Endpoint, Port, Status};

pub(super) const TTL: u64 = 7200;

pub(super) fn table() -> Registrar {
    Registrar::new(Duration::from_secs(TTL))
}

pub(super) fn peer(port: u16) -> Endpoint {
    Endpoint::parse(&format!("vm:{port}"), Port::MIN).unwrap()
}

/// So many seconds after the test began, by both clocks.
pub(super) fn at(seconds: u64) -> Now {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let after = Duration::from_secs(seconds);
    Now {
        instant: *BEGIN + after,
        date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 * DAY) + after,
    }
}

pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Registers a local peer.
pub(super) fn register(
    table: &mut Registrar,
    port: u16,
    cookie: Option<Cookie>,
    now: Now,
) -> Registration {
    table.register(&peer(port), cookie, HERE, now).unwrap()
}

pub(super) fn cookie(number: u32) -> Cookie {
    Cookie(number)
}

/// A claim from a peer that speaks text, without its endpoint.
pub(super) fn claim(cookie: Cookie) -> Claim {
    Claim {
        cookie,
        peer: None,
        activates: false,
    }
}

/// The answer to a peer that asks for the active peers.
pub(super) fn asked(
    table: &mut Registrar,
    cookie: Cookie,
    now: Now,
) -> Result<Vec<Registration>, Status> {
    table.keep_alive(&claim(cookie), now)?;
    let mut others = table.others(cookie, now);
    others.sort();
    Ok(others.iter().collect())
}

pub(super) fn ports(told: &[Registration]) -> Vec<u16> {
    told.iter().map(|told| told.peer.port.get()).collect()
}
