//! The peer: a node with a menu or a command, or an experiment.

mod arguments;
mod experiment;

use std::process::ExitCode;

use anyhow::Context;
use p2pci::doors::commands::{Command, Format, Printer};
use p2pci::doors::menu::{self, Console};
use p2pci::node::Node;
use p2pci::program::{self, Code, Failure, signals};
use p2pci::terminal::{Modes, Screen};

use arguments::{Arguments, usage_error};

fn main() -> ExitCode {
    let arguments: Arguments = program::options();
    let screen = Screen::default();
    program::log_to_stderr(arguments.verbose, &screen);
    match &arguments.command {
        Some(arguments::Command::Experiment(options)) => {
            experiment::run(&arguments, options, &screen)
        }
        _ => take_part(&arguments, &screen),
    }
}

fn take_part(arguments: &Arguments, screen: &Screen) -> ExitCode {
    if let Some(work) = arguments.work() {
        let checked = work.check(arguments.print_messages);
        checked.unwrap_or_else(|error| usage_error(&error));
    }
    // Restored at the very end, even if the prompt is still reading.
    let _modes = Modes::save();
    let (shows, file) = (arguments.shows(), arguments.transcript.as_deref());
    program::run(screen, shows, file, arguments.quiet, |stage| {
        let format = arguments.work().map_or(Format::Lines, Command::format);
        let printer = Printer { format, stage };
        let ended = share(arguments, &printer);
        if let Err(failure) = &ended {
            printer.failure(failure)?;
        }
        ended
    })
}

/// Starts a node, runs the menu or the command, and leaves.
fn share(arguments: &Arguments, printer: &Printer<'_>) -> Result<(), Failure> {
    let (events, stop) = (&printer.stage.events, &printer.stage.stop);
    let mut console = Console::new(printer.stage.transcript.clone(), stop.clone());
    let (stopping, hang_up) = (stop.clone(), console.hangup());
    signals::on_stop(move |signal| {
        stopping.now(signal);
        hang_up();
    })?;
    let ended = Node::start(&arguments.node(events), events, stop).and_then(|node| {
        if arguments.shares() {
            node.share()?;
        }
        let ended = open_door(arguments, &node, &mut console, printer);
        // The prompt ends first, because it would hold back the output of leaving.
        drop(console);
        ended
    });
    match stop.signal() {
        None => ended,
        // A signal is the normal way to stop sharing, and an accepted way to leave the menu.
        Some(_) if arguments.shares() => Ok(()),
        Some(signal) => Err(Failure::reported(Code::Interrupted(signal))),
    }
}

fn open_door(
    arguments: &Arguments,
    node: &Node,
    console: &mut Console,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    if arguments.command.is_none() {
        let history = program::state_folder().map(|folder| folder.join("history"));
        let reading = console.read_stdin(history);
        reading.context("cannot read standard input")?;
        menu::run(node, console, &printer.stage.transcript);
        return Ok(());
    }
    let ended = arguments
        .work()
        .map_or(Ok(()), |work| work.run(node, printer));
    if arguments.shares() {
        console.wait_for_hangup();
    }
    ended
}
