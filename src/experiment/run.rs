//! One run of a plan, over real sockets, with a clock.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::documents::{Documents, digest};
use super::network::{Network, Node};
use super::stage::Stage;
use super::{Fetch, Plan};
use crate::file_error::FileError;
use crate::index::IndexError;
use crate::library::LibraryError;
use crate::net::ListenError;
use crate::registration::StartError;
use crate::terminal::progress::Several;
use crate::transfer::{DownloadError, Fetched};
use crate::wire::{RfcNumber, TermError};

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
    /// There is no free port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Loopback has no name.
    #[error(transparent)]
    Term(#[from] TermError),
    /// The registration server can't start.
    #[error(transparent)]
    Registration(#[from] StartError),
    /// A peer is not registered, or not answered by the registration server.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The folder of a peer is at fault.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The registration server does not name everybody.
    #[error("P{asking} is told of {active} other active peers only")]
    Inactive {
        /// Who has asked.
        asking: usize,
        /// How many others it was told of.
        active: usize,
    },
    /// Not everybody told its index.
    #[error("only {told} of {active} peers sent P{asking} their indexes")]
    Untold {
        /// Who asked.
        asking: usize,
        /// How many it asked.
        active: usize,
        /// How many answered.
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
        network.tell_each_other()?;
        network.check_indexes(plan, documents)?;
        let fetched = fetch_all(plan, documents, &network, stage);
        if stage.stop.signal().is_none() {
            network.leave();
        }
        let run = fetched?;
        check_files(&run, documents, &network)?;
        check_counts(&run, plan, &network)?;
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
    let barrier = Barrier::new(network.peers.len());
    let start = Start {
        begun: OnceLock::new(),
        has_failed: AtomicBool::new(false),
        barrier,
    };
    let loops = thread::scope(|scope| {
        let mut waiting = Vec::new();
        for ((peer, node), fetches) in network.peers.iter().enumerate().zip(&plan.fetches) {
            let (go, wait) = mpsc::channel::<()>();
            let (start, progress) = (&start, &progress);
            let fetching = Fetching {
                peer,
                node,
                documents,
                network,
                progress,
            };
            let thread = thread::Builder::new().name(format!("P{peer}"));
            let thread = thread.spawn_scoped(scope, move || {
                // Where a thread is missing, the others would wait at the barrier for ever.
                wait.recv().map_err(|_| RunError::Stopped)?;
                let fetched = fetching.fetch(fetches, start);
                if fetched.is_err() {
                    start.has_failed.store(true, Ordering::SeqCst);
                }
                fetched
            });
            waiting.push((go, thread.map_err(RunError::Thread)?));
        }
        let threads: Vec<_> = waiting
            .into_iter()
            .map(|(go, thread)| {
                // It waits for nothing else.
                let _ = go.send(());
                thread
            })
            .collect();
        let ended = threads.into_iter().map(|thread| {
            let panicked = |_| Err(RunError::Stopped);
            thread.join().unwrap_or_else(panicked)
        });
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

/// What makes all begin at once.
struct Start {
    barrier: Barrier,
    /// When the first one came through the barrier.
    begun: OnceLock<Instant>,
    /// There is no sense in going on.
    has_failed: AtomicBool,
}

/// One peer at work.
struct Fetching<'a> {
    peer: usize,
    node: &'a Node,
    documents: &'a Documents,
    network: &'a Network,
    progress: &'a Several,
}

impl Fetching<'_> {
    fn fetch(&self, fetches: &[Fetch], start: &Start) -> Result<Vec<Measured>, RunError> {
        start.barrier.wait();
        let begun = start.begun.get_or_init(Instant::now);
        let mut measured = Vec::with_capacity(fetches.len());
        let downloader = &self.node.downloader;
        for &Fetch { document, holder } in fetches {
            if start.has_failed.load(Ordering::SeqCst) || downloader.sockets.is_closing() {
                return Err(RunError::Stopped);
            }
            let number = self.documents.get(document).ok_or(RunError::Plan)?.number;
            let from = self.network.peers.get(holder).ok_or(RunError::Plan)?;
            let at = begun.elapsed();
            let got = downloader.download(number, from.known.me(), || {
                self.node.library.receive(number, false)
            });
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
fn check_files(run: &Run, documents: &Documents, network: &Network) -> Result<(), RunError> {
    for (node, fetched) in network.peers.iter().zip(&run.peers) {
        let library = &node.library;
        for Measured { number, .. } in fetched {
            let path = library.folder().join(format!("rfc{number}.txt"));
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
fn check_counts(run: &Run, plan: &Plan, network: &Network) -> Result<(), RunError> {
    let planned = u64::try_from(plan.downloads()).unwrap_or(u64::MAX);
    let measured: usize = run.peers.iter().map(Vec::len).sum();
    let counts: Vec<_> = network.peers.iter().map(|n| n.activity.counts()).collect();
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
