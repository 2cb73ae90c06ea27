//! Records that begin with the number alone, or with `RFC:` and the number.
//!
//! For index servers that print their table as they keep it.

/// What follows `RFC ` in a record, or what stands for it: the number, and the rest.
pub(in crate::wire) fn from_number(line: &str) -> Option<&str> {
    let line = line.trim_ascii();
    let rest = line.strip_prefix("RFC ").or(line.strip_prefix("RFC:"));
    let rest = rest.unwrap_or(line).trim_ascii_start();
    rest.starts_with(|first: char| first.is_ascii_digit())
        .then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_begins_with_its_number_at_the_latest() {
        let expected = Some("5 A b vm 1");
        for line in [
            "RFC 5 A b vm 1",
            "RFC: 5 A b vm 1",
            "RFC:5 A b vm 1\r\n",
            "5 A b vm 1",
        ] {
            assert_eq!(from_number(line), expected, "{line:?}");
        }
        for line in ["", "RFC", "RFC x vm 1", "nonsense", "P2P-CI/1.0 200 OK"] {
            assert_eq!(from_number(line), None, "{line:?}");
        }
    }
}
