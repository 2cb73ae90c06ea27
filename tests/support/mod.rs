//! Runs the real programs as their users do, on free ports, with a deadline on every wait.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "each program of the tests uses its part, and a test that fails here fails loudly"
)]

pub(crate) mod scenarios;
pub(crate) mod scenarios_di;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Names the folder where the programs keep their state between runs.
pub(crate) const STATE: &str = "XDG_STATE_HOME";

/// The longest wait for anything: generous, for it is used up only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a program has printed so far.
#[derive(Default)]
pub(crate) struct Printed {
    text: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

impl Printed {
    pub(crate) fn gather(mut from: impl Read + Send + 'static) -> Arc<Self> {
        let printed = Arc::new(Self::default());
        let gathered = Arc::clone(&printed);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut text = gathered.text.lock().unwrap();
                text.0.extend_from_slice(&buffer[..count]);
                text.1 = count == 0;
                gathered.more.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        printed
    }

    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.text.lock().unwrap().0.clone()
    }

    /// Waits until `found` finds something in the text after `start`.
    pub(crate) fn wait<T>(&self, start: usize, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.text.lock().unwrap();
        loop {
            let printed = String::from_utf8_lossy(&text.0[start..]).into_owned();
            let left = deadline.saturating_duration_since(Instant::now());
            match found(&printed) {
                Some(it) => return Some(it),
                None if text.1 || left.is_zero() => return None,
                None => text = self.more.wait_timeout(text, left).unwrap().0,
            }
        }
    }
}

/// A running program. It is killed when the test is over.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    out: Arc<Printed>,
    err: Arc<Printed>,
    /// How much of the output the test has seen.
    seen: usize,
    /// Of a server the port of the index, of a peer that of its upload server.
    pub(crate) port: u16,
    /// Where it keeps its state, unless the test has named a folder.
    _state: Option<TempDir>,
}

impl Program {
    pub(crate) fn start(name: &str, command: Command) -> Self {
        Self::start_printing_to(name, command, Stdio::piped())
    }

    pub(crate) fn start_printing_to(name: &str, mut command: Command, out: Stdio) -> Self {
        let is_told = command.get_envs().any(|(name, _)| name == STATE);
        let state = (!is_told).then(|| tempfile::tempdir().unwrap());
        if let Some(state) = &state {
            command.env(STATE, state.path());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = child.stdout.take().map(Printed::gather);
        let out = out.unwrap_or_else(|| Printed::gather(std::io::empty()));
        let err = Printed::gather(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Self {
            name: name.to_owned(),
            child,
            stdin,
            out,
            err,
            seen: 0,
            port: 0,
            _state: state,
        }
    }

    /// Waits until `text` is printed after what was seen so far, and returns all up to its end.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let found = self.out.wait(self.seen, |printed| {
            let end = printed.find(text)? + text.len();
            Some(printed[..end].to_owned())
        });
        let Some(found) = found else {
            panic!("{text:?} was not printed by {}", self.report())
        };
        self.seen += found.len();
        found
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        if let Err(error) = stdin.write_all(format!("{line}\n").as_bytes()) {
            panic!(
                "{error}, and {:?} of {}",
                self.child.try_wait(),
                self.report()
            );
        }
    }

    /// Types a choice and the answers to its questions, and waits for the next choice.
    pub(crate) fn answer(&mut self, lines: &[&str]) -> String {
        for line in lines {
            self.type_line(line);
        }
        // A choice alone may be the question of before, printed again with its answer.
        self.expect("5. EXIT\nChoice: ")
    }

    /// Types `line` over and over until no more of it is taken, and says how many bytes were.
    pub(crate) fn type_until_full(&mut self, line: &str) -> usize {
        let stdin = self.stdin.as_mut().expect("the input is open");
        rustix::fs::fcntl_setfl(&*stdin, rustix::fs::OFlags::NONBLOCK).unwrap();
        let lines = line.repeat(1000);
        let mut taken = 0;
        // A full pipe stays full for as long as the program does not read.
        while let Ok(count) = stdin.write(lines.as_bytes()) {
            taken += count;
            if taken > 64 * 1024 * 1024 {
                break;
            }
        }
        taken
    }

    /// Ends the input, as Ctrl-D does.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end of the program and returns all that it printed after what was seen.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let ended = self.out.wait(0, |_| None::<()>);
        assert!(ended.is_none());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("no end of {}", self.report()),
                None => thread::yield_now(),
            }
        };
        let text = self.out.so_far();
        let rest = text[self.seen..].to_owned();
        self.seen = text.len();
        (status, rest)
    }

    /// Ends the input and waits for the end of the program and of its outputs.
    pub(crate) fn end(&mut self) -> (ExitStatus, String, String) {
        self.close_input();
        let (status, out) = self.wait();
        self.err.wait(0, |_| None::<()>);
        (status, out, self.errors())
    }

    /// Waits for a text on standard error.
    pub(crate) fn expect_error(&self, text: &str) {
        let found = self
            .err
            .wait(0, |printed| printed.contains(text).then_some(()));
        assert!(
            found.is_some(),
            "{text:?} is not in the errors of {}",
            self.report()
        );
    }

    /// Waits until `found` finds something in all that was printed.
    pub(crate) fn wait_for<T>(&self, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.out.wait(0, found)
    }

    /// What was printed on standard error.
    pub(crate) fn errors(&self) -> String {
        self.err.so_far()
    }

    /// Everything printed on standard output.
    pub(crate) fn printed(&self) -> String {
        self.out.so_far()
    }

    /// The bytes of it.
    pub(crate) fn printed_bytes(&self) -> Vec<u8> {
        self.out.bytes()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn report(&self) -> String {
        let mut report = self.name.clone();
        let _ = write!(
            report,
            "\n--- output\n{}\n--- errors\n{}",
            self.out.so_far(),
            self.err.so_far()
        );
        report
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let mut stderr = std::io::stderr().lock();
            let _ = writeln!(stderr, "=== {}", self.report());
        }
    }
}

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

