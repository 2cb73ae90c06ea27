//! How events reach their readers.
//!
//! A reader runs in the thread that reports, before the bytes of a message are sent, so a printout
//! keeps the order of the wire. It must not block: it copies what it needs into a bounded queue. An
//! event that no reader wants is not even built; reporting it costs one comparison.

use std::fmt;
use std::sync::Arc;

use super::{Event, Level, Link, Topic, Topics, Way};
use crate::wire::{Endpoint, Received};

/// Receives events.
pub trait Reader: Send + Sync {
    /// The topics that it wants. It is asked once.
    fn wants(&self) -> Topics;

    /// Receives an event of a topic that it wants. It must not block.
    fn read(&self, event: &Event<'_>);
}

/// The readers of a program's events; none by default. Clones share the same readers.
#[derive(Clone, Default)]
pub struct Events {
    wanted: Topics,
    readers: Arc<[Wanting]>,
}

/// A reader, and what it wants.
type Wanting = (Topics, Arc<dyn Reader>);

fn one(reader: impl Reader + 'static) -> Wanting {
    (reader.wants(), Arc::new(reader))
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl Events {
    /// These readers and one more.
    #[must_use]
    pub fn and(&self, reader: impl Reader + 'static) -> Self {
        Self::of(self.readers.iter().cloned().chain([one(reader)]))
    }

    /// This reader first, then the others: what they show, it knows already.
    #[must_use]
    pub fn after(&self, reader: impl Reader + 'static) -> Self {
        let readers = self.readers.iter().cloned();
        Self::of([one(reader)].into_iter().chain(readers))
    }

    fn of(readers: impl Iterator<Item = Wanting>) -> Self {
        let readers: Arc<[Wanting]> = readers.collect();
        let wanted = readers.iter().map(|(wants, _)| *wants);
        Self {
            wanted: wanted.fold(Topics::default(), Topics::and),
            readers,
        }
    }

    /// Whether any reader wants the events of a topic.
    pub fn wants(&self, topic: Topic) -> bool {
        self.wanted.has(topic)
    }

    /// Reports an event, if any reader wants it.
    pub fn tell<'a>(&self, topic: Topic, event: impl FnOnce() -> Event<'a>) {
        if !self.wants(topic) {
            return;
        }
        let event = event();
        debug_assert_eq!(event.topic(), topic);
        for (topics, reader) in self.readers.iter() {
            if topics.has(topic) {
                reader.read(&event);
            }
        }
    }

    /// Reports a whole message that is about to be sent.
    pub fn sent(&self, link: Link, bytes: &[u8]) {
        self.message(link, Way::Sent, bytes, 0);
    }

    /// Reports a whole message that was received.
    pub fn received(&self, link: Link, bytes: &[u8]) {
        self.message(link, Way::Received, bytes, 0);
    }

    /// Reports what arrived of an answer that is incomplete or not understood, if anything did.
    pub fn not_understood(&self, link: Link, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.received(link, bytes);
        }
    }

    /// Reports a whole request that was received.
    pub fn asked<T>(&self, link: Link, received: &Received<T>) {
        self.tell(Topic::Messages, || Event::Message {
            link,
            way: Way::Received,
            bytes: &received.bytes,
            more: 0,
            is_bad: received.request.is_err(),
        });
    }

    /// Reports a message that has `more` records than `bytes` shows.
    pub fn message(&self, link: Link, way: Way, bytes: &[u8], more: usize) {
        self.tell(Topic::Messages, || Event::Message {
            link,
            way,
            bytes,
            more,
            is_bad: false,
        });
    }

    /// Reports that this program connected to `name`.
    pub fn dialed(&self, link: Link, name: &Endpoint) {
        self.tell(Topic::Life, || Event::Dialed { link, name });
    }

    /// Reports that a request is about to be refused, and why.
    pub fn refusing(&self, link: Link, code: impl Into<u16>, reason: impl fmt::Display) {
        self.tell(Topic::Life, || Event::Refusing {
            link,
            code: code.into(),
            reason: reason.to_string().into(),
        });
    }

    /// Reports something to the user that is not part of a session.
    pub fn notice(&self, level: Level, text: impl fmt::Display) {
        self.tell(Topic::Life, || Event::Notice {
            level,
            text: text.to_string().into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Role;
    use crate::event::testing::{Notes, link};
    use crate::wire::Reject;
    use parking_lot::Mutex;

    /// Wants only [`Topic::Life`].
    struct Quiet(Notes);

    impl Reader for Quiet {
        fn wants(&self) -> Topics {
            Topics::of(&[Topic::Life])
        }

        fn read(&self, event: &Event<'_>) {
            self.0.read(event);
        }
    }

    #[test]
    fn each_reader_gets_what_it_wants() {
        let (all, some) = (Notes::default(), Notes::default());
        let events = Events::default().and(all.clone()).and(Quiet(some.clone()));
        events.sent(link(Role::Session), b"LIST");
        events.tell(Topic::Life, || Event::Stopping);
        assert_eq!(
            (all.all().len(), some.all()),
            (2, vec!["Stopping".to_owned()])
        );
    }

    #[test]
    fn an_event_that_no_reader_wants_is_not_built() {
        let events = Events::default().and(Quiet(Notes::default()));
        events.tell(Topic::Messages, || unreachable!("it was built"));
        Events::default().tell(Topic::Life, || unreachable!("it was built"));
    }

    /// Writes its name to a list that it shares with others.
    struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

    impl Reader for Named {
        fn wants(&self) -> Topics {
            Topics::of(&[Topic::Life])
        }

        fn read(&self, _: &Event<'_>) {
            self.1.lock().push(self.0);
        }
    }

    #[test]
    fn a_reader_is_the_last_unless_the_others_come_after_it() {
        let read = Arc::default();
        let named = |name| Named(name, Arc::clone(&read));
        let events = Events::default().and(named("second"));
        let events = events.and(named("third")).after(named("first"));
        events.tell(Topic::Life, || Event::Stopping);
        assert_eq!(*read.lock(), ["first", "second", "third"]);
    }

    #[test]
    fn a_message_is_reported_with_its_direction_and_whether_it_is_bad() {
        let notes = Notes::default();
        let events = Events::default().and(notes.clone());
        let link = link(Role::Session);
        let asked = |request| Received {
            bytes: b"?".to_vec(),
            request,
            is_late: false,
        };
        events.sent(link, b"!");
        events.received(link, b"?");
        events.asked(link, &asked(Ok(())));
        events.asked(link, &asked(Err(Reject::bad_request("it is empty"))));
        events.message(link, Way::Sent, b"!", 4);
        // Nothing arrived, so there is no message.
        events.not_understood(link, b"");
        let expected = [
            "way: Sent, bytes: [33], more: 0, is_bad: false }",
            "way: Received, bytes: [63], more: 0, is_bad: false }",
            "way: Received, bytes: [63], more: 0, is_bad: false }",
            "way: Received, bytes: [63], more: 0, is_bad: true }",
            "way: Sent, bytes: [33], more: 4, is_bad: false }",
        ];
        let all = notes.all();
        assert_eq!(all.len(), expected.len(), "{all:?}");
        for (note, expected) in all.iter().zip(expected) {
            assert!(note.ends_with(expected), "{note}");
        }
    }
}
