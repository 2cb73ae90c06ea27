//! What existing index servers need beyond the agreement; [`tolerance`](crate::wire::tolerance) says
//! which ones.

use std::io::Write;

use super::{CONNECT_TIME, Central, Link, found, listing};
use crate::event::{Event, Role, Topic};
use crate::index::{IndexError, Listing, Participation, Records};
use crate::net::connect;
use crate::wire::ci::p2s::Request;
use crate::wire::ci::responses::{ANSWER_TIME, Response};
use crate::wire::tolerance::{silence, title};
use crate::wire::{Dialect, ReadError, Record, RfcNumber, Source, Status, Title};

/// How many titles of a LIST are remembered.
const MOST_LISTED: usize = 10_000;

impl Central {
    /// Asks who has an RFC. Records of others are ignored: some servers answer a LOOKUP that finds
    /// nothing with everything. If the same question then has another answer, these are answers to
    /// other requests, and the link is dropped.
    pub(super) fn look_up(&self, number: RfcNumber, title: Title) -> Result<Listing, IndexError> {
        let mut found = self.look_up_as(number, title.clone())?;
        let records = found.records.filter(|it| it.record.number == number);
        if records.is_empty()
            && !found.records.is_empty()
            && self.look_up_as(number, title)?.records != found.records
        {
            return self.with_link(|_| Err(self.no_answer(ReadError::OutOfStep)));
        }
        found.in_messages &= records.len() == found.records.len();
        found.records = records;
        Ok(found)
    }

    /// A server that seems to want a title gets one.
    fn look_up_as(&self, number: RfcNumber, title: Title) -> Result<Listing, IndexError> {
        let sender = self.sender();
        let lookup = |title| Request::Lookup {
            number,
            title,
            sender: sender.clone(),
        };
        if !title.is_empty() {
            return self.ask(lookup(title));
        }
        let wants_titles = *self.wants_titles.lock();
        if wants_titles == Some(true) {
            return match self.title_of(number)? {
                Some(title) => self.ask(lookup(title)),
                None => Ok(found(Records::default(), false)),
            };
        }
        let first = self.response(lookup(title))?;
        if first.code == Status::Ok.code() {
            *self.wants_titles.lock() = Some(false);
        } else if wants_titles.is_none()
            && let Some(title) = self.title_after(&first, number)
            && let Ok(second) = self.response(lookup(title))
            && second.code == Status::Ok.code()
        {
            *self.wants_titles.lock() = Some(true);
            return listing(second);
        }
        listing(first)
    }

    /// The title to ask with after such an answer. A 404 that follows the agreement is only doubted
    /// if the server has listed the RFC before.
    fn title_after(&self, response: &Response, number: RfcNumber) -> Option<Title> {
        if title::may_be_wanted(response) {
            return self.title_of(number).ok()?;
        }
        // Once: whoever had it may have left.
        let listed = self.listed.lock().remove(&number);
        listed.filter(|_| response.code == Status::NotFound.code())
    }

    /// Asks for all records.
    pub(super) fn list(&self) -> Result<Listing, IndexError> {
        let response = self.response(Request::List(self.sender()))?;
        if self.wants_titles.lock().is_none() {
            let records = response.records().filter(|it| !it.title.is_empty());
            let titles = records.map(|record| (record.number, record.title));
            *self.listed.lock() = titles.take(MOST_LISTED).collect();
        }
        listing(response)
    }

    /// The title that others gave an RFC, or our own.
    fn title_of(&self, number: RfcNumber) -> Result<Option<Title>, IndexError> {
        let all = self.response(Request::List(self.sender()))?;
        let is_it = |record: &Record| record.number == number && !record.title.is_empty();
        let listed = all.records().find(is_it).map(|record| record.title);
        Ok(listed.or_else(|| self.participation().library.title(number)))
    }

    /// Whether a server that is silent in text answers in frames, on a connection beside the link.
    pub(super) fn answers_only_in_frames(&self, link: &mut Link) -> Result<bool, IndexError> {
        let Participation {
            server,
            dialects,
            sockets,
            events,
            ..
        } = self.participation();
        let text = &mut link.connection;
        if link.responses.dialect() == Dialect::Framed || !dialects.is_open(server) {
            return Ok(false);
        }
        text.allow(Some(ANSWER_TIME));
        let came = text.arrives_within(silence::PATIENCE);
        if came.map_err(|error| self.no_answer(error.into()))? {
            return Ok(false);
        }
        events.tell(Topic::Life, || Event::AskingInFrames {
            role: Role::Index,
            other: server,
        });
        let Ok(mut beside) = connect(sockets, server, CONNECT_TIME) else {
            return Ok(false);
        };
        let question = silence::question(&self.sender().host);
        let event_link = beside.link(Role::Index);
        events.dialed(event_link, server);
        events.sent(event_link, &question);
        let sent = beside.write_all(&question).and_then(|()| beside.flush());
        if sent.is_err() || !beside.answers_before(text, silence::BOTH) {
            return Ok(false);
        }
        let answer = silence::read_answer(&mut beside);
        if let Some(answer) = &answer {
            events.received(event_link, answer);
        }
        Ok(answer.is_some())
    }
}
