//! Downloads several RFCs; `one` downloads each.

mod one;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Not;
use std::path::{Path, PathBuf};
use std::thread;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize, Serializer};

use super::{Actions as _, Failure, Handle, Listed};
use crate::transfer::Spread;
use crate::wire::{RfcNumber, Title};

/// What to download, and where to put it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) numbers: Vec<RfcNumber>,
    /// The title to send with each lookup; empty if unknown.
    pub(crate) title: Title,
    pub(crate) place: Place,
    /// How many downloads run at once; at least one does.
    pub(crate) jobs: usize,
    /// Whether a document is taken that comes without a head.
    #[serde(rename = "accept_bare", default, skip_serializing_if = "Not::not")]
    pub(crate) takes_bare: bool,
}

impl Wanted {
    /// One document for the folder, unless it is there already.
    pub(crate) fn one(number: RfcNumber) -> Self {
        Self {
            numbers: vec![number],
            title: Title::default(),
            place: Place::Folder(Replace::Never),
            jobs: 1,
            takes_bare: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// Into the shared folder.
    Folder(Replace),
    /// A single document replaces this file and is not shared.
    File(PathBuf),
}

/// Whether to replace files in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Replace {
    /// Existing files are not even looked up.
    Never,
    /// Ask the user once a holder is found.
    Ask,
    Always,
}

/// A question to the user in the middle of a GET.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// May this file be replaced?
    Replace(PathBuf),
    /// May more peers be tried, after so many that did not deliver?
    TryMore(RfcNumber, usize),
}

/// Asks the user; `None` if the input has ended, which stops the next downloads.
pub(crate) type Ask<'a> = &'a mut (dyn FnMut(Question) -> Option<bool> + Send);

/// Called with each outcome while other downloads continue.
pub(crate) type Done<'a> = &'a mut (dyn FnMut(&Outcome) + Send);

/// The outcome for one RFC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Downloaded(Downloaded),
    Kept(Kept),
    Failed(Failed),
    /// The node is stopping.
    Interrupted(RfcNumber),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Downloaded {
    /// The record of the peer that delivered it.
    #[serde(flatten)]
    pub(crate) record: Listed,
    #[serde(serialize_with = "in_utf8")]
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// An RFC that is already in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) number: RfcNumber,
    #[serde(serialize_with = "in_utf8")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) number: RfcNumber,
    #[serde(flatten)]
    pub(crate) failure: Failure,
    /// Whether only the registration failed.
    #[serde(rename = "downloaded", default, skip_serializing_if = "Not::not")]
    pub(crate) is_downloaded: bool,
    /// Whether events have reported why each holder failed.
    #[serde(skip)]
    pub(crate) is_explained: bool,
}

/// All outcomes except interruptions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gotten {
    /// Sorted by number.
    pub(crate) downloaded: Vec<Downloaded>,
    /// Sorted by number.
    pub(crate) kept: Vec<Kept>,
    /// In the order of the failures.
    pub(crate) failed: Vec<Failed>,
}

/// A path in JSON. What is not UTF-8 is replaced.
fn in_utf8<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl Handle {
    /// Downloads RFCs and shares those that go into the folder. A failure does not stop the others.
    /// One of the jobs runs in the calling thread.
    pub(super) fn get_all(&self, wanted: &Wanted, ask: Ask<'_>, done: Done<'_>) -> Gotten {
        let spread = Spread::default();
        let left: VecDeque<_> = wanted.numbers.iter().copied().collect();
        let (left, ask) = (Mutex::new(left), Mutex::new(ask));
        let ended = Mutex::new((done, Gotten::default()));
        let ask = |question: Question| {
            let answer = ask.lock()(question);
            if answer.is_none() {
                left.lock().clear();
            }
            answer == Some(true)
        };
        let next = || left.lock().pop_front().filter(|_| !self.is_stopping());
        let work = || {
            while let Some(number) = next() {
                let got = self.get_one(number, wanted, &spread, &ask);
                let outcome = got.unwrap_or_else(|outcome| outcome);
                let (done, gotten) = &mut *ended.lock();
                done(&outcome);
                gotten.add(outcome);
            }
        };
        thread::scope(|scope| {
            for _ in 1..wanted.jobs.min(wanted.numbers.len()) {
                // Without this thread the download only takes longer.
                let thread = thread::Builder::new().name("download".to_owned());
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
        let (_, mut gotten) = ended.into_inner();
        gotten.sort();
        gotten
    }
}

impl Gotten {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Downloaded(downloaded) => self.downloaded.push(downloaded),
            Outcome::Kept(kept) => self.kept.push(kept),
            Outcome::Failed(failed) => self.failed.push(failed),
            Outcome::Interrupted(_) => {}
        }
    }

    /// Call this when all outcomes were added.
    pub(crate) fn sort(&mut self) {
        let number = |got: &Downloaded| got.record.record.number;
        self.downloaded.sort_by_key(number);
        self.kept.sort_by_key(|kept| kept.number);
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_downloaded {
            "downloaded but not registered"
        } else {
            "not downloaded"
        };
        write!(f, "RFC {} was {what}: {}", self.number, self.failure)
    }
}

impl Failed {
    fn new(number: RfcNumber, failure: Failure) -> Self {
        Self {
            number,
            failure,
            is_downloaded: false,
            is_explained: false,
        }
    }
}
