//! The index that peers keep themselves (P2P-DI/1.0): a registration server knows who is active,
//! and the peers tell each other what they have.
//!
//! A keeper thread says every third of the TTL that this peer is still active, registers again
//! where the server does not know it any more, and comes back to a server that was away.

use std::collections::{HashSet, VecDeque};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Local};
use tracing::debug;

use super::cookie::CookieFile;
use super::known::Known;
use super::{Index, IndexError, Listed, Rfc, capitalised, jittered};
use crate::event::{Event, Events, IndexStep, Level, Role, Topic};
use crate::library::Library;
use crate::net::{ConnectError, Dialects, Sockets, connect};
use crate::wire::di::exchange::{Get, Timed, Wanted, read_index};
use crate::wire::di::framed;
use crate::wire::di::registration::{
    ActivePeer, Cookie, Method, Registered, Request, read_peer_list,
};
use crate::wire::di::{Response, ResponseError, TTL};
use crate::wire::frame::{Dialect, Frame};
use crate::wire::{Endpoint, Record, RfcNumber, Status, Title};

/// How long connecting may take,
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// and how long the other side may take for its answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long another peer may take for its index: there are others to be asked.
const INDEX_TIME: Duration = Duration::from_secs(10);
/// How long leaving may take for each of the two.
const LEAVE_TIME: Duration = Duration::from_secs(2);
/// The longest list of peers, in bytes: some 400,000 peers.
const MAX_PEER_LIST: u64 = 16 * 1024 * 1024;
/// The longest index of a peer, in bytes: some 800,000 records.
const MAX_INDEX: u64 = 64 * 1024 * 1024;
/// The pause before the first try to come back to a server that is away,
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// and the longest one. Each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The shortest pause between two KEEPALIVEs, whatever TTL a server gives.
const SHORTEST_KEEPALIVE: Duration = Duration::from_millis(100);

/// How a peer takes part in a distributed index.
#[derive(Debug)]
pub struct Participation {
    /// The registration server.
    pub server: Endpoint,
    /// What this peer shares.
    pub library: Arc<Library>,
    /// What it knows of others, and where it is reached.
    pub known: Known,
    /// How the server and other peers are spoken to.
    pub dialects: Dialects,
    /// The connections of this peer.
    pub sockets: Sockets,
    /// Those who want to know what happens.
    pub events: Events,
    /// The `OS` header of the requests.
    pub os: Arc<str>,
    /// The file that keeps the cookie, where there is one.
    pub cookie_file: Option<CookieFile>,
}

impl Participation {
    /// Tells what happens between this peer and the index.
    fn tell<'a>(&'a self, topic: Topic, step: impl FnOnce() -> IndexStep<'a>) {
        self.events.tell(topic, || Event::Index {
            server: &self.server,
            step: step(),
        });
    }
}

/// A distributed index, in which this peer is registered as long as it can be.
#[derive(Debug)]
pub struct Distributed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    participation: Participation,
    is_leaving: AtomicBool,
    state: Mutex<State>,
    leaving: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cookie: Option<Cookie>,
    /// For how long the registration is good, as the server has said last.
    ttl: Duration,
    /// Since when this peer is registered, or the server away.
    since: Option<DateTime<Local>>,
    is_away: bool,
    /// The peers that were active when it was asked last: they complete what has no port.
    peers: Vec<ActivePeer>,
}

/// An answer, in whatever dialect.
enum Told {
    Text(Response, Vec<u8>),
    Framed(Frame),
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Response(#[from] ResponseError),
}

impl Told {
    fn code(&self) -> u16 {
        match self {
            Self::Text(response, _) => response.code,
            // It was parsed when it came.
            Self::Framed(frame) => {
                framed::Response::parse(frame).map_or(Status::BadRequest.code(), |r| r.code)
            }
        }
    }

    /// Whether the server says that it does not know the cookie, and not that its time ran out. In
    /// frames no cookie is used for registering.
    fn is_unknown_cookie(&self) -> bool {
        match self {
            Self::Text(response, _) => response.head.start_line().ends_with(b"Unknown Cookie"),
            Self::Framed(_) => false,
        }
    }

