//! GET from start to end: finding peers that have an RFC (`holders`), fetching it from one of them
//! (`fetching`), and storing it (`keeping`).

mod fetching;
mod holders;
mod keeping;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::Serialize;

use self::holders::Holders;
use self::keeping::Keeping;
use super::numbers::Selection;
use super::{Failure, Listed, Node, Search};
use crate::transfer::Spread;
use crate::wire::{Fault, RfcNumber, Title};

/// What to get, and where to store it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The RFCs, in this order.
    pub numbers: Vec<RfcNumber>,
    /// Their title, if known; it is sent along.
    pub title: Title,
    /// Where to store them.
    pub place: Place,
    /// How many downloads run at the same time; 0 means one.
    pub jobs: usize,
}

/// Where documents are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the folder, to be shared.
    Folder(Replace),
    /// One document in this file, which is replaced and not shared.
    File(PathBuf),
}

/// Whether to replace files of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Never: existing documents are not even looked up.
    Never,
    /// Ask, once a holder is found.
    Ask,
    /// Always.
    Always,
}

/// Asks whether a file may be replaced; `None` means that nobody answers any more, so nothing else
/// is started.
pub type Ask<'a> = &'a mut (dyn FnMut(&Path) -> Option<bool> + Send);

/// Receives the outcome for one RFC, while others are still running.
pub type Done<'a> = &'a mut (dyn FnMut(&Outcome) + Send);

/// The outcome of GET for one RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was downloaded.
    Downloaded(Downloaded),
    /// The existing file was kept.
    Kept(Kept),
    /// It failed.
    Failed(Failed),
    /// The node is about to end.
    Interrupted(RfcNumber),
}

/// A downloaded RFC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Downloaded {
    /// The record of the holder that delivered it.
    #[serde(flatten)]
    pub record: Listed,
    /// The path.
    pub path: PathBuf,
    /// The length in bytes.
    pub bytes: u64,
}

/// An RFC that the folder already has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its number.
    pub number: RfcNumber,
    /// The path.
    pub path: PathBuf,
}

/// An RFC that could not be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its number.
    pub number: RfcNumber,
    /// The reason.
    #[serde(flatten)]
    pub failure: Failure,
    /// Whether it was downloaded, but the index does not know.
    #[serde(skip)]
    pub is_here: bool,
    /// Whether the messages of the index have shown that nobody has it.
    #[serde(skip)]
    pub in_messages: bool,
}

/// The outcomes for all RFCs, except interrupted ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gotten {
    /// The downloaded ones, by number.
    pub downloaded: Vec<Downloaded>,
    /// The kept ones, by number.
    pub kept: Vec<Kept>,
    /// The failed ones, in order of failing.
    pub failed: Vec<Failed>,
}

impl Node {
    /// The selected RFCs; `all` means those that other peers have, by number.
    pub fn selected(&self, selection: &Selection) -> Result<Vec<RfcNumber>, Failure> {
        match selection {
            Selection::These(numbers) => Ok(numbers.iter().copied().collect()),
            Selection::All => {
                let found = self.find(&Search::All { fresh: true })?;
                let records = found.records.into_iter().map(|listed| listed.record);
                let others = records.filter(|record| record.holder != self.me);
                let numbers: BTreeSet<_> = others.map(|record| record.number).collect();
                Ok(numbers.into_iter().collect())
            }
        }
    }

    /// Gets RFCs from other peers, and shares those that go into the folder. A failure does not
    /// stop the others. One of the jobs runs in the calling thread.
    pub fn get(&self, wanted: &Wanted, ask: Ask<'_>, done: Done<'_>) -> Gotten {
        let spread = Spread::default();
        let left: VecDeque<_> = wanted.numbers.iter().copied().collect();
        let (left, ask) = (Mutex::new(left), Mutex::new(ask));
        let ended = Mutex::new((done, Gotten::default()));
        let may_replace = |path: &Path| {
            let answer = locked(&ask)(path);
            if answer.is_none() {
                locked(&left).clear();
            }
            answer == Some(true)
        };
        let next = || locked(&left).pop_front().filter(|_| !self.is_stopping());
        let work = || {
            while let Some(number) = next() {
                let got = self.get_one(number, wanted, &spread, &may_replace);
                let (done, gotten) = &mut *locked(&ended);
                gotten.take(got.unwrap_or_else(|outcome| outcome), done);
            }
        };
        thread::scope(|scope| {
            for _ in 1..wanted.jobs.min(wanted.numbers.len()) {
                // With fewer threads it only takes longer.
                let thread = thread::Builder::new().name("download".to_owned());
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
        let (_, mut gotten) = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let number = |downloaded: &Downloaded| downloaded.record.record.number;
        gotten.downloaded.sort_by_key(number);
        gotten.kept.sort_by_key(|kept| kept.number);
        gotten
    }

    /// Gets one RFC: tries each holder, except this peer, until one delivers. Any other outcome is
    /// the error.
    fn get_one(
        &self,
        number: RfcNumber,
        wanted: &Wanted,
        spread: &Spread,
        ask: &dyn Fn(&Path) -> bool,
    ) -> Result<Outcome, Outcome> {
        let mut keeping = Keeping::new(self, number, &wanted.place)?;
        let mut holders = Holders::new(self, number, wanted.title.clone());
        let mut worst = Fault::Unreachable;
        while let Some(found) = holders.next().map_err(|error| failed(number, error))? {
            // Asked only once, and only after a holder is found.
            keeping.decide(ask)?;
            let begin = || keeping.begin();
            if let Some((record, fetched)) =
                self.fetch_any(number, &found, spread, &mut worst, begin)?
            {
                return keeping.keep(record, fetched);
            }
        }
        Err(Outcome::Failed(holders.failed(worst)))
    }
}

impl Gotten {
    /// Adds the outcome for one RFC.
    fn take(&mut self, outcome: Outcome, done: Done<'_>) {
        done(&outcome);
        match outcome {
            Outcome::Downloaded(downloaded) => self.downloaded.push(downloaded),
            Outcome::Kept(kept) => self.kept.push(kept),
            Outcome::Failed(failed) => self.failed.push(failed),
            Outcome::Interrupted(_) => {}
        }
    }
}

impl Failed {
    fn new(number: RfcNumber, failure: Failure) -> Self {
        Self {
            number,
            failure,
            is_here: false,
            in_messages: false,
        }
    }
}

fn failed(number: RfcNumber, failure: impl Into<Failure>) -> Outcome {
    Outcome::Failed(Failed::new(number, failure.into()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
