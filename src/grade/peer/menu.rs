//! What the menu of the peer sends: LOOKUP, LIST, GET, EXIT.

use std::time::Duration;

use super::form::{in_form, same};
use super::holders::document;
use super::index::Manner;
use super::seen::{Event, Got, What};
use super::subject::{Registered, Subject, added};
use super::{LARGE, uploads};
use crate::grade::check::{Finding, Held, Sheet, Unmet};
use crate::grade::excerpt::{Exchanged, usual_cause};
use crate::grade::options::Step;
use crate::wire::ci::p2s::Request;
use crate::wire::di::Origin;
use crate::wire::p2p::Codec;
use crate::wire::{Dialect, Head, Host, Protocol, Record, RfcNumber, Waits};

/// How long nothing may follow where nothing should.
const QUIET_TIME: Duration = Duration::from_secs(1);

/// The places of the documents.
const UNKNOWN: u32 = 0;
const USUAL: u32 = 1;
const REFUSED: u32 = 3;
const SPLIT: u32 = 4;

pub(super) fn lookup(subject: &Subject<'_>, _: &Registered, sheet: &mut Sheet) -> Held {
    let record = subject.offer(USUAL, 1)?;
    let then = subject.choose(Step::Lookup, USUAL)?;
    let asked = subject.wait_for_request(then, "LOOKUP", |it| looks_up(it, record.number));
    let (link, asked) = match asked {
        Ok(asked) => asked,
        Err(unmet) => return sheet.judge("lookup-form", Err(unmet)),
    };
    let _ = sheet.judge("lookup-form", in_form(&asked));
    together(subject, link, sheet);
    Ok(())
}

/// Judges whether the peer went on after answers that came together.
fn together(subject: &Subject<'_>, goes_on: u64, sheet: &mut Sheet) {
    let events = subject.seen.since(0);
    let mut together = events.iter().filter(|event| match &event.what {
        What::Asked(asked) => asked.is_answered_together,
        _ => false,
    });
    let check = "answer-together";
    let _ = match together.next() {
        // A faithful peer may do that.
        None => {
            let reason = "it sends one request at a time, so no two answers come together";
            return sheet.pass_over(check, reason);
        }
        Some(event) if event.link == goes_on => sheet.judge(check, Ok(())),
        Some(_) => {
            let message = "after two answers in one segment it gave the connection up";
            sheet.judge(check, Err(Unmet::failed(message)))
        }
    };
}

pub(super) fn list(subject: &Subject<'_>, _: &Registered, sheet: &mut Sheet) -> Held {
    let then = subject.choose(Step::List, UNKNOWN)?;
    let is_list = |request: &Request| matches!(request, Request::List(_));
    let asked = subject.wait_for_request(then, "LIST", is_list);
    let held = asked.and_then(|(_, asked)| in_form(&asked));
    sheet.judge("list-form", held)
}

pub(super) fn get(subject: &Subject<'_>, registered: &Registered, sheet: &mut Sheet) -> Held {
    let record = subject.offer(LARGE, 1)?;
    let then = subject.choose(Step::Get, LARGE)?;
    let flow = sheet.judge("get-flow", flow(subject, &record, then));
    // Its GET may be right where what follows is not, and the document may have come.
    let Some(got) = asked_since(subject, then, record.number) else {
        return flow;
    };
    let form = request_form(&got, &record, registered);
    let _ = sheet.judge("get-request-form", form);
    if got.wanted.is_err() {
        return flow;
    }
    needs(sheet, &["add-port", "get-ok"])?;
    let fetched = uploads::fetch(subject, registered, record.number);
    let identical = fetched.and_then(|reply| {
        let body = &reply.body;
        if *body == document(record.number) {
            return Ok(());
        }
        let (length, of) = (body.len(), document(record.number).len());
        let message = format!("it has {length} bytes, and the document that it got {of}");
        let message = if length == of {
            "it is as long as the document that it got, but not identical".to_owned()
        } else {
            message
        };
        Err(reply.unmet(&document(record.number), message))
    });
    sheet.judge("get-identical", identical)
}

/// Whether a LOOKUP, a GET, and an ADD follow, in this order.
fn flow(subject: &Subject<'_>, record: &Record, then: usize) -> Held {
    let asked = download(subject, record, then)?;
    let is_add = |it: &Request| matches!(it, Request::Add(it) if it.number == record.number);
    let added = subject.wait_for_request(asked, "ADD of what it got", is_add);
    let mut before = subject.seen.since(then);
    before.truncate(asked - then);
    for event in before {
        if let What::Asked(add) = event.what
            && is_add(&add.request)
        {
            return Err(Unmet::Failed(Box::new(Finding {
                message: "its ADD came before its GET: it registers what it does not have yet"
                    .to_owned(),
                cause: None,
                exchanged: Some(Exchanged::new(b"", b"", &add.bytes)),
            })));
        }
    }
    added.map(drop)
}

