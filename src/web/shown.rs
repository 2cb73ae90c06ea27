//! What a page shows of a program, whatever the program is.

use std::net::IpAddr;

use serde::Serialize;

use crate::node::{Handle, Records};
use crate::wire;

/// The program itself.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// `server` or `peer`.
    pub program: &'static str,
    /// The kind of its index.
    pub kind: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its host and port.
    pub name: String,
    /// Those of the index server or registration server that it uses.
    pub index: Option<String>,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Its host and port.
    pub name: String,
    /// When it came, in milliseconds since 1970; 0 if that is not known.
    pub since: u64,
    /// How many records it has.
    pub records: usize,
    /// The address from which it is connected.
    pub remote: Option<IpAddr>,
}

impl Peer {
    /// What a table shows.
    pub(super) fn cells(&self) -> Vec<String> {
        let remote = self.remote.map(|remote| remote.to_string());
        vec![
            self.name.clone(),
            self.records.to_string(),
            remote.unwrap_or_default(),
        ]
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    number: u32,
    title: String,
    host: String,
    port: u16,
}

impl From<&wire::Record> for Record {
    fn from(record: &wire::Record) -> Self {
        Self {
            number: record.number.get(),
            title: record.title.as_str().to_owned(),
            host: record.holder.host.as_str().to_owned(),
            port: record.holder.port.get(),
        }
    }
}

impl Record {
    /// The bytes whose number others decide.
    fn size(&self) -> usize {
        self.title.len() + self.host.len()
    }

    /// What a table shows.
    pub(super) fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            self.title.clone(),
            self.host.clone(),
            self.port.to_string(),
        ]
    }
}

/// A list of records ends after this many bytes of hosts and titles.
const MOST_BYTES: usize = 512 * 1024;

/// Whether these records fill a list, however few they are.
pub(super) fn are_long(records: &[Record]) -> bool {
    let sizes = records.iter().map(Record::size);
    sizes.sum::<usize>() > MOST_BYTES
}

/// The first of these records: at most `most`, and fewer if they are long.
pub(super) fn first(records: impl Iterator<Item = Record>, most: usize) -> Vec<Record> {
    let mut bytes = 0;
    let fits = |record: &Record| {
        let has_room = bytes <= MOST_BYTES;
        bytes += record.size();
        has_room
    };
    records.take(most).take_while(fits).collect()
}

/// Some of the records.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Page {
    /// In the order of the program.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// What a page shows of a program. Its functions hold no lock for long.
pub trait Shown: Send + Sync {
    /// The program itself.
    fn about(&self) -> About;

    /// The peers, at most so many.
    fn peers(&self, most: usize) -> Vec<Peer>;

    /// One peer.
    fn peer(&self, name: &str) -> Option<Peer>;

    /// How many peers and records there are.
    fn counts(&self) -> (usize, usize);

    /// At most `limit` records, from `after` on, and fewer if they are long. It is `None` if there is
    /// no such place.
    fn records(&self, after: Option<&str>, limit: usize) -> Option<Page>;

    /// Whether events report its peers. If not, they are compared from time to time.
    fn tells_peers(&self) -> bool {
        true
    }

    /// A number that changes when the records change without an event.
    fn revision(&self) -> u64 {
        0
    }

    /// Takes in a listing of all records that the page has asked for.
    fn listed(&self, _records: Records) {}

    /// Takes in a record of its own that the index has accepted. Returns whether it is new.
    fn published(&self, _record: &wire::Record) -> bool {
        false
    }

    /// The peer that can be used from the page.
    fn node(&self) -> Option<&Handle> {
        None
    }
}
