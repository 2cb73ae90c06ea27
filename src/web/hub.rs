//! What all watchers share: the events of the stream, rendered once for all of them, and the state
//! that begins a stream.
//!
//! One thread takes what the sessions have reported, a few times a second, and renders it. So a
//! watcher costs the sessions nothing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::budget::{Budget, Rendered};
use super::counters::Counters;
use super::events::{self, Counts, Snapshot};
use super::feed::Feed;
use super::http::Refusal;
use super::renderer::Renderer;
use super::ring::Ring;
use super::shown::{Peer, Shown};

/// How often what came is rendered,
const TICK: Duration = Duration::from_millis(100);
/// and how often when more comes than is shown.
const BUSY_TICK: Duration = Duration::from_millis(250);
/// How often counts are streamed, and peers are compared that no event reports.
const COUNTS: Duration = Duration::from_secs(1);
/// How old a snapshot may be that begins a stream. What has changed since follows it.
const SNAPSHOT: Duration = Duration::from_secs(1);
/// How many of the last messages begin a stream,
const FIRST_MESSAGES: usize = 100;
/// and at most how many bytes of them.
const FIRST_BYTES: usize = 256 * 1024;
/// The most peers that are listed.
pub(super) const PEERS: usize = 5_000;

/// What all watchers share.
pub(super) struct Hub {
    feed: Feed,
    shown: OnceLock<Arc<dyn Shown>>,
    pub(super) ring: Ring,
    /// When each peer came.
    pub(super) since: Mutex<HashMap<String, u64>>,
    pub(super) counts: Mutex<Counts>,
    /// The memory for answers.
    pub(super) budget: Budget,
    snapshot: Mutex<Option<Begin>>,
    messages: Mutex<Messages>,
}

/// The begin of a stream.
#[derive(Debug, Clone)]
pub(super) struct Begin {
    /// The events after this number follow.
    pub(super) after: u64,
    pub(super) text: Arc<Rendered>,
    made: Instant,
}

/// The messages that are kept, for all who ask before there are more.
#[derive(Debug, Default)]
struct Messages {
    /// How many messages there had been.
    added: u64,
    text: Weak<Rendered>,
}

impl Hub {
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            shown: OnceLock::new(),
            ring: Ring::default(),
            since: Mutex::default(),
            counts: Mutex::default(),
            budget: Budget::default(),
            snapshot: Mutex::default(),
            messages: Mutex::default(),
        }
    }

    pub(super) fn counters(&self) -> &Counters {
        self.feed.counters()
    }

    /// Shows this from now on.
    pub(super) fn show(&self, shown: Arc<dyn Shown>) {
        // It is called once.
        let _ = self.shown.set(shown);
    }

    pub(super) fn shown(&self) -> Option<&dyn Shown> {
        self.shown.get().map(|shown| &**shown)
    }

    /// The peers, at most so many.
    pub(super) fn peers(&self, most: usize) -> Vec<Peer> {
        let Some(shown) = self.shown() else {
            return Vec::new();
        };
        let mut peers = shown.peers(most);
        let since = self.since.lock();
        for peer in peers.iter_mut().filter(|peer| peer.since == 0) {
            peer.since = since.get(&peer.name).copied().unwrap_or_default();
        }
        peers
    }

    /// The messages that are kept, as JSON.
    pub(super) fn messages(&self) -> Result<Arc<Rendered>, Refusal> {
        let shared = |messages: &Messages| {
            let text = messages.text.upgrade();
            text.filter(|_| messages.added == self.ring.added())
        };
        if let Some(text) = shared(&self.messages.lock()) {
            return Ok(text);
        }
        // Not while others wait for the lock.
        let room = self.budget.room()?;
        let mut messages = self.messages.lock();
        if let Some(text) = shared(&messages) {
            return Ok(text);
        }
        messages.added = self.ring.added();
        let kept = self.ring.messages(usize::MAX, usize::MAX).join(",\n");
        let text = room.hold(format!("[{kept}]"));
        messages.text = Arc::downgrade(&text);
        Ok(text)
    }

    /// The begin of a stream of `shown`. Many watchers that come at once share it.
    pub(super) fn begin(&self, shown: &dyn Shown) -> Result<Begin, Refusal> {
        let fresh = |begin: &Option<Begin>| {
            let begin = begin.as_ref();
            let fresh = begin.filter(|begin| begin.made.elapsed() < SNAPSHOT);
            fresh.cloned()
        };
        if let Some(begin) = fresh(&self.snapshot.lock()) {
            return Ok(begin);
        }
        // Not while others wait for the lock.
        let room = self.budget.room()?;
        let mut snapshot = self.snapshot.lock();
        if let Some(begin) = fresh(&snapshot) {
            return Ok(begin);
        }
        // What changes from here on may be in the snapshot, and is streamed again.
        let after = self.ring.last();
        let peers = self.peers(PEERS);
        let mut counts = self.counts.lock().clone();
        (counts.peers, counts.records) = shown.counts();
        let state = Snapshot {
            about: &shown.about(),
            peers: &peers,
            counts: &counts,
        };
        let mut data = events::json(&state);
        // The messages are JSON already.
        data.pop();
        let messages = self.ring.messages(FIRST_MESSAGES, FIRST_BYTES).join(",");
        // Writing to memory does not fail.
        let _ = write!(data, ",\"messages\":[{messages}]}}");
        let mut text = String::new();
        events::write(&mut text, after, "snapshot", &data);
        let begin = Begin {
            after,
            text: room.hold(text),
            made: Instant::now(),
        };
        *snapshot = Some(begin.clone());
        Ok(begin)
    }

    /// Renders what comes, until the feed ends.
    pub(super) fn run(&self) {
        let mut renderer = Renderer::new(self);
        let (mut before, mut counted) = (Instant::now(), Instant::now());
        let mut is_idle = true;
        let mut tick = TICK;
        while !self.feed.wait((!is_idle).then_some(tick)) {
            let now = Instant::now();
            if is_idle {
                // The rate is that of the time from here on.
                counted = now;
            }
            let (taken, has_room) = self.feed.take(now.duration_since(before));
            before = now;
            is_idle = has_room && taken.changes.is_empty();
            tick = if renderer.render(taken) {
                BUSY_TICK
            } else {
                TICK
            };
            let elapsed = now.duration_since(counted);
            if elapsed >= COUNTS {
                counted = now;
                is_idle &= !renderer.count(elapsed);
            } else {
                is_idle = false;
            }
            renderer.publish();
        }
        self.ring.end();
    }

    /// Ends all streams.
    pub(super) fn end(&self) {
        self.feed.end();
        self.ring.end();
    }
}
