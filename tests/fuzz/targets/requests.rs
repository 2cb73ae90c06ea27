//! Typed messages: never a panic, and an understood message is understood again after writing it.
#![no_main]

mod stream;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::ci::p2s::Request;
use p2pci::wire::{Dialect, Head, Waits};
use stream::Stream;

fn head(bytes: &[u8]) -> Option<Head> {
    let input = [&[255], bytes].concat();
    let waits = Waits {
        first: None,
        whole: Duration::from_secs(1),
    };
    Head::read(&mut Stream::new(&input), waits).ok().flatten()
}

fuzz_target!(|input: &[u8]| {
    let Some(read) = head(input) else { return };
    if let Ok(request) = Request::parse(&read) {
        let again = head(&request.encode(Dialect::Text)).expect("what we write has a head");
        assert_eq!(Request::parse(&again).as_ref(), Ok(&request));
    }
});
