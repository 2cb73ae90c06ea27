//! The peer: a node with a menu or a command, an experiment, or a grader.

mod arguments;
mod background;
mod daemon;
mod experiment;
mod grade;

use std::process::ExitCode;

use anyhow::Context;
use p2pci::doors::commands::Printer;
use p2pci::doors::menu::{self, Console};
use p2pci::node::Node;
use p2pci::printout::Shows;
use p2pci::program::{self, Code, Failure, signals};
use p2pci::terminal::{Modes, Screen};

use arguments::{Arguments, Command, usage_error};

fn main() -> ExitCode {
    if let Some(code) = p2pci::grade::program::becomes_program() {
        return code;
    }
    let arguments: Arguments = program::options();
    check(&arguments);
    let screen = Screen::default();
    if arguments.share().is_some_and(|share| share.daemon) && !daemon::is_child() {
        return daemon::start(&screen);
    }
    let reader = match &arguments.command {
        Some(Command::Experiment(options)) => options.log_reader(),
        _ => None,
    };
    program::log_to_stderr(arguments.verbose, &screen, reader);
    match &arguments.command {
        Some(Command::Experiment(options)) => experiment::run(&arguments, options, &screen),
        Some(Command::Grade(options)) => grade::run(&arguments, options, &screen),
        _ => take_part(&arguments, &screen),
    }
}

/// Exits if options conflict.
fn check(arguments: &Arguments) {
    if let Some(work) = arguments.work() {
        let checked = work.check(arguments.print_messages);
        checked.unwrap_or_else(|error| usage_error(&error));
    }
    if arguments
        .share()
        .is_some_and(|it| it.daemon && it.foreground)
    {
        usage_error("--daemon conflicts with --foreground");
    }
}

fn take_part(arguments: &Arguments, screen: &Screen) -> ExitCode {
    // Restored at the very end, even if the prompt is still reading.
    let _modes = Modes::save();
    let shows = if daemon::is_child() {
        // Nobody reads it; a transcript or the log has it on request.
        Shows::Nothing
    } else {
        arguments.shows()
    };
    let file = arguments.transcript.as_deref();
    program::run(screen, shows, file, arguments.quiet, |stage| {
        let format = arguments.format();
        let printer = Printer { format, stage };
        let ended = act(arguments, &printer);
        if let Err(failure) = &ended {
            printer.failure(failure)?;
        }
        ended
    })
}

/// Acts until the end or a signal: with a peer in the background, or with a new node.
fn act(arguments: &Arguments, printer: &Printer<'_>) -> Result<(), Failure> {
    let stop = &printer.stage.stop;
    let console = Console::new(printer.stage.transcript.clone(), stop.clone());
    let (stopping, hang_up) = (stop.clone(), console.hangup());
    signals::on_stop(move |signal| {
        stopping.now(signal);
        hang_up();
    })?;
    let ended = match (
        &arguments.command,
        background::peer(arguments, printer.stage),
    ) {
        (_, Err(failure)) => Err(failure),
        (Some(Command::Background(command)), Ok(Some(peer))) => command.run(&peer, printer),
        (Some(Command::Background(_)), Ok(None)) => Err(background::nobody(arguments)),
        (Some(Command::Work(work)), Ok(Some(peer))) => work.run_in_background(&peer, printer),
        (_, Ok(_)) => share(arguments, console, printer),
    };
    match stop.signal() {
        None => ended,
        // A signal is the normal way to stop sharing, and an accepted way to leave the menu.
        Some(_) if arguments.shares() => Ok(()),
        Some(signal) => Err(Failure::reported(Code::Interrupted(signal))),
    }
}

/// Starts a node, runs the menu or the command, and leaves.
fn share(
    arguments: &Arguments,
    mut console: Console,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    let stage = printer.stage;
    // Before the peer joins, so that a second one for the same folder does not.
    let mut socket = background::socket(arguments)?;
    let node = Node::start(&arguments.node(&stage.events), &stage.events, &stage.stop)?;
    if arguments.shares() {
        node.share()?;
    }
    let _server = match &mut socket {
        Some(socket) => Some(background::serve(socket, &node, stage)?),
        None => None,
    };
    if daemon::is_child() {
        daemon::detach(arguments, stage)?;
    }
    let ended = open_door(arguments, &node, &mut console, printer);
    // The prompt ends first, because it would hold back the output of leaving.
    drop(console);
    ended
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
