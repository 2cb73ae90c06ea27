//! Frames and what is in them: never a panic, and a frame that was read is written the same.
#![no_main]

mod stream;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::frame::{self, Frame, MAX_FRAME};
use p2pci::wire::{Head, Waits, ci, di};
use stream::Stream;

const WAITS: Waits = Waits {
    first: None,
    whole: Duration::from_secs(1),
};

fuzz_target!(|input: &[u8]| {
    let mut stream = Stream::new(input);
    while let Ok(Some(read)) = frame::read(&mut stream, WAITS, MAX_FRAME) {
        assert_eq!(Frame::around(read.content()).content(), read.content());
        if let Ok((head, _)) = Head::parse(read.content()) {
            let _ = ci::p2s::Request::parse(&head);
            let _ = ci::p2p::Answer::parse(&head);
            let _ = di::framed::Request::parse(&head);
            let _ = di::registration::Request::parse(&head);
            let _ = di::exchange::Get::parse(&head);
        }
        if let Ok(response) = di::framed::Response::parse(&read) {
            let _ = (
                response.peer(),
                response.peers(),
                response.documents(|_| None),
            );
        }
        let _ = di::registration::read_peer_list(read.content());
        let _ = di::exchange::read_index(read.content());
        let _ = ci::framed::frame(read.content());
    }
});
