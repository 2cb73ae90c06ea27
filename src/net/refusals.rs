//! Answers connections over the limit before closing them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Stream;
use super::seldom::Seldom;
use super::sockets::Refused;
use crate::event::{Event, Events, Role, Topic};

/// How long a refused connection has to read the answer before it is closed: closing it at once,
/// with unread input, could discard the answer.
const LINGER_TIME: Duration = Duration::from_millis(100);
/// The most refused connections at a time. Any more are closed without an answer.
const MOST: usize = 256;

/// Refuses connections in its own thread, so that accepting goes on.
#[derive(Debug)]
pub(super) struct Refusals {
    refused: SyncSender<Stream>,
    role: Role,
    events: Events,
    reports: Mutex<Seldom>,
}

impl Refusals {
    /// Starts the thread, which sends `answer` to each refused connection. They were meant for
    /// `role`.
    pub(super) fn start(answer: Vec<u8>, role: Role, events: Events) -> io::Result<Self> {
        let (send, refused) = mpsc::sync_channel(MOST);
        let thread = thread::Builder::new().name("refusals".to_owned());
        thread.spawn(move || answer_all(&refused, &answer))?;
        Ok(Self {
            refused: send,
            role,
            events,
            reports: Mutex::default(),
        })
    }

    pub(super) fn refuse(&self, stream: Stream, why: Refused) {
        if let Some(before) = self.reports.lock().due(Instant::now()) {
            let from = stream.peer_addr().ok().and_then(|from| from.as_socket());
            let from = from.map(|from| from.ip().to_canonical());
            self.events.tell(Topic::Life, || Event::TurnedAway {
                role: self.role,
                from,
                why: why.to_string().into(),
                before,
            });
        }
        // If the queue is full, the stream is dropped and thereby closed.
        let _ = self.refused.try_send(stream);
    }
}

/// Answers each connection at once, and closes it a while later.
fn answer_all(refused: &Receiver<Stream>, answer: &[u8]) {
    let mut lingering: VecDeque<(Instant, Stream)> = VecDeque::new();
    loop {
        let next = match lingering.front() {
            Some((since, _)) => refused.recv_timeout(LINGER_TIME.saturating_sub(since.elapsed())),
            None => refused.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(stream) => {
                // One that is already gone needs no wait.
                if answer_one(&stream, answer).is_ok() {
                    lingering.push_back((Instant::now(), stream));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let is_over = |(since, _): &(Instant, Stream)| since.elapsed() >= LINGER_TIME;
        while lingering.len() > MOST || lingering.front().is_some_and(is_over) {
            let Some((_, mut stream)) = lingering.pop_front() else {
                break;
            };
            // Input that has arrived is read, because unread input would reset the connection.
            let _ = stream.read(&mut [0; 4096]);
        }
    }
}

fn answer_one(mut stream: &Stream, answer: &[u8]) -> io::Result<()> {
    // A new connection has buffer space for an answer, so this does not block.
    stream.set_nonblocking(true)?;
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)
}
