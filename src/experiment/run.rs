//! Runs a plan over real sockets and measures it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use super::documents::{Documents, digest};
use super::network::{Left, Network};
use super::stage::Stage;
use super::{Fetch, Plan};
use crate::file_error::FileError;
use crate::node::{Activity, Failure, Node};
use crate::registration::StartError;
use crate::terminal::progress::Several;
use crate::transfer::{DownloadError, Fetched};
use crate::wire::RfcNumber;

/// The measurements of a run: the downloads of each peer, in order.
#[derive(Debug, Clone)]
pub struct Run {
    /// By peer, from 0.
    pub peers: Vec<Vec<Measured>>,
}

/// One download. Times count from the common start of all peers.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Which RFC.
    pub number: RfcNumber,
    /// The RFC's number.
    pub holder: usize,
    /// The file's length in bytes.
    pub bytes: u64,
    /// When the peer began to connect.
    pub start: Duration,
    /// When the file was complete in the folder.
    pub end: Duration,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or folder failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A thread can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The registration server can't start.
    #[error(transparent)]
    Registration(#[from] StartError),
    /// A peer can't join.
    #[error("P{peer} could not join: {reason}")]
    Away {
        /// The peer.
        peer: usize,
        /// The reason.
        reason: Failure,
    },
    /// Some peers did not send their index.
    #[error("only {told} of {others} other peers sent P{asking} their indexes")]
    Untold {
        /// The peer that asked.
        asking: usize,
        /// The number of other peers.
        others: usize,
        /// How many of them were listed by the registration server and answered.
        told: usize,
    },
    /// An index is incorrect.
    #[error("the index of P{peer} has {known} records, and lacks {left} of those it should have")]
    Incomplete {
        /// The peer.
        peer: usize,
        /// Its number of records.
        known: usize,
        /// The number of missing records.
        left: usize,
    },
    /// A download failed.
    #[error("P{peer} did not get RFC {number} from P{holder}: {reason}")]
    Download {
        /// The peer.
        peer: usize,
        /// The document.
        number: RfcNumber,
        /// The peer that should deliver it.
        holder: usize,
        /// The reason.
        reason: DownloadError,
    },
    /// A fetched file differs from its source.
    #[error("{} does not have the SHA-256 of its source", .0.display())]
    WrongBytes(PathBuf),
    /// The number of downloads is wrong.
    #[error("there are {got} {what} instead of {planned}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// The actual number.
        got: u64,
        /// The planned number.
        planned: u64,
    },
    /// The plan names a peer or document that does not exist.
    #[error("the plan names a peer or a document that does not exist")]
    Plan,
    /// Another peer failed, or the run was stopped.
    #[error("it was stopped")]
    Stopped,
}

/// Starts a registration server and the peers, lets them exchange their indexes, and then lets all
/// fetch at the same time what the plan says. Compares every file with its source. The error is the
/// first one that occurred.
pub fn run(
    plan: &Plan,
    documents: &Documents,
    upload_rate: u64,
    stage: &Stage,
) -> Result<Run, RunError> {
    let ended = Network::start(plan, documents, upload_rate, stage).and_then(|network| {
        network.tell_each_other(plan, documents)?;
        let fetched = fetch_all(plan, documents, &network, stage);
        let left = network.leave();
        let run = fetched?;
        check_files(&run, documents, &left)?;
        check_counts(&run, plan, &left)?;
        Ok(run)
    });
    stage.stop.forget();
    ended
}

