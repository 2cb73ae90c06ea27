//! A document without a head: the bytes of the file, and the close.
//!
//! For upload servers whose downloaders write everything that arrives into the file. Nothing says
//! how long the file is, or that it is one and no message, so it is taken only on request.

/// Whether an answer that begins like this is text without a status line, of any protocol and in any
/// dialect.
pub(in crate::wire) fn is_one(begin: &[u8]) -> bool {
    let begin = begin.trim_ascii_start();
    let line = begin.split(|&byte| byte == b'\n').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let line = line.trim_end();
    let is_text = !line.chars().any(|c| c.is_control() && c != '\t');
    let is_status = line.contains("P2P-") || "P2P-".starts_with(line) || line.starts_with("HTTP/");
    is_text && !is_status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_answers_of_all_kinds() {
        for begin in ["\n\n\n\nNetwork Working Group\n", "A", "200 OK\r\n"] {
            assert!(is_one(begin.as_bytes()), "{begin:?}");
        }
        for begin in [
            "",
            "\r\n\r\n",
            "P2",
            "P2P-CI/1.0 200 OK\n",
            "\r\nP2P-CI/2.0 200",
            "24        P2P-CI/1.0 404 NOT FOUND",
            "HTTP/1.1 200 OK\r\n",
            "\u{1}\u{2}\n",
        ] {
            assert!(!is_one(begin.as_bytes()), "{begin:?}");
        }
    }
}
