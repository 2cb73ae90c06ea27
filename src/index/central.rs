//! The index as one server keeps it (P2P-CI/1.0): a connection that is held while the peer is
//! active, for closing it is leaving.
//!
//! A keeper thread notices when the server goes away, says so once, comes back to it with growing
//! pauses, and registers everything again. Questions meanwhile are answered with
//! [`IndexError::Away`] at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use tracing::debug;

use super::{Index, IndexError, Listed, Rfc, capitalised, jittered};
use crate::event::{Event, Events, IndexStep, Role, Topic};
use crate::library::Library;
use crate::net::{Connection, Dialects, Sockets, Watch, connect};
use crate::wire::ci::framed;
use crate::wire::ci::p2s::{Request, Sender};
use crate::wire::ci::responses::{Asked, Response, ResponseError, Responses};
use crate::wire::frame::Dialect;
use crate::wire::{Endpoint, Record, RfcNumber, Status, Title};

/// How long connecting to the server may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// The pause before the first try to come back to a server that is away,
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// and the longest one. Each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A server that was there for this long is asked again soon; one that lets us in only to close
/// again is not.
const SETTLED_TIME: Duration = Duration::from_secs(5);
/// How long a server may take to close a connection that it has no room for, where there is nothing
/// to register that it would answer.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// The pause before what the server has refused is tried again, for the reason may have gone,
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// and the longest one. Each is twice the one before.
const LONGEST_RETRY: Duration = Duration::from_mins(15);

/// How a peer takes part in a central index.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The index server.
    pub server: Endpoint,
    /// The name under which others reach this peer.
    pub me: Endpoint,
    /// What it shares: all of it is registered whenever the server comes back.
    pub library: Arc<Library>,
    /// How many ADDs are sent before the first response is read: many servers take what one read
    /// gives them for one request, so more than 1 is for those that are known not to.
    pub pipeline: usize,
    /// How servers are spoken to.
    pub dialects: Dialects,
    /// The connections of this peer.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
}

impl Membership {
    /// Tells what happens between this peer and the index.
    fn tell<'a>(&'a self, topic: Topic, step: impl FnOnce() -> IndexStep<'a>) {
        self.events.tell(topic, || Event::Index {
            server: &self.server,
            step: step(),
        });
    }
}

/// A central index server, as long as it is there and whenever it comes back.
#[derive(Debug)]
pub struct Central(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    membership: Membership,
    /// The connection to the server, by its number among the sockets: leaving must not wait for
    /// the lock, which is held while the server is waited for.
    connection: AtomicU64,
    is_leaving: AtomicBool,
    state: Mutex<State>,
    leaving: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// `None` while the server is away.
    link: Option<Link>,
    /// Since when it is there, or away.
    since: Option<DateTime<Local>>,
    /// Why it is away, where a question has found it out.
    lost: Option<Arc<ResponseError>>,
    /// What of it the server has refused since it is there. What is shared no longer may still be
    /// among it.
    refused: BTreeSet<RfcNumber>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    dialect: Dialect,
    responses: Responses,
}

impl Central {
    /// Connects to the index server. Nothing is sent: the peer enters the peer list with its
    /// first request.
    ///
    /// # Errors
    /// [`IndexError::Unreachable`]; [`IndexError::NoKeeper`] where there is no thread.
    pub fn connect(membership: Membership) -> Result<Self, IndexError> {
        membership.tell(Topic::Life, || IndexStep::Connecting);
        let shared = Arc::new(Shared {
            membership,
            connection: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
            state: Mutex::default(),
            leaving: Condvar::new(),
        });
        let (link, watch) = shared.connect(shared.first_dialect())?;
        {
            let mut state = shared.lock();
            state.link = Some(link);
            state.since = Some(Local::now());
        }
        shared.membership.tell(Topic::Life, || IndexStep::Connected);
        let keeper = Arc::clone(&shared);
        let thread = thread::Builder::new().name("index keeper".to_owned());
        thread
            .spawn(move || keeper.keep(watch))
            .map_err(IndexError::NoKeeper)?;
        Ok(Self(shared))
    }

