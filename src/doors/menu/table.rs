//! Shows records as a table.

use crate::node::{Listed, Records};
use crate::terminal::escape::escaped;
use crate::terminal::pages::Column;

/// The last one is omitted if records do not expire.
static COLUMNS: [Column; 5] = [
    column("RFC", false, true),
    column("Title", true, false),
    column("Host", true, false),
    column("Port", false, true),
    column("TTL", false, true),
];

const fn column(name: &'static str, may_be_cut: bool, is_number: bool) -> Column {
    Column {
        name,
        may_be_cut,
        is_number,
    }
}

pub(super) fn table(records: &Records) -> (&'static [Column], impl Iterator<Item = Vec<String>>) {
    let cells = |Listed { record, ttl }: Listed| {
        let mut cells = vec![
            record.number.to_string(),
            escaped(record.title.as_str().as_bytes(), false),
            record.holder.host.to_string(),
            record.holder.port.to_string(),
        ];
        cells.extend(ttl.map(|ttl| ttl.to_string()));
        cells
    };
    let mut rows = records.iter().map(cells).peekable();
    let width = rows.peek().map_or(0, Vec::len);
    (COLUMNS.get(..width).unwrap_or_default(), rows)
}
