//! `make bench-peers`: compares with Redis and nginx, on the same machine at the same time. Each
//! row is the median of five pairs of measurements, ours and theirs in turn.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "a bench prints and computes with what it measures, and ends where it can't"
)]

mod load;
mod nginx;

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use load::{Line, Program, add, echo, fill, free_port, lookup, one_record, pairs, rate, record};

fn main() {
    println!(
        "{:<62} {:>12} {:>12} {:>7}",
        "what", "ours", "theirs", "ratio"
    );
    redis();
    nginx();
}

/// Measures answers per second: of the server at a port, to a request, with so many bytes in each
/// answer and so many requests in flight.
type Rate = fn(u16, &[u8], usize, usize) -> f64;

fn row(what: &str, unit: &str, pair: impl FnMut() -> (f64, f64)) {
    let (ours, theirs) = pairs(pair);
    print(what, unit, ours, theirs);
}

fn print(what: &str, unit: &str, ours: f64, theirs: f64) {
    let ratio = ours / theirs;
    println!("{what:<62} {ours:>12.0} {theirs:>12.0} {ratio:>7.2}  {unit}");
}

/// The same requests in the protocol of Redis: its name, key and value.
fn resp(words: &[&str]) -> Vec<u8> {
    let words = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), words.collect::<String>()).into()
}

/// ADD against SET and LOOKUP against GET, with the same records and the same client.
fn redis() {
    let port = free_port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no"]);
    let Some(_redis) = Started::start(command, &port.to_string()) else {
        println!("ADD and LOOKUP against Redis: skipped, redis-server is not installed");
        return;
    };
    let server = Program::server(&[]).ignore_output();
    let (_lines, _) = fill(server.port, 1000);
    let (value, asked) = (one_record(500, 10_000), lookup(500));
    let mut line = Line::to(port);
    line.send(&resp(&["SET", "500", &value]));
    line.take(OK.len());
    let question = resp(&["GET", "500"]);
    let answer = format!("${}\r\n{value}\r\n", value.len()).len();
    let idle = echo(asked.len(), value.len());
    let clients: [(&str, Rate); 2] = [("threads of their own", rate_apart), ("one thread", rate)];
    for (clients, rate) in clients {
        for ahead in [1, 16] {
            let what = format!("LOOKUP against Redis GET, {ahead} ahead, 4 clients in {clients}");
            row(&what, "/s", || {
                let ours = rate(server.port, asked.as_bytes(), value.len(), ahead);
                (ours, rate(port, &question, answer, ahead))
            });
            row(
                "  the same of threads that read and write only",
                "/s",
                || {
                    let limit = rate(idle, asked.as_bytes(), value.len(), ahead);
                    (limit, rate(port, &question, answer, ahead))
                },
            );
        }
    }
    let mut turn = 0;
    // Who has added something stays, so that nothing is removed during the next measurement.
    let mut stay = Vec::new();
    row("ADD against Redis SET, 16 ahead", "/s", || {
        turn += 1;
        let (ours, lines) = drive(
            server.port,
            &additions(turn, |number, peer| {
                (add(number, peer).into(), one_record(number, peer).len())
            }),
        );
        stay.push(lines);
        let (theirs, _) = drive(
            port,
            &additions(turn, |number, peer| {
                let words = ["SET", &format!("{number}:{peer}"), &record(number, peer)];
                (resp(&words), OK.len())
            }),
        );
        (ours * f64::from(AHEAD), theirs * f64::from(AHEAD))
    });
}

/// Like [`rate`], with a thread for each connection: the clients do not wait for each other.
fn rate_apart(port: u16, request: &[u8], answer: usize, ahead: usize) -> f64 {
    let batch = request.repeat(ahead);
    let client = |time: Duration| {
        let mut line = Line::to(port);
        let (begin, mut answered) = (Instant::now(), 0);
        while begin.elapsed() < time {
            line.send(&batch);
            line.take(answer * ahead);
            answered += ahead;
        }
        answered as f64 / begin.elapsed().as_secs_f64()
    };
    let run = |time| {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| client(time))).collect();
            let rates = clients.into_iter().map(|client| client.join().unwrap());
            rates.sum::<f64>()
        })
    };
    run(Duration::from_millis(200));
    run(Duration::from_secs(2))
}

/// The answer of Redis to SET.
const OK: &str = "+OK\r\n";
/// How many ADDs are in flight on each connection,
const AHEAD: u32 = 16;
/// and how many each connection sends in all.
const ADDITIONS: u32 = 50_000;

/// The additions of four peers, in batches. Each turn has its own peers.
fn additions(turn: u16, one: impl Fn(u32, u16) -> Batch) -> [Vec<Batch>; 4] {
    [0, 1, 2, 3].map(|place| {
        let peer = 20_000 + 4 * turn + place;
        let batch = |number| {
            let all = (number..number + AHEAD).map(|number| one(number, peer));
            all.fold((Vec::new(), 0), |(mut bytes, length), (more, answer)| {
                bytes.extend(more);
                (bytes, length + answer)
            })
        };
        (1..ADDITIONS).step_by(AHEAD as usize).map(batch).collect()
    })
}

/// A batch of requests, and the length of its answers.
type Batch = (Vec<u8>, usize);

/// Sends batches on four connections, the next one as soon as the one before is answered. Returns the
/// batches per second, and the connections. One thread drives all four.
fn drive(port: u16, batches: &[Vec<Batch>; 4]) -> (f64, Vec<Line>) {
    let mut lines: Vec<_> = batches.iter().map(|_| Line::to(port)).collect();
    let count = batches[0].len();
    let begin = Instant::now();
    for turn in 0..=count {
        for (line, batches) in lines.iter_mut().zip(batches) {
            if turn > 0 {
                line.take(batches[turn - 1].1);
            }
            if turn < count {
                line.send(&batches[turn].0);
            }
        }
    }
    let rate = (4 * count) as f64 / begin.elapsed().as_secs_f64();
    (rate, lines)
}

fn nginx() {
    let is_there = nginx::against_nginx(|what, unit, ours, theirs| {
        print(&format!("{what}, against nginx"), unit, ours, theirs);
    });
    if !is_there {
        println!("uploads against nginx: skipped, nginx is not installed");
    }
}

/// Another server, stopped when it goes out of scope.
struct Started(Child);

impl Started {
    /// `None` where the program is not installed.
    fn start(mut command: Command, port: &str) -> Option<Self> {
        let started = Self(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .ok()?,
        );
        let begin = Instant::now();
        while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(5),
                "it does not listen"
            );
            thread::sleep(Duration::from_millis(10));
        }
        Some(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Its workers end with it only if it is asked to end, not if it is killed.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
