//! Finds messages in the lines of a printout, whatever stands around them.

use std::net::Ipv6Addr;

use super::lines::Line;

/// What begins every version.
const VERSION: &str = "P2P-CI/";

/// A message as it was printed, without line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The line where it begins.
    pub(super) number: usize,
    /// Its lines without what stands before them: the start line, then header lines or records.
    pub(super) lines: Vec<String>,
    /// How many of them belong to the head; the others are records.
    pub(super) head: usize,
    /// Whether an empty line follows its head.
    pub(super) has_empty_line: bool,
    /// Whether all its lines end with CR LF; `None` if the printout does not show line ends.
    pub(super) has_crlf: Option<bool>,
    pub(super) is_request: bool,
    /// The address of the other side, if the printout says it.
    pub(super) other_side: Option<String>,
    /// What the program printed after it, up to the next message: it may say what was saved.
    pub(super) after: Vec<(usize, String)>,
}

impl Message {
    /// The start line.
    pub(super) fn start_line(&self) -> &str {
        self.lines.first().map_or("", String::as_str)
    }

    /// The start line and the headers, as they were on the wire.
    pub(super) fn head_bytes(&self) -> Vec<u8> {
        let head = self.lines.get(..self.head).unwrap_or_default();
        (head.join("\r\n") + "\r\n\r\n").into_bytes()
    }

    /// The lines of its records.
    pub(super) fn records(&self) -> &[String] {
        self.lines.get(self.head..).unwrap_or_default()
    }

    /// The code of a response.
    pub(super) fn code(&self) -> Option<u16> {
        let code = self.start_line().split(' ').nth(1)?;
        code.parse().ok().filter(|_| !self.is_request)
    }
}

/// All messages, in order.
pub(super) fn find(lines: &[Line]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut at = 0;
    let mut before: Option<&str> = None;
    while let Some(line) = lines.get(at) {
        match start(&line.text) {
            None => {
                if let Some(last) = messages.last_mut() {
                    last.after.push((line.number, line.text.clone()));
                }
                before = Some(line.text.as_str()).filter(|text| !text.is_empty());
                at += 1;
            }
            Some((prefix, text, is_request)) => {
                let (mut message, next) = take(lines, at, prefix, text, is_request);
                message.other_side = address(prefix).or_else(|| before.and_then(address));
                before = None;
                messages.push(message);
                at = next;
            }
        }
    }
    messages
}

/// What stands before the start line of a message in this line, the start line, and whether it is
/// that of a request.
fn start(line: &str) -> Option<(&str, &str, bool)> {
    let mut seen = 0;
    line.match_indices(VERSION).find_map(|(place, _)| {
        // What begins no message does not begin one further on in the same word.
        if place < seen {
            return None;
        }
        let (before, after) = (line.get(..place)?, line.get(place..)?);
        let end = after.find([' ', '\'', '"']).unwrap_or(after.len());
        seen = place + end;
        let rest = after.get(end..)?;
        let is_code = |code: &str| code.len() == 3 && code.bytes().all(|it| it.is_ascii_digit());
        let mut words = rest.split_ascii_whitespace();
        if words.next().is_some_and(is_code) {
            return Some((before, unquoted(after), false));
        }
        if !rest.trim_matches(['\'', '"', ')', ' ']).is_empty() {
            return None;
        }
        let begin = request_start(before)?;
        let request = line.get(begin..place + end)?;
        Some((line.get(..begin)?, request, true))
    })
}

/// Where the request line begins whose version follows this text: METHOD RFC number, METHOD ALL, or
/// METHOD.
fn request_start(before: &str) -> Option<usize> {
    let text = before.strip_suffix(' ')?;
    let is_method = |word: &str| {
        word.len() >= 3 && word.bytes().all(|it| it.is_ascii_uppercase()) && word != "RFC"
    };
    let mut end = text.len();
    for _ in 0..3 {
        let begin = text.get(..end)?.rfind(' ').map_or(0, |place| place + 1);
        let word = text.get(begin..end)?;
        let bare = word.trim_start_matches(['b', '\'', '"', '(', '[', '>', ':']);
        if is_method(bare) && bare != "ALL" {
            return Some(end - bare.len());
        }
        end = begin.checked_sub(1)?;
    }
    None
}

/// Takes the message that begins in this line. Also returns the place of the line after it.
fn take(lines: &[Line], at: usize, prefix: &str, text: &str, is_request: bool) -> (Message, usize) {
    let first = lines.get(at);
    let mut message = Message {
        number: first.map_or(0, |line| line.number),
        lines: vec![text.to_owned()],
        head: 1,
        has_empty_line: false,
        has_crlf: first.and_then(|line| line.has_crlf),
        is_request,
        other_side: None,
        after: Vec::new(),
    };
    let mut next = at + 1;
    while let Some(line) = lines.get(next) {
        let text = unprefixed(&line.text, prefix);
        let is_part = if text.is_empty() {
            // The records of a response follow its empty line.
            if message.has_empty_line {
                break;
            }
            message.has_empty_line = true;
            true
        } else if is_record(text) && !is_request {
            message.lines.push(text.to_owned());
            true
        } else if !message.has_empty_line && message.lines.len() == message.head && is_field(text) {
            message.lines.push(text.to_owned());
            message.head += 1;
            true
        } else {
            false
        };
        if !is_part || start(&line.text).is_some() {
            break;
        }
        let shown = [message.has_crlf, line.has_crlf].into_iter().flatten();
        message.has_crlf = shown.reduce(|one, other| one && other);
        next += 1;
        if is_request && message.has_empty_line {
            break;
        }
    }
    (message, next)
}

