//! A query to an index, and what it finds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Records;
use crate::wire::{RfcNumber, Title};

/// A query to an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// Who has this document?
    Number {
        /// Its number.
        number: RfcNumber,
        /// Its title, for protocols that have a field for it; empty if it does not matter.
        title: Title,
    },
    /// Who has what?
    All {
        /// Whether to ask every active peer, or use only what is already known. An index without a
        /// server always asks.
        fresh: bool,
    },
}

/// What was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The records, including this peer's own.
    pub records: Records,
    /// How many were asked: the server, or other peers.
    #[serde(skip)]
    pub asked: usize,
    /// How many of them answered.
    #[serde(skip)]
    pub answered: usize,
    /// Whether exactly these records came in one message on the wire.
    #[serde(skip)]
    pub in_messages: bool,
    /// How many peers the records come from, if nobody knows all peers.
    #[serde(rename = "peers", default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// How many peers a listing comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// How many addresses were found.
    pub found: usize,
    /// How many of them were asked in time.
    pub asked: usize,
    /// How many of these answered.
    pub answered: usize,
    /// Whether there are probably more peers than were found.
    pub is_sample: bool,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            found,
            asked,
            answered,
            is_sample,
        } = self;
        write!(
            f,
            "{found} peer(s) found, {asked} asked, {answered} answered"
        )?;
        if *is_sample {
            f.write_str("; there are more, so this is a sample")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_the_peers_is_called_one() {
        let all = Coverage {
            found: 3,
            asked: 2,
            answered: 1,
            is_sample: false,
        };
        let text = "3 peer(s) found, 2 asked, 1 answered";
        assert_eq!(all.to_string(), text);
        let sample = Coverage {
            is_sample: true,
            ..all
        };
        let more = "; there are more, so this is a sample";
        assert_eq!(sample.to_string(), format!("{text}{more}"));
    }
}
