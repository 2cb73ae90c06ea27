//! Compares the printouts of both sides.

use std::collections::BTreeSet;

use super::counts::{count, take};
use super::exchanges::Exchange;
use super::{File, Findings, bounded, downloads, request};
use crate::grade::check::{Held, Unmet};

/// What peers have sent and the server has not received, or the other way round, and GETs that their
/// holder has not received. Notes what is not compared.
pub(super) fn findings(files: &[&File], notes: &mut Vec<String>) -> Held<Findings> {
    let (servers, peers): (Vec<&File>, Vec<&File>) =
        files.iter().copied().partition(|file| file.is_server);
    let mut findings = Findings::new();
    let downloads = downloads::compare(&peers);
    if !downloads.absent.is_empty() {
        notes.push(format!(
            "sides-agree: the holder's printout is not here, so these GETs are not compared: {}",
            bounded(&downloads.absent, ", ")
        ));
    }
    let has_both = !servers.is_empty() && !peers.is_empty();
    if !has_both && !downloads.is_any_compared {
        let reason = "it needs printouts of both sides";
        return Err(Unmet::Skipped(reason.to_owned()));
    }
    if has_both {
        compare(&peers, &servers, &mut findings);
        compare_back(&servers, &peers, &mut findings);
    }
    findings.extend(downloads.findings);
    Ok(findings)
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
        for Exchange { request, .. } in &peer.exchanges {
            let line = request.start_line();
            if is_for_server(line) && !take(&mut received, &request.lines) {
                let what = format!("{line}: the server has not received it");
                findings.push(peer.finding(request.number, &what));
            }
        }
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
    let known: BTreeSet<_> = peers.iter().flat_map(names).collect();
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
