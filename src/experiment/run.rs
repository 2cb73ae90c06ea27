//! One run of a plan, over real sockets, with a clock.

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

/// What a run has measured: the downloads of each peer, in order.
#[derive(Debug, Clone)]
pub struct Run {
    /// By peer, from 0.
    pub peers: Vec<Vec<Measured>>,
}

/// One download. Times count from the moment at which all peers began.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Which RFC.
    pub number: RfcNumber,
    /// The peer that delivered it.
    pub holder: usize,
    /// The length of the file.
    pub bytes: u64,
    /// When the peer began to connect.
    pub start: Duration,
    /// When the file was in the folder.
    pub end: Duration,
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refused something about a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no thread for a part of the run.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The registration server can't start.
    #[error(transparent)]
    Registration(#[from] StartError),
    /// A peer does not take part.
    #[error("P{peer} does not take part: {reason}")]
    Away {
        /// Which one.
        peer: usize,
        /// Why.
        reason: Failure,
    },
    /// Not everybody told its index.
    #[error("only {told} of {others} other peers sent P{asking} their indexes")]
    Untold {
        /// Who asked.
        asking: usize,
        /// How many others there are.
        others: usize,
        /// How many were named by the registration server, and answered.
        told: usize,
    },
    /// An index is not what it should be.
    #[error(
        "the index of P{peer} has {known} records, and {left} of those it should have are missing"
    )]
    Incomplete {
        /// Whose.
        peer: usize,
        /// How many records it has.
        known: usize,
        /// How many are missing.
        left: usize,
    },
    /// A download failed.
    #[error("P{peer} did not get RFC {number} from P{holder}: {reason}")]
    Download {
        /// Who.
        peer: usize,
        /// What.
        number: RfcNumber,
        /// From whom.
        holder: usize,
        /// Why.
        reason: DownloadError,
    },
    /// A file is not the one that was fetched.
    #[error("{} does not have the SHA-256 of its source", .0.display())]
    WrongBytes(PathBuf),
    /// There are not as many downloads as there should be.
    #[error("there are {got} {what}, and not {planned}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        got: u64,
        /// How many there should be.
        planned: u64,
    },
    /// The plan names something that is not there.
    #[error("the plan names a peer or a document that is not there")]
    Plan,
    /// Somebody else has failed, or the run was stopped.
    #[error("it was stopped")]
    Stopped,
}

/// Starts a registration server and the peers, lets them tell each other what they have, and then
/// all fetch what the plan says, at the same time. Everything that came is compared with its
/// source.
///
/// # Errors
/// [`RunError`], of which the first one counts.
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

/// All peers fetch at the same time, each one thing after the other.
fn fetch_all(
    plan: &Plan,
    documents: &Documents,
    network: &Network,
    stage: &Stage,
) -> Result<Run, RunError> {
    let progress = stage.progress.of(plan.downloads());
    let (begun, has_failed) = (RwLock::new(None), AtomicBool::new(false));
    let loops = thread::scope(|scope| {
        // Nobody begins before all are there; where a thread is missing, nobody does.
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
            // Whoever has failed says why; the others only stopped for it.
            Err(RunError::Stopped) => was_stopped = true,
            Err(error) => return Err(error),
        }
    }
    if was_stopped {
        return Err(RunError::Stopped);
    }
    Ok(Run { peers })
}

/// One peer at work.
struct Fetching<'a> {
    peer: usize,
    node: &'a Node,
    documents: &'a Documents,
    network: &'a Network,
    progress: &'a Several,
    /// There is no sense in going on.
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

/// Every file that was fetched is the one that its holder had.
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

/// There are as many downloads as were planned, and as many uploads.
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
