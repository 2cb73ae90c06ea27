//! A page that shows the running program, over HTTP: its peers, its messages, its records.
//!
//! ```text
//!   sessions ──▶ feed ──▶ hub ──▶ ring ──▶ watchers
//!   (events)   (counts,  (renders (the last (one thread
//!               copies)   once)    events)   for each)
//! ```
//!
//! The feed is a reader of the program's events. What a browser asks for besides is read from a
//! [`Shown`]: a server, or a peer with its actions. The files of the page are in `page`.

mod action;
mod budget;
mod counters;
mod events;
mod feed;
mod files;
mod first_line;
mod gate;
mod http;
mod hub;
mod metrics;
mod names;
mod node;
mod place;
mod renderer;
mod ring;
mod servers;
mod session;
mod shown;

pub use node::NodePage;
pub use place::{WebPlace, WebPlaceError};
#[cfg(feature = "dht")]
pub use servers::IntroducerPage;
pub use servers::{CentralPage, RegistrationPage};
pub use shown::{About, Page, Peer, Record, Shown};

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::feed::Feed;
use self::gate::Gate;
use self::http::{Method, Refusal, Response, Status};
use self::hub::Hub;
use self::session::Sessions;
use crate::event::{Events, Level, Role};
use crate::net::{Connection, Limits, ListenError, Listener, Sockets, Stop, reachable};

/// How many connections may be open,
const CONNECTIONS: usize = 512;
/// and how many from one address; loopback is exempt.
const CONNECTIONS_PER_ADDRESS: usize = 64;
/// How long a browser may read nothing before its connection is closed.
const SEND_TIME: Duration = Duration::from_secs(30);

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The address is not known.
    #[error(transparent)]
    Place(#[from] WebPlaceError),
    /// The port can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system has no random numbers.
    #[error("cannot make a token: {0}")]
    Token(#[from] getrandom::Error),
    /// The threads can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A port that is open for browsers, which are not answered yet.
pub struct Web {
    listener: Listener,
    address: IpAddr,
    gate: Gate,
    feed: Feed,
}

impl Web {
    /// Opens the port at `place`.
    pub fn open(place: &WebPlace) -> Result<Self, WebError> {
        let address = place.address()?;
        let is_local = address.is_loopback();
        Ok(Self {
            listener: Listener::bind(Some(address), place.port)?,
            address,
            gate: Gate::new(place.name.clone(), is_local)?,
            feed: Feed::default(),
        })
    }

    /// These events, read by the page as well.
    #[must_use]
    pub fn read(&self, events: &Events) -> Events {
        events.and(self.feed.clone())
    }

    /// The addresses of the page. With the token, whoever opens them may read, and use a peer.
    pub fn addresses(&self, with_token: bool) -> Vec<String> {
        let port = self.listener.port();
        let hosts = if self.address.is_unspecified() {
            reachable(Some(self.address))
        } else {
            vec![self.address]
        };
        let token = if with_token || self.gate.reading_needs_token() {
            format!("#token={}", self.gate.token())
        } else {
            String::new()
        };
        let url = |host: IpAddr| match host {
            IpAddr::V4(host) => format!("http://{host}:{port}/{token}"),
            IpAddr::V6(host) => format!("http://[{host}]:{port}/{token}"),
        };
        hosts.into_iter().map(url).collect()
    }

    /// Shows `shown` to browsers, in the background, until it is dropped. `stop` closes all
    /// connections.
    pub fn serve(
        self,
        shown: Arc<dyn Shown>,
        events: &Events,
        stop: &Stop,
    ) -> Result<WebServer, WebError> {
        let sockets = Sockets::with_limits(Limits {
            total: CONNECTIONS,
            per_address: CONNECTIONS_PER_ADDRESS,
            send_time: SEND_TIME,
        });
        stop.watch(&sockets);
        let hub = Arc::new(Hub::new(self.feed));
        hub.show(shown);
        let server = WebServer {
            sockets: sockets.clone(),
            hub: Arc::clone(&hub),
        };
        let sessions = Sessions {
            hub: Arc::clone(&hub),
            gate: self.gate,
            sockets: sockets.clone(),
            watchers: Arc::default(),
        };
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        thread("page").spawn(move || hub.run())?;
        let (listener, events) = (self.listener, events.clone());
        let serve = move || {
            let answer = move |connection: &mut Connection| sessions.serve(connection);
            let accepted = listener.serve(Role::Web, &sockets, no_room(), &events, answer);
            if let Err(error) = accepted {
                let what = format_args!("cannot accept browsers: {error}");
                events.notice(Level::Warning, what);
            }
        };
        thread("web").spawn(serve)?;
        Ok(server)
    }
}

/// The answer to a connection over the limit.
fn no_room() -> Vec<u8> {
    let why = "too many connections; close a page and try again";
    let mut answer = Vec::new();
    // Writing to memory does not fail.
    let refusal = Response::from(Refusal::new(Status::Unavailable, why));
    let _ = refusal.write(&mut answer, Method::Get, false);
    answer
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Answers browsers. Dropping it ends that.
pub struct WebServer {
    sockets: Sockets,
    hub: Arc<Hub>,
}

impl fmt::Debug for WebServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebServer").finish_non_exhaustive()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.hub.end();
        self.sockets.close_all();
    }
}
