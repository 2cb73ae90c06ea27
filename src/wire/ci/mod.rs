//! P2P-CI/1.0: one central index, many peers.
//!
//! [`p2s`] has the requests of a peer to the index server. [`server`] is the server's side.
//! [`responses`] is the peer's side; it reads the responses of existing servers in all their forms.
//! The messages between two peers are in [`p2p`](super::p2p).
//!
//! Existing systems use P2P-CI in frames. A frame holds the same message as text, in another
//! format: lines are separated by LF, there are no empty lines, and header names and phrases are
//! uppercase. So frames are converted from text.

pub mod p2s;
mod record_lines;
pub mod responses;
pub mod server;

pub use record_lines::RecordLines;

use super::frame::{Frame, MAX_FRAME};
use super::{Dialect, Protocol};

/// The well-known port of the index server (section 1).
pub const SERVER_PORT: u16 = 7734;

/// The protocol of these messages.
const PROTOCOL: Protocol = Protocol::Ci;

/// Encodes a message, given as text, in this dialect.
pub(super) fn encode(text: Vec<u8>, dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::Text => text,
        Dialect::Framed => frame(&text).into_bytes(),
    }
}

/// Converts a text message to a frame. If it is too long, whole lines at its end are dropped.
pub fn frame(text: &[u8]) -> Frame {
    let mut content = Vec::with_capacity(text.len());
    let lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    for line in lines.filter(|line| !line.is_empty()) {
        if content.len() + line.len() + 1 > MAX_FRAME {
            break;
        }
        if content.is_empty() {
            push_start_line(&mut content, line);
        } else {
            content.push(b'\n');
            push_line(&mut content, line);
        }
    }
    Frame::around(&content)
}

/// Converts a start line: a status line becomes uppercase, and `LIST ALL` becomes `LISTALL`.
fn push_start_line(content: &mut Vec<u8>, line: &[u8]) {
    if line.starts_with(b"P2P-CI/") {
        content.extend(line.to_ascii_uppercase());
    } else if let Some(rest) = line.strip_prefix(b"LIST ALL ") {
        content.extend([b"LISTALL ", rest].concat());
    } else {
        content.extend(line);
    }
}

/// Converts any other line: the name of a header becomes uppercase, and a record is unchanged.
fn push_line(content: &mut Vec<u8>, line: &[u8]) {
    let start = content.len();
    content.extend(line);
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .unwrap_or_default();
    let name = content.get_mut(start..start + colon).unwrap_or_default();
    if name.is_empty() || name.contains(&b' ') {
        return;
    }
    name.make_ascii_uppercase();
    if line.ends_with(b":") {
        content.push(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &str) -> String {
        String::from_utf8(frame(text.as_bytes()).content().to_vec()).unwrap()
    }

    #[test]
    fn messages_are_those_of_the_text() {
        for (text, expected) in [
            (
                "ADD RFC 5 P2P-CI/1.0\r\nHost: vm\r\nPort: 1234\r\nTitle: Some: title\r\n\r\n",
                "ADD RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1234\nTITLE: Some: title",
            ),
            (
                "LOOKUP RFC 5 P2P-CI/1.0\r\nHost: vm\r\nPort: 1\r\nTitle: \r\n\r\n",
                "LOOKUP RFC 5 P2P-CI/1.0\nHOST: vm\nPORT: 1\nTITLE: ",
            ),
            (
                "LIST ALL P2P-CI/1.0\r\nHost: vm\r\nPort: 1\r\n\r\n",
                "LISTALL P2P-CI/1.0\nHOST: vm\nPORT: 1",
            ),
            (
                "P2P-CI/1.0 200 OK\r\n\r\nRFC 5 A: b vm 1\r\nRFC 6  vm 1\r\n\r\n",
                "P2P-CI/1.0 200 OK\nRFC 5 A: b vm 1\nRFC 6  vm 1",
            ),
            (
                "P2P-CI/1.0 404 Not Found\r\n\r\n\r\n",
                "P2P-CI/1.0 404 NOT FOUND",
            ),
            (
                "P2P-CI/1.0 505 P2P-CI Version Not Supported\r\n\r\n",
                "P2P-CI/1.0 505 P2P-CI VERSION NOT SUPPORTED",
            ),
            (
                "P2P-CI/1.0 200 OK\r\nLast-Modified: x\r\nContent-Length: 5\r\n\r\n",
                "P2P-CI/1.0 200 OK\nLAST-MODIFIED: x\nCONTENT-LENGTH: 5",
            ),
        ] {
            assert_eq!(framed(text), expected);
        }
    }

    #[test]
    fn what_is_too_long_for_a_frame_loses_whole_lines() {
        let records = "RFC 5 A title of some length vm 1234\r\n".repeat(50_000);
        let content = framed(&format!("P2P-CI/1.0 200 OK\r\n\r\n{records}\r\n"));
        assert!(content.len() <= MAX_FRAME && content.len() > MAX_FRAME - 40);
        assert!(content.ends_with("RFC 5 A title of some length vm 1234"));
    }
}
