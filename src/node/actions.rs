//! What a node can do besides GET. Each action has typed input, and a typed outcome, which is the
//! JSON document of a command.

use std::path::PathBuf;

use serde::Serialize;

use super::{Code, Counts, Failure, Listed, Listing, Node, Standing};
use crate::event::{Event, Topic};
use crate::index::{IndexError, Query};
use crate::wire::{Endpoint, Record, RfcNumber, Title};

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// The holders of an RFC. The title is sent if the protocol has a field for it.
    Number(RfcNumber, Title),
    /// Records whose titles contain all of these words, or parts of words, in any letter case.
    Words(Vec<String>),
    /// Everything.
    All {
        /// Whether to ask every active peer, if the index works that way, or use only what is
        /// already known.
        fresh: bool,
    },
}

/// A newly shared RFC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Its record.
    pub record: Listed,
    /// Whether the index has it.
    #[serde(skip)]
    pub registered: Registered,
}

/// Whether an index has a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// The index has it.
    Yes,
    /// The index refused it, which an event has reported.
    Refused,
    /// The index will get it after reconnecting, for this reason.
    Later(Failure),
}

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The name at which others reach it.
    pub me: Endpoint,
    /// The state of its index.
    pub index: Standing,
    /// The number of RFCs that it shares,
    pub shared: usize,
    /// and the folder they are in.
    pub folder: PathBuf,
    /// What it has uploaded and downloaded.
    pub counts: Counts,
}

impl Node {
    /// Runs a query. An empty result is not a failure.
    pub fn find(&self, search: &Search) -> Result<Listing, Failure> {
        let query = match search {
            Search::Number(number, title) => Query::Number {
                number: *number,
                title: title.clone(),
            },
            Search::Words(_) => Query::All { fresh: true },
            Search::All { fresh } => Query::All { fresh: *fresh },
        };
        let mut found = self.index.find_first(&query)?;
        if let Search::Words(words) = search {
            keep_matching(&mut found.records, words);
        }
        Ok(found)
    }

    /// Registers one RFC, by default under the title in its file. If it has no file, an event warns
    /// that others will get 404.
    pub fn add(&self, number: RfcNumber, title: Option<Title>) -> Result<Added, Failure> {
        let (record, taken) = self.register(number, title);
        let registered = match taken {
            Ok(true) => Registered::Yes,
            Ok(false) => Registered::Refused,
            Err(error) if error.is_passing() => Registered::Later(error.into()),
            Err(error) => return Err(error.into()),
        };
        let record = record.into();
        Ok(Added { record, registered })
    }

    /// Shares an RFC from now on, and returns whether the index has it.
    pub(super) fn register(
        &self,
        number: RfcNumber,
        title: Option<Title>,
    ) -> (Record, Result<bool, IndexError>) {
        let rfc = self.library.offer(number, title);
        if self.library.path_of(number).is_none() {
            let folder = self.library.folder();
            let missing = || Event::FileMissing { number, folder };
            self.events.tell(Topic::Life, missing);
        }
        let taken = self.index.publish(std::slice::from_ref(&rfc));
        (rfc.held_by(&self.me), taken.map(|count| count > 0))
    }

    /// The state of this node.
    pub fn status(&self) -> Status {
        Status {
            me: self.me.clone(),
            index: self.index.standing(),
            shared: self.library.shared().len(),
            folder: self.library.folder().to_owned(),
            counts: self.activity.counts(),
        }
    }
}

impl Added {
    /// The same, or a failure if the index does not have the record now.
    pub fn now(self) -> Result<Self, Failure> {
        match self.registered {
            Registered::Yes => Ok(self),
            Registered::Refused => {
                let number = self.record.record.number;
                let what = format_args!("the index server refused RFC {number}");
                Err(Failure::new(Code::Protocol, what))
            }
            Registered::Later(failure) => Err(failure),
        }
    }
}

fn keep_matching(records: &mut Vec<Listed>, words: &[String]) {
    let words = words.iter().flat_map(|word| word.split_whitespace());
    let words: Vec<_> = words.map(str::to_lowercase).collect();
    records.retain(|Listed { record, .. }| {
        let title = record.title.as_str().to_lowercase();
        words.iter().all(|word| title.contains(word))
    });
}
