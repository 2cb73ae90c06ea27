//! The limits of the table, and who makes room.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::{Now, Registrar};
use crate::registration::entry::Entry;
use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Reject, Status};

/// The most peers that are kept. The one that was inactive for longest makes room.
pub(super) const MOST_RECORDS: usize = 100_000;
/// The most of them that registered from one address, or for IPv6 from one /64.
const MOST_OF_NETWORK: usize = 1_024;

impl Registrar {
    /// A new record, which is not in the table yet.
    pub(super) fn new_entry(&mut self, peer: &Endpoint, now: Now) -> Result<Entry, Reject> {
        if self.entries.all.len() >= self.most {
            let oldest = self.entries.by_expiry.first().copied();
            let most = self.most;
            self.forget_inactive(oldest, now)
                .ok_or_else(|| busy(format!("limit of {most} active peers reached")))?;
        }
        let cookie = Cookie(self.next);
        self.next = self
            .next
            .checked_add(1)
            .ok_or_else(|| busy("all cookies are used up"))?;
        Ok(Entry {
            cookie,
            peer: peer.clone(),
            expires: now.instant,
            has_left: false,
            heard: now.date,
            registered: now.date,
            network: None,
            days: BTreeMap::new(),
        })
    }

    /// Makes room for one more record of a network.
    pub(super) fn make_room_in(&mut self, network: IpAddr, now: Now) -> Result<(), Reject> {
        let same = self.entries.by_network.get(&network);
        if let Some(same) = same.filter(|same| same.len() >= MOST_OF_NETWORK) {
            let oldest = same.first().copied();
            self.forget_inactive(oldest, now).ok_or_else(|| {
                busy(format!(
                    "limit of {MOST_OF_NETWORK} active peers of this address reached"
                ))
            })?;
        }
        Ok(())
    }

    /// Forgets the record that was inactive for longest; `None` if it is active.
    fn forget_inactive(&mut self, oldest: Option<(Instant, Cookie)>, now: Now) -> Option<()> {
        let (_, oldest) = oldest.filter(|(expires, _)| *expires <= now.instant)?;
        self.remember(oldest);
        self.entries.forget(oldest);
        Some(())
    }
}

fn busy(reason: impl Into<String>) -> Reject {
    Reject {
        status: Status::ServiceUnavailable,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{HERE, at, claim, cookie, peer, register, table};
    use super::*;

    #[test]
    fn the_longest_inactive_makes_room_and_an_active_one_never() {
        let mut table = table();
        table.most = 2;
        let first = register(&mut table, 5, None, at(0)).cookie;
        register(&mut table, 6, None, at(1));
        let full = table.register(&peer(7), None, HERE, at(2)).unwrap_err();
        assert_eq!(full.status, Status::ServiceUnavailable);
        table.leave(&claim(first), at(3)).unwrap();
        assert_eq!(register(&mut table, 7, None, at(4)).cookie, cookie(3));
        assert_eq!(
            table.leave(&claim(first), at(5)),
            Err(Status::UnknownCookie)
        );
    }

    #[test]
    fn each_address_has_its_share_and_its_own_inactive_peers_make_room() {
        let site = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, last, 0, 0, last]);
        let other_site = IpAddr::from([0x2001, 0xdb8, 0, 8, 0, 0, 0, 1]);
        for (same, other) in [
            ([site(1), site(2)], other_site),
            (
                [IpAddr::from([192, 0, 2, 1]); 2],
                IpAddr::from([192, 0, 2, 2]),
            ),
        ] {
            let mut table = table();
            // Of all peers this one is inactive for longest.
            table.register(&peer(1), None, other, at(0)).unwrap();
            table.leave(&claim(cookie(1)), at(0)).unwrap();
            for port in 0..1024 {
                table
                    .register(&peer(1000 + port), None, same[0], at(1))
                    .unwrap();
            }
            let one_more = |table: &mut Registrar| table.register(&peer(9), None, same[1], at(2));
            let refused = one_more(&mut table).unwrap_err();
            assert_eq!(refused.status, Status::ServiceUnavailable);
            assert!(
                refused.reason.contains("limit of 1024"),
                "{}",
                refused.reason
            );
            // A known peer may register again, also without its cookie. A peer of another address
            // can't move here.
            table.register(&peer(1000), None, same[1], at(2)).unwrap();
            let known = Some(cookie(1));
            assert!(table.register(&peer(1), known, same[0], at(2)).is_err());
            assert!(table.register(&peer(1), known, other, at(2)).is_ok());
            // Loopback has no limit.
            for port in 0..1025 {
                table
                    .register(&peer(3000 + port), None, HERE, at(2))
                    .unwrap();
            }
            table.leave(&claim(cookie(7)), at(2)).unwrap();
            assert!(one_more(&mut table).is_ok());
            assert_eq!(table.registration(cookie(7), at(3)), None);
            assert!(one_more(&mut table).is_ok(), "a known peer registers again");
        }
    }
}
