//! A running program, its input and what it prints.

use std::any::Any;
use std::fmt::Write as _;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process, prlimit, waitid,
};

use super::{MENU, PATIENCE, Printed, STATE};

/// A running program. It is killed when the test ends.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    out: Arc<Printed>,
    err: Arc<Printed>,
    /// How much of the output the test has seen.
    seen: usize,
    /// A server's port, or the port of a peer's upload server.
    pub(crate) port: u16,
    /// Values that must live as long as the program.
    needs: Vec<Box<dyn Any + Send>>,
}

impl Program {
    pub(crate) fn start(name: &str, command: Command) -> Self {
        Self::start_at(name, command, [(); 3].map(|()| Stdio::piped()))
    }

    /// Starts a program with these streams as standard input, output and error. The test uses those
    /// that are pipes.
    pub(crate) fn start_at(name: &str, mut command: Command, streams: [Stdio; 3]) -> Self {
        let is_told = command.get_envs().any(|(name, _)| name == STATE);
        let state = (!is_told).then(|| tempfile::tempdir().unwrap());
        if let Some(state) = &state {
            command.env(STATE, state.path());
        }
        let [input, out, err] = streams;
        let mut child = command
            .stdin(input)
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the program starts");
        let out = Printed::gather_where_piped(child.stdout.take());
        let err = Printed::gather_where_piped(child.stderr.take());
        let stdin = child.stdin.take();
        Self {
            name: name.to_owned(),
            child,
            stdin,
            out,
            err,
            seen: 0,
            port: 0,
            needs: vec![Box::new(state)],
        }
    }

    /// Starts a program with one pipe for its output and its errors, so that they are in the order
    /// that a terminal shows.
    pub(crate) fn start_as_shown(name: &str, command: Command) -> Self {
        let (both, writer) = std::io::pipe().unwrap();
        let out = writer.try_clone().unwrap();
        let mut program =
            Self::start_at(name, command, [Stdio::piped(), out.into(), writer.into()]);
        program.out = Printed::gather(both);
        program
    }

    /// Keeps a value alive as long as the program.
    pub(crate) fn needs(&mut self, thing: impl Any + Send) {
        self.needs.push(Box::new(thing));
    }

    /// Waits until `text` is printed after what was seen so far, and returns everything up to its
    /// end.
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
        // A choice alone may be the previous question, repeated with its answer.
        self.expect(&MENU[MENU.find("5. EXIT").unwrap()..])
    }

    /// Types `line` repeatedly until the pipe is full, and returns the number of bytes.
    pub(crate) fn type_until_full(&mut self, line: &str) -> usize {
        let stdin = self.stdin.as_mut().expect("the input is open");
        rustix::fs::fcntl_setfl(&*stdin, rustix::fs::OFlags::NONBLOCK).unwrap();
        let lines = line.repeat(1000);
        let mut taken = 0;
        // A full pipe stays full while the program does not read.
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

    /// Waits for the end of the program and returns everything printed after what was seen.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let ended = self.out.wait(0, |_| None::<()>);
        assert!(ended.is_none());
        let (tell, has_ended) = mpsc::channel();
        let id = WaitId::Pid(self.pid());
        thread::spawn(move || {
            let _ = waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            let _ = tell.send(());
        });
        let in_time = has_ended.recv_timeout(PATIENCE);
        assert!(in_time.is_ok(), "no end of {}", self.report());
        let status = self.child.wait().unwrap();
        let text = self.out.so_far();
        let rest = text[self.seen..].to_owned();
        self.seen = text.len();
        (status, rest)
    }

    /// Ends the input and waits for the end of the program and of its outputs.
    pub(crate) fn end(&mut self) -> (ExitStatus, String, String) {
        self.close_input();
        let (status, out) = self.wait();
        (status, out, self.all_errors())
    }

    /// Waits until `found` finds something in all that was printed.
    pub(crate) fn wait_for<T>(&self, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.out.wait(0, found)
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

    /// Waits until `found` finds something in what was printed on standard error.
    pub(crate) fn wait_for_error<T>(&self, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.err.wait(0, found)
    }

    /// What was printed on standard error.
    pub(crate) fn errors(&self) -> String {
        self.err.so_far()
    }

    /// Everything printed on standard error, after its writers have ended.
    pub(crate) fn all_errors(&self) -> String {
        self.err.wait(0, |_| None::<()>);
        self.errors()
    }

    /// Finds the number between `before` and `after`, where the program prints its port.
    pub(crate) fn find_port(&mut self, before: &str, after: &str) {
        self.expect(before);
        let port = self.expect(after);
        self.port = port.trim_end_matches(after).parse().expect("a port");
        self.seen = 0;
    }

    /// Everything printed on standard output.
    pub(crate) fn printed(&self) -> String {
        self.out.so_far()
    }

    /// The same as bytes.
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

    /// Limits the size of its files from now on, as `ulimit -f` does. It is like a full disk.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(self.pid()), Resource::Fsize, limit).unwrap();
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has had, in MiB. Only Linux tells.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib / 1024)
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
