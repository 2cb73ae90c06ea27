//! Whether the host and port of the introducer belong to a server of another kind.

use std::io::{BufRead, Read, Write};
use std::time::Duration;

use crate::index::{IndexError, Participation};
use crate::net::connect;
use crate::wire::{ReadError, Source};

/// How long each of connecting and answering may take.
const TIME: Duration = Duration::from_secs(1);
/// How much of the first line of the answer is enough, in bytes.
const MAX_ANSWER: u64 = 80;
/// A server of an index answers it, with or without peers. The upload server of a peer, which may
/// be named too, refuses it.
const REQUEST: &[u8] = b"LIST ALL P2P-CI/1.0\r\nHost: localhost\r\nPort: 1\r\n\r\n";

/// Asks over TCP at the endpoint of the introducer. `Some` if a server of another kind answers.
pub(super) fn other_kind(participation: &Participation) -> Option<IndexError> {
    let Participation {
        server, sockets, ..
    } = participation;
    let mut connection = connect(sockets, server, TIME).ok()?;
    connection.write_all(REQUEST).ok()?;
    connection.allow(Some(TIME));
    let mut line = Vec::new();
    let mut answer = connection.take(MAX_ANSWER);
    answer.read_until(b'\n', &mut line).ok()?;
    let came = String::from_utf8(line).ok()?.trim_end().to_owned();
    let is_server =
        came.starts_with("P2P-DI/") || (came.starts_with("P2P-CI/") && !came.contains(" 400 "));
    is_server.then(|| IndexError::NoAnswer {
        server: server.clone(),
        reason: ReadError::Malformed {
            came,
            expected: "an answer of an introducer",
        },
    })
}