/// A line without what the program prints before each line of a message: the same as before the
/// first one, whatever its digits.
fn unprefixed<'a>(line: &'a str, prefix: &str) -> &'a str {
    let shape = |text: &str| -> String {
        let kinds = text
            .chars()
            .map(|it| if it.is_ascii_digit() { '0' } else { it });
        kinds.collect()
    };
    let prefix = prefix.trim_end_matches(['b', '\'', '"']).trim_end();
    let begins = line
        .get(..prefix.len())
        .is_some_and(|it| shape(it) == shape(prefix));
    let text = if begins && !prefix.is_empty() {
        line.get(prefix.len()..).unwrap_or_default().trim_start()
    } else {
        line
    };
    unquoted(text)
}

fn unquoted(text: &str) -> &str {
    text.trim_end_matches(['\'', '"'])
}

fn is_record(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    words.next() == Some("RFC") && words.next().is_some_and(|it| it.parse::<u32>().is_ok())
}

/// Whether this is `Name: value`, and no line of a menu or of a log.
fn is_field(text: &str) -> bool {
    let Some((name, _)) = text.split_once(':') else {
        return false;
    };
    let is_name = |it: char| it.is_ascii_alphabetic() || it == '-';
    let known = ["Last Modified", "Content Length", "Content Type"];
    let is_known = known.iter().any(|it| it.eq_ignore_ascii_case(name));
    !name.is_empty() && (name.chars().all(is_name) || is_known)
}

/// An address with a port in a line: `127.0.0.1:5000`, or `('127.0.0.1', 5000)` of Python.
fn address(line: &str) -> Option<String> {
    let line = line.replace("', ", ":").replace(['(', ')', '\''], " ");
    let is_it = |word: &&str| {
        word.rsplit_once(':').is_some_and(|(host, port)| {
            let is_v6 = host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok();
            let is_host = host.contains('.') || host == "localhost" || is_v6;
            is_host && port.parse::<u16>().is_ok()
        })
    };
    let mut words = line
        .split([' ', ','])
        .map(|word| word.trim_end_matches(':'));
    words.find(is_it).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    fn found(text: &str) -> Vec<(usize, Vec<String>, bool)> {
        let messages = find(&lines::of(text)).into_iter();
        messages
            .map(|it| (it.number, it.lines, it.is_request))
            .collect()
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn messages_are_found_whatever_stands_around_them() {
        let list = strings(&["LIST ALL P2P-CI/1.0", "Host: vm", "Port: 5"]);
        let answer = strings(&["P2P-CI/1.0 200 OK", "RFC 1 A Title vm 5"]);
        for text in [
            "LIST ALL P2P-CI/1.0\nHost: vm\nPort: 5\n\nP2P-CI/1.0 200 OK\n\nRFC 1 A Title vm 5\n\n1. ADD\n",
            "12:01:02 LIST ALL P2P-CI/1.0\n12:01:02 Host: vm\n12:01:03 Port: 5\n12:01:03 \n\
             12:01:04 P2P-CI/1.0 200 OK\n12:01:04 \n12:01:05 RFC 1 A Title vm 5\n",
            "sent: b'LIST ALL P2P-CI/1.0\\r\\nHost: vm\\r\\nPort: 5\\r\\n\\r\\n'\n\
             got: b\"P2P-CI/1.0 200 OK\\r\\n\\r\\nRFC 1 A Title vm 5\\r\\n\\r\\n\"\n",
            "> LIST ALL P2P-CI/1.0\n> Host: vm\n> Port: 5\n>\n< P2P-CI/1.0 200 OK\n<\n< RFC 1 A Title vm 5\n",
        ] {
            let found = found(text);
            assert_eq!(found.len(), 2, "{text}: {found:?}");
            assert_eq!((&found[0].1, found[0].2), (&list, true), "{text}");
            assert_eq!((&found[1].1, found[1].2), (&answer, false), "{text}");
        }
    }

    #[test]
    fn what_only_names_the_protocol_is_no_message() {
        for text in [
            "This is a P2P-CI/1.0 server",
            "[SERVER] Answering 505: unsupported version \"P2P-CI/2.0\", expected P2P-CI/1.0",
            "P2P-CI/1.0 ready",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("GOT BLAH RFC 1 P2P-CI/1.0").len(), 1);
    }

    #[test]
    fn the_other_side_is_named_in_several_ways() {
        for line in [
            "[SERVER] Request from 127.0.0.1:5000:",
            "got from ('127.0.0.1', 5000)",
            "127.0.0.1:5000 says",
        ] {
            assert_eq!(address(line).as_deref(), Some("127.0.0.1:5000"), "{line}");
        }
        assert_eq!(address("12:01:02 Sending:"), None);
    }
}
