//! Sends a request as it was typed, right or wrong, and reads whatever comes back.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use super::{Code, Failure, Stop};
use crate::event::{Events, Role};
use crate::net::{Connection, Sockets, connect};
use crate::wire::{Endpoint, ReadError, Source};

/// How long connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the whole answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long an answer that has begun may pause before it counts as complete: not every server
/// closes a connection whose other side has finished.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Sends `request` to `other`, reports it and the answer as events, and returns the answer. Nothing
/// is added to the request; its end is the end of our output.
pub fn send(
    other: &Endpoint,
    request: &[u8],
    events: &Events,
    stop: &Stop,
) -> Result<Vec<u8>, Failure> {
    let sockets = Sockets::default();
    stop.watch(&sockets);
    let failed = |reason: ReadError| {
        let what = format!("no answer from {other}: {reason}");
        Failure::new(Code::IndexUnreachable, what)
    };
    let connection = connect(&sockets, other, CONNECT_TIME);
    let mut connection = connection.map_err(|error| Failure::new(Code::IndexUnreachable, error))?;
    let link = connection.link(Role::Index);
    events.sent(link, request);
    let sent = connection.write_all(request);
    // A server that has seen enough may answer and close before it has read everything.
    let sent = sent.and_then(|()| connection.end_output());
    let mut answer = Vec::new();
    let read = read(&mut connection, &mut answer);
    if answer.is_empty() {
        sent.and(read).map_err(|error| failed(reason(error)))?;
        return Err(failed(ReadError::Closed));
    }
    events.received(link, &answer);
    Ok(answer)
}

/// Reads until the other side closes the connection, pauses, or has sent enough.
fn read(connection: &mut Connection, answer: &mut Vec<u8>) -> io::Result<()> {
    connection.allow(Some(ANSWER_TIME));
    while answer.len() < MAX_ANSWER {
        if !answer.is_empty() && !connection.arrives_within(PAUSE)? {
            break;
        }
        let came = connection.fill_buf()?;
        let count = came.len();
        if count == 0 {
            break;
        }
        answer.extend_from_slice(came);
        connection.consume(count);
    }
    Ok(())
}

fn reason(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::TimedOut => ReadError::TimedOut {
            time: ANSWER_TIME,
            began: false,
        },
        _ => error.into(),
    }
}
