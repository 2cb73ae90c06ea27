//! `make bench`: measures the release binaries on loopback and prints one table. Where the machine
//! itself sets a limit, the row also has that limit, measured in the same run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::format_collect,
    clippy::print_stdout,
    reason = "a bench prints and computes with what it measures, and ends where it can't"
)]

mod folder;
mod load;
mod nginx;
mod page;
mod registrations;

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use load::{
    LARGE, Line, Program, Quiet, SHARE, SMALL, add, copies, echo, fill, fill_one, get, lookup,
    many_pairs, mib, one_record, quantile, rate, record, records_length, source, visits,
};

fn row(what: &str, figure: &str, limit: &str) {
    println!("{what:<58} {figure:>24}   {limit}");
    let _ = std::io::stdout().flush();
}

fn main() {
    // Cargo passes its own options; a word among them selects a part.
    let chosen = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let parts: [(&str, fn()); 8] = [
        ("questions", questions),
        ("lists", lists),
        ("crowd", crowd),
        ("uploads", uploads),
        ("nginx", nginx),
        ("folder", folder::folder),
        ("registrations", registrations::registrations),
        ("page", page::pages),
    ];
    row("what", "figure", "limit in the same run");
    for (name, part) in parts {
        if chosen.as_ref().is_none_or(|chosen| chosen == name) {
            part();
        }
    }
}

/// ADD and LOOKUP as the index grows.
fn questions() {
    for count in [1_000, 100_000, 1_000_000] {
        let server = Program::server(&[]).ignore_output();
        let (empty, _) = server.memory_and_threads();
        let (_lines, adds) = fill(server.port, count);
        let memory = (server.memory_and_threads().0 - empty) * 1024.0 * 1024.0;
        row(
            &format!("ADD, up to {count} records, 100 ahead"),
            &format!("{adds:.0}/s"),
            &format!("{:.0} bytes of memory for each", memory / f64::from(count)),
        );
        let number = count / 2;
        let port = 10_000 + u16::try_from((number - 1) / SHARE).unwrap();
        let (request, answer) = (lookup(number), one_record(number, port).len());
        for ahead in [1, 16] {
            let limit = rate(
                echo(request.len(), answer),
                request.as_bytes(),
                answer,
                ahead,
            );
            let found = rate(server.port, request.as_bytes(), answer, ahead);
            row(
                &format!("LOOKUP among {count} records, 4 connections, {ahead} ahead"),
                &format!("{found:.0}/s"),
                &format!("{limit:.0}/s empty round trips ({:.2})", found / limit),
            );
        }
    }
}

/// LIST, and how long others wait beside it and beside peers that leave.
fn lists() {
    for count in [100_000, 1_000_000] {
        let mut server = Program::server(&[]);
        let (_lines, _) = fill(server.port, count);
        let port = server.port;
        let bytes = 23 + records_length(1..=count) as u64;
        let raw = source(bytes);
        // In turn, so that both meet the same machine.
        let mut pairs: Vec<_> = (0..5)
            .map(|_| (list(port, bytes), listened(raw, bytes)))
            .collect();
        pairs.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let (speed, limit) = pairs[pairs.len() / 2];
        row(
            &format!(
                "LIST of {count} records ({:.1} MiB)",
                bytes as f64 / 1_048_576.0
            ),
            &format!("{speed:.0} MiB/s"),
            &format!("{limit:.0} MiB/s raw copy ({:.2})", speed / limit),
        );
        let alone = lookups_during(port, || thread::sleep(Duration::from_millis(500)));
        waits("  LOOKUP alone", &alone);
        let beside = lookups_during(port, || {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(1) {
                list(port, bytes);
            }
        });
        waits("  LOOKUP beside it", &beside);
        let (mut beside, mut left) = (Vec::new(), Vec::new());
        for turn in 0..5_u16 {
            let leaver = fill_one(port, count + 1..=count + LEAVING, 60_000 + turn);
            beside.extend(lookups_during(port, || {
                let begin = Instant::now();
                drop(leaver);
                server.wait_for(" left. Removed");
                left.push(begin.elapsed());
            }));
        }
        beside.sort();
        left.sort();
        row(
            &format!("leaving with {LEAVING} records, among {count}"),
            &format!("{:.1} ms", left[left.len() / 2].as_secs_f64() * 1e3),
            "",
        );
        waits("  LOOKUP beside it", &beside);
    }
}

