//! A record of the table, and what a peer may know about it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use super::now::Now;
use crate::wire::Endpoint;
use crate::wire::di::registration::{Cookie, Registration};

/// For how many days registrations are counted.
const DAYS: u64 = 30;
/// A day, in seconds.
pub(super) const DAY: u64 = 24 * 60 * 60;

/// A record. It is never modified: a list of peers that is being sent still refers to it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) cookie: Cookie,
    pub(super) peer: Endpoint,
    pub(super) expires: Instant,
    /// Whether it expired by leaving, or because another record took over its host and port.
    pub(super) has_left: bool,
    /// When it was last heard from.
    pub(super) heard: SystemTime,
    /// When it last registered.
    pub(super) registered: SystemTime,
    /// The network from which it last registered; `None` if that has no limit.
    pub(super) network: Option<IpAddr>,
    /// How often it registered on each day (since 1970).
    pub(super) days: BTreeMap<u64, u32>,
}

impl Entry {
    /// What a peer may know about it.
    pub(super) fn registration(&self, now: Now) -> Registration {
        let left = self.expires.saturating_duration_since(now.instant);
        let today = day(now.date);
        let recent = self.days.iter().filter(|(day, _)| counts(**day, today));
        Registration {
            cookie: self.cookie,
            peer: self.peer.clone(),
            is_active: self.expires > now.instant,
            // Seconds are rounded up, so that a whole TTL is reported as such.
            ttl: u32::try_from(left.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX),
            registrations: recent.fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            heard: self.heard,
        }
    }
}

/// The day of a date (since 1970).
pub(super) fn day(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / DAY
}

/// Whether the registrations of this day still count.
pub(super) fn counts(day: u64, today: u64) -> bool {
    // A damaged file may have any day.
    day.saturating_add(DAYS) > today
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_for_thirty_days_and_any_day_is_one() {
        assert!(counts(70, 70) && counts(41, 70) && !counts(40, 70));
        assert!(counts(u64::MAX, 70));
    }
}
