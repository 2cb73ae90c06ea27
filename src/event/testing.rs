//! A connection and a reader for tests.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Event, Link, Reader, Role, Topic, Topics};

/// A connection from `10.0.0.1:5`.
pub(crate) fn link(role: Role) -> Link {
    let remote = ([10, 0, 0, 1], 5).into();
    Link {
        id: 1,
        role,
        remote,
    }
}

/// Records every event as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// The events so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

impl Reader for Notes {
    fn wants(&self) -> Topics {
        Topics::of(&[Topic::Life, Topic::Messages, Topic::Progress])
    }

    fn read(&self, event: &Event<'_>) {
        self.0.lock().push(format!("{event:?}"));
    }
}
