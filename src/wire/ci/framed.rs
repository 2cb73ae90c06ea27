//! P2P-CI messages in frames, as existing systems write them.
//!
//! A frame holds the same message as the text dialect, with LF line ends except after the last
//! line, no empty lines, and header names and phrases in capitals. Frames are converted from the
//! text, so there are no protocol rules here.

use crate::wire::frame::{Frame, MAX_FRAME};

/// A message in a frame. If it is too long, whole lines at its end are dropped.
pub fn frame(text: &[u8]) -> Frame {
    let mut content = Vec::with_capacity(text.len());
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            continue;
        }
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

/// Writes a status line with its phrase in capitals, or LIST under its other name.
fn push_start_line(content: &mut Vec<u8>, line: &[u8]) {
    if line.starts_with(b"P2P-CI/") {
        content.extend(line.to_ascii_uppercase());
    } else if let Some(rest) = line.strip_prefix(b"LIST ALL ") {
        content.extend_from_slice(b"LISTALL ");
        content.extend_from_slice(rest);
    } else {
        content.extend_from_slice(line);
    }
}

/// Writes a header with its name in capitals, or a record unchanged.
fn push_line(content: &mut Vec<u8>, line: &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':');
    let name = colon.and_then(|colon| line.get(..colon));
    match name {
        Some(name) if !name.contains(&b' ') => {
            content.extend(name.to_ascii_uppercase());
            content.extend_from_slice(line.get(name.len()..).unwrap_or_default());
            if line.ends_with(b":") {
                content.push(b' ');
            }
        }
        _ => content.extend_from_slice(line),
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
