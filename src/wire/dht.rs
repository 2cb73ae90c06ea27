//! The keys of the distributed hash table, and the well-known port of the introducer.

use std::fmt;

use super::RfcNumber;

/// The port of the introducer: UDP for the hash table, TCP for JOIN and DELETE.
pub const INTRODUCER_PORT: u16 = 7494;

/// What peers announce themselves for. Its hash is the place in the hash table where they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Peers that share anything.
    Catalogue,
    /// Peers that share this document.
    Rfc(RfcNumber),
}

impl Key {
    /// The text that is hashed: ASCII, with the number in decimal.
    pub fn text(self) -> String {
        match self {
            Self::Catalogue => "p2p-rfc/1 catalogue".to_owned(),
            Self::Rfc(number) => format!("p2p-rfc/1 rfc {number}"),
        }
    }
}

/// The key in words for people: `RFC 1149`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue => f.write_str("the catalogue"),
            Self::Rfc(number) => write!(f, "RFC {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_text_to_hash_and_words_for_people() {
        for (key, text, words) in [
            (Key::Catalogue, "p2p-rfc/1 catalogue", "the catalogue"),
            (
                Key::Rfc("01149".parse().unwrap()),
                "p2p-rfc/1 rfc 1149",
                "RFC 1149",
            ),
        ] {
            assert_eq!(
                (key.text(), key.to_string()),
                (text.to_owned(), words.to_owned())
            );
        }
    }
}
