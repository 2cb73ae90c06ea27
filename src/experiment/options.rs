//! The options, and what they select.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use bytesize::ByteSize;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum, ValueHint, value_parser};

use super::compare;
use super::documents::Documents;
use super::plan::{Parameters, Scenario};
use crate::program::LogReader;

/// The default size of generated files, in bytes.
const DEFAULT_SIZE: u64 = 50 * 1024;
/// The maximum size of a generated file, in bytes.
const MAX_SIZE: u64 = 64 * 1024 * 1024;
/// The default number of peers,
const PEERS: usize = 6;
/// and the maximum; only a comparison may have more, because there not all peers fetch at once.
const MOST_PEERS: usize = 20;
/// The default upload rate of each peer, in bytes per second. Without a limit, loopback would be so
/// fast that all scenarios take the same time.
const UPLOAD_RATE: u64 = 2_000_000;

const EXAMPLES: &str = "\
Examples:
  peer experiment --out results                             both tasks and orders, about 12 seconds
  peer experiment --task 2 --order worst --out results      one of them
  peer experiment --corpus rfcs --repeat 5 --out results    real RFCs, means of five runs
  peer experiment --peers 10 --per-peer 4 --upload-rate 500KB/s --out results
  peer experiment --compare --out results                   the kinds of index, about a minute
  peer experiment --compare --peers 8,16 --out results      in networks of 8 and 16 peers";

/// The options of `peer experiment`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Experiment", after_help = EXAMPLES)]
pub struct Options {
    /// Compare the kinds of index instead: what it costs to join, LOOKUP, LIST, and GET, and what is
    /// found after the server or every second peer was killed (`peer help choosing`)
    #[arg(long, value_parser = crate::program::flag)]
    pub(super) compare: bool,
    /// 1: all fetch from one peer, 2: all fetch from each other
    #[arg(long, value_enum, value_name = "TASK", default_value_t = Tasks::All)]
    task: Tasks,
    /// In task 2: whether peers start with their neighbors, or all with the same peer
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Orders::All)]
    order: Orders,
    /// How many peers take part; with --compare a list of up to 64 each, separated by commas
    /// [default: 6; with --compare 4,8,16,32,64]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = RangedU64ValueParser::<usize>::new().range(2..=64))]
    peers: Vec<usize>,
    /// How many RFCs each peer has in task 2; in task 1 the first peer has all of them
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub(super) per_peer: usize,
    /// How many RFCs each peer fetches [default: all that it lacks in task 2, for example 50 with 6
    /// peers of 10 each]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_535))]
    fetch: Option<usize>,
    /// How often to run each scenario; the charts and the table show the means
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    pub(super) repeat: u32,
    /// Fetch the first rfcN.txt files of this folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, help_heading = "Documents")]
    corpus: Option<PathBuf>,
    /// Fetch generated files: how many, and their size [default: as many as needed, of 50KiB]
    #[arg(long, value_name = "COUNTxSIZE", help_heading = "Documents")]
    synthetic: Option<Synthetic>,
    /// The folder for the results; created if it is missing; existing results are replaced
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, help_heading = "Results")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tasks {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Orders {
    Best,
    Worst,
    All,
}

/// Files to generate, for example `60x50KiB`. The size is in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Synthetic {
    count: usize,
    size: u64,
}

impl FromStr for Synthetic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |(count, size): (&str, &str)| {
            let size: ByteSize = size.trim().parse().ok()?;
            Some((count.trim().parse().ok()?, size.as_u64()))
        };
        match text.split_once('x').and_then(parse) {
            Some((count, size @ 1..=MAX_SIZE)) => Ok(Self { count, size }),
            Some(_) => Err("invalid size of a file; use 1 byte to 64 MiB".to_owned()),
            None => Err("expected a number and a size; for example 60x50KiB".to_owned()),
        }
    }
}

impl Options {
    /// What the experiment reads in the log, if anything.
    pub fn log_reader(&self) -> Option<LogReader> {
        self.compare.then(compare::counted)
    }

    /// Checks the options for conflicts. An error is a message for the user.
    pub fn check(&self) -> Result<(), String> {
        if self.compare {
            self.check_comparison()?;
        } else {
            self.check_peers()?;
            self.parameters().check()?;
        }
        let needed = self.needed();
        match self.synthetic {
            Some(_) if self.corpus.is_some() => {
                Err("--synthetic conflicts with --corpus".to_owned())
            }
            Some(Synthetic { count, .. }) if count < needed => Err(format!(
                "--synthetic makes {count} files, but the experiment needs {needed}"
            )),
            _ => Ok(()),
        }
    }

    fn check_comparison(&self) -> Result<(), String> {
        if self.task != Tasks::All || self.order != Orders::All || self.fetch.is_some() {
            return Err("--compare conflicts with --task, --order and --fetch".to_owned());
        }
        let least = compare::LEAST_PEERS;
        match self.sizes().first() {
            Some(peers) if *peers < least => Err(format!(
                "--peers {peers} is too few for --compare; use at least {least}"
            )),
            _ => Ok(()),
        }
    }

