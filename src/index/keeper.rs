//! Staying with a server, and coming back to one that was lost: after pauses that grow, until this
//! peer leaves.
//!
//! It knows no protocol and no connection. What there is to do for a server that is there, and how
//! it is reached again, is the matter of each index ([`Kept`]).

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tracing::debug;

use super::{Index, IndexError, Participation};
use crate::event::{IndexStep, Topic};

/// The pause before the first try to reconnect,
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// and the longest one. Each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that was there for this long, or was tended, is tried again soon. One that lets us in
/// only to close again is not.
const SETTLED_TIME: Duration = Duration::from_secs(5);

/// A peer's place in an index, which its keeper keeps.
pub(super) trait Kept: Index + 'static {
    /// Its keeper.
    fn keeper(&self) -> &Keeper;

    /// Waits until there is something to do for a server that is there, and does it. `turn` counts
    /// from 0, anew each time the server is back. It returns when this peer leaves. The error is why
    /// the server is lost, in words that need not name it.
    fn tend(&self, turn: u32) -> Result<(), String>;

    /// Tries once to reconnect, and makes everything known that this peer shares.
    fn reconnect(&self) -> Result<(), IndexError>;
}

/// Keeps a place in an index from now on, in a thread of its own.
pub(super) fn start(kept: Arc<impl Kept>) -> Result<Arc<dyn Index>, IndexError> {
    kept.keeper().is_there();
    let thread = thread::Builder::new().name("index keeper".to_owned());
    let place = Arc::clone(&kept);
    let started = thread.spawn(move || place.keeper().keep(&*place));
    started.map_err(IndexError::NoKeeper)?;
    Ok(kept)
}

/// How a peer takes part, and whether its server is there. No lock of it is held while anybody is
/// waited for, so that leaving never waits.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) participation: Participation,
    presence: Mutex<Presence>,
    leaving: Condvar,
}

#[derive(Debug)]
struct Presence {
    is_leaving: bool,
    is_away: bool,
    since: SystemTime,
}

impl Keeper {
    pub(super) fn new(participation: Participation) -> Self {
        Self {
            participation,
            presence: Mutex::new(Presence {
                is_leaving: false,
                is_away: true,
                since: SystemTime::now(),
            }),
            leaving: Condvar::new(),
        }
    }

    /// The server is there from now on.
    pub(super) fn is_there(&self) {
        let mut presence = self.lock();
        presence.is_away = false;
        presence.since = SystemTime::now();
    }

    /// The server is lost, if it was not before.
    pub(super) fn is_lost(&self) {
        let mut presence = self.lock();
        if !presence.is_away {
            presence.is_away = true;
            presence.since = SystemTime::now();
        }
    }

    /// Whether the server is lost, and since when it is or is not.
    pub(super) fn presence(&self) -> (bool, SystemTime) {
        let presence = self.lock();
        (presence.is_away, presence.since)
    }

    /// The peer leaves: all waits end.
    pub(super) fn leave(&self) {
        self.participation.tell(Topic::Life, || IndexStep::Leaving);
        self.lock().is_leaving = true;
        self.leaving.notify_all();
    }

    /// Whether the peer leaves.
    pub(super) fn is_leaving(&self) -> bool {
        self.lock().is_leaving
    }

    /// Whether there is nothing more to keep: the peer leaves, or the program is about to end.
    pub(super) fn is_over(&self) -> bool {
        self.is_leaving() || self.participation.sockets.is_closing()
    }

    /// Waits for `time`, unless the peer leaves.
    pub(super) fn wait(&self, time: Duration) {
        let stays = |presence: &mut Presence| !presence.is_leaving;
        let waited = self.leaving.wait_timeout_while(self.lock(), time, stays);
        drop(waited);
    }

