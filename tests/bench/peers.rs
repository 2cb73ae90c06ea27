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

use load::{Program, fill, free_port, lookup, one_record, pairs, rate};

fn main() {
    println!(
        "{:<62} {:>12} {:>12} {:>7}",
        "what", "ours", "theirs", "ratio"
    );
    redis();
    nginx();
}

fn row(what: &str, unit: &str, pair: impl FnMut() -> (f64, f64)) {
    let (ours, theirs) = pairs(pair);
    print(what, unit, ours, theirs);
}

fn print(what: &str, unit: &str, ours: f64, theirs: f64) {
    let ratio = ours / theirs;
    println!("{what:<62} {ours:>12.0} {theirs:>12.0} {ratio:>7.2}  {unit}");
}

fn redis() {
    let port = free_port().to_string();
    let mut command = Command::new("redis-server");
    command.args([
        "--port",
        &port,
        "--save",
        "",
        "--appendonly",
        "no",
        "--bind",
        "127.0.0.1",
    ]);
    let Some(_redis) = Started::start(command, &port) else {
        println!("redis-server is not installed");
        return;
    };
    let value = one_record(500, 10_000);
    let set = Command::new("redis-cli")
        .args(["-p", &port, "set", "500", &value])
        .output();
    assert!(set.unwrap().status.success());
    let question = b"*2\r\n$3\r\nGET\r\n$3\r\n500\r\n";
    let answer = format!("${}\r\n{value}\r\n", value.len()).len();

    let server = Program::server(&[]).ignore_output();
    let (_lines, _) = fill(server.port, 1000);
    let (request, length) = (lookup(500), value.len());
    for ahead in [1, 16] {
        row(
            &format!("LOOKUP against redis-benchmark -c 4 -P {ahead}"),
            "/s",
            || {
                let ours = rate(server.port, request.as_bytes(), length, ahead);
                (ours, redis_benchmark(&port, ahead))
            },
        );
        row(
            &format!("LOOKUP against Redis GET, same client, {ahead} ahead"),
            "/s",
            || {
                let ours = rate(server.port, request.as_bytes(), length, ahead);
                (ours, rate(port.parse().unwrap(), question, answer, ahead))
            },
        );
    }
}

/// The rate that redis-benchmark reports for GET.
fn redis_benchmark(port: &str, ahead: usize) -> f64 {
    let requests = (200_000 * ahead).to_string();
    let output = Command::new("redis-benchmark")
        .args([
            "-p",
            port,
            "-c",
            "4",
            "-n",
            &requests,
            "-P",
            &ahead.to_string(),
        ])
        .args(["-t", "get", "--csv"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .find(|line| line.starts_with("\"GET\""))
        .unwrap();
    line.split(',')
        .nth(1)
        .unwrap()
        .trim_matches('"')
        .parse()
        .unwrap()
}

fn nginx() {
    let is_there = nginx::against_nginx(|what, unit, ours, theirs| {
        print(&format!("{what}, against nginx"), unit, ours, theirs);
    });
    if !is_there {
        println!("nginx is not installed");
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
