//! The basic values of the protocols: each is validated once, on input, and trusted from then on.
//!
//! The single values parse with `FromStr` and print themselves in wire format. P2P-CI/1.0, section
//! 2, gives the rules.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

/// A word or header that the protocol does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TermError(pub(super) String);

impl TermError {
    /// `expected` says what was expected; the message quotes the beginning of `word`.
    pub(super) fn new(expected: &str, word: &str) -> Self {
        let quoted: String = word.chars().take(40).collect();
        Self(format!("{expected}, not {quoted:?}"))
    }
}

const NUMBER: &str = "an RFC number is a whole number from 1 to 4294967295";
const PORT: &str = "a port is a whole number from 1 to 65535";
const HOST: &str = "a host is a DNS name or an IP address of at most 255 bytes";

/// Parses an unsigned number. It has digits only: `parse` alone would also accept `+5`.
pub(super) fn decimal<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok().filter(|_| !word.starts_with('+'))
}

/// The number of an RFC, from 1 to 4294967295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RfcNumber(NonZeroU32);

impl RfcNumber {
    /// `None` for 0.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number as an integer.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl FromStr for RfcNumber {
    type Err = TermError;

    fn from_str(word: &str) -> Result<Self, TermError> {
        let number = decimal(word).map(Self);
        number.ok_or_else(|| TermError::new(NUMBER, word))
    }
}

impl fmt::Display for RfcNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A TCP port that can be connected to, from 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port(NonZeroU16);

impl Port {
    /// The smallest port.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    /// The largest port.
    pub const MAX: Self = Self(NonZeroU16::MAX);

    /// `None` for 0.
    pub fn new(port: u16) -> Option<Self> {
        NonZeroU16::new(port).map(Self)
    }

    /// The port as an integer.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl FromStr for Port {
    type Err = TermError;

    fn from_str(word: &str) -> Result<Self, TermError> {
        let port = decimal(word).map(Self);
        port.ok_or_else(|| TermError::new(PORT, word))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The title of an RFC: UTF-8, at most [`Title::MAX_BYTES`], no control characters, one space
/// between words. It may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Title(SmolStr);

impl Title {
    /// The longest title, in bytes, after white space is folded.
    pub const MAX_BYTES: usize = 1024;

    /// The title as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the title is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The title of a document that does not contain one: `RFC N`.
    pub fn fallback(number: RfcNumber) -> Self {
        Self(format_smolstr!("RFC {number}"))
    }
}

impl FromStr for Title {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        if text.len() <= Self::MAX_BYTES && is_plain(text) {
            return Ok(Self(text.into()));
        }
        // A tab counts as white space. Any other control character is refused, even if Unicode
        // counts it as white space.
        if text.chars().any(|c| c.is_control() && c != '\t') {
            let expected = "a title is text without control characters";
            return Err(TermError::new(expected, text));
        }
        let title: Vec<_> = text.split_whitespace().collect();
        let title = title.join(" ");
        let (length, most) = (title.len(), Self::MAX_BYTES);
        if length > most {
            let message = format!("a title has at most {most} bytes, not {length}");
            return Err(TermError(message));
        }
        Ok(Self(title.into()))
    }
}

/// Whether a title is ASCII that has nothing to fold, as most are.
fn is_plain(title: &str) -> bool {
    let mut before = b' ';
    for byte in title.bytes() {
        if (before, byte) == (b' ', b' ') || !matches!(byte, b' '..=b'~') {
            return false;
        }
        before = byte;
    }
    before != b' ' || title.is_empty()
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name at which others reach a host: a DNS name or an IP address, at most [`Host::MAX_BYTES`].
/// It keeps its letter case, but comparison ignores case, as in DNS.
#[derive(Debug, Clone)]
pub struct Host(SmolStr);

impl Host {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// This machine, as its own programs name it.
    pub fn localhost() -> Self {
        Self(SmolStr::new_static("localhost"))
    }

    /// The name as text; an IPv6 address has no brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().to_string().into())
    }
}

impl FromStr for Host {
    type Err = TermError;

    fn from_str(word: &str) -> Result<Self, TermError> {
        if word.len() <= Self::MAX_BYTES && (is_dns_name(word) || word.parse::<IpAddr>().is_ok()) {
            Ok(Self(word.into()))
        } else {
            Err(TermError::new(HOST, word))
        }
    }
}

/// Whether `word` consists of labels separated by dots, with an optional dot at the end. Labels
/// have letters, digits, `-`, and `_` (nonstandard, but in use).
fn is_dns_name(word: &str) -> bool {
    // No label is empty.
    let mut is_label = false;
    for byte in word.bytes() {
        is_label = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'A'..=b'Z' | b'-' | b'_' => true,
            b'.' if is_label => false,
            _ => return false,
        }
    }
    !word.is_empty()
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Host {}

impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        // Mark the end of the name, so that consecutive names hash differently.
        state.write_u8(0xff);
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of a listener: `host:port`, with brackets around an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port on that host.
    pub port: Port,
}

