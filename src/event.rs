//! What happens, as data.
//!
//! Sessions, uploads, downloads and indexes report [`Event`]s to [`Events`], and readers decide
//! what to make of them: the printout prints lines, a progress bar moves, a test checks them.
//! Nothing here knows how an event is shown.
//!
//! A reader runs in the thread that reports, before the bytes of a message are sent, so a printout
//! keeps the order of the wire. It must not block: it copies what it needs into a bounded queue. An
//! event that no reader wants is not even built; reporting it costs one comparison.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::wire::dht::Key;
use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Host, Received, Record, RfcNumber, Title};

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

/// A set of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Topics(u8);

impl Topics {
    /// The set of these topics.
    pub fn of(topics: &[Topic]) -> Self {
        Self(topics.iter().fold(0, |set, topic| set | topic.bit()))
    }

    fn has(self, topic: Topic) -> bool {
        self.0 & topic.bit() != 0
    }
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

    /// The same readers, and before them one more: what they show makes nobody ask for what it does
    /// not know yet.
    #[must_use]
    pub fn after(&self, reader: impl Reader + 'static) -> Self {
        let readers = self.readers.iter().cloned();
        Self::of([one(reader)].into_iter().chain(readers))
    }

    fn of(readers: impl Iterator<Item = Wanting>) -> Self {
        let readers: Arc<[Wanting]> = readers.collect();
        let wanted = readers.iter().fold(0, |all, (wants, _)| all | wants.0);
        Self {
            wanted: Topics(wanted),
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

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// An index server with a peer.
    Session,
    /// A registration server with a peer.
    Registration,
    /// An introducer with a peer.
    Introducer,
    /// A peer with another one that downloads from it.
    Upload,
    /// A peer with another one that it downloads from.
    Download,
    /// A peer with its index: a server, or another peer that it asks.
    Index,
    /// A peer in the background with a program on the same machine.
    Control,
    /// A program with a browser.
    Web,
}

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number among the connections of its kind in this program.
    pub id: u64,
    /// Its purpose.
    pub role: Role,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Sent by us.
    Sent,
    /// Received by us.
    Received,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Info,
    /// Something is wrong.
    Warning,
}

/// The most records of a message that an event carries, because an index that is sent is never
/// whole in memory. The rest are counted.
pub const MOST_RECORDS: usize = 200;

/// Something that happens.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name says"
)]
pub enum Event<'a> {
    /// A server listens on a port.
    Listening { role: Role, port: u16 },
    /// The program is about to end.
    Stopping,
    /// A server has stopped.
    Stopped {
        /// Whether sessions were cut off.
        cut_off: bool,
    },
    /// Somebody connected to a server.
    Opened(Link),
    /// This program connected to another one, in order to ask it.
    Dialed {
        link: Link,
        /// The name under which it was looked up.
        name: &'a Endpoint,
    },
    /// Such a connection ended.
    Closed {
        link: Link,
        /// Whether [`Event::Left`] was reported for its peer.
        had_name: bool,
    },
    /// A connection was turned away.
    TurnedAway {
        role: Role,
        /// The remote address, if the system knows it.
        from: Option<IpAddr>,
        why: Cow<'a, str>,
        /// How many others were turned away since the last such event.
        before: u64,
    },
    /// A message, exactly as on the wire. A message we send is reported before it is sent.
    Message {
        link: Link,
        way: Way,
        /// The whole message; but at most [`MOST_RECORDS`] records or peers of an answer of a
        /// server, and only the head of an answer with a document.
        bytes: &'a [u8],
        /// How many records follow that are not shown.
        more: usize,
        /// Whether it is a request that is going to be refused because it is invalid.
        is_bad: bool,
    },
    /// A request is refused. The protocol's answer has no field for the reason.
    Refusing {
        link: Link,
        /// The code of the answer.
        code: u16,
        reason: Cow<'a, str>,
    },
    /// A peer entered a server's list, or became active.
    Entered {
        name: &'a Endpoint,
        /// The address of the connection on which it came.
        from: SocketAddr,
        /// Its cookie, on a registration server.
        cookie: Option<Cookie>,
    },
    /// A peer left a server's list, or is no longer active.
    Left {
        name: &'a Endpoint,
        /// Its cookie, on a registration server.
        cookie: Option<Cookie>,
        /// How many of its records were removed.
        records: usize,
        /// How it left.
        departure: Departure,
    },
    /// A record was added to the central index.
    Added { link: Link, record: &'a Record },
    /// A record was taken back from the central index by its peer, which stays.
    Removed { link: Link, record: &'a Record },
    /// The name at which others reach this peer.
    Named {
        host: &'a Host,
        /// Why this name was chosen.
        reason: Cow<'a, str>,
    },
    /// What happens between this peer and its index.
    Index {
        /// The index server or the registration server.
        server: &'a Endpoint,
        step: IndexStep<'a>,
    },
    /// What happens to this program's node of the distributed hash table.
    Dht(DhtStep),
    /// Somebody downloads a document from this peer.
    Upload {
        link: Link,
        number: RfcNumber,
        step: Step<'a>,
    },
    /// This peer downloads a document.
    Download {
        /// The number of this download.
        id: u64,
        number: RfcNumber,
        holder: &'a Endpoint,
        step: Step<'a>,
    },
    /// An index or a holder is silent in text, and is about to be asked in frames as well.
    AskingInFrames { role: Role, other: &'a Endpoint },
    /// The search for more holders of a document has failed.
    NoMoreHolders {
        number: RfcNumber,
        why: Cow<'a, str>,
    },
    /// The file of a shared document has disappeared.
    FileGone { number: RfcNumber, folder: &'a Path },
    /// A registered document has no file.
    FileMissing { number: RfcNumber, folder: &'a Path },
    /// A message to the user.
    Notice { level: Level, text: Cow<'a, str> },
}

/// How a peer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It said so, or closed its connection.
    Left,
    /// Its connection failed.
    Lost,
    /// Its time to live expired without notice from it.
    Expired,
}

/// What happens between a peer and its index.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name says"
)]
pub enum IndexStep<'a> {
    /// The first connection attempt begins.
    Connecting,
    /// It is connected to the central index.
    Connected,
    /// It is registered with the registration server.
    Registered {
        /// The cookie.
        cookie: Cookie,
        /// The time to live, in seconds.
        ttl: u32,
    },
    /// It is about to register documents, each of which is reported as well.
    PublishingAll { count: usize },
    /// That is done.
    PublishedAll {
        /// How many were accepted,
        taken: usize,
        /// of how many.
        count: usize,
    },
    /// It is about to register a document.
    Publishing {
        number: RfcNumber,
        title: &'a Title,
        /// Whether this peer keeps the index itself, so that no server is involved.
        is_local: bool,
    },
    /// A server has accepted a record of this peer.
    Published { record: &'a Record },
    /// A document was not registered.
    NotPublished {
        number: RfcNumber,
        why: Cow<'a, str>,
    },
    /// Another peer did not send its index.
    Untold {
        peer: &'a Endpoint,
        why: Cow<'a, str>,
    },
    /// The connection to the server is lost. The peer keeps sharing and tries to reconnect.
    Lost {
        /// The reason, in words that need not name the server.
        why: Cow<'a, str>,
    },
    /// The peer is connected again, and has registered everything again.
    Back {
        /// How many documents the server accepted,
        taken: usize,
        /// of how many.
        all: usize,
    },
    /// The peer leaves.
    Leaving,
}

/// What happens to a node of a distributed hash table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhtStep {
    /// It is in contact with so many other nodes, after it was alone.
    Joined {
        /// How many of them answer.
        nodes: usize,
    },
    /// No other node answers.
    Alone,
    /// The nodes that are in contact with it have changed.
    Changed,
    /// It ended unexpectedly, and was started again.
    Rebuilt,
    /// It announced a peer for a key.
    Announced {
        /// The key.
        key: Key,
        /// The port of the peer's upload server.
        port: u16,
    },
    /// This peer has looked for the peers of a key, and asked those that it found.
    LookedUp {
        /// The key.
        key: Key,
        /// How many addresses it found.
        found: usize,
        /// How many of them have answered.
        answered: usize,
    },
}

/// A step of a transfer.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "a field without a comment is what its name says"
)]
pub enum Step<'a> {
    /// A download connects to the peer that has the document.
    Connecting,
    /// The transfer begins.
    Began {
        /// The length in bytes, if known.
        length: Option<u64>,
    },
    /// So many more bytes were transferred.
    Moved(u64),
    /// The transfer is complete.
    Done {
        /// The length in bytes.
        bytes: u64,
        /// Where the download was saved.
        path: Option<&'a Path>,
    },
    /// The transfer failed because of the other side.
    Failed { why: Cow<'a, str> },
    /// The transfer ended for a local reason (the folder failed, or the program ends), which its
    /// caller reports.
    GivenUp,
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
pub(crate) mod testing {
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
}

#[cfg(test)]
mod tests {
    use super::testing::{Notes, link};
    use super::*;

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
}
