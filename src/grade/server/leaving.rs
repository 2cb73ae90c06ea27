//! Group 8: a peer that leaves is forgotten, however it leaves, and the others stay.

use std::thread;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::peer::Peer;
use super::records::{number, shows};
use super::target::{CHECK_TIME, Target};
use crate::grade::check::{Held, Sheet};
use crate::wire::{Dialect, Record};

/// How often to look whether a peer is forgotten.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn close(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let both = Both::join(target, 9061)?;
    let held = both.leave("closed", drop);
    let cause = "nothing removes the records of a connection when recv() returns no bytes";
    let held = held.map_err(|unmet| unmet.usually(cause));
    sheet.judge("close-forgets", held)
}

pub(super) fn reset(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let one = Both::join(target, 9065)?;
    let other = Both::join(target, 9067)?;
    let held = one.leave("was reset", Peer::reset).and_then(|()| {
        other.leave("closed in the middle of a request", |mut peer| {
            let request = peer.lists().encode(Dialect::Text);
            let half = request.get(..request.len() / 2).unwrap_or_default();
            // Whether they arrive makes no difference: the peer leaves.
            let _ = peer.write(half);
        })
    });
    let cause = "an exception, or half a request, skips the lines that remove the records: they belong \
         into a \"finally\" block";
    let held = held.map_err(|unmet| unmet.usually(cause));
    sheet.judge("reset-forgets", held)
}

/// A peer that leaves, and one that stays.
struct Both<'a> {
    a: Peer<'a>,
    b: Peer<'a>,
    of_a: Record,
    of_b: Record,
}

impl<'a> Both<'a> {
    /// Registers both for the same RFC, first the one that stays.
    fn join(target: &'a Target<'a>, rfc: u32) -> Held<Self> {
        let (mut a, mut b) = (target.join()?, target.join()?);
        let of_a = a.record(number(rfc)?, "Of Two Peers")?;
        let of_b = b.record(number(rfc)?, "Of Two Peers")?;
        b.add(&of_b)?;
        a.add(&of_a)?;
        let found = b.find(&of_a, &[of_a.clone(), of_b.clone()]);
        let found = found.and_then(|answer| shows(&answer, &of_a));
        found.map_err(|unmet| unmet.as_condition("a LOOKUP failed"))?;
        Ok(Self { a, b, of_a, of_b })
    }

    /// Whether the first is forgotten after it has left so, and the second is not.
    fn leave(mut self, how: &str, leave: impl FnOnce(Peer<'a>)) -> Held {
        leave(self.a);
        let last = until_forgotten(&mut self.b, &self.of_a, &self.of_b)?;
        if last.names(&self.of_a) {
            let seconds = CHECK_TIME.as_secs();
            return Err(last.unmet(format!(
                "{seconds} s after a peer {how}, its record is still there"
            )));
        }
        let cause =
            "more than the records of that connection is removed: all of the RFC, or of the host";
        shows(&last, &self.of_b).map_err(|unmet| unmet.usually(cause))
    }
}

/// Looks up the RFC of two peers until the one that left is gone, or the time of a check is over.
/// Returns the last answer.
pub(super) fn until_forgotten(b: &mut Peer<'_>, of_a: &Record, of_b: &Record) -> Held<Answer> {
    let until = Instant::now() + CHECK_TIME;
    loop {
        let request = b.looks_up(of_a.number, &of_a.title);
        let answer = b.ask(&request, std::slice::from_ref(of_b))?;
        if !answer.names(of_a) || Instant::now() >= until {
            return Ok(answer);
        }
        thread::sleep(LOOK);
    }
}
