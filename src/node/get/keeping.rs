//! Where a fetched RFC is stored.

use std::path::Path;

use super::{Downloaded, Failed, Kept, Outcome, Place, Replace};
use crate::file_error::FileError;
use crate::library::Incoming;
use crate::node::Node;
use crate::transfer::Fetched;
use crate::wire::{Record, RfcNumber};

/// The place for one document.
pub(super) struct Keeping<'a> {
    node: &'a Node,
    number: RfcNumber,
    place: &'a Place,
    may_replace: bool,
}

impl<'a> Keeping<'a> {
    /// The error is the outcome, if the document already exists and stays.
    pub(super) fn new(
        node: &'a Node,
        number: RfcNumber,
        place: &'a Place,
    ) -> Result<Self, Outcome> {
        let mut keeping = Self {
            node,
            number,
            place,
            may_replace: false,
        };
        if *place == Place::Folder(Replace::Never) {
            keeping.decide(&|_| false)?;
        }
        Ok(keeping)
    }

    /// Decides whether an existing file of the folder may be replaced, if that is still open. The
    /// error is the outcome, if it stays.
    pub(super) fn decide(&mut self, ask: &dyn Fn(&Path) -> bool) -> Result<(), Outcome> {
        let number = self.number;
        if let Place::Folder(replace) = self.place
            && !self.may_replace
            && let Some(path) = self.node.library.path_of(number)
        {
            self.may_replace = match replace {
                Replace::Never => false,
                Replace::Ask => ask(&path),
                Replace::Always => true,
            };
            if !self.may_replace {
                return Err(Outcome::Kept(Kept { number, path }));
            }
        }
        Ok(())
    }

    /// Begins to receive the document.
    pub(super) fn begin(&self) -> Result<Incoming, FileError> {
        match self.place {
            Place::File(path) => Incoming::at(path),
            Place::Folder(_) => self.node.library.receive(self.number, self.may_replace),
        }
    }

    /// Registers the received document, if it is in the folder. The error is the outcome, if the
    /// index failed.
    pub(super) fn keep(&self, record: Record, fetched: Fetched) -> Result<Outcome, Outcome> {
        let Fetched { path, bytes } = fetched;
        if let Place::Folder(_) = self.place {
            let title = Some(record.title.clone()).filter(|title| !title.is_empty());
            let (_, taken) = self.node.register(self.number, title);
            taken.map_err(|error| {
                Outcome::Failed(Failed {
                    is_here: true,
                    ..Failed::new(self.number, error.into())
                })
            })?;
        }
        let record = record.into();
        Ok(Outcome::Downloaded(Downloaded {
            record,
            path,
            bytes,
        }))
    }
}