/// Whether a LOOKUP and then a GET follow. Returns since when there is what follows these.
fn download(subject: &Subject<'_>, record: &Record, then: usize) -> Held<usize> {
    let number = record.number;
    let is_lookup = |event: &Event| match &event.what {
        What::Asked(asked) => looks_up(&asked.request, number),
        _ => false,
    };
    subject.wait_for_request(then, "LOOKUP", |it| looks_up(it, number))?;
    let after = |then: usize, is_it: &dyn Fn(&Event) -> bool| {
        let place = subject.seen.since(then).iter().position(is_it);
        place.map_or(then, |place| then + place + 1)
    };
    let is_get = |event: &Event| matches!(&event.what, What::Got(got) if got.wanted == Ok(number));
    let looked_up = after(then, &is_lookup);
    let got = subject.wait(looked_up, |event| is_get(event).then_some(()));
    if got.is_none() {
        let refused = asked_since(subject, looked_up, number);
        let refused =
            refused.and_then(|got| Some(get_refusal(b"", &got.bytes, &got.wanted.err()?)));
        let missed = || Unmet::failed(subject.missed("GET to the holder"));
        return Err(refused.unwrap_or_else(missed));
    }
    Ok(after(looked_up, &is_get))
}

/// Its GET of this document since then, or else what it sent to a holder and was refused.
fn asked_since(subject: &Subject<'_>, then: usize, number: RfcNumber) -> Option<Got> {
    let events = subject.seen.since(then).into_iter();
    let mut asked = events.filter_map(|event| match event.what {
        What::Got(got) => Some(got),
        _ => None,
    });
    let right = asked.clone().find(|got| got.wanted == Ok(number));
    right.or_else(|| asked.find(|got| got.wanted.is_err()))
}

fn get_refusal(expected: &[u8], bytes: &[u8], why: &str) -> Unmet {
    Unmet::Failed(Box::new(Finding {
        message: format!("its GET is refused: {why}"),
        cause: usual_cause(expected, bytes),
        exchanged: Some(Exchanged::new(b"", expected, bytes)),
    }))
}

/// Whether a GET is to the byte what our own peer sends from that system.
fn request_form(got: &Got, record: &Record, sender: &Registered) -> Held {
    let waits = Waits {
        first: None,
        whole: QUIET_TIME,
    };
    let head = Head::read(&mut got.bytes.as_slice(), waits).ok().flatten();
    let head = head.unwrap_or_default();
    let os = head.field("OS").ok().flatten().unwrap_or("…");
    let origin = Origin {
        date: std::time::SystemTime::UNIX_EPOCH,
        os,
    };
    let codec = Codec::new(Protocol::Ci, Dialect::Text);
    let strict = codec.get(record.number, &record.holder, origin);
    let asked: Option<Host> = head
        .field("Host")
        .ok()
        .flatten()
        .and_then(|it| it.parse().ok());
    let is_own = |host: &Host| sender.records.iter().any(|it| it.holder.host == *host);
    let names_itself = asked.is_some_and(|host| host != record.holder.host && is_own(&host));
    let form = match &got.wanted {
        Ok(_) => same(&strict, &got.bytes, "the GET"),
        Err(why) => Err(get_refusal(&strict, &got.bytes, why)),
    };
    form.map_err(|unmet| {
        if names_itself {
            unmet.usually("Host of a GET is the host that is asked, not your own")
        } else {
            unmet
        }
    })
}

pub(super) fn get_unknown(subject: &Subject<'_>, _: &Registered, sheet: &mut Sheet) -> Held {
    let (number, _) = subject.document(UNKNOWN)?;
    let held = || {
        let then = subject.choose(Step::Get, UNKNOWN)?;
        subject.wait_for_request(then, "LOOKUP", |it| looks_up(it, number))?;
        // What follows at once would come in this time; the menu is then asked for a LIST.
        std::thread::sleep(QUIET_TIME);
        let listed = subject.choose(Step::List, UNKNOWN)?;
        // Its form is not the point.
        let goes_on = subject.wait(listed, |event| match &event.what {
            What::Asked(asked) => matches!(asked.request, Request::List(_)).then_some(()),
            What::Wrong(bytes, _) => bytes.starts_with(b"LIST").then_some(()),
            _ => None,
        });
        let goes_on = goes_on.ok_or_else(|| {
            let missed = subject.missed("LIST");
            Unmet::failed(format!("the menu does not go on: {missed}"))
        });
        for event in subject.seen.since(then) {
            let (what, bytes) = match event.what {
                What::Got(got) => ("GET", got.bytes),
                What::Asked(asked) if matches!(asked.request, Request::Add(_)) => {
                    ("ADD", asked.bytes)
                }
                _ => continue,
            };
            return Err(uploads::unexpected(what, &bytes));
        }
        goes_on
    };
    sheet.judge("get-unknown", held())
}

