//! Tables that fit the screen.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};

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

/// The rows as a table that is as wide as the screen.
pub fn page(columns: &[Column], rows: &[Vec<String>], size: Size) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(size.columns)
        .set_header(columns.iter().map(|column| column.name));
    for row in rows {
        let mut row = Row::from(row.iter());
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
    text.push('\n');
    text
}
