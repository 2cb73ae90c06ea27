//! Groups 1 to 3: ADD, LIST, LOOKUP.

use super::answer::Answer;
use super::form;
use super::peer::Peer;
use super::target::Target;
use crate::grade::check::{Held, Sheet, Unmet};
use crate::wire::ci::p2s::Request;
use crate::wire::{Record, RfcNumber, Title};

/// The number of an RFC that only the grader has. Each scenario uses its own.
pub(super) fn number(number: u32) -> Held<RfcNumber> {
    RfcNumber::new(number).ok_or_else(|| Unmet::Skipped("no number".to_owned()))
}

pub(super) fn add(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let record = peer.record(number(9001)?, "Grading by Carrier Pigeon")?;
    let request = Request::Add(record.clone());
    let answer = peer.ask(&request, std::slice::from_ref(&record));
    let answer = answer.and_then(|answer| answer.with_code(&[200]));
    let mut answer = sheet.judge("add-ok", answer)?;
    peer.settle(&mut answer);
    sheet.judge("add-record", has_exactly(target, &answer, &[record]))?;
    let _ = sheet.judge("add-form", form::of_records(&answer, &request));
    Ok(())
}

pub(super) fn add_several(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let titles = ["The First of Three", "The Second of Three", "The Third"];
    let mut records = Vec::new();
    for (number, title) in (9011..).zip(titles) {
        records.push(peer.record(self::number(number)?, title)?);
    }
    let Some((first, others)) = records.split_first() else {
        return Ok(());
    };
    let answer = add_and_find(&mut peer, first)?;
    // If the answers to ADD have no records, or wrong ones, that is judged elsewhere.
    let has_records = !answer.records.is_empty() && !sheet.has_failed("add-record");
    let mut held = || {
        for record in others {
            let only = std::slice::from_ref(record);
            let answer = peer.ask(&Request::Add(record.clone()), only)?;
            let answer = answer.with_code(&[200])?;
            if has_records {
                has_exactly(target, &answer, only).map_err(|unmet| {
                    unmet.usually("the answer to an ADD has the record of this ADD, and no other")
                })?;
            }
        }
        for record in &records {
            let only = std::slice::from_ref(record);
            shows(&peer.find(record, only)?, record)?;
        }
        Ok(())
    };
    sheet.judge("add-several", held())
}

pub(super) fn list(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let (mut a, mut b) = (target.join()?, target.join()?);
    let of_a = a.record(number(9021)?, "What A Has")?;
    let of_b = b.record(number(9022)?, "What B Has")?;
    a.add(&of_a)?;
    b.add(&of_b)?;
    let request = a.lists();
    let records = [of_b, of_a];
    let answer = a.ask(&request, &records);
    let answer = answer.and_then(|answer| answer.with_code(&[200]));
    let answer = answer.map(|mut answer| {
        a.settle(&mut answer);
        answer
    });
    let answer = match answer {
        Ok(answer) => answer,
        Err(unmet) => return sheet.judge("list-all", Err(unmet)),
    };
    let _ = sheet.judge("list-all", has(&answer, &records));
    if answer.records.is_empty() {
        return Err(Unmet::Skipped("the list has no record".to_owned()));
    }
    let _ = sheet.judge("list-form", form::of_records(&answer, &request));
    Ok(())
}

pub(super) fn lookup(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let (mut a, mut b) = (target.join()?, target.join()?);
    let both = number(9031)?;
    let of_a = a.record(both, "What Both Have")?;
    let of_b = b.record(both, "What Both Have")?;
    a.add(&of_a)?;
    b.add(&of_b)?;
    // A third peer has another RFC, and one title has words of the other.
    let mut c = target.join()?;
    let of_c = c.record(number(9032)?, "What Both Have and C")?;
    c.add(&of_c)?;
    let request = c.looks_up(both, &of_a.title);
    let two = [of_b, of_a];
    let answer = c.ask(&request, &two);
    let answer = answer.and_then(|answer| answer.with_code(&[200]));
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(unmet) => return sheet.judge("lookup-records", Err(unmet)),
    };
    c.settle(&mut answer);
    let one = |c: &mut Peer<'_>| {
        let request = c.looks_up(of_c.number, &of_c.title);
        let answer = c.ask(&request, std::slice::from_ref(&of_c))?;
        has_exactly(
            target,
            &answer.with_code(&[200])?,
            std::slice::from_ref(&of_c),
        )
    };
    let found = has_exactly(target, &answer, &two).and_then(|()| one(&mut c));
    let _ = sheet.judge("lookup-records", found);
    if answer.records.is_empty() {
        return Err(Unmet::Skipped("the answer has no record".to_owned()));
    }
    let _ = sheet.judge("lookup-form", form::of_records(&answer, &request));
    Ok(())
}

