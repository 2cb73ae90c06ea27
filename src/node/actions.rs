//! The actions of a peer, wherever it runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::get::{Ask, Done, Gotten, Wanted};
use super::numbers::Selection;
use super::{Code, Failure, Handle, Listed, Listing, Query, Records, Status};
use crate::wire::{Endpoint, RfcNumber, Title};

/// What a door can ask of a peer: of one in this program, by its [`Handle`], or of one in the
/// background, by its control socket.
pub(crate) trait Actions: Sync {
    /// Asks the index. An empty listing is not a failure.
    fn find(&self, query: &Query) -> Result<Listing, Failure>;

    /// Registers one RFC, by default under the title in its file. An event warns if it has no file,
    /// because others will get 404.
    fn add(&self, number: RfcNumber, title: Option<Title>) -> Result<Added, Failure>;

    /// Downloads RFCs and shares those that go into the folder. A failure does not stop the others.
    /// It calls `done` with each outcome.
    fn get(&self, wanted: &Wanted, ask: Ask<'_>, done: Done<'_>) -> Result<Gotten, Failure>;

    /// The state of the peer.
    fn status(&self) -> Result<Status, Failure>;

    /// The endpoint that others connect to.
    fn me(&self) -> &Endpoint;

    /// Whether this program is about to end.
    fn is_stopping(&self) -> bool;

    /// Finds the records whose titles contain all of these words, in any letter case.
    fn find_titles(&self, words: &str) -> Result<Listing, Failure> {
        let mut found = self.find(&Query::All { fresh: true })?;
        found.records = with_words(&found.records, words);
        found.in_messages = false;
        Ok(found)
    }

    /// The selected RFCs, sorted by number.
    fn selected(&self, selection: &Selection) -> Result<Vec<RfcNumber>, Failure> {
        match selection {
            Selection::These(numbers) => Ok(numbers.iter().copied().collect()),
            Selection::All => {
                let found = self.find(&Query::All { fresh: true })?;
                let records = found.records.iter().map(|listed| listed.record);
                let others = records.filter(|record| record.holder != *self.me());
                let numbers: BTreeSet<_> = others.map(|record| record.number).collect();
                Ok(numbers.into_iter().collect())
            }
        }
    }
}

/// The records whose titles contain all of these words, in any letter case.
pub(crate) fn with_words(records: &Records, words: &str) -> Records {
    let words = words.to_lowercase();
    records.filter(|Listed { record, .. }| {
        let title = record.title.as_str().to_lowercase();
        words.split_whitespace().all(|word| title.contains(word))
    })
}

/// The outcome of [`Actions::add`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    pub(crate) record: Listed,
    pub(crate) registered: Registered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registered {
    Yes,
    /// The index refused it; an event has reported that.
    Refused,
    /// The index is lost; the RFC is registered when it is back.
    Later(Failure),
}

impl Actions for Handle {
    fn find(&self, query: &Query) -> Result<Listing, Failure> {
        Ok(self.index.find_first(query)?)
    }

    fn add(&self, number: RfcNumber, title: Option<Title>) -> Result<Added, Failure> {
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

    fn get(&self, wanted: &Wanted, ask: Ask<'_>, done: Done<'_>) -> Result<Gotten, Failure> {
        Ok(self.get_all(wanted, ask, done))
    }

    fn status(&self) -> Result<Status, Failure> {
        self.state()
    }

    fn me(&self) -> &Endpoint {
        &self.me
    }

    fn is_stopping(&self) -> bool {
        self.asking.is_closing() || self.downloader.sockets.is_closing()
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
