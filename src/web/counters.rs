//! What a program counts while a page may show it. Counting takes no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::first_line::METHODS;

/// The status codes that are counted by themselves. Any other is counted at the end.
pub(super) const STATUSES: [u16; 10] = [200, 400, 403, 404, 409, 422, 500, 503, 505, 0];

/// The upper bounds of the histogram, in microseconds: a response from memory takes a few, one that
/// waits for a disk some thousands.
pub(super) const BOUNDS: [u64; 12] = [
    5, 10, 25, 50, 100, 250, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000,
];

/// Why a request or a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    BadRequest,
    Forbidden,
    NotFound,
    Unavailable,
    Version,
    /// The program or the address has as many connections as it may.
    ConnectionLimit,
    Other,
}

impl Reason {
    pub(super) const ALL: [(Self, &str); 7] = [
        (Self::BadRequest, "bad_request"),
        (Self::Forbidden, "forbidden"),
        (Self::NotFound, "not_found"),
        (Self::Unavailable, "unavailable"),
        (Self::Version, "version"),
        (Self::ConnectionLimit, "connection_limit"),
        (Self::Other, "other"),
    ];

    /// The reason that a status code stands for.
    pub(super) const fn of(code: u16) -> Self {
        match code {
            400 | 422 => Self::BadRequest,
            403 | 409 => Self::Forbidden,
            404 => Self::NotFound,
            500 | 503 => Self::Unavailable,
            505 => Self::Version,
            _ => Self::Other,
        }
    }

    fn place(self) -> usize {
        let mut all = Self::ALL.iter();
        all.position(|(reason, _)| *reason == self)
            .unwrap_or_default()
    }
}

/// A counter.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Requests by method and status.
#[derive(Debug, Default)]
pub(super) struct Requests([[Counter; STATUSES.len()]; METHODS.len()]);

impl Requests {
    /// Counts a request of the method at this place.
    pub(super) fn count(&self, method: usize, status: u16) {
        let place = STATUSES.iter().position(|known| *known == status);
        let place = place.unwrap_or(STATUSES.len() - 1);
        if let Some(counter) = self.0.get(method).and_then(|row| row.get(place)) {
            counter.add(1);
        }
    }

    /// The counts that are not 0, with method and status; a status that is not known is 0.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, u16, u64)> {
        let rows = METHODS.iter().zip(&self.0);
        let cells = rows.flat_map(|(method, row)| {
            let cells = STATUSES.iter().zip(row);
            cells.map(|(status, counter)| (*method, *status, counter.get()))
        });
        cells.filter(|(_, _, count)| *count > 0)
    }

    pub(super) fn sum(&self) -> u64 {
        self.all().map(|(_, _, count)| count).sum()
    }
}

/// How long requests took.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// How many took at most as long as each bound and longer than the one before; at the end, those
    /// that took longer than all.
    pub(super) counts: [Counter; BOUNDS.len() + 1],
    /// In nanoseconds.
    pub(super) sum: Counter,
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(counter) = self.counts.get(place) {
            counter.add(1);
        }
        self.sum
            .add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// All counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Requests that this program has answered.
    pub(super) answered: Requests,
    /// Requests that this program has sent, by the status of their answers.
    pub(super) asked: Requests,
    pub(super) refused: [Counter; Reason::ALL.len()],
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) latency: Histogram,
    /// Events that watchers have lost.
    pub(super) missed: Counter,
}

impl Counters {
    pub(super) fn refuse(&self, reason: Reason, count: u64) {
        if let Some(counter) = self.refused.get(reason.place()) {
            counter.add(count);
        }
    }

    /// The refusals, by reason.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = Reason::ALL.iter().zip(&self.refused);
        all.map(|((_, name), counter)| (*name, counter.get()))
    }
}
