//! `peer experiment`: many peers in one process.

use std::process::ExitCode;

use p2pci::experiment::{self, Options};
use p2pci::program::{self, signals};
use p2pci::terminal::Screen;

use crate::arguments::{Arguments, usage_error};

pub(crate) fn run(arguments: &Arguments, options: &Options, screen: &Screen) -> ExitCode {
    options.check().unwrap_or_else(|error| usage_error(&error));
    program::run(screen, arguments.printing(), |stage| {
        let stop = stage.stop.clone();
        signals::on_stop(move |signal| stop.now(signal))?;
        experiment::perform(options, arguments.upload_rate, stage)
    })
}
