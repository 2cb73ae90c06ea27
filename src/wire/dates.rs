//! Dates and lengths in header fields.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::terms::decimal;
use super::{Head, ReadError};

/// RFC 1123 dates in GMT, two-digit day.
const DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// A time in the format of header fields. A time outside the calendar's range (from a damaged file
/// system, for example) is shown as 1970.
pub(super) fn http_date(time: SystemTime) -> impl Display {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or_default(),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(0, i64::wrapping_neg),
    };
    let shown = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    shown.format(DATE)
}

/// When a document was last modified; `None` if the response does not say, or not in a valid
/// format.
pub(super) fn last_modified(head: &Head) -> Option<SystemTime> {
    let names = ["Last-Modified", "Last Modified"];
    let mut values = names.iter().filter_map(|name| head.field(name).ok()?);
    values.find_map(date)
}

/// Reads a date of a header field. The weekday takes no part: it is redundant, and some programs get
/// it wrong.
pub fn date(value: &str) -> Option<SystemTime> {
    let (_, date) = value.split_once(", ")?;
    let time = NaiveDateTime::parse_from_str(date, "%d %b %Y %H:%M:%S GMT").ok()?;
    let seconds = u64::try_from(time.and_utc().timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The length of a response body. `None`: the body ends when the connection closes.
pub(super) fn body_length(head: &Head) -> Result<Option<u64>, ReadError> {
    let name = "Content-Length";
    let wrong = || ReadError::Header(name);
    let length = |value: &str| decimal(value).filter(|length| *length < 1 << 63);
    let value = head.field(name).map_err(|_| wrong())?;
    value
        .map(|value| length(value).ok_or_else(wrong))
        .transpose()
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
