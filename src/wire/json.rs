//! How values look in JSON: as the text of their protocol, and valid when they are read.

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use super::{Endpoint, Host, Port, TermError, Title};

macro_rules! as_text {
    ($($value:ty)*) => { $(
        impl Serialize for $value {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )* };
}

as_text!(Title Host Endpoint);

/// `host:port`.
impl FromStr for Endpoint {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        Self::parse(text, Port::MIN)
    }
}

/// A time, as RFC 3339 writes it, in seconds.
pub mod time {
    use std::time::SystemTime;

    use chrono::{DateTime, Local, SecondsFormat};
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    /// Writes a time.
    pub fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        let time = DateTime::<Local>::from(*time);
        serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Secs, false))
    }

    /// Reads a time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text);
        time.map(SystemTime::from).map_err(D::Error::custom)
    }
}
