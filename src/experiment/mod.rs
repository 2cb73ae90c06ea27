//! The experiment of P2P-DI/1.0, section 5: how a server slows down when everybody asks it, and
//! what peers gain by sharing the work.
//!
//! A [`Scenario`] turns its [`Parameters`] into a [`Plan`]: who has which documents, and who
//! fetches what from whom in which order. [`model`] predicts how long that takes, [`run`] does it
//! with the real registration server and real peers over loopback ([`documents`] is what they
//! fetch, [`stage`] their output), [`results`] compares the two, [`report`] writes the figures and
//! [`chart`] draws them. Only the model is a simulation.

pub mod chart;
pub mod documents;
pub mod model;
mod network;
pub mod report;
pub mod results;
pub mod run;
pub mod stage;

use std::fmt;
use std::iter;
use std::ops::Range;
use std::path::PathBuf;

use crate::event::Level;
use crate::program::Failure;
use crate::program::result::print;
use documents::Documents;
use report::ReportError;
use results::{Conditions, Results};
use run::RunError;
use stage::Stage;

/// The numbers of peers and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    peers: usize,
    per_peer: usize,
    fetch: usize,
}

/// Parameters that give no experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// One peer alone has nobody to fetch from.
    #[error("an experiment needs at least 2 peers, not {0}")]
    TooFewPeers(usize),
    /// Nothing is fetched.
    #[error("each peer must have and fetch at least 1 RFC")]
    Nothing,
    /// Others have fewer documents than should be fetched.
    #[error("each peer can fetch at most the {most} RFCs that the others have, not {fetch}")]
    TooMuch {
        /// How many should be fetched.
        fetch: usize,
        /// How many there are.
        most: usize,
    },
}

impl Parameters {
    /// This many peers. Each has `per_peer` documents in task 2 and fetches `fetch` documents, by
    /// default all that the others have.
    pub fn new(
        peers: usize,
        per_peer: usize,
        fetch: Option<usize>,
    ) -> Result<Self, ParameterError> {
        if peers < 2 {
            return Err(ParameterError::TooFewPeers(peers));
        }
        let most = (peers - 1).saturating_mul(per_peer);
        let fetch = fetch.unwrap_or(most);
        match fetch {
            0 => Err(ParameterError::Nothing),
            _ if fetch > most => Err(ParameterError::TooMuch { fetch, most }),
            _ => Ok(Self {
                peers,
                per_peer,
                fetch,
            }),
        }
    }

    /// The number of peers.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// The number of documents.
    pub fn documents(&self) -> usize {
        self.peers.saturating_mul(self.per_peer)
    }

    /// How many documents each fetching peer fetches.
    pub fn fetch(&self) -> usize {
        self.fetch
    }
}

/// Who has what, and who asks whom first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// P0 has everything, like a file server, and all others fetch from it.
    Task1,
    /// Each has its part, and begins with its right-hand neighbor: every server has one client at a
    /// time.
    Task2Best,
    /// Each has its part, and all begin with P0: they queue there while the others idle.
    Task2Worst,
}

impl Scenario {
    /// Its name in results and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task1 => "task1",
            Self::Task2Best => "task2-best",
            Self::Task2Worst => "task2-worst",
        }
    }

    /// Its description.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Task1 => "Task 1: everything is fetched from P0",
            Self::Task2Best => "Task 2, best case: each peer begins with its neighbor",
            Self::Task2Worst => "Task 2, worst case: all peers begin with P0",
        }
    }

    /// The plan of this scenario.
    pub fn plan(self, parameters: Parameters) -> Plan {
        let Parameters {
            peers,
            per_peer,
            fetch,
        } = parameters;
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

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who has what, and who fetches what from whom. Peers and documents are numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The documents that each peer has at the start.
    pub holdings: Vec<Range<usize>>,
    /// What each peer fetches, in order.
    pub fetches: Vec<Vec<Fetch>>,
}

/// One download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The document.
    pub document: usize,
    /// The peer to fetch from.
    pub holder: usize,
}

impl Plan {
    /// The number of downloads.
    pub fn downloads(&self) -> usize {
        self.fetches.iter().map(Vec::len).sum()
    }
}

/// What to measure, and where to write the results.
#[derive(Debug)]
pub struct Experiment {
    /// The numbers of peers and documents.
    pub parameters: Parameters,
    /// The scenarios, in the order of running.
    pub scenarios: Vec<Scenario>,
    /// The documents to fetch: as many as the parameters require.
    pub documents: Documents,
    /// The upload rate of each peer, in bytes per second; 0 means no limit.
    pub upload_rate: u64,
    /// How often each scenario is run.
    pub repeat: u32,
    /// The folder for the results; created if it is missing.
    pub out: PathBuf,
}