    fn registered(&self) -> Result<Registered, ResponseError> {
        match self {
            Self::Text(response, _) => Ok(Registered::parse(&response.head)?),
            Self::Framed(frame) => {
                let peer = framed::Response::parse(frame)?.peer()?;
                Ok(Registered {
                    cookie: peer.cookie.into(),
                    ttl: peer.ttl,
                    registrations: peer.registration_count,
                })
            }
        }
    }

    /// For how many seconds this peer is active now.
    fn ttl(&self) -> u32 {
        let told = match self {
            Self::Text(response, _) => {
                let field = response.head.field("TTL").ok().flatten();
                field.and_then(|ttl| ttl.parse().ok())
            }
            Self::Framed(frame) => {
                let peer = framed::Response::parse(frame).and_then(|response| response.peer());
                peer.ok().map(|peer| peer.ttl)
            }
        };
        told.unwrap_or(TTL)
    }

    fn peers(&self) -> Result<Vec<ActivePeer>, ResponseError> {
        match self {
            Self::Text(_, body) => Ok(read_peer_list(body)?),
            Self::Framed(frame) => framed::Response::parse(frame)?.peers(),
        }
    }

    /// The index of the peer `answering`. What has no port gets that of the answering peer, or of
    /// another one at its host.
    fn index(
        &self,
        answering: &Endpoint,
        peers: &[ActivePeer],
    ) -> Result<Vec<Timed>, ResponseError> {
        let frame = match self {
            Self::Text(_, body) => return Ok(read_index(body)?),
            Self::Framed(frame) => frame,
        };
        framed::Response::parse(frame)?.documents(|host| {
            if *host == answering.host {
                return Some(answering.port);
            }
            let known = peers.iter().find(|known| known.peer.host == *host);
            known.map(|known| known.peer.port)
        })
    }
}

impl Distributed {
    /// Registers with the server.
    ///
    /// # Errors
    /// [`IndexError`] where the server can't be reached or does not register us.
    pub fn join(participation: Participation) -> Result<Self, IndexError> {
        participation.tell(Topic::Life, || IndexStep::Connecting);
        let cookie = participation
            .cookie_file
            .as_ref()
            .and_then(CookieFile::read);
        let shared = Arc::new(Shared {
            participation,
            is_leaving: AtomicBool::new(false),
            state: Mutex::new(State {
                cookie,
                ..State::default()
            }),
            leaving: Condvar::new(),
        });
        shared.register()?;
        let keeper = Arc::clone(&shared);
        thread::Builder::new()
            .name("index keeper".to_owned())
            .spawn(move || keeper.keep())
            .map_err(IndexError::NoKeeper)?;
        Ok(Self(shared))
    }

    /// The other peers that are active now, as the registration server says (PQUERY).
    pub fn active_peers(&self) -> Result<Vec<ActivePeer>, IndexError> {
        self.0.peers()
    }

    /// Asks one peer for its index (`RFCQuery`) and takes it in.
    ///
    /// # Errors
    /// Why there is no answer, or none that can be used.
    pub fn query(&self, peer: &Endpoint) -> anyhow::Result<()> {
        self.0.query(peer)
    }

    /// Asks every active peer for its index.
    fn ask_all(&self) -> Result<(), IndexError> {
        for ActivePeer { peer, .. } in self.0.peers()? {
            if self.0.participation.sockets.is_closing() {
                break;
            }
            self.0.query_or_say(&peer);
        }
        Ok(())
    }

    fn known(&self) -> &Known {
        &self.0.participation.known
    }

    fn holders(&self, number: RfcNumber) -> Vec<Record> {
        let found = self.known().holders(number, Instant::now());
        found.into_iter().map(|timed| timed.record).collect()
    }

    fn listed(&self) -> Vec<Listed> {
        let shared = self.0.participation.library.shared();
        let all = self.known().all(shared, Instant::now()).into_iter();
        all.map(Listed::from).collect()
    }
}

impl Index for Distributed {
    fn publish(&self, documents: &[Rfc]) -> Result<usize, IndexError> {
        for Rfc { number, title } in documents {
            let participation = &self.0.participation;
            participation.tell(Topic::Messages, || IndexStep::Publishing {
                number: *number,
                title,
                is_local: true,
            });
        }
        Ok(documents.len())
    }

