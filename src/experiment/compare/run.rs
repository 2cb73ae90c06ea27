//! Runs networks with one kind of index, and measures what the peers do.
//!
//! Two peers each have the same documents: peers 0 and 1, peers 2 and 3, and so on. So whichever of
//! them is killed, the other one still has them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::traffic::Traffic;
use crate::experiment::documents::{Document, Documents};
use crate::experiment::network::{Network, failed};
use crate::index::Kind;
use crate::node::get::{Downloaded, Place};
use crate::node::{Actions as _, Node, Query, Wanted};
use crate::program::Stage;
use crate::wire::{RfcNumber, Title};

/// How many peers come, look up one document each, and leave again.
const NEWCOMERS: usize = 20;
/// How many documents each peer looks up,
const LOOKUPS: usize = 10;
/// and how many it downloads.
const GETS: usize = 3;
/// How long a peer may take to announce its documents,
const ANNOUNCE_TIME: Duration = Duration::from_mins(1);
/// and how often the wait for that looks whether the program is about to end.
const LOOK: Duration = Duration::from_millis(100);
/// The number of the server among the nodes. The peers follow.
pub(super) const SERVER: usize = 0;

/// The number of documents that so many peers have.
pub(in crate::experiment) fn documents(peers: usize, per_peer: usize) -> usize {
    peers.div_ceil(2) * per_peer
}

/// What is compared.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) kind: Kind,
    pub(super) peers: usize,
    /// How many documents each peer has.
    pub(super) per_peer: usize,
    pub(super) documents: &'a Documents,
    /// Of each peer, in bytes per second; 0 means no limit.
    pub(super) upload_rate: u64,
    pub(super) stage: &'a Stage,
}

/// What the peers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// A peer starts, and registers its documents.
    Join,
    /// A peer that has asked nothing before looks for a holder of a document, and so has nobody else
    /// asked.
    LookupFirst,
    /// A peer looks for a holder of a document. It may remember what it was told.
    Lookup,
    /// A peer looks for a document that nobody has.
    Missing,
    /// A peer asks for all records.
    List,
    /// A peer downloads a document from a holder that it has to find.
    Get,
    /// The same after the server was killed.
    GetWithoutServer,
    /// The same with the server, after every second peer was killed.
    GetHalfDead,
    /// Those of them that tried a dead holder first.
    GetStale,
}

/// Many peers have done the same.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) operation: Operation,
    pub(super) samples: Vec<Sample>,
    /// The messages that each node has received.
    pub(super) received: BTreeMap<usize, u64>,
}

/// One peer has done something once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) time: Duration,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// How many holders did not deliver.
    pub(super) failed: u64,
    pub(super) has_succeeded: bool,
}

impl Phase {
    fn new(operation: Operation) -> Self {
        Self {
            operation,
            samples: Vec::new(),
            received: BTreeMap::new(),
        }
    }

    /// Adds what an action costs. It returns whether it has succeeded; an error ends the experiment.
    fn measure(
        &mut self,
        traffic: &Traffic,
        act: impl FnOnce() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let (before, start) = (traffic.now(), Instant::now());
        let has_succeeded = act()?;
        let time = start.elapsed();
        let cost = traffic.since(&before);
        self.samples.push(Sample {
            time,
            messages: cost.messages,
            bytes: cost.bytes,
            failed: cost.failed,
            has_succeeded,
        });
        self.add_received(cost.received);
        Ok(())
    }

    pub(super) fn add_received(&mut self, received: BTreeMap<usize, u64>) {
        for (node, count) in received {
            *self.received.entry(node).or_default() += count;
        }
    }
}

/// Measures a network whose server is killed at the end, and then another one in which every second
/// peer is.
pub(super) fn run(setting: Setting<'_>) -> anyhow::Result<Vec<Phase>> {
    let ended = until_the_server_dies(setting).and_then(|mut phases| {
        phases.extend(until_peers_die(setting)?);
        Ok(phases)
    });
    setting.stage.stop.forget();
    ended
}

fn until_the_server_dies(setting: Setting<'_>) -> anyhow::Result<Vec<Phase>> {
    let (mut crowd, joined) = Crowd::gather(setting)?;
    let mut phases = vec![
        joined,
        crowd.lookup_first()?,
        crowd.lookup()?,
        crowd.lookup_missing()?,
        crowd.list()?,
        crowd.get(Operation::Get)?,
    ];
    crowd.network.kill_server();
    phases.push(crowd.get(Operation::GetWithoutServer)?);
    Ok(phases)
}

fn until_peers_die(setting: Setting<'_>) -> anyhow::Result<Vec<Phase>> {
    let (mut crowd, _) = Crowd::gather(setting)?;
    // Now every peer knows the others, as far as it remembers anything.
    crowd.list()?;
    for peer in (1..setting.peers).step_by(2) {
        crowd.network.kill(peer);
    }
    let got = crowd.get(Operation::GetHalfDead)?;
    let stale = |sample: &&Sample| sample.has_succeeded && sample.failed > 0;
    let stale = got.samples.iter().filter(stale).copied().collect();
    let stale = Phase {
        samples: stale,
        ..Phase::new(Operation::GetStale)
    };
    Ok(vec![got, stale])
}

/// A network whose messages are counted.
struct Crowd<'a> {
    setting: Setting<'a>,
    network: Network,
    traffic: Traffic,
}

