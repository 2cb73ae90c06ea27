//! The actions of a node other than GET.

use std::path::Path;

use super::{Code, Failure, Listed, Listing, Node, Query, Standing};
use crate::event::{Event, Topic};
use crate::index::IndexError;
use crate::wire::{Record, RfcNumber, Title};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Registered {
    Yes,
    /// The index refused it; an event has reported that.
    Refused,
    /// The index is lost; the RFC is registered when it is back.
    Later(Failure),
}

impl Node {
    /// Asks the index. An empty listing is not a failure.
    pub(crate) fn find(&self, query: &Query) -> Result<Listing, Failure> {
        Ok(self.index.find_first(query)?)
    }

    /// Finds the records whose titles contain all of these words, in any letter case.
    pub(crate) fn find_titles(&self, words: &str) -> Result<Listing, Failure> {
        let mut found = self.find(&Query::All { fresh: true })?;
        let words = words.to_lowercase();
        found.records = found.records.filter(|Listed { record, .. }| {
            let title = record.title.as_str().to_lowercase();
            words.split_whitespace().all(|word| title.contains(word))
        });
        found.in_messages = false;
        Ok(found)
    }

    /// Registers one RFC, by default under the title in its file. An event warns if it has no file,
    /// because others will get 404.
    pub(crate) fn add(
        &self,
        number: RfcNumber,
        title: Option<Title>,
    ) -> Result<(Listed, Registered), Failure> {
        let (record, taken) = self.register(number, title);
        let registered = match taken {
            Ok(true) => Registered::Yes,
            Ok(false) => Registered::Refused,
            Err(error) if error.is_passing() => Registered::Later(error.into()),
            Err(error) => return Err(error.into()),
        };
        Ok((record.into(), registered))
    }

    /// Shares an RFC from now on, and returns whether the index accepted it.
    pub(super) fn register(
        &self,
        number: RfcNumber,
        title: Option<Title>,
    ) -> (Record, Result<bool, IndexError>) {
        let rfc = self.library.offer(number, title);
        if self.library.path_of(number).is_none() {
            let folder = self.library.folder();
            self.events
                .tell(Topic::Life, || Event::FileMissing { number, folder });
        }
        let taken = self.index.publish(std::slice::from_ref(&rfc));
        (rfc.held_by(&self.me), taken.map(|count| count > 0))
    }

    /// The state of its index.
    pub(crate) fn standing(&self) -> Standing {
        self.index.standing()
    }

    /// The number of RFCs that it shares, and their folder.
    pub(crate) fn shared(&self) -> (usize, &Path) {
        (self.library.shared().len(), self.library.folder())
    }
}

impl Registered {
    /// Fails unless the index has the record.
    pub(crate) fn now(self, number: RfcNumber) -> Result<(), Failure> {
        match self {
            Self::Yes => Ok(()),
            Self::Refused => {
                let what = format_args!("the index server refused RFC {number}");
                Err(Failure::new(Code::Protocol, what))
            }
            Self::Later(failure) => Err(failure),
        }
    }
}
