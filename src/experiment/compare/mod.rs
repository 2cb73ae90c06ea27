//! Compares the kinds of index: the same documents and the same work in networks of several sizes.
//!
//! `run` starts a network and measures what its peers do, `traffic` counts their messages and
//! `datagrams` those of a hash table, `results` computes the figures, and `report` writes them. Nothing is simulated, but everything
//! is on one machine: a dead peer refuses connections at once, and no message takes any time on
//! the way.

mod datagrams;
mod report;
mod results;
mod run;
mod traffic;

pub(super) use datagrams::counted;
pub(super) use run::documents;

use anyhow::Context;

use self::report::Report;
use self::results::Results;
use self::run::Setting;
use super::{Findings, Options};
use crate::index::Kind;
use crate::program::Stage;

/// The kinds to compare.
#[cfg(feature = "dht")]
const KINDS: [Kind; 3] = Kind::ALL;
#[cfg(not(feature = "dht"))]
const KINDS: [Kind; 2] = [Kind::Central, Kind::Distributed];
/// The default sizes of the networks.
pub(super) const PEERS: [usize; 5] = [4, 8, 16, 32, 64];
/// The smallest network: there are documents that a peer does not have, at two others.
pub(super) const LEAST_PEERS: usize = 4;

/// Measures every kind in every size, and writes the results. What is there is written again with
/// each result, so that it survives the failure of a later one.
pub(super) fn measure(
    options: &Options,
    upload_rate: u64,
    stage: &Stage,
) -> anyhow::Result<Findings> {
    let documents = options.documents()?;
    let report = Report::open(options, documents.mean_size())?;
    let mut all = Vec::new();
    for peers in options.sizes() {
        for kind in KINDS {
            let mut results = Results {
                kind,
                peers,
                runs: options.repeat,
                phases: Vec::new(),
            };
            for run in 1..=options.repeat {
                let what = format!("{kind}, {peers} peers, run {run} of {}", options.repeat);
                stage.say(&what);
                let setting = Setting {
                    kind,
                    peers,
                    per_peer: options.per_peer,
                    documents: &documents,
                    upload_rate,
                    stage,
                };
                results.add(run::run(setting).context(what)?);
            }
            all.push(results);
            report.write(&all)?;
        }
    }
    let mut files = vec![report.write(&all)?];
    files.extend(report.draw(&all)?);
    Ok(Findings {
        table: report::table(&all),
        files,
        warning: None,
    })
}
