//! Groups 5 to 7: 404, 400, 505. Each wrong request goes out on a connection of its own, because a
//! server may close it.

use super::answer::Answer;
use super::form;
use super::peer::Peer;
use super::records::number;
use super::target::Target;
use crate::grade::check::{Held, Sheet, Unmet};
use crate::wire::ci::p2s::Request;
use crate::wire::{Dialect, Status};

/// The number of an RFC that nobody has.
const UNKNOWN: u32 = 9999;

/// A LOOKUP of an RFC that nobody has. It has a title, because some servers refuse it without: that is
/// not what these checks are about.
fn lookup(peer: &Peer<'_>) -> Held<Request> {
    let record = peer.record(number(UNKNOWN)?, "Nobody Has It")?;
    Ok(peer.looks_up(record.number, &record.title))
}

/// An ADD that is right until it is changed.
fn add(peer: &Peer<'_>) -> Held<Request> {
    let record = peer.record(number(9051)?, "Not to Be Added")?;
    Ok(Request::Add(record))
}

/// Sends a request with a changed text, which must be answered with one of these; the first is ours.
fn refused(
    peer: &mut Peer<'_>,
    request: &Request,
    change: impl Fn(&str) -> String,
    statuses: &[Status],
) -> Held<Answer> {
    let right = request.encode(Dialect::Text);
    let wrong = change(&String::from_utf8_lossy(&right));
    let ours = statuses.first().copied().unwrap_or(Status::BadRequest);
    let answer = peer.ask_bytes(wrong.as_bytes(), request, form::refusal(ours))?;
    let codes: Vec<_> = statuses.iter().map(|status| status.code()).collect();
    answer.with_code(&codes)
}

pub(super) fn not_found(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let request = lookup(&peer)?;
    let answer = peer.ask(&request, &[]);
    let answer = answer.and_then(|answer| answer.with_code(&[404]));
    let mut answer = sheet.judge("lookup-404", answer)?;
    peer.settle(&mut answer);
    let _ = sheet.judge("lookup-404-form", form::of_refusal(&answer));
    Ok(())
}

pub(super) fn host_missing(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let without_host = |text: &str| {
        let lines = text.split_inclusive('\n');
        lines.filter(|line| !line.starts_with("Host:")).collect()
    };
    let request = add(&peer)?;
    let answer = refused(&mut peer, &request, without_host, &[Status::BadRequest]);
    sheet.judge("host-missing-400", answer).map(drop)
}

pub(super) fn method_and_version(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peers = [target.join()?, target.join()?, target.join()?];
    let [of_method, of_version, of_number] = &mut peers;
    let unknown_method = |text: &str| text.replacen("LOOKUP", "BLAH", 1);
    let next_version = |text: &str| text.replacen("P2P-CI/1.0", "P2P-CI/2.0", 1);
    let request = lookup(of_method)?;
    let method = refused(of_method, &request, unknown_method, &[Status::BadRequest]);
    let method = sheet.judge("method-400", method);
    let request = lookup(of_version)?;
    let newer = &[Status::VersionNotSupported];
    let version = refused(of_version, &request, next_version, newer);
    let version = sheet.judge("version-505", version);
    let request = lookup(of_number)?;
    let unknown = of_number.ask(&request, &[]);
    let unknown = unknown.and_then(|answer| answer.with_code(&[404]));

    let mut answers = [method.ok(), version.ok(), unknown.ok()];
    if answers.iter().take(2).any(Option::is_some) {
        let mut errors = peers.iter_mut().zip(&mut answers).take(2);
        let form = errors.try_for_each(|(peer, answer)| match answer {
            Some(answer) => {
                peer.settle(answer);
                form::of_refusal(answer)
            }
            None => Ok(()),
        });
        let _ = sheet.judge("error-form", form);
    }
    let mut right = peers.iter_mut().zip(&answers);
    let mut right = right.by_ref().filter(|(_, answer)| answer.is_some());
    let Some((first, _)) = right.next() else {
        return Err(Unmet::Skipped("no error was answered right".to_owned()));
    };
    let goes_on = |peer: &mut Peer<'_>| {
        let request = lookup(peer)?;
        peer.ask(&request, &[]).map(drop)
    };
    let held = goes_on(first).and_then(|()| right.try_for_each(|(peer, _)| goes_on(peer)));
    let _ = sheet.judge("goes-on", held);
    Err(Unmet::Skipped(
        "neither 400 nor 505 was answered right".to_owned(),
    ))
}

pub(super) fn number_in_words(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let request = add(&peer)?;
    let words = |text: &str| text.replacen("RFC 9051", "RFC abc", 1);
    let answer = refused(&mut peer, &request, words, &[Status::BadRequest]);
    sheet.judge("number-400", answer).map(drop)
}

pub(super) fn port(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let held = ["0", "70000", "x"].iter().try_for_each(|port| {
        let mut peer = target.join()?;
        let right = format!("Port: {}", peer.name.port);
        let wrong = format!("Port: {port}");
        let request = add(&peer)?;
        let change = |text: &str| text.replacen(&right, &wrong, 1);
        refused(&mut peer, &request, change, &[Status::BadRequest]).map(drop)
    });
    sheet.judge("port-400", held)
}

pub(super) fn version_missing(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let request = lookup(&peer)?;
    let without = |text: &str| text.replacen(" P2P-CI/1.0", "", 1);
    let statuses = &[Status::BadRequest, Status::VersionNotSupported];
    let answer = refused(&mut peer, &request, without, statuses);
    sheet.judge("version-missing", answer).map(drop)
}
