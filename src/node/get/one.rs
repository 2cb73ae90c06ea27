//! Downloads one RFC: finds its holders, downloads it from one of them, and registers it.

use std::collections::HashSet;
use std::mem;

use super::{Downloaded, Failed, Failure, Kept, Outcome, Place, Question, Replace, Wanted};
use crate::event::{Event, Topic};
use crate::index::{IndexError, Listings, Query, Records};
use crate::library::Incoming;
use crate::node::{Code, Handle};
use crate::transfer::{DownloadError, Fetched, Spread};
use crate::wire::{Endpoint, Fault, Record, RfcNumber, Title};

/// How many holders are tried for one RFC, before the user is asked: who is in an index decides where
/// this peer connects to.
const MOST_TRIES: usize = 16;
/// How many holders of one answer are tried before others are asked: whoever answers could name any
/// number of hosts that have nothing.
const MOST_OF_ONE_ANSWER: usize = 4;
/// The most holders among whom downloads are spread.
const SOME: usize = 1024;

impl Handle {
    /// Downloads an RFC from one holder into the folder without registering it. Fails if the folder
    /// already has it.
    pub(crate) fn fetch(
        &self,
        number: RfcNumber,
        holder: &Endpoint,
    ) -> Result<Fetched, DownloadError> {
        let begin = || self.library.receive(number, false);
        self.downloader.download(number, holder, false, begin)
    }

    /// Tries the holders in turn, the least busy first, until one delivers. After [`MOST_TRIES`] the
    /// user decides whether to go on. An error is an early outcome.
    pub(super) fn get_one(
        &self,
        number: RfcNumber,
        wanted: &Wanted,
        spread: &Spread,
        ask: &dyn Fn(Question) -> bool,
    ) -> Result<Outcome, Outcome> {
        let place = &wanted.place;
        if *place == Place::Folder(Replace::Never) {
            self.may_replace(number, place, ask)?;
        }
        let failed = |error: Failure| Outcome::Failed(Failed::new(number, error));
        let mut holders = Holders::new(self, number, wanted.title.clone());
        let mut worst = Fault::Unreachable;
        let mut may_replace = false;
        let mut tries = 0;
        // Those that are tried when nobody else can be found.
        let mut later = Vec::new();
        loop {
            let found = holders.next().map_err(|error| failed(error.into()))?;
            let (found, most) = match found {
                Some(found) => (found, MOST_OF_ONE_ANSWER),
                None if later.is_empty() => break,
                None => (mem::take(&mut later), usize::MAX),
            };
            // Ask only once, and only if somebody has it.
            may_replace = may_replace || self.may_replace(number, place, ask)?;
            let begin = || match place {
                Place::File(path) => Incoming::at(path),
                Place::Folder(_) => self.library.receive(number, may_replace),
            };
            let mut left: Vec<_> = found.iter().collect();
            for _ in 0..left.len().min(most) {
                if tries > 0 && tries % MOST_TRIES == 0 && !ask(Question::TryMore(number, tries)) {
                    return Err(failed(given_up(number, tries)));
                }
                let Some((record, _turn)) = spread.next(&mut left) else {
                    break;
                };
                tries += 1;
                let takes_bare = wanted.takes_bare;
                let got = self
                    .downloader
                    .download(number, &record.holder, takes_bare, begin);
                match got {
                    Ok(fetched) => return self.keep(record, fetched, place),
                    // Another holder would not help.
                    Err(DownloadError::Folder(error)) => return Err(failed(error.into())),
                    Err(DownloadError::Interrupted) => return Err(Outcome::Interrupted(number)),
                    Err(error) => worst = error.fault().max(worst),
                }
            }
            later.extend(left.into_iter().cloned());
        }
        Err(holders.failed(worst))
    }

