//! What a peer knows at one moment, to be listed or sent.

use std::sync::Arc;

use super::Rfc;
use super::batch::{Batch, Moment};
use crate::wire::di::TTL;
use crate::wire::di::exchange::{Snapshot, TimedLine};
use crate::wire::{Endpoint, RfcNumber};

/// What a peer knows at one moment. It does not change.
#[derive(Debug)]
pub struct View {
    pub(super) me: Endpoint,
    /// What this peer shares.
    pub(super) shared: Vec<Rfc>,
    /// What each other peer has told, those heard last at the end.
    pub(super) batches: Vec<Arc<Batch>>,
    pub(super) now: Moment,
}

impl View {
    /// The known holders of a document: first those who say so themselves, those heard of most
    /// recently before others. The name makes the order deterministic. This peer comes last.
    pub fn holders(&self, number: RfcNumber) -> impl Iterator<Item = TimedLine<'_>> {
        let records = self
            .batches
            .iter()
            .flat_map(|batch| batch.of_number(number));
        let timed = records.filter_map(|held| Some((!held.is_own, held.timed(self.now)?)));
        let mut found: Vec<_> = timed.collect();
        found.sort_by(|(is_hearsay, one), (other_is_hearsay, other)| {
            let order = (is_hearsay, other.ttl, one.host, one.port);
            order.cmp(&(other_is_hearsay, one.ttl, other.host, other.port))
        });
        let own = self.own().filter(move |line| line.number == number);
        found.into_iter().map(|(_, line)| line).chain(own)
    }

    /// All live records: first what this peer shares, which never expires, then the records of
    /// others, by number.
    pub fn by_number(&self) -> impl Iterator<Item = TimedLine<'_>> {
        let mut others: Vec<_> = self.others().collect();
        others.sort_by_key(|line| (line.number, line.host, line.port));
        self.own().chain(others)
    }

    fn own(&self) -> impl Iterator<Item = TimedLine<'_>> {
        self.shared.iter().map(|Rfc { number, title }| TimedLine {
            number: *number,
            ttl: TTL,
            host: self.me.host.as_str(),
            port: self.me.port,
            title: title.as_str(),
        })
    }

    /// The live records of others, those heard last first.
    fn others(&self) -> impl Iterator<Item = TimedLine<'_>> {
        let records = self.batches.iter().rev().flat_map(|batch| batch.records());
        records.filter_map(|held| held.timed(self.now))
    }
}

/// What this peer tells: its own records, and then those of others, the newest first.
impl Snapshot for View {
    fn records(&self) -> impl Iterator<Item = TimedLine<'_>> {
        self.own().chain(self.others())
    }
}
