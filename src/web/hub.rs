//! What all watchers share: the events of the stream, rendered once for all of them, and the state
//! that begins a stream.
//!
//! One thread takes what the sessions have reported, a few times a second, and renders it. So a
//! watcher costs the sessions nothing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::counters::Counters;
use super::events::{self, Counts, Snapshot};
use super::feed::Feed;
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
/// How many of the last messages begin a stream.
const FIRST_MESSAGES: usize = 100;

/// What all watchers share.
pub(super) struct Hub {
    feed: Feed,
    shown: OnceLock<Arc<dyn Shown>>,
    pub(super) ring: Ring,
    /// When each peer came.
    pub(super) since: Mutex<HashMap<String, u64>>,
    pub(super) counts: Mutex<Counts>,
    snapshot: Mutex<Option<Begin>>,
}

/// The begin of a stream.
#[derive(Debug, Clone)]
pub(super) struct Begin {
    /// The events after this number follow.
    pub(super) after: u64,
    pub(super) text: Arc<str>,
    made: Instant,
}

impl Hub {
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            shown: OnceLock::new(),
            ring: Ring::default(),
            since: Mutex::default(),
            counts: Mutex::default(),
            snapshot: Mutex::default(),
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

    /// Every peer.
    pub(super) fn peers(&self) -> Vec<Peer> {
        let Some(shown) = self.shown() else {
            return Vec::new();
        };
        let mut peers = shown.peers();
        let since = self.since.lock();
        for peer in peers.iter_mut().filter(|peer| peer.since == 0) {
            peer.since = since.get(&peer.name).copied().unwrap_or_default();
        }
        peers
    }

    /// The begin of a stream. Many watchers that come at once share it.
    pub(super) fn begin(&self) -> Option<Begin> {
        let mut snapshot = self.snapshot.lock();
        if let Some(begin) = snapshot
            .as_ref()
            .filter(|begin| begin.made.elapsed() < SNAPSHOT)
        {
            return Some(begin.clone());
        }
        let shown = self.shown()?;
        // What changes from here on may be in the snapshot, and is streamed again.
        let after = self.ring.last();
        let peers = self.peers();
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
        let messages = self.ring.messages(FIRST_MESSAGES).join(",");
        // Writing to memory does not fail.
        let _ = write!(data, ",\"messages\":[{messages}]}}");
        let mut text = String::new();
        events::write(&mut text, after, "snapshot", &data);
        let begin = Begin {
            after,
            text: text.into(),
            made: Instant::now(),
        };
        *snapshot = Some(begin.clone());
        Some(begin)
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
