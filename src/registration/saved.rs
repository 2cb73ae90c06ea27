//! Converts between the table and the contents of its file: instants to dates, and back.

use std::time::{Duration, SystemTime};

use super::disk::{Contents, Stored};
use super::entry::Entry;
use super::table::{Now, Registrar, Unsaved};
use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Port};

/// What has to be written, and the cookies of the records that have to be removed.
pub(super) fn changes(table: &Registrar, unsaved: &Unsaved, now: Now) -> (Contents, Vec<u32>) {
    let mut changed = Contents {
        next_cookie: table.next_cookie(),
        peers: Vec::new(),
    };
    let mut forgotten = Vec::new();
    let renewed = unsaved.renewed.iter();
    let renewed = renewed.filter(|cookie| !unsaved.changed.contains_key(cookie));
    for &cookie in unsaved.changed.keys().chain(renewed) {
        match table.entry(cookie) {
            Some(entry) => changed.peers.push(stored(entry, now)),
            None => forgotten.push(cookie.0),
        }
    }
    (changed, forgotten)
}

/// The whole table.
pub(super) fn contents(table: &Registrar, now: Now) -> Contents {
    Contents {
        next_cookie: table.next_cookie(),
        peers: table.entries().map(|entry| stored(entry, now)).collect(),
    }
}

fn stored(entry: &Entry, now: Now) -> Stored {
    let left = entry.expires.checked_duration_since(now.instant);
    let expires = match left {
        Some(left) => now.date + left,
        None => now.date - now.instant.duration_since(entry.expires),
    };
    Stored {
        cookie: entry.cookie.0,
        host: entry.peer.host.to_string(),
        port: entry.peer.port.get(),
        expires: milliseconds(expires),
        registered: milliseconds(entry.registered),
        has_left: entry.has_left,
        network: entry.network,
        days: entry.days.clone(),
    }
}

/// The table with these contents; `None` if they are inconsistent. No record lives longer than
/// `ttl` from now, even if the clock was set back between the runs.
pub(super) fn table(contents: Contents, ttl: Duration, now: Now) -> Option<Registrar> {
    let peers = contents.peers.into_iter();
    let entries = peers.map(|peer| entry(peer, ttl, now));
    Registrar::of(ttl, contents.next_cookie, entries)
}

fn entry(stored: Stored, ttl: Duration, now: Now) -> Option<Entry> {
    let expires = match time(stored.expires)?.duration_since(now.date) {
        Ok(left) if !stored.has_left => now.instant + left.min(ttl),
        Ok(_) => now.instant,
        // An instant before the system started may not exist.
        Err(ago) => now
            .instant
            .checked_sub(ago.duration())
            .unwrap_or(now.instant),
    };
    let registered = time(stored.registered)?;
    Some(Entry {
        cookie: Cookie(stored.cookie),
        peer: Endpoint {
            host: stored.host.parse().ok()?,
            port: Port::new(stored.port)?,
        },
        expires,
        has_left: stored.has_left,
        heard: registered,
        registered,
        network: stored.network,
        days: stored.days,
    })
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn time(milliseconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::di::registration::Claim;
    use std::time::Instant;

    const TTL: Duration = Duration::from_hours(2);

    /// So many seconds after a day in 2026.
    fn at(instant: Instant, seconds: u64) -> Now {
        Now {
            instant,
            date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds),
        }
    }

    fn peer(port: u16) -> Endpoint {
        Endpoint::parse(&format!("vm:{port}"), Port::MIN).unwrap()
    }

    /// A table with one peer that has left and one that is active.
    fn two(now: Now) -> Registrar {
        let mut table = Registrar::new(TTL);
        for (port, from) in [(5, [127, 0, 0, 1]), (6, [192, 0, 2, 1])] {
            table.register(&peer(port), None, from.into(), now).unwrap();
        }
        let claim = Claim {
            cookie: Cookie(1),
            peer: None,
            activates: false,
        };
        table.leave(&claim, now).unwrap();
        table
    }

    #[test]
    fn a_saved_table_forgets_nobody() {
        let now = at(Instant::now(), 0);
        let before = two(now);
        let later = at(now.instant + Duration::from_secs(100), 100);
        let mut after = table(contents(&before, now), TTL, later).unwrap();
        for number in [1, 2] {
            let [before, after] =
                [&before, &after].map(|table| table.registration(Cookie(number), later));
            assert_eq!(after, before);
        }
        let mut register = |port| {
            let registered = after.register(&peer(port), None, [127, 0, 0, 1].into(), later);
            registered.unwrap().cookie.0
        };
        assert_eq!([5, 6, 7].map(&mut register), [1, 2, 3]);
    }

    #[test]
    fn a_clock_set_back_between_two_runs_makes_nobody_immortal_and_revives_nobody() {
        let before = at(Instant::now(), 50_000_000);
        let contents = contents(&two(before), before);
        // The next run begins more than a year earlier.
        let now = at(Instant::now(), 0);
        let after = table(contents, TTL, now).unwrap();
        let known = |cookie| after.registration(Cookie(cookie), now).unwrap();
        assert!(!known(1).is_active);
        assert_eq!((known(2).is_active, known(2).ttl), (true, 7200));
    }

    #[test]
    fn inconsistent_contents_are_no_table() {
        let now = at(Instant::now(), 0);
        let row = r#"{"cookie":1,"host":"vm","port":5,"expires":0,"registered":0,"registrations":{"3":1}}"#;
        let json = |next: u32, rows: &[&str]| {
            let rows = rows.join(",");
            let text = format!(r#"{{"next_cookie":{next},"peers":[{rows}]}}"#);
            serde_json::from_str::<Contents>(&text).unwrap()
        };
        assert_eq!(table(json(2, &[row]), TTL, now).unwrap().len(), 1);
        for wrong in [
            json(0, &[]),
            json(1, &[row]),
            json(2, &[row, row]),
            json(2, &[&row.replace("\"cookie\":1", "\"cookie\":0")]),
            json(2, &[&row.replace("vm", "a b")]),
            json(2, &[&row.replace(":5,", ":0,")]),
        ] {
            let shown = format!("{wrong:?}");
            assert!(table(wrong, TTL, now).is_none(), "{shown}");
        }
    }
}
