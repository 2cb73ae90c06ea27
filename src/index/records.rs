//! The records of a listing, kept as the lines they came in: a stranger decides how many there are,
//! and so they take no more memory than on the wire.

use serde::ser::{Serialize, Serializer};

use super::Listed;
use crate::wire::Record;
use crate::wire::di::exchange::TimedLine;

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
