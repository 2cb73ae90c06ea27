//! The peer: arguments, the library, the upload server, the index, then the menu or one command.

mod arguments;
mod task;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use p2pci::doors::Console;
use p2pci::doors::commands::{self, Format};
use p2pci::event::{Event, Events, Level, Role, Topic};
use p2pci::index::{self, CookieFile, Index, IndexError, Kind, Known, Participation};
use p2pci::library::{Library, LibraryError};
use p2pci::net::{Dialects, Limits, Listener, Pace, Sockets, operating_system};
use p2pci::node::{Activity, Peer, name, watch};
use p2pci::printout::{Log, Transcript};
use p2pci::program::signals;
use p2pci::program::{self, Code, Failure};
use p2pci::terminal::progress::Progress;
use p2pci::terminal::{Modes, Screen};
use p2pci::transfer::{Downloader, Uploads};
use p2pci::wire::di::exchange::Timed;
use p2pci::wire::{Endpoint, Port, Protocol};

use arguments::{Arguments, Command};
use task::Task;

/// How long the uploads at work have to end when the peer stops.
const STOP_TIME: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut arguments: Arguments = program::options();
    let screen = Screen::default();
    program::log_to_stderr(arguments.verbose, &screen);
    let (task, format) = match arguments.command.take() {
        None => (Task::Menu, Format::Nothing),
        Some(Command::Share) => (Task::Share, Format::Nothing),
        Some(Command::Lookup { number, format }) => (Task::Lookup(number), format.into()),
        Some(Command::List { format }) => (Task::List, format.into()),
        Some(Command::Find { words, format }) => (Task::Find(words), format.into()),
        Some(Command::Add {
            number,
            title,
            format,
        }) => (Task::Add(number, title), format.into()),
        Some(Command::Get(get)) => {
            let format = get.format();
            (Task::get(get), format)
        }
        Some(Command::Experiment(experiment)) => {
            return task::experiment(&arguments, &experiment, &screen);
        }
    };
    if format == Format::Json && arguments.print_messages {
        task::usage_error("--json has no place where the messages are printed as well");
    }
    let shows = task.shows(&arguments);
    // Put back at the very end, whatever the prompt was at.
    let _modes = Modes::save();
    match program::transcript(&screen, shows, arguments.transcript.as_deref()) {
        Ok(transcript) => program::run(&transcript, || {
            let ended = take_part(&arguments, &task, format, &transcript);
            match &ended {
                Err(failure) if failure.error.is_some() && format == Format::Json => {
                    commands::print_error(failure, &transcript)?;
                }
                _ => {}
            }
            ended
        }),
        Err(failure) => program::exit_code(&screen, Err(failure)),
    }
}

