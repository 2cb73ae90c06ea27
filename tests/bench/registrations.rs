//! REGISTER as the table grows: what one costs in time and in bytes, and many at once.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::load::{Program, Quiet, quantile};
use super::row;

/// How many register at the same time.
const AT_ONCE: u32 = 200;
/// How many register one after the other, so that none shares a commit.
const ALONE: u32 = 200;

pub(super) fn registrations() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("peers");
    let arguments = ["--index", "distributed", "--state", file.to_str().unwrap()];
    let server = Program::server(&arguments).ignore_output();
    let mut known = 0;
    for count in [100, 100_000] {
        let begin = Instant::now();
        let port = server.port;
        let threads = (0..AT_ONCE).map(|first| {
            let mine = (known + first..count).step_by(AT_ONCE as usize);
            thread::spawn(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                mine.for_each(|number| register(&mut stream, number));
            })
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let rate = f64::from(count - known) / begin.elapsed().as_secs_f64();
        known = count;
        let (time, bytes) = alone(&server);
        let limit = synced(&folder.path().join("raw"), bytes);
        row(
            &format!("REGISTER among {count} peers, one after the other"),
            &format!("{:.2} ms", time.as_secs_f64() * 1e3),
            &format!(
                "{:.2} ms to write and sync {bytes} bytes",
                limit.as_secs_f64() * 1e3
            ),
        );
        row(
            &format!("  up to {count} peers, {AT_ONCE} at once"),
            &format!("{rate:.0}/s"),
            "",
        );
    }
}

/// What one REGISTER takes that is alone: the median of the time, and the bytes written.
fn alone(server: &Quiet) -> (Duration, u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let before = server.written();
    let mut times: Vec<_> = (0..ALONE)
        .map(|number| {
            let begin = Instant::now();
            register(&mut stream, number % 100);
            begin.elapsed()
        })
        .collect();
    times.sort();
    let bytes = (server.written() - before) / u64::from(ALONE);
    (quantile(&times, 0.5), bytes)
}

fn register(stream: &mut TcpStream, number: u32) {
    let (host, port) = (number / 1000, 1000 + number % 1000);
    let content = format!("register h{host}.example HTTP/1.1\r\nport: {port}\r\n\r\n");
    write!(stream, "{:<10}{content}", content.len()).unwrap();
    let mut length = [0; 10];
    stream.read_exact(&mut length).unwrap();
    let length = str::from_utf8(&length).unwrap().trim_end();
    let mut answer = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
}

/// How long the disk takes for as many bytes.
fn synced(path: &std::path::Path, bytes: u64) -> Duration {
    let (mut file, bytes) = (fs::File::create(path).unwrap(), vec![b'x'; bytes as usize]);
    let mut times: Vec<_> = (0..ALONE)
        .map(|_| {
            let begin = Instant::now();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort();
    quantile(&times, 0.5)
}
