//! Tables that fit the screen.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};

use unicode_width::UnicodeWidthStr as _;

use super::Size;

/// The lines of a page that are not rows: the header, its rule, and the question below.
const OTHER_LINES: u16 = 4;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Whether it is cut if the screen is too narrow. Numbers are not, because half a number is
    /// wrong.
    pub may_be_cut: bool,
    /// Whether it holds numbers, which are right-aligned.
    pub is_number: bool,
}

/// How many rows fit on the screen.
pub fn height(size: Size) -> usize {
    usize::from(size.rows.saturating_sub(OTHER_LINES).max(1))
}

/// The widest cell of each column: a table with this row has the same columns as the one of all
/// rows.
pub fn widest(rows: &[Vec<String>]) -> Vec<String> {
    let mut widest: Vec<&String> = Vec::new();
    for row in rows {
        widest.extend(row.iter().skip(widest.len()));
        for (cell, most) in row.iter().zip(&mut widest) {
            if cell.width() > most.width() {
                *most = cell;
            }
        }
    }
    widest.into_iter().cloned().collect()
}

/// Some rows as a table that is as wide as the screen. Its columns have room for the row `widest`,
/// which is not shown.
pub fn page(columns: &[Column], rows: &[Vec<String>], widest: &[String], size: Size) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(size.columns)
        .set_header(columns.iter().map(|column| column.name));
    for row in rows.iter().map(Vec::as_slice).chain([widest]) {
        let mut row = Row::from(row);
        row.max_height(1);
        table.add_row(row);
    }
    for (column, kind) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if kind.is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if kind.may_be_cut {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(8)));
        } else {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = table.trim_fmt();
    let last = text.rfind('\n').map_or(0, |end| end + 1);
    text.truncate(last);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_the_same_columns() {
        let column = |name, is_number: bool| Column {
            name,
            may_be_cut: !is_number,
            is_number,
        };
        let columns = [
            column("RFC", true),
            column("Title", false),
            column("At", false),
        ];
        let rows = [["5", "Five", "a"], ["12345", "A longer title", "b"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        for columns_of_screen in [20, 80] {
            let size = Size {
                rows: 24,
                columns: columns_of_screen,
            };
            let all = page(&columns, &rows, &widest(&rows), size);
            let [first, second] =
                [0, 1].map(|row| page(&columns, &rows[row..=row], &widest(&rows), size));
            let header = first.lines().next().unwrap();
            assert_eq!(
                all,
                first.clone()
                    + second
                        .strip_prefix(header)
                        .unwrap()
                        .trim_start_matches('\n')
            );
        }
    }
}
