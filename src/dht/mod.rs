//! A node of a distributed hash table (Mainline DHT, BEP 5), where peers announce for which
//! documents they can be asked, and look for others.
//!
//! A [`DhtNode`] contacts only the nodes that it was given, that it knows from its previous run, and
//! that these name; the public network only if it is asked to. A thread of its own keeps it in
//! contact with the others, remembers them in a file, and notices when it is alone.
//!
//! What it finds are claims of strangers: somebody who asks for a document there checks what comes.

mod address;
mod announce;
mod engine;
mod gate;
mod known;
mod lookup;
mod upkeep;

pub use address::{AddressError, addresses, local_address};
pub use announce::AnnounceError;
pub use lookup::{Lookup, Peers};

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};

use self::address::public_nodes;
use self::engine::{Engine, timeout};
use self::gate::Gate;
use self::known::Known;
use self::upkeep::{MANY, Role, Upkeep};
use crate::event::{DhtStep, Event, Events, Level, Topic};
use crate::net::{ListenError, Stop};
use crate::state_file::{StateError, StateFile};
use crate::wire::dht::Key;

/// How often a wait looks whether the node is closing.
const LOOK: Duration = Duration::from_millis(100);
/// How long a request waits for the node to be in contact with others again, before it is repeated.
const RECOVERY_TIME: Duration = Duration::from_secs(2);

/// The configuration of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// The local address.
    pub bind: Ipv4Addr,
    /// The UDP port; 0 selects any free one.
    pub port: u16,
    /// The nodes to join through.
    pub bootstrap: Vec<SocketAddrV4>,
    /// The file that keeps the nodes it knows between runs.
    pub saved: Option<PathBuf>,
    /// Whether others join through this node, so that it takes in whoever asks it.
    pub is_introducer: bool,
    /// Whether it joins the public network, where anybody sees what it announces.
    pub public: bool,
}

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The file of the known nodes can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The thread can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A node in the background. Dropping it saves the nodes that it knows and ends it.
#[derive(Debug)]
pub struct DhtNode {
    shared: Arc<Shared>,
    upkeep: Mutex<Option<JoinHandle<()>>>,
}

/// What the node shares with its threads.
#[derive(Debug)]
struct Shared {
    engine: Engine,
    gate: Gate,
    state: Mutex<State>,
    changed: Condvar,
    /// The nodes to join through, which need not be peers.
    introducers: Vec<SocketAddrV4>,
    /// Whether all nodes are those of programs of this kind.
    is_private: bool,
    events: Events,
    stop: Stop,
}

/// Its contact with others.
#[derive(Debug)]
struct State {
    /// Whether any other node answers,
    is_joined: bool,
    /// and since when.
    since: SystemTime,
    /// How often it has come into contact with others after it was alone.
    fills: u64,
    /// How often it has looked whether anybody answers.
    checks: u64,
    /// The nodes in contact as of the last look, in order.
    contacts: Vec<SocketAddrV4>,
    /// Whether to look now.
    is_check_due: bool,
    is_closing: bool,
}

impl State {
    /// That of a node that starts.
    fn new() -> Self {
        Self {
            is_joined: false,
            since: SystemTime::now(),
            fills: 0,
            checks: 0,
            contacts: Vec::new(),
            is_check_due: false,
            is_closing: false,
        }
    }
}

impl DhtNode {
    /// Starts a node. It joins the network in the background.
    pub fn start(config: Config, events: &Events, stop: &Stop) -> Result<Self, StartError> {
        if config.public {
            let what = "this node is part of the public DHT, where anybody can see which RFCs this \
                        address shares";
            events.notice(Level::Warning, what);
        }
        let file = config.saved.map(StateFile::open).transpose()?;
        let mut known = Known::open(file, config.is_introducer, events)?;
        known.hear_of(&config.bootstrap);
        let role = match config {
            Config { public: true, .. } => Role::Public,
            Config {
                is_introducer: true,
                ..
            } => Role::Introducer,
            _ => Role::Member,
        };
        let through = match role {
            Role::Public => [known.nodes(), &public_nodes()].concat(),
            Role::Introducer => Vec::new(),
            Role::Member => known.nodes().to_vec(),
        };
        let timeout = timeout(
            known
                .nodes()
                .iter()
                .chain(&through)
                .map(SocketAddrV4::ip)
                .chain([&config.bind]),
        );
        let address = SocketAddrV4::new(config.bind, config.port);
        let built = Engine::build(address, timeout, &through);
        let engine = built.map_err(|reason| ListenError::new(address.into(), reason))?;
        let shared = Arc::new(Shared {
            engine,
            gate: Gate::default(),
            state: Mutex::new(State::new()),
            changed: Condvar::new(),
            introducers: config.bootstrap,
            is_private: !config.public,
            events: events.clone(),
            stop: stop.clone(),
        });
        let upkeep = Upkeep::new(shared.clone(), known, through, role);
        let thread = thread::Builder::new().name("dht".to_owned());
        Ok(Self {
            shared,
            upkeep: Mutex::new(Some(thread.spawn(move || upkeep.run())?)),
        })
    }

