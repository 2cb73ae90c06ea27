//! What a peer is to do once it takes part, and the experiment, which is many peers.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;
use p2pci::doors::commands::{self, Format, Wanted};
use p2pci::doors::{Console, menu};
use p2pci::event::Events;
use p2pci::experiment::Experiment;
use p2pci::experiment::documents::Documents;
use p2pci::experiment::stage::Stage;
use p2pci::net::{Stop, operating_system};
use p2pci::node::Peer;
use p2pci::node::numbers::Selection;
use p2pci::printout::{Log, Shows, Transcript};
use p2pci::program::signals;
use p2pci::program::{self, Code, Failure};
use p2pci::terminal::Screen;
use p2pci::terminal::progress::Progress;
use p2pci::wire::{RfcNumber, Title};

use crate::arguments::{self, Arguments, Get};

/// How fast each peer of an experiment uploads, in bytes a second. Without a limit loopback would
/// make all scenarios the same.
const EXPERIMENT_RATE: u64 = 2_000_000;

/// What the peer is to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// The menu.
    Menu,
    /// Share until a signal comes.
    Share,
    Lookup(RfcNumber),
    List,
    Find(Vec<String>),
    Get(Get, Selection),
    Add(RfcNumber, Option<Title>),
}

/// Ends the program for options that are no sense together. What comes from the environment may
/// stand against what the command line says only where this finds it wrong, so clap is not asked.
pub(crate) fn usage_error(error: &str) -> ! {
    Arguments::command()
        .error(ErrorKind::ArgumentConflict, error)
        .exit()
}

impl Task {
    /// The downloads that are wanted. Ends the program where they are no sense.
    pub(crate) fn get(get: Get) -> Self {
        match get.selection() {
            Ok(selection) => Self::Get(get, selection),
            Err(error) => usage_error(&error),
        }
    }

    /// Whether the whole folder is registered, and the peer stays until it is told to end: a signal
    /// is no failure then.
    pub(crate) fn shares(&self) -> bool {
        match self {
            Self::Menu | Self::Share => true,
            Self::Get(get, _) => get.share,
            _ => false,
        }
    }

    /// What standard output shows of the printout.
    pub(crate) fn shows(&self, arguments: &Arguments) -> Shows {
        match self {
            _ if arguments.print_messages => Shows::Messages,
            Self::Menu if !arguments.quiet => Shows::Messages,
            Self::Menu | Self::Share => Shows::Life,
            _ => Shows::Nothing,
        }
    }

    /// Does it, and prints the result in a format.
    pub(crate) fn run(
        &self,
        peer: &Peer,
        format: Format,
        console: &mut Console,
        progress: &Progress,
        transcript: &Transcript,
        says: bool,
    ) -> Result<(), Failure> {
        let ended = match self {
            Self::Menu => {
                let history = program::state_folder().map(|folder| folder.join("history"));
                console
                    .read_stdin(history)
                    .context("cannot read standard input")?;
                menu::run(peer, console, transcript);
                return Ok(());
            }
            Self::Share => Ok(()),
            Self::Lookup(number) => commands::lookup(peer, *number, format, transcript),
            Self::List => commands::list(peer, format, transcript),
            Self::Find(words) => commands::find(peer, words, format, transcript),
            Self::Add(number, title) => {
                commands::add(peer, *number, title.clone(), format, transcript)
            }
            Self::Get(get, selection) => {
                let wanted = Wanted {
                    selection: selection.clone(),
                    output: get.output.as_deref(),
                    force: get.force,
                    jobs: get.jobs,
                    says,
                };
                commands::get(peer, &wanted, format, progress, transcript)
            }
        };
        if self.shares() {
            console.wait_for_hangup();
        }
        ended
    }
}

/// Runs an experiment, with its own servers and peers, and prints what it has found.
pub(crate) fn experiment(
    arguments: &Arguments,
    options: &arguments::Experiment,
    screen: &Screen,
) -> ExitCode {
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
        let experiment = Experiment {
            parameters,
            scenarios: options.scenarios(),
            documents: match &options.corpus {
                Some(folder) => Documents::of_corpus(folder, parameters.documents())?,
                None => Documents::synthetic(synthetic)?,
            },
            upload_rate: arguments.upload_rate.unwrap_or(EXPERIMENT_RATE),
            repeat: options.repeat,
            out: options.out.clone(),
        };
        let stage = Stage {
            transcript: transcript.clone(),
            events,
            progress,
            says: !arguments.quiet,
            stop: stop.clone(),
            os: operating_system().into(),
        };
        let found = experiment.perform(&stage);
        if let Some(signal) = stop.signal() {
            return Err(Failure::said(Code::Interrupted(signal)));
        }
        found?.print(&stage)
    };
    match program::transcript(screen, shows, arguments.transcript.as_deref()) {
        Ok(transcript) => program::run(&transcript, || perform(&transcript)),
        Err(failure) => program::exit_code(screen, Err(failure)),
    }
}
