//! Strangers who are slow, broken or dishonest, while the peers work.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::SockRef;

use crate::{Chance, DOCUMENTS};

/// How long a stranger keeps a connection that it does not use.
const HOLD_TIME: Duration = Duration::from_secs(1);
/// The pause of a dripper after each byte.
const DRIP_TIME: Duration = Duration::from_millis(20);

/// Strangers at work, each in its own thread, until they are stopped.
pub(crate) struct Strangers {
    target: Target,
    threads: Vec<JoinHandle<()>>,
}

/// Whom they bother.
#[derive(Clone)]
pub(crate) struct Target {
    /// Whether the peers answer what they have.
    pub(crate) is_distributed: bool,
    /// The port of the server.
    pub(crate) server: u16,
    /// The ports of the peers.
    pub(crate) peers: Arc<Mutex<Vec<u16>>>,
    stopping: Arc<AtomicBool>,
    count: Arc<AtomicU32>,
}

impl Target {
    pub(crate) fn new(is_distributed: bool, server: u16) -> Self {
        Self {
            is_distributed,
            server,
            peers: Arc::default(),
            stopping: Arc::default(),
            count: Arc::default(),
        }
    }

    /// A new connection to the server, or to one of the peers.
    fn connect(&self, chance: &mut Chance) -> Option<TcpStream> {
        let peers = self.peers.lock().clone();
        let some = chance.below(2 * peers.len() + 1);
        let port = peers.get(some).copied().unwrap_or(self.server);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, HOLD_TIME).ok()?;
        stream.set_read_timeout(Some(HOLD_TIME)).ok()?;
        stream.set_write_timeout(Some(HOLD_TIME)).ok()?;
        Some(stream)
    }

    /// A request that some listener of this kind of index answers.
    fn request(&self) -> &'static str {
        if self.is_distributed {
            "GET RFC-Index P2P-DI/1.0\r\nHost: stranger\r\n\r\n"
        } else {
            "LIST ALL P2P-CI/1.0\r\nHost: stranger\r\n\r\n"
        }
    }
}

impl Strangers {
    pub(crate) fn start(target: &Target, seed: u64) -> Self {
        let kinds = [drip, read_nothing, leave_halfway, make_noise, lie];
        let start = |(place, work): (u64, fn(&Target, &mut Chance))| {
            let (target, mut chance) = (target.clone(), Chance(seed + place));
            thread::spawn(move || {
                while !target.stopping.load(Ordering::Relaxed) {
                    work(&target, &mut chance);
                    target.count.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self {
            target: target.clone(),
            threads: (1..).zip(kinds).map(start).collect(),
        }
    }

    /// Ends them all, and returns how many there were.
    pub(crate) fn stop(self) -> u32 {
        self.target.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.target.count.load(Ordering::Relaxed)
    }
}

/// Sends a whole request, one byte at a time, and reads the answer.
fn drip(target: &Target, chance: &mut Chance) {
    let Some(mut stream) = target.connect(chance) else {
        return;
    };
    for byte in target.request().as_bytes() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(DRIP_TIME);
    }
    let _ = stream.read(&mut [0; 1024]);
}

/// Sends many requests, reads none of the answers, and resets the connection.
fn read_nothing(target: &Target, chance: &mut Chance) {
    let Some(mut stream) = target.connect(chance) else {
        return;
    };
    let socket = SockRef::from(&stream);
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    let _ = stream.write_all(target.request().repeat(200).as_bytes());
    thread::sleep(HOLD_TIME);
}

/// Closes the connection in the middle of a request.
fn leave_halfway(target: &Target, chance: &mut Chance) {
    if let Some(mut stream) = target.connect(chance) {
        let request = target.request().as_bytes();
        let some = chance.below(request.len());
        let _ = stream.write_all(&request[..some]);
    }
    thread::sleep(DRIP_TIME);
}

/// Sends bytes that are no request.
fn make_noise(target: &Target, chance: &mut Chance) {
    if let Some(mut stream) = target.connect(chance) {
        let noise: Vec<u8> = (0..64 * 1024)
            .map(|_| u8::try_from(chance.below(256)).unwrap())
            .collect();
        let _ = stream.write_all(&noise);
    }
    thread::sleep(DRIP_TIME * 10);
}

/// Takes part, says that it has every document, and delivers none.
fn lie(target: &Target, chance: &mut Chance) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", target.server)) else {
        return thread::sleep(DRIP_TIME);
    };
    let _ = stream.set_read_timeout(Some(HOLD_TIME));
    let mut told = String::new();
    if target.is_distributed {
        told = format!("REGISTER Peer P2P-DI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\n\r\n");
    } else {
        for number in 11..11 + DOCUMENTS {
            told += &format!(
                "ADD RFC {number} P2P-CI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\n\
                 Title: A lie\r\n\r\n"
            );
        }
    }
    let _ = stream.write_all(told.as_bytes());
    let mut answer = [0; 64 * 1024];
    let count = stream.read(&mut answer).unwrap_or_default();
    for _ in 0..200 {
        match listener.accept() {
            Ok((asker, _)) => deceive(asker, port, chance),
            Err(_) => thread::sleep(DRIP_TIME),
        }
    }
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("Cookie: "));
    if let (Some(cookie), Ok(mut stream)) =
        (cookie, TcpStream::connect(("127.0.0.1", target.server)))
    {
        let _ = write!(
            stream,
            "LEAVE Peer P2P-DI/1.0\r\nHost: 127.0.0.1\r\nPort: {port}\r\nCookie: {cookie}\r\n\r\n"
        );
        let _ = stream.read(&mut [0; 1024]);
    }
}

/// Answers one request with a lie.
fn deceive(mut asker: TcpStream, port: u16, chance: &mut Chance) {
    asker.set_nonblocking(false).unwrap();
    let _ = asker.set_read_timeout(Some(HOLD_TIME));
    let mut request = [0; 8192];
    let count = asker.read(&mut request).unwrap_or_default();
    let request = String::from_utf8_lossy(&request[..count]).into_owned();
    let _ = if request.starts_with("GET RFC-Index") {
        // Half of the holders are itself, the others nobody.
        let line = |number| {
            format!(
                "RFC {number} 7200 127.0.0.1 {} A lie\r\n",
                port - number as u16 % 2
            )
        };
        let lines: String = (11..11 + DOCUMENTS).map(line).collect();
        let length = lines.len();
        write!(
            asker,
            "P2P-DI/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{lines}"
        )
    } else {
        let protocol = if request.contains("P2P-DI/1.0") {
            "P2P-DI/1.0"
        } else {
            "P2P-CI/1.0"
        };
        match chance.below(4) {
            0 => write!(asker, "{protocol} 404 Not Found\r\n\r\n"),
            1 => write!(
                asker,
                "{protocol} 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning"
            ),
            2 => asker.write_all(&[0xff; 64 * 1024]),
            _ => Ok(()),
        }
    };
}
