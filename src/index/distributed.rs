//! The distributed index (P2P-DI/1.0): a registration server knows which peers are active, and the
//! peers tell each other what they have.
//!
//! Every third of the TTL this peer sends a KEEPALIVE. If the server no longer knows the peer, it
//! registers again.

use std::collections::HashSet;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::ask::AskError;
use super::cookie::CookieFile;
use super::keeper::{self, Keeper, Kept};
use super::{Index, IndexError, Listing, Listings, Participation, Query, Records, Standing, State};
use crate::event::{IndexStep, Level, Topic};
use crate::library::Rfc;
use crate::net::{Sockets, connect};
use crate::wire::di::TTL;
use crate::wire::di::client::Response;
use crate::wire::di::registration::{Claim, Cookie, Request};
use crate::wire::{Endpoint, Host, RfcNumber, Status};

/// How long connecting may take,
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// and how long the other side may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long each of connecting and answering may take for another peer; there are others to ask.
const INDEX_TIME: Duration = Duration::from_secs(10);
/// How long each of connecting and answering may take when leaving.
const LEAVE_TIME: Duration = Duration::from_secs(2);
/// The shortest pause between two KEEPALIVEs, whatever the TTL.
const SHORTEST_KEEPALIVE: Duration = Duration::from_millis(100);

/// A distributed index, in which this peer stays registered.
#[derive(Debug)]
pub(super) struct Distributed {
    keeper: Keeper,
    registration: Mutex<Registration>,
}

#[derive(Debug)]
struct Registration {
    cookie: Option<Cookie>,
    /// The time to live that the server last gave.
    ttl: Duration,
    /// The peers in the last list of active ones. They supply the ports that some records lack.
    peers: Arc<[Endpoint]>,
}

impl Distributed {
    /// Registers with the server.
    pub(super) fn join(participation: Participation) -> Result<Arc<dyn Index>, IndexError> {
        participation.tell(Topic::Life, || IndexStep::Connecting);
        let cookie_file = participation.cookie_file.as_ref();
        let registration = Registration {
            cookie: cookie_file.and_then(CookieFile::read),
            ttl: Duration::ZERO,
            peers: Arc::default(),
        };
        let distributed = Self {
            keeper: Keeper::new(participation),
            registration: Mutex::new(registration),
        };
        distributed.register()?;
        keeper::start(Arc::new(distributed))
    }

    fn participation(&self) -> &Participation {
        &self.keeper.participation
    }

    /// How this peer says that it is registered.
    fn claim(&self) -> Result<Claim, IndexError> {
        let Participation { server, known, .. } = self.participation();
        let cookie = self.registration.lock().cookie;
        Ok(Claim {
            cookie: cookie.ok_or_else(|| IndexError::Away(server.clone()))?,
            peer: Some(known.me().clone()),
            activates: false,
        })
    }

    /// Sends a request to the registration server.
    fn ask_server(
        &self,
        sockets: &Sockets,
        request: &Request,
        time: Duration,
    ) -> Result<Response, IndexError> {
        let Participation { server, known, .. } = self.participation();
        let asked = self.participation().ask(
            server,
            || connect(sockets, server, time.min(CONNECT_TIME)),
            |dialect, origin| request.encode(dialect, known.me(), origin),
            |dialect, connection| request.read_answer(dialect, connection, time),
        );
        let asked = asked.and_then(|answered| Ok(answered.answer?));
        asked.map_err(|error| match error {
            AskError::Connect(error) => error.into(),
            AskError::Read(reason) => IndexError::NoAnswer {
                server: server.clone(),
                reason,
            },
            AskError::Refused(code) => IndexError::Refused(code),
        })
    }

    /// Sends a request that needs a registration, and registers again if the server no longer knows
    /// this peer.
    fn ask_registered(&self, request: fn(Claim) -> Request) -> Result<Response, IndexError> {
        let sockets = &self.participation().sockets;
        let response = self.ask_server(sockets, &request(self.claim()?), ANSWER_TIME)?;
        match response {
            Response::Refused {
                code,
                is_unknown_cookie,
            } if code == Status::NotRegistered.code() => {
                // An unknown cookie is useless; an expired one is still valid.
                if is_unknown_cookie {
                    self.registration.lock().cookie = None;
                }
                self.register()?;
                self.ask_server(sockets, &request(self.claim()?), ANSWER_TIME)
            }
            response => Ok(response),
        }
    }

    /// The error for an unexpected answer: the server refused.
    fn refused(&self, response: &Response) -> IndexError {
        match response {
            Response::Refused { code, .. } if *code == Status::ServiceUnavailable.code() => {
                IndexError::NoRoom(self.participation().server.clone())
            }
            Response::Refused { code, .. } => IndexError::Refused(*code),
            _ => IndexError::Refused(Status::Ok.code()),
        }
    }

    fn register(&self) -> Result<(), IndexError> {
        let participation = self.participation();
        let before = self.registration.lock().cookie;
        let request = Request::Register {
            peer: participation.known.me().clone(),
            cookie: before,
        };
        let response = self.ask_server(&participation.sockets, &request, ANSWER_TIME)?;
        let Response::Registered { cookie, ttl } = response else {
            return Err(self.refused(&response));
        };
        if let Some(file) = &participation.cookie_file
            && before != Some(cookie)
            && let Err(error) = file.write(cookie)
        {
            let file = file.path().display();
            let what = format_args!("cannot keep the cookie in {file}: {error}");
            participation.events.notice(Level::Warning, what);
        }
        let step = || IndexStep::Registered { cookie, ttl };
        participation.tell(Topic::Life, step);
        let mut registration = self.registration.lock();
        registration.cookie = Some(cookie);
        registration.ttl = Duration::from_secs(ttl.into());
        self.keeper.is_there();
        Ok(())
    }

