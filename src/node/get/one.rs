//! Getting one RFC: who has it, fetching it from one of them, and what becomes of it here.

use std::path::Path;

use super::{Downloaded, Failed, Failure, Kept, Outcome, Place, Replace, Wanted};
use crate::event::{Event, Topic};
use crate::index::{IndexError, Listings, Query};
use crate::library::Incoming;
use crate::node::{Code, Node};
use crate::transfer::{DownloadError, Fetched, Spread};
use crate::wire::{Endpoint, Fault, Record, RfcNumber, Title};

impl Node {
    /// Fetches an RFC from one holder into the folder, where it must not be, and does not register
    /// it.
    pub(crate) fn fetch(
        &self,
        number: RfcNumber,
        holder: &Endpoint,
    ) -> Result<Fetched, DownloadError> {
        let begin = || self.library.receive(number, false);
        self.downloader.download(number, holder, begin)
    }

    /// Gets one RFC. Each other holder is tried in turn, the least busy first,
    /// until one delivers. An error is an outcome as well: it ends the work early.
    pub(super) fn get_one(
        &self,
        number: RfcNumber,
        wanted: &Wanted,
        spread: &Spread,
        ask: &dyn Fn(&Path) -> bool,
    ) -> Result<Outcome, Outcome> {
        let place = &wanted.place;
        if *place == Place::Folder(Replace::Never) {
            self.may_replace(number, place, ask)?;
        }
        let failed = |error: Failure| Outcome::Failed(Failed::new(number, error));
        let mut holders = Holders::new(self, number, wanted.title.clone());
        let mut worst = Fault::Unreachable;
        let mut may_replace = false;
        while let Some(found) = holders.next().map_err(|error| failed(error.into()))? {
            // Asked once, and not before there is somebody to get it from.
            may_replace = may_replace || self.may_replace(number, place, ask)?;
            let begin = || match place {
                Place::File(path) => Incoming::at(path),
                Place::Folder(_) => self.library.receive(number, may_replace),
            };
            let mut left: Vec<_> = found.iter().collect();
            while let Some((record, _turn)) = spread.next(&mut left) {
                match self.downloader.download(number, &record.holder, begin) {
                    Ok(fetched) => return self.keep(record, fetched, place),
                    // No other holder would help.
                    Err(DownloadError::Folder(error)) => return Err(failed(error.into())),
                    Err(DownloadError::Interrupted) => return Err(Outcome::Interrupted(number)),
                    Err(error) => worst = error.fault().max(worst),
                }
            }
        }
        Err(holders.failed(worst))
    }

    /// Whether there is a file in the folder that is replaced. One that is not ends the work.
    fn may_replace(
        &self,
        number: RfcNumber,
        place: &Place,
        ask: &dyn Fn(&Path) -> bool,
    ) -> Result<bool, Outcome> {
        let (Place::Folder(replace), Some(path)) = (place, self.library.path_of(number)) else {
            return Ok(false);
        };
        let is_replaced = match replace {
            Replace::Never => false,
            Replace::Ask => ask(&path),
            Replace::Always => true,
        };
        if is_replaced {
            Ok(true)
        } else {
            Err(Outcome::Kept(Kept { number, path }))
        }
    }

    /// Registers what has come into the folder.
    fn keep(&self, record: &Record, fetched: Fetched, place: &Place) -> Result<Outcome, Outcome> {
        let number = record.number;
        if let Place::Folder(_) = place {
            let title = Some(record.title.clone()).filter(|title| !title.is_empty());
            let (_, taken) = self.register(number, title);
            taken.map_err(|error| {
                Outcome::Failed(Failed {
                    is_here: true,
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

/// The holders of an RFC, a few at a time and each once: what comes later costs more to find out.
struct Holders<'a> {
    node: &'a Node,
    number: RfcNumber,
    found: Listings<'a>,
    /// Those who were there so far.
    before: Vec<Endpoint>,
    /// Whether anybody has it, and be it ourselves.
    is_known: bool,
    /// Whether messages have shown all that was found.
    in_messages: bool,
}

impl<'a> Holders<'a> {
    fn new(node: &'a Node, number: RfcNumber, title: Title) -> Self {
        Self {
            node,
            number,
            found: node.index.find(&Query::Number { number, title }),
            before: Vec::new(),
            is_known: node.library.title(number).is_some(),
            in_messages: false,
        }
    }

    /// The next ones, of which there is at least one; `None` where there are no more.
    /// Where the index fails, that is an error if there was nobody so far, and else an event.
    fn next(&mut self) -> Result<Option<Vec<Record>>, IndexError> {
        for found in self.found.by_ref() {
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
            self.in_messages = found.in_messages;
            self.is_known |= !found.records.is_empty();
            let records = found.records.into_iter().map(|listed| listed.record);
            let is_new = |Record { holder, .. }: &Record| {
                *holder != self.node.me && !self.before.contains(holder)
            };
            let found: Vec<_> = records.filter(is_new).collect();
            if !found.is_empty() {
                let holders = found.iter().map(|record| record.holder.clone());
                self.before.extend(holders);
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Why there is no document, where `worst` is the worst that happened with any of them.
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
            in_messages: self.in_messages,
            ..Failed::new(number, failure)
        })
    }
}
