//! The experiment, which is many peers in one process.

use std::process::ExitCode;

use anyhow::Context;
use p2pci::event::Events;
use p2pci::experiment::{self, Options, Stage};
use p2pci::net::Stop;
use p2pci::printout::{Log, Shows};
use p2pci::program::{self, signals};
use p2pci::terminal::Screen;
use p2pci::terminal::progress::Progress;

use crate::arguments::{Arguments, usage_error};

/// How fast each peer of an experiment uploads, in bytes a second. Without a limit loopback would
/// make all scenarios the same.
const UPLOAD_RATE: u64 = 2_000_000;

/// Runs an experiment, with its own servers and peers, and prints what it has found.
pub(crate) fn run(arguments: &Arguments, options: &Options, screen: &Screen) -> ExitCode {
    options.check().unwrap_or_else(|error| usage_error(&error));
    let shows = if arguments.print_messages {
        Shows::Messages
    } else {
        Shows::Nothing
    };
    let transcript = match program::transcript(screen, shows, arguments.transcript.as_deref()) {
        Ok(transcript) => transcript,
        Err(failure) => return program::exit_code(screen, Err(failure)),
    };
    let (stop, progress) = (Stop::default(), Progress::new(screen));
    let events = Events::default().and(progress.clone());
    let stage = Stage {
        events: events.and(transcript.clone()).and(Log),
        transcript,
        progress,
        says: !arguments.quiet,
        stop: stop.clone(),
    };
    program::run(&stage.transcript, || {
        signals::on_stop(move |signal| stop.now(signal)).context("cannot handle signals")?;
        let upload_rate = arguments.upload_rate.unwrap_or(UPLOAD_RATE);
        experiment::perform(options, upload_rate, &stage)
    })
}
