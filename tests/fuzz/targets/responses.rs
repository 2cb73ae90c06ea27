//! Responses of an index server: never a panic, and never more records than lines.
#![no_main]

mod stream;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::Dialect;
use p2pci::wire::ci::responses::{Asked, Responses};
use stream::Stream;

fn read_all(input: &[u8], dialect: Dialect) {
    let mut stream = Stream::new(input);
    let mut responses = Responses::new(dialect);
    for asked in [Asked::Add, Asked::Search].into_iter().cycle() {
        let Ok(response) = responses.next(&mut stream, asked) else {
            return;
        };
        let lines = response.bytes.split(|&byte| byte == b'\n').count();
        assert!(response.records.len() <= lines);
        for record in response.records {
            let mut line = Vec::new();
            record.write(&mut line);
            assert!(line.starts_with(b"RFC ") && line.ends_with(b"\r\n"));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    read_all(input, Dialect::Text);
    read_all(input, Dialect::Framed);
});
