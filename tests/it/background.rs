//! A peer in the background: its socket, the programs that use it, and strangers.

mod clients;
mod commands;
mod daemon;
mod strangers;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Leftovers, PATIENCE, Program, STATE, folder, names, peer_of, run, server};

/// A user with a server, and with peers in the background that end with the test.
struct User {
    /// Dropped before the state folder, which names them.
    _leftovers: Leftovers,
    server: Program,
    state: TempDir,
}

/// The result of a command.
#[derive(Debug, PartialEq)]
struct Ended {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl User {
    fn new() -> Self {
        Self::with(&["-q"])
    }

    /// A user whose server has these options.
    fn with(options: &[&str]) -> Self {
        let state = folder(&[]);
        Self {
            server: server(options),
            _leftovers: Leftovers(state.path().to_owned()),
            state,
        }
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = peer_of(self.server.port, folder, arguments);
        command.env(STATE, self.state.path());
        command
    }

    fn start(&self, folder: &Path, arguments: &[&str]) -> Program {
        Program::start("peer", self.command(folder, arguments))
    }

    fn ask(&self, folder: &Path, arguments: &[&str]) -> Ended {
        ended(self.command(folder, arguments))
    }

    /// Starts a peer in the background, and returns the path of its socket.
    #[track_caller]
    fn daemon(&self, folder: &Path) -> PathBuf {
        let before = self.sockets();
        let started = self.ask(folder, &["share", "--daemon"]);
        assert_eq!(
            (started.code, started.out.as_str()),
            (Some(0), ""),
            "{started:?}"
        );
        let new = self
            .sockets()
            .into_iter()
            .find(|path| !before.contains(path));
        new.expect("it has a socket")
    }

    /// The sockets in the state folder.
    fn sockets(&self) -> Vec<PathBuf> {
        let folder = self.state.path().join("p2pci");
        if !folder.exists() {
            return Vec::new();
        }
        let names = names(&folder).into_iter();
        let paths = names.map(|name| folder.join(name));
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "sock"))
            .collect()
    }

    /// The status of the peer of a folder.
    fn status(&self, folder: &Path) -> Value {
        let status = self.ask(folder, &["status", "--json"]);
        serde_json::from_str(&status.out).unwrap_or_else(|_| panic!("{status:?}"))
    }

    /// The process of the peer of a folder.
    fn process(&self, folder: &Path) -> Pid {
        let number = self.status(folder)["pid"].as_i64().unwrap();
        Pid::from_raw(number.try_into().unwrap()).unwrap()
    }
}

/// Kills a process, and waits until it has let go of its socket.
fn kill(process: Pid, socket: &Path) {
    kill_process(process, Signal::KILL).unwrap();
    let mut lock = socket.as_os_str().to_owned();
    lock.push(".lock");
    File::open(lock).unwrap().lock_shared().unwrap();
}

fn ended(command: Command) -> Ended {
    let (status, out, errors) = run("peer", command);
    let code = status.code();
    Ended { code, out, errors }
}

/// A program that is connected to a socket.
fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `bytes`, and returns everything up to the close.
fn exchange(path: &Path, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connect(path);
    // A request that is too long is not read to its end.
    let _ = stream.write_all(bytes.as_ref());
    rest(&mut stream)
}

fn rest(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .expect("the other side closes");
    String::from_utf8(bytes).unwrap()
}
