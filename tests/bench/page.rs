//! What a page for browsers costs the index.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::load::{Line, Program, Quiet, SHARE, fill, lookup, one_record, rate};
use super::row;

const RECORDS: u32 = 100_000;
const WATCHERS: usize = 200;
/// How often each is measured, in turn.
const ROUNDS: usize = 5;

/// LOOKUP without a page, with one that nobody watches, and with 200 watchers.
pub(crate) fn pages() {
    let without = Program::server(&[]).ignore_output();
    let (idle, _) = with_page();
    let (watched, web) = with_page();
    let servers = [&without, &idle, &watched];
    let _records: Vec<Vec<Line>> = servers.map(|server| fill(server.port, RECORDS).0).into();
    let watchers = Watchers::start(web);
    let number = RECORDS / 2;
    let port = 10_000 + u16::try_from((number - 1) / SHARE).unwrap();
    let (request, answer) = (lookup(number), one_record(number, port).len());
    for ahead in [1, 16] {
        let mut rates = [const { Vec::new() }; 3];
        let (begin, before) = (Instant::now(), watchers.read());
        for _ in 0..ROUNDS {
            for (server, rates) in servers.iter().zip(&mut rates) {
                rates.push(rate(server.port, request.as_bytes(), answer, ahead));
            }
        }
        let read = (watchers.read() - before) as f64 / begin.elapsed().as_secs_f64();
        let [without, idle, watched] = rates.map(median);
        row(
            &format!("LOOKUP with a page, nobody watching, {ahead} ahead"),
            &format!("{idle:.0}/s"),
            &format!("{without:.0}/s without ({:.2})", idle / without),
        );
        row(
            &format!("  with {WATCHERS} watchers"),
            &format!("{watched:.0}/s"),
            &format!(
                "{without:.0}/s without ({:.2}), {:.1} MB/s streamed",
                watched / without,
                read / 1e6
            ),
        );
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A server with a page, and the port of the page.
fn with_page() -> (Quiet, u16) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(["--port", "0", "-q", "--max-records-per-peer", "1000000"]);
    command.args(["--web", "0"]);
    let (server, errors) = Program::start_with_errors(command, "Listening on port");
    let mut line = String::new();
    let mut errors = BufReader::new(errors);
    while !line.contains("The page is at") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "no page");
    }
    thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
    let port = line.trim().trim_end_matches('/').rsplit(':').next();
    (server.ignore_output(), port.unwrap().parse().unwrap())
}

/// Browsers that read all they get. One thread reads for all of them.
struct Watchers {
    read: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchers {
    fn start(port: u16) -> Self {
        let watch = |_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let request = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\
                Accept: text/event-stream\r\n\r\n";
            stream.write_all(request).unwrap();
            let mut first = [0; 4096];
            assert!(stream.read(&mut first).unwrap() > 0);
            stream
        };
        let streams: Vec<_> = (0..WATCHERS).map(watch).collect();
        let (read, is_over) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let (count, end): (_, Arc<AtomicBool>) = (Arc::clone(&read), Arc::clone(&is_over));
        let work = move || {
            let mut buffer = vec![0; 256 * 1024];
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            while !end.load(Ordering::Relaxed) {
                let ends = streams.iter();
                let mut ends: Vec<_> = ends.map(|end| PollFd::new(end, PollFlags::IN)).collect();
                poll(&mut ends, Some(&wait)).unwrap();
                let ready = ends.iter().map(|end| !end.revents().is_empty());
                let ready: Vec<_> = ready.collect();
                for (mut stream, _) in streams.iter().zip(ready).filter(|(_, ready)| *ready) {
                    let bytes = stream.read(&mut buffer).unwrap();
                    assert!(bytes > 0, "a stream has ended");
                    count.fetch_add(bytes as u64, Ordering::Relaxed);
                }
            }
        };
        Self {
            read,
            is_over,
            thread: Some(thread::spawn(work)),
        }
    }

    /// How many bytes they have read.
    fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
