//! All records, as lines of an answer, in the order of adding.
//!
//! The records of a chunk are one piece of memory, newest first, so a long answer is little more
//! than a copy of the chunks.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::wire::ci::RecordLines;

/// How many records share a chunk. Even the longest lines of so many have less than 64 KiB.
const CHUNK: usize = 32;

/// The position of a record in the order of adding. Positions are never used again.
///
/// It has 48 bits, the highest first, which last for eight years of a million additions a second. In
/// a map from numbers of RFCs, a `u64` would take 16 bytes for a record instead of 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sequence([u16; 3]);

impl Sequence {
    /// Beyond all records.
    pub(super) const MAX: Self = Self([u16::MAX; 3]);

    fn next(self) -> Self {
        Self::from(u64::from(self) + 1)
    }

    /// The first one in its chunk, and its place there.
    fn place(self) -> (Self, usize) {
        let [high, middle, low] = self.0;
        let slot = usize::from(low) % CHUNK;
        let first = low - u16::try_from(slot).unwrap_or_default();
        (Self([high, middle, first]), slot)
    }

    /// The one in this place of the chunk that begins here.
    fn at(self, slot: usize) -> Self {
        let [high, middle, first] = self.0;
        Self([
            high,
            middle,
            first + u16::try_from(slot).unwrap_or_default(),
        ])
    }
}

/// The order of the numbers: to compare the parts one by one would take longer.
impl Ord for Sequence {
    fn cmp(&self, other: &Self) -> Ordering {
        u64::from(*self).cmp(&u64::from(*other))
    }
}

impl PartialOrd for Sequence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u64> for Sequence {
    /// What is beyond all positions becomes the last one.
    fn from(number: u64) -> Self {
        let part = |shift: u32| u16::try_from(number >> shift & 0xFFFF).unwrap_or_default();
        if number >> 48 > 0 {
            return Self::MAX;
        }
        Self([part(32), part(16), part(0)])
    }
}

impl From<Sequence> for u64 {
    fn from(Sequence([high, middle, low]): Sequence) -> Self {
        Self::from(high) << 32 | Self::from(middle) << 16 | Self::from(low)
    }
}

/// The records of a catalog.
#[derive(Debug, Default)]
pub(super) struct Records {
    next: Sequence,
    count: usize,
    /// By the first sequence number in each. A chunk without records is removed.
    chunks: BTreeMap<Sequence, Chunk>,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds a record, as a line with its line end.
    pub(super) fn push(&mut self, line: &[u8]) -> Sequence {
        let sequence = self.next;
        self.next = sequence.next();
        self.count += 1;
        let (first, slot) = sequence.place();
        // The last chunk is found without a search.
        let chunk = match self.chunks.last_entry() {
            Some(last) if *last.key() == first => last.into_mut(),
            _ => self.chunks.entry(first).or_default(),
        };
        let left = CHUNK - slot - 1;
        // The lines that follow are probably as long.
        chunk.put(slot, line, left * line.len());
        if left == 0 {
            chunk.resize(chunk.len());
        }
        sequence
    }

    pub(super) fn get(&self, sequence: Sequence) -> Option<&[u8]> {
        let (first, slot) = sequence.place();
        let chunk = self.chunks.get(&first)?;
        let line = chunk.text.get(chunk.line(slot))?;
        (!line.is_empty()).then_some(line)
    }

    /// Replaces the line of a record.
    pub(super) fn replace(&mut self, sequence: Sequence, line: &[u8]) {
        let (first, slot) = sequence.place();
        if let Some(chunk) = self.chunks.get_mut(&first) {
            chunk.put(slot, line, 0);
        }
    }

    /// Removes a record that exists.
    pub(super) fn remove(&mut self, sequence: Sequence) {
        let (first, slot) = sequence.place();
        let Some(chunk) = self.chunks.get_mut(&first) else {
            return;
        };
        self.count -= 1;
        chunk.put(slot, b"", 0);
        if chunk.len() == 0 {
            self.chunks.remove(&first);
        } else if chunk.len() <= chunk.text.len() / 2 {
            chunk.resize(chunk.len());
        }
    }

    /// Fills `page` with the chunks before the one of `before`, newest first, up to the one that
    /// exceeds `most` bytes. Returns the first record of the last chunk if there may be more.
    pub(super) fn page_before(
        &self,
        before: Sequence,
        most: usize,
        page: &mut RecordLines,
    ) -> Option<Sequence> {
        for (&first, chunk) in self.chunks.range(..before.place().0).rev() {
            page.extend(chunk.lines(), chunk.count());
            if page.size() > most {
                return Some(first);
            }
        }
        None
    }

    /// The records before this position, newest first.
    pub(super) fn before(&self, before: Sequence) -> impl Iterator<Item = (Sequence, &[u8])> {
        let chunks = self.chunks.range(..=before.place().0).rev();
        let lines = chunks.flat_map(|(&first, chunk)| {
            (0..CHUNK)
                .rev()
                .filter_map(move |slot| Some((first.at(slot), chunk.text.get(chunk.line(slot))?)))
        });
        lines.filter(move |&(sequence, line)| sequence < before && !line.is_empty())
    }
}

/// The records of consecutive sequence numbers.
#[derive(Debug, Default)]
struct Chunk {
    /// Free room, and then the lines, newest first.
    text: Box<[u8]>,
    /// Where the line of each record begins, as a distance from the end of the text. The line of a
    /// record that is removed, or still to come, is empty.
    starts: [u16; CHUNK],
}

