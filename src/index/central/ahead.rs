//! How many ADDs are sent before the first answer is read.
//!
//! One at a time, a large folder takes a round trip for each file. But many servers take what one
//! read returns as one request, and lose the rest. So a server gets two ADDs together only once it
//! has answered one exactly as the agreement says; then four, and so on. If it answers anything
//! else, it gets one at a time from then on, beginning with what it may not have understood. If it
//! answers nothing for a while, it gets the first one again, to see whether the rest is late or lost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Central, Link};
use crate::index::{IndexError, Participation};
use crate::library::Rfc;
use crate::wire::{ReadError, Source};

/// The most ADDs that are sent together.
const MOST: usize = 100;
/// So many documents, or fewer, are registered one by one.
const FEW: usize = 32;
/// The longest pause between the answers to ADDs that were sent together.
const PAUSE: Duration = Duration::from_secs(2);

impl Central {
    /// Registers the first of some documents. Returns how many it was done with, which is 0 if the
    /// server has misunderstood, and how many of these were accepted.
    pub(super) fn register_some(
        &self,
        link: &mut Link,
        documents: &[Rfc],
    ) -> Result<(usize, usize), IndexError> {
        let fixed = self.participation().pipeline.map(|fixed| fixed.max(1));
        let takes_one = self.takes_one.load(Ordering::SeqCst);
        let ahead = fixed.unwrap_or(if takes_one { 1 } else { link.ahead });
        let some = documents.get(..ahead).unwrap_or(documents);
        if fixed.is_none() && some.len() > 1 {
            let understood = self.register_together(link, some)?;
            return Ok((understood, understood));
        }
        let (accepted, is_exact) = self.register(link, some)?;
        if is_exact && !takes_one && documents.len() > FEW {
            link.ahead = 2;
        }
        Ok((some.len(), accepted))
    }

    /// Sends several ADDs together. Returns how many of them the server has understood for sure.
    fn register_together(&self, link: &mut Link, documents: &[Rfc]) -> Result<usize, IndexError> {
        // A server that fails because of it does not get several again either.
        self.takes_one.store(true, Ordering::SeqCst);
        let understood = self.understood(link, documents).map_err(|error| {
            // After reconnecting, everything is registered one by one.
            if error.is_passing() {
                error
            } else {
                self.no_answer(ReadError::Closed)
            }
        })?;
        if understood == documents.len() {
            self.takes_one.store(false, Ordering::SeqCst);
            link.ahead = (2 * link.ahead).min(MOST);
        }
        Ok(understood)
    }

    /// Sends several ADDs, and returns how many of them the server has understood for sure, from the
    /// first one on. Afterwards no answer is outstanding.
    fn understood(&self, link: &mut Link, documents: &[Rfc]) -> Result<usize, IndexError> {
        let Participation {
            server, dialects, ..
        } = self.participation();
        let requests = self.adds(documents);
        let has_lf = dialects.has_lf(server);
        self.send(link, &requests, has_lf)?;
        let (mut read, mut understood) = (0, 0);
        let mut probe = None;
        while let Some(request) = requests.get(read) {
            if read > 0 && !self.answers_soon(link)? {
                if probe.is_some() {
                    return Err(self.no_answer(ReadError::OutOfStep));
                }
                // Either the rest of the requests is lost, or its answers are late. The answer to the
                // first one differs from all of theirs, so it says which.
                probe = requests.first();
                self.send(link, requests.get(..1).unwrap_or_default(), has_lf)?;
            }
            let response = self.answer(link, request)?;
            if probe.is_some_and(|probe| response.accepts(probe)) {
                probe = None;
                break;
            }
            // After a wrong answer, the others are only read to get in step again.
            if read == understood && response.accepts(request) {
                self.accepted(link, request);
                understood += 1;
            } else if probe.is_some() {
                return Err(self.no_answer(ReadError::OutOfStep));
            }
            read += 1;
        }
        if let Some(probe) = probe
            && !(self.answers_soon(link)? && self.answer(link, probe)?.accepts(probe))
        {
            return Err(self.no_answer(ReadError::OutOfStep));
        }
        Ok(understood)
    }

    /// Whether another answer begins after a short pause at most.
    fn answers_soon(&self, link: &mut Link) -> Result<bool, IndexError> {
        if link.responses.has_begun() {
            return Ok(true);
        }
        let connection = &mut link.connection;
        connection.allow(Some(PAUSE));
        let came = connection.arrives_within(PAUSE);
        came.map_err(|error| self.no_answer(error.into()))
    }
}