    fn check_peers(&self) -> Result<(), String> {
        match self.peers[..] {
            [] => Ok(()),
            [peers] if peers <= MOST_PEERS => Ok(()),
            [peers] => Err(format!(
                "--peers {peers} is too many; use at most {MOST_PEERS}, or --compare"
            )),
            _ => Err("only --compare takes several numbers of --peers".to_owned()),
        }
    }

    /// The size of the scenarios.
    pub(super) fn parameters(&self) -> Parameters {
        Parameters {
            peers: self.peers.first().copied().unwrap_or(PEERS),
            per_peer: self.per_peer,
            fetch: self.fetch,
        }
    }

    /// The sizes of the networks to compare.
    pub(super) fn sizes(&self) -> BTreeSet<usize> {
        if self.peers.is_empty() {
            compare::PEERS.into()
        } else {
            self.peers.iter().copied().collect()
        }
    }

    /// The upload rate of each peer, in bytes per second: what the user chose, or the default. 0
    /// means no limit.
    pub(super) fn rate(&self, chosen: Option<u64>) -> u64 {
        let default = if self.compare { 0 } else { UPLOAD_RATE };
        chosen.unwrap_or(default)
    }

    /// How many documents the experiment needs.
    fn needed(&self) -> usize {
        if self.compare {
            let most = self.sizes().last().copied().unwrap_or_default();
            compare::documents(most, self.per_peer)
        } else {
            self.parameters().documents()
        }
    }

    /// The scenarios to run, in order.
    pub(super) fn scenarios(&self) -> impl Iterator<Item = Scenario> {
        let scenarios = [Scenario::Task1, Scenario::Task2Best, Scenario::Task2Worst];
        scenarios.into_iter().filter(|scenario| match scenario {
            Scenario::Task1 => self.task != Tasks::Two,
            Scenario::Task2Best => self.task != Tasks::One && self.order != Orders::Worst,
            Scenario::Task2Worst => self.task != Tasks::One && self.order != Orders::Best,
        })
    }

    /// Prepares these documents.
    pub(super) fn documents(&self) -> anyhow::Result<Documents> {
        let count = self.needed();
        if let Some(folder) = &self.corpus {
            return Documents::of_corpus(folder, count);
        }
        let size = self.synthetic.map_or(DEFAULT_SIZE, |files| files.size);
        Documents::synthetic(count, size)
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn parsed(arguments: &str) -> Result<Options, String> {
        let command = Options::augment_args(clap::Command::new("x"));
        let arguments = ["x", "--out=o"].into_iter().chain(arguments.split(' '));
        let matches = command.try_get_matches_from(arguments.filter(|word| !word.is_empty()));
        let matches = matches.map_err(|error| error.to_string())?;
        let options = Options::from_arg_matches(&matches).unwrap();
        options.check().map(|()| options)
    }

    #[test]
    fn each_experiment_has_its_numbers() {
        let fetching = parsed("").unwrap();
        assert_eq!((fetching.parameters().peers, fetching.needed()), (6, 60));
        assert_eq!(
            (fetching.rate(None), fetching.rate(Some(5))),
            (2_000_000, 5)
        );
        let comparison = parsed("--compare").unwrap();
        assert_eq!(comparison.sizes(), BTreeSet::from([4, 8, 16, 32, 64]));
        assert_eq!((comparison.needed(), comparison.rate(None)), (320, 0));
        let comparison = parsed("--compare --peers 9,5,9 --per-peer 2").unwrap();
        assert_eq!(comparison.sizes(), BTreeSet::from([5, 9]));
        assert_eq!(comparison.needed(), 10);
    }

    #[test]
    fn wrong_numbers_and_conflicts_are_refused() {
        for (wrong, why) in [
            ("--peers 1", "1 is not in 2..=64"),
            ("--peers 21", "use at most 20, or --compare"),
            ("--peers 4,5", "only --compare takes several"),
            ("--per-peer 0", "0 is not in"),
            ("--fetch 0", "0 is not in"),
            ("--fetch 51", "use at most 50"),
            ("--compare --peers 4,65", "65 is not in"),
            ("--compare --peers 4,3", "use at least 4"),
            ("--compare --task 1", "--compare conflicts"),
            ("--compare --order best", "--compare conflicts"),
            ("--compare --fetch 5", "--compare conflicts"),
            ("--compare --synthetic 319x1KiB", "needs 320"),
        ] {
            let error = parsed(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn sizes_parse_as_people_write_them() {
        let read = |text: &str| text.parse::<Synthetic>();
        let sixty = Synthetic {
            count: 60,
            size: 51_200,
        };
        assert_eq!(read("60x50KiB"), Ok(sixty));
        assert_eq!(read("60 x 51200"), Ok(sixty));
        for wrong in [
            "",
            "60",
            "x",
            "60x",
            "x50KiB",
            "60x50 sheep",
            "-1x5",
            "60x0",
            "1x65MiB",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
