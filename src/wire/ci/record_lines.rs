//! Records as lines of an answer in text, with their line ends.

use std::mem;

use super::responses::record;
use crate::wire::{Endpoint, Record, RfcNumber, Title};

const LINE_END: &[u8] = b"\r\n";

/// Records that are written already.
#[derive(Debug, Clone, Default)]
pub struct RecordLines {
    bytes: Vec<u8>,
    count: usize,
}

impl RecordLines {
    /// These records.
    pub fn of(records: &[Record]) -> Self {
        let mut lines = Self::default();
        for record in records {
            lines.push(record.number, &record.title, &record.holder);
        }
        lines
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes they have.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of all lines.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Removes all records, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Frees memory of more than `most` bytes. The records may be gone then.
    pub fn free_above(&mut self, most: usize) {
        if self.bytes.capacity() > most {
            *self = Self::default();
        }
    }

    /// Adds a record.
    pub fn push(&mut self, number: RfcNumber, title: &Title, holder: &Endpoint) {
        write_record(&mut self.bytes, number, title, holder);
        self.bytes.extend_from_slice(LINE_END);
        self.count += 1;
    }

    /// Adds `count` records, which are these lines.
    pub fn extend(&mut self, lines: &[u8], count: usize) {
        self.bytes.extend_from_slice(lines);
        self.count += count;
    }

    /// Moves the records of `other` to the end of these.
    pub fn append(&mut self, other: &mut Self) {
        self.count += other.count;
        other.move_to(&mut self.bytes);
    }

    /// Keeps only the records with this title.
    pub fn retain_titled(&mut self, title: &Title) {
        let mut kept = Self::default();
        for line in self
            .iter()
            .filter(|line| title_of(line) == title.as_str().as_bytes())
        {
            kept.extend(line, 1);
            kept.bytes.extend_from_slice(LINE_END);
        }
        *self = kept;
    }

    /// The records, read from their lines.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.iter().filter_map(record)
    }

    /// The records, without their line ends.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.bytes.split_inclusive(|&byte| byte == b'\n');
        lines.map(|line| line.strip_suffix(LINE_END).unwrap_or(line))
    }

    /// The bytes of the first `count` records.
    pub(super) fn first(&self, count: usize) -> &[u8] {
        let lines = self.iter().take(count);
        let length = lines.map(|line| line.len() + LINE_END.len()).sum();
        self.bytes.get(..length).unwrap_or_default()
    }

    /// Moves all lines to the end of `out`. If that is empty, nothing is copied.
    pub(super) fn move_to(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            mem::swap(out, &mut self.bytes);
        } else {
            out.append(&mut self.bytes);
        }
        self.count = 0;
    }
}

/// Writes a record, without a line end. Avoids allocation: a LIST may have millions of them.
pub(super) fn write_record(
    out: &mut Vec<u8>,
    number: RfcNumber,
    title: &Title,
    Endpoint { host, port }: &Endpoint,
) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(b"RFC ");
    out.extend_from_slice(digits.format(number.get()).as_bytes());
    for word in [title.as_str(), host.as_str(), digits.format(port.get())] {
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
    }
}

/// The title in a record: what is between the number and the last two words.
fn title_of(line: &[u8]) -> &[u8] {
    let mut title = line;
    for _ in 0..2 {
        let space = title.iter().position(|&byte| byte == b' ');
        title = space.and_then(|at| title.get(at + 1..)).unwrap_or_default();
    }
    for _ in 0..2 {
        let space = title.iter().rposition(|&byte| byte == b' ');
        title = space.and_then(|at| title.get(..at)).unwrap_or_default();
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(titles: &[&str]) -> RecordLines {
        let line = |title| format!("RFC 5 {title} vm 80");
        let records = titles
            .iter()
            .filter_map(|title| Record::parse(&line(title)));
        RecordLines::of(&records.collect::<Vec<_>>())
    }

    #[test]
    fn the_records_of_one_title_are_found() {
        for title in ["", "A", "A: b", "vm 80", "5 5"] {
            let mut found = lines(&["x", title, "A b", title]);
            found.retain_titled(&title.parse().unwrap());
            assert_eq!(found.bytes(), lines(&[title, title]).bytes());
            assert_eq!(found.len(), 2);
        }
    }

    #[test]
    fn lines_are_moved_in_order() {
        let (mut first, mut second) = (lines(&["A"]), lines(&["b", "C"]));
        let all = [first.bytes(), second.bytes()].concat();
        first.append(&mut second);
        assert_eq!((first.bytes(), first.len()), (all.as_slice(), 3));
        assert_eq!((second.bytes(), second.len()), (b"".as_slice(), 0));
        assert_eq!(first.first(1), lines(&["A"]).bytes());
        assert_eq!(first.iter().count(), 3);
    }
}
