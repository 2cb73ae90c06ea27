//! The experiment with many peers: its options, and how it is run.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum, value_parser};
use p2pci::event::Events;
use p2pci::experiment::documents::{Documents, Synthetic};
use p2pci::experiment::stage::Stage;
use p2pci::experiment::{Experiment, Parameters, Scenario};
use p2pci::net::Stop;
use p2pci::printout::{Log, Shows, Transcript};
use p2pci::program::signals;
use p2pci::program::{self, Code, Failure};
use p2pci::terminal::Screen;
use p2pci::terminal::progress::Progress;

use crate::arguments::{Arguments, usage_error};

/// The upload rate of each peer, in bytes per second. Without a limit, all scenarios would be
/// equally fast over loopback.
const UPLOAD_RATE: u64 = 2_000_000;

/// The size of generated files, in bytes.
const DEFAULT_SIZE: u64 = 50 * 1024;

pub(crate) const EXAMPLES: &str = "\
Examples:
  peer experiment --out results                             both tasks and orders, about 12 seconds
  peer experiment --task 2 --order worst --out results      one of them
  peer experiment --corpus rfcs --repeat 5 --out results    real RFCs, means of five runs
  peer experiment --peers 10 --per-peer 4 --upload-rate 500KB/s --out results";

/// An experiment of P2P-DI/1.0, section 5.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// 1: all fetch from one peer, 2: all fetch from each other
    #[arg(long, value_enum, value_name = "TASK", default_value_t = Tasks::All, help_heading = "Experiment")]
    task: Tasks,
    /// In task 2: whether peers start with their neighbors, or all with the same peer
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Orders::All, help_heading = "Experiment")]
    order: Orders,
    /// How many peers take part
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = value_parser!(u16).range(2..=20), help_heading = "Experiment")]
    peers: u16,
    /// How many RFCs each peer has in task 2; in task 1 the first peer has those of all
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u16).range(1..=1000), help_heading = "Experiment")]
    per_peer: u16,
    /// How many RFCs each peer fetches [default: all that it lacks in task 2, which is 50 for 6 peers
    /// with 10 each]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..), help_heading = "Experiment")]
    fetch: Option<u16>,
    /// How often everything is measured; the pictures and the table show the means
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100), help_heading = "Experiment")]
    repeat: u32,
    /// Fetch the first files rfcN.txt of this folder
    #[arg(long, value_name = "FOLDER", help_heading = "Documents")]
    corpus: Option<PathBuf>,
    /// Fetch generated files: how many, and of what size [default: as many as needed, of 50KiB]
    #[arg(long, value_name = "COUNTxSIZE", help_heading = "Documents")]
    synthetic: Option<Synthetic>,
    /// The folder for the results; created if it is missing; files of the same names are replaced
    #[arg(long, value_name = "FOLDER", help_heading = "Results")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tasks {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Orders {
    Best,
    Worst,
    All,
}

impl Options {
    /// The scenarios, in the order of running.
    fn scenarios(&self) -> Vec<Scenario> {
        let scenarios = [Scenario::Task1, Scenario::Task2Best, Scenario::Task2Worst];
        let is_wanted = |scenario: &Scenario| match scenario {
            Scenario::Task1 => self.task != Tasks::Two,
            Scenario::Task2Best => self.task != Tasks::One && self.order != Orders::Worst,
            Scenario::Task2Worst => self.task != Tasks::One && self.order != Orders::Best,
        };
        scenarios.into_iter().filter(is_wanted).collect()
    }

    /// The numbers of peers and documents.
    fn parameters(&self) -> Result<Parameters, String> {
        let fetch = self.fetch.map(usize::from);
        let parameters = Parameters::new(self.peers.into(), self.per_peer.into(), fetch);
        parameters.map_err(|error| error.to_string())
    }

    /// The files to generate, if there is no corpus.
    fn synthetic(&self, parameters: Parameters) -> Result<Synthetic, String> {
        let count = parameters.documents();
        match self.synthetic {
            Some(_) if self.corpus.is_some() => {
                Err("--synthetic conflicts with --corpus".to_owned())
            }
            Some(Synthetic { count: there, .. }) if there < count => Err(format!(
                "--synthetic generates {there} files, but {count} are needed"
            )),
            Some(Synthetic { size, .. }) => Ok(Synthetic { count, size }),
            None => Ok(Synthetic {
                count,
                size: DEFAULT_SIZE,
            }),
        }
    }
}

/// Runs an experiment with its own servers and peers, and prints the results.
pub(crate) fn run(arguments: &Arguments, options: &Options, screen: &Screen) -> ExitCode {
    let parameters = options.parameters();
    let parameters = parameters.unwrap_or_else(|error| usage_error(&error));
    let synthetic = options.synthetic(parameters);
    let synthetic = synthetic.unwrap_or_else(|error| usage_error(&error));
    let shows = if arguments.print_messages {
        Shows::Messages
    } else {
        Shows::Nothing
    };
    let perform = |transcript: &Transcript| {
        let stop = Stop::default();
        let stopping = stop.clone();
        signals::on_stop(move |signal| stopping.now(signal)).context("cannot handle signals")?;
        let progress = Progress::new(screen);
        let events = Events::default().and(progress.clone());
        let events = events.and(transcript.clone()).and(Log);
        let documents = match &options.corpus {
            Some(folder) => Documents::of_corpus(folder, parameters.documents()),
            None => Documents::synthetic(synthetic),
        };
        let experiment = Experiment {
            parameters,
            scenarios: options.scenarios(),
            documents: documents.map_err(Failure::other)?,
            upload_rate: arguments.upload_rate.unwrap_or(UPLOAD_RATE),
            repeat: options.repeat,
            out: options.out.clone(),
        };
        let stage = Stage {
            transcript: transcript.clone(),
            events,
            progress,
            says: !arguments.quiet,
            stop: stop.clone(),
        };
        let found = experiment.perform(&stage);
        if let Some(signal) = stop.signal() {
            return Err(Failure::said(Code::Interrupted(signal)));
        }
        found.map_err(Failure::other)?.print(&stage)
    };
    match program::transcript(screen, shows, arguments.transcript.as_deref()) {
        Ok(transcript) => program::run(&transcript, || perform(&transcript)),
        Err(failure) => program::exit_code(screen, Err(failure)),
    }
}