    fn keep(&self, kept: &impl Kept) {
        let mut tries = 0;
        loop {
            let (there, mut turn) = (Instant::now(), 0);
            let why = loop {
                let tended = kept.tend(turn);
                if self.is_over() {
                    return;
                }
                match tended {
                    Ok(()) => turn += 1,
                    Err(why) => break why,
                }
            };
            self.is_lost();
            self.participation
                .tell(Topic::Life, || IndexStep::Lost { why: why.into() });
            if turn > 0 || there.elapsed() > SETTLED_TIME {
                tries = 0;
            }
            loop {
                self.wait(jittered(growing(FIRST_PAUSE, tries, LONGEST_PAUSE)));
                if self.is_over() {
                    return;
                }
                tries += 1;
                match kept.reconnect() {
                    Ok(()) => break,
                    Err(error) => debug!(%error, tries, "the index is still away"),
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after this many others: the `first` is `first`, each is twice the one before, and none
/// is longer than `longest`.
pub(super) fn growing(first: Duration, before: u32, longest: Duration) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(before))
        .min(longest)
}

/// Something between half of `pause` and all of it: the peers of a server that was restarted must
/// not all come back in the same moment.
fn jittered(pause: Duration) -> Duration {
    // The seeds of hash maps are the standard library's only source of chance.
    let chance = RandomState::new().hash_one(Instant::now()) % 1000;
    let share = u32::try_from(chance).unwrap_or_default();
    pause / 2 + pause / 2000 * share
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

    use super::super::{Listings, Query, Standing};
    use super::*;
    use crate::event::Events;
    use crate::event::testing::Notes;
    use crate::index::Known;
    use crate::library::{Library, Rfc};
    use crate::net::{Dialects, Sockets};
    use crate::wire::{Endpoint, Port};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A place whose server is lost once, and there again at the second try.
    #[derive(Debug)]
    struct Place {
        keeper: Keeper,
        /// Says what the keeper wants.
        says: Sender<&'static str>,
        answers: Mutex<Vec<bool>>,
    }

    impl Index for Place {
        fn publish(&self, _: &[Rfc]) -> Result<usize, IndexError> {
            unreachable!("nothing is published")
        }

        fn find<'a>(&'a self, _: &Query) -> Listings<'a> {
            unreachable!("nobody asks")
        }

        fn standing(&self) -> Standing {
            unreachable!("nobody asks")
        }

        fn leave(&self) {
            self.keeper.leave();
        }
    }

    impl Kept for Place {
        fn keeper(&self) -> &Keeper {
            &self.keeper
        }

        fn tend(&self, turn: u32) -> Result<(), String> {
            if self.answers.lock().unwrap().len() == 2 {
                return Err("it closed the connection".to_owned());
            }
            self.says
                .send(if turn == 0 { "first" } else { "later" })
                .unwrap();
            if turn > 0 {
                self.keeper.wait(PATIENCE * 10);
                self.says.send("left").unwrap();
            }
            Ok(())
        }

        fn reconnect(&self) -> Result<(), IndexError> {
            let (is_away, _) = self.keeper.presence();
            assert!(is_away);
            if self.answers.lock().unwrap().pop().unwrap() {
                self.says.send("back").unwrap();
                self.keeper.is_there();
                return Ok(());
            }
            self.says.send("away").unwrap();
            Err(IndexError::Away(server()))
        }
    }

    fn server() -> Endpoint {
        Endpoint::parse("vm:5", Port::MIN).unwrap()
    }

    fn started(events: Events) -> (Arc<dyn Index>, Receiver<&'static str>) {
        let library = Library::unshared(Path::new("nowhere"), events.clone()).unwrap();
        let participation = Participation {
            server: server(),
            library: Arc::new(library),
            known: Known::new(server()),
            dialects: Dialects::default(),
            sockets: Sockets::default(),
            events,
            os: "Test 1".into(),
            pipeline: 1,
            cookie_file: None,
        };
        let (says, said) = channel();
        let place = Place {
            keeper: Keeper::new(participation),
            says,
            answers: Mutex::new(vec![true, false]),
        };
        (start(Arc::new(place)).unwrap(), said)
    }

    #[test]
    fn a_lost_server_is_told_once_and_tried_until_it_is_back_and_leaving_ends_every_wait() {
        let notes = Notes::default();
        let (index, said) = started(Events::default().and(notes.clone()));
        for expected in ["away", "back", "first", "later"] {
            assert_eq!(said.recv_timeout(PATIENCE), Ok(expected));
        }
        let lost = |note: &&String| note.contains(r#"Lost { why: "it closed the connection" }"#);
        assert_eq!(notes.all().iter().filter(lost).count(), 1);
        index.leave();
        assert_eq!(said.recv_timeout(PATIENCE), Ok("left"));
        drop(index);
        // The keeper lets go of the place.
        let end = said.recv_timeout(PATIENCE);
        assert_eq!(end, Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_have_jitter() {
        let pauses = [0, 1, 2, 6, 100].map(|before| growing(FIRST_PAUSE, before, LONGEST_PAUSE));
        let expected = [500, 1000, 2000, 30_000, 30_000].map(Duration::from_millis);
        assert_eq!(pauses, expected);
        for pause in pauses {
            let jittered = jittered(pause);
            assert!(pause / 2 <= jittered && jittered <= pause, "{jittered:?}");
        }
    }
}