impl<'a> Crowd<'a> {
    /// Starts the server and then one peer after the other.
    fn gather(setting: Setting<'a>) -> anyhow::Result<(Self, Phase)> {
        let traffic = Traffic::default();
        let events = |node| traffic.events(node, &setting.stage.events);
        let mut network = Network::open(setting.kind, &events(SERVER))?;
        for peer in 0..setting.peers {
            let first = peer / 2 * setting.per_peer;
            let documents = setting.documents.all.get(first..first + setting.per_peer);
            network.furnish(peer, documents.context("too few documents")?)?;
        }
        let mut joined = Phase::new(Operation::Join);
        for peer in 0..setting.peers {
            let events = events(SERVER + 1 + peer);
            joined.measure(&traffic, || {
                let node = network.join(peer, setting.upload_rate, &events, &setting.stage.stop)?;
                node.share().map_err(|failure| failed(peer, &failure))?;
                wait_for_announcements(setting, &traffic, peer)?;
                Ok(true)
            })?;
        }
        let crowd = Self {
            setting,
            network,
            traffic,
        };
        Ok((crowd, joined))
    }

    /// Peers that share nothing come one after the other, look up one document, and leave.
    fn lookup_first(&mut self) -> anyhow::Result<Phase> {
        let Setting {
            peers,
            upload_rate,
            stage,
            ..
        } = self.setting;
        let all = documents(peers, self.setting.per_peer);
        let mut phase = Phase::new(Operation::LookupFirst);
        for (newcomer, turn) in (peers..).zip(0..NEWCOMERS) {
            let wanted = self.setting.documents.all.get(turn * all / NEWCOMERS);
            let number = wanted.context("no such document")?.number;
            let events = self.traffic.events(SERVER + 1 + newcomer, &stage.events);
            self.network.furnish(newcomer, &[])?;
            let joined = self
                .network
                .join(newcomer, upload_rate, &events, &stage.stop);
            let node = joined?;
            phase.measure(&self.traffic, || Ok(is_found(node, number)))?;
            drop(self.network.peers.remove(&newcomer));
        }
        Ok(phase)
    }

    fn lookup(&self) -> anyhow::Result<Phase> {
        self.each(Operation::Lookup, LOOKUPS, |peer, node, turn| {
            let wanted = self.wanted(peer, turn, LOOKUPS)?;
            Ok(is_found(node, wanted.number))
        })
    }

    fn lookup_missing(&self) -> anyhow::Result<Phase> {
        let last = self.setting.documents.all.last();
        let number = last.and_then(|last| RfcNumber::new(last.number.get().checked_add(1)?));
        let number = number.context("every number is in use")?;
        self.each(Operation::Missing, 1, |_, node, _| {
            Ok(!is_found(node, number))
        })
    }

    fn list(&self) -> anyhow::Result<Phase> {
        let all = self.setting.peers * self.setting.per_peer;
        self.each(Operation::List, 1, |_, node, _| {
            let listed = node.find(&Query::All { fresh: true });
            Ok(listed.is_ok_and(|listed| listed.records.len() == all))
        })
    }

    fn get(&self, operation: Operation) -> anyhow::Result<Phase> {
        let path = self.network.spare_path();
        self.each(operation, GETS, |peer, node, turn| {
            let document = self.wanted(peer, turn, GETS)?;
            let wanted = Wanted {
                numbers: vec![document.number],
                title: Title::default(),
                place: Place::File(path.clone()),
                takes_bare: false,
                jobs: 1,
            };
            let got = node.get(&wanted, &mut |_| None, &mut |_| {});
            let is_whole = |got: &Downloaded| got.bytes == document.bytes;
            Ok(got.is_ok_and(|got| got.downloaded.iter().any(is_whole)))
        })
    }

    /// Every living peer does the same so many times, all of them in turn.
    fn each(
        &self,
        operation: Operation,
        times: usize,
        act: impl Fn(usize, &Node, usize) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Phase> {
        let mut phase = Phase::new(operation);
        for turn in 0..times {
            for (&peer, node) in &self.network.peers {
                phase.measure(&self.traffic, || act(peer, node, turn))?;
                ensure!(!node.is_stopping(), "interrupted");
            }
        }
        Ok(phase)
    }

    /// What a peer wants in one of so many turns: documents that it does not have, spread evenly
    /// over the others.
    fn wanted(&self, peer: usize, turn: usize, turns: usize) -> anyhow::Result<&'a Document> {
        let Setting {
            peers, per_peer, ..
        } = self.setting;
        let all = documents(peers, per_peer);
        let place = peer / 2 * per_peer + per_peer + turn * (all - per_peer) / turns;
        let document = self.setting.documents.all.get(place % all);
        document.context("no such document")
    }
}

/// Waits until a peer of a hash table has announced its documents, which it does in the background.
fn wait_for_announcements(
    setting: Setting<'_>,
    traffic: &Traffic,
    peer: usize,
) -> anyhow::Result<()> {
    if setting.kind != Kind::Dht {
        return Ok(());
    }
    // The catalogue is a key as well.
    let (node, keys) = (SERVER + 1 + peer, setting.per_peer + 1);
    let until = Instant::now() + ANNOUNCE_TIME;
    while !traffic.wait_for_announcements(node, keys, LOOK) {
        ensure!(setting.stage.stop.signal().is_none(), "interrupted");
        ensure!(
            Instant::now() < until,
            "P{peer} can't announce its documents"
        );
    }
    Ok(())
}

/// Whether the index names another peer that has the document.
fn is_found(node: &Node, number: RfcNumber) -> bool {
    let title = Title::default();
    let found = node.find(&Query::Number { number, title });
    found.is_ok_and(|found| {
        let mut records = found.records.iter();
        records.any(|listed| listed.record.holder != *node.me())
    })
}