impl Endpoint {
    /// Reads `host`, `host:port`, an IPv6 address alone, or `[IPv6 address]:port`.
    pub fn parse(text: &str, default_port: Port) -> Result<Self, TermError> {
        let bracketed = text.strip_prefix('[').and_then(|text| text.split_once(']'));
        let (host, port) = match (bracketed, text.split_once(':')) {
            (Some((host, "")), _) => (host, None),
            (Some((host, rest)), _) => {
                let port = rest.strip_prefix(':');
                (host, Some(port.ok_or_else(|| TermError::new(PORT, rest))?))
            }
            (None, Some((host, port))) if !port.contains(':') => (host, Some(port)),
            (None, _) => (text, None),
        };
        Ok(Self {
            host: host.parse()?,
            port: port.map_or(Ok(default_port), str::parse)?,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.as_str().contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// An index entry: one peer has one RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number of the RFC.
    pub number: RfcNumber,
    /// Its title, as the holder gave it; may be empty.
    pub title: Title,
    /// Where the holder's upload server listens.
    pub holder: Endpoint,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn number(word: &str) -> Option<u32> {
        word.parse::<RfcNumber>().ok().map(RfcNumber::get)
    }

    #[test]
    fn numbers_run_from_1_to_4294967295() {
        assert_eq!(number("1"), Some(1));
        assert_eq!(number("0060"), Some(60));
        assert_eq!(number("4294967295"), Some(4_294_967_295));
        for wrong in [
            "",
            "0",
            "4294967296",
            "-1",
            "+5",
            "1.0",
            "abc",
            " 5",
            "٣",
            &"9".repeat(4000),
        ] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn ports_run_from_1_to_65535() {
        assert_eq!("65535".parse::<Port>().map(Port::get), Ok(65535));
        for wrong in ["", "0", "65536", "-1", "+80", "http"] {
            assert!(wrong.parse::<Port>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn white_space_in_a_title_is_folded() {
        let title: Title = "  A\t Proferred   Official\u{a0}ICP ".parse().unwrap();
        assert_eq!(title.as_str(), "A Proferred Official ICP");
        assert!("".parse::<Title>().unwrap().is_empty());
        assert!(" \t ".parse::<Title>().unwrap().is_empty());
    }

    #[test]
    fn a_title_has_no_control_characters_and_an_end() {
        for wrong in ["a\rb", "a\u{1b}[2J", "a\0", "a\u{85}b", "a\u{7f}"] {
            assert!(wrong.parse::<Title>().is_err(), "{wrong:?}");
        }
        assert!("x".repeat(1024).parse::<Title>().is_ok());
        assert!("x".repeat(1025).parse::<Title>().is_err());
        assert!("é".repeat(512).parse::<Title>().is_ok());
        assert!("é".repeat(513).parse::<Title>().is_err());
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for right in [
            "Mac.lan",
            "localhost",
            "a_b",
            "x.",
            "127.0.0.1",
            "::1",
            "fe80::1",
            "1234",
        ] {
            assert!(right.parse::<Host>().is_ok(), "{right:?}");
        }
        let long = "x".repeat(256);
        for wrong in [
            "", ".", "a..b", "a b", "a/b", "[::1]", "münchen", "a\u{1b}", ":::1", &long,
        ] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn hosts_are_compared_without_their_case() {
        let names: HashSet<Host> = ["VM", "vm", "other"]
            .iter()
            .map(|n| n.parse().unwrap())
            .collect();
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn endpoints_are_read_with_and_without_a_port() {
        let default = Port::new(7734).unwrap();
        for (text, shown) in [
            ("localhost", "localhost:7734"),
            ("localhost:99", "localhost:99"),
            ("::1", "[::1]:7734"),
            ("[::1]", "[::1]:7734"),
            ("[::1]:99", "[::1]:99"),
        ] {
            assert_eq!(Endpoint::parse(text, default).unwrap().to_string(), shown);
        }
        for wrong in [
            "", ":", "a:", ":1", "a:0", "[::1", "[::1]x", "[::1]:", "a:b:c",
        ] {
            assert!(Endpoint::parse(wrong, default).is_err(), "{wrong:?}");
        }
    }
}
