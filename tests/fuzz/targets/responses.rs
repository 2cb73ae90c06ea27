//! Responses of an index server: never a panic, and never more records than lines.
#![no_main]

mod stream;

use libfuzzer_sys::fuzz_target;
use p2pci::wire::ci::p2s::Request;
use p2pci::wire::ci::responses::Responses;
use p2pci::wire::{Dialect, Endpoint, Port, Record};
use stream::Stream;

fn read_all(input: &[u8], dialect: Dialect) {
    let mut stream = Stream::new(input);
    let mut responses = Responses::new(dialect);
    let add = Request::Add(Record::parse("RFC 1 A vm 5").expect("a record"));
    let list = Request::List(
        Endpoint::parse("vm:5", Port::MIN)
            .expect("an endpoint")
            .into(),
    );
    for request in [add, list].iter().cycle() {
        let Ok(response) = responses.next(&mut stream, request) else {
            return;
        };
        let lines = response.bytes.split(|&byte| byte == b'\n').count();
        assert!(response.records().count() <= lines);
        for record in response.records() {
            assert!(record.to_string().starts_with("RFC "));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    read_all(input, Dialect::Text);
    read_all(input, Dialect::Framed);
});
