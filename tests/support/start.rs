//! Starts the programs for the tests: on free ports, with only the options given.

use std::path::Path;
use std::process::{Command, ExitStatus};

use super::Program;

pub(crate) fn server_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    without_options(command.args(arguments));
    command
}

pub(crate) fn peer_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peer"));
    without_options(command.args(arguments));
    command
}

/// Removes the tester's own settings for the programs from a command's environment.
pub(crate) fn without_options(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"P2PCI_")) {
        command.env_remove(name);
    }
    for name in [
        "RUST_LOG",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "PAGER",
        // Sockets are then in the folder for the state.
        "XDG_RUNTIME_DIR",
    ] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8");
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, command: Command) -> (ExitStatus, String, String) {
    Program::start(name, command).end()
}

/// A server on a free port.
pub(crate) fn server(arguments: &[&str]) -> Program {
    started_server(server_command(&[&["--port", "0"], arguments].concat()))
}

/// A server on the port of an earlier one.
pub(crate) fn server_at(port: u16) -> Program {
    started_server(server_command(&["--port", &port.to_string()]))
}

pub(crate) fn started_server(command: Command) -> Program {
    listening(Program::start("server", command))
}

/// Waits until a server listens.
pub(crate) fn listening(mut server: Program) -> Program {
    server.find_port("[SERVER] Listening on port ", "...\n");
    server
}

/// A peer of `server` that shares `folder`, known as localhost.
pub(crate) fn peer(name: &str, server: u16, folder: &Path, arguments: &[&str]) -> Program {
    started_peer(name, peer_of(server, folder, arguments))
}

/// The command of a peer of `server` with `folder`, known as localhost.
pub(crate) fn peer_of(server: u16, folder: &Path, arguments: &[&str]) -> Command {
    let server = format!("127.0.0.1:{server}");
    let folder = folder.to_str().unwrap();
    let options = [
        "--host",
        &server,
        "--dir",
        folder,
        "--hostname",
        "localhost",
    ];
    peer_command(&[&options, arguments].concat())
}

pub(crate) fn started_peer(name: &str, command: Command) -> Program {
    sharing(Program::start(name, command))
}

/// Waits until the upload server of a peer listens.
pub(crate) fn sharing(mut peer: Program) -> Program {
    peer.find_port("[UPLOAD] Upload server listening on port ", "\n");
    peer
}

/// A peer at its menu.
pub(crate) fn peer_at_menu(name: &str, server: u16, folder: &Path, arguments: &[&str]) -> Program {
    at_menu(peer(name, server, folder, arguments))
}

/// Waits until a peer shows its menu.
pub(crate) fn at_menu(mut peer: Program) -> Program {
    peer.expect("Choice: ");
    peer
}
