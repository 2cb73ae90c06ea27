//! Telling connections for which there is no room that there is none.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::sockets::Refused;

/// How long a refused connection may take to be told, and then to close.
const TELL_TIME: Duration = Duration::from_millis(100);
/// How many refused connections may wait to be told. More than these are closed untold: they
/// come faster than people do.
const WAITING: usize = 64;
/// The log has at most one line about refusals in this time.
const LOG_TIME: Duration = Duration::from_secs(1);

/// Refuses connections, in a thread of its own, so that accepting goes on meanwhile.
#[derive(Debug)]
pub(super) struct Refusals {
    waiting: SyncSender<TcpStream>,
    /// Refused since the last line in the log.
    unlogged: u64,
    last_logged: Option<Instant>,
}

impl Refusals {
    /// Starts the thread. `answer` is what a refused connection is told.
    pub(super) fn start(answer: Vec<u8>) -> io::Result<Self> {
        let (waiting, refused) = mpsc::sync_channel(WAITING);
        thread::Builder::new()
            .name("refusals".to_owned())
            .spawn(move || {
                for stream in refused {
                    // Nothing is lost with one that does not listen.
                    let _ = tell(&stream, &answer);
                }
            })?;
        Ok(Self {
            waiting,
            unlogged: 0,
            last_logged: None,
        })
    }

    pub(super) fn refuse(&mut self, stream: TcpStream, why: Refused) {
        self.unlogged += 1;
        if self
            .last_logged
            .is_none_or(|last| last.elapsed() >= LOG_TIME)
        {
            let from = stream.peer_addr().ok();
            warn!(
                ?from,
                refused = self.unlogged,
                "no room for a connection: {why}"
            );
            self.unlogged = 0;
            self.last_logged = Some(Instant::now());
        }
        // Where the queue is full, the stream is dropped, and with it closed.
        let _ = self.waiting.try_send(stream);
    }
}

fn tell(mut stream: &TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_write_timeout(Some(TELL_TIME))?;
    stream.set_read_timeout(Some(TELL_TIME))?;
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)?;
    // What the other side has sent meanwhile is read, for closing with unread input would take
    // the answer away from it.
    stream.read(&mut [0; 4096]).map(drop)
}
