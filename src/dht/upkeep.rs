//! The thread that keeps a node in contact with others.
//!
//! The crate never learns that a node still answers: it drops each after 15 to 20 minutes, and then
//! finds it again only if something asks. So this thread looks for others regularly, and remembers
//! what it has heard of.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::debug;

use super::Shared;
use super::engine::Ended;
use super::known::Known;
use crate::event::{DhtStep, Level};

/// How often it looks after the node, and whether the program is about to end.
const TICK: Duration = Duration::from_millis(200);
/// How often it reads the table for new nodes.
const TABLE_LOOK: Duration = Duration::from_secs(1);
/// How often it asks who answers, while there are many,
const CHECK: Duration = Duration::from_secs(30);
/// and while there are few: then everybody should know everybody.
const CHECK_OF_FEW: Duration = Duration::from_secs(5);
/// How many are many: each key is stored on so many nodes.
pub(super) const MANY: usize = 20;
/// The first pause between two attempts to reach the known nodes; it doubles
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// up to this one.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// How many checks in a row must find nobody before a node adopts others instead of joining.
const PATIENCE: u32 = 2;

/// How many helpers of the past are remembered, in order not to take them for other nodes.
const MOST_HELPERS: usize = 100;

/// How a node gets into contact with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It joins through the nodes it knows. Once none of them answers, it adopts others.
    Member,
    /// Others join through it, so it always adopts them.
    Introducer,
    /// It joins the public network, which is always there.
    Public,
}

/// Looks after a node.
#[derive(Debug)]
pub(super) struct Upkeep {
    shared: Arc<Shared>,
    known: Known,
    /// The addresses that the engine joins through; empty if it adopts others.
    through: Vec<SocketAddrV4>,
    role: Role,
    /// Helpers of this node, which have ended.
    helpers: Vec<SocketAddrV4>,
    /// How many checks in a row have found nobody.
    alone: u32,
    /// Whether it was reported that the node can't be built again.
    has_warned: bool,
    /// The table at the last look.
    table: Vec<SocketAddrV4>,
    next_table: Instant,
    next_check: Instant,
    next_attempt: Instant,
    pause: Duration,
}

