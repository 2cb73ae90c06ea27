//! The values of the protocols: what is accepted follows the rules, and is accepted again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2pci::wire::Record;
use p2pci::wire::{Endpoint, Host, Port, RfcNumber, Title};

fuzz_target!(|text: &str| {
    if let Ok(title) = text.parse::<Title>() {
        assert!(title.as_str().len() <= Title::MAX_BYTES);
        assert!(!title.as_str().chars().any(char::is_control));
        assert_eq!(title.as_str().parse(), Ok(title));
    }
    if let Ok(host) = text.parse::<Host>() {
        assert!(host.as_str().len() <= Host::MAX_BYTES && !host.as_str().contains(' '));
    }
    if let Ok(number) = text.parse::<RfcNumber>() {
        assert_eq!(number.to_string().parse(), Ok(number));
    }
    if let Ok(endpoint) = Endpoint::parse(text, Port::MIN) {
        assert_eq!(
            Endpoint::parse(&endpoint.to_string(), Port::MIN),
            Ok(endpoint)
        );
    }
    if let Some(record) = Record::parse(text) {
        assert_eq!(Record::parse(&record.to_string()), Some(record));
    }
});
