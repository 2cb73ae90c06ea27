//! What the first line of a message says, in any of the protocols, as text or in a frame.

/// The methods that are counted by name. Strangers' inventions are one: `other`.
pub(super) const METHODS: [&str; 21] = [
    "ADD",
    "LOOKUP",
    "LIST",
    "LISTALL",
    "DEL",
    "CLOSE",
    "GET",
    "REGISTER",
    "LEAVE",
    "PQUERY",
    "KEEPALIVE",
    "RFCQUERY",
    "GETRFC",
    "JOIN",
    "DELETE",
    "FILES",
    "SEARCH",
    "UPLOAD",
    "DOWNLOAD",
    "STATUS",
    "other",
];
/// The place of `other`.
pub(super) const OTHER: usize = METHODS.len() - 1;

/// The length of the prefix of a frame.
const PREFIX: usize = 10;

/// What a first line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request, with the place of its method in [`METHODS`].
    Request(usize),
    /// A response with a status code.
    Response(u16),
}

/// The first line of a message, without the prefix of a frame and the line end.
pub(super) fn first_line(message: &[u8]) -> &[u8] {
    let line = content(message).split(|&byte| byte == b'\n').next();
    line.unwrap_or_default().trim_ascii_end()
}

/// A message without the prefix of a frame.
fn content(message: &[u8]) -> &[u8] {
    match message.split_at_checked(PREFIX) {
        Some((prefix, content)) if is_length(prefix) => content,
        _ => message,
    }
}

/// Whether this is a number, padded with spaces.
fn is_length(prefix: &[u8]) -> bool {
    let digits = prefix.trim_ascii_end();
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// What a message is by its first line; `None` if it is neither a request nor a response. It reads
/// no more than two words, because it is called for every message.
pub(super) fn kind(message: &[u8]) -> Option<Kind> {
    let (first, rest) = word(content(message));
    let code = match first {
        [] => return None,
        _ if first.iter().all(u8::is_ascii_digit) => Some(first),
        _ if first.contains(&b'/') => Some(word(rest).0),
        _ => None,
    };
    if let Some(code) = code {
        let code = str::from_utf8(code).ok()?.parse().ok()?;
        return Some(Kind::Response(code));
    }
    let mut methods = METHODS.iter();
    let place = methods.position(|method| first.eq_ignore_ascii_case(method.as_bytes()));
    let is_word = first.iter().all(u8::is_ascii_alphabetic);
    is_word.then(|| Kind::Request(place.unwrap_or(OTHER)))
}

/// The first word of a line, and what follows its space.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|&byte| byte <= b' ');
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (word, rest.strip_prefix(b" ").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses_are_told_apart_in_text_and_in_frames() {
        let at = |name: &str| METHODS.iter().position(|method| *method == name);
        for (message, line, expected) in [
            (
                "ADD RFC 5 P2P-CI/1.0\r\nHost: vm\r\n",
                "ADD RFC 5 P2P-CI/1.0",
                at("ADD").map(Kind::Request),
            ),
            (
                "16        register vm HTTP/1.1\r\n",
                "register vm HTTP/1.1",
                at("REGISTER").map(Kind::Request),
            ),
            (
                "P2P-CI/1.0 404 Not Found\r\n\r\n",
                "P2P-CI/1.0 404 Not Found",
                Some(Kind::Response(404)),
            ),
            (
                "15        HTTP/1.1 200 OK\r\n\r\n",
                "HTTP/1.1 200 OK",
                Some(Kind::Response(200)),
            ),
            ("200 OK 16\r\n", "200 OK 16", Some(Kind::Response(200))),
            ("BLAH x\n", "BLAH x", Some(Kind::Request(OTHER))),
            ("P2P-CI/1.0\n200", "P2P-CI/1.0", None),
            ("\u{1b}[2J", "\u{1b}[2J", None),
            ("", "", None),
        ] {
            let found = first_line(message.as_bytes());
            assert_eq!(
                (found, kind(message.as_bytes())),
                (line.as_bytes(), expected),
                "{message}"
            );
        }
    }
}
