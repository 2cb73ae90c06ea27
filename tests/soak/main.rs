//! `make soak`: peers join, add, list, download, leave and are killed at random, and the server is
//! restarted, for SOAK_TIME seconds (120), among strangers who are slow or lie. At the end the index has exactly what the running peers
//! have, every downloaded file is identical, and memory, threads and descriptors are back at their
//! initial values. SOAK_SEED repeats a run. With SOAK_INDEX=distributed the server is a
//! registration server, and the index is what the active peers report about themselves. With
//! SOAK_INDEX=dht it is an introducer, and the index is what a new peer lists; fewer peers come and go,
//! because the hash table remembers only those that came last.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failure here fails loudly"
)]

mod strangers;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use strangers::{Strangers, Target};
use support::scenarios_dht::DHT;
use support::scenarios_di::DISTRIBUTED;
use support::{Client, Program, exchange, peer, peer_of, run, server_command, started_server};
use tempfile::TempDir;

/// The most peers at the same time.
const PEERS: usize = 30;
/// The number of documents.
const DOCUMENTS: u32 = 60;
/// How long settling may take: the longest pause of a reconnecting peer, and a margin.
const SETTLE_TIME: Duration = Duration::from_secs(60);

/// A document's contents depend only on its number.
fn document(number: u32) -> Vec<u8> {
    format!("document {number}\n")
        .repeat(1 + (number as usize * 97) % 3000)
        .into_bytes()
}

/// Repeatable random numbers (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// The number of a document. None of them is a menu choice: if GET asks whether to replace a
    /// file, the next line is the answer, and the number after it is read as a choice.
    fn number(&mut self) -> u32 {
        u32::try_from(self.below(DOCUMENTS as usize)).unwrap() + 11
    }
}

/// The index under test.
struct Kind {
    name: String,
    state: TempDir,
}

impl Kind {
    /// The options of both programs.
    fn options(&self) -> &'static [&'static str] {
        match self.name.as_str() {
            "distributed" => &DISTRIBUTED,
            "dht" => &DHT,
            _ => &[],
        }
    }

    /// Whether the peers answer what they have.
    fn has_peers_that_tell(&self) -> bool {
        self.name != "central"
    }

    /// Of how many chances for a peer to be killed or to leave one is taken.
    fn calm(&self) -> usize {
        if self.name == "dht" { 25 } else { 1 }
    }

    /// The threads of an idle peer: the menu, two for uploads, and one each for signals, both
    /// outputs, refusals, the index, the folder and standard input. A node of a hash table has two
    /// more.
    fn peer_threads(&self) -> u64 {
        if self.name == "dht" { 12 } else { 10 }
    }

    /// A server at a port; 0 is any free one.
    fn server(&self, port: u16) -> Program {
        let port = port.to_string();
        let state = self.state.path().join("peers.json");
        // Only a registration server needs the TTL, and only an introducer the address.
        let arguments = [
            "-q",
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--ttl",
            "10",
            "--state",
            state.to_str().unwrap(),
        ];
        started_server(server_command(&[self.options(), &arguments].concat()))
    }

    /// The contents of the index, in the form of [`shared`].
    fn indexed(&self, server: u16) -> Vec<(u32, u16)> {
        match self.name.as_str() {
            "distributed" => active(server).into_iter().flat_map(told).collect(),
            "dht" => listed(server),
            _ => indexed(server),
        }
    }
}

struct Member {
    program: Program,
    folder: TempDir,
}

impl Member {
    /// Ends the input, at which the program leaves.
    fn leave(&mut self) {
        self.program.close_input();
        let (status, _) = self.program.wait();
        assert!(status.success(), "{status}: {}", self.program.errors());
    }
}

fn join(kind: &Kind, server: u16, chance: &mut Chance) -> Member {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let number = chance.number();
        fs::write(
            folder.path().join(format!("rfc{number}.txt")),
            document(number),
        )
        .unwrap();
    }
    let arguments = [kind.options(), &["-q"]].concat();
    let program = peer("peer", server, folder.path(), &arguments);
    Member { program, folder }
}

