//! The index of a central server (P2P-CI/1.0). The peer keeps one connection open while it is
//! active, because closing it means leaving.
//!
//! While the connection is lost, queries fail at once with [`IndexError::Away`]. After
//! reconnecting, everything is registered again.

mod ahead;
mod exchange;
mod foreign;
mod register;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::keeper::{self, Keeper};
use super::{Index, IndexError, Listing, Listings, Participation, Query, Records, Standing, State};
use crate::event::{IndexStep, Level, Role, Topic};
use crate::library::Rfc;
use crate::net::{Connection, connect};
use crate::wire::ci::p2s::{Request, Sender};
use crate::wire::ci::responses::{MAX_KEPT, Response, Responses};
use crate::wire::{Dialect, ReadError, RfcNumber, Status, Title};

/// How long connecting to the server may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long leaving waits for the link: the keeper looks at it for a moment, a request may take long.
const FREE_TIME: Duration = Duration::from_millis(100);

/// A central index server, with reconnection.
#[derive(Debug)]
pub(super) struct Central {
    keeper: Keeper,
    /// The id of the last connection to the server. Leaving must not wait for the lock of the link,
    /// which is held during requests.
    connection: AtomicU64,
    /// The link to the server, or the reason why there is none.
    link: Mutex<Result<Link, String>>,
    /// Whether the server may misunderstand ADDs that are sent together, as far as known.
    takes_one: AtomicBool,
    /// Whether the server can't take back single records, as far as known.
    keeps_records: AtomicBool,
    /// Whether a LOOKUP finds records only with their title, if known.
    wants_titles: Mutex<Option<bool>>,
    /// The titles in the last LIST, while that is unknown: a LOOKUP should find what is in the list.
    listed: Mutex<BTreeMap<RfcNumber, Title>>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    responses: Responses,
    /// Whether the server has answered on this link.
    has_answered: bool,
    /// How many ADDs are sent together next.
    ahead: usize,
    /// What the server refused on this link. It may include documents that are no longer shared.
    refused: BTreeSet<RfcNumber>,
}

impl Central {
    /// Connects to the index server. It sends nothing: the first request adds the peer to the list.
    pub(super) fn join(participation: Participation) -> Result<Arc<dyn Index>, IndexError> {
        participation.tell(Topic::Life, || IndexStep::Connecting);
        let central = Self {
            keeper: Keeper::new(participation),
            connection: AtomicU64::new(0),
            link: Mutex::new(Err(String::new())),
            takes_one: AtomicBool::new(false),
            keeps_records: AtomicBool::new(false),
            wants_titles: Mutex::new(None),
            listed: Mutex::default(),
        };
        let Participation {
            server, dialects, ..
        } = central.participation();
        let first = dialects.attempts(server).first().copied();
        let link = central.connect(first.unwrap_or_default())?;
        *central.link.lock() = Ok(link);
        let connected = || IndexStep::Connected;
        central.participation().tell(Topic::Life, connected);
        keeper::start(Arc::new(central))
    }

    fn participation(&self) -> &Participation {
        &self.keeper.participation
    }

    fn sender(&self) -> Sender {
        self.participation().known.me().clone().into()
    }

    fn connect(&self, dialect: Dialect) -> Result<Link, IndexError> {
        let Participation {
            server,
            sockets,
            events,
            ..
        } = self.participation();
        let connection = connect(sockets, server, CONNECT_TIME)?;
        events.dialed(connection.link(Role::Index), server);
        self.connection.store(connection.id(), Ordering::SeqCst);
        // Leaving closes only the connection stored here.
        if self.keeper.is_leaving() {
            return Err(IndexError::Away(server.clone()));
        }
        Ok(Link {
            connection,
            responses: Responses::new(dialect),
            has_answered: false,
            ahead: 1,
            refused: BTreeSet::new(),
        })
    }

