//! Runs a plan over real sockets and measures it.

use std::fs;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use parking_lot::RwLock;

use super::documents::{Documents, digest};
use super::network::Network;
use super::plan::{Fetch, Plan};
use crate::file_error::FileError;
use crate::node::{Actions as _, Counts};
use crate::program::Stage;
use crate::terminal::progress::Several;
use crate::wire::RfcNumber;

/// The downloads of each peer, in order.
pub(super) type Run = Vec<Vec<Measured>>;

/// One download. Times are relative to the common start of all peers.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) number: RfcNumber,
    pub(super) holder: usize,
    pub(super) bytes: u64,
    /// When the peer started to connect.
    pub(super) start: Duration,
    /// When the file was in the folder.
    pub(super) end: Duration,
}

/// Starts a registration server and the peers, makes them exchange their indexes, and executes the
/// plan with all peers at the same time. Checks every file against its source.
pub(super) fn run(
    plan: &Plan,
    documents: &Documents,
    upload_rate: u64,
    stage: &Stage,
) -> anyhow::Result<Run> {
    let network = Network::start(plan, documents, upload_rate, stage);
    let ended = network.and_then(|mut network| {
        network.share_indexes(plan, documents)?;
        let run = fetch_all(plan, documents, &network, stage);
        let counts = network.leave();
        let run = run?;
        check_files(&run, documents, &network)?;
        check_counts(&run, plan, &counts)?;
        Ok(run)
    });
    stage.stop.forget();
    ended
}

/// All peers fetch at the same time, each one document after another.
fn fetch_all(
    plan: &Plan,
    documents: &Documents,
    network: &Network,
    stage: &Stage,
) -> anyhow::Result<Run> {
    let fetching = Fetching {
        documents,
        network,
        progress: stage.progress.of(plan.downloads()),
        failure: OnceLock::new(),
    };
    let begun = RwLock::new(None);
    let fetched = thread::scope(|scope| {
        // No peer starts before all threads exist; if one is missing, none starts.
        let mut gate = begun.write();
        let mut threads = Vec::new();
        for (peer, fetches) in plan.fetches.iter().enumerate() {
            let (begun, fetching) = (&begun, &fetching);
            let thread = thread::Builder::new().name(format!("P{peer}"));
            let thread = thread.spawn_scoped(scope, move || {
                let begun: Option<Instant> = *begun.read();
                let fetched = fetching.fetch(peer, fetches, begun?);
                fetched.unwrap_or_else(|error| {
                    // Keep the first error; the other peers stop because of it.
                    let _ = fetching.failure.set(error);
                    None
                })
            });
            threads.push(thread.context("cannot start a thread")?);
        }
        *gate = Some(Instant::now());
        drop(gate);
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(None));
        anyhow::Ok(ended.collect::<Option<Run>>())
    })?;
    match fetching.failure.into_inner() {
        Some(failure) => Err(failure),
        None => fetched.context("interrupted"),
    }
}

/// What the peers have in common while they fetch.
struct Fetching<'a> {
    documents: &'a Documents,
    network: &'a Network,
    progress: Several,
    /// The first error, which stops all peers.
    failure: OnceLock<anyhow::Error>,
}

impl Fetching<'_> {
    /// Executes the fetches of one peer; `None` if it was stopped.
    fn fetch(
        &self,
        peer: usize,
        fetches: &[Fetch],
        begun: Instant,
    ) -> anyhow::Result<Option<Vec<Measured>>> {
        let node = self.network.peer(peer)?;
        let mut measured = Vec::with_capacity(fetches.len());
        for &Fetch { document, holder } in fetches {
            if self.failure.get().is_some() || node.is_stopping() {
                return Ok(None);
            }
            let document = self.documents.all.get(document);
            let number = document.context("no such document")?.number;
            let from = self.network.peer(holder)?.me();
            let start = begun.elapsed();
            let got = node.fetch(number, from);
            let end = begun.elapsed();
            let failed =
                |why| anyhow!("P{peer} could not fetch RFC {number} from P{holder}: {why}");
            let bytes = got.map_err(failed)?.bytes;
            self.progress.one_done();
            measured.push(Measured {
                number,
                holder,
                bytes,
                start,
                end,
            });
        }
        Ok(Some(measured))
    }
}

/// Checks that every downloaded file equals its source.
fn check_files(run: &Run, documents: &Documents, network: &Network) -> anyhow::Result<()> {
    for (peer, fetched) in run.iter().enumerate() {
        for Measured { number, .. } in fetched {
            let path = network.path(peer, *number);
            let bytes = fs::read(&path).map_err(FileError::of("read", &path))?;
            let mut sources = documents.all.iter();
            let source = sources.find(|source| source.number == *number);
            ensure!(
                source.is_some_and(|source| source.digest == digest(&bytes)),
                "{} differs from its source",
                path.display()
            );
        }
    }
    Ok(())
}

/// Checks that there were as many downloads and uploads as planned.
fn check_counts(run: &Run, plan: &Plan, counts: &[Counts]) -> anyhow::Result<()> {
    let measured: usize = run.iter().map(Vec::len).sum();
    let downloads: u64 = counts.iter().map(|count| count.downloads).sum();
    let uploads: u64 = counts.iter().map(|count| count.uploads).sum();
    let planned = u64::try_from(plan.downloads())?;
    ensure!(
        [u64::try_from(measured)?, downloads, uploads] == [planned; 3],
        "expected {planned} downloads, but there were {measured} measurements, {downloads} downloads, \
         and {uploads} uploads"
    );
    Ok(())
}
