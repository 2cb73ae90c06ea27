//! What the benches share: the programs, and clients that put load on them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

/// A program with its printout; killed when it goes out of scope.
pub(crate) struct Program {
    child: Child,
    pub(crate) out: BufReader<std::process::ChildStdout>,
    pub(crate) port: u16,
}

impl Program {
    /// Starts a program and waits for a line that holds `ready` and ends with its port.
    pub(crate) fn start(mut command: Command, ready: &str) -> Self {
        Self::started(command.stderr(Stdio::null()), ready)
    }

    /// The same, and what it writes to standard error.
    pub(crate) fn start_with_errors(mut command: Command, ready: &str) -> (Self, ChildStderr) {
        let mut program = Self::started(command.stderr(Stdio::piped()), ready);
        let errors = program.child.stderr.take().unwrap();
        (program, errors)
    }

    fn started(command: &mut Command, ready: &str) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(ready) {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "the program ended");
        }
        let port = line
            .trim()
            .trim_end_matches('.')
            .rsplit([' ', ':'])
            .next()
            .unwrap()
            .parse()
            .unwrap();
        Self { child, out, port }
    }

    pub(crate) fn server(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command
            .args(["--port", "0", "-q", "--max-records-per-peer", "1000000"])
            .args(arguments);
        Self::start(command, "Listening on port")
    }

    pub(crate) fn peer(server: u16, folder: &Path, arguments: &[&str]) -> Self {
        Self::start(peer_command(server, folder, arguments), "listening on port")
    }

    /// Reads the printout up to a line that contains `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "no {text:?}");
        }
    }

    /// Reads and discards the rest of the printout.
    pub(crate) fn ignore_output(self) -> Quiet {
        let Self {
            child,
            mut out,
            port,
        } = self;
        thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        Quiet { child, port }
    }
}

pub(crate) fn peer_command(server: u16, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peer"));
    command.args(["--host", &format!("127.0.0.1:{server}"), "--dir"]);
    command.arg(folder).args(["--hostname", "127.0.0.1", "-q"]);
    command.args(arguments);
    command
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program whose printout nobody reads.
pub(crate) struct Quiet {
    child: Child,
    pub(crate) port: u16,
}

impl Quiet {
    /// How many bytes it has written, to files and to everything else.
    pub(crate) fn written(&self) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        line.unwrap().parse().unwrap()
    }

    /// The processor time that its threads have used.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let used = |task: std::io::Result<std::fs::DirEntry>| -> u64 {
            let told = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            told.split(' ').next().unwrap().parse().unwrap()
        };
        Duration::from_nanos(tasks.map(used).sum())
    }

    /// The resident memory in MiB, and the number of threads.
    pub(crate) fn memory_and_threads(&self) -> (f64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (field("VmRSS:") / 1024.0, field("Threads:") as u64)
    }
}

/// A connection for requests with known answers.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; 256 * 1024],
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads exactly `count` bytes.
    pub(crate) fn take(&mut self, mut count: usize) {
        while count > 0 {
            let most = count.min(self.buffer.len());
            let read = self.stream.read(&mut self.buffer[..most]).unwrap();
            assert!(read > 0, "the connection ended");
            count -= read;
        }
    }

    /// Sends a LOOKUP, and returns whether it has found something.
    pub(crate) fn finds(&mut self, lookup: &str) -> bool {
        self.send(lookup.as_bytes());
        let read = self.stream.read(&mut self.buffer).unwrap();
        self.buffer[..read].starts_with(b"P2P-CI/1.0 200 ")
    }

    /// Reads up to the close, and returns how many bytes there were.
    pub(crate) fn drain(&mut self) -> u64 {
        let mut all = 0;
        loop {
            match self.stream.read(&mut self.buffer).unwrap() {
                0 => return all,
                read => all += read as u64,
            }
        }
    }
}

pub(crate) fn add(number: u32, port: u16) -> String {
    format!(
        "ADD RFC {number} P2P-CI/1.0\r\nHost: bench.example.org\r\nPort: {port}\r\n\
         Title: A Title of the Usual Length for an RFC\r\n\r\n"
    )
}

pub(crate) fn record(number: u32, port: u16) -> String {
    format!("RFC {number} A Title of the Usual Length for an RFC bench.example.org {port}\r\n")
}

pub(crate) fn one_record(number: u32, port: u16) -> String {
    format!("P2P-CI/1.0 200 OK\r\n\r\n{}\r\n", record(number, port))
}

/// A query without a port: with one, it would take over the name of the peer that has it.
pub(crate) fn lookup(number: u32) -> String {
    format!("LOOKUP RFC {number} P2P-CI/1.0\r\nHost: bench.example.org\r\nTitle: \r\n\r\n")
}

/// How many records each filling connection adds.
pub(crate) const SHARE: u32 = 10_000;

/// Fills the index with records 1 to `count`, and returns the connections that hold them and the
/// ADDs per second.
pub(crate) fn fill(server: u16, count: u32) -> (Vec<Line>, f64) {
    let begin = Instant::now();
    let firsts = (0..count).step_by(SHARE as usize);
    let lines = firsts.map(|first| {
        let last = (first + SHARE).min(count);
        fill_one(server, first + 1..=last, holder(first + 1))
    });
    let lines = lines.collect();
    (lines, f64::from(count) / begin.elapsed().as_secs_f64())
}