    fn ask(&self, request: Request) -> Result<Vec<Record>, IndexError> {
        let requests = [request];
        let ask = |link: &mut Link| link.exchange(&requests, Asked::Search, &self.0.membership);
        let responses = self.0.with_link(ask)?.0;
        let Some(Response { code, records, .. }) = responses.into_iter().next() else {
            return Ok(Vec::new());
        };
        match code {
            code if code == Status::Ok.code() => Ok(records),
            code if code == Status::NotFound.code() => Ok(Vec::new()),
            code => Err(IndexError::Refused(code)),
        }
    }

    fn sender(&self) -> Sender {
        Sender::from(self.0.membership.me.clone())
    }
}

impl Index for Central {
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        self.0.register(documents)
    }

    fn lookup(&self, number: RfcNumber, title: &Title) -> Result<Vec<Listed>, IndexError> {
        let (title, sender) = (title.clone(), self.sender());
        let records = self.ask(Request::Lookup {
            number,
            title,
            sender,
        })?;
        Ok(records.into_iter().map(Listed::from).collect())
    }

    fn list(&self) -> Result<Vec<Listed>, IndexError> {
        let records = self.ask(Request::List {
            sender: self.sender(),
        })?;
        Ok(records.into_iter().map(Listed::from).collect())
    }

    fn standing(&self) -> String {
        let state = self.0.lock();
        let is = if state.link.is_some() {
            "connected"
        } else {
            "away"
        };
        let since = state.since.unwrap_or_default();
        let server = &self.0.membership.server;
        format!("{server}, {is} since {}", since.format("%F %T"))
    }

    fn leave(&self) {
        self.0.membership.tell(Topic::Life, || IndexStep::Leaving);
        self.0.is_leaving.store(true, Ordering::SeqCst);
        self.0.say_goodbye();
        let connection = self.0.connection.load(Ordering::SeqCst);
        self.0.membership.sockets.close(connection);
        self.0.lock().link = None;
        self.0.leaving.notify_all();
    }
}

impl Shared {
    /// In frames leaving is said, where the connection is free for it.
    fn say_goodbye(&self) {
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        if let Some(link) = state.link.as_mut().filter(|l| l.dialect == Dialect::Framed) {
            let goodbye = [Request::Delete(self.membership.me.clone())];
            // Whoever does not hear it sees the close.
            let _ = link.exchange(&goodbye, Asked::Search, &self.membership);
        }
    }

    /// Connects, and returns what sees the end of the connection as well.
    fn connect(&self, dialect: Dialect) -> Result<(Link, Watch), IndexError> {
        let Membership {
            server, sockets, ..
        } = &self.membership;
        let connection = connect(sockets, server, CONNECT_TIME)?;
        let watch = connection.watch();
        self.connection.store(connection.id(), Ordering::SeqCst);
        Ok((
            Link {
                connection,
                dialect,
                responses: Responses::default(),
            },
            watch,
        ))
    }

    /// How the server is spoken to first.
    fn first_dialect(&self) -> Dialect {
        let Membership {
            server, dialects, ..
        } = &self.membership;
        let attempts = dialects.attempts(server);
        attempts.first().copied().unwrap_or(Dialect::Text)
    }

    /// Does something with the connection to the server. Where it has never answered, and closes
    /// or answers nonsense, it is tried in another dialect. After an error the stream is out of
    /// step or gone, so the connection is given up.
    fn with_link<T>(
        &self,
        mut work: impl FnMut(&mut Link) -> Result<T, ResponseError>,
    ) -> Result<(T, MutexGuard<'_, State>), IndexError> {
        let Membership {
            server, dialects, ..
        } = &self.membership;
        let mut state = self.lock();
        let Some(link) = &mut state.link else {
            return Err(IndexError::Away(server.clone()));
        };
        let first = link.dialect;
        let mut other = None;
        let done = dialects.try_each(server, ResponseError::is_nonsense, |dialect| {
            if dialect == first {
                return work(link);
            }
            let (mut link, _) = self.connect(dialect).map_err(|_| ResponseError::Closed)?;
            let done = work(&mut link)?;
            other = Some(link);
            Ok(done)
        });
        match done {
            Ok(done) => {
                if let Some(other) = other {
                    state.link = Some(other);
                }
                Ok((done, state))
            }
            Err(reason) => {
                let reason = Arc::new(reason);
                state.link = None;
                state.since = Some(Local::now());
                state.lost = Some(Arc::clone(&reason));
                Err(IndexError::Lost {
                    server: server.clone(),
                    reason,
                })
            }
        }
    }