pub(super) fn lookup_by_number(target: &Target<'_>, sheet: &mut Sheet) -> Held {
    let mut peer = target.join()?;
    let record = peer.record(number(9041)?, "Its Own Title")?;
    // With its own title even a server that compares titles finds it.
    add_and_find(&mut peer, &record)?;
    let found = |peer: &mut Peer<'_>, title: &Title| {
        let request = peer.looks_up(record.number, title);
        let answer = peer.ask(&request, std::slice::from_ref(&record))?;
        shows(&answer.with_code(&[200])?, &record)
    };
    let wrong = peer.record(record.number, "Another Title")?.title;
    let held = [Title::default(), wrong];
    let held = held.iter().try_for_each(|title| found(&mut peer, title));
    let cause = "the server compares the title as well: only the number counts";
    let held = held.map_err(|unmet| unmet.usually(cause));
    sheet.judge("lookup-by-number", held)
}

/// Adds a record and looks it up, as the condition of what is about more than that. Returns the answer
/// to the ADD.
pub(super) fn add_and_find(peer: &mut Peer<'_>, record: &Record) -> Held<Answer> {
    let answer = peer.add(record)?;
    let found = peer.find(record, std::slice::from_ref(record));
    let found = found.and_then(|answer| shows(&answer, record));
    found.map_err(|unmet| unmet.as_condition("a LOOKUP failed"))?;
    peer.target().has_found.set(true);
    Ok(answer)
}

/// Whether this record is there, in whatever form: that is judged elsewhere.
pub(super) fn shows(answer: &Answer, record: &Record) -> Held {
    if answer.names(record) {
        return Ok(());
    }
    has(answer, std::slice::from_ref(record))
}

/// Whether each of these records is there, once.
pub(super) fn has(answer: &Answer, records: &[Record]) -> Held {
    for record in records {
        match answer.records.iter().filter(|it| *it == record).count() {
            1 => {}
            0 if answer.has_line(record) => {
                let message = format!(
                    "the record \"{record}\" comes after an empty line, which ends the answer"
                );
                let cause =
                    "an empty line is written after each record: only one belongs at the end";
                return Err(answer.unmet(message).usually(cause));
            }
            0 => return Err(answer.unmet(format!("it lacks the record \"{record}\""))),
            count => {
                let message = format!("it has the record \"{record}\" {count} times");
                return Err(answer.unmet(message));
            }
        }
    }
    Ok(())
}

/// Whether these records are there, and nothing else.
pub(super) fn has_exactly(target: &Target<'_>, answer: &Answer, records: &[Record]) -> Held {
    has(answer, records)?;
    nothing_else(target, answer, records)
}

/// Whether there is nothing but these records. What peers other than those of this run have registered
/// under the same number does not count: a server may have forgotten nothing of an earlier run.
pub(super) fn nothing_else(target: &Target<'_>, answer: &Answer, records: &[Record]) -> Held {
    let is_asked_for = |record: &&Record| {
        let is_same_number = records.iter().any(|it| it.number == record.number);
        let is_stranger = !target.has_peer(&record.holder);
        records.contains(record) || (is_same_number && is_stranger)
    };
    match answer.records.iter().find(|record| !is_asked_for(record)) {
        Some(record) => Err(answer.unmet(format!("it also has the record \"{record}\""))),
        None => Ok(()),
    }
}
