//! Plans which peer holds which documents and downloads which from whom.

use std::iter;
use std::ops::Range;

/// The size of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters {
    /// The number of peers, at least 2.
    pub(super) peers: usize,
    /// How many documents each peer has in task 2. In task 1 the first peer has all of them.
    pub(super) per_peer: usize,
    /// How many documents each peer fetches; `None` means all that it lacks in task 2.
    pub(super) fetch: Option<usize>,
}

impl Parameters {
    /// Checks that the other peers have enough documents to fetch.
    pub(super) fn check(&self) -> Result<(), String> {
        let most = self.most();
        match self.fetch {
            Some(fetch) if fetch > most => Err(format!(
                "--fetch {fetch} is too many: the other peers have {most} RFCs; use at most {most}"
            )),
            _ => Ok(()),
        }
    }

    /// The number of all documents.
    pub(super) fn documents(&self) -> usize {
        self.peers * self.per_peer
    }

    /// The number of documents that each peer lacks in task 2.
    fn most(&self) -> usize {
        (self.peers - 1) * self.per_peer
    }
}

/// Which peers have the documents, and in which order the others fetch them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// P0 has everything, like a file server, and all others fetch from it.
    Task1,
    /// Each peer has a share and begins with its right-hand neighbor, so that every server has one
    /// client at any time.
    Task2Best,
    /// Each peer has a share, and all begin with P0, so that one server is crowded and others idle.
    Task2Worst,
}

impl Scenario {
    /// The name in the results, and of their files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Task1 => "task1",
            Self::Task2Best => "task2-best",
            Self::Task2Worst => "task2-worst",
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Task1 => "Task 1: everything is fetched from P0",
            Self::Task2Best => "Task 2, best case: each peer begins with its neighbor",
            Self::Task2Worst => "Task 2, worst case: all peers begin with P0",
        }
    }

    pub(super) fn plan(self, parameters: Parameters) -> Plan {
        let (peers, per_peer) = (parameters.peers, parameters.per_peer);
        let fetch = parameters.fetch.unwrap_or(parameters.most());
        let holdings: Vec<_> = (0..peers)
            .map(|peer| match (self, peer) {
                (Self::Task1, 0) => 0..parameters.documents(),
                (Self::Task1, _) => 0..0,
                (Self::Task2Best | Self::Task2Worst, _) => peer * per_peer..(peer + 1) * per_peer,
            })
            .collect();
        let sources = |peer: usize| -> Vec<usize> {
            match self {
                Self::Task1 if peer == 0 => Vec::new(),
                Self::Task1 => vec![0],
                Self::Task2Best => (1..peers).map(|step| (peer + step) % peers).collect(),
                Self::Task2Worst => (0..peers).filter(|&source| source != peer).collect(),
            }
        };
        let all_of = |holder: usize| {
            let documents = holdings.get(holder).cloned().unwrap_or_default();
            iter::zip(documents, iter::repeat(holder))
        };
        let fetches = |peer| {
            let all = sources(peer).into_iter().flat_map(all_of).take(fetch);
            all.map(|(document, holder)| Fetch { document, holder })
                .collect()
        };
        Plan {
            fetches: (0..peers).map(fetches).collect(),
            holdings,
        }
    }
}

/// Who has what, and who fetches what from whom. Peers and documents are numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The documents that each peer has at the start.
    pub(super) holdings: Vec<Range<usize>>,
    /// The downloads of each peer, in order.
    pub(super) fetches: Vec<Vec<Fetch>>,
}

/// One download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) document: usize,
    /// The peer to download from.
    pub(super) holder: usize,
}

impl Plan {
    /// The number of all downloads.
    pub(super) fn downloads(&self) -> usize {
        self.fetches.iter().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(peers: usize, per_peer: usize, fetch: Option<usize>) -> Parameters {
        Parameters {
            peers,
            per_peer,
            fetch,
        }
    }

    fn sources(scenario: Scenario, peer: usize, fetch: usize) -> Vec<(usize, usize)> {
        let parameters = parameters(3, 2, Some(fetch));
        let plan = scenario.plan(parameters);
        let fetches = plan.fetches[peer].iter();
        fetches
            .map(|fetch| (fetch.document, fetch.holder))
            .collect()
    }

    #[test]
    fn everybody_fetches_from_the_first_peer_in_task_1() {
        assert_eq!(sources(Scenario::Task1, 0, 4), []);
        for peer in 1..3 {
            let all = [(0, 0), (1, 0), (2, 0), (3, 0)];
            assert_eq!(sources(Scenario::Task1, peer, 4), all);
        }
        let plan = Scenario::Task1.plan(parameters(3, 2, None));
        assert_eq!(
            (plan.holdings, plan.fetches.len()),
            (vec![0..6, 0..0, 0..0], 3)
        );
    }

    #[test]
    fn neighbors_come_first_in_the_best_case() {
        let from = |peer| sources(Scenario::Task2Best, peer, 4);
        assert_eq!(from(0), [(2, 1), (3, 1), (4, 2), (5, 2)]);
        assert_eq!(from(1), [(4, 2), (5, 2), (0, 0), (1, 0)]);
        assert_eq!(from(2), [(0, 0), (1, 0), (2, 1), (3, 1)]);
    }

    #[test]
    fn the_first_peer_comes_first_in_the_worst_case_and_no_peer_asks_itself() {
        let from = |peer| sources(Scenario::Task2Worst, peer, 3);
        assert_eq!(from(0), [(2, 1), (3, 1), (4, 2)]);
        assert_eq!(from(1), [(0, 0), (1, 0), (4, 2)]);
        assert_eq!(from(2), [(0, 0), (1, 0), (2, 1)]);
    }

    #[test]
    fn the_course_has_250_and_300_downloads() {
        let parameters = parameters(6, 10, None);
        assert_eq!((parameters.most(), parameters.documents()), (50, 60));
        let downloads = |scenario: Scenario| scenario.plan(parameters).downloads();
        assert_eq!(downloads(Scenario::Task1), 250);
        assert_eq!(downloads(Scenario::Task2Best), 300);
        assert_eq!(downloads(Scenario::Task2Worst), 300);
    }

    #[test]
    fn no_peer_fetches_more_than_there_is() {
        let error = parameters(3, 2, Some(5)).check().unwrap_err();
        assert!(error.contains("use at most 4"), "{error}");
        assert_eq!(parameters(3, 2, Some(4)).check(), Ok(()));
    }
}
