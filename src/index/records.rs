//! The records of a listing, kept as the lines they came in: a stranger decides how many there are,
//! and so they take no more memory than on the wire.

use std::fmt;
use std::io::Write;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Listed;
use crate::wire::di::TTL;
use crate::wire::di::exchange::TimedLine;
use crate::wire::{Endpoint, Record, RfcNumber};

/// Records, in order. Each is parsed when it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// A line for each record. Lines that are none are skipped.
    lines: Vec<u8>,
    form: Form,
}

/// What the lines look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    /// As the central index writes them.
    #[default]
    Plain,
    /// With a time to live, as peers write them.
    Timed,
}

impl Records {
    /// The records in a response of the central index, as it was received.
    pub(super) fn of_response(lines: Vec<u8>) -> Self {
        let form = Form::Plain;
        Self { lines, form }
    }

    /// The records of peers.
    pub(super) fn of_peers<'a>(records: impl Iterator<Item = TimedLine<'a>>) -> Self {
        let mut lines = Vec::new();
        for record in records {
            record.write(&mut lines);
        }
        let form = Form::Timed;
        Self { lines, form }
    }

    /// Adds holders of a document whose title is not known.
    #[cfg_attr(
        not(feature = "dht"),
        allow(dead_code, reason = "the other indexes know each title")
    )]
    pub(super) fn add_untitled(&mut self, number: RfcNumber, holders: &[Endpoint]) {
        for Endpoint { host, port } in holders {
            let (host, port, title) = (host.as_str(), *port, "");
            TimedLine {
                number,
                ttl: TTL,
                host,
                port,
                title,
            }
            .write(&mut self.lines);
        }
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, record: &Record) {
        let Record {
            number,
            title,
            holder: Endpoint { host, port },
        } = record;
        let line = TimedLine {
            number: *number,
            ttl: TTL,
            host: host.as_str(),
            port: *port,
            title: title.as_str(),
        };
        match self.form {
            // Writing to memory does not fail.
            Form::Plain => drop(writeln!(self.lines, "{record}")),
            Form::Timed => line.write(&mut self.lines),
        }
    }

    /// The records, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Listed> {
        self.with_lines().map(|(_, listed)| listed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// How many there are; this reads them all.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Those that are `wanted`.
    #[must_use]
    pub fn filter(&self, wanted: impl Fn(&Listed) -> bool) -> Self {
        let mut lines = Vec::new();
        for (line, _) in self.with_lines().filter(|(_, listed)| wanted(listed)) {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        let form = self.form;
        Self { lines, form }
    }

    fn with_lines(&self) -> impl Iterator<Item = (&[u8], Listed)> {
        let lines = self.lines.split(|&byte| byte == b'\n');
        lines.filter_map(|line| Some((line, self.form.read(line)?)))
    }
}

impl Form {
    fn read(self, line: &[u8]) -> Option<Listed> {
        let line = str::from_utf8(line.trim_ascii_end()).ok()?;
        match self {
            Self::Plain => Record::parse(line).map(Listed::from),
            Self::Timed => TimedLine::parse(line).map(Listed::from),
        }
    }
}

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Reading)
    }
}

/// Reads records one after the other, so that only their lines stay in memory.
struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Records;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Records, A::Error> {
        let mut records = Records::default();
        while let Some(listed) = seq.next_element::<Listed>()? {
            if listed.ttl.is_some() {
                records.form = Form::Timed;
            }
            // Writing to memory does not fail.
            let _ = writeln!(records.lines, "{listed}");
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_listed_as_they_came_and_what_is_none_is_skipped() {
        let response =
            "P2P-CI/1.0 200 OK\r\n\r\nRFC 5 A b vm 1\r\nRFC 0 x vm 1\r\nRFC 6  vm 2\r\n\r\n";
        let records = Records::of_response(response.into());
        let lines: Vec<_> = records.iter().map(|listed| listed.to_string()).collect();
        assert_eq!(lines, ["RFC 5 A b vm 1", "RFC 6  vm 2"]);
        assert_eq!((records.len(), records.is_empty()), (2, false));
        let some = records.filter(|listed| listed.record.number.get() == 6);
        assert_eq!((some.len(), some.filter(|_| false).is_empty()), (1, true));
        assert!(Records::default().is_empty());
        let json = r#"[{"number":6,"title":"","host":"vm","port":2}]"#;
        assert_eq!(serde_json::to_string(&some).unwrap(), json);
        let read: Records = serde_json::from_str(json).unwrap();
        assert!(read.iter().eq(some.iter()));
    }

    #[test]
    fn records_of_peers_have_a_time_to_live() {
        let timed = TimedLine::parse("RFC 5 9 vm 1 A b").unwrap();
        let records = Records::of_peers([TimedLine::from(&timed)].into_iter());
        let listed: Vec<_> = records.iter().collect();
        assert_eq!(listed, [Listed::from(timed)]);
        assert_eq!(records.filter(|_| true), records);
        let json = serde_json::to_string(&records).unwrap();
        let read: Records = serde_json::from_str(&json).unwrap();
        assert!(read.iter().eq(records.iter()));
    }
}