/// How many records the peers have that leave.
const LEAVING: u32 = 20_000;

/// Asks for everything, and returns the rate in MiB/s.
fn list(port: u16, bytes: u64) -> f64 {
    let begin = Instant::now();
    let mut line = Line::to(port);
    line.send(b"LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
    line.take(bytes as usize);
    mib(bytes, begin.elapsed())
}

/// Reads everything from a source, and returns the rate in MiB/s.
fn listened(port: u16, bytes: u64) -> f64 {
    let begin = Instant::now();
    Line::to(port).drain();
    mib(bytes, begin.elapsed())
}

/// How long each LOOKUP of another client takes while `work` runs, in order of length.
fn lookups_during(port: u16, work: impl FnOnce()) -> Vec<Duration> {
    let is_over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&is_over);
    let (ready, is_ready) = mpsc::channel();
    let asking = thread::spawn(move || {
        let mut line = Line::to(port);
        let (request, answer) = (lookup(7), one_record(7, 10_000).len());
        let mut times = Vec::new();
        while !end.load(Ordering::Relaxed) {
            let asked = Instant::now();
            line.send(request.as_bytes());
            line.take(answer);
            times.push(asked.elapsed());
            let _ = ready.send(());
        }
        times
    });
    is_ready.recv().unwrap();
    work();
    is_over.store(true, Ordering::Relaxed);
    let mut times = asking.join().unwrap();
    times.sort();
    times
}

fn waits(what: &str, times: &[Duration]) {
    let [high, worst] = [0.99, 1.0].map(|share| quantile(times, share).as_secs_f64() * 1e3);
    row(
        what,
        &format!("{high:.2} ms 99th percentile"),
        &format!("{worst:.2} ms worst of {}", times.len()),
    );
}

/// 10,000 connected peers.
fn crowd() {
    const PEERS: u16 = 9_990;
    let server = Program::server(&[]).ignore_output();
    let (empty, _) = server.memory_and_threads();
    let begin = Instant::now();
    let mut crowd = Vec::new();
    // The second record of each.
    let second = |port: u16| u32::from(port) + u32::from(PEERS);
    for port in 1..=PEERS {
        let mut line = Small::to(&server);
        for number in [u32::from(port), second(port)] {
            line.send(add(number, port).as_bytes());
            line.take(one_record(number, port).len());
        }
        crowd.push(line);
    }
    let joined = begin.elapsed();
    row(
        &format!("{PEERS} peers join, two ADDs each"),
        &format!("{:.2} s", joined.as_secs_f64()),
        "",
    );
    let each = || {
        let (memory, threads) = server.memory_and_threads();
        let each = (memory - empty) * 1024.0 / f64::from(PEERS);
        (
            format!("{each:.1} KiB each"),
            format!("{memory:.0} MiB, {threads} threads"),
        )
    };
    let (memory, all) = each();
    row("  memory of the server", &memory, &all);
    let bytes: usize = (1..=PEERS)
        .map(|port| record(u32::from(port), port).len() + record(second(port), port).len())
        .sum::<usize>()
        + 23;
    for line in &mut crowd {
        line.send(b"LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n");
        line.skip(bytes);
    }
    // What a connection keeps for the next request, it keeps for a second.
    thread::sleep(Duration::from_secs(2));
    let (memory, all) = each();
    row("  the same after a LIST by each of them", &memory, &all);
    let mut asked = Vec::new();
    for turn in 0..20_000_u32 {
        // A step that shares no factor with the number of peers visits all of them.
        let place = (turn * 7_919 % u32::from(PEERS)) as usize;
        let (number, line) = (place as u32 + 1, &mut crowd[place]);
        let begin = Instant::now();
        line.send(lookup(number).as_bytes());
        line.take(one_record(number, number as u16).len());
        asked.push(begin.elapsed());
    }
    asked.sort();
    let [median, high] = [0.5, 0.99].map(|share| quantile(&asked, share).as_secs_f64() * 1e6);
    row(
        "  LOOKUP by each of them in turn",
        &format!("{median:.0} µs median"),
        &format!("{high:.0} µs 99th percentile"),
    );
    let begin = Instant::now();
    drop(crowd);
    while server.memory_and_threads().1 > 20 {
        thread::sleep(Duration::from_millis(1));
    }
    row(
        "  all of them leave",
        &format!("{:.2} s", begin.elapsed().as_secs_f64()),
        "",
    );
}

