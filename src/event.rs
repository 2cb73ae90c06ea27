//! What happens, as data.
//!
//! Whatever works (a session, an upload, an index, a download) tells its [`Event`]s to [`Events`].
//! Readers make of them what they are for: the printout makes lines, a counter counts, a bar moves, a
//! test looks. Nothing here knows how an event is shown.
//!
//! A reader runs in the thread that tells, before the bytes of a message leave, so that a printout
//! has the order of the wire. It must not wait: it copies what it wants into a bounded queue. What no
//! reader wants is not even made: telling it costs one comparison.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::wire::di::registration::Cookie;
use crate::wire::{Endpoint, Host, Record, RfcNumber, Status, Title};

/// What readers may want, by how often it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// What comes once for a connection, a peer or a document, and what goes wrong.
    Life,
    /// What comes with each message.
    Messages,
    /// What comes with each piece of a document.
    Progress,
}

/// A set of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Topics(u8);

impl Topics {
    /// These topics.
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

/// Somebody who wants to know what happens.
pub trait Reader: Send + Sync {
    /// What it wants. It is asked once.
    fn wants(&self) -> Topics;

    /// Takes note of an event of a topic that it wants. It must not wait for anything.
    fn read(&self, event: &Event<'_>);
}

/// Those who want to know what happens; without one (the default) nobody is told. Clones are handles
/// to the same readers.
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
    /// The same readers, and after them one more.
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

    /// Tells what happens, where somebody wants to know it.
    pub fn tell<'a>(&self, topic: Topic, event: impl FnOnce() -> Event<'a>) {
        if !self.wanted.has(topic) {
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

    /// Tells of a whole message that is about to leave.
    pub fn sent(&self, link: Link, bytes: &[u8]) {
        self.message(link, Way::Sent, bytes, 0);
    }

    /// Tells of a whole message that has come.
    pub fn received(&self, link: Link, bytes: &[u8]) {
        self.message(link, Way::Received, bytes, 0);
    }

    /// Tells of a message, of which `more` records are not in `bytes`.
    pub fn message(&self, link: Link, way: Way, bytes: &[u8], more: usize) {
        self.tell(Topic::Messages, || Event::Message {
            link,
            way,
            bytes,
            more,
        });
    }

    /// Tells that a request is about to be refused, and why.
    pub fn refusing(&self, link: Link, status: Status, reason: impl fmt::Display) {
        self.tell(Topic::Life, || Event::Refusing {
            link,
            status,
            reason: reason.to_string().into(),
        });
    }

    /// Tells a person something that is no part of a session.
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
    /// An index server's, with a peer that asks it.
    Session,
    /// A registration server's, with a peer that asks it.
    Registration,
    /// A peer's, with another that downloads from it.
    Upload,
    /// A peer's, with another from which it downloads.
    Download,
    /// A peer's, with its index: a server, or another peer that is asked for what it knows.
    Index,
}

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number among those of its kind in this program.
    pub id: u64,
    /// What it is for.
    pub role: Role,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From us.
    Sent,
    /// To us.
    Received,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be.
    Warning,
}

/// The most records of a message that an event carries: a LIST is never whole in memory. Those after
/// them are counted.
pub const MOST_RECORDS: usize = 200;

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A port is listened on.
    Listening {
        /// What for.
        role: Role,
        /// Which port.
        port: u16,
    },
    /// The program was told to end.
    Stopping,
    /// A server has ended.
    Stopped {
        /// Whether sessions were cut off.
        cut_off: bool,
    },
    /// Somebody has connected to a server.
    Opened(Link),
    /// Such a connection is over.
    Closed {
        /// Which one.
        link: Link,
        /// Whether its end has told [`Event::Left`] of a peer.
        had_name: bool,
    },
    /// There was no room for a connection.
    TurnedAway {
        /// What it would have been for.
        role: Role,
        /// Who wanted to connect; `None` where the system does not know.
        from: Option<IpAddr>,
        /// Why there was none.
        why: Cow<'a, str>,
        /// How many others were turned away since this was last told.
        before: u64,
    },
    /// A message, as it stands on the wire. One that is sent is told before it leaves.
    Message {
        /// On which connection.
        link: Link,
        /// Which way.
        way: Way,
        /// All of it; of an answer of the central index at most [`MOST_RECORDS`] records; of an
        /// answer with a document, its head.
        bytes: &'a [u8],
        /// How many records follow that are not told.
        more: usize,
    },
    /// A request is refused, and why: the protocol has no place for the reason in its answer.
    Refusing {
        /// On which connection.
        link: Link,
        /// What is answered.
        status: Status,
        /// Why, in words.
        reason: Cow<'a, str>,
    },
    /// A peer has entered the list of a server, or is active from now on.
    Entered {
        /// Its name.
        name: &'a Endpoint,
        /// Its cookie, where the server is a registration server.
        cookie: Option<Cookie>,
    },
    /// A peer has left the list of a server, or is no longer active.
    Left {
        /// Its name.
        name: &'a Endpoint,
        /// Its cookie, where the server is a registration server.
        cookie: Option<Cookie>,
        /// How many records went with it.
        records: usize,
        /// Whether it was silent for too long, and has not said so itself.
        is_expired: bool,
    },
    /// A record was added to the central index.
    Added {
        /// On which connection.
        link: Link,
        /// The record.
        record: &'a Record,
    },
    /// The name under which others reach this peer.
    Named {
        /// The name.
        host: &'a Host,
        /// Why it is that one.
        reason: Cow<'a, str>,
    },
    /// How this peer stands with its index.
    Index {
        /// The index server, or the registration server.
        server: &'a Endpoint,
        /// What happened.
        step: IndexStep<'a>,
    },
    /// Somebody downloads a document from this peer.
    Upload {
        /// On which connection.
        link: Link,
        /// Which document.
        number: RfcNumber,
        /// What happened.
        step: Step<'a>,
    },
    /// This peer downloads a document.
    Download {
        /// The number of this download.
        id: u64,
        /// Which document.
        number: RfcNumber,
        /// From whom.
        holder: &'a Endpoint,
        /// What happened.
        step: Step<'a>,
    },
    /// The search for more holders of a document has failed.
    NoMoreHolders {
        /// Which document.
        number: RfcNumber,
        /// Why.
        why: Cow<'a, str>,
    },
    /// The file of a document that this peer shares is gone.
    FileGone {
        /// Which document.
        number: RfcNumber,
        /// From which folder.
        folder: &'a Path,
    },
    /// A document without a file is registered.
    FileMissing {
        /// Which document.
        number: RfcNumber,
        /// In which folder there is none.
        folder: &'a Path,
    },
    /// Something that a person should know.
    Notice {
        /// How much it matters.
        level: Level,
        /// What.
        text: Cow<'a, str>,
    },
}

