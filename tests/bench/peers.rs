//! `make bench-peers`: compares with Redis and nginx, on the same machine at the same time. Each
//! row is the median of three pairs of measurements, ours and theirs in turn.

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

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use load::{LARGE, Program, copies, documents, fill, get, lookup, one_record, rate, visits};

/// How often each pair is measured.
const PAIRS: usize = 3;

fn main() {
    println!(
        "{:<52} {:>14} {:>14} {:>7}",
        "what", "ours", "theirs", "ratio"
    );
    redis();
    nginx();
}

fn row(what: &str, unit: &str, mut pair: impl FnMut() -> (f64, f64)) {
    let mut pairs: Vec<_> = (0..PAIRS).map(|_| pair()).collect();
    pairs.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (ours, theirs) = pairs[PAIRS / 2];
    println!(
        "{what:<52} {ours:>14.0} {theirs:>14.0} {:>7.2}  {unit}",
        ours / theirs
    );
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
    let folder = documents();
    let port = free_port();
    let home = tempfile::tempdir().unwrap();
    let config = format!(
        "daemon off; master_process on; worker_processes 2; pid {home}/pid; error_log {home}/log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; root {root};\n\
         server {{ listen 127.0.0.1:{port}; }} }}\n",
        home = home.path().display(),
        root = folder.path().display()
    );
    let file = home.path().join("nginx.conf");
    fs::write(&file, config).unwrap();
    readable(folder.path());
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).arg("-p").arg(home.path());
    let Some(_nginx) = Started::start(command, &port.to_string()) else {
        println!("nginx is not installed");
        return;
    };
    let server = Program::server(&[]).ignore_output();
    let peer =
        Program::peer(server.port, folder.path(), &["share", "--print-messages"]).ignore_output();
    let ask = |number: u32| format!("GET /rfc{number}.txt HTTP/1.0\r\nHost: x\r\n\r\n");
    for downloaders in [1, 4] {
        row(
            &format!("200 MiB to {downloaders} downloader(s), against nginx"),
            "MiB/s",
            || {
                let ours = copies(peer.port, get(1).as_bytes(), downloaders, LARGE);
                (ours, copies(port, ask(1).as_bytes(), downloaders, LARGE))
            },
        );
    }
    row(
        "30 KiB files, new connection each, against nginx",
        "/s",
        || {
            (
                visits(peer.port, get(2).as_bytes()),
                visits(port, ask(2).as_bytes()),
            )
        },
    );
}

/// The workers of nginx run as another user.
fn readable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
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
