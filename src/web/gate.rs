//! Who may ask: checks of the headers Host, Origin and Authorization.
//!
//! A page of another site can make a browser send requests here. If its name is made to point at
//! this machine (DNS rebinding), `Host` has that name. Otherwise `Origin` has it, and the browser
//! does not show it the answers.

use std::fmt::Write as _;
use std::net::IpAddr;

use subtle::ConstantTimeEq as _;

use super::http::{Refusal, Request, Status};
use crate::net::reachable;
use crate::wire::Host;

/// How many random bytes a token has.
const TOKEN: usize = 16;

/// Decides which requests are answered.
#[derive(Debug)]
pub(super) struct Gate {
    /// A host name that the user has given.
    name: Option<Host>,
    /// Whether only this machine can connect.
    is_local: bool,
    token: String,
}

impl Gate {
    /// A gate with a new token.
    pub(super) fn new(name: Option<Host>, is_local: bool) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; TOKEN];
        getrandom::fill(&mut bytes)?;
        let mut token = String::new();
        for byte in bytes {
            // Writing to memory does not fail.
            let _ = write!(token, "{byte:02x}");
        }
        Ok(Self {
            name,
            is_local,
            token,
        })
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether reading needs the token.
    pub(super) fn reading_needs_token(&self) -> bool {
        !self.is_local
    }

    /// Checks that a request was meant for this program, and does not come from another site.
    pub(super) fn check_host(&self, request: &Request) -> Result<(), Refusal> {
        let host = request.field("host").unwrap_or_default();
        if host.is_empty() {
            return Err(Refusal::new(Status::BadRequest, "the Host is missing"));
        }
        if !self.is_ours(name_of(host)) {
            let why = "this Host is not the address of this program; use its address or localhost";
            return Err(Refusal::new(Status::Forbidden, why));
        }
        let is_same = |origin: &str| origin.strip_prefix("http://") == Some(host);
        match request.field("origin") {
            Some(origin) if !is_same(origin) => {
                let why = "requests of other sites are not answered";
                Err(Refusal::new(Status::Forbidden, why))
            }
            _ => Ok(()),
        }
    }

    /// Checks that whoever asks may read.
    pub(super) fn check_reading(&self, request: &Request) -> Result<(), Refusal> {
        if self.is_local {
            return Ok(());
        }
        self.check_token(request)
    }

    /// Checks that whoever asks may change something.
    pub(super) fn check_changing(&self, request: &Request) -> Result<(), Refusal> {
        if request.field("origin").is_none() {
            return Err(Refusal::new(Status::Forbidden, "the Origin is missing"));
        }
        self.check_token(request)
    }

    fn check_token(&self, request: &Request) -> Result<(), Refusal> {
        let given = request.field("authorization").unwrap_or_default();
        let given = given.strip_prefix("Bearer ").unwrap_or_default();
        if bool::from(given.as_bytes().ct_eq(self.token.as_bytes())) {
            return Ok(());
        }
        let why = "wrong or no token; open the page at the address that the program has printed";
        Err(Refusal::new(Status::Unauthorized, why))
    }

    /// Whether a host is this machine: an address that it has, `localhost`, or the given name.
    fn is_ours(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = address.to_canonical();
            return address.is_loopback() || reachable(None).contains(&address);
        }
        let given = self.name.as_ref().map(Host::as_str);
        let names = ["localhost"].into_iter().chain(given);
        names
            .into_iter()
            .any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The host of a `Host` header, without its port and brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}
