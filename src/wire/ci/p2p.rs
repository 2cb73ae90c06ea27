//! Peer to peer: GET, and the head of the response that carries a file (section 4).

use std::io::Write;
use std::time::SystemTime;

use super::{PROTOCOL, VERSION};
use crate::wire::dates::http_date;
use crate::wire::protocol::{Reject, Status, StatusLine, fields, unknown_method};
use crate::wire::{Head, Host, RfcNumber};

/// Asks a peer for an RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// Which one.
    pub number: RfcNumber,
    /// The host of the peer asked.
    pub host: Host,
    /// The operating system of the asking host; expected but not required.
    pub os: Option<String>,
}

impl Get {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Reject`], by the order of checks of section 3.
    pub fn parse(head: &Head) -> Result<Self, Reject> {
        let words = PROTOCOL.request_line(head)?;
        let number = words
            .strip_prefix("GET RFC ")
            .ok_or_else(|| unknown_method(words))?;
        let number = number.parse()?;
        let host = fields(head)?;
        Ok(Self {
            number,
            host,
            // It says nothing that we act on, so in no form can it make the request wrong.
            os: head.field("OS").ok().flatten().map(str::to_owned),
        })
    }

    /// The request as it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { number, host, os } = self;
        let mut out = format!("GET RFC {number} {VERSION}\r\nHost: {host}\r\n").into_bytes();
        if let Some(os) = os {
            // Writing to memory does not fail.
            let _ = write!(out, "OS: {os}\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// The head of a response without a file: a status line and one empty line.
pub fn refusal(status: Status) -> Vec<u8> {
    format!("{}\r\n\r\n", StatusLine(PROTOCOL, status)).into_bytes()
}

/// The head of the response that carries a file.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// When the response was made.
    pub date: SystemTime,
    /// The operating system of the host that answers.
    pub os: &'a str,
    /// When the file was last modified.
    pub last_modified: SystemTime,
    /// The length of the file, in bytes.
    pub length: u64,
}

impl Delivery<'_> {
    /// The head as it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        // Writing to memory does not fail.
        let _ = write!(
            head,
            "{}\r\nDate: {}\r\nOS: {}\r\nLast-Modified: {}\r\nContent-Length: {}\r\n\
             Content-Type: text/plain\r\n\r\n",
            StatusLine(PROTOCOL, Status::Ok),
            http_date(self.date),
            self.os,
            http_date(self.last_modified),
            self.length,
        );
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocol::tests::head;
    use std::time::Duration;

    fn refused(text: &str) -> u16 {
        Get::parse(&head(text))
            .map_err(|reject| reject.status.code())
            .unwrap_err()
    }

    #[test]
    fn get_is_read_and_written() {
        let text = "GET RFC 3457 P2P-CI/1.0\r\nHost: Mac.lan\r\nOS: Linux 6.1.0\r\n\r\n";
        let get = Get::parse(&head(text)).unwrap();
        assert_eq!(get.number.get(), 3457);
        assert_eq!(get.to_bytes(), text.as_bytes());
        assert!(
            Get::parse(&head("GET RFC 1 P2P-CI/1.0\nhost:x\n\n"))
                .unwrap()
                .os
                .is_none()
        );
    }

    #[test]
    fn every_wrong_get_is_refused() {
        let rest = "Host: localhost\r\nOS: Mac\r\n\r\n";
        for line in [
            "BLAH RFC 123 P2P-CI/1.0",
            "get RFC 123 P2P-CI/1.0",
            "GET RFC 123",
            "GET RFC P2P-CI/1.0",
            "GET 123 P2P-CI/1.0",
            "GET RFC 0 P2P-CI/1.0",
            "GET RFC 4294967296 P2P-CI/1.0",
            "GET RFC -1 P2P-CI/1.0",
            "GET RFC ../../etc/passwd P2P-CI/1.0",
            "GET FYI 123 P2P-CI/1.0",
        ] {
            assert_eq!(refused(&format!("{line}\r\n{rest}")), 400, "{line:?}");
        }
        assert_eq!(refused(&format!("GET RFC 123 P2P-CI/2.0\r\n{rest}")), 505);
        let two = "GET RFC 1 P2P-CI/1.0\nHost: x\nOS: a\nOS: b\n\n";
        assert!(Get::parse(&head(two)).is_ok());
        assert_eq!(refused("GET RFC 123 P2P-CI/1.0\r\nOS: Mac\r\n\r\n"), 400);
        assert_eq!(refused("GET RFC 123 P2P-CI/1.0\r\nHost: a b\r\n\r\n"), 400);
        assert_eq!(
            refused("GET RFC 123 P2P-CI/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
            400
        );
        assert_eq!(
            refused("GET RFC 123 P2P-CI/1.0\r\nHost: a\r\nnonsense\r\n\r\n"),
            400
        );
    }

    #[test]
    fn a_delivery_has_five_headers() {
        let delivery = Delivery {
            date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_239_016),
            os: "Linux 6.1.0",
            last_modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1_776_442_098),
            length: 1839,
        };
        let text = "P2P-CI/1.0 200 OK\r\n\
            Date: Sun, 26 Apr 2026 21:30:16 GMT\r\n\
            OS: Linux 6.1.0\r\n\
            Last-Modified: Fri, 17 Apr 2026 16:08:18 GMT\r\n\
            Content-Length: 1839\r\n\
            Content-Type: text/plain\r\n\r\n";
        assert_eq!(String::from_utf8(delivery.to_bytes()).unwrap(), text);
    }
}