impl Chunk {
    /// The bytes of all lines together.
    fn len(&self) -> usize {
        self.starts.last().copied().map_or(0, usize::from)
    }

    fn lines(&self) -> &[u8] {
        self.text
            .get(self.text.len() - self.len()..)
            .unwrap_or_default()
    }

    /// How many records there are.
    fn count(&self) -> usize {
        let before = [0].iter().chain(&self.starts);
        let pairs = before.zip(&self.starts);
        pairs.filter(|(before, start)| before != start).count()
    }

    /// Where a line is in the text.
    fn line(&self, slot: usize) -> Range<usize> {
        let start = |slot| self.starts.get(slot).copied().map_or(0, usize::from);
        let older = slot.checked_sub(1).map_or(0, start);
        self.text.len() - start(slot)..self.text.len() - older
    }

    /// Replaces a line. Leaves `room` for more if the text has to grow.
    fn put(&mut self, slot: usize, line: &[u8], room: usize) {
        let old = self.line(slot).len();
        let length = self.len() - old + line.len();
        if length > self.text.len() {
            self.resize(length + room);
        }
        let place = self.line(slot);
        let newer = self.text.len() - self.len()..place.start;
        self.text.copy_within(newer, self.text.len() - length);
        let place = place.end - line.len()..place.end;
        if let Some(place) = self.text.get_mut(place) {
            place.copy_from_slice(line);
        }
        let length = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
        let (old, new) = (length(old), length(line.len()));
        for start in self.starts.iter_mut().skip(slot) {
            *start = *start - old + new;
        }
    }

    /// Gives the text this size.
    fn resize(&mut self, size: usize) {
        if size == self.text.len() {
            return;
        }
        let mut text = vec![0; size];
        let lines = self.lines();
        if let Some(place) = text.get_mut(size - lines.len()..) {
            place.copy_from_slice(lines);
        }
        self.text = text.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_are_found_before_a_position() {
        let mut records = Records::default();
        let added: Vec<_> = (0..100_u8).map(|byte| records.push(&[byte; 3])).collect();
        records.remove(added[40]);
        let from = |before| {
            let lines = records.before(before).map(|(sequence, line)| {
                assert_eq!(records.get(sequence), Some(line));
                line[0]
            });
            lines.collect::<Vec<_>>()
        };
        let all = (0..100).rev().filter(|&byte| byte != 40);
        assert_eq!(from(Sequence::MAX), all.clone().collect::<Vec<_>>());
        let some = all.filter(|&byte| byte < 64).collect::<Vec<_>>();
        assert_eq!(from(added[64]), some);
        let number = u64::from(added[64]);
        assert_eq!((number, Sequence::from(number)), (64, added[64]));
        assert!(from(Sequence::default()).is_empty());
    }

    #[test]
    fn the_longest_lines_fit_into_a_chunk() {
        use crate::wire::{Host, Title};
        let longest =
            "RFC 4294967295  ".len() + Title::MAX_BYTES + Host::MAX_BYTES + " 65535\r\n".len();
        assert!(u16::try_from(CHUNK * longest).is_ok());
    }

    #[test]
    fn sequence_numbers_keep_their_order_over_all_48_bits() {
        for number in [0xFFFF, 0xFFFF_FFFF, 0x1234_5678_9ABC] {
            let sequence = Sequence::from(number);
            assert_eq!(u64::from(sequence), number);
            assert_eq!(u64::from(sequence.next()), number + 1);
            assert!(sequence < sequence.next());
        }
        assert_eq!(Sequence::from(u64::MAX), Sequence::MAX);
    }

    /// What may happen to the records.
    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Replace(prop::sample::Index, usize),
        Remove(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (length, index) = (1..60_usize, any::<prop::sample::Index>);
        prop_oneof![
            4 => length.clone().prop_map(Step::Push),
            1 => (index(), length).prop_map(|(which, length)| Step::Replace(which, length)),
            3 => index().prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn the_records_agree_with_a_naive_map(steps in prop::collection::vec(step(), 0..300)) {
            let (mut records, mut naive) = (Records::default(), BTreeMap::new());
            for (number, step) in steps.into_iter().enumerate() {
                let line = |length| format!("{number} {}\r\n", "x".repeat(length)).into_bytes();
                let held: Vec<Sequence> = naive.keys().copied().collect();
                match step {
                    Step::Push(length) => {
                        naive.insert(records.push(&line(length)), line(length));
                    }
                    Step::Replace(which, length) if !held.is_empty() => {
                        let sequence = *which.get(&held);
                        records.replace(sequence, &line(length));
                        naive.insert(sequence, line(length));
                    }
                    Step::Remove(which) if !held.is_empty() => {
                        let sequence = *which.get(&held);
                        records.remove(sequence);
                        naive.remove(&sequence);
                        prop_assert_eq!(records.get(sequence), None);
                    }
                    Step::Replace(..) | Step::Remove(_) => {}
                }
                prop_assert_eq!(records.len(), naive.len());
                for (sequence, line) in &naive {
                    prop_assert_eq!(records.get(*sequence), Some(line.as_slice()));
                }
                let (mut all, mut before) = (RecordLines::default(), Some(Sequence::MAX));
                let mut page = RecordLines::default();
                while let Some(cursor) = before {
                    page.clear();
                    before = records.page_before(cursor, 500, &mut page);
                    all.append(&mut page);
                }
                prop_assert_eq!(all.len(), naive.len());
                let lines: Vec<u8> = naive.values().rev().flatten().copied().collect();
                prop_assert_eq!(all.bytes(), lines);
            }
        }
    }
}
