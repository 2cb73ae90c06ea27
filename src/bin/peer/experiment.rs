//! `peer experiment`: many peers in one process.

use std::process::ExitCode;

use p2pci::experiment::{self, Options};
use p2pci::program::{self, signals};
use p2pci::terminal::Screen;

use crate::arguments::{Arguments, usage_error};

/// The default upload rate of each peer, in bytes per second. Without a limit, loopback would be so
/// fast that all scenarios take the same time.
const UPLOAD_RATE: u64 = 2_000_000;

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
