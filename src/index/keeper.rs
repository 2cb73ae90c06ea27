//! Stays connected to a server, and reconnects to one that was lost, with growing pauses, until
//! this peer leaves.
//!
//! It knows no protocol and no connection. Each index says how to keep and reach its server
//! ([`Kept`]).

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};
use tracing::debug;

use super::{Index, IndexError, Participation, Standing, State};
use crate::event::{IndexStep, Topic};
use crate::wire::di::registration::Cookie;

/// The pause before the first try to reconnect,
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// and the longest one. Each is twice the previous one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that stayed this long, or was tended, is retried soon. A server that accepts us only to
/// close again is not.
const SETTLED_TIME: Duration = Duration::from_secs(5);

/// A peer's membership in an index, maintained by its keeper.
pub(super) trait Kept: Index + 'static {
    /// Its keeper.
    fn keeper(&self) -> &Keeper;

    /// Waits until something must be done for the connected server, and does it. `turn` counts from
    /// 0 after each reconnection. Returns when this peer leaves. The error is why the server was
    /// lost, in words that need not name it.
    fn tend(&self, turn: u32) -> Result<(), String>;

    /// Tries once to reconnect, and publishes everything that this peer shares.
    fn reconnect(&self) -> Result<(), IndexError>;
}

/// Maintains the membership from now on, in its own thread.
pub(super) fn start(kept: Arc<impl Kept>) -> Result<Arc<dyn Index>, IndexError> {
    kept.keeper().is_there();
    let thread = thread::Builder::new().name("index keeper".to_owned());
    let place = Arc::clone(&kept);
    let started = thread.spawn(move || place.keeper().keep(&*place));
    started.map_err(IndexError::NoKeeper)?;
    Ok(kept)
}

/// How the peer takes part, and whether its server is reachable. None of its locks is held during
/// waits, so leaving never waits.
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

    /// Marks the server as connected.
    pub(super) fn is_there(&self) {
        let mut presence = self.presence.lock();
        presence.is_away = false;
        presence.since = SystemTime::now();
    }

    /// Marks the server as lost, if it was connected.
    pub(super) fn is_lost(&self) {
        let mut presence = self.presence.lock();
        if !presence.is_away {
            presence.is_away = true;
            presence.since = SystemTime::now();
        }
    }

    /// The state of the connection: `there`, unless the server is lost.
    pub(super) fn standing(&self, there: State, cookie: Option<Cookie>) -> Standing {
        let Presence { is_away, since, .. } = *self.presence.lock();
        Standing {
            server: self.participation.server.clone(),
            state: if is_away { State::Away } else { there },
            since,
            cookie,
        }
    }

    /// The peer is leaving: ends all waits.
    pub(super) fn leave(&self) {
        self.participation.tell(Topic::Life, || IndexStep::Leaving);
        self.presence.lock().is_leaving = true;
        self.leaving.notify_all();
    }

    /// Whether the peer is leaving.
    pub(super) fn is_leaving(&self) -> bool {
        self.presence.lock().is_leaving
    }

    /// Whether the work is over: the peer is leaving, or the program is about to end.
    pub(super) fn is_over(&self) -> bool {
        self.is_leaving() || self.participation.sockets.is_closing()
    }

    /// Waits for `time`, or until the peer leaves.
    pub(super) fn wait(&self, time: Duration) {
        let stays = |presence: &mut Presence| !presence.is_leaving;
        self.leaving
            .wait_while_for(&mut self.presence.lock(), stays, time);
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
                    Err(error) => debug!(%error, tries, "the index server is still unreachable"),
                }
            }
        }
    }
}

/// The pause after `before` earlier ones: it starts at `first`, doubles each time, and is at most
/// `longest`.
pub(super) fn growing(first: Duration, before: u32, longest: Duration) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(before))
        .min(longest)
}

/// A random value between half of `pause` and all of it: after a restart, the peers of a server
/// must not all come back at the same moment.
pub(super) fn jittered(pause: Duration) -> Duration {
    // The standard library's only source of randomness is the seed of hash maps.
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
    use crate::index::{Known, Member, Recent};
    use crate::library::{Library, Rfc};
    use crate::net::{Dialects, Ports, Sockets, Stop};
    use crate::wire::{Endpoint, Port, RfcNumber};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A membership whose server is lost once, and is back at the second try.
    #[derive(Debug)]
    struct Place {
        keeper: Keeper,
        /// Reports what the keeper calls.
        says: Sender<&'static str>,
        answers: Mutex<Vec<bool>>,
    }

    impl Index for Place {
        fn publish(&self, _: &[Rfc]) -> Result<usize, IndexError> {
            unreachable!("nothing is published")
        }

        fn take_back(&self, _: &[RfcNumber]) -> Result<(), IndexError> {
            unreachable!("nothing is taken back")
        }

        fn find<'a>(&'a self, _: &Query) -> Listings<'a> {
            unreachable!("nobody asks")
        }

        fn standing(&self) -> Standing {
            self.keeper.standing(State::Connected, None)
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
            if self.answers.lock().len() == 2 {
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
            assert_eq!(self.standing().state, State::Away);
            if self.answers.lock().pop().unwrap() {
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
            pipeline: None,
            ports: Ports::default(),
            cookie_file: None,
            recent: Recent::default(),
            member: Member::default(),
            stop: Stop::default(),
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
    fn a_lost_server_is_reported_once_and_retried_until_it_is_back_and_leaving_ends_every_wait() {
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
        // The keeper drops the membership.
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
