//! Peer to server: ADD, LOOKUP, LIST, and their records (sections 2 and 3). Existing systems add
//! DEL and CLOSE, and use LISTALL for LIST. DEL of a single RFC is our own addition.

use std::fmt;

use super::record_lines::write_record;
use super::{PROTOCOL, encode};
use crate::wire::protocol::{Reject, host, peer, required, unknown_method};
use crate::wire::tolerance::record;
use crate::wire::{Dialect, Endpoint, Head, Host, Port, Record, RfcNumber, Title};

/// The peer that sent a request, as far as the request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The host at which others reach the peer.
    pub host: Host,
    /// The peer's upload port; some peers omit it in LOOKUP and LIST.
    pub port: Option<Port>,
}

impl From<Endpoint> for Sender {
    fn from(Endpoint { host, port }: Endpoint) -> Self {
        Self {
            host,
            port: Some(port),
        }
    }
}

/// A request of a peer to the index server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// This peer has an RFC.
    Add(Record),
    /// Who has an RFC?
    Lookup {
        /// The number of the RFC.
        number: RfcNumber,
        /// In frames, a title that is not empty must match the title of a record. In text, the
        /// server ignores it and reads it as empty.
        title: Title,
        /// The peer that sent the request.
        sender: Sender,
    },
    /// Which RFCs do all peers have?
    List(Sender),
    /// This peer leaves, with all its RFCs; the connection stays open.
    Delete(Endpoint),
    /// This peer no longer has this RFC. Our own addition, in text only.
    TakeBack {
        /// The number of the RFC.
        number: RfcNumber,
        /// The peer that sent the request.
        peer: Endpoint,
    },
    /// The server may close the connection.
    Close,
    /// A greeting of an existing program, which has no effect. Our peers send none.
    Greeting,
}

impl Request {
    /// Parses a request, in the order of checks of section 3.
    pub fn parse(head: &Head) -> Result<Self, Reject> {
        let words = PROTOCOL.request_line(head)?;
        if let Some(number) = words.strip_prefix("ADD RFC ") {
            Ok(Self::Add(Record {
                number: number.parse()?,
                holder: peer(head)?,
                title: required(head, "Title")?.parse()?,
            }))
        } else if let Some(number) = words.strip_prefix("LOOKUP RFC ") {
            let number = number.parse()?;
            let host = host(head)?;
            let title = head.field("Title")?.unwrap_or_default();
            let port = port(head)?;
            Ok(Self::Lookup {
                number,
                title: title.parse()?,
                sender: Sender { host, port },
            })
        } else if words == "LIST ALL" || words == "LISTALL" {
            Ok(Self::List(sender(head)?))
        } else if words == "DEL" {
            sender(head)?;
            Ok(Self::Delete(peer(head)?))
        } else if let Some(number) = words.strip_prefix("DEL RFC ") {
            let number = number.parse()?;
            sender(head)?;
            let peer = peer(head)?;
            Ok(Self::TakeBack { number, peer })
        } else if words == "CLOSE" {
            Ok(Self::Close)
        } else {
            Err(unknown_method(words))
        }
    }

    /// The host and port of the peer that sent the request, if the request gives both.
    pub fn name(&self) -> Option<Endpoint> {
        match self {
            Self::Add(record) => Some(record.holder.clone()),
            Self::Lookup { sender, .. } | Self::List(sender) => sender.port.map(|port| Endpoint {
                host: sender.host.clone(),
                port,
            }),
            // A peer can leave without registering first.
            Self::Delete(_) | Self::TakeBack { .. } | Self::Close | Self::Greeting => None,
        }
    }

    /// Encodes the request in this dialect.
    pub fn encode(&self, dialect: Dialect) -> Vec<u8> {
        let version = PROTOCOL.version();
        let (words, sender, title) = match self {
            Self::Add(record) => {
                let words = format!("ADD RFC {}", record.number);
                (words, record.holder.clone().into(), Some(&record.title))
            }
            Self::Lookup {
                number,
                title,
                sender,
            } => (format!("LOOKUP RFC {number}"), sender.clone(), Some(title)),
            Self::List(sender) => ("LIST ALL".to_owned(), sender.clone(), None),
            Self::Delete(peer) => ("DEL".to_owned(), peer.clone().into(), None),
            Self::TakeBack { number, peer } => {
                (format!("DEL RFC {number}"), peer.clone().into(), None)
            }
            Self::Close => return encode(format!("CLOSE {version}\r\n\r\n").into(), dialect),
            Self::Greeting => return encode(format!("JOIN {version}\r\n\r\n").into(), dialect),
        };
        let Sender { host, port } = sender;
        let port = port.map_or_else(String::new, |port| format!("Port: {port}\r\n"));
        let title = title.map_or_else(String::new, |title| format!("Title: {title}\r\n"));
        let text = format!("{words} {version}\r\nHost: {host}\r\n{port}{title}\r\n");
        encode(text.into(), dialect)
    }
}

