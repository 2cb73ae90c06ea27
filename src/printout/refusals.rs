//! Limits how many refused requests of one connection are printed, because a stranger could otherwise
//! fill a disk with them. Valid requests are always printed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::event::{Event, Link, Role, Way};
use crate::net::Seldom;

/// The most refused requests of one connection that are printed in each second.
const MOST: u64 = 10;

/// The connections with refused requests. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<HashMap<(Role, u64), Refused>>>);

/// The refused requests of one connection.
#[derive(Debug)]
struct Refused {
    seldom: Seldom,
    /// Whether the request that is being refused is printed, once that is decided.
    is_shown: Option<bool>,
}

/// What becomes of an event in a printout.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is printed.
    Print,
    /// It is printed after a line about the refused requests that were not.
    PrintAfter(String),
    /// It is not printed.
    Skip,
}

impl Refusals {
    /// Decides whether this event is printed. All events of one refused request are printed, or
    /// none.
    pub(super) fn judge(&self, event: &Event<'_>, now: Instant) -> Verdict {
        match event {
            Event::Message {
                link, is_bad: true, ..
            } => self.decide(link, now, true),
            Event::Refusing { link, .. } => {
                let decided = self.with(link, |refused| refused.is_shown);
                match decided.flatten() {
                    Some(true) => Verdict::Print,
                    Some(false) => Verdict::Skip,
                    // Its request was valid, or had no end, and is no part of this.
                    None => self.decide(link, now, false),
                }
            }
            Event::Message {
                link,
                way: Way::Sent,
                ..
            } => match self.with(link, |refused| refused.is_shown.take()).flatten() {
                Some(false) => Verdict::Skip,
                _ => Verdict::Print,
            },
            Event::Closed { link, .. } => {
                let removed = self.0.lock().remove(&(link.role, link.id));
                let untold = removed.map_or(0, |mut refused| refused.seldom.untold());
                after(link, untold)
            }
            _ => Verdict::Print,
        }
    }

    /// Decides about a refused request. `is_whole`: what follows of it is treated alike.
    fn decide(&self, link: &Link, now: Instant, is_whole: bool) -> Verdict {
        let mut connections = self.0.lock();
        let refused = connections.entry((link.role, link.id)).or_insert(Refused {
            seldom: Seldom::at_most(MOST),
            is_shown: None,
        });
        let due = refused.seldom.due(now);
        refused.is_shown = is_whole.then_some(due.is_some());
        due.map_or(Verdict::Skip, |untold| after(link, untold))
    }

    fn with<T>(&self, link: &Link, look: impl FnOnce(&mut Refused) -> T) -> Option<T> {
        self.0.lock().get_mut(&(link.role, link.id)).map(look)
    }
}

fn after(link: &Link, untold: u64) -> Verdict {
    if untold == 0 {
        return Verdict::Print;
    }
    let (tag, from) = (super::lines::tag(link.role), link.remote);
    Verdict::PrintAfter(format!(
        "{tag} {untold} more refused request(s) from {from} not printed"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use std::time::Duration;

    fn message(way: Way, is_bad: bool) -> Event<'static> {
        Event::Message {
            link: link(Role::Session),
            way,
            bytes: b"",
            more: 0,
            is_bad,
        }
    }

    fn refusing() -> Event<'static> {
        Event::Refusing {
            link: link(Role::Session),
            code: 400,
            reason: "it is wrong".into(),
        }
    }

    #[test]
    fn all_of_a_refused_request_is_printed_or_nothing_and_the_rest_is_counted() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let bad = |now| {
            let events = [
                message(Way::Received, true),
                refusing(),
                message(Way::Sent, false),
            ];
            events.map(|event| refusals.judge(&event, now))
        };
        for number in 0..25 {
            let expected = if number < 10 {
                Verdict::Print
            } else {
                Verdict::Skip
            };
            assert!(bad(start).iter().all(|verdict| *verdict == expected));
            // A valid request in between is printed with its answer.
            for way in [Way::Received, Way::Sent] {
                let verdict = refusals.judge(&message(way, false), start);
                assert_eq!(verdict, Verdict::Print);
            }
        }
        let line = |count: u32| {
            let line =
                format!("[SERVER] {count} more refused request(s) from 10.0.0.1:5 not printed");
            Verdict::PrintAfter(line)
        };
        let later = start + Duration::from_secs(1);
        assert_eq!(bad(later), [line(15), Verdict::Print, Verdict::Print]);
        // The reason for refusing a valid request counts, but not its messages.
        for number in 1..20 {
            let expected = if number < 10 {
                Verdict::Print
            } else {
                Verdict::Skip
            };
            assert_eq!(refusals.judge(&refusing(), later), expected);
            let sent = refusals.judge(&message(Way::Sent, false), later);
            assert_eq!(sent, Verdict::Print);
        }
        let closed = Event::Closed {
            link: link(Role::Session),
            had_name: false,
        };
        assert_eq!(refusals.judge(&closed, later), line(10));
        assert!(refusals.0.lock().is_empty());
    }
}
