//! Frames and their contents: never a panic, and a frame is written as it was read.
#![no_main]

mod stream;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::frame::{Frame, MAX_FRAME};
use p2pci::wire::{Head, Waits, ci};
use stream::Stream;

const WAITS: Waits = Waits {
    first: None,
    whole: Duration::from_secs(1),
};

fuzz_target!(|input: &[u8]| {
    let mut stream = Stream::new(input);
    while let Ok(Some(read)) = Frame::read(&mut stream, WAITS, MAX_FRAME) {
        assert_eq!(Frame::around(read.content()).content(), read.content());
        if let Ok((head, rest)) = Head::in_frame(read.content()) {
            assert!(head.text().starts_with(head.start_line()));
            assert!(read.content().ends_with(rest));
        }
        let _ = ci::frame(read.content());
    }
});
