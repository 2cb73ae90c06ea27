//! `peer grade`: judges other programs.

use std::process::ExitCode;
use std::time::Duration;

use p2pci::grade::{self, Options, program::isolate};
use p2pci::program::{self, signals};
use p2pci::terminal::Screen;

use crate::arguments::{Arguments, usage_error};

/// How long unread output may delay the end.
const PRINT_TIME: Duration = Duration::from_secs(2);

pub(crate) fn run(arguments: &Arguments, options: &Options, screen: &Screen) -> ExitCode {
    options.check().unwrap_or_else(|error| usage_error(&error));
    if options.is_isolated()
        && let Err(error) = isolate()
    {
        screen.error(error);
        screen.stderr().finish(PRINT_TIME);
        return ExitCode::FAILURE;
    }
    program::run(screen, arguments.printing(), |stage| {
        let stop = stage.stop.clone();
        signals::on_stop(move |signal| stop.now(signal))?;
        grade::perform(options, stage)
    })
}