pub(super) fn sender(head: &Head) -> Result<Sender, Reject> {
    let host = host(head)?;
    // LIST has no use for Title, but a duplicate is still an error.
    head.field("Title")?;
    let port = port(head)?;
    Ok(Sender { host, port })
}

fn port(head: &Head) -> Result<Option<Port>, Reject> {
    Ok(head.field("Port")?.map(str::parse).transpose()?)
}

impl Record {
    /// Appends the record as a line of a response, without its line end.
    pub(in crate::wire) fn write(&self, out: &mut Vec<u8>) {
        write_record(out, self.number, &self.title, &self.holder);
    }

    /// Parses a line of a response, from both ends: the title may contain spaces, or be empty.
    pub fn parse(line: &str) -> Option<Self> {
        let (number, rest) = record::from_number(line)?.split_once(' ')?;
        let (rest, port) = rest.rsplit_once(' ')?;
        let rest = rest.trim_ascii_end();
        let (title, host) = rest.rsplit_once(' ').unwrap_or(("", rest));
        Some(Self {
            number: number.parse().ok()?,
            title: title.parse().ok()?,
            holder: Endpoint {
                host: host.parse().ok()?,
                port: port.parse().ok()?,
            },
        })
    }
}

/// The record as a line of a response, without its line end.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Vec::new();
        self.write(&mut line);
        f.write_str(&String::from_utf8_lossy(&line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocol::tests::head;
    use proptest::prelude::*;

    fn refused(text: &str) -> u16 {
        Request::parse(&head(text))
            .map_err(|reject| reject.status.code())
            .unwrap_err()
    }

    fn written(text: &str) -> String {
        let request = Request::parse(&head(text)).unwrap();
        String::from_utf8(request.encode(Dialect::Text)).unwrap()
    }

    #[test]
    fn requests_are_read_and_written() {
        for text in [
            "ADD RFC 2345 P2P-CI/1.0\r\nHost: Mac.lan\r\nPort: 63235\r\nTitle: Domain Names\r\n\r\n",
            "ADD RFC 1 P2P-CI/1.0\r\nHost: ::1\r\nPort: 1\r\nTitle: \r\n\r\n",
            "LOOKUP RFC 3457 P2P-CI/1.0\r\nHost: vm\r\nPort: 5\r\nTitle: A Title\r\n\r\n",
            "LIST ALL P2P-CI/1.0\r\nHost: vm\r\nPort: 5\r\n\r\n",
            "DEL RFC 5 P2P-CI/1.0\r\nHost: vm\r\nPort: 5\r\n\r\n",
        ] {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn requests_are_read_liberally() {
        assert_eq!(
            written(
                "\r\n\nADD RFC 7 P2P-CI/1.0 \nTITLE:  A \t title  \nport:9\nX-New: 1\nhOST: vm \n\n"
            ),
            "ADD RFC 7 P2P-CI/1.0\r\nHost: vm\r\nPort: 9\r\nTitle: A title\r\n\r\n"
        );
        assert_eq!(
            written("LOOKUP RFC 7 P2P-CI/1.0\nHost: vm\n\n"),
            "LOOKUP RFC 7 P2P-CI/1.0\r\nHost: vm\r\nTitle: \r\n\r\n"
        );
        assert_eq!(
            written("LIST ALL P2P-CI/1.0\nHost: vm\n\n"),
            "LIST ALL P2P-CI/1.0\r\nHost: vm\r\n\r\n"
        );
    }

    #[test]
    fn every_wrong_request_line_is_refused() {
        let rest = "Host: vm\r\nPort: 5\r\nTitle: t\r\n\r\n";
        for line in [
            "BLAH RFC 123 P2P-CI/1.0",
            "add RFC 1 P2P-CI/1.0",
            "Add RFC 1 P2P-CI/1.0",
            "ADD rfc 1 P2P-CI/1.0",
            "ADD RFC P2P-CI/1.0",
            "ADD RFC 1",
            "ADD RFC 0 P2P-CI/1.0",
            "ADD RFC -1 P2P-CI/1.0",
            "ADD RFC 4294967296 P2P-CI/1.0",
            "ADD RFC 1x P2P-CI/1.0",
            "ADD  RFC 1 P2P-CI/1.0",
            "LOOKUP ALL P2P-CI/1.0",
            "LIST RFC 1 P2P-CI/1.0",
            "LIST P2P-CI/1.0",
            "LIST ALL 1 P2P-CI/1.0",
            "GET RFC 1 P2P-CI/1.0",
        ] {
            assert_eq!(refused(&format!("{line}\r\n{rest}")), 400, "{line:?}");
        }
        for line in [
            "ADD RFC 1 P2P-CI/2.0",
            "BLAH P2P-CI/1.1",
            "LIST ALL P2P-CI/0.9",
        ] {
            assert_eq!(refused(&format!("{line}\r\n{rest}")), 505, "{line:?}");
        }
    }

    #[test]
    fn every_wrong_header_is_refused() {
        let add = "ADD RFC 1 P2P-CI/1.0\r\n";
        for headers in [
            "",
            "Host: vm\r\nPort: 5\r\n",
            "Host: vm\r\nTitle: t\r\n",
            "Port: 5\r\nTitle: t\r\n",
            "Host: vm\r\nPort: 0\r\nTitle: t\r\n",
            "Host: vm\r\nPort: 65536\r\nTitle: t\r\n",
            "Host: vm\r\nPort: x\r\nTitle: t\r\n",
            "Host: \r\nPort: 5\r\nTitle: t\r\n",
            "Host: a b\r\nPort: 5\r\nTitle: t\r\n",
            "Host: vm\r\nPort: 5\r\nTitle: a\u{7}b\r\n",
            "Host: vm\r\nPort: 5\r\nTitle: t\u{c}\r\n",
            "Host: vm\r\nPort: 5\r\nTitle: t\r\r\n",
            "Host: vm\u{c}\r\nPort: 5\r\nTitle: t\r\n",
            "Host: vm\r\nHost: vm\r\nPort: 5\r\nTitle: t\r\n",
            "Host: vm\r\nPort: 5\r\nport: 5\r\nTitle: t\r\n",
            "Host: vm\r\nPort: 5\r\nTitle: t\r\nTitle: t\r\n",
            "Host: vm\r\nPort: 5\r\nTitle: t\r\nno field\r\n",
            " Host: vm\r\nPort: 5\r\nTitle: t\r\n",
        ] {
            assert_eq!(refused(&format!("{add}{headers}\r\n")), 400, "{headers:?}");
        }
        for line in ["LOOKUP RFC 1 P2P-CI/1.0", "LIST ALL P2P-CI/1.0"] {
            for headers in [
                "",
                "Port: 5\r\n",
                "Host: vm\r\nPort: x\r\n",
                "Host: vm\r\nTitle: a\r\nTitle: b\r\n",
            ] {
                assert_eq!(
                    refused(&format!("{line}\r\n{headers}\r\n")),
                    400,
                    "{line} {headers:?}"
                );
            }
        }
        let long = format!("Host: vm\r\nPort: 5\r\nTitle: {}\r\n", "x".repeat(1025));
        assert_eq!(refused(&format!("{add}{long}\r\n")), 400);
    }

    #[test]
    fn records_are_read_from_both_ends() {
        for (line, title) in [
            (
                "RFC 2345 Domain Names and more vm 63235",
                "Domain Names and more",
            ),
            ("RFC 2345  vm 63235", ""),
            ("RFC 2345 vm 63235", ""),
            ("RFC 1 RFC 4148 and 5 vm 1 ", "RFC 4148 and 5"),
        ] {
            let record = Record::parse(line).unwrap();
            assert_eq!(record.title.as_str(), title, "{line:?}");
            assert_eq!(record.holder.host.as_str(), "vm");
        }
        for wrong in [
            "",
            "RFC",
            "RFC 1",
            "RFC 1 vm",
            "RFC x t vm 1",
            "RFC 1 t vm 0",
            "FYI 1 t vm 1",
        ] {
            assert_eq!(Record::parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            number in 1_u32.., port in 1_u16.., host in "[a-z][a-z0-9.-]{0,20}[a-z]", title in "\\PC{0,60}",
        ) {
            prop_assume!(!host.contains(".."));
            let Ok(title) = title.parse::<Title>() else { return Ok(()) };
            let record = Record {
                number: number.to_string().parse().unwrap(),
                title,
                holder: Endpoint { host: host.parse().unwrap(), port: Port::new(port).unwrap() },
            };
            let mut line = Vec::new();
            record.write(&mut line);
            let line = String::from_utf8(line).unwrap();
            prop_assert_eq!(&line, &record.to_string());
            prop_assert_eq!(Record::parse(&line), Some(record.clone()));
            let request = Request::Add(record);
            let text = String::from_utf8(request.encode(Dialect::Text)).unwrap();
            prop_assert_eq!(Request::parse(&head(&text)), Ok(request));
        }

        #[test]
        fn arbitrary_lines_never_panic(line in "\\PC*", headers in "(\\PC*\n){0,4}") {
            let _ = Record::parse(&line);
            let _ = Request::parse(&head(&format!("x{line}\n{headers}\n")));
        }
    }
}
