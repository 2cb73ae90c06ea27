//! Existing programs of this family, each played by a small script: as peers of our server and of our
//! upload server, and as servers and holders for our peer.

mod answers;
mod faithful;
mod holders;
mod registering;
mod requests;
mod servers;

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::framed::Framed;
use crate::support::{Client, peer_of, run};

/// Listens on a free port and passes each connection to `answer`, each in a thread of its own.
fn concurrent(answer: impl Fn(Client) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || answer(Client::over(stream.unwrap())));
        }
    });
    port
}

/// A conversation in frames. Of a client that speaks text, all is read and nothing answered, as by
/// programs that do not understand it and keep the connection open; `None` when the client is gone.
fn only_framed(client: &Client) -> Option<Framed> {
    let (mut stream, mut first) = (client.stream(), [0; 1]);
    if stream.peek(&mut first).is_ok() && !first[0].is_ascii_digit() {
        while stream.read(&mut [0; 100]).is_ok_and(|count| count > 0) {}
        return None;
    }
    Some(Framed::over(stream.try_clone().unwrap()))
}

/// Runs a command of the peer: its exit code, output, and errors.
fn asked(server: u16, folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (status, out, errors) = run("peer", peer_of(server, folder, arguments));
    (status.code(), out, errors)
}
