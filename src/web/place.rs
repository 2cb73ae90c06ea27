//! Where the page is served: `[ADDR:]PORT`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::time::Duration;

use crate::net::resolve;
use crate::wire::{Endpoint, Host, Port};

/// How long the address of a host name may take.
const RESOLVE_TIME: Duration = Duration::from_secs(10);

/// Where the page is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebPlace {
    /// The host name that the user has given, if any.
    pub name: Option<Host>,
    address: Option<IpAddr>,
    /// The port; 0 for any free one.
    pub port: u16,
}

/// The host has no address.
#[derive(Debug, thiserror::Error)]
#[error("--web: unknown host {name}: {reason}")]
pub struct WebPlaceError {
    name: Host,
    reason: io::Error,
}

impl WebPlace {
    /// The local address.
    pub(super) fn address(&self) -> Result<IpAddr, WebPlaceError> {
        let Some(name) = &self.name else {
            return Ok(self.address.unwrap_or(Ipv4Addr::LOCALHOST.into()));
        };
        let endpoint = Endpoint {
            host: name.clone(),
            port: Port::MIN,
        };
        let none = || Err(io::Error::other("it has no address"));
        let found = resolve(&endpoint, RESOLVE_TIME);
        let first = found.and_then(|found| found.first().map_or_else(none, |first| Ok(first.ip())));
        first.map_err(|reason| WebPlaceError {
            name: name.clone(),
            reason,
        })
    }
}

impl FromStr for WebPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("invalid address {text:?}; for example 8080 or 192.0.2.1:8080");
        let (host, port) = match text.rsplit_once(':') {
            None => (None, text),
            Some((host, port)) => (Some(host), port),
        };
        let port = port.parse().map_err(|_| wrong())?;
        let host = host.map(|host| {
            let inner = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            inner.unwrap_or(host)
        });
        let address = host.and_then(|host| host.parse().ok());
        let name = match (host, address) {
            (Some(host), None) => Some(host.parse().map_err(|_| wrong())?),
            _ => None,
        };
        Ok(Self {
            name,
            address,
            port,
        })
    }
}

impl fmt::Display for WebPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.address) {
            (Some(name), _) => write!(f, "{name}:{}", self.port),
            (None, Some(IpAddr::V6(address))) => write!(f, "[{address}]:{}", self.port),
            (None, Some(address)) => write!(f, "{address}:{}", self.port),
            (None, None) => write!(f, "{}", self.port),
        }
    }
}
