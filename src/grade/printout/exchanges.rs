//! Requests and their answers, and what they show.

use std::collections::{BTreeMap, BTreeSet};

use super::messages::Message;
use super::{File, Findings, head, request};
use crate::wire::Record;
use crate::wire::ci::p2s::Request;

/// A request, and its answer if there is one.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) request: Message,
    pub(super) response: Option<Message>,
}

/// Whether an exchange shows a scenario.
type Shows = fn(&Exchange) -> bool;

/// The scenarios that an exchange can show.
pub(super) const SCENARIOS: [(&str, Shows); 7] = [
    ("shows-register", |it| it.is("ADD ", 200)),
    ("shows-list", |it| it.is("LIST ", 200)),
    ("shows-lookup", |it| {
        it.is("LOOKUP ", 200)
            && it
                .response
                .as_ref()
                .is_some_and(|it| !it.records().is_empty())
    }),
    ("shows-download", |it| it.is("GET ", 200)),
    ("shows-404", |it| {
        it.is("LOOKUP ", 404) || it.is("GET ", 404)
    }),
    ("shows-400", |it| it.is("", 400)),
    ("shows-505", |it| it.is("", 505)),
];

/// The words of a server about a peer that leaves.
const LEAVING: [&str; 9] = [
    "left",
    "leav",
    "remov",
    "disconnect",
    "closed",
    "closing connection",
    "connection closing",
    "exited",
    "delet",
];

impl Exchange {
    /// Whether a request that begins so was answered with this code.
    pub(super) fn is(&self, begin: &str, code: u16) -> bool {
        let answered = self.response.as_ref().and_then(Message::code);
        self.request.start_line().starts_with(begin) && answered == Some(code)
    }
}

/// Finds the answer to each request: the next one with the same other side, or, where a printout
/// does not say that, the next one. Also returns answers without a request.
pub(super) fn pair(messages: Vec<Message>) -> (Vec<Exchange>, Vec<Message>) {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut unasked = Vec::new();
    let mut open = Open::default();
    for message in messages {
        if message.is_request {
            open.add(message.other_side.clone(), exchanges.len());
            exchanges.push(Exchange {
                request: message,
                response: None,
            });
            continue;
        }
        let answered = open.take(message.other_side.as_deref());
        match answered.and_then(|place| exchanges.get_mut(place)) {
            Some(exchange) => exchange.response = Some(message),
            None => unasked.push(message),
        }
    }
    (exchanges, unasked)
}

/// The places of the requests that have no answer yet, in order, so that a long printout takes no
/// longer for each message than a short one.
#[derive(Default)]
struct Open {
    /// All of them, each with its other side.
    all: BTreeMap<usize, Option<String>>,
    /// The same by their other side.
    by_side: BTreeMap<Option<String>, BTreeSet<usize>>,
}

impl Open {
    fn add(&mut self, side: Option<String>, place: usize) {
        self.all.insert(place, side.clone());
        self.by_side.entry(side).or_default().insert(place);
    }

    /// Takes the request that an answer with this other side is for.
    fn take(&mut self, side: Option<&str>) -> Option<usize> {
        let side = side.map(str::to_owned);
        let same = self.by_side.get(&side).and_then(BTreeSet::first);
        let unknown = || match &side {
            Some(_) => self.by_side.get(&None)?.last(),
            None => self.all.last_key_value().map(|(place, _)| place),
        };
        let place = *same.or_else(unknown)?;
        let side = self.all.remove(&place)?;
        self.by_side.get_mut(&side)?.remove(&place);
        Some(place)
    }
}

