//! A page as text for a terminal, or for whoever reads it through a pipe.

use anstyle::Style;
use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};

use super::markdown::{Block, Text, blocks, plain};

/// How far text stands to the right of its heading.
const INDENT: usize = 2;
/// How far code stands to the right of text.
const CODE_INDENT: usize = 4;
/// How far the columns of a table stand apart.
const GAP: u16 = 2;

/// A line that stands out on a terminal.
pub(super) fn heading(words: &str) -> String {
    let bold = Style::new().bold();
    format!("{bold}{words}{bold:#}\n")
}

/// Renders a page in lines of `width` characters at most, except where code has longer ones.
pub(super) fn text(page: &str, width: usize) -> String {
    let mut out = String::new();
    let mut was_item = false;
    for block in blocks(page) {
        let is_item = matches!(block, Block::Item(..));
        if !(out.is_empty() || is_item && was_item) {
            out.push('\n');
        }
        was_item = is_item;
        match block {
            Block::Title(text) | Block::Heading(text) => {
                out += &heading(&plain(&text));
            }
            Block::Paragraph(text) => fill(&mut out, "", &plain(&text), width),
            Block::Item(mark, text) => fill(&mut out, &format!("{mark} "), &plain(&text), width),
            Block::Code(lines) => {
                for line in lines.lines() {
                    indented(&mut out, INDENT + CODE_INDENT, line);
                }
            }
            Block::Table(rows) => {
                for line in table(&rows, width - INDENT).lines() {
                    indented(&mut out, INDENT, line);
                }
            }
        }
    }
    out
}

/// Aligns the cells of a table in columns. Words stay whole where there is room for them.
pub(super) fn table(rows: &[Vec<Text>], width: usize) -> String {
    let cells = |row: &Vec<Text>| row.iter().map(plain).collect::<Vec<_>>();
    let rows: Vec<_> = rows.iter().map(cells).collect();
    let longest_word = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let words = cells
            .flat_map(|cell| cell.split(' '))
            .map(|word| word.chars().count());
        words
            .max()
            .and_then(|length| u16::try_from(length).ok())
            .unwrap_or_default()
    };
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill('-')))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(rows.first().into_iter().flatten())
        .add_rows(rows.iter().skip(1));
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        let least = Width::Fixed(longest_word(place) + GAP);
        column.set_constraint(ColumnConstraint::LowerBoundary(least));
    }
    table.trim_fmt()
}

/// Breaks words into lines, which begin below the first word after `mark`.
fn fill(out: &mut String, mark: &str, words: &str, width: usize) {
    let mut line = mark.to_owned();
    let blank = " ".repeat(mark.chars().count());
    for word in words.split_whitespace() {
        let length = INDENT + line.chars().count() + 1 + word.chars().count();
        if length > width && line.trim() != mark.trim() {
            indented(out, INDENT, &line);
            line.clone_from(&blank);
        }
        if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
        line += word;
    }
    indented(out, INDENT, &line);
}

fn indented(out: &mut String, by: usize, line: &str) {
    if !line.trim().is_empty() {
        out.extend(std::iter::repeat_n(' ', by));
        out.push_str(line);
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_filled_and_indented() {
        let page = "# Title\n\nA paragraph that goes on\nfor more than one line.\n\n\
                    - an item that is as long\n- short\n\n```text\nas it  is\n\nhere\n```\n\n\
                    | x | |\n|---|---|\n| `a` | about a thing of this width |\n";
        let expected = "\
Title

  A paragraph that goes
  on for more than one
  line.

  - an item that is as
    long
  - short

      as it  is

      here

  x
  ----------------------
  `a`  about a thing
       of this width
";
        let printed = anstream::adapter::strip_str(&text(page, 24)).to_string();
        assert_eq!(printed, expected);
    }
}