    /// The other active peers, from the registration server.
    fn peers(&self) -> Result<Arc<[Endpoint]>, IndexError> {
        let response = self.ask_registered(Request::PeerQuery)?;
        let Response::Peers(active) = response else {
            return Err(self.refused(&response));
        };
        // Duplicates and this peer itself are skipped.
        let mut seen = HashSet::from([self.participation().known.me().clone()]);
        let others = active.into_iter().filter(|peer| seen.insert(peer.clone()));
        let others: Arc<[_]> = others.collect();
        self.registration.lock().peers = Arc::clone(&others);
        Ok(others)
    }

    /// Asks a peer for its index and merges it, or reports a failure. Returns whether it answered.
    /// The records of the document `wanted` matter most.
    fn query(&self, peer: &Endpoint, wanted: Option<RfcNumber>) -> bool {
        let participation = self.participation();
        let peers = Arc::clone(&self.registration.lock().peers);
        let port_at = |host: &Host| {
            let at_host = peers.iter().find(|known| known.host == *host);
            at_host.map(|known| known.port)
        };
        let asked = participation.query(peer, wanted, port_at, INDEX_TIME);
        if let Err(error) = &asked {
            participation.untold(peer, error);
        }
        asked.is_ok()
    }

    /// Who has a document: first from what is already known, then by asking one active peer after
    /// the other.
    fn search(&self, number: RfcNumber) -> Listings<'_> {
        let known = iter::once_with(move || Ok(listing(self.holders(number), 0, 0)));
        let peers = iter::once_with(|| self.peers()).flat_map(|peers| match peers {
            Ok(peers) => peers.iter().cloned().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        let (mut asked, mut answered) = (0, 0);
        let found = move |peer: Result<Endpoint, IndexError>| {
            answered += usize::from(self.query(&peer?, Some(number)));
            asked += 1;
            Ok(listing(self.holders(number), asked, answered))
        };
        let stays = |peer: &Result<_, _>| peer.is_err() || !self.is_closing();
        Box::new(known.chain(peers.take_while(stays).map(found)))
    }

    /// All known records; with `fresh`, every active peer is asked first.
    fn all(&self, fresh: bool) -> Result<Listing, IndexError> {
        let (mut asked, mut answered) = (0, 0);
        if fresh {
            let peers = self.peers()?;
            for peer in peers.iter().take_while(|_| !self.is_closing()) {
                asked += 1;
                answered += usize::from(self.query(peer, None));
            }
        }
        let all = self.participation().all(|_, _| true);
        Ok(listing(all, asked, answered))
    }

    /// The known holders of a document, this peer last.
    fn holders(&self, number: RfcNumber) -> Records {
        self.participation().holders(number, |_, _| true)
    }

    fn is_closing(&self) -> bool {
        self.participation().sockets.is_closing()
    }
}

fn listing(records: Records, asked: usize, answered: usize) -> Listing {
    Listing {
        records,
        asked,
        answered,
        in_messages: false,
        coverage: None,
    }
}

impl Index for Distributed {
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        self.participation().publish_locally(documents)
    }

    /// Nothing needs to be done: whoever asks is told what the library shares.
    fn take_back(&self, _: &[RfcNumber]) -> Result<(), IndexError> {
        Ok(())
    }

    fn find<'a>(&'a self, query: &Query) -> Listings<'a> {
        match *query {
            Query::Number { number, .. } => self.search(number),
            Query::All { fresh } => Box::new(iter::once_with(move || self.all(fresh))),
        }
    }

    fn standing(&self) -> Standing {
        let cookie = self.registration.lock().cookie;
        self.keeper.standing(State::Registered, cookie)
    }

    fn peers_known(&self) -> usize {
        self.participation().known.peers(Instant::now()).len()
    }

    fn known(&self) -> Option<Records> {
        Some(self.participation().all(|_, _| true))
    }

    fn leave(&self) {
        self.keeper.leave();
        let Ok(claim) = self.claim() else {
            return;
        };
        // The signal that ends the peer may have closed its sockets already.
        let sockets = Sockets::default();
        if let Err(error) = self.ask_server(&sockets, &Request::Leave(claim), LEAVE_TIME) {
            let events = &self.participation().events;
            let what =
                format_args!("cannot tell the index server that this peer is leaving: {error}");
            events.notice(Level::Warning, what);
        }
    }
}

impl Kept for Distributed {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Waits a third of the TTL and sends a KEEPALIVE.
    fn tend(&self, _: u32) -> Result<(), String> {
        let ttl = self.registration.lock().ttl;
        self.keeper.wait(keepalive_pause(ttl));
        if self.keeper.is_over() {
            return Ok(());
        }
        let lost = match self.ask_registered(Request::KeepAlive) {
            Ok(Response::Alive { ttl }) => {
                self.registration.lock().ttl = Duration::from_secs(ttl.into());
                return Ok(());
            }
            Ok(response) => self.refused(&response),
            Err(error) => error,
        };
        Err(lost.reason())
    }

    fn reconnect(&self) -> Result<(), IndexError> {
        self.register()
    }
}

/// The pause between two KEEPALIVEs: a third of the TTL, but not too short if a server gives none.
fn keepalive_pause(ttl: Duration) -> Duration {
    if ttl.is_zero() {
        Duration::from_secs(TTL.into()) / 3
    } else {
        (ttl / 3).max(SHORTEST_KEEPALIVE)
    }
}