    fn lookup(&self, number: RfcNumber, title: &Title) -> Result<Vec<Listed>, IndexError> {
        let own = self.0.participation.library.title(number);
        let own = own.map(|title| self.known().own(Rfc { number, title }));
        for found in self.search(number, title) {
            if !found?.is_empty() || own.is_some() {
                break;
            }
        }
        let found = self.known().holders(number, Instant::now()).into_iter();
        Ok(found.chain(own).map(Listed::from).collect())
    }

    fn search<'a>(
        &'a self,
        number: RfcNumber,
        _title: &Title,
    ) -> Box<dyn Iterator<Item = Result<Vec<Record>, IndexError>> + 'a> {
        // First what is known already; then one active peer after the other is asked.
        let mut is_first = true;
        let mut peers: Option<VecDeque<ActivePeer>> = None;
        Box::new(std::iter::from_fn(move || {
            if std::mem::take(&mut is_first) {
                return Some(Ok(self.holders(number)));
            }
            let peers = match &mut peers {
                Some(peers) => peers,
                unknown => match self.0.peers() {
                    Ok(active) => unknown.insert(active.into()),
                    Err(error) => {
                        *unknown = Some(VecDeque::new());
                        return Some(Err(error));
                    }
                },
            };
            let ActivePeer { peer, .. } = peers
                .pop_front()
                .filter(|_| !self.0.participation.sockets.is_closing())?;
            self.0.query_or_say(&peer);
            Some(Ok(self.holders(number)))
        }))
    }

    fn list(&self) -> Result<Vec<Listed>, IndexError> {
        Ok(self.listed())
    }

    fn survey(&self) -> Result<Vec<Listed>, IndexError> {
        self.ask_all()?;
        Ok(self.listed())
    }

    fn answers_in_messages(&self) -> bool {
        false
    }

    fn standing(&self) -> String {
        let state = self.0.lock();
        let is = if state.is_away { "away" } else { "registered" };
        let since = state.since.unwrap_or_default();
        let server = &self.0.participation.server;
        let cookie = state
            .cookie
            .map_or_else(String::new, |c| format!(", cookie {c}"));
        format!("{server}, {is} since {}{cookie}", since.format("%F %T"))
    }

    fn leave(&self) {
        let shared = &self.0;
        shared
            .participation
            .tell(Topic::Life, || IndexStep::Leaving);
        shared.is_leaving.store(true, Ordering::SeqCst);
        shared.leaving.notify_all();
        let Some(request) = shared.request(Method::Leave) else {
            return;
        };
        // The peer's own sockets may be closed already, by the signal that ends it.
        let sockets = Sockets::default();
        if let Err(error) = shared.ask_server(&sockets, &request, LEAVE_TIME) {
            let why = "the registration server does not know that this peer has left";
            let what = format_args!("{why}: {error}");
            shared.participation.events.notice(Level::Warning, what);
        }
    }
}

/// How long to wait between two KEEPALIVEs: a third of the TTL. A server that gives none is not
/// hammered.
fn keepalive_pause(ttl: Duration) -> Duration {
    if ttl.is_zero() {
        Duration::from_secs(TTL.into()) / 3
    } else {
        (ttl / 3).max(SHORTEST_KEEPALIVE)
    }
}

impl Shared {
    /// The request of a method, with the cookie that this peer has; `None` where it needs one and
    /// has none.
    fn request(&self, method: Method) -> Option<Request> {
        let cookie = self.lock().cookie;
        if cookie.is_none() && method != Method::Register {
            return None;
        }
        Some(Request {
            method,
            peer: self.participation.known.me().clone(),
            cookie,
        })
    }