    /// Whether to replace a file in the folder. Keeping one is an early outcome.
    fn may_replace(
        &self,
        number: RfcNumber,
        place: &Place,
        ask: &dyn Fn(Question) -> bool,
    ) -> Result<bool, Outcome> {
        let (Place::Folder(replace), Some(path)) = (place, self.library.path_of(number)) else {
            return Ok(false);
        };
        match replace {
            Replace::Always => Ok(true),
            Replace::Ask if ask(Question::Replace(path.clone())) => Ok(true),
            Replace::Never | Replace::Ask => Err(Outcome::Kept(Kept { number, path })),
        }
    }

    /// Registers a download into the folder.
    fn keep(&self, record: &Record, fetched: Fetched, place: &Place) -> Result<Outcome, Outcome> {
        let number = record.number;
        if let Place::Folder(_) = place {
            let title = Some(record.title.clone()).filter(|title| !title.is_empty());
            let (_, taken) = self.register(number, title);
            taken.map_err(|error| {
                Outcome::Failed(Failed {
                    is_downloaded: true,
                    ..Failed::new(number, error.into())
                })
            })?;
        }
        let Fetched { path, bytes } = fetched;
        Ok(Outcome::Downloaded(Downloaded {
            record: record.clone().into(),
            path,
            bytes,
        }))
    }
}

/// The failure of a GET that did not try all holders: an index could name any number of hosts.
fn given_up(number: RfcNumber, tries: usize) -> Failure {
    let what = format_args!(
        "none of the first {tries} peers with RFC {number} could deliver it, and no others were \
         tried; GET in the menu can go on"
    );
    Failure::new(Code::NoHolder, what)
}

/// The other holders of an RFC, each once, in batches: later ones cost more to find.
struct Holders<'a> {
    node: &'a Handle,
    number: RfcNumber,
    found: Listings<'a>,
    /// The last records found; their holders may not have been returned yet.
    rest: Records,
    /// The holders returned so far.
    before: HashSet<Endpoint>,
    /// Whether anybody has it, including this peer.
    is_known: bool,
}

impl<'a> Holders<'a> {
    fn new(node: &'a Handle, number: RfcNumber, title: Title) -> Self {
        Self {
            node,
            number,
            found: node.index.find(&Query::Number { number, title }),
            rest: Records::default(),
            before: HashSet::new(),
            is_known: node.library.title(number).is_some(),
        }
    }

    /// The next batch, never empty; `None` at the end. A failure of the index is an error only
    /// before the first batch, and an event later.
    fn next(&mut self) -> Result<Option<Vec<Record>>, IndexError> {
        loop {
            let found: Vec<_> = self
                .rest
                .iter()
                .map(|listed| listed.record)
                .filter(|record| {
                    record.holder != self.node.me && self.before.insert(record.holder.clone())
                })
                .take(SOME)
                .collect();
            if !found.is_empty() {
                return Ok(Some(found));
            }
            let Some(found) = self.found.next() else {
                return Ok(None);
            };
            let found = match found {
                Ok(found) => found,
                Err(error) if self.before.is_empty() => return Err(error),
                Err(error) => {
                    let (number, why) = (self.number, error.to_string().into());
                    let event = || Event::NoMoreHolders { number, why };
                    self.node.events.tell(Topic::Life, event);
                    return Ok(None);
                }
            };
            self.is_known |= !found.records.is_empty();
            self.rest = found.records;
        }
    }

    /// The outcome once every holder has failed; `worst` is the worst of their faults.
    fn failed(&self, worst: Fault) -> Outcome {
        let number = self.number;
        let failure = match self.before.len() {
            0 if self.is_known => Failure::new(
                Code::NoHolder,
                format_args!("only this peer has RFC {number}"),
            ),
            0 => Failure::not_found(number),
            tried => Failure::new(
                Code::of_holders(worst),
                format_args!("none of {tried} peer(s) with RFC {number} could deliver it"),
            ),
        };
        Outcome::Failed(Failed {
            is_explained: !self.before.is_empty(),
            ..Failed::new(number, failure)
        })
    }
}