/// Takes what whoever runs the tests has set for the programs out of a command's environment.
pub(crate) fn without_options(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"P2PCI_")) {
        command.env_remove(name);
    }
    for name in ["RUST_LOG", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, command: Command) -> (ExitStatus, String, String) {
    Program::start(name, command).end()
}

/// The number after `before` at the end of a line.
fn number_after(line: &str, before: &str) -> u16 {
    let rest = line.split(before).nth(1).expect("the line has a port");
    rest.trim_end_matches(['.', '\n'])
        .parse()
        .expect("the port is a number")
}

/// A server on a free port.
pub(crate) fn server(arguments: &[&str]) -> Program {
    started_server(server_command(&[&["--port", "0"], arguments].concat()))
}

/// A server on the port of one that was there before.
pub(crate) fn server_at(port: u16) -> Program {
    started_server(server_command(&["--port", &port.to_string()]))
}

/// A server that listens.
pub(crate) fn started_server(command: Command) -> Program {
    let mut program = Program::start("server", command);
    let line = program.expect("...\n");
    program.port = number_after(&line, "[SERVER] Listening on port ");
    program.seen = 0;
    program
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

/// A peer whose upload server listens.
pub(crate) fn started_peer(name: &str, command: Command) -> Program {
    let mut program = Program::start(name, command);
    program.expect("[UPLOAD] Upload server listening on port ");
    let line = program.expect("\n");
    program.port = line.trim().parse().unwrap();
    program.seen = 0;
    program
}

/// A peer that stands at its menu.
pub(crate) fn peer_at_menu(name: &str, server: u16, folder: &Path, arguments: &[&str]) -> Program {
    let mut program = peer(name, server, folder, arguments);
    program.expect("Choice: ");
    program
}

/// A connection on which a test speaks bytes.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the bytes are taken");
    }

    /// Asserts that exactly `text` comes next.
    #[track_caller]
    pub(crate) fn receive(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        let mut count = 0;
        while count < bytes.len() {
            match self.reader.read(&mut bytes[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) => panic!(
                    "{error} after {:?}",
                    String::from_utf8_lossy(&bytes[..count])
                ),
            }
        }
        assert_eq!(String::from_utf8_lossy(&bytes[..count]), text);
    }

    /// The next line without its end; empty at the end of the stream.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// A message head, up to its empty line.
    pub(crate) fn head(&mut self) -> String {
        let mut head = String::new();
        while self.reader.read_line(&mut head).unwrap() > 2 {}
        head
    }

    /// Everything up to the close.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader
            .read_to_end(&mut rest)
            .expect("the other side closes");
        rest
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&mut self) {
        self.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }
}

/// Sends `bytes` and returns everything up to the close.
pub(crate) fn exchange(port: u16, bytes: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(port);
    client.send(bytes);
    client.half_close();
    String::from_utf8_lossy(&client.rest()).into_owned()
}

/// Listens on a free port and gives each connection to `answer`, in turn, in a thread.
pub(crate) fn pretend(answer: impl Fn(Client) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(Client::over(stream.unwrap()));
        }
    });
    port
}

/// A folder with files of the given names and contents.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The samples of the first peer, in a folder of their own: a run by hand may have downloaded
/// more into the one of the project.
pub(crate) fn samples() -> TempDir {
    copies(&["rfc2345.txt", "rfc3457.txt"])
}

/// The samples of the second peer, in a folder of their own.
pub(crate) fn samples_of_peer_2() -> TempDir {
    copies(&["peer2/rfc123.txt", "peer2/rfc3457.txt"])
}

fn copies(samples: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for sample in samples {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("rfcs")
            .join(sample);
        std::fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    folder
}