/// The contents of the members' folders, as lines of the index without titles.
fn shared(members: &[Member]) -> BTreeSet<(u32, u16)> {
    let files = |member: &Member| {
        let (port, names) = (member.program.port, support::names(member.folder.path()));
        names.into_iter().map(move |name| (number_in(&name), port))
    };
    members.iter().flat_map(files).collect()
}

fn number_in(name: &str) -> u32 {
    let number = name
        .strip_prefix("rfc")
        .and_then(|name| name.strip_suffix(".txt"));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{name} was left behind"))
}

/// The contents of a central index.
fn indexed(server: u16) -> Vec<(u32, u16)> {
    let mut client = Client::connect(server);
    client.send("LIST ALL P2P-CI/1.0\r\nHost: soak\r\n\r\n");
    client.head();
    let lines = std::iter::repeat_with(|| client.line()).take_while(|line| !line.is_empty());
    let record = |line: String| {
        let words: Vec<_> = line.split(' ').collect();
        (
            words[1].parse().unwrap(),
            words[words.len() - 1].parse().unwrap(),
        )
    };
    lines.map(record).collect()
}

/// The ports of the peers that a registration server lists as active.
fn active(server: u16) -> Vec<u16> {
    // The test is a peer while it asks.
    let ask = |words: &str, cookie: &str| {
        let peer = "Host: 127.0.0.1\r\nPort: 1\r\n";
        let request = format!("{words} P2P-DI/1.0\r\n{peer}Cookie: {cookie}\r\n\r\n");
        exchange(server, request)
    };
    let registered = ask("REGISTER Peer", "4294967295");
    let cookie = registered
        .lines()
        .find_map(|line| line.strip_prefix("Cookie: "));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {registered}"));
    let peers = ask("PQUERY Peer-List", cookie);
    ask("LEAVE Peer", cookie);
    let peers = peers.lines().filter_map(|line| line.strip_prefix("Peer "));
    peers
        .map(|peer| peer.split(' ').nth(1).unwrap().parse().unwrap())
        .collect()
}

/// What a new peer lists.
fn listed(introducer: u16) -> Vec<(u32, u16)> {
    let folder = tempfile::tempdir().unwrap();
    let command = peer_of(introducer, folder.path(), &[&DHT[..], &["list"]].concat());
    let (status, out, errors) = run("peer", command);
    // Where all have left, the entries of the last are still found, and nobody answers.
    assert!(
        status.success() || errors.contains("that were found answers"),
        "{errors}"
    );
    let record = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        (words[1].parse().unwrap(), words[4].parse().unwrap())
    };
    out.lines().map(record).collect()
}

/// The records that a peer reports about itself. A missing peer gets one that nobody shares.
fn told(port: u16) -> Vec<(u32, u16)> {
    if std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        return vec![(0, port)];
    }
    let text = exchange(port, "GET RFC-Index P2P-DI/1.0\r\nHost: localhost\r\n\r\n");
    let record = |line: &str| {
        let words: Vec<_> = line.strip_prefix("RFC ")?.split(' ').collect();
        let of = words[3].parse().unwrap();
        (of == port).then(|| (words[0].parse().unwrap(), of))
    };
    text.lines().filter_map(record).collect()
}

fn check_files(folder: &Path) -> usize {
    let names = support::names(folder);
    for name in &names {
        let bytes = fs::read(folder.join(name)).unwrap();
        assert!(
            bytes == document(number_in(name)),
            "{name} differs from what was shared"
        );
    }
    names.len()
}

/// Threads, descriptors and resident KiB of a program.
fn usage(program: &Program) -> (u64, usize, u64) {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{}/fd", program.id()))
        .unwrap()
        .count();
    (field("Threads:"), descriptors, field("VmRSS:"))
}

/// The names of the threads of a program.
fn threads(program: &Program) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", program.id())).unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| {
        let name = fs::read_to_string(task.unwrap().path().join("comm"));
        name.unwrap_or_default().trim_end().to_owned()
    };
    tasks.map(name).collect()
}

