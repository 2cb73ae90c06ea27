//! The peer: options, a node, and the menu or a command.

mod arguments;
mod experiment;

use std::process::ExitCode;

use anyhow::Context;
use p2pci::doors::commands::{self, Printer};
use p2pci::doors::menu::{self, Console};
use p2pci::event::Events;
use p2pci::net::Stop;
use p2pci::node::Node;
use p2pci::printout::Log;
use p2pci::program::{self, Code, Failure, signals};
use p2pci::terminal::progress::Progress;
use p2pci::terminal::{Modes, Screen};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments: Arguments = program::options();
    let screen = Screen::default();
    program::log_to_stderr(arguments.verbose, &screen);
    match &arguments.command {
        Some(Command::Experiment(options)) => experiment::run(&arguments, options, &screen),
        _ => take_part(&arguments, &screen),
    }
}

fn take_part(arguments: &Arguments, screen: &Screen) -> ExitCode {
    let work = arguments.work();
    // Restored at the very end, whatever state the prompt was in.
    let _modes = Modes::save();
    let transcript =
        program::transcript(screen, arguments.shows(), arguments.transcript.as_deref());
    let transcript = match transcript {
        Ok(transcript) => transcript,
        Err(failure) => return program::exit_code(screen, Err(failure)),
    };
    let progress = Progress::new(screen);
    // Bars disappear before the line that reports the end.
    let events = Events::default().and(progress.clone());
    let events = events.and(transcript.clone()).and(Log);
    let printer = Printer {
        format: arguments.format(),
        transcript: &transcript,
        events: &events,
        says: !arguments.quiet,
        progress: &progress,
    };
    program::run(&transcript, || {
        let ended = share(arguments, work.as_ref(), &printer);
        if let Err(failure) = &ended {
            printer.failure(failure)?;
        }
        ended
    })
}

/// Starts a node, runs the menu or a command, and leaves.
fn share(
    arguments: &Arguments,
    work: Option<&commands::Command>,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    let Printer {
        transcript, events, ..
    } = *printer;
    let stop = Stop::default();
    let (mut console, hangup) = Console::new(transcript.clone(), stop.clone());
    let stopping = stop.clone();
    signals::on_stop(move |signal| {
        stopping.now(signal);
        hangup.hang_up();
    })
    .context("cannot handle signals")?;
    let ended = Node::start(&arguments.node(events), events, &stop).and_then(|node| {
        let shared = if arguments.shares() {
            node.share()
        } else {
            Ok(())
        };
        let ended = shared.and_then(|()| open_door(arguments, work, &node, &mut console, printer));
        // The prompt closes first, so that later output is visible.
        drop(console);
        ended
    });
    match stop.signal() {
        None => ended,
        // A signal is the normal way to end sharing, and an accepted way to leave the menu.
        Some(_) if arguments.shares() => Ok(()),
        Some(signal) => Err(Failure::said(Code::Interrupted(signal))),
    }
}

fn open_door(
    arguments: &Arguments,
    work: Option<&commands::Command>,
    node: &Node,
    console: &mut Console,
    printer: &Printer<'_>,
) -> Result<(), Failure> {
    if arguments.command.is_none() {
        let history = program::state_folder().map(|folder| folder.join("history"));
        let reading = console.read_stdin(history);
        reading.context("cannot read standard input")?;
        menu::run(node, console, printer.transcript);
        return Ok(());
    }
    let ended = work.map_or(Ok(()), |work| work.run(node, printer));
    if arguments.shares() {
        console.wait_for_hangup();
    }
    ended
}
