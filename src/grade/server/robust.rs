//! What a server on a real network needs.

use std::thread;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::form;
use super::leaving::until_forgotten;
use super::peer::Peer;
use super::records::{add_and_find, nothing_else, number, shows};
use super::target::{CHECK_TIME, Target};
use crate::grade::check::{Held, Sheet, Unmet};
use crate::grade::excerpt::Exchanged;
use crate::wire::ci::p2s::Request;
use crate::wire::{Dialect, Endpoint, Record};

/// The pause between the pieces of a request: long enough that a server which reads what is there
/// sees one piece.
const PAUSE: Duration = Duration::from_millis(200);
/// The pause between bytes.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
/// How many peers are there at once.
const CROWD: u32 = 20;
/// The noise, and the line without an end, in bytes.
const NOISE: usize = 64 * 1024;
const ENDLESS: usize = 1024 * 1024;
/// A title of 200 characters.
const LONG_TITLE: &str = "A Title, as Long as Few Are: \"Quoted\", (in Parentheses), with a Dash - \
    and a Slash/Backslash\\; 100% of It, & 'More' of It + Much More, Up to the Two Hundredth \
    Character, Which Is Now the Very Last One";

/// Adds and looks up one record, as the condition of what asks for more, unless that has worked before:
/// a slow server has time for few requests. A connection of its own does so: a server may take only one
/// ADD on each.
fn plain(target: &Target<'_>) -> Held {
    if target.has_found.get() {
        return Ok(());
    }
    let mut peer = target.join()?;
    let record = peer.record(number(9070)?, "A Plain One")?;
    add_and_find(&mut peer, &record)?;
    // A server that limits its connections must have seen it leave before others come.
    peer.finish();
    Ok(())
}

pub(super) fn split(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    plain(target)?;
    let mut peer = target.join()?;
    let record = peer.record(number(9071)?, "In Three Pieces")?;
    let held = |peer: &mut Peer<'_>| {
        let request = Request::Add(record.clone());
        let only = std::slice::from_ref(&record);
        let third = request.encode(Dialect::Text).len() / 3;
        in_pieces(peer, &request, only, third + 1, PAUSE)?;
        let request = peer.looks_up(record.number, &record.title);
        shows(&in_pieces(peer, &request, only, 1, SHORT_PAUSE)?, &record)
    };
    let cause = "what one recv() returns is taken for a whole request: it may be a part, so read on until \
         the empty line";
    let held = held(&mut peer).map_err(|unmet| unmet.usually(cause));
    sheet.judge("split", held)
}

/// Sends a request in pieces of this size.
fn in_pieces(
    peer: &mut Peer<'_>,
    request: &Request,
    expected: &[Record],
    size: usize,
    pause: Duration,
) -> Held<Answer> {
    let bytes = request.encode(Dialect::Text);
    for (place, piece) in bytes.chunks(size).enumerate() {
        if place > 0 {
            thread::sleep(pause);
        }
        // If the server has closed, reading says so.
        let _ = peer.write(piece);
    }
    peer.wait();
    let answer = peer.read(&bytes, request, form::answer(request, expected))?;
    answer.with_code(&[200])
}

pub(super) fn pipelined(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    plain(target)?;
    let mut peer = target.join()?;
    let record = peer.record(number(9073)?, "Asked for Twice")?;
    peer.add(&record)?;
    let held = |peer: &mut Peer<'_>| {
        let request = peer.looks_up(record.number, &record.title);
        let bytes = request.encode(Dialect::Text).repeat(2);
        // If the server has closed, reading says so.
        let _ = peer.write(&bytes);
        let both = form::answer(&request, std::slice::from_ref(&record)).repeat(2);
        peer.wait();
        let first = peer.read(&bytes, &request, both.clone())?;
        let first = first.with_code(&[200])?;
        shows(&first, &record)?;
        peer.wait();
        let second = peer.read(&bytes, &request, both);
        let mut second = second.map_err(|unmet| {
            let came = [first.got.as_slice(), peer.came()].concat();
            match unmet {
                Unmet::Failed(mut finding) => {
                    finding.message = format!("one answer to two requests: {}", finding.message);
                    let exchanged = Exchanged::of_content(&bytes, &first.expected, &came);
                    finding.exchanged = Some(exchanged);
                    Unmet::Failed(finding)
                }
                skipped @ Unmet::Skipped(_) => skipped,
            }
        })?;
        second.got = [first.got, second.got].concat();
        shows(&second.with_code(&[200])?, &record)
    };
    let cause = "what one recv() returns is taken for one request: it may be more, so keep what follows \
         the empty line for the next";
    let held = held(&mut peer).map_err(|unmet| unmet.usually(cause));
    sheet.judge("pipelined", held)
}

