//! The options, and what they select.

use std::path::PathBuf;
use std::str::FromStr;

use bytesize::ByteSize;
use clap::{Args, ValueEnum, value_parser};

use super::documents::Documents;
use super::plan::{Parameters, Scenario};

/// The default size of generated files, in bytes.
const DEFAULT_SIZE: u64 = 50 * 1024;
/// The maximum size of a generated file, in bytes.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  peer experiment --out results                             both tasks and orders, about 12 seconds
  peer experiment --task 2 --order worst --out results      one of them
  peer experiment --corpus rfcs --repeat 5 --out results    real RFCs, means of five runs
  peer experiment --peers 10 --per-peer 4 --upload-rate 500KB/s --out results";

/// The options of `peer experiment`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Experiment", after_help = EXAMPLES)]
pub struct Options {
    /// 1: all fetch from one peer, 2: all fetch from each other
    #[arg(long, value_enum, value_name = "TASK", default_value_t = Tasks::All)]
    task: Tasks,
    /// In task 2: whether peers start with their neighbors, or all with the same peer
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Orders::All)]
    order: Orders,
    #[command(flatten)]
    pub(super) parameters: Parameters,
    /// How often to run each scenario; the charts and the table show the means
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    pub(super) repeat: u32,
    /// Fetch the first rfcN.txt files of this folder
    #[arg(long, value_name = "FOLDER", help_heading = "Documents")]
    corpus: Option<PathBuf>,
    /// Fetch generated files: how many, and their size [default: as many as needed, of 50KiB]
    #[arg(long, value_name = "COUNTxSIZE", help_heading = "Documents")]
    synthetic: Option<Synthetic>,
    /// The folder for the results; created if it is missing; existing results are replaced
    #[arg(long, value_name = "FOLDER", help_heading = "Results")]
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
    /// Checks the options for conflicts. An error is a message for the user.
    pub fn check(&self) -> Result<(), String> {
        self.parameters.check()?;
        let needed = self.parameters.documents();
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

    /// The scenarios to run, in order.
    pub(super) fn scenarios(&self) -> impl Iterator<Item = Scenario> {
        let scenarios = [Scenario::Task1, Scenario::Task2Best, Scenario::Task2Worst];
        scenarios.into_iter().filter(|scenario| match scenario {
            Scenario::Task1 => self.task != Tasks::Two,
            Scenario::Task2Best => self.task != Tasks::One && self.order != Orders::Worst,
            Scenario::Task2Worst => self.task != Tasks::One && self.order != Orders::Best,
        })
    }

    /// Prepares as many documents as the experiment needs.
    pub(super) fn documents(&self) -> anyhow::Result<Documents> {
        let count = self.parameters.documents();
        if let Some(folder) = &self.corpus {
            return Documents::of_corpus(folder, count);
        }
        let size = self.synthetic.map_or(DEFAULT_SIZE, |files| files.size);
        Documents::synthetic(count, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