    /// Registers documents, some at a time, so that questions come in between.
    fn register(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        let mut count = 0;
        for some in documents.chunks(self.membership.pipeline.max(1)) {
            let (taken, mut state) =
                self.with_link(|link| link.register(some, &self.membership))?;
            count += taken.len();
            for Rfc { number, .. } in some {
                if taken.contains(number) {
                    state.refused.remove(number);
                } else {
                    state.refused.insert(*number);
                }
            }
        }
        Ok(count)
    }

    /// The life of the keeper: sees the server go away and comes back to it, and tries again what
    /// it has refused.
    fn keep(&self, mut watch: Watch) {
        let Membership {
            server,
            sockets,
            library,
            ..
        } = &self.membership;
        let (mut pause, mut retry) = (FIRST_PAUSE, FIRST_RETRY);
        let mut joined = Instant::now();
        loop {
            let is_closed = watch.wait_until_closed(retry);
            if self.is_leaving.load(Ordering::SeqCst) || sockets.is_closing() {
                return;
            }
            if !is_closed {
                retry = (retry * 2).min(LONGEST_RETRY);
                let refused = self.lock().refused.clone();
                let mut again = library.shared();
                again.retain(|Rfc { number, .. }| refused.contains(number));
                // Where the server is lost by it, that is seen in the next turn.
                let _ = self.register(&again);
                continue;
            }
            let mut state = self.lock();
            // It may speak in another dialect by now, on another connection.
            if let Some(link) = &state.link
                && !watch.is_of(&link.connection)
            {
                watch = link.connection.watch();
                continue;
            }
            state.refused.clear();
            let link = state.link.take();
            if link.is_some() {
                state.since = Some(Local::now());
            }
            let last_word = link.map(|mut link| link.last_word(&self.membership.events));
            let lost = state.lost.take().or(last_word).map_or_else(
                || IndexError::Away(server.clone()),
                |reason| IndexError::Lost {
                    server: server.clone(),
                    reason,
                },
            );
            drop(state);
            self.membership.tell(Topic::Life, || IndexStep::Lost {
                why: capitalised(&lost.to_string()).into(),
            });
            if joined.elapsed() > SETTLED_TIME {
                pause = FIRST_PAUSE;
            }
            let Some(next) = self.come_back(&mut pause) else {
                return;
            };
            (watch, retry, joined) = (next, FIRST_RETRY, Instant::now());
        }
    }

    /// Tries until the server is there and has answered; `None` where the peer leaves meanwhile.
    fn come_back(&self, pause: &mut Duration) -> Option<Watch> {
        loop {
            self.wait(jittered(*pause))?;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match self.register_again() {
                Ok(watch) => return Some(watch),
                Err(_) if self.membership.sockets.is_closing() => return None,
                Err(error) => debug!(%error, next_in = ?*pause, "the index is still away"),
            }
        }
    }

    /// Connects and registers everything, also what is published meanwhile. Only then do questions
    /// get the connection: until then the index is away for them, and they need not wait.
    fn register_again(&self) -> Result<Watch, IndexError> {
        let Membership {
            server, dialects, ..
        } = &self.membership;
        let nonsense = |error: &IndexError| match error {
            IndexError::Lost { reason, .. } => reason.is_nonsense(),
            _ => false,
        };
        dialects.try_each(server, nonsense, |dialect| self.register_again_in(dialect))
    }