/// A connection without its own buffer: ten thousand of the others would take gigabytes.
struct Small(std::net::TcpStream);

impl Small {
    fn to(server: &Quiet) -> Self {
        let stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    fn skip(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap();
        let read = std::io::copy(
            &mut std::io::Read::take(&self.0, count),
            &mut std::io::sink(),
        );
        assert_eq!(read.unwrap(), count);
    }

    fn take(&mut self, count: usize) {
        let mut buffer = [0; 512];
        std::io::Read::read_exact(&mut self.0, &mut buffer[..count]).unwrap();
    }
}

/// Uploads against nginx.
fn nginx() {
    let is_there = nginx::against_nginx(|what, unit, ours, theirs| {
        row(
            what,
            &format!("{ours:.0} {unit}"),
            &format!("{theirs:.0} {unit} with nginx ({:.2})", ours / theirs),
        );
    });
    if !is_there {
        row("uploads against nginx", "skipped", "nginx is not installed");
    }
}

/// Uploads and downloads.
fn uploads() {
    let folder = load::documents();
    let server = Program::server(&[]).ignore_output();
    let peer =
        Program::peer(server.port, folder.path(), &["share", "--print-messages"]).ignore_output();
    for downloaders in [1, 4] {
        let raw = source(LARGE);
        let (speed, limit) = many_pairs(9, || {
            let speed = copies(peer.port, get(1).as_bytes(), downloaders, LARGE);
            (speed, copies(raw, b"", downloaders, LARGE))
        });
        row(
            &format!("200 MiB to {downloaders} downloader(s)"),
            &format!("{speed:.0} MiB/s"),
            &format!("{limit:.0} MiB/s raw copy ({:.2})", speed / limit),
        );
    }
    let limit = visits(source(SMALL as u64), b"", 4);
    let found = visits(peer.port, get(2).as_bytes(), 4);
    row(
        "30 KiB files, 4 at a time, new connection each",
        &format!("{found:.0} GETs/s"),
        &format!("{limit:.0}/s raw copies ({:.2})", found / limit),
    );
    let into = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let answers = "4\n1\n\n5\n";
    let mut client = std::process::Command::new(env!("CARGO_BIN_EXE_peer"))
        .args([
            "--host",
            &format!("127.0.0.1:{}", server.port),
            "--dir",
            into.path().to_str().unwrap(),
        ])
        .args(["--hostname", "127.0.0.1", "-q"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    client
        .stdin
        .take()
        .unwrap()
        .write_all(answers.as_bytes())
        .unwrap();
    assert!(client.wait().unwrap().success());
    let speed = mib(LARGE, begin.elapsed());
    assert_eq!(
        fs::metadata(into.path().join("rfc1.txt")).unwrap().len(),
        LARGE
    );
    let begin = Instant::now();
    let mut file = fs::File::create(into.path().join("copy")).unwrap();
    for _ in 0..LARGE / (1024 * 1024) {
        file.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
    }
    file.sync_all().unwrap();
    let limit = mib(LARGE, begin.elapsed());
    row(
        "200 MiB with our own client, start and disk included",
        &format!("{speed:.0} MiB/s"),
        &format!("{limit:.0} MiB/s written and synced ({:.2})", speed / limit),
    );
}
