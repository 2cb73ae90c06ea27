//! Requests to servers and answers to clients, in text and in frames: never a panic, and a message
//! is reported as it was on the wire.
#![no_main]

mod stream;

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use p2pci::wire::di::Origin;
use p2pci::wire::di::registration::{Claim, Cookie, Request};
use p2pci::wire::p2p::{self, Codec, client};
use p2pci::wire::{Dialect, Endpoint, Port, Protocol, RfcNumber, Status, ci, di};
use stream::Stream;

const TIME: Duration = Duration::from_secs(1);
const ORIGIN: Origin<'static> = Origin {
    date: SystemTime::UNIX_EPOCH,
    os: "Fuzz",
};

/// The position of a reported message in the input.
fn stands_in(input: &[u8], message: &[u8]) {
    assert!(!message.is_empty() && input.windows(message.len()).any(|part| part == message));
}

fn servers(input: &[u8]) {
    let (mut stream, mut index) = (Stream::new(input), ci::server::Conversation::default());
    while let Ok(Some(received)) = index.next(&mut stream, TIME) {
        stands_in(input, &received.bytes);
        if let Ok(request) = received.request {
            let mut answer = index.answer(&request, Vec::new(), Some(1));
            if let ci::p2s::Request::Add(record) = &request {
                let two = [record.clone(), record.clone()];
                answer.records(&mut ci::RecordLines::of(&two));
            }
            answer.end();
            let (bytes, more) = answer.told().expect("an excerpt");
            assert!(!bytes.is_empty() && more <= 1);
        }
    }
    let (mut stream, mut server) = (Stream::new(input), di::server::Conversation::default());
    while let Ok(Some(received)) = server.next(&mut stream, TIME) {
        stands_in(input, &received.bytes);
    }
    let (mut stream, mut peer) = (Stream::new(input), p2p::server::Conversation::default());
    while let Ok(Some(received)) = peer.next(&mut stream, TIME) {
        stands_in(input, &received.bytes);
        let _ = peer.codec().refusal(Status::BadRequest, ORIGIN);
        if !peer.codec().stays_open() {
            return;
        }
    }
}

fn clients(input: &[u8], dialect: Dialect) {
    let peer = Endpoint::parse("vm:5", Port::MIN).expect("an endpoint");
    let claim = Claim {
        cookie: Cookie(7),
        peer: None,
        activates: false,
    };
    let register = Request::Register {
        peer: peer.clone(),
        cookie: None,
    };
    for request in [
        register,
        Request::Leave(claim.clone()),
        Request::PeerQuery(claim.clone()),
        Request::KeepAlive(claim),
    ] {
        if let Ok(told) = request.read_answer(dialect, &mut Stream::new(input), TIME) {
            stands_in(input, &told.bytes);
        }
    }
    let port = |_: &_| Port::new(6);
    let mut stream = Stream::new(input);
    if let Ok(told) = client::read_rfc_index(dialect, &mut stream, &peer, port, TIME) {
        stands_in(input, &told.bytes);
        if let Ok(Ok(records)) = told.answer {
            assert!(
                records
                    .records(&told.bytes)
                    .all(|line| line.check().is_some())
            );
        }
    }
    for protocol in [Protocol::Ci, Protocol::Di] {
        let mut stream = Stream::new(input);
        let codec = Codec::new(protocol, dialect);
        let number = RfcNumber::new(5).expect("it is not 0");
        let Ok(told) = codec.read_delivery(&mut stream, number, TIME) else {
            continue;
        };
        let Ok(Ok(mut delivery)) = told.answer else {
            stands_in(input, &told.bytes);
            continue;
        };
        if !delivery.is_bare {
            stands_in(input, &told.bytes);
        }
        let (mut got, mut buffer) = (0, [0; 7]);
        while let Ok(read @ 1..) = delivery.read(&mut stream, &mut buffer, TIME) {
            got += read as u64;
        }
        assert!(delivery.length.is_none_or(|length| got <= length));
        assert!(got <= input.len() as u64);
    }
}

fuzz_target!(|input: &[u8]| {
    servers(input);
    for dialect in [Dialect::Text, Dialect::Framed] {
        clients(input, dialect);
    }
});
