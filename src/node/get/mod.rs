//! GET from end to end, of any number of RFCs; `one` gets each.

mod one;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::thread;

use parking_lot::Mutex;
use serde::Serialize;

use super::numbers::Selection;
use super::{Failure, Listed, Node, Query};
use crate::transfer::Spread;
use crate::wire::{RfcNumber, Title};

/// What is to be got, and where it is to go.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) numbers: Vec<RfcNumber>,
    /// What they are called, where that is known: it is sent along.
    pub(crate) title: Title,
    pub(crate) place: Place,
    /// How many downloads run at a time; one where it is 0.
    pub(crate) jobs: usize,
}

/// Where documents are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into the folder, to be shared.
    Folder(Replace),
    /// One document into this file, which is replaced. It is not shared.
    File(PathBuf),
}

/// Whether files of the folder are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// No: what is there is not even looked up.
    Never,
    /// The user is asked, once a peer that has the document is found.
    Ask,
    Always,
}

/// Asks whether a file may be replaced; `None`: nobody answers any more, so nothing more is begun.
pub(crate) type Ask<'a> = &'a mut (dyn FnMut(&Path) -> Option<bool> + Send);

/// Takes note of how the GET of one RFC has ended, while others go on.
pub(crate) type Done<'a> = &'a mut (dyn FnMut(&Outcome) + Send);

/// How the GET of one RFC has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is here.
    Downloaded(Downloaded),
    /// What was here stays.
    Kept(Kept),
    /// It could not be got.
    Failed(Failed),
    /// The node is about to end.
    Interrupted(RfcNumber),
}

/// An RFC that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Downloaded {
    /// The record of the holder that delivered it.
    #[serde(flatten)]
    pub(crate) record: Listed,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// An RFC that is in the folder already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    pub(crate) number: RfcNumber,
    pub(crate) path: PathBuf,
}

/// An RFC that could not be got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failed {
    pub(crate) number: RfcNumber,
    #[serde(flatten)]
    pub(crate) failure: Failure,
    /// Whether it is here all the same, and the index does not know.
    #[serde(skip)]
    pub(crate) is_here: bool,
    /// Whether the messages of the index have shown that nobody has it.
    #[serde(skip)]
    pub(crate) in_messages: bool,
}

/// What has become of everything that was wanted and was not interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Gotten {
    /// What was downloaded, by number.
    pub(crate) downloaded: Vec<Downloaded>,
    /// What was there already, by number.
    pub(crate) kept: Vec<Kept>,
    /// What could not be got, as it failed.
    pub(crate) failed: Vec<Failed>,
}

impl Node {
    /// The RFCs that are selected: all is what others have, by number.
    pub(crate) fn selected(&self, selection: &Selection) -> Result<Vec<RfcNumber>, Failure> {
        match selection {
            Selection::These(numbers) => Ok(numbers.iter().copied().collect()),
            Selection::All => {
                let found = self.find(&Query::All { fresh: true })?;
                let records = found.records.into_iter().map(|listed| listed.record);
                let others = records.filter(|record| record.holder != self.me);
                let numbers: BTreeSet<_> = others.map(|record| record.number).collect();
                Ok(numbers.into_iter().collect())
            }
        }
    }

    /// Gets RFCs from the peers that have them, and shares those that go into the folder. A failure does not
    /// stop the others. One job runs in the thread that asks for it.
    pub(crate) fn get(&self, wanted: &Wanted, ask: Ask<'_>, done: Done<'_>) -> Gotten {
        let spread = Spread::default();
        let left: VecDeque<_> = wanted.numbers.iter().copied().collect();
        let (left, ask) = (Mutex::new(left), Mutex::new(ask));
        let ended = Mutex::new((done, Gotten::default()));
        let may_replace = |path: &Path| {
            let answer = ask.lock()(path);
            if answer.is_none() {
                left.lock().clear();
            }
            answer == Some(true)
        };
        let next = || left.lock().pop_front().filter(|_| !self.is_stopping());
        let work = || {
            while let Some(number) = next() {
                let got = self.get_one(number, wanted, &spread, &may_replace);
                let outcome = got.unwrap_or_else(|outcome| outcome);
                let (done, gotten) = &mut *ended.lock();
                done(&outcome);
                match outcome {
                    Outcome::Downloaded(downloaded) => gotten.downloaded.push(downloaded),
                    Outcome::Kept(kept) => gotten.kept.push(kept),
                    Outcome::Failed(failed) => gotten.failed.push(failed),
                    Outcome::Interrupted(_) => {}
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..wanted.jobs.min(wanted.numbers.len()) {
                // With fewer threads it takes longer, and that is all.
                let thread = thread::Builder::new().name("download".to_owned());
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
        let (_, mut gotten) = ended.into_inner();
        let number = |downloaded: &Downloaded| downloaded.record.record.number;
        gotten.downloaded.sort_by_key(number);
        gotten.kept.sort_by_key(|kept| kept.number);
        gotten
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
