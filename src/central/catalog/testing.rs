//! What the tests of the catalog have in common.

use std::net::IpAddr;

use super::{Catalog, Cursor, Denied, Entrance, Gone, Presence, Scope};
use crate::wire::ci::RecordLines;
use crate::wire::{Endpoint, Port, Record};

pub(super) fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

pub(super) fn name(port: u16) -> Endpoint {
    Endpoint {
        host: "vm".parse().unwrap(),
        port: Port::new(port).unwrap(),
    }
}

pub(super) fn record(number: u32, title: &str, port: u16) -> Record {
    let number = number.to_string().parse().unwrap();
    Record {
        number,
        title: title.parse().unwrap(),
        holder: name(port),
    }
}

/// Adds a record, and returns what is gone because of it.
pub(super) fn added(peer: &Presence, record: &Record) -> (Result<Entrance, Denied>, Vec<Gone>) {
    let mut gone = Vec::new();
    (peer.add(record, |one| gone.push(one)), gone)
}

/// Everything in the scope, as (number, title, port), read page by page.
pub(super) fn all(catalog: &Catalog, scope: Scope) -> Vec<(u32, String, u16)> {
    let (mut found, mut page) = (Vec::new(), RecordLines::default());
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        from = catalog.page(scope, cursor, &mut page);
        let of = |r: Record| (r.number.get(), r.title.to_string(), r.holder.port.get());
        found.extend(records(&page).into_iter().map(of));
    }
    found
}

pub(super) fn records(page: &RecordLines) -> Vec<Record> {
    let lines = str::from_utf8(page.bytes()).unwrap().lines();
    let records: Vec<_> = lines.map(|line| Record::parse(line).unwrap()).collect();
    assert_eq!(records.len(), page.len());
    records
}

pub(super) fn numbers(catalog: &Catalog) -> Vec<u32> {
    all(catalog, Scope::All)
        .into_iter()
        .map(|(number, ..)| number)
        .collect()
}
