//! Whole conversations with the index server: never a panic, every request is answered, and nothing
//! remains after the connection.
#![no_main]

mod stream;

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use p2pci::central::{Catalog, Sessions};
use p2pci::event::{Events, Link, Role};
use p2pci::net::Sockets;
use p2pci::printout::{Output, Shows, Transcript};
use p2pci::terminal::{Queue, Screen};
use stream::Stream;

static SESSIONS: LazyLock<Sessions> = LazyLock::new(|| Sessions {
    catalog: Catalog::new(5),
    sockets: Sockets::default(),
    events: Events::default().and(printout()),
    request_time: Duration::from_secs(1),
});

fn printout() -> Transcript {
    let output = Output {
        name: "sink".to_owned(),
        queue: Queue::start(io::sink(), |_| {}),
        shows: Shows::Messages,
        is_screen: false,
    };
    Transcript::new(Screen::default(), [output])
}

fuzz_target!(|input: &[u8]| {
    let mut stream = Stream::new(input);
    let link = Link {
        id: 1,
        role: Role::Session,
        remote: ([127, 0, 0, 1], 1).into(),
    };
    SESSIONS.serve(&mut stream, link);
    assert!(SESSIONS.catalog.is_empty());
    let answers = String::from_utf8(stream.out).expect("answers are text");
    // In frames an answer begins with its length.
    let is_framed = answers.starts_with(|c: char| c.is_ascii_digit());
    assert!(
        is_framed
            || answers.is_empty()
            || answers.starts_with("P2P-CI/1.0 ") && answers.ends_with("\r\n\r\n")
    );
});
