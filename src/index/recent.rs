//! The documents of a peer that came or were asked for last: those worth announcing one by one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::event::{Event, Reader, Step, Topic, Topics};
use crate::wire::RfcNumber;

/// How many documents are remembered.
pub(super) const MOST: usize = 200;

/// The documents that came or were asked for last, at most 200. It reads from the events which
/// ones were asked for. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    documents: VecDeque<Document>,
    /// How often they have changed.
    changes: u64,
}

/// A document of this peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) number: RfcNumber,
    /// Whether it came. If not, strangers asked for it.
    pub(super) came: bool,
}

impl Recent {
    /// These documents came, the latest last.
    pub(super) fn came(&self, numbers: impl Iterator<Item = RfcNumber>) {
        self.change(|documents| {
            for number in numbers {
                put_first(documents, number, true);
            }
        });
    }

    /// These documents are gone.
    pub(super) fn gone(&self, numbers: &[RfcNumber]) {
        let is_there = |document: &Document| !numbers.contains(&document.number);
        self.change(|documents| documents.retain(is_there));
    }

    /// The documents, the latest first, and how often they have changed.
    pub(super) fn documents(&self) -> (Vec<Document>, u64) {
        let state = self.0.state.lock();
        (state.documents.iter().copied().collect(), state.changes)
    }

    /// Waits for another change, at most for `time`.
    pub(super) fn wait_for_change(&self, changes: u64, time: Duration) {
        let is_same = |state: &mut State| state.changes == changes;
        let mut state = self.0.state.lock();
        self.0.changed.wait_while_for(&mut state, is_same, time);
    }

    fn change(&self, change: impl FnOnce(&mut VecDeque<Document>)) {
        let mut state = self.0.state.lock();
        change(&mut state.documents);
        state.changes += 1;
        self.0.changed.notify_all();
    }
}

fn put_first(documents: &mut VecDeque<Document>, number: RfcNumber, came: bool) {
    let place = documents.iter().position(|it| it.number == number);
    let before = place.and_then(|place| documents.remove(place));
    let came = came || before.is_some_and(|before| before.came);
    documents.push_front(Document { number, came });
    documents.truncate(MOST);
}

impl Reader for Recent {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life])
    }

    fn read(&self, event: &Event<'_>) {
        if let Event::Upload {
            number,
            step: Step::Began { .. },
            ..
        } = event
        {
            self.change(|documents| put_first(documents, *number, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use crate::event::{Events, Role};

    fn number(number: u32) -> RfcNumber {
        RfcNumber::new(number).unwrap()
    }

    fn numbers(recent: &Recent) -> Vec<(u32, bool)> {
        let (documents, _) = recent.documents();
        let fields = |it: &Document| (it.number.get(), it.came);
        documents.iter().map(fields).collect()
    }

    #[test]
    fn what_came_or_was_asked_for_is_first_and_each_is_there_once() {
        let recent = Recent::default();
        let events = Events::default().and(recent.clone());
        recent.came([1, 2, 3].map(number).into_iter());
        for asked in [1, 9] {
            events.tell(Topic::Life, || Event::Upload {
                link: link(Role::Upload),
                number: number(asked),
                step: Step::Began { length: None },
            });
        }
        let expected = [(9, false), (1, true), (3, true), (2, true)];
        assert_eq!(numbers(&recent), expected);
        recent.gone(&[number(1), number(7)]);
        recent.came([number(9)].into_iter());
        assert_eq!(numbers(&recent), [(9, true), (3, true), (2, true)]);
        recent.came((1000..9000).map(number));
        let last = numbers(&recent);
        assert_eq!(
            (last.len(), last[0], last[199].0),
            (MOST, (8999, true), 8800)
        );
    }
}
