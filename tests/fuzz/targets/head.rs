//! Heads of messages: never a panic, and the same heads however the stream is split.
#![no_main]

mod stream;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::{Next, Requests, Waits};
use stream::Stream;

const WAITS: Waits = Waits {
    first: None,
    whole: Duration::from_secs(1),
};

fn heads(mut stream: Stream<'_>) -> (Vec<Vec<u8>>, bool) {
    let mut heads = Vec::new();
    let mut requests = Requests::default();
    loop {
        match requests.read(&mut stream, WAITS, |_| false) {
            Ok(Some(Next::Head(head) | Next::Late(head))) => {
                let _ = (
                    head.field("Host"),
                    head.field("Title"),
                    head.is_well_formed(),
                );
                assert!(head.text().starts_with(head.start_line()));
                heads.push(head.text().to_vec());
            }
            end => return (heads, end.is_ok()),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((_, rest)) = input.split_first() else {
        return;
    };
    let whole = [&[255], rest].concat();
    assert_eq!(heads(Stream::new(input)), heads(Stream::new(&whole)));
});