/// Adds these records as one peer on this port.
pub(crate) fn fill_one(server: u16, numbers: RangeInclusive<u32>, port: u16) -> Line {
    let mut line = Line::to(server);
    for some in numbers.collect::<Vec<_>>().chunks(100) {
        let requests: String = some.iter().map(|&number| add(number, port)).collect();
        let answers: usize = some
            .iter()
            .map(|&number| one_record(number, port).len())
            .sum();
        line.send(requests.as_bytes());
        line.take(answers);
    }
    line
}

/// The port of the filling connection that has this record.
fn holder(number: u32) -> u16 {
    10_000 + u16::try_from((number - 1) / SHARE).unwrap()
}

/// The bytes of these records in an answer.
pub(crate) fn records_length(numbers: RangeInclusive<u32>) -> usize {
    numbers
        .map(|number| record(number, holder(number)).len())
        .sum()
}

/// Sends `request` repeatedly on four connections, with `ahead` requests in flight on each, and
/// returns the answers per second. One thread drives all four.
pub(crate) fn rate(port: u16, request: &[u8], answer: usize, ahead: usize) -> f64 {
    let mut lines: Vec<_> = (0..4).map(|_| Line::to(port)).collect();
    let batch = request.repeat(ahead);
    let mut run = |time: Duration| {
        for line in &mut lines {
            line.send(&batch);
        }
        let begin = Instant::now();
        let mut answered = 0;
        while begin.elapsed() < time {
            for line in &mut lines {
                line.take(answer * ahead);
                line.send(&batch);
            }
            answered += 4 * ahead;
        }
        let taken = begin.elapsed();
        for line in &mut lines {
            line.take(answer * ahead);
        }
        answered as f64 / taken.as_secs_f64()
    };
    run(Duration::from_millis(200));
    run(Duration::from_secs(2))
}

/// Answers every `request` bytes with `answer` bytes, which is the least that a server can do. Like
/// ours, it lets others run before it sleeps. It shows the limit of round trips on this machine.
pub(crate) fn echo(request: usize, answer: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let (mut buffer, answers) = (vec![0; 8 * 1024], vec![b'x'; 64 * 1024]);
                let mut waiting = 0;
                while let read @ 1.. = read_soon(&mut stream, &mut buffer) {
                    waiting += read;
                    let whole = waiting / request;
                    waiting %= request;
                    if stream.write_all(&answers[..whole * answer]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn read_soon(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    for _ in 0..4 {
        match recv(&*stream, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, read)) => return read,
            Err(_) => thread::yield_now(),
        }
    }
    stream.read(buffer).unwrap_or(0)
}

/// Sends `bytes` zeros from memory to every client. It shows the limit of copying over loopback.
pub(crate) fn source(bytes: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let buffer = vec![0; 256 * 1024];
                let mut left = bytes;
                while left > 0 {
                    let piece = left.min(buffer.len() as u64);
                    if stream.write_all(&buffer[..piece as usize]).is_err() {
                        return;
                    }
                    left -= piece;
                }
            });
        }
    });
    port
}

pub(crate) fn mib(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / (1024.0 * 1024.0) / time.as_secs_f64()
}

/// The value below which `share` of the sorted values are.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// The length of the large document, RFC 1, and of the small one, RFC 2.
pub(crate) const LARGE: u64 = 200 * 1024 * 1024;
pub(crate) const SMALL: usize = 30 * 1024;

/// A folder with both documents.
pub(crate) fn documents() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rfc1.txt"), vec![b'x'; LARGE as usize]).unwrap();
    std::fs::write(folder.path().join("rfc2.txt"), vec![b'x'; SMALL]).unwrap();
    folder
}

/// Measures ours and theirs in turn, five times, and returns the pair with the median ratio.
pub(crate) fn pairs(pair: impl FnMut() -> (f64, f64)) -> (f64, f64) {
    many_pairs(5, pair)
}

/// The same, `count` times.
pub(crate) fn many_pairs(count: usize, mut pair: impl FnMut() -> (f64, f64)) -> (f64, f64) {
    let mut pairs: Vec<_> = (0..count).map(|_| pair()).collect();
    pairs.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    pairs[count / 2]
}

/// A port on which nobody listens, for a server that does not choose one itself.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn get(number: u32) -> String {
    format!("GET RFC {number} P2P-CI/1.0\r\nHost: x\r\nOS: y\r\n\r\n")
}

/// The rate in MiB/s of `count` simultaneous downloads.
pub(crate) fn copies(port: u16, request: &[u8], count: usize, bytes: u64) -> f64 {
    let begin = Instant::now();
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let request = request.to_vec();
            thread::spawn(move || {
                let mut line = Line::to(port);
                line.send(&request);
                assert!(line.drain() >= bytes);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    mib(bytes * count as u64, begin.elapsed())
}

/// Downloads per second by so many clients, with a new connection for each download.
pub(crate) fn visits(port: u16, request: &[u8], clients: usize) -> f64 {
    let time = Duration::from_secs(2);
    let request = request.to_vec();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let request = request.clone();
            thread::spawn(move || {
                let (begin, mut count) = (Instant::now(), 0);
                while begin.elapsed() < time {
                    let mut line = Line::to(port);
                    line.send(&request);
                    assert!(line.drain() >= 30 * 1024);
                    count += 1;
                }
                count
            })
        })
        .collect();
    let all: u32 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    f64::from(all) / time.as_secs_f64()
}
