//! Compares the GETs of peers with the printouts of those who have the documents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::counts::{Counts, count, take};
use super::exchanges::{Exchange, number};
use super::{File, Findings, head, request};
use crate::wire::ci::p2s::Request;
use crate::wire::{Endpoint, Host, Record};

/// What came of the comparison.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    /// GETs that their holder has not received.
    pub(super) findings: Findings,
    /// The places of GETs whose holder has no printout here.
    pub(super) absent: Vec<String>,
    /// Whether any GET could be compared.
    pub(super) is_any_compared: bool,
}

/// A GET that a peer has sent.
struct Sent<'a> {
    exchange: &'a Exchange,
    /// Who may have been asked, as the index said before.
    holders: Vec<Endpoint>,
}

/// Compares what these peers have fetched. A GET may come from, and go to, somebody without a
/// printout: one counts as lost only if the printouts of all its holders are here.
pub(super) fn compare(peers: &[&File]) -> Downloads {
    let mut downloads = Downloads::default();
    let mut received: Vec<Counts> = peers
        .iter()
        .map(|peer| count(&[peer], is_download))
        .collect();
    let names = names(peers);
    for (place, peer) in peers.iter().enumerate() {
        for Sent { exchange, holders } in sent(peer) {
            let others = |of: &Endpoint| {
                let files = names.get(of).into_iter().flatten().copied();
                files.filter(|it| *it != place).collect::<Vec<usize>>()
            };
            let here: BTreeSet<_> = if holders.is_empty() {
                (0..peers.len()).filter(|it| *it != place).collect()
            } else {
                holders.iter().flat_map(others).collect()
            };
            let is_received = here.iter().any(|file| {
                let counts = received.get_mut(*file);
                counts.is_some_and(|it| take(it, &exchange.request.lines))
            });
            let is_absent = holders.is_empty() || holders.iter().any(|it| others(it).is_empty());
            let line = exchange.request.number;
            if is_received || !is_absent {
                downloads.is_any_compared = true;
            }
            if is_absent && !is_received {
                downloads.absent.push(peer.at(line));
            } else if !is_received {
                let what = exchange.request.start_line();
                let what = format!("{what}: the holder has not received it");
                downloads.findings.push(peer.finding(line, &what));
            }
        }
    }
    downloads
}

fn is_download(line: &str) -> bool {
    line.starts_with("GET ")
}

/// The files of each peer, by the host and port that its requests to the index give.
fn names(peers: &[&File]) -> HashMap<Endpoint, BTreeSet<usize>> {
    let mut names: HashMap<_, BTreeSet<usize>> = HashMap::new();
    for (place, peer) in peers.iter().enumerate() {
        let requests = peer.exchanges.iter().filter_map(|it| request(&it.request));
        for name in requests.filter_map(|it| it.name()) {
            names.entry(name).or_default().insert(place);
        }
    }
    names
}

/// The GETs of a printout that its peer has sent and that brought a document. One of an RFC that the
/// peer itself has added may be one that it has received.
fn sent(peer: &File) -> Vec<Sent<'_>> {
    let mut sent = Vec::new();
    let mut own = BTreeSet::new();
    let mut known: BTreeMap<u32, (usize, Vec<Endpoint>)> = BTreeMap::new();
    for exchange in &peer.exchanges {
        if exchange.request.start_line().starts_with("ADD ") {
            own.extend(number(&exchange.request));
        } else if exchange.is("GET ", 200) {
            let number = number(&exchange.request);
            if number.is_some_and(|it| own.contains(&it)) {
                continue;
            }
            let holders = number.and_then(|it| known.get(&it));
            let holders = holders.map_or_else(Vec::new, |(_, holders)| asked(exchange, holders));
            sent.push(Sent { exchange, holders });
        } else if let Some(Request::Lookup { .. } | Request::List(_)) = request(&exchange.request)
            && let Some(response) = &exchange.response
        {
            let records = response.records().iter();
            for Record { number, holder, .. } in records.filter_map(|it| Record::parse(it)) {
                let (answer, holders) = known.entry(number.get()).or_default();
                // The last answer counts.
                if *answer != response.number {
                    holders.clear();
                    *answer = response.number;
                }
                holders.push(holder);
            }
        }
    }
    sent
}

/// Those of the holders that a GET can have gone to: its Host is the host that is asked.
fn asked(get: &Exchange, holders: &[Endpoint]) -> Vec<Endpoint> {
    let head = head(&get.request);
    let host = head.and_then(|it| it.field("Host").ok()??.parse().ok());
    let is_asked = |it: &&Endpoint| host.as_ref().is_none_or(|host: &Host| it.host == *host);
    let asked: Vec<_> = holders.iter().filter(is_asked).cloned().collect();
    if asked.is_empty() {
        holders.to_vec()
    } else {
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File::new(name.to_owned(), &lines::of(text))
    }

    fn add(number: u32, host: &str) -> String {
        format!(
            "ADD RFC {number} P2P-CI/1.0\nHost: {host}\nPort: 5\nTitle: T\n\n\
             P2P-CI/1.0 200 OK\n\nRFC {number} T {host} 5\n\n"
        )
    }

    fn get(host: &str) -> String {
        format!("GET RFC 7 P2P-CI/1.0\nHost: {host}\n\nP2P-CI/1.0 200 OK\nContent-Length: 1\n\n")
    }

    #[test]
    fn a_get_is_lost_only_if_all_who_can_have_been_asked_are_here() {
        let lookup = "LOOKUP RFC 7 P2P-CI/1.0\nHost: a\nPort: 5\nTitle: \n\n\
                      P2P-CI/1.0 200 OK\n\nRFC 7 T b 5\nRFC 7 T c 5\n\n";
        let a = |host| file("a", &format!("{}{lookup}{}", add(1, "a"), get(host)));
        let [b, c] = ["b", "c"].map(|host| file(host, &add(7, host)));
        let served = file("b", &(add(7, "b") + &get("b")));
        let own = file("a", &format!("{}{lookup}{}", add(7, "a"), get("a")));
        let unknown = file("a", &(add(1, "a") + &get("b")));
        for (peers, found, absent) in [
            (vec![&a("b"), &b], 1, 0),
            (vec![&a("b"), &c], 0, 1),
            (vec![&a("b"), &served], 0, 0),
            (vec![&a("elsewhere"), &b], 0, 1),
            (vec![&a("elsewhere"), &b, &c], 1, 0),
            (vec![&a("elsewhere")], 0, 1),
            (vec![&own, &b, &c], 0, 0),
            (vec![&unknown, &served], 0, 0),
            (vec![&unknown, &b], 0, 1),
        ] {
            let compared = compare(&peers);
            let counts = (compared.findings.len(), compared.absent.len());
            assert_eq!(counts, (found, absent), "{peers:?}");
        }
    }
}
