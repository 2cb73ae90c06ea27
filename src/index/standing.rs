//! The state of a peer's connection to its index.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};

use crate::wire::Endpoint;
use crate::wire::di::registration::Cookie;

/// The state of the connection to the index's server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The server.
    pub server: Endpoint,
    /// Its state.
    pub state: State,
    /// When that state began.
    #[serde(with = "crate::wire::json::time")]
    pub since: SystemTime,
    /// The cookie from a registration server.
    pub cookie: Option<Cookie>,
}

/// Whether the server is reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// This peer is connected.
    Connected,
    /// This peer is registered.
    Registered,
    /// This peer is in contact with others.
    Joined,
    /// No other peer answers.
    Alone,
    /// The connection is lost, and this peer is reconnecting.
    Away,
}

impl Standing {
    /// Whether this peer has joined, and has not lost the connection since.
    pub fn is_joined(&self) -> bool {
        !matches!(self.state, State::Away | State::Alone)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        let state = match self.state {
            State::Connected => "connected",
            State::Registered => "registered",
            State::Joined => "joined",
            State::Alone => "alone",
            State::Away => "disconnected",
        };
        let since = DateTime::<Local>::from(self.since).format("%F %T");
        write!(f, "{server}, {state} since {since}")?;
        match self.cookie {
            Some(cookie) => write!(f, ", cookie {cookie}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Port;

    #[test]
    fn a_standing_names_the_server_and_the_cookie() {
        let since = SystemTime::now();
        let time = DateTime::<Local>::from(since).format("%F %T");
        for (state, cookie, expected) in [
            (
                State::Connected,
                None,
                format!("vm:5, connected since {time}"),
            ),
            (
                State::Registered,
                Some(Cookie::FIRST),
                format!("vm:5, registered since {time}, cookie 1"),
            ),
            (
                State::Away,
                None,
                format!("vm:5, disconnected since {time}"),
            ),
        ] {
            let standing = Standing {
                server: Endpoint::parse("vm:5", Port::MIN).unwrap(),
                state,
                since,
                cookie,
            };
            assert_eq!(standing.to_string(), expected);
        }
    }
}