/// The lines that show that a peer leaves: a server says so, or a list lacks its records.
pub(super) fn leaving(file: &File) -> Vec<usize> {
    let mut lines = Vec::new();
    if file.is_server {
        let said = file.exchanges.iter().flat_map(|it| {
            let response = it.response.iter().flat_map(|it| &it.after);
            it.request.after.iter().chain(response)
        });
        let said = said.filter(|(_, text)| {
            let text = text.to_ascii_lowercase();
            LEAVING.iter().any(|word| text.contains(word))
        });
        lines.extend(said.map(|(line, _)| *line));
    }
    let mut known = BTreeSet::new();
    for exchange in file.exchanges.iter().filter(|it| it.is("LIST ", 200)) {
        let Some(response) = &exchange.response else {
            continue;
        };
        let records = response.records().iter().filter_map(|it| Record::parse(it));
        let holders: BTreeSet<_> = records.map(|it| it.holder.to_string()).collect();
        if !known.is_subset(&holders) {
            lines.push(response.number);
        }
        known = holders;
    }
    lines.sort_unstable();
    lines
}

/// Requests without an answer, and answers that don't fit.
pub(super) fn findings(file: &File) -> Findings {
    let mut findings = Findings::new();
    let added: BTreeSet<_> = file
        .exchanges
        .iter()
        .filter(|it| it.is("ADD ", 200))
        .filter_map(|it| number(&it.request))
        .collect();
    for exchange in &file.exchanges {
        let Exchange { request, response } = exchange;
        let what = match response {
            None => Some("no answer is printed after it".to_owned()),
            Some(response) => misfit(exchange, response, &added, file.is_server),
        };
        findings.extend(what.map(|what| {
            file.finding(request.number, &format!("{}: {what}", request.start_line()))
        }));
    }
    findings.extend(file.unasked.iter().map(|response| {
        let what = format!("{}: no request precedes it", response.start_line());
        file.finding(response.number, &what)
    }));
    findings
}

/// How an answer does not fit.
fn misfit(
    exchange: &Exchange,
    response: &Message,
    added: &BTreeSet<u32>,
    is_server: bool,
) -> Option<String> {
    let asked = number(&exchange.request);
    let records: Vec<_> = response
        .records()
        .iter()
        .filter_map(|line| Record::parse(line))
        .collect();
    let at = response.number;
    match request(&exchange.request) {
        Some(Request::Add(record)) if exchange.is("ADD ", 200) => {
            let other = records.iter().find(|it| **it != record)?;
            Some(format!(
                "the answer in line {at} has the record \"{other}\""
            ))
        }
        Some(Request::Lookup { number, .. }) if exchange.is("LOOKUP ", 200) => {
            if let Some(other) = records.iter().find(|it| it.number != number) {
                return Some(format!(
                    "the answer in line {at} has the record \"{other}\""
                ));
            }
            if records.is_empty() {
                return Some(format!("the answer 200 in line {at} has no record"));
            }
            let is_unknown = is_server && asked.is_some_and(|it| !added.contains(&it));
            is_unknown.then(|| format!("the answer in line {at} is 200, but nobody has added it"))
        }
        _ if exchange.is("GET ", 200) => saved(response),
        _ => None,
    }
}

/// Whether what was saved or sent has another length than announced.
fn saved(response: &Message) -> Option<String> {
    let head = head(response)?;
    let length: u64 = head.field("Content-Length").ok()??.parse().ok()?;
    let verbs = ["sav", "wrote", "writ", "download", "sent", "receiv", "stor"];
    let said = response.after.iter().find_map(|(line, text)| {
        let lower = text.to_ascii_lowercase();
        let is_about_it = verbs.iter().any(|verb| lower.contains(verb));
        let (before, _) = lower.split_once(" bytes").filter(|_| is_about_it)?;
        let digits = before.rsplit(|it: char| !it.is_ascii_digit()).next()?;
        Some((*line, digits.parse::<u64>().ok()?))
    });
    let (line, bytes) = said.filter(|(_, bytes)| *bytes != length)?;
    Some(format!(
        "Content-Length is {length}, but line {line} says {bytes} bytes"
    ))
}

/// The number that a request is about.
pub(super) fn number(request: &Message) -> Option<u32> {
    let (_, rest) = request.start_line().split_once(" RFC ")?;
    rest.split(' ').next()?.parse().ok()
}
