//! Requests of one line, to the introducer and the control socket: never a panic, and a request is
//! what was on the wire, of limited length.
#![no_main]

mod stream;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::control::{MAX_LINE, Request, reject};
use stream::Stream;

const TIME: Duration = Duration::from_secs(1);

fuzz_target!(|input: &[u8]| {
    match Request::read(&mut Stream::new(input), TIME) {
        Ok(None) => {}
        Ok(Some(request)) => {
            assert!(request.bytes().len() <= MAX_LINE && request.bytes().ends_with(b"\n"));
            assert!(request.rest().len() + request.operation().len() <= request.bytes().len());
            for argument in request.arguments() {
                assert!(!argument.is_empty() && !argument.contains(' '));
            }
        }
        Err(error) => {
            if let Some((_, reason)) = reject(&error) {
                assert!(!reason.is_empty());
            }
        }
    }
});
