//! What one peer has told, kept compactly. A batch never changes, so whoever sends it needs no lock.

use std::sync::Arc;

use crate::wire::di::exchange::TimedLine;
use crate::wire::{Endpoint, Port, RfcNumber};

/// What a record takes beside its text, in bytes: its entry, and its key in the set of all keys.
const RECORD_COST: usize = 48;
/// What a batch takes beside its records, in bytes, at most.
const BATCH_COST: usize = 512;

/// A point in time, in milliseconds since the peer was started.
pub(super) type Moment = u64;

/// The records that one peer has told.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) teller: Endpoint,
    /// By number, host and port.
    entries: Vec<Entry>,
    /// The host and the title of each record.
    text: String,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    expires: Moment,
    /// Where its host begins in the text, and after it its title.
    start: u32,
    number: RfcNumber,
    title_length: u16,
    port: Port,
    host_length: u8,
    /// Whether the holder has told it.
    is_own: bool,
}

/// A record in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) number: RfcNumber,
    pub(super) host: &'a str,
    pub(super) port: Port,
    pub(super) title: &'a str,
    pub(super) expires: Moment,
    /// Whether the holder has told it. What others tell is second-hand.
    pub(super) is_own: bool,
}

impl Held<'_> {
    /// Whether this peer holds it.
    pub(super) fn is_of(&self, peer: &Endpoint) -> bool {
        self.port == peer.port && self.host.eq_ignore_ascii_case(peer.host.as_str())
    }

    /// What it takes, in bytes.
    fn cost(&self) -> usize {
        RECORD_COST + self.host.len() + self.title.len()
    }
}

impl<'a> Held<'a> {
    /// The record with the time that is left; `None` if it has expired.
    pub(super) fn timed(self, now: Moment) -> Option<TimedLine<'a>> {
        let left = self.expires.checked_sub(now).filter(|&left| left > 0)?;
        Some(TimedLine {
            number: self.number,
            ttl: u32::try_from(left / 1000).unwrap_or(u32::MAX),
            host: self.host,
            port: self.port,
            title: self.title,
        })
    }
}

impl Batch {
    /// An empty batch of this peer.
    pub(super) fn of(teller: &Endpoint) -> Self {
        Self {
            teller: teller.clone(),
            entries: Vec::new(),
            text: String::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it takes, in bytes.
    pub(super) fn cost(&self) -> usize {
        BATCH_COST + self.entries.len() * RECORD_COST + self.text.len()
    }

    /// Whether a record can be added so that the batch takes at most `room` bytes.
    pub(super) fn has_room(&self, record: &Held<'_>, room: usize) -> bool {
        self.cost() + record.cost() <= room
    }

    /// Adds a record. It is found once the batch is [finished](Self::finish).
    pub(super) fn push(&mut self, record: &Held<'_>) {
        let entry = || {
            Some(Entry {
                expires: record.expires,
                start: u32::try_from(self.text.len()).ok()?,
                number: record.number,
                title_length: u16::try_from(record.title.len()).ok()?,
                port: record.port,
                host_length: u8::try_from(record.host.len()).ok()?,
                is_own: record.is_own,
            })
        };
        // Hosts and titles are short enough, and the budget is less than 4 GiB.
        let Some(entry) = entry() else { return };
        self.entries.push(entry);
        self.text.push_str(record.host);
        self.text.push_str(record.title);
    }

    pub(super) fn finish(mut self) -> Arc<Self> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by(|one, other| {
            let (one, other) = (self.held(one), self.held(other));
            (one.number, one.host, one.port).cmp(&(other.number, other.host, other.port))
        });
        entries.shrink_to_fit();
        self.entries = entries;
        self.text.shrink_to_fit();
        Arc::new(self)
    }

    /// The records, by number, host and port.
    pub(super) fn records(&self) -> impl Iterator<Item = Held<'_>> {
        self.entries.iter().map(|entry| self.held(entry))
    }

    /// The records of one document.
    pub(super) fn of_number(&self, number: RfcNumber) -> impl Iterator<Item = Held<'_>> {
        let start = self.entries.partition_point(|entry| entry.number < number);
        let rest = self.entries.get(start..).unwrap_or_default().iter();
        let found = rest.take_while(move |entry| entry.number == number);
        found.map(|entry| self.held(entry))
    }

    fn held(&self, entry: &Entry) -> Held<'_> {
        let text = usize::try_from(entry.start).ok();
        let text = text.and_then(|start| self.text.get(start..));
        let (host, rest) = text
            .and_then(|text| text.split_at_checked(entry.host_length.into()))
            .unwrap_or_default();
        Held {
            number: entry.number,
            host,
            port: entry.port,
            title: rest.get(..entry.title_length.into()).unwrap_or_default(),
            expires: entry.expires,
            is_own: entry.is_own,
        }
    }
}
