//! The figures: means, ranks, and the busiest node.

use std::time::Duration;

use super::run::{Operation, Phase, SERVER, Sample};
use crate::experiment::documents::float;
use crate::experiment::results::mean;
use crate::index::Kind;

/// The results of one kind in one size.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) kind: Kind,
    pub(super) peers: usize,
    pub(super) runs: u32,
    /// One for each operation, with the samples of all runs.
    pub(super) phases: Vec<Phase>,
}

/// The node that received the most messages.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Busiest {
    /// Its name.
    pub(super) node: String,
    /// How many messages, as a mean over the runs.
    pub(super) messages: f64,
}

impl Results {
    /// Adds the phases of another run.
    pub(super) fn add(&mut self, run: Vec<Phase>) {
        for phase in run {
            let mut phases = self.phases.iter_mut();
            let Some(same) = phases.find(|same| same.operation == phase.operation) else {
                self.phases.push(phase);
                continue;
            };
            same.samples.extend(phase.samples);
            same.add_received(phase.received);
        }
    }

    /// The phase of an operation.
    pub(super) fn phase(&self, operation: Operation) -> Option<&Phase> {
        let mut phases = self.phases.iter();
        phases.find(|phase| phase.operation == operation)
    }

    /// The busiest node of a phase, if any has received anything.
    pub(super) fn busiest(&self, phase: &Phase) -> Option<Busiest> {
        let received = phase.received.iter();
        let (node, count) = received.max_by_key(|(node, count)| (**count, usize::MAX - **node))?;
        Some(Busiest {
            node: match node.checked_sub(SERVER + 1) {
                None => "server".to_owned(),
                Some(peer) => format!("P{peer}"),
            },
            messages: float(*count) / f64::from(self.runs),
        })
    }
}

impl Operation {
    /// Its name in the results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::LookupFirst => "lookup-first",
            Self::Lookup => "lookup",
            Self::Missing => "lookup-missing",
            Self::List => "list",
            Self::Get => "get",
            Self::GetWithoutServer => "get-without-server",
            Self::GetHalfDead => "get-half-dead",
            Self::GetStale => "get-stale",
        }
    }
}

impl Phase {
    /// How many succeeded.
    pub(super) fn succeeded(&self) -> usize {
        self.successes().count()
    }

    fn successes(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| sample.has_succeeded)
    }

    /// The mean of a count; `None` if nothing was done.
    pub(super) fn mean(&self, count: fn(&Sample) -> u64) -> Option<f64> {
        let values = self.samples.iter().map(|sample| float(count(sample)));
        (!self.samples.is_empty()).then(|| mean(values))
    }

    /// The highest of a count; `None` if nothing was done.
    pub(super) fn most(&self, count: fn(&Sample) -> u64) -> Option<u64> {
        self.samples.iter().map(count).max()
    }

    /// The time that so many percent of the successes took at most, in milliseconds.
    pub(super) fn time_of(&self, percent: usize) -> Option<f64> {
        let mut times: Vec<_> = self.successes().map(|sample| sample.time).collect();
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100);
        let time = times.get(rank.saturating_sub(1));
        time.map(|time: &Duration| time.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sample(milliseconds: u64) -> Sample {
        Sample {
            time: Duration::from_millis(milliseconds),
            messages: milliseconds,
            bytes: 0,
            failed: 0,
            has_succeeded: milliseconds > 0,
        }
    }

    fn phase(samples: impl IntoIterator<Item = u64>, received: &[(usize, u64)]) -> Phase {
        Phase {
            operation: Operation::Lookup,
            samples: samples.into_iter().map(sample).collect(),
            received: received.iter().copied().collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn ranks_are_those_of_successes_and_means_those_of_all() {
        let lookups = phase((1..=200).rev().chain([0; 50]), &[]);
        let times = [50, 99, 100].map(|percent| lookups.time_of(percent));
        assert_eq!(times, [Some(100.0), Some(198.0), Some(200.0)]);
        assert_eq!(lookups.succeeded(), 200);
        assert_eq!(lookups.mean(|sample| sample.messages), Some(80.4));
        assert_eq!(lookups.most(|sample| sample.messages), Some(200));
        let one = phase([7], &[]);
        assert_eq!([50, 99].map(|rank| one.time_of(rank)), [Some(7.0); 2]);
        let none = phase([], &[]);
        assert_eq!(none.time_of(99), None);
        assert_eq!(none.mean(|sample| sample.messages), None);
    }

    #[test]
    fn runs_are_added_and_the_busiest_node_is_named() {
        let mut results = Results {
            kind: Kind::Central,
            peers: 4,
            runs: 2,
            phases: Vec::new(),
        };
        results.add(vec![phase([1], &[(0, 5), (1, 3)])]);
        results.add(vec![phase([3], &[(1, 4), (3, 1)])]);
        let lookups = results.phase(Operation::Lookup).unwrap();
        assert_eq!(lookups.samples.len(), 2);
        let busiest = results.busiest(lookups).unwrap();
        assert_eq!((busiest.node.as_str(), busiest.messages), ("P0", 3.5));
        let server = phase([], &[(0, 4), (2, 4)]);
        assert_eq!(results.busiest(&server).unwrap().node, "server");
        assert_eq!(results.busiest(&phase([], &[])), None);
        assert!(results.phase(Operation::Join).is_none());
    }
}