/// Waits until `holds`, and returns whether it did.
fn settles(mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < SETTLE_TIME {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}

fn main() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    let time = Duration::from_secs(number("SOAK_TIME").unwrap_or(120));
    let seed =
        number("SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
    let name = std::env::var("SOAK_INDEX").unwrap_or_else(|_| "central".to_owned());
    assert!(
        ["central", "distributed", "dht"].contains(&name.as_str()),
        "SOAK_INDEX={name}"
    );
    let kind = Kind {
        name: name.clone(),
        state: tempfile::tempdir().unwrap(),
    };
    println!(
        "SOAK_INDEX={name} SOAK_TIME={} SOAK_SEED={seed}",
        time.as_secs()
    );
    let mut chance = Chance(seed);

    let mut index = kind.server(0);
    let port = index.port;
    // Its threads all exist once it has answered, and the answering one ends soon.
    assert!(kind.indexed(port).is_empty());
    thread::sleep(Duration::from_secs(3));
    let at_first = usage(&index);
    let mut members: Vec<Member> = Vec::new();
    let (mut joins, mut kills, mut exits, mut gets, mut restarts) = (0, 0, 0, 0, 0);
    let target = Target::new(kind.has_peers_that_tell(), port);
    let strangers = Strangers::start(&target, seed);
    let begin = Instant::now();
    while begin.elapsed() < time {
        thread::sleep(Duration::from_millis(10));
        *target.peers.lock() = members.iter().map(|member| member.program.port).collect();
        let some = if members.is_empty() {
            0
        } else {
            chance.below(members.len())
        };
        match chance.below(1000) {
            0..100 if members.len() < PEERS => {
                members.push(join(&kind, port, &mut chance));
                joins += 1;
            }
            100..130 if members.len() > PEERS / 2 && chance.below(kind.calm()) == 0 => {
                let mut member = members.swap_remove(some);
                member.program.kill();
                check_files(member.folder.path());
                kills += 1;
            }
            130..150 if members.len() > PEERS / 2 && chance.below(kind.calm()) == 0 => {
                let mut member = members.swap_remove(some);
                member.leave();
                check_files(member.folder.path());
                exits += 1;
            }
            150..152 if !members.is_empty() => {
                index.kill();
                index = kind.server(port);
                restarts += 1;
            }
            200..400 if !members.is_empty() => members[some].program.type_line("3"),
            400..700 if !members.is_empty() => {
                let wanted = chance.number();
                // No title; and a file that is there is not replaced.
                for line in ["4", &wanted.to_string(), "", ""] {
                    members[some].program.type_line(line);
                }
                gets += 1;
            }
            _ => {}
        }
    }
    let strangers = strangers.stop();
    println!(
        "{joins} joined, {kills} killed, {exits} left, {gets} GETs, {restarts} restarts of the \
         server; {strangers} strangers"
    );

    // GETs may still end meanwhile, so what agrees is what is looked at.
    let (mut index_holds, mut folders_hold) = (kind.indexed(port), shared(&members));
    let same = settles(|| {
        (index_holds, folders_hold) = (kind.indexed(port), shared(&members));
        index_holds.iter().cloned().collect::<BTreeSet<_>>() == folders_hold
    });
    assert!(
        same,
        "the index holds {index_holds:?}, the folders {folders_hold:?}"
    );
    assert_eq!(
        index_holds.len(),
        folders_hold.len(),
        "a record is held twice"
    );
    let files: usize = members
        .iter()
        .map(|member| check_files(member.folder.path()))
        .sum();
    println!(
        "{} peers share {files} files, all identical, all in the index",
        members.len()
    );

    let is_idle = |member: &Member| usage(&member.program).0 <= kind.peer_threads();
    let are_idle = settles(|| members.iter().all(is_idle));
    let busy = members.iter().find(|member| !is_idle(member));
    let busy = busy.map(|member| threads(&member.program));
    assert!(are_idle, "a peer still has the threads {busy:?}");
    for mut member in members {
        member.leave();
    }
    let back = settles(|| usage(&index).0 <= at_first.0 && usage(&index).1 <= at_first.1);
    let at_last = usage(&index);
    assert!(
        back,
        "threads, descriptors, KiB: {at_first:?} at first, {at_last:?} at last"
    );
    assert!(
        at_last.2 < at_first.2 + 16 * 1024,
        "memory: {at_first:?} at first, {at_last:?} at last"
    );
    assert!(kind.indexed(port).is_empty());
    println!("server (threads, descriptors, KiB): {at_first:?} at first, {at_last:?} at last");
}
