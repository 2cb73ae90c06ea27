//! Dates and lengths in header fields.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{Head, ReadError};

/// RFC 1123 dates in GMT, two-digit day.
const DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// A time as header fields give it. A time beyond the calendar (from a damaged file system) is
/// written as 1970.
pub(super) fn http_date(time: SystemTime) -> impl Display {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or_default(),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(0, i64::wrapping_neg),
    };
    let shown = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    shown.format(DATE)
}

/// The modification time in the head of a response, if it is readable.
pub(super) fn last_modified(head: &Head) -> Option<SystemTime> {
    ["Last-Modified", "Last Modified"]
        .iter()
        .find_map(|name| head.field(name).ok().flatten().and_then(time))
}

fn time(value: &str) -> Option<SystemTime> {
    // The weekday is ignored: it is redundant, and some programs get it wrong.
    let (_, date) = value.split_once(", ")?;
    let time = NaiveDateTime::parse_from_str(date, "%d %b %Y %H:%M:%S GMT").ok()?;
    let seconds = u64::try_from(time.and_utc().timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The length of a response's body, if its head gives it; otherwise the body ends with the
/// connection.
pub(super) fn body_length(head: &Head) -> Result<Option<u64>, ReadError> {
    let name = "Content-Length";
    let value = head.field(name)?;
    let length = value.map(|value| content_length(value).ok_or(ReadError::Header(name)));
    length.transpose()
}

/// Parses the length of a body: only digits, below 2^63.
pub(super) fn content_length(value: &str) -> Option<u64> {
    let is_decimal = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let length = if is_decimal {
        value.parse::<i64>().ok()?
    } else {
        return None;
    };
    u64::try_from(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocol::tests::head;

    #[test]
    fn a_day_of_one_digit_has_a_zero_before_it() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(72);
        assert_eq!(http_date(time).to_string(), "Sun, 04 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn dates_are_read_liberally() {
        for (field, is_read) in [
            ("Last-Modified: Fri, 17 Apr 2026 16:08:18 GMT", true),
            ("Last Modified: Sat, 17 Apr 2026 16:08:18 GMT", true),
            ("Last-Modified: yesterday", false),
        ] {
            let time = last_modified(&head(&format!("A\r\n{field}\r\n\r\n")));
            let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_776_442_098);
            assert_eq!(time, is_read.then_some(expected), "{field}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_shown_as_1970() {
        for far in [u64::MAX, 1 << 60] {
            if let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(far)) {
                assert_eq!(http_date(time).to_string(), "Thu, 01 Jan 1970 00:00:00 GMT");
            }
        }
    }
}