    /// Uses the link to the server. If the server has never answered, and closes the connection or
    /// answers nonsense, another dialect is tried. After an error the stream is out of step or
    /// gone, so the link is dropped.
    fn with_link<T>(
        &self,
        mut work: impl FnMut(&mut Link) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let Participation {
            server, dialects, ..
        } = self.participation();
        let mut current = self.link.lock();
        let link = match &mut *current {
            Ok(link) if !self.keeper.is_leaving() => link,
            _ => return Err(IndexError::Away(server.clone())),
        };
        let done = dialects.try_each(server, IndexError::may_speak_otherwise, |dialect| {
            if link.responses.dialect() != dialect {
                *link = self.connect(dialect)?;
            }
            work(link)
        });
        if let Err(error) = &done {
            *current = Err(error.reason());
            self.keeper.is_lost();
        }
        done
    }

    fn ask(&self, request: Request) -> Result<Listing, IndexError> {
        listing(self.response(request)?)
    }

    fn response(&self, request: Request) -> Result<Response, IndexError> {
        let requests = [request];
        let responses =
            self.with_link(|link| self.exchange(link, &requests, |response| response))?;
        let response = responses.into_iter().next();
        let response = response.ok_or_else(|| self.no_answer(ReadError::Closed))?;
        if response.left_out > 0 {
            let (most, left_out) = (MAX_KEPT / 1024 / 1024, response.left_out);
            let what = format_args!(
                "the answer of the index is longer than {most} MiB: its last {left_out} record(s) \
                 are left out; lookup asks for a single RFC"
            );
            self.participation().events.notice(Level::Warning, what);
        }
        Ok(response)
    }

    fn no_answer(&self, reason: ReadError) -> IndexError {
        IndexError::NoAnswer {
            server: self.participation().server.clone(),
            reason,
        }
    }
}

/// What a response to a query found.
fn listing(response: Response) -> Result<Listing, IndexError> {
    match response.code {
        code if code == Status::Ok.code() => Ok(found(Records::of_response(response.bytes), true)),
        code if code == Status::NotFound.code() => Ok(found(Records::default(), true)),
        code => Err(IndexError::Refused(code)),
    }
}

fn found(records: Records, in_messages: bool) -> Listing {
    Listing {
        records,
        asked: 1,
        answered: 1,
        in_messages,
        coverage: None,
    }
}

impl Index for Central {
    /// In portions, so that queries can run in between.
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        self.participation().publishing(documents.len(), || {
            let (mut rest, mut all_accepted) = (documents, 0);
            while !rest.is_empty() {
                let (done, accepted) = self.with_link(|link| self.register_some(link, rest))?;
                rest = rest.get(done..).unwrap_or_default();
                all_accepted += accepted;
            }
            Ok(all_accepted)
        })
    }

    fn take_back(&self, numbers: &[RfcNumber]) -> Result<(), IndexError> {
        let mut numbers = numbers.iter();
        numbers.try_for_each(|&number| self.with_link(|link| self.take_back_on(link, number)))
    }

    fn find<'a>(&'a self, query: &Query) -> Listings<'a> {
        let query = query.clone();
        Box::new(iter::once_with(move || match query {
            Query::Number { number, title } => self.look_up(number, title),
            Query::All { .. } => self.list(),
        }))
    }

    fn standing(&self) -> Standing {
        self.keeper.standing(State::Connected, None)
    }

    fn leave(&self) {
        self.keeper.leave();
        let Participation { known, sockets, .. } = self.participation();
        // Some dialects have a request for leaving. It is sent if no other request is running.
        if let Some(mut current) = self.link.try_lock_for(FREE_TIME)
            && let Ok(link) = &mut *current
            && let Some(goodbye) = link.responses.goodbye(known.me())
        {
            // A server that does not get it sees the close.
            let _ = self.exchange(link, &[goodbye], drop);
        }
        sockets.close(self.connection.load(Ordering::SeqCst));
    }
}

/// A dropped link is closed, also for the keeper that watches it.
impl Drop for Link {
    fn drop(&mut self) {
        self.connection.close();
    }
}
