//! Who has an RFC, besides ourselves.

use super::{Failed, Failure};
use crate::event::{Event, Topic};
use crate::index::{IndexError, Listings, Query};
use crate::node::{Code, Node};
use crate::wire::{Endpoint, Fault, Record, RfcNumber, Title};

/// The holders of an RFC, a few at a time and each once: what comes later costs more to find out.
pub(super) struct Holders<'a> {
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
    pub(super) fn new(node: &'a Node, number: RfcNumber, title: Title) -> Self {
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
    ///
    /// # Errors
    /// Those of the index where there is nobody so far; else an event tells of them.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Record>>, IndexError> {
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
    pub(super) fn failed(&self, worst: Fault) -> Failed {
        let number = self.number;
        let failure = match self.before.len() {
            0 if self.is_known => Failure::new(
                Code::NoHolder,
                format_args!("only this peer says that it has RFC {number}"),
            ),
            0 => Failure::not_found(number),
            tried => Failure::new(
                Code::of_holders(worst),
                format_args!("none of {tried} holder(s) of RFC {number} could deliver it"),
            ),
        };
        Failed {
            in_messages: self.in_messages,
            ..Failed::new(number, failure)
        }
    }
}
