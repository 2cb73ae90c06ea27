//! The other peers that have an RFC.

use super::{Failed, Failure};
use crate::event::{Event, Topic};
use crate::index::{IndexError, Listings, Query};
use crate::node::{Code, Node};
use crate::wire::{Endpoint, Fault, Record, RfcNumber, Title};

/// The holders of an RFC, in batches and each only once. Later batches cost more to find.
pub(super) struct Holders<'a> {
    node: &'a Node,
    number: RfcNumber,
    found: Listings<'a>,
    /// The holders returned so far.
    before: Vec<Endpoint>,
    /// Whether anybody has it, including this peer.
    is_known: bool,
    /// Whether messages have shown everything that was found.
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

    /// The next batch, which is never empty; `None` at the end. A failure of the index is an error
    /// only if there was no batch yet; otherwise it is reported as an event.
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

    /// The failure to get the document, given the worst fault of its holders.
    pub(super) fn failed(&self, worst: Fault) -> Failed {
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
        Failed {
            in_messages: self.in_messages,
            ..Failed::new(number, failure)
        }
    }
}