impl Upkeep {
    pub(super) fn new(
        shared: Arc<Shared>,
        known: Known,
        through: Vec<SocketAddrV4>,
        role: Role,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            known,
            through,
            role,
            helpers: Vec::new(),
            alone: 0,
            has_warned: false,
            table: Vec::new(),
            next_table: now,
            next_check: now,
            next_attempt: now,
            pause: FIRST_PAUSE,
        }
    }

    /// Looks after the node until it is closing.
    pub(super) fn run(mut self) {
        loop {
            if self.shared.stop.signal().is_some() {
                self.shared.close();
            }
            if self.shared.is_closing() {
                break;
            }
            if self.look_after().is_err() {
                self.start_again();
            }
            self.known.save(Instant::now(), &self.shared.events);
            let until = Instant::now() + TICK;
            drop(self.shared.wait(until, |state| state.is_check_due));
        }
        // What it has heard of since the last look is worth saving too.
        if let Ok(table) = self.shared.engine.table() {
            self.hear_of(&table);
        }
        self.known.save_all(&self.shared.events);
    }

    fn look_after(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        let mut state = self.shared.state.lock();
        if std::mem::take(&mut state.is_check_due) || !state.is_joined {
            self.next_check = now;
        }
        drop(state);
        if now >= self.next_table {
            self.next_table = now + TABLE_LOOK;
            let table = self.shared.engine.table()?;
            self.hear_of(&table);
            let is_new = |node| !self.table.contains(node);
            // Who watches an introducer sees at once who has come.
            if self.role == Role::Introducer && table.iter().any(is_new) {
                self.next_check = now;
            }
            self.table = table;
        }
        if now < self.next_check {
            return Ok(());
        }
        let mut responding = self.responding()?;
        if responding.is_empty() && now >= self.next_attempt {
            self.reach_known();
            responding = self.responding()?;
        }
        self.hear_of(&responding);
        // Whoever is told that the node has joined can count on what is saved.
        self.known.save(Instant::now(), &self.shared.events);
        self.next_check = now
            + if responding.len() < MANY {
                CHECK_OF_FEW
            } else {
                CHECK
            };
        self.checked(responding);
        Ok(())
    }

    fn responding(&self) -> Result<Vec<SocketAddrV4>, Ended> {
        let mut responding = self.shared.engine.responding()?;
        responding.retain(|address| !self.helpers.contains(address));
        Ok(responding)
    }

    /// Where nobody is there to be asked, tries the nodes that it knows from before.
    fn reach_known(&mut self) {
        if self.role == Role::Public || self.known.nodes().is_empty() {
            return;
        }
        if self.through.is_empty() {
            self.be_introduced();
        } else if self.alone >= PATIENCE {
            // The crate goes on trying these by itself, but adopts nobody meanwhile.
            self.through.clear();
            self.rebuild();
        } else {
            return;
        }
        self.next_attempt = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }

    /// A node that adopts others needs help to find those it knows.
    fn be_introduced(&mut self) {
        match self.shared.engine.introduce(self.known.nodes()) {
            Ok(helpers) => {
                self.helpers.extend(helpers.into_iter().flatten());
                // A table keeps an address for at most 20 minutes.
                let old = self.helpers.len().saturating_sub(MOST_HELPERS);
                self.helpers.drain(..old);
            }
            Err(error) => debug!(%error, "no helper could be started"),
        }
    }

    /// Takes in that these nodes answer.
    fn checked(&mut self, responding: Vec<SocketAddrV4>) {
        let nodes = responding.len();
        let mut contacts = responding;
        if nodes >= MANY {
            // Only those close to this node were asked.
            let others = self.table.iter().filter(|it| !self.helpers.contains(it));
            contacts.extend(others);
        }
        contacts.sort_unstable();
        contacts.dedup();
        if nodes == 0 {
            self.alone += 1;
        } else {
            self.alone = 0;
            self.pause = FIRST_PAUSE;
        }
        let mut state = self.shared.state.lock();
        let (was_joined, is_first) = (state.is_joined, state.checks == 0);
        state.is_joined = nodes > 0;
        state.checks += 1;
        if state.is_joined != was_joined {
            state.since = SystemTime::now();
        }
        if state.is_joined && !was_joined {
            state.fills += 1;
        }
        let is_joined = state.is_joined;
        let has_changed = state.contacts != contacts;
        state.contacts = contacts;
        drop(state);
        if is_joined && !was_joined {
            self.shared.tell(DhtStep::Joined { nodes });
        } else if !is_joined && (was_joined || is_first) {
            self.shared.tell(DhtStep::Alone);
        }
        if has_changed {
            self.shared.tell(DhtStep::Changed);
        }
        self.shared.changed.notify_all();
    }

    /// Builds a node that has ended again. It has lost its table.
    fn start_again(&mut self) {
        self.shared.state.lock().is_joined = false;
        if self.rebuild() {
            self.shared.tell(DhtStep::Rebuilt);
        }
    }

    /// Builds the node again, and returns whether that worked. If not, it is tried again with the
    /// next look.
    fn rebuild(&mut self) -> bool {
        let built = self.shared.engine.rebuild(&self.through);
        if let Err(error) = &built
            && !self.has_warned
        {
            let address = self.shared.engine.address();
            let what = format_args!("cannot start the node on {address} again: {error}");
            self.shared.events.notice(Level::Warning, what);
        }
        self.has_warned = built.is_err();
        built.is_ok()
    }

    fn hear_of(&mut self, addresses: &[SocketAddrV4]) {
        let others = addresses.iter().filter(|it| !self.helpers.contains(it));
        let others: Vec<_> = others.copied().collect();
        self.known.hear_of(&others);
    }
}
