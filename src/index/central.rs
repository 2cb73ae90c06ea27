//! The index of a central server (P2P-CI/1.0). The peer keeps one connection open while it is
//! active, because closing it means leaving.
//!
//! While the connection is lost, queries fail at once with [`IndexError::Away`]. After
//! reconnecting, everything is registered again.

mod ahead;
mod foreign;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::keeper::{self, Keeper, Kept, growing};
use super::{Index, IndexError, Listing, Listings, Participation, Query, Records, Standing, State};
use crate::event::{IndexStep, Level, Role, Topic};
use crate::library::Rfc;
use crate::net::{Connection, connect};
use crate::wire::ci::p2s::{Request, Sender};
use crate::wire::ci::responses::{MAX_KEPT, Response, Responses};
use crate::wire::tolerance::line_ends;
use crate::wire::{Dialect, ReadError, Record, RfcNumber, Status, Tee, Title};

/// How long connecting to the server may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a server may take to close a connection that it has no room for, if there is nothing to
/// register.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// How long leaving waits for the link: the keeper looks at it for a moment, a request may take long.
const FREE_TIME: Duration = Duration::from_millis(100);
/// The first pause before retrying what the server refused, in case the reason is gone,
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// and the longest one. Each is twice the previous one.
const LONGEST_RETRY: Duration = Duration::from_mins(15);

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
    /// Whether a LOOKUP without a title finds records, as far as known.
    wants_titles: Mutex<Option<bool>>,
    /// Titles in the last LIST, while that is unknown: what it has, a LOOKUP should find.
    listed: Mutex<BTreeMap<RfcNumber, Title>>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    responses: Responses,
    /// Whether the server has answered on this link.
    has_answered: bool,
    /// How many ADDs it has shown to understand, or the next more that it is to show.
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

    /// The requests that register documents.
    fn adds(&self, documents: &[Rfc]) -> Vec<Request> {
        let me = self.participation().known.me();
        let held = |rfc: &Rfc| Request::Add(rfc.clone().held_by(me));
        documents.iter().map(held).collect()
    }

    /// Registers documents on a link, pipelined. Returns how many were accepted, and whether all
    /// were with exactly the bytes of the agreement.
    fn register(&self, link: &mut Link, documents: &[Rfc]) -> Result<(usize, bool), IndexError> {
        let participation = self.participation();
        let requests = self.adds(documents);
        let responses = self.exchange(link, &requests, |response| response)?;
        let answered = requests.iter().zip(&responses);
        let are_exact = { answered }.all(|(request, response)| response.accepts(request));
        let codes = responses.iter().map(|response| response.code);
        let mut taken = 0;
        for (request, code) in requests.iter().zip(codes) {
            let Request::Add(record) = request else {
                continue;
            };
            let number = record.number;
            if code == Status::Ok.code() {
                taken += 1;
                participation.tell(Topic::Life, || IndexStep::Published { record });
                link.refused.remove(&number);
            } else {
                link.refused.insert(number);
                participation.tell(Topic::Life, || IndexStep::NotPublished {
                    number,
                    why: IndexError::Refused(code).to_string().into(),
                });
            }
        }
        Ok((taken, are_exact))
    }

    /// Takes back the record of one RFC, which a server of ours knows how to do.
    fn take_back_on(&self, link: &mut Link, number: RfcNumber) -> Result<(), IndexError> {
        let Participation { known, server, .. } = self.participation();
        if link.responses.dialect() != Dialect::Text || self.keeps_records.load(Ordering::SeqCst) {
            return Ok(());
        }
        // A server that fails because of it is not asked again either.
        self.keeps_records.store(true, Ordering::SeqCst);
        let peer = known.me().clone();
        let is_other = |response: &Response| response.records().any(|r| r.number != number);
        let answers = |response: Response| (response.code, is_other(&response));
        let answers = self.exchange(link, &[Request::TakeBack { number, peer }], answers)?;
        let Some(&(code, has_taken_others)) = answers.first() else {
            return Ok(());
        };
        if code == Status::Ok.code() && has_taken_others {
            // It has understood that this peer leaves. After reconnecting, everything is registered.
            return Err(IndexError::NoAnswer {
                server: server.clone(),
                reason: ReadError::Closed,
            });
        }
        let knows = code == Status::Ok.code() || code == Status::NotFound.code();
        self.keeps_records.store(!knows, Ordering::SeqCst);
        Ok(())
    }

    /// Sends requests, pipelined, and reads what is `wanted` of each response. A server that does not
    /// understand the line ends of the first ones is asked again with others.
    fn exchange<T>(
        &self,
        link: &mut Link,
        requests: &[Request],
        wanted: impl Fn(Response) -> T,
    ) -> Result<Vec<T>, IndexError> {
        let Participation {
            server, dialects, ..
        } = self.participation();
        let dialect = link.responses.dialect();
        let is_refused = |answers: &[(u16, T)]| {
            let code = answers.first().map(|(code, _)| *code);
            code.is_some_and(|code| line_ends::may_want_lf(dialect, code))
        };
        let has_lf = dialect == Dialect::Text && dialects.has_lf(server);
        let may_learn = !has_lf && !link.has_answered;
        let mut answers = self.exchange_with(link, requests, has_lf, &wanted)?;
        if may_learn
            && is_refused(&answers)
            && let Ok(again) = self.exchange_with(link, requests, true, &wanted)
            && !is_refused(&again)
        {
            dialects.learn_lf(server);
            answers = again;
        }
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Sends requests, with bare LF or as the agreement says, and reads the code and what is `wanted`
    /// of each response.
    fn exchange_with<T>(
        &self,
        link: &mut Link,
        requests: &[Request],
        has_lf: bool,
        wanted: &impl Fn(Response) -> T,
    ) -> Result<Vec<(u16, T)>, IndexError> {
        self.send(link, requests, has_lf)?;
        if !link.has_answered && !requests.is_empty() && self.answers_only_in_frames(link)? {
            return Err(self.no_answer(ReadError::OnlyFrames));
        }
        let answer = |request: &Request| {
            let response = self.answer(link, request)?;
            Ok((response.code, wanted(response)))
        };
        requests.iter().map(answer).collect()
    }

    /// Sends requests, with bare LF or as the agreement says.
    fn send(&self, link: &mut Link, requests: &[Request], has_lf: bool) -> Result<(), IndexError> {
        let participation = self.participation();
        let dialect = link.responses.dialect();
        let event_link = link.connection.link(Role::Index);
        for request in requests {
            if let Request::Add(Record { number, title, .. }) = request {
                participation.tell(Topic::Messages, || IndexStep::Publishing {
                    number: *number,
                    title,
                    is_local: false,
                });
            }
            let mut bytes = request.encode(dialect);
            if has_lf {
                bytes = line_ends::with_lf(bytes);
            }
            participation.events.sent(event_link, &bytes);
            let sent = link.connection.write_all(&bytes);
            sent.map_err(|error| self.no_answer(error.into()))?;
        }
        Ok(())
    }

    /// Reads the response to a request.
    fn answer(&self, link: &mut Link, request: &Request) -> Result<Response, IndexError> {
        let Participation { server, events, .. } = self.participation();
        let event_link = link.connection.link(Role::Index);
        let mut tee = Tee::of(&mut link.connection);
        let response = link.responses.next(&mut tee, request);
        let response = response.map_err(|reason| {
            events.not_understood(event_link, &tee.arrived());
            self.no_answer(reason)
        })?;
        link.has_answered = true;
        events.received(event_link, &response.bytes);
        if response.code == Status::ServiceUnavailable.code() {
            return Err(IndexError::NoRoom(server.clone()));
        }
        Ok(response)
    }

    /// Why the server closed a link while no request was open: it may have sent a reason.
    fn last_word(&self, link: &mut Link) -> String {
        let Participation { server, events, .. } = self.participation();
        let event_link = link.connection.link(Role::Index);
        let mut tee = Tee::of(&mut link.connection);
        match link.responses.last_word(&mut tee) {
            Ok(response) => {
                events.received(event_link, &response.bytes);
                if response.code == Status::ServiceUnavailable.code() {
                    return IndexError::NoRoom(server.clone()).reason();
                }
            }
            Err(ReadError::Closed) => {}
            Err(error) => {
                events.not_understood(event_link, &tee.arrived());
                return error.to_string();
            }
        }
        "it closed the connection".to_owned()
    }

    /// Connects and registers everything, including what is shared in the meantime. The link is
    /// available to queries only afterwards; until then they fail at once.
    fn reconnect_in(&self, dialect: Dialect) -> Result<(), IndexError> {
        let participation = self.participation();
        let mut link = self.connect(dialect)?;
        let mut tried = BTreeMap::new();
        loop {
            let mut beyond = self.shared_beyond(&tried);
            participation.publishing(beyond.len(), || {
                let mut all_accepted = 0;
                while !beyond.is_empty() {
                    let (done, accepted) = self.register_some(&mut link, &beyond)?;
                    tried.extend(beyond.drain(..done).map(|rfc| (rfc.number, rfc.title)));
                    all_accepted += accepted;
                }
                Ok(all_accepted)
            })?;
            if tried.is_empty() && link.connection.watch().wait_until_closed(CLOSE_TIME) {
                return Err(IndexError::NoAnswer {
                    server: participation.server.clone(),
                    reason: ReadError::Closed,
                });
            }
            let mut current = self.link.lock();
            // Anything shared from now on waits for the lock, and is registered then.
            if self.shared_beyond(&tried).is_empty() {
                let (all, refused) = (tried.len(), link.refused.len());
                *current = Ok(link);
                self.keeper.is_there();
                drop(current);
                let taken = all - refused;
                participation.tell(Topic::Life, || IndexStep::Back { taken, all });
                return Ok(());
            }
        }
    }

    /// What is shared and was not `tried` yet, or was tried under another title.
    fn shared_beyond(&self, tried: &BTreeMap<RfcNumber, Title>) -> Vec<Rfc> {
        let mut shared = self.participation().library.shared();
        shared.retain(|Rfc { number, title }| tried.get(number) != Some(title));
        shared
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

impl Kept for Central {
    fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Detects when the server closes the connection, and retries what it refused.
    fn tend(&self, turn: u32) -> Result<(), String> {
        let retry = growing(FIRST_RETRY, turn, LONGEST_RETRY);
        let refused = loop {
            let watch = match &*self.link.lock() {
                Ok(link) => link.connection.watch(),
                Err(why) => return Err(why.clone()),
            };
            let is_closed = watch.wait_until_closed(retry);
            if self.keeper.is_over() {
                return Ok(());
            }
            let mut current = self.link.lock();
            match &mut *current {
                Ok(link) if !is_closed => break link.refused.clone(),
                Ok(link) if watch.is_of(&link.connection) => {
                    let why = self.last_word(link);
                    *current = Err(why.clone());
                    return Err(why);
                }
                // The server speaks another dialect by now, on another connection.
                Ok(_) => {}
                Err(why) => return Err(why.clone()),
            }
        };
        let mut again = self.participation().library.shared();
        again.retain(|rfc| refused.contains(&rfc.number));
        // If this loses the server, the next turn detects it.
        let _ = self.publish(&again);
        Ok(())
    }

    fn reconnect(&self) -> Result<(), IndexError> {
        let Participation {
            server, dialects, ..
        } = self.participation();
        let in_each = |dialect| self.reconnect_in(dialect);
        dialects.try_each(server, IndexError::may_speak_otherwise, in_each)
    }
}

/// A dropped link is closed, also for the keeper that watches it.
impl Drop for Link {
    fn drop(&mut self) {
        self.connection.close();
    }
}
