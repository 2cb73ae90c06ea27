//! A peer that shares as many files as there are RFCs: its start, and what it costs when idle.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::load::{Line, Program, Quiet, free_port, lookup, peer_command};
use super::row;

/// How many RFCs have a text file.
const FILES: u32 = 9_823;
/// The length of each file, in bytes: a little more than is read for its title.
const LENGTH: usize = 10 * 1024;
/// The time of a message in one direction, in the slow case.
const ONE_WAY: Duration = Duration::from_millis(10);
/// How long the idle peer is watched.
const IDLE: Duration = Duration::from_secs(10);

pub(super) fn folder() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(folder.path());
    let limit = read_all(folder.path());
    let limit = format!("{:.2} s to open and read each file", limit.as_secs_f64());
    let [first, again] = [(); 2].map(|()| registered(folder.path(), state.path(), Duration::ZERO));
    let named = |what: &str| format!("{FILES} files: start until all are registered{what}");
    row(&named(""), &seconds(first.0), &limit);
    row(
        "  the same again, with the titles kept",
        &seconds(again.0),
        "",
    );
    let one_by_one = 2 * ONE_WAY * FILES;
    row(
        &format!("  over round trips of {} ms", 2 * ONE_WAY.as_millis()),
        &seconds(registered(folder.path(), state.path(), ONE_WAY).0),
        &format!("{} one by one", seconds(one_by_one)),
    );
    // It scans once more, because the folder may have changed since it was opened.
    thread::sleep(Duration::from_secs(2));
    let before = again.1.cpu();
    thread::sleep(IDLE);
    let used = again.1.cpu().saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64();
    row("  idle", &format!("{:.3} % of a core", used * 100.0), "");
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn fill(folder: &Path) {
    let text = "   Text of the usual kind, in lines of the usual length, and so on.\n";
    let text = text.repeat(LENGTH / text.len());
    for number in 1..=FILES {
        let head = format!(
            "\n\n\n\nNetwork Working Group                                   A. Author\n\
             Request for Comments: {number:<5}                              May 1999\n\n\n\
             \x20              A Title of the Usual Length, Number {number}\n\n\n\
             Status of this Memo\n\n"
        );
        fs::write(folder.join(format!("rfc{number}.txt")), head + &text).unwrap();
    }
}

/// The least that has to be done for the titles, on one thread.
fn read_all(folder: &Path) -> Duration {
    let (begin, mut buffer) = (Instant::now(), [0; 8192]);
    for number in 1..=FILES {
        let mut file = File::open(folder.join(format!("rfc{number}.txt"))).unwrap();
        file.read_exact(&mut buffer).unwrap();
    }
    begin.elapsed()
}

/// How long a new peer takes to register everything at a new server, and the peer.
fn registered(folder: &Path, state: &Path, one_way: Duration) -> (Duration, Quiet) {
    let server = Program::server(&[]).ignore_output();
    let port = if one_way.is_zero() {
        server.port
    } else {
        delayed(server.port, one_way)
    };
    let begin = Instant::now();
    let mut command = peer_command(port, folder, &["share"]);
    command.env("XDG_STATE_HOME", state);
    let peer = Program::start(command, "listening on port").ignore_output();
    let mut line = Line::to(server.port);
    // The last one is the one with the highest number.
    while !line.finds(&lookup(FILES)) {
        thread::sleep(Duration::from_millis(1));
    }
    (begin.elapsed(), peer)
}

/// A way to a server that takes so long in each direction.
fn delayed(server: u16, one_way: Duration) -> u16 {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            for stream in [&near, &far] {
                stream.set_nodelay(true).unwrap();
            }
            let copy = |stream: &TcpStream| stream.try_clone().unwrap();
            carry(copy(&near), copy(&far), one_way);
            carry(far, near, one_way);
        }
    });
    port
}

/// Carries bytes from one stream to the other, each after this time.
fn carry(mut from: TcpStream, mut to: TcpStream, time: Duration) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in receive {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let due = Instant::now() + time;
            if send.send((due, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}