    /// The local address.
    pub fn address(&self) -> SocketAddrV4 {
        self.shared.engine.address()
    }

    /// Looks for the peers of `key`. Their addresses come as they are found, each once, until
    /// `time` has passed.
    pub fn lookup(&self, key: Key, time: Duration) -> Lookup {
        Lookup::start(&self.shared, key, Instant::now() + time)
    }

    /// All peers of `key`, found in up to five lookups: one returns only some of many.
    pub fn lookup_all(&self, key: Key, time: Duration) -> Peers {
        let until = Instant::now() + time;
        lookup::all(|| Lookup::start(&self.shared, key, until))
    }

    /// The nodes in contact with this one, except those that it was told to join through. A peer
    /// uses one port number for its node and for its upload server where it can, so it may be asked
    /// there, whatever strangers do to a key. None in the public network, where nodes belong to other
    /// programs.
    pub fn nodes(&self) -> Vec<SocketAddrV4> {
        let shared = &self.shared;
        if !shared.is_private || shared.is_alone() {
            return Vec::new();
        }
        let mut nodes = shared.engine.table().unwrap_or_default();
        nodes.retain(|node| shared.can_be_peer(*node) && !shared.introducers.contains(node));
        nodes
    }

    /// The nodes that answered when this one last looked, which it does every few seconds; where they
    /// are many, also those heard of within the last 15 minutes. It costs no message, and includes
    /// nodes of other programs.
    pub fn contacts(&self) -> Vec<SocketAddrV4> {
        self.shared.state.lock().contacts.clone()
    }

    /// Those of [`DhtNode::nodes`], after this node has looked for others if there are probably more.
    pub fn more_nodes(&self) -> Vec<SocketAddrV4> {
        let engine = &self.shared.engine;
        // With fewer, those close to this node are all.
        if engine.table().is_ok_and(|table| table.len() >= MANY / 2) {
            // A node that has ended is started again.
            let _ = engine.explore();
        }
        self.nodes()
    }

    /// Whether no other node answers, as far as known. Nothing can be announced or found then: a
    /// node asks others, and not what it stores itself.
    pub fn is_alone(&self) -> bool {
        self.shared.is_alone()
    }

    /// Since when it is in contact with others, or alone.
    pub fn since(&self) -> SystemTime {
        self.shared.state.lock().since
    }

    /// Ends every wait, and saves the nodes that it knows.
    pub fn close(&self) {
        self.shared.close();
        // A panic is reported where it happens.
        let _ = self.upkeep.lock().take().map(JoinHandle::join);
    }

    /// Whether it is closing.
    pub fn is_closing(&self) -> bool {
        self.shared.is_closing()
    }

    /// How often this node has come into contact with others after it was alone. Whatever was
    /// announced before the last time should be announced again.
    pub fn fills(&self) -> u64 {
        self.shared.state.lock().fills
    }

    /// Waits at most `time` until [`DhtNode::fills`] is more than `before`, and returns it. `None`
    /// after that time, or if the node is closing.
    pub fn wait_for_fill(&self, before: u64, time: Duration) -> Option<u64> {
        let state = self
            .shared
            .wait(Instant::now() + time, |state| state.fills > before);
        (state.fills > before).then_some(state.fills)
    }

    /// Waits at most `time` until the node has joined, or knows that it is alone. Returns whether it
    /// has joined.
    pub fn wait_until_settled(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let state = self.shared.wait(until, |state| state.checks > 0);
        state.is_joined
    }
}

impl Drop for DhtNode {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Waits until `is_met`, `until`, or the node is closing.
    fn wait(
        &self,
        until: Instant,
        is_met: impl Fn(&State) -> bool,
    ) -> parking_lot::MutexGuard<'_, State> {
        let mut state = self.state.lock();
        let goes_on = |state: &mut State| !is_met(state) && !state.is_closing;
        self.changed.wait_while_until(&mut state, goes_on, until);
        state
    }

    /// Receives the next value, until the sender is gone, `until`, or the node is closing.
    fn receive<T>(&self, values: &mpsc::Receiver<T>, until: Instant) -> Option<T> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match values.recv_timeout(left.min(LOOK)) {
                Ok(value) => return Some(value),
                Err(mpsc::RecvTimeoutError::Timeout) if left > LOOK && !self.is_closing() => {}
                Err(_) => return None,
            }
        }
    }

    /// Has the node look for others now, and waits until it has.
    fn recover(&self, until: Instant) {
        let mut state = self.state.lock();
        state.is_check_due = true;
        let checks = state.checks;
        drop(state);
        self.changed.notify_all();
        drop(self.wait(until, |state| state.checks > checks));
    }

    fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }

    fn is_alone(&self) -> bool {
        !self.state.lock().is_joined
    }

    fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    fn tell(&self, step: DhtStep) {
        let topic = match step {
            DhtStep::Announced { .. } => Topic::Messages,
            _ => Topic::Life,
        };
        self.events.tell(topic, || Event::Dht(step));
    }
}

#[cfg(test)]
mod tests;
