//! Compares the printouts of both sides.

use std::collections::BTreeMap;

use super::messages::Message;
use super::{File, Findings, request};
use crate::grade::check::{Held, Unmet};

/// What peers have sent and the server has not received, and GETs that no other peer has received.
pub(super) fn findings(files: &[File]) -> Held<Findings> {
    let (servers, peers): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.is_server);
    let mut findings = Findings::new();
    if peers.is_empty() || files.len() < 2 {
        let reason = "it needs printouts of both sides";
        return Err(Unmet::Skipped(reason.to_owned()));
    }
    if !servers.is_empty() {
        compare(&peers, &servers, &mut findings);
        compare_back(&servers, &peers, &mut findings);
    }
    if peers.len() > 1 {
        for (place, peer) in peers.iter().enumerate() {
            let others = peers.iter().enumerate();
            let others: Vec<_> = others
                .filter(|(other, _)| *other != place)
                .map(|(_, file)| *file)
                .collect();
            let received = count(&others, is_download);
            missing(peer, received, "another peer", is_download, &mut findings);
        }
    }
    Ok(findings)
}

fn is_download(line: &str) -> bool {
    line.starts_with("GET ")
}

fn is_for_server(line: &str) -> bool {
    ["ADD ", "LOOKUP ", "LIST "]
        .iter()
        .any(|it| line.starts_with(it))
}

/// What the peers sent, and no server received.
fn compare(peers: &[&File], servers: &[&File], findings: &mut Findings) {
    let mut received = count(servers, is_for_server);
    for peer in peers {
        received = missing(peer, received, "the server", is_for_server, findings);
    }
}

/// What the servers received from these peers, and they did not send. A peer is known by its Host
/// and Port; others may have talked to the server too.
fn compare_back(servers: &[&File], peers: &[&File], findings: &mut Findings) {
    let names = |file: &&File| -> Vec<String> {
        let requests = file.exchanges.iter().filter_map(|it| request(&it.request));
        let names = requests.filter_map(|it| it.name());
        names.map(|it| it.to_string()).collect()
    };
    let known: Vec<_> = peers.iter().flat_map(names).collect();
    let mut sent = count(peers, is_for_server);
    for server in servers {
        for exchange in &server.exchanges {
            let name = request(&exchange.request).and_then(|it| it.name());
            if !name.is_some_and(|it| known.contains(&it.to_string())) {
                continue;
            }
            if !take(&mut sent, &exchange.request.lines) {
                let line = exchange.request.start_line();
                let what = format!("{line}: no peer has sent it");
                findings.push(server.finding(exchange.request.number, &what));
            }
        }
    }
}

type Counts = BTreeMap<Vec<String>, usize>;

fn count(files: &[&File], is_it: impl Fn(&str) -> bool) -> Counts {
    let mut counts = Counts::new();
    for exchange in files.iter().flat_map(|file| &file.exchanges) {
        if is_it(exchange.request.start_line()) {
            *counts.entry(exchange.request.lines.clone()).or_default() += 1;
        }
    }
    counts
}

fn take(counts: &mut Counts, lines: &[String]) -> bool {
    let Some(count) = counts.get_mut(lines).filter(|count| **count > 0) else {
        return false;
    };
    *count -= 1;
    true
}

/// Adds the answered requests of a file that are not among those received.
fn missing(
    file: &File,
    mut received: Counts,
    by: &str,
    is_it: impl Fn(&str) -> bool,
    findings: &mut Findings,
) -> Counts {
    for exchange in &file.exchanges {
        let line = exchange.request.start_line();
        let answered = exchange.response.as_ref().and_then(Message::code);
        // A GET that is refused may come from somebody without a printout.
        let counts = is_it(line) && (!is_download(line) || answered == Some(200));
        if counts && !take(&mut received, &exchange.request.lines) {
            let what = format!("{line}: {by} has not received it");
            findings.push(file.finding(exchange.request.number, &what));
        }
    }
    received
}