pub(super) fn concurrent(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    plain(target)?;
    let _silent = target.connection()?;
    let mut slow = target.join()?;
    let request = slow.lists().encode(Dialect::Text);
    let half = request.get(..request.len() / 2).unwrap_or_default();
    // If the server has closed, the others see whether it is there.
    let _ = slow.write(half);
    let crowd = || {
        let mut crowd = Vec::new();
        for place in 0..CROWD {
            let peer = target.join().map_err(Unmet::as_failure)?;
            let record = peer.record(number(9101 + place)?, &format!("Number {place}"))?;
            crowd.push((peer, record));
        }
        all_ask(&mut crowd, |_, record| Request::Add(record.clone()))?;
        all_ask(&mut crowd, |peer, record| {
            peer.looks_up(record.number, &record.title)
        })?;
        // A server that limits its connections must have seen them leave before others come.
        let until = Instant::now() + CHECK_TIME;
        let left = crowd.into_iter().map(|(peer, _)| peer);
        left.take_while(|_| Instant::now() < until)
            .for_each(Peer::finish);
        Ok(())
    };
    sheet.judge("concurrent", crowd())
}

/// Lets all ask at the same time, and then expects the own record of each.
fn all_ask(
    crowd: &mut [(Peer<'_>, Record)],
    request: impl Fn(&Peer<'_>, &Record) -> Request,
) -> Held {
    for (peer, record) in &mut *crowd {
        let bytes = request(peer, record).encode(Dialect::Text);
        // If the server has closed, reading says so.
        let _ = peer.write(&bytes);
    }
    crowd.iter_mut().try_for_each(|(peer, record)| {
        // Its answer may have waited for those before, if the end of each is only silence.
        peer.wait();
        let request = request(peer, record);
        let only = std::slice::from_ref(record);
        let (sent, expected) = (request.encode(Dialect::Text), form::answer(&request, only));
        let answer = peer.read(&sent, &request, expected)?;
        let answer = answer.with_code(&[200])?;
        // The record in the answer to an ADD is judged elsewhere.
        if matches!(request, Request::Add(_)) {
            return Ok(());
        }
        shows(&answer, record)?;
        nothing_else(peer.target(), &answer, only)
    })
}

pub(super) fn same_host(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    plain(target)?;
    let mut a = target.join()?;
    let mut b = target.join_as(Endpoint {
        host: a.name.host.clone(),
        port: target.another_port(),
    })?;
    let same = number(9081)?;
    let of_a = a.record(same, "Of One Host")?;
    let of_b = b.record(same, "Of One Host")?;
    a.add(&of_a)?;
    let request = Request::Add(of_b.clone());
    let held = || {
        let only = std::slice::from_ref(&of_b);
        b.ask(&request, only)?.with_code(&[200])?;
        shows(&b.find(&of_b, &[of_b.clone(), of_a.clone()])?, &of_b)?;
        drop(a);
        let last = until_forgotten(&mut b, &of_a, &of_b);
        let held = last.and_then(|last| shows(&last, &of_b));
        held.map_err(|unmet| {
            unmet
                .when("after the other peer of this host left")
                .usually("records are removed by host alone: host and port together name a peer")
        })
    };
    sheet.judge("same-host", held())
}

pub(super) fn long_title(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    plain(target)?;
    let mut peer = target.join()?;
    let record = peer.record(number(9083)?, LONG_TITLE)?;
    let only = std::slice::from_ref(&record);
    let held = |peer: &mut Peer<'_>| {
        let request = Request::Add(record.clone());
        peer.ask(&request, only)?.with_code(&[200])?;
        shows(&peer.find(&record, only)?, &record)
    };
    sheet.judge("long-title", held(&mut peer))
}

pub(super) fn garbage(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    plain(target)?;
    let mut peer = target.join()?;
    let record = peer.record(number(9085)?, "Beside Noise")?;
    peer.add(&record)?;
    let (mut noisy, mut endless) = (target.join()?, target.join()?);
    // The server may well close both.
    let _ = noisy.write(&noise());
    let _ = endless.write(&vec![b'x'; ENDLESS]);
    // What the noise does to it must have happened before the others are looked at.
    noisy.await_reaction();
    endless.await_reaction();
    let mut held = || {
        let only = std::slice::from_ref(&record);
        shows(&peer.find(&record, only)?, &record)?;
        let mut next = target.join().map_err(Unmet::as_failure)?;
        let of_next = next.record(number(9086)?, "After Noise")?;
        let request = Request::Add(of_next.clone());
        let answer = next.ask(&request, std::slice::from_ref(&of_next))?;
        answer.with_code(&[200]).map(drop)
    };
    sheet.judge("garbage", held())
}

/// Bytes of all values, the same in every run.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [byte, ..] = state.to_be_bytes();
        byte
    };
    std::iter::repeat_with(next).take(NOISE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Title;

    #[test]
    fn the_long_title_is_valid_and_stays_as_it_is() {
        assert_eq!(LONG_TITLE.chars().count(), 200);
        let title: Title = LONG_TITLE.parse().unwrap();
        assert_eq!(title.as_str(), LONG_TITLE);
    }
}
