//! The lines of a saved terminal, with what a program writes around messages taken apart.

use std::io;
use std::path::Path;

use crate::file_error::FileError;
use crate::grade::file;

/// The longest file, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// How much of a line is used, in characters.
const MAX_LINE: usize = 8 * 1024;

/// A line, or the part of one that shows several lines in quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    pub(super) text: String,
    /// Whether it ends with CR LF; `None` if the terminal has eaten the line end.
    pub(super) has_crlf: Option<bool>,
}

/// Whether a file is not too long. An error is a message for the user.
pub(in crate::grade) fn check(path: &Path) -> Result<(), String> {
    let is_too_long = path.metadata().is_ok_and(|found| found.len() > MAX_FILE);
    let error = || FileError::of("read", path)(io::Error::other(too_long())).to_string();
    if is_too_long { Err(error()) } else { Ok(()) }
}

/// Reads the lines of a file. One that is too long is an error: what is left out would be missed.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, FileError> {
    let file = file::open(path);
    let bytes = file.and_then(|file| file::content(file, MAX_FILE, too_long));
    let bytes = bytes.map_err(FileError::of("read", path))?;
    Ok(of(&String::from_utf8_lossy(&bytes)))
}

fn too_long() -> String {
    let most = MAX_FILE / 1024 / 1024;
    format!("it is longer than {most} MiB; cut it to the session with the eight scenarios")
}

/// The lines of a text.
pub(super) fn of(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (before, line) in text.lines().enumerate() {
        let line: String = line.chars().take(MAX_LINE).collect();
        split(&without_escapes(&line), before + 1, &mut lines);
    }
    lines
}

/// Adds a line, or the lines that it shows as `\r\n` or `\n`: Python prints bytes so.
fn split(line: &str, number: usize, lines: &mut Vec<Line>) {
    let mut rest = line;
    while let Some((text, after)) = rest.split_once("\\n") {
        let crlf = text.strip_suffix("\\r");
        lines.push(Line {
            number,
            text: crlf.unwrap_or(text).to_owned(),
            has_crlf: Some(crlf.is_some()),
        });
        rest = after;
    }
    let is_quoted = rest.len() < line.len();
    // What follows the last line end is the closing quote.
    let is_quote = is_quoted && rest.trim_matches(['\'', '"', ')', ',', ' ']).is_empty();
    if !is_quote {
        lines.push(Line {
            number,
            text: rest.trim_end().to_owned(),
            has_crlf: None,
        });
    }
}

/// The line without the escape sequences of a terminal and other control characters.
fn without_escapes(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' {
            if chars.next_if_eq(&'[').is_some() {
                while chars.next_if(|it| !it.is_ascii_alphabetic()).is_some() {}
                chars.next();
            }
        } else if !char.is_control() {
            text.push(char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_lines_are_taken_apart_and_escapes_removed() {
        let texts = |text| -> Vec<_> {
            let lines = of(text).into_iter();
            lines.map(|it| (it.number, it.text, it.has_crlf)).collect()
        };
        assert_eq!(
            texts("\u{1b}[1mone\u{1b}[0m\r\n got b'LIST\\r\\nHost: a\\n\\r\\n'\n"),
            [
                (1, "one".to_owned(), None),
                (2, " got b'LIST".to_owned(), Some(true)),
                (2, "Host: a".to_owned(), Some(false)),
                (2, String::new(), Some(true)),
            ]
        );
    }
}
