//! Registers this peer's records, and takes them back.

use std::sync::atomic::Ordering;

use super::{Central, Link};
use crate::event::{IndexStep, Topic};
use crate::index::IndexError;
use crate::library::Rfc;
use crate::wire::ci::p2s::Request;
use crate::wire::ci::responses::Response;
use crate::wire::{Dialect, ReadError, RfcNumber, Status};

impl Central {
    /// The requests that register documents.
    pub(super) fn adds(&self, documents: &[Rfc]) -> Vec<Request> {
        let me = self.participation().known.me();
        let held = |rfc: &Rfc| Request::Add(rfc.clone().held_by(me));
        documents.iter().map(held).collect()
    }

    /// Registers documents on a link, pipelined. Returns how many were accepted, and whether all
    /// responses have exactly the bytes of the agreement.
    pub(super) fn register(
        &self,
        link: &mut Link,
        documents: &[Rfc],
    ) -> Result<(usize, bool), IndexError> {
        let requests = self.adds(documents);
        let responses = self.exchange(link, &requests, |response| response)?;
        let answered = requests.iter().zip(&responses);
        let are_exact = { answered }.all(|(request, response)| response.accepts(request));
        let mut taken = 0;
        for ((request, response), Rfc { number, .. }) in
            requests.iter().zip(&responses).zip(documents)
        {
            let (number, code) = (*number, response.code);
            if code == Status::Ok.code() {
                taken += 1;
                self.accepted(link, request);
            } else {
                link.refused.insert(number);
                self.participation()
                    .tell(Topic::Life, || IndexStep::NotPublished {
                        number,
                        why: IndexError::Refused(code).to_string().into(),
                    });
            }
        }
        Ok((taken, are_exact))
    }

    /// Notes and reports that the server has accepted an ADD.
    pub(super) fn accepted(&self, link: &mut Link, request: &Request) {
        if let Request::Add(record) = request {
            let published = || IndexStep::Published { record };
            self.participation().tell(Topic::Life, published);
            link.refused.remove(&record.number);
        }
    }

    /// Takes back the record of one RFC, which a server of ours knows how to do.
    pub(super) fn take_back_on(
        &self,
        link: &mut Link,
        number: RfcNumber,
    ) -> Result<(), IndexError> {
        if link.responses.dialect() != Dialect::Text || self.keeps_records.load(Ordering::SeqCst) {
            return Ok(());
        }
        // A server that fails because of it is not asked again either.
        self.keeps_records.store(true, Ordering::SeqCst);
        let peer = self.participation().known.me().clone();
        let is_other = |response: &Response| response.records().any(|r| r.number != number);
        let answers = |response: Response| (response.code, is_other(&response));
        let answers = self.exchange(link, &[Request::TakeBack { number, peer }], answers)?;
        let Some(&(code, has_taken_others)) = answers.first() else {
            return Ok(());
        };
        if code == Status::Ok.code() && has_taken_others {
            // It has understood that this peer leaves. After reconnecting, everything is registered.
            return Err(self.no_answer(ReadError::OutOfStep));
        }
        let knows = code == Status::Ok.code() || code == Status::NotFound.code();
        self.keeps_records.store(!knows, Ordering::SeqCst);
        Ok(())
    }
}
