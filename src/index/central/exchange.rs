//! Sends requests on the link to the server, and reads the responses.

use std::io::Write;

use super::{Central, Link};
use crate::event::{IndexStep, Role, Topic};
use crate::index::{IndexError, Participation};
use crate::wire::ci::p2s::Request;
use crate::wire::ci::responses::Response;
use crate::wire::tolerance::line_ends;
use crate::wire::{Dialect, ReadError, Record, Status, Tee};

impl Central {
    /// Sends requests, pipelined, and reads what is `wanted` of each response. A server that does not
    /// understand the line ends of the first ones is asked again with others.
    pub(super) fn exchange<T>(
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
        if may_learn && is_refused(&answers) {
            match self.exchange_with(link, requests, true, &wanted) {
                Ok(again) if !is_refused(&again) => {
                    dialects.learn_lf(server);
                    answers = again;
                }
                Err(error @ IndexError::NoRoom(_)) => return Err(error),
                _ => {}
            }
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
    pub(super) fn send(
        &self,
        link: &mut Link,
        requests: &[Request],
        has_lf: bool,
    ) -> Result<(), IndexError> {
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
    pub(super) fn answer(
        &self,
        link: &mut Link,
        request: &Request,
    ) -> Result<Response, IndexError> {
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
}
