//! Which events a reader can ask for.

use super::{DhtStep, Event, IndexStep, Step};

/// The topics that readers can ask for, by how often their events occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Once per connection, peer or document, and errors.
    Life,
    /// Once per message.
    Messages,
    /// Once per piece of a document.
    Progress,
}

impl Topic {
    const fn bit(self) -> u8 {
        match self {
            Self::Life => 1,
            Self::Messages => 2,
            Self::Progress => 4,
        }
    }
}

/// A set of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Topics(u8);

impl Topics {
    /// The set of these topics.
    pub fn of(topics: &[Topic]) -> Self {
        Self(topics.iter().fold(0, |set, topic| set | topic.bit()))
    }

    /// These topics and those.
    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this topic is one of them.
    pub(super) fn has(self, topic: Topic) -> bool {
        self.0 & topic.bit() != 0
    }
}

impl Event<'_> {
    /// The topic of this event.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Message { .. }
            | Self::Added { .. }
            | Self::Removed { .. }
            | Self::Dht(DhtStep::Announced { .. } | DhtStep::LookedUp { .. })
            | Self::Index {
                step:
                    IndexStep::Publishing { .. }
                    | IndexStep::PublishingAll { .. }
                    | IndexStep::PublishedAll { .. },
                ..
            } => Topic::Messages,
            Self::Upload {
                step: Step::Moved(_),
                ..
            }
            | Self::Download {
                step: Step::Moved(_),
                ..
            } => Topic::Progress,
            _ => Topic::Life,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::link;
    use crate::event::{Role, Way};
    use crate::wire::RfcNumber;

    #[test]
    fn a_set_has_its_topics_and_no_others() {
        let all = [Topic::Life, Topic::Messages, Topic::Progress];
        let of = |topics: Topics| all.map(|topic| topics.has(topic));
        let some = Topics::of(&[Topic::Progress, Topic::Life]);
        assert_eq!(of(some), [true, false, true]);
        assert_eq!(of(Topics::of(&[])), [false; 3]);
        assert_eq!(of(some.and(Topics::of(&[Topic::Messages]))), [true; 3]);
    }

    #[test]
    fn pieces_of_documents_are_apart_from_messages_and_both_from_the_rest() {
        let link = link(Role::Upload);
        let upload = |step| Event::Upload {
            link,
            number: RfcNumber::new(7).unwrap(),
            step,
        };
        let message = Event::Message {
            link,
            way: Way::Sent,
            bytes: b"",
            more: 0,
            is_bad: false,
        };
        for (event, topic) in [
            (Event::Opened(link), Topic::Life),
            (upload(Step::Began { length: None }), Topic::Life),
            (upload(Step::Moved(9)), Topic::Progress),
            (message, Topic::Messages),
            (Event::Dht(DhtStep::Alone), Topic::Life),
        ] {
            assert_eq!(event.topic(), topic, "{event:?}");
        }
    }
}
