//! Answers in the manner of the request.
//!
//! For peers that send no empty line at the end of a request. They parse answers as their own server
//! writes them: the status line, the records, and nothing between or after, in the line ends that
//! they use. Their downloads read once and take what arrives as the head, so the document must not
//! be in the same read.

use std::time::Duration;

use crate::wire::Head;
use crate::wire::protocol::Protocol;

/// How long the head of a document precedes its bytes.
const HEAD_FIRST: Duration = Duration::from_millis(150);

/// How a request was written, and its answer therefore is. The default follows the agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::wire) struct Manner(Option<Bare>);

/// The manner of a request without its empty line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bare {
    has_cr: bool,
    /// Whether header names are in capitals.
    is_upper: bool,
}

impl Manner {
    /// The manner of a request in text. Programs of P2P-DI follow their agreement.
    pub(in crate::wire) fn of(head: &Head) -> Self {
        if head.is_whole || Protocol::of_request(head) == Some(Protocol::Di) {
            return Self::default();
        }
        Self(Some(Bare {
            has_cr: head.text.contains(&b'\r'),
            is_upper: head.has_name("HOST"),
        }))
    }

    /// Whether an answer has no empty lines.
    pub(in crate::wire) fn is_bare(self) -> bool {
        self.0.is_some()
    }

    /// The end of a line.
    pub(in crate::wire) fn line_end(self) -> &'static str {
        match self.0 {
            Some(Bare { has_cr: false, .. }) => "\n",
            _ => "\r\n",
        }
    }

    /// How long to wait after the head of a document.
    pub(in crate::wire) fn pause(self) -> Option<Duration> {
        self.0.map(|_| HEAD_FIRST)
    }

    /// Rewrites an answer without records.
    pub(in crate::wire) fn refusal(self, text: String) -> Vec<u8> {
        if self.is_bare() {
            format!("{}{}", text.trim_end(), self.line_end()).into()
        } else {
            text.into()
        }
    }

    /// Rewrites the head of a document. It keeps its empty line, because the document follows.
    pub(in crate::wire) fn head(self, text: String) -> Vec<u8> {
        let Some(Bare { is_upper, .. }) = self.0 else {
            return text.into();
        };
        let mut rewritten = String::with_capacity(text.len());
        for (number, line) in text.lines().enumerate() {
            match line.split_once(':') {
                Some((name, value)) if is_upper && number > 0 => {
                    rewritten.extend([&name.to_ascii_uppercase(), ":", value]);
                }
                _ => rewritten.push_str(line),
            }
            rewritten.push_str(self.line_end());
        }
        rewritten.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Script;
    use crate::wire::{Next, Requests, Waits};

    /// The manner of a request that is followed by silence.
    fn of(text: &str) -> Manner {
        let waits = Waits::of(Duration::from_secs(1));
        let mut requests = Requests::default();
        let next = requests.read(&mut Script::then_silence(text), waits, |_| true);
        match next.unwrap().unwrap() {
            Next::Head(head) | Next::Late(head) => Manner::of(&head),
        }
    }

    #[test]
    fn an_answer_is_as_bare_as_its_request() {
        let strict = "P2P-CI/1.0 200 OK\r\nLast-Modified: a: b\r\n\r\n";
        for (request, refusal, head) in [
            (
                "GET RFC 1 P2P-CI/1.0\r\nHOST: x\r\n\r\n",
                "404 x\r\n\r\n",
                strict,
            ),
            ("GET RFC 1 P2P-CI/1.0\nHOST: x\n\n", "404 x\r\n\r\n", strict),
            ("GET RFC 1 P2P-DI/1.0\nHOST: x\n", "404 x\r\n\r\n", strict),
            ("GET RFC 1 P2P-CI/1.0\r\nHost: x\r\n", "404 x\r\n", strict),
            (
                "GET RFC 1 P2P-CI/1.0\nHost: x",
                "404 x\n",
                "P2P-CI/1.0 200 OK\nLast-Modified: a: b\n\n",
            ),
            (
                "GET RFC 1 P2P-CI/1.0\nHOST: x\n",
                "404 x\n",
                "P2P-CI/1.0 200 OK\nLAST-MODIFIED: a: b\n\n",
            ),
        ] {
            let manner = of(request);
            assert_eq!(
                manner.refusal("404 x\r\n\r\n".to_owned()),
                refusal.as_bytes()
            );
            assert_eq!(
                String::from_utf8(manner.head(strict.to_owned())).unwrap(),
                head,
                "{request:?}"
            );
        }
    }
}
