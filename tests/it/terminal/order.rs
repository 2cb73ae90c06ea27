//! What belongs to a session is printed in its place, on the one screen that a person looks at.

use rexpect::process::Signal;

use super::{Terminal, options};
use crate::support::scenarios_di::DISTRIBUTED;
use crate::support::{Client, folder, server};

/// A request that is refused, and the status of the answer.
type Refused = (&'static str, &'static str);

/// Those of the demo, and others after which the connection is closed.
const TO_A_CENTRAL_INDEX: [Refused; 5] = [
    ("BLAH RFC 123 P2P-CI/1.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n", BAD),
    ("GET RFC 123 P2P-CI/2.0\r\nHost: localhost\r\nOS: Mac\r\n\r\n", NEWER),
    ("ADD RFC 123 P2P-CI/1.0\r\nHost: localhost\r\n\r\n", BAD),
    ("LIST ALL P2P-CI/1.0\r\nHost:", BAD),
    ("LIST ALL P2P-CI/1.0\r\nno field\r\n\r\n", BAD),
];
