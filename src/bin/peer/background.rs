//! The control socket: which one belongs to a folder, and who serves or uses it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use p2pci::control::{self, Client, LocalPath, Server};
use p2pci::file_error::FileError;
use p2pci::index::Kind;
use p2pci::net::LocalError;
use p2pci::node::Node;
use p2pci::program::{self, Code, Failure, Stage, signals};
use p2pci::wire::Endpoint;
use tracing::info;

use crate::arguments::{Arguments, Command, FOLDER};

/// The peer in the background that does the work of a command, if there is one for its folder.
///
/// A peer with another index than the one that the options name does not, and neither does any if
/// the user wants to see the messages, which are those of the peer.
pub(crate) fn peer(arguments: &Arguments, stage: &Stage) -> Result<Option<Client>, Failure> {
    let is_possible = match &arguments.command {
        Some(Command::Background(_)) => true,
        Some(Command::Work(work)) => {
            !work.shares() && !arguments.print_messages && arguments.transcript.is_none()
        }
        _ => false,
    };
    // A folder that does not exist has no peer.
    let Some(path) = path(arguments).filter(|_| is_possible) else {
        return Ok(None);
    };
    let Some(found) = Client::find(&path, &arguments.dir, stage.events.clone(), &stage.stop)?
    else {
        info!("no peer in the background at {}", path.display());
        return Ok(None);
    };
    let (status, is_work) = (found.found(), arguments.work().is_some());
    if is_work && !is_index_of(arguments, status.kind, &status.index.server) {
        let (kind, server) = (status.kind, &status.index.server);
        info!("the peer in the background uses another index: {kind} {server}");
        return Ok(None);
    }
    info!("using the peer in the background, process {}", status.pid);
    Ok(Some(found))
}

/// Whether the index that the options name, if any, is this one.
fn is_index_of(arguments: &Arguments, kind: Kind, server: &Endpoint) -> bool {
    let same_kind = arguments.index.is_none_or(|named| named == kind);
    let same_server = arguments.host.as_ref().is_none_or(|(host, port)| {
        *server
            == Endpoint {
                host: host.clone(),
                port: port.unwrap_or(kind.port()),
            }
    });
    same_kind && same_server
}

/// The failure of a command that needs a peer in the background.
pub(crate) fn nobody(arguments: &Arguments) -> Failure {
    // While it starts, it has a socket that does not listen yet.
    let gone = path(arguments).filter(|path| !LocalPath::is_there(path));
    if let Some(process) = gone.and_then(|path| LocalPath::user(&path)) {
        let what = "the socket of the peer in the background is gone";
        let what =
            format_args!("{what}; `kill {process}` ends the peer, and another can be started");
        return Failure::new(Code::IndexUnreachable, what);
    }
    let what = match &arguments.socket {
        Some(path) => format!("at {}", path.display()),
        None => format!("for {}", arguments.dir.display()),
    };
    let start = sharing(arguments);
    let what = format_args!("no peer runs in the background {what}; `{start}` starts one");
    Failure::new(Code::NotFound, what)
}

/// The socket that a peer serves, if any: in the background, or if it is named.
pub(crate) fn socket(arguments: &Arguments) -> Result<Option<LocalPath>, Failure> {
    let may_serve = match &arguments.command {
        None => arguments.socket.is_some(),
        Some(Command::Share(share)) => {
            share.daemon || share.foreground || arguments.socket.is_some()
        }
        Some(_) => false,
    };
    if !may_serve {
        return Ok(None);
    }
    let folder = &arguments.dir;
    fs::create_dir_all(folder).map_err(FileError::of("create the folder", folder))?;
    let path = path(arguments)
        .context("the system defines no folder for the socket; --socket sets a path")?;
    if arguments.socket.is_none()
        && let Some(folder) = path.parent()
    {
        control::private_folder(folder)?;
    }
    let claimed = LocalPath::claim(&path).map_err(|error| match &error {
        LocalError::InUse { path, process } => {
            // It can be asked only through its socket.
            let end = match process {
                Some(process) if !LocalPath::is_there(path) => format!("kill {process}"),
                _ => command_line(arguments, "stop"),
            };
            Failure::other(format_args!("{error}; `{end}` ends it"))
        }
        _ => Failure::other(error),
    });
    claimed.map(Some)
}

/// The command line that shares the same folder in the background.
pub(crate) fn sharing(arguments: &Arguments) -> String {
    command_line(arguments, "share --daemon")
}

/// The command line of another command for the same folder and socket, as a shell reads it.
fn command_line(arguments: &Arguments, command: &str) -> String {
    let mut line = "peer".to_owned();
    if arguments.dir != Path::new(FOLDER) {
        line.extend([" --dir ", &in_a_shell(&arguments.dir)]);
    }
    if let Some(socket) = &arguments.socket {
        line.extend([" --socket ", &in_a_shell(socket)]);
    }
    format!("{line} {command}")
}

/// A path as one word of a shell.
fn in_a_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+,:@".contains(character);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn path(arguments: &Arguments) -> Option<PathBuf> {
    let usual = || control::path_for(&arguments.dir, program::state_folder()).ok()?;
    arguments.socket.clone().or_else(usual)
}

/// Serves programs over a socket, until the server is dropped.
pub(crate) fn serve(socket: &mut LocalPath, node: &Node, stage: &Stage) -> Result<Server, Failure> {
    let listener = socket.listen().map_err(Failure::other)?;
    let (handle, events) = ((**node).clone(), stage.events.clone());
    let server = Server::start(listener, handle, events, &stage.stop, signals::end);
    Ok(server.context("cannot start a thread")?)
}