    /// Asks the registration server, and prints both messages.
    fn ask_server(
        &self,
        sockets: &Sockets,
        request: &Request,
        time: Duration,
    ) -> Result<Told, IndexError> {
        let Participation { server, os, .. } = &self.participation;
        let text = request.to_bytes(os);
        // Every request but REGISTER has one.
        let cookie = request.cookie.unwrap_or(Cookie::FIRST);
        let framed = match request.method {
            Method::Register => framed::Request::Register(request.peer.clone()),
            Method::Leave => framed::Request::Leave(cookie),
            Method::PeerQuery => framed::Request::PeerQuery(cookie),
            Method::KeepAlive => framed::Request::KeepAlive(cookie),
        };
        let asked = self.ask(sockets, server, &text, &framed, MAX_PEER_LIST, time);
        asked.map_err(|error| match error {
            AskError::Connect(error) => error.into(),
            AskError::Response(reason) => self.unanswered(reason),
        })
    }

    fn unanswered(&self, reason: ResponseError) -> IndexError {
        IndexError::Unanswered {
            server: self.participation.server.clone(),
            reason: Arc::new(reason),
        }
    }

    /// Sends a request in the dialect of `other` and reads the response, and prints both.
    fn ask(
        &self,
        sockets: &Sockets,
        other: &Endpoint,
        text: &[u8],
        framed: &framed::Request,
        most: u64,
        time: Duration,
    ) -> Result<Told, AskError> {
        let Participation {
            events,
            dialects,
            known,
            os,
            ..
        } = &self.participation;
        let nonsense = |error: &AskError| match error {
            AskError::Response(error) => error.is_nonsense(),
            AskError::Connect(_) => false,
        };
        dialects.try_each(other, nonsense, |dialect| {
            let mut connection = connect(sockets, other, time.min(CONNECT_TIME))?;
            let request = match dialect {
                Dialect::Text => text.to_vec(),
                Dialect::Framed => {
                    let host = &known.me().host;
                    let frame = framed.to_frame(host, os, SystemTime::now());
                    frame.bytes().to_vec()
                }
            };
            let link = connection.link(Role::Index);
            events.sent(link, &request);
            connection
                .write_all(&request)
                .map_err(ResponseError::from)?;
            let (told, message) = match dialect {
                Dialect::Text => {
                    let response = Response::read(&mut connection, time)?;
                    let body = response.body(&mut connection, most, time)?;
                    let message = [response.head.text(), &body].concat();
                    (Told::Text(response, body), message)
                }
                Dialect::Framed => {
                    let frame = framed::read(&mut connection, time)?;
                    framed::Response::parse(&frame)?;
                    let message = frame.bytes().to_vec();
                    (Told::Framed(frame), message)
                }
            };
            events.received(link, &message);
            Ok(told)
        })
    }

    fn register(&self) -> Result<(), IndexError> {
        let request = self.request(Method::Register);
        let request = request.ok_or(IndexError::Refused(Status::BadRequest.code()))?;
        let Participation {
            events,
            sockets,
            cookie_file,
            ..
        } = &self.participation;
        let told = self.ask_server(sockets, &request, ANSWER_TIME)?;
        if told.code() != Status::Ok.code() {
            return Err(IndexError::Refused(told.code()));
        }
        let registered = told
            .registered()
            .map_err(|reason| self.unanswered(reason))?;
        let Registered { cookie, ttl, .. } = registered;
        if let Some(file) = cookie_file
            && request.cookie != Some(cookie)
            && let Err(error) = file.write(cookie)
        {
            let file = file.path().display();
            let what = format_args!("the cookie is not kept in {file}: {error}");
            events.notice(Level::Warning, what);
        }
        let step = || IndexStep::Registered { cookie, ttl };
        self.participation.tell(Topic::Life, step);
        let mut state = self.lock();
        state.cookie = Some(cookie);
        state.ttl = Duration::from_secs(ttl.into());
        state.since = Some(Local::now());
        state.is_away = false;
        Ok(())
    }

