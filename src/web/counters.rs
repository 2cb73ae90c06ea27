//! What a program counts while a page may show it. Counting takes no lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
}

/// How long requests took.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// How many took at most as long as each bound and longer than the one before; at the end, those
    /// that took longer than all.
    counts: [Counter; BOUNDS.len() + 1],
    /// In nanoseconds.
    sum: Counter,
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

/// What some of the threads have counted. Shards share no cache line: two processors that write to
/// one would wait for each other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard {
    /// Requests that this program has answered.
    pub(super) answered: Requests,
    /// Requests that this program has sent, by the status of their answers.
    pub(super) asked: Requests,
    refused: [Counter; Reason::ALL.len()],
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) latency: Histogram,
    /// Messages that are not shown.
    pub(super) skipped: Counter,
    /// Events that watchers have lost.
    pub(super) missed: Counter,
}

impl Shard {
    pub(super) fn refuse(&self, reason: Reason, count: u64) {
        if let Some(counter) = self.refused.get(reason.place()) {
            counter.add(count);
        }
    }
}

/// How many shards there are: more than the processors that are busy with sessions at a time.
const SHARDS: usize = 16;

/// The shard of the next thread.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

/// All counters.
#[derive(Debug, Default)]
pub(super) struct Counters([Shard; SHARDS]);

impl Counters {
    /// Where the current thread counts.
    pub(super) fn mine(&self) -> &Shard {
        let [first, ..] = &self.0;
        self.0.get(PLACE.with(|place| *place)).unwrap_or(first)
    }

    /// The sum of a counter.
    pub(super) fn sum(&self, counter: impl Fn(&Shard) -> &Counter) -> u64 {
        self.0.iter().map(|shard| counter(shard).get()).sum()
    }

    /// The counts that are not 0, with method and status; a status that is not known is 0.
    pub(super) fn requests(
        &self,
        of: impl Fn(&Shard) -> &Requests,
    ) -> impl Iterator<Item = (&'static str, u16, u64)> {
        let count = move |row: usize, cell: usize| {
            let counter = |shard| of(shard).0.get(row)?.get(cell).map(Counter::get);
            self.0.iter().filter_map(counter).sum()
        };
        let cells = METHODS.iter().enumerate().flat_map(|(row, method)| {
            let statuses = STATUSES.iter().enumerate();
            statuses.map(move |(cell, status)| (row, *method, cell, *status))
        });
        let counted =
            cells.map(move |(row, method, cell, status)| (method, status, count(row, cell)));
        counted.filter(|(_, _, count)| *count > 0)
    }

    /// How many requests there were.
    pub(super) fn count_requests(&self, of: impl Fn(&Shard) -> &Requests) -> u64 {
        self.requests(of).map(|(_, _, count)| count).sum()
    }

    /// The refusals, by reason.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = Reason::ALL.iter().enumerate();
        all.map(|(place, (_, name))| {
            let counters = self.0.iter().filter_map(|shard| shard.refused.get(place));
            (*name, counters.map(Counter::get).sum())
        })
    }

    /// How many requests took at most as long as each bound, then all, and their time together in
    /// nanoseconds.
    pub(super) fn latency(&self) -> (Vec<u64>, u64) {
        let mut sum = 0;
        let counts = (0..=BOUNDS.len()).map(|place| {
            let counters = self
                .0
                .iter()
                .filter_map(|shard| shard.latency.counts.get(place));
            sum += counters.map(Counter::get).sum::<u64>();
            sum
        });
        (counts.collect(), self.sum(|shard| &shard.latency.sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn what_all_threads_count_is_summed() {
        let counters = Counters::default();
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let mine = counters.mine();
                    mine.answered.count(0, 200);
                    mine.answered.count(1, 999);
                    mine.refuse(Reason::of(404), 2);
                    mine.latency.observe(Duration::from_micros(5));
                    mine.latency.observe(Duration::from_secs(9));
                });
            }
        });
        let requests: Vec<_> = counters.requests(|shard| &shard.answered).collect();
        assert_eq!(requests, [("ADD", 200, 20), ("LOOKUP", 0, 20)]);
        assert_eq!(counters.count_requests(|shard| &shard.asked), 0);
        assert!(counters.refusals().any(|it| it == ("not_found", 40)));
        let (counts, nanos) = counters.latency();
        assert_eq!(
            (counts[0], counts[BOUNDS.len() - 1], counts[BOUNDS.len()]),
            (20, 20, 40)
        );
        assert_eq!(nanos, 20 * (9_000_000_000 + 5_000));
    }
}
