//! The peer: a node with a menu or a command, an experiment, or a grader.

mod arguments;
mod background;
mod daemon;
mod experiment;
mod grade;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use p2pci::doors::commands::{Printer, Send};
use p2pci::doors::menu::{self, Console};
use p2pci::index::Kind;
use p2pci::node::Node;
use p2pci::printout::Shows;
use p2pci::program::{self, Code, Failure, page, signals};
use p2pci::terminal::{Modes, Screen};
use p2pci::web::NodePage;

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
        Some(Command::Send(request)) => send(&arguments, request, &screen),
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
    if arguments.web.is_some()
        && !arguments.may_have_page()
        && program::is_typed::<Arguments>("web")
    {
        usage_error("--web needs a peer that stays: use it with the menu or with share");
    }
}

fn send(arguments: &Arguments, request: &Send, screen: &Screen) -> ExitCode {
    program::run(screen, arguments.printing(), |stage| {
        let stop = stage.stop.clone();
        signals::on_stop(move |signal| stop.now(signal))?;
        let ended = request.run(&arguments.server(), stage);
        match stage.stop.signal() {
            None => ended,
            Some(signal) => Err(Failure::reported(Code::Interrupted(signal))),
        }
    })
}

fn take_part(arguments: &Arguments, screen: &Screen) -> ExitCode {
    // Restored at the very end, even if the prompt is still reading.
    let _modes = Modes::save();
    let mut printing = arguments.printing();
    if daemon::is_child() {
        // Nobody reads it; a transcript or the log has it on request.
        printing.shows = Shows::Nothing;
    }
    program::run(screen, printing, |stage| {
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
    check_folder(&arguments.dir)?;
    let stop = &printer.stage.stop;
    let console = Console::new(printer.stage.transcript.clone(), stop.clone());
    let (stopping, hang_up) = (stop.clone(), console.hangup());
    signals::on_stop_unless(console.interrupt(), move |signal| {
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
        // A signal is the normal way to stop sharing or staying, and an accepted way to leave the menu.
        Some(_) if arguments.stays() => Ok(()),
        Some(signal) => Err(Failure::reported(Code::Interrupted(signal))),
    }
}

/// A file in the place of the folder, or of one above it, would fail each use in its own way.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    // Without a slash at its end.
    let found = folder
        .components()
        .as_path()
        .ancestors()
        .find_map(|path| Some((path, fs::metadata(path).ok()?)));
    match found {
        Some((path, found)) if !found.is_dir() => {
            let path = path.display();
            Err(Failure::other(format_args!(
                "{path} is a file, not a folder"
            )))
        }
        _ => Ok(()),
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
    let place = arguments.web.as_ref().filter(|_| arguments.may_have_page());
    let web = page::open(place)?;
    let events = page::read(web.as_ref(), &stage.events);
    let node = Node::start(&arguments.node(&events), &events, &stage.stop)?;
    if arguments.shares() {
        node.share()?;
    }
    let _server = match &mut socket {
        Some(socket) => Some(background::serve(socket, &node, stage)?),
        None => None,
    };
    let mut about = page::about("peer", arguments.kind(), node.endpoint());
    // With a hash table no server is part of the index.
    let has_server = arguments.kind() != Kind::Dht;
    about.index = has_server.then(|| arguments.server().to_string());
    let _web = page::serve(web, NodePage::new(about, (*node).clone()), true, stage)?;
    if daemon::is_child() {
        daemon::detach(arguments, &node, stage)?;
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
        return menu::run(node, console, &printer.stage.transcript);
    }
    let ended = arguments.work().map_or(Ok(()), |work| {
        work.run(node, printer, &background::sharing(arguments))
    });
    // A failed `add` has nothing to stay for.
    if arguments.shares() || (arguments.stays() && ended.is_ok()) {
        console.wait_for_hangup();
    }
    ended
}
