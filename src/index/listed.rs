//! A record as an index lists it, as text and in JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::di::exchange::Timed;
use crate::wire::{Endpoint, Host, Port, Record, RfcNumber, Title};

/// A record as an index lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Listed {
    /// The record.
    pub record: Record,
    /// Its remaining lifetime in seconds, if limited.
    pub ttl: Option<u32>,
}

impl From<Timed> for Listed {
    fn from(Timed { record, ttl }: Timed) -> Self {
        let ttl = Some(ttl);
        Self { record, ttl }
    }
}

impl From<Record> for Listed {
    fn from(record: Record) -> Self {
        Self { record, ttl: None }
    }
}

/// The record as its protocol writes it, without the line end.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, ttl } = self.clone();
        match ttl {
            Some(ttl) => Timed { record, ttl }.fmt(f),
            None => record.fmt(f),
        }
    }
}

/// A listed record in JSON.
#[derive(Serialize, Deserialize)]
struct Fields {
    number: RfcNumber,
    title: Title,
    host: Host,
    port: Port,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}

impl From<Listed> for Fields {
    fn from(Listed { record, ttl }: Listed) -> Self {
        let Record {
            number,
            title,
            holder: Endpoint { host, port },
        } = record;
        Self {
            number,
            title,
            host,
            port,
            ttl,
        }
    }
}

impl From<Fields> for Listed {
    fn from(fields: Fields) -> Self {
        let Fields {
            number,
            title,
            host,
            port,
            ttl,
        } = fields;
        let holder = Endpoint { host, port };
        let record = Record {
            number,
            title,
            holder,
        };
        Self { record, ttl }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_listed_as_its_protocol_writes_it_and_in_json() {
        let record = Record::parse("RFC 5 A: \"b\" vm 1234").unwrap();
        let timed = Listed {
            record: record.clone(),
            ttl: Some(9),
        };
        for (listed, line, json) in [
            (
                Listed::from(record),
                "RFC 5 A: \"b\" vm 1234",
                r#"{"number":5,"title":"A: \"b\"","host":"vm","port":1234}"#,
            ),
            (
                timed,
                "RFC 5 9 vm 1234 A: \"b\"",
                r#"{"number":5,"title":"A: \"b\"","host":"vm","port":1234,"ttl":9}"#,
            ),
        ] {
            assert_eq!(listed.to_string(), line);
            assert_eq!(serde_json::to_string(&listed).unwrap(), json);
            assert_eq!(serde_json::from_str::<Listed>(json).unwrap(), listed);
        }
    }
}