fn open_library(
    arguments: &Arguments,
    task: &Task,
    events: Events,
) -> Result<Arc<Library>, Failure> {
    if !task.shares() {
        return Ok(Arc::new(Library::unshared(&arguments.dir, events)?));
    }
    match Library::open(&arguments.dir, arguments.rfcs.as_deref(), events) {
        Ok(library) => Ok(Arc::new(library)),
        Err(error @ LibraryError::Missing { .. }) => Err(Failure::new(
            Code::NotFound,
            anyhow::Error::new(error).context("not found"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Starts the upload server, joins the index, does the task, and leaves.
fn take_part(
    arguments: &Arguments,
    task: &Task,
    format: Format,
    transcript: &Transcript,
) -> Result<(), Failure> {
    let screen = transcript.screen();
    let (progress, activity) = (Progress::new(screen), Activity::default());
    // A bar is gone before a line says how it ended.
    let events = Events::default().and(progress.clone());
    let events = events.and(activity.clone());
    let events = events.and(transcript.clone()).and(Log);
    let library = open_library(arguments, task, events.clone())?;
    let os: Arc<str> = operating_system().into();
    let uploading = Sockets::with_limits(Limits {
        total: program::connections_within_limits(arguments.max_uploads, &events),
        ..Limits::default()
    });
    let asking = Sockets::default();
    let (mut console, hangup) = Console::new(transcript.clone(), screen.clone());
    let signal = Arc::new(AtomicU8::new(0));
    let stop = (hangup, asking.clone(), uploading.clone(), signal.clone());
    signals::on_stop(move |number| {
        stop.3.store(number, Ordering::SeqCst);
        stop.0.hang_up();
        stop.1.close_all();
        stop.2.close_all();
    })
    .context("cannot handle signals")?;

    let listener = Listener::bind(arguments.bind, arguments.upload_port)?;
    let port = listener.port();
    events.tell(Topic::Life, || Event::Listening {
        role: Role::Upload,
        port,
    });
    let name = name::choose(
        arguments.hostname.clone(),
        arguments.bind,
        &arguments.server(),
    );
    events.tell(Topic::Life, || Event::Named {
        host: &name.host,
        reason: name.reason.to_string().into(),
    });
    let port = Port::new(port).context("the upload server has no port")?;
    let known = Known::new(Endpoint {
        host: name.host,
        port,
    });
    let uploads = Uploads {
        library: library.clone(),
        me: known.me().clone(),
        known: told(&library, &known),
        pace: Pace::new(arguments.upload_rate.unwrap_or_default()),
        sockets: uploading.clone(),
        events: events.clone(),
        os: os.clone(),
    };
    in_background("uploads", move || uploads.serve(listener))?;

    let protocol = match arguments.index {
        Kind::Central => Protocol::Ci,
        Kind::Distributed => Protocol::Di,
    };
    let dialects = Dialects::new(arguments.dialect.only());
    let downloader = Downloader {
        sockets: asking.clone(),
        events: events.clone(),
        os,
        protocol,
        dialects: dialects.clone(),
    };
    let joined = join(
        arguments, task, &library, &known, &asking, &events, dialects,
    );
    let ended = match joined {
        Ok(index) => {
            let me = known.me().clone();
            let peer = Peer::new(me, library, index, downloader, activity, events);
            let peer = Arc::new(peer);
            let registered = if task.shares() {
                share(&peer, &arguments.dir)
            } else {
                Ok(())
            };
            let says = !arguments.quiet;
            let ended = registered
                .and_then(|()| task.run(&peer, format, &mut console, &progress, transcript, says));
            // The prompt goes first, so that what is printed from here on is seen.
            drop(console);
            peer.index.leave();
            ended
        }
        Err(error @ IndexError::Unreachable(_)) => Err(Failure::new(
            Code::IndexUnreachable,
            anyhow::Error::new(error).context("the index server can't be reached"),
        )),
        Err(error) => Err(commands::of_index(error)),
    };
    // Whoever downloads at the moment may finish, but does not keep us.
    uploading.stop_listening();
    if !uploading.wait_until_none(STOP_TIME) {
        uploading.close_all();
    }
    match signal.load(Ordering::SeqCst) {
        0 => ended,
        // To share until a signal comes is what was asked, and so is to leave the menu by one.
        _ if task.shares() => Ok(()),
        signal => Err(Failure::said(Code::Interrupted(signal))),
    }
}

/// What is told to those who ask this peer for its index.
fn told(library: &Arc<Library>, known: &Known) -> impl Fn() -> Vec<Timed> + use<> {
    let (library, known) = (library.clone(), known.clone());
    move || known.all(library.shared(), Instant::now())
}

/// Joins the index of the kind that is wanted.
fn join(
    arguments: &Arguments,
    task: &Task,
    library: &Arc<Library>,
    known: &Known,
    asking: &Sockets,
    events: &Events,
    dialects: Dialects,
) -> Result<Arc<dyn Index>, IndexError> {
    let server = arguments.server();
    let cookie_file = match arguments.index {
        Kind::Central => None,
        Kind::Distributed => cookie_file(&server, task, arguments, events),
    };
    let participation = Participation {
        server,
        library: library.clone(),
        known: known.clone(),
        dialects,
        sockets: asking.clone(),
        events: events.clone(),
        os: operating_system().into(),
        pipeline: arguments.pipeline.into(),
        cookie_file,
    };
    index::join(arguments.index, participation)
}

/// The file that keeps the cookie of this peer. Without one the peer is a new one to the
/// registration server each time, which is no reason not to take part.
fn cookie_file(
    server: &Endpoint,
    task: &Task,
    arguments: &Arguments,
    events: &Events,
) -> Option<CookieFile> {
    // Commands that share nothing are one peer, whatever their folder.
    let shared = if task.shares() {
        arguments.dir.as_path()
    } else {
        Path::new("")
    };
    let state = program::state_folder()?;
    match CookieFile::open(&state, server, shared) {
        Ok(Some(file)) => Some(file),
        Ok(None) => {
            if task.shares() {
                let folder = arguments.dir.display();
                events.notice(
                    Level::Info,
                    format_args!(
                        "Another peer shares {folder} as well, so this one registers without a \
                         cookie"
                    ),
                );
            }
            None
        }
        Err(error) => {
            let state = state.display();
            let what = format_args!("the cookie can't be kept in {state}: {error}");
            events.notice(Level::Warning, what);
            None
        }
    }
}

/// Registers the folder, now and whenever something comes into it.
fn share(peer: &Arc<Peer>, folder: &Path) -> Result<(), Failure> {
    let folder = folder.display();
    match peer.register_all() {
        Ok(0) => peer.events.notice(
            Level::Warning,
            format_args!("no RFCs are shared: {folder} has no files named rfcN.txt"),
        ),
        Ok(count) => peer.events.notice(
            Level::Info,
            format_args!("{count} RFC(s) of {folder} are shared"),
        ),
        // The index will be back, and sharing goes on meanwhile.
        Err(error) if error.is_passing() => {}
        Err(error) => return Err(commands::of_index(error)),
    }
    let watched = Arc::clone(peer);
    in_background("folder", move || watch::run(&watched))
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    let context = || format!("cannot start the thread {name:?}");
    Ok(thread.map(drop).with_context(context)?)
}
