//! The experiment, which is many peers in one process.

use std::process::ExitCode;

use p2pci::experiment::{self, Options};
use p2pci::program::{self, signals};
use p2pci::terminal::Screen;

use crate::arguments::{Arguments, usage_error};

/// How fast each peer of an experiment uploads, in bytes a second. Without a limit loopback would
/// make all scenarios the same.
const UPLOAD_RATE: u64 = 2_000_000;

/// Runs an experiment, with its own servers and peers, and prints what it has found.
pub(crate) fn run(arguments: &Arguments, options: &Options, screen: &Screen) -> ExitCode {
    options.check().unwrap_or_else(|error| usage_error(&error));
    let (file, is_quiet) = (arguments.transcript.as_deref(), arguments.quiet);
    program::run(screen, arguments.shows(), file, is_quiet, |stage| {
        let stop = stage.stop.clone();
        signals::on_stop(move |signal| stop.now(signal))?;
        let upload_rate = arguments.upload_rate.unwrap_or(UPLOAD_RATE);
        experiment::perform(options, upload_rate, stage)
    })
}
