//! What a page for browsers costs the index.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::load::{Line, Program, Quiet, SHARE, fill, lookup, one_record, rate};
use super::row;

const RECORDS: u32 = 100_000;
const WATCHERS: usize = 200;
/// How often each is measured, in turn.
const ROUNDS: usize = 5;
/// The messages a second that flow beside what is measured; a LOOKUP and its answer are two.
const FLOW: u32 = 10_000;
/// How often some of them are sent.
const BATCH: Duration = Duration::from_millis(10);

/// LOOKUP without a page, with one that nobody watches, and with 200 watchers: beside a steady flow
/// of messages, and, which is harder, many ahead at full speed.
pub(crate) fn pages() {
    let without = Program::server(&[]).ignore_output();
    let (idle, _) = with_page();
    let (watched, web) = with_page();
    let servers = [&without, &idle, &watched];
    let _records: Vec<Vec<Line>> = servers.map(|server| fill(server.port, RECORDS).0).into();
    let watchers = Watchers::start(web);
    let number = RECORDS / 2;
    let port = 10_000 + u16::try_from((number - 1) / SHARE).unwrap();
    let question = Question {
        request: lookup(number),
        answer: one_record(number, port).len(),
    };
    for (ahead, flow) in [(1, Some(FLOW)), (16, None)] {
        let (begin, before) = (Instant::now(), watchers.read());
        let mut flowed = 0.0;
        let mut measure = |server: &Quiet| {
            let beside = flow.map(|flow| Flow::start(server.port, &question, flow));
            let rate = rate(
                server.port,
                question.request.as_bytes(),
                question.answer,
                ahead,
            );
            flowed = beside.map_or(0.0, Flow::end);
            rate
        };
        let rounds: Vec<_> = (0..ROUNDS).map(|_| servers.map(&mut measure)).collect();
        let read = (watchers.read() - before) as f64 / begin.elapsed().as_secs_f64();
        let beside = match flow {
            Some(_) => format!("beside {flowed:.0} messages/s"),
            None => format!("{ahead} ahead"),
        };
        let against = |server: usize| {
            let ratio = |round: &[f64; 3]| round[server] / round[0];
            let without = median(rounds.iter().map(|round| round[0]));
            let ratio = median(rounds.iter().map(ratio));
            format!("{without:.0}/s without a page ({ratio:.2})")
        };
        let figure = |server: usize| {
            let rate = median(rounds.iter().map(|round| round[server]));
            format!("{rate:.0}/s")
        };
        row(
            &format!("LOOKUP {beside}, page with {WATCHERS} watchers"),
            &figure(2),
            &format!("{}; {:.1} MB/s streamed", against(2), read / 1e6),
        );
        row("  page that nobody watches", &figure(1), &against(1));
    }
}

fn median(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<_> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A request, and how long its answer is.
#[derive(Clone)]
struct Question {
    request: String,
    answer: usize,
}

/// Messages at a steady rate.
struct Flow {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<f64>,
}

impl Flow {
    /// Sends questions and reads the answers, which are so many messages a second together.
    fn start(port: u16, question: &Question, messages: u32) -> Self {
        let is_over: Arc<AtomicBool> = Arc::default();
        let (end, question) = (Arc::clone(&is_over), question.clone());
        let work = move || {
            let mut line = Line::to(port);
            let (begin, mut asked) = (Instant::now(), 0);
            while !end.load(Ordering::Relaxed) {
                thread::sleep(BATCH);
                let due = begin.elapsed().as_secs_f64() * f64::from(messages / 2);
                let more = due as usize - asked;
                line.send(question.request.repeat(more).as_bytes());
                line.take(question.answer * more);
                asked += more;
            }
            2.0 * asked as f64 / begin.elapsed().as_secs_f64()
        };
        Self {
            is_over,
            thread: thread::spawn(work),
        }
    }

    /// Ends it, and returns the messages a second that there were.
    fn end(self) -> f64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
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
