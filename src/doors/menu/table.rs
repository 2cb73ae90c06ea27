//! Records as a table.

use crate::node::Listed;
use crate::terminal::escape::escaped;
use crate::terminal::pages::Column;
use crate::wire::Record;

/// The last one is missing if no record expires.
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

/// The columns and rows of a table.
pub(super) fn table(records: &[Listed]) -> (&'static [Column], Vec<Vec<String>>) {
    let cells = |Listed { record, ttl }: &Listed| {
        let Record {
            number,
            title,
            holder,
        } = record;
        let mut cells = vec![
            number.to_string(),
            escaped(title.as_str().as_bytes(), false),
            holder.host.to_string(),
            holder.port.to_string(),
        ];
        cells.extend(ttl.map(|ttl| ttl.to_string()));
        cells
    };
    let rows: Vec<_> = records.iter().map(cells).collect();
    let width = rows.first().map_or(0, Vec::len);
    (COLUMNS.get(..width).unwrap_or_default(), rows)
}