/// What happens between a peer and its index.
#[derive(Debug, Clone)]
pub enum IndexStep<'a> {
    /// It connects for the first time.
    Connecting,
    /// It has connected to the central index.
    Connected,
    /// It is registered with the registration server.
    Registered {
        /// Under which cookie.
        cookie: Cookie,
        /// For how many seconds.
        ttl: u32,
    },
    /// A document is about to be registered.
    Publishing {
        /// Which one.
        number: RfcNumber,
        /// Under which title.
        title: &'a Title,
        /// Whether the index is this peer's own, so that no server hears of it.
        is_local: bool,
    },
    /// A document is not registered.
    NotPublished {
        /// Which one.
        number: RfcNumber,
        /// Why.
        why: Cow<'a, str>,
    },
    /// Another peer was asked for its index, and did not send it.
    Untold {
        /// Which peer.
        peer: &'a Endpoint,
        /// Why there is no answer.
        why: Cow<'a, str>,
    },
    /// The server is lost. Sharing goes on, and so do the tries to reconnect.
    Lost {
        /// Why, in words that need not name it.
        why: Cow<'a, str>,
    },
    /// The server is there again, and everything is registered anew.
    Back {
        /// How many documents it took,
        taken: usize,
        /// of how many.
        all: usize,
    },
    /// The peer leaves.
    Leaving,
}

/// What happens in the course of a transfer.
#[derive(Debug, Clone)]
pub enum Step<'a> {
    /// A download connects to the holder.
    Connecting,
    /// The document begins to move.
    Began {
        /// Its length in bytes, where it is known.
        length: Option<u64>,
    },
    /// So many more bytes have moved.
    Moved(u64),
    /// The document is there.
    Done {
        /// Its length in bytes.
        bytes: u64,
        /// Where a download was kept.
        path: Option<&'a Path>,
    },
    /// The other side did not deliver, or did not take it.
    Failed {
        /// Why.
        why: Cow<'a, str>,
    },
    /// It ended for a reason of our own, which whoever asked for it says: the folder is at fault, or
    /// the program ends.
    GivenUp,
}

impl Event<'_> {
    /// The topic that it belongs to.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Message { .. }
            | Self::Added { .. }
            | Self::Index {
                step: IndexStep::Publishing { .. },
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
    use std::sync::{Arc, Mutex};

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

    /// Writes down all that it is told.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

    impl Notes {
        /// What was told so far.
        pub(crate) fn all(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Reader for Notes {
        fn wants(&self) -> Topics {
            Topics::of(&[Topic::Life, Topic::Messages, Topic::Progress])
        }

        fn read(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Notes, link};
    use super::*;

    /// Wants nothing but what comes once.
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
    fn what_nobody_wants_is_not_made() {
        let events = Events::default().and(Quiet(Notes::default()));
        events.tell(Topic::Messages, || unreachable!("it is made"));
        Events::default().tell(Topic::Life, || unreachable!("it is made"));
    }
}