    fn register_again_in(&self, dialect: Dialect) -> Result<Watch, IndexError> {
        let Membership {
            server, pipeline, ..
        } = &self.membership;
        let lost = |reason| IndexError::Lost {
            server: server.clone(),
            reason: Arc::new(reason),
        };
        let (mut link, watch) = self.connect(dialect)?;
        let (mut tried, mut taken) = (BTreeMap::new(), BTreeSet::new());
        loop {
            for some in self.shared_beyond(&tried).chunks((*pipeline).max(1)) {
                taken.extend(link.register(some, &self.membership).map_err(lost)?);
                tried.extend(some.iter().cloned().map(|rfc| (rfc.number, rfc.title)));
            }
            if tried.is_empty() && watch.wait_until_closed(CLOSE_TIME) {
                return Err(lost(ResponseError::Closed));
            }
            let mut state = self.lock();
            // Whatever is shared from now on waits for the lock, and is registered then.
            if self.shared_beyond(&tried).is_empty() {
                state.link = Some(link);
                state.since = Some(Local::now());
                state.lost = None;
                state.refused = tried
                    .into_keys()
                    .filter(|number| !taken.contains(number))
                    .collect();
                let taken = taken.len();
                let all = taken + state.refused.len();
                drop(state);
                self.membership
                    .tell(Topic::Life, || IndexStep::Back { taken, all });
                return Ok(watch);
            }
        }
    }

    /// What is shared and was not `tried` yet, or under another title.
    fn shared_beyond(&self, tried: &BTreeMap<RfcNumber, Title>) -> Vec<Rfc> {
        let mut shared = self.membership.library.shared();
        shared.retain(|Rfc { number, title }| tried.get(number) != Some(title));
        shared
    }

    /// Waits for `time`; `None` where the peer leaves meanwhile.
    fn wait(&self, time: Duration) -> Option<()> {
        let stays = |_: &mut State| !self.is_leaving.load(Ordering::SeqCst);
        let waited = self.leaving.wait_timeout_while(self.lock(), time, stays);
        waited
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .timed_out()
            .then_some(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Registers documents, all ahead of the first response, and returns those that were taken.
    fn register(
        &mut self,
        documents: &[Rfc],
        membership: &Membership,
    ) -> Result<BTreeSet<RfcNumber>, ResponseError> {
        let requests = documents
            .iter()
            .cloned()
            .map(|rfc| rfc.held_by(&membership.me));
        let requests: Vec<_> = requests.map(Request::Add).collect();
        let responses = self.exchange(&requests, Asked::Add, membership)?;
        let mut taken = BTreeSet::new();
        for (Rfc { number, .. }, Response { code, .. }) in documents.iter().zip(responses) {
            if code == Status::Ok.code() {
                taken.insert(*number);
            } else {
                membership.tell(Topic::Life, || IndexStep::NotPublished {
                    number: *number,
                    why: IndexError::Refused(code).to_string().into(),
                });
            }
        }
        Ok(taken)
    }

    fn exchange(
        &mut self,
        requests: &[Request],
        asked: Asked,
        membership: &Membership,
    ) -> Result<Vec<Response>, ResponseError> {
        let (link, events) = (self.connection.link(Role::Index), &membership.events);
        for request in requests {
            if let Request::Add(Record { number, title, .. }) = request {
                membership.tell(Topic::Messages, || IndexStep::Publishing {
                    number: *number,
                    title,
                    is_local: false,
                });
            }
            let text = request.to_bytes();
            let bytes = match self.dialect {
                Dialect::Text => text,
                Dialect::Framed => framed::frame(&text).bytes().to_vec(),
            };
            events.sent(link, &bytes);
            self.connection.write_all(&bytes)?;
        }
        let mut responses = Vec::with_capacity(requests.len());
        for _ in requests {
            let response = match self.dialect {
                Dialect::Text => self.responses.read(&mut self.connection, asked)?,
                Dialect::Framed => Response::read_framed(&mut self.connection)?,
            };
            events.received(link, &response.bytes);
            if response.code == Status::ServiceUnavailable.code() {
                return Err(ResponseError::NoRoom);
            }
            responses.push(response);
        }
        Ok(responses)
    }

    /// Why a server has closed the connection while nothing was asked: it may have said so.
    fn last_word(&mut self, events: &Events) -> Arc<ResponseError> {
        Arc::new(
            match self.responses.read(&mut self.connection, Asked::Search) {
                Ok(response) => {
                    let link = self.connection.link(Role::Index);
                    events.received(link, &response.bytes);
                    if response.code == Status::ServiceUnavailable.code() {
                        ResponseError::NoRoom
                    } else {
                        ResponseError::Closed
                    }
                }
                Err(error) => error,
            },
        )
    }
}

/// A lost connection is closed, also for the keeper that watches it.
impl Drop for Link {
    fn drop(&mut self) {
        self.connection.close();
    }
}