/// All peers fetch at the same time, each one document after the other.
fn fetch_all(
    plan: &Plan,
    documents: &Documents,
    network: &Network,
    stage: &Stage,
) -> Result<Run, RunError> {
    let progress = stage.progress.of(plan.downloads());
    let (begun, has_failed) = (RwLock::new(None), AtomicBool::new(false));
    let loops = thread::scope(|scope| {
        // Nobody begins before all are ready; if a thread can't be started, nobody begins.
        let mut gate = begun.write().unwrap_or_else(PoisonError::into_inner);
        let mut threads = Vec::new();
        for ((peer, node), fetches) in network.peers.iter().enumerate().zip(&plan.fetches) {
            let fetching = Fetching {
                peer,
                node,
                documents,
                network,
                progress: &progress,
                has_failed: &has_failed,
            };
            let begun = &begun;
            let thread = thread::Builder::new().name(format!("P{peer}"));
            let thread = thread.spawn_scoped(scope, move || {
                let begun = *begun.read().unwrap_or_else(PoisonError::into_inner);
                let fetched = fetching.fetch(fetches, begun.ok_or(RunError::Stopped)?);
                if fetched.is_err() {
                    fetching.has_failed.store(true, Ordering::SeqCst);
                }
                fetched
            });
            threads.push(thread.map_err(RunError::Thread)?);
        }
        *gate = Some(Instant::now());
        drop(gate);
        let panicked = |_| Err(RunError::Stopped);
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(panicked));
        Ok::<_, RunError>(ended.collect::<Vec<_>>())
    })?;
    let mut peers = Vec::new();
    let mut was_stopped = false;
    for fetched in loops {
        match fetched {
            Ok(measured) => peers.push(measured),
            // The peer that failed gives the reason; the others only stopped because of it.
            Err(RunError::Stopped) => was_stopped = true,
            Err(error) => return Err(error),
        }
    }
    if was_stopped {
        return Err(RunError::Stopped);
    }
    Ok(Run { peers })
}

/// One fetching peer.
struct Fetching<'a> {
    peer: usize,
    node: &'a Node,
    documents: &'a Documents,
    network: &'a Network,
    progress: &'a Several,
    /// Set when continuing is pointless.
    has_failed: &'a AtomicBool,
}

impl Fetching<'_> {
    fn fetch(&self, fetches: &[Fetch], begun: Instant) -> Result<Vec<Measured>, RunError> {
        let mut measured = Vec::with_capacity(fetches.len());
        for &Fetch { document, holder } in fetches {
            if self.has_failed.load(Ordering::SeqCst) || self.node.is_stopping() {
                return Err(RunError::Stopped);
            }
            let number = self.documents.get(document).ok_or(RunError::Plan)?.number;
            let from = self.network.peers.get(holder).ok_or(RunError::Plan)?;
            let at = begun.elapsed();
            let got = self.node.fetch(number, from.me());
            let end = begun.elapsed();
            let Fetched { bytes, .. } = got.map_err(|reason| RunError::Download {
                peer: self.peer,
                number,
                holder,
                reason,
            })?;
            self.progress.one_done();
            measured.push(Measured {
                number,
                holder,
                bytes,
                start: at,
                end,
            });
        }
        Ok(measured)
    }
}

/// Checks that every fetched file is the same as its source.
fn check_files(run: &Run, documents: &Documents, left: &Left) -> Result<(), RunError> {
    for (peer, fetched) in run.peers.iter().enumerate() {
        for Measured { number, .. } in fetched {
            let path = left.path(peer, *number);
            let bytes = fs::read(&path).map_err(FileError::of("read", &path))?;
            let source = documents
                .all()
                .iter()
                .find(|source| source.number == *number);
            if source.map(|source| source.digest) != Some(digest(&bytes)) {
                return Err(RunError::WrongBytes(path));
            }
        }
    }
    Ok(())
}

/// Checks that there are as many downloads and uploads as planned.
fn check_counts(run: &Run, plan: &Plan, left: &Left) -> Result<(), RunError> {
    let planned = u64::try_from(plan.downloads()).unwrap_or(u64::MAX);
    let measured: usize = run.peers.iter().map(Vec::len).sum();
    let counts: Vec<_> = left.activities.iter().map(Activity::counts).collect();
    for (what, got) in [
        ("measurements", u64::try_from(measured).unwrap_or(u64::MAX)),
        (
            "downloads",
            counts.iter().map(|count| count.downloads).sum(),
        ),
        ("uploads", counts.iter().map(|count| count.uploads).sum()),
    ] {
        if got != planned {
            return Err(RunError::Count { what, got, planned });
        }
    }
    Ok(())
}