pub(super) fn next_holder(subject: &Subject<'_>, _: &Registered, sheet: &mut Sheet) -> Held {
    needs(sheet, &["get-flow"])?;
    let record = subject.offer(REFUSED, 2)?;
    subject.holders.refuse_once(record.number);
    let held = || {
        let then = subject.choose(Step::Get, REFUSED)?;
        flow(subject, &record, then)?;
        let events = subject.seen.since(then).into_iter();
        let asked = events.filter_map(|event| match event.what {
            What::Got(got) if got.wanted == Ok(record.number) => got.port,
            _ => None,
        });
        let mut asked: Vec<_> = asked.collect();
        asked.dedup();
        match asked.len() {
            0 | 1 => Err(Unmet::failed("it asked only the holder that refused")),
            _ => Ok(()),
        }
    };
    sheet.judge("get-next-holder", held())
}

pub(super) fn split(subject: &Subject<'_>, _: &Registered, sheet: &mut Sheet) -> Held {
    // What follows its GET is not the point.
    let (large, _) = subject.document(LARGE)?;
    if asked_since(subject, 0, large).is_none_or(|got| got.wanted.is_err()) {
        needs(sheet, &["get-flow"])?;
    }
    let record = subject.offer(SPLIT, 1)?;
    subject.index.answer_in(Manner::Pieces);
    let cause = "what one recv() returns is taken for a whole answer: it may be a part, so read on until \
         the empty line after the records";
    let held = subject.choose(Step::Get, SPLIT).and_then(|then| {
        let held = download(subject, &record, then).map(drop);
        held.map_err(|unmet| {
            // Without a LOOKUP there was no answer to read.
            let has_asked = subject
                .seen
                .since(then)
                .iter()
                .any(|event| match &event.what {
                    What::Asked(asked) => looks_up(&asked.request, record.number),
                    _ => false,
                });
            if has_asked {
                unmet.usually(cause)
            } else {
                unmet
            }
        })
    });
    subject.index.answer_in(Manner::Whole);
    sheet.judge("answer-split", held)
}

pub(super) fn exit(subject: &Subject<'_>, _: &Registered, sheet: &mut Sheet) -> Held {
    let begun = subject.revive()?;
    if let Some(ended) = subject.end() {
        return Err(Unmet::Skipped(ended));
    }
    let came = subject.seen.since(0).into_iter();
    let links = came.filter(|it| matches!(it.what, What::Came(_)));
    let last = links.last().map(|event| event.link);
    let has_stayed = stays(&subject.seen.since(begun));
    subject.choose(Step::Exit, UNKNOWN)?;
    let left = subject.wait(0, |event| {
        (matches!(event.what, What::Left) && Some(event.link) == last).then_some(())
    });
    let held = left.ok_or_else(|| {
        subject.goes_on_without("end of its connection");
        let printed = subject.printed();
        Unmet::failed(format!("after EXIT its connection stays open{printed}"))
    });
    sheet.judge("exit-closes", has_stayed.and(held))
}

/// Whether what the peer has added is still registered: closing a connection is leaving, and takes
/// the records that came by it along. A connection that the grader closed is not held against it.
fn stays(events: &[Event]) -> Held {
    let ended = |link| {
        let mut of_link = events.iter().filter(|event| event.link == link);
        let is_cut = |what: &What| matches!(what, What::Wrong(bytes, _) if bytes.is_empty());
        of_link
            .clone()
            .any(|event| matches!(event.what, What::Left))
            && !of_link.any(|event| is_cut(&event.what))
    };
    let adds = || events.iter().filter_map(|it| Some((it.link, added(it)?)));
    let (open, gone): (Vec<_>, Vec<_>) = adds().partition(|(link, _)| !ended(*link));
    let is_lost = |lost: &Record| open.iter().all(|(_, it)| it.number != lost.number);
    let Some((_, record)) = gone.iter().find(|(_, it)| is_lost(it)) else {
        return Ok(());
    };
    let number = record.number;
    let message = format!("it left the index after ADD RFC {number}: its record is gone");
    let cause = "each request has a connection of its own: closing is leaving, so keep one open from \
         the first ADD until EXIT";
    Err(Unmet::failed(message).usually(cause))
}

/// Nothing that needs a failed check is judged.
fn needs(sheet: &Sheet, checks: &[&str]) -> Held {
    match checks.iter().find(|check| sheet.has_failed(check)) {
        Some(check) => Err(Unmet::Skipped(format!("{check} does not hold"))),
        None => Ok(()),
    }
}

fn looks_up(request: &Request, wanted: RfcNumber) -> bool {
    matches!(request, Request::Lookup { number, .. } if *number == wanted)
}