    /// The other peers that are active.
    fn peers(&self) -> Result<Vec<ActivePeer>, IndexError> {
        let told = self.ask_registered(Method::PeerQuery)?;
        match told.code() {
            code if code == Status::Ok.code() => {
                let mut peers = told.peers().map_err(|reason| self.unanswered(reason))?;
                // Nobody is asked twice, and we do not ask ourselves.
                let mut seen = HashSet::from([self.participation.known.me().clone()]);
                peers.retain(|active| seen.insert(active.peer.clone()));
                self.lock().peers.clone_from(&peers);
                Ok(peers)
            }
            code if code == Status::NoActivePeers.code() => Ok(Vec::new()),
            code => Err(IndexError::Refused(code)),
        }
    }

    /// Asks something that only a registered peer may, and registers again where the server does
    /// not know this one any more.
    fn ask_registered(&self, method: Method) -> Result<Told, IndexError> {
        let sockets = &self.participation.sockets;
        let mut is_again = false;
        loop {
            let Some(request) = self.request(method) else {
                return Err(IndexError::Away(self.participation.server.clone()));
            };
            let told = self.ask_server(sockets, &request, ANSWER_TIME)?;
            if told.code() != Status::NotRegistered.code() || is_again {
                return Ok(told);
            }
            // A cookie that is not ours (any more) is of no use; one whose time ran out is.
            if told.is_unknown_cookie() {
                self.lock().cookie = None;
            }
            self.register()?;
            is_again = true;
        }
    }

    fn query_or_say(&self, peer: &Endpoint) {
        if let Err(error) = self.query(peer) {
            self.participation.tell(Topic::Life, || IndexStep::Untold {
                peer,
                why: error.to_string().into(),
            });
        }
    }

    /// Asks a peer for its index and takes it in.
    fn query(&self, peer: &Endpoint) -> anyhow::Result<()> {
        let Participation {
            known, sockets, os, ..
        } = &self.participation;
        let request = Get {
            wanted: Wanted::Index,
            host: peer.host.clone(),
        };
        let text = request.to_bytes(os);
        let framed = framed::Request::Index;
        let told = self.ask(sockets, peer, &text, &framed, MAX_INDEX, INDEX_TIME)?;
        if told.code() != Status::Ok.code() {
            return Err(ResponseError::Refused(told.code()).into());
        }
        let peers = self.lock().peers.clone();
        known.merge(peer, told.index(peer, &peers)?, Instant::now());
        Ok(())
    }

    /// The life of the keeper.
    fn keep(&self) {
        // It grows until a KEEPALIVE succeeds: a server that registers us and then does not know us
        // is not hammered.
        let mut pause = FIRST_PAUSE;
        loop {
            let ttl = self.lock().ttl;
            if self.wait(keepalive_pause(ttl)).is_none() {
                return;
            }
            let kept = self.ask_registered(Method::KeepAlive);
            let lost = match kept {
                Ok(told) if told.code() == Status::Ok.code() => {
                    self.lock().ttl = Duration::from_secs(told.ttl().into());
                    pause = FIRST_PAUSE;
                    continue;
                }
                Ok(told) => IndexError::Refused(told.code()),
                Err(error) => error,
            };
            if self.is_leaving.load(Ordering::SeqCst) {
                return;
            }
            self.participation.tell(Topic::Life, || IndexStep::Lost {
                why: capitalised(&lost.to_string()).into(),
            });
            {
                let mut state = self.lock();
                state.is_away = true;
                state.since = Some(Local::now());
            }
            if self.come_back(&mut pause).is_none() {
                return;
            }
        }
    }

    /// Tries until this peer is registered again; `None` where it leaves meanwhile.
    fn come_back(&self, pause: &mut Duration) -> Option<()> {
        loop {
            self.wait(jittered(*pause))?;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match self.register() {
                Ok(()) => return Some(()),
                Err(error) => debug!(%error, "the registration server is still away"),
            }
        }
    }

    /// Waits for `time`; `None` where the peer leaves meanwhile.
    fn wait(&self, time: Duration) -> Option<()> {
        let stays = |_: &mut State| !self.is_leaving.load(Ordering::SeqCst);
        let waited = self.leaving.wait_timeout_while(self.lock(), time, stays);
        let is_over = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        (is_over && !self.participation.sockets.is_closing()).then_some(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