/// Why an experiment failed.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A run failed.
    #[error("{scenario}, run {run}: {reason}")]
    Run {
        /// The scenario.
        scenario: Scenario,
        /// The number of the run, from 1.
        run: u32,
        /// The reason.
        reason: RunError,
    },
    /// The results can't be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// The results of an experiment.
#[derive(Debug)]
pub struct Findings {
    /// The figures, as a table.
    pub table: String,
    /// The warning, if totals are far from the prediction.
    pub warning: Option<String>,
    /// The files that were written.
    pub files: Vec<PathBuf>,
}

impl Findings {
    /// Prints the table and the paths to standard output, and the warning to standard error.
    pub fn print(&self, stage: &Stage) -> Result<(), Failure> {
        print(&stage.transcript, |out| {
            writeln!(out, "{}", self.table)?;
            let mut files = self.files.iter().map(|file| file.display());
            files.try_for_each(|file| writeln!(out, "{file}"))
        })?;
        if let Some(warning) = &self.warning {
            stage.events.notice(Level::Info, warning);
        }
        Ok(())
    }
}

impl Experiment {
    /// Runs every scenario as often as requested, and writes the results of each as soon as it is
    /// done, so that they remain if a later one fails.
    pub fn perform(&self, stage: &Stage) -> Result<Findings, ExperimentError> {
        let folder = report::Folder::open(&self.out)?;
        let conditions = Conditions {
            parameters: self.parameters,
            mean_size: self.documents.mean_size(),
            upload_rate: self.upload_rate,
            repeat: self.repeat,
        };
        let works = self.documents.works();
        let (mut all, mut files) = (Vec::new(), Vec::new());
        for &scenario in &self.scenarios {
            let plan = scenario.plan(self.parameters);
            let predicted = model::predict(&plan, &works);
            let mut results = Results {
                scenario,
                predicted,
                runs: Vec::new(),
            };
            for run in 1..=self.repeat {
                let time = conditions.expected_time(&results.predicted);
                stage.say(format_args!(
                    "{scenario}, run {run} of {}: {} downloads{time}",
                    self.repeat,
                    plan.downloads()
                ));
                let ended = run::run(&plan, &self.documents, self.upload_rate, stage);
                results
                    .runs
                    .push(ended.map_err(|reason| ExperimentError::Run {
                        scenario,
                        run,
                        reason,
                    })?);
            }
            files.push(folder.write_downloads(&results, &conditions)?);
            files.push(folder.draw_peers(&results, &conditions)?);
            all.push(results);
        }
        files.push(folder.write_summary(&all, &conditions)?);
        files.push(folder.draw_comparison(&all, &conditions)?);
        Ok(Findings {
            table: report::table(&all, &conditions),
            warning: report::warning(&all, &conditions),
            files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(scenario: Scenario, peer: usize, fetch: usize) -> Vec<(usize, usize)> {
        let parameters = Parameters::new(3, 2, Some(fetch)).unwrap();
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
        let plan = Scenario::Task1.plan(Parameters::new(3, 2, None).unwrap());
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
    fn the_first_peer_comes_first_in_the_worst_case_and_nobody_asks_itself() {
        let from = |peer| sources(Scenario::Task2Worst, peer, 3);
        assert_eq!(from(0), [(2, 1), (3, 1), (4, 2)]);
        assert_eq!(from(1), [(0, 0), (1, 0), (4, 2)]);
        assert_eq!(from(2), [(0, 0), (1, 0), (2, 1)]);
    }

    #[test]
    fn the_course_has_250_and_300_downloads() {
        let parameters = Parameters::new(6, 10, None).unwrap();
        assert_eq!((parameters.fetch(), parameters.documents()), (50, 60));
        let downloads = |scenario: Scenario| scenario.plan(parameters).downloads();
        assert_eq!(downloads(Scenario::Task1), 250);
        assert_eq!(downloads(Scenario::Task2Best), 300);
        assert_eq!(downloads(Scenario::Task2Worst), 300);
    }

    #[test]
    fn nobody_fetches_more_than_there_is() {
        let error = ParameterError::TooMuch { fetch: 5, most: 4 };
        assert_eq!(Parameters::new(3, 2, Some(5)), Err(error));
        assert_eq!(
            Parameters::new(1, 2, None),
            Err(ParameterError::TooFewPeers(1))
        );
        assert_eq!(Parameters::new(3, 2, Some(0)), Err(ParameterError::Nothing));
        assert_eq!(Parameters::new(3, 0, None), Err(ParameterError::Nothing));
    }
}
