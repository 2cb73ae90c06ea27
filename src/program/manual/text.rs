//! Renders a page as text, and as the source of a man page. It supports only the Markdown that the
//! pages use.

use std::fmt::Write;
use std::mem::take;

use anstyle::Style;
use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use roff::{Roff, roman};

/// The indentation of text below its heading.
const INDENT: usize = 2;
/// The indentation of code in the text.
const CODE_INDENT: usize = 4;
/// The gap between the columns of a table.
const GAP: u16 = 2;
/// The width of a man page on a terminal of 80 columns.
const MAN_WIDTH: usize = 72;

/// A bold line.
pub(super) fn heading(words: &str) -> String {
    let bold = Style::new().bold();
    format!("{bold}{words}{bold:#}\n")
}

/// Renders a page in lines of at most `width` characters, except for code.
pub(super) fn text(page: &str, width: usize) -> String {
    let mut out = String::new();
    // The text of the current block; the mark of the current item, and the number of the next one.
    let (mut words, mut mark, mut number) = (String::new(), String::new(), None);
    let (mut rows, mut cells) = (Vec::new(), Vec::new());
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Text(text) => words += &text,
            // Writing to a string never fails.
            Event::Code(code) => drop(write!(words, "`{code}`")),
            Event::SoftBreak | Event::HardBreak => words.push(' '),
            Event::Start(Tag::Heading { .. }) if !out.is_empty() => out.push('\n'),
            Event::End(TagEnd::Heading(_)) => out += &heading(&take(&mut words)),
            Event::Start(Tag::List(first)) => {
                number = first;
                out.push('\n');
            }
            Event::Start(Tag::Item) => {
                mark = number.map_or("- ".to_owned(), |number| format!("{number}. "));
                number = number.map(|number| number + 1);
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item) if !words.is_empty() => {
                if mark.is_empty() {
                    out.push('\n');
                }
                fill(&mut out, &take(&mut mark), &take(&mut words), width);
            }
            Event::End(TagEnd::CodeBlock) => {
                out.push('\n');
                indented(&mut out, INDENT + CODE_INDENT, &take(&mut words));
            }
            Event::End(TagEnd::TableCell) => cells.push(take(&mut words)),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => rows.push(take(&mut cells)),
            Event::End(TagEnd::Table) => {
                out.push('\n');
                indented(&mut out, INDENT, &table(&take(&mut rows), width - INDENT));
            }
            // Comments, and tags without text.
            _ => {}
        }
    }
    out
}

/// A page for a locale that has only ASCII.
pub(super) fn ascii(page: &str) -> String {
    let page = page.replace('\u{2026}', "...").replace('\u{b5}', "u");
    page.replace('\u{2014}', "-")
}

/// Renders a page as the source of a man page. `others` are the pages under SEE ALSO.
pub(super) fn man_page(name: &str, source: &str, page: &str, others: &str) -> String {
    // In ASCII, because a man page has no locale of its own.
    let text = ascii(&anstream::adapter::strip_str(&text(page, MAN_WIDTH)).to_string());
    let (title, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut roff = Roff::new();
    roff.control("TH", [name, "7", source]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{name} - {title}"))]);
    roff.control("SH", ["DESCRIPTION"]).control("nf", []);
    for line in rest.lines() {
        match line.strip_prefix("  ") {
            Some(line) => roff.text([roman(line)]),
            None if line.is_empty() => roff.control("sp", []),
            None => {
                roff.control("SH", []).text([roman(line)]);
                roff.control("nf", [])
            }
        };
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(others)]);
    roff.render()
}

/// Aligns the cells of a table in columns. Words break only if there is no room.
fn table(rows: &[Vec<String>], width: usize) -> String {
    let longest_word = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let words = cells.flat_map(|cell| cell.split(' '));
        let longest = words.map(|word| word.chars().count()).max();
        u16::try_from(longest.unwrap_or_default()).unwrap_or_default()
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

/// Wraps words into lines, indented to the first word after `mark`.
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

fn indented(out: &mut String, by: usize, lines: &str) {
    for line in lines.lines() {
        if !line.trim().is_empty() {
            out.extend(std::iter::repeat_n(' ', by));
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::HeadingLevel;

    use super::*;

    /// Other Markdown would be lost or rendered wrong.
    #[test]
    fn pages_have_what_can_be_rendered() {
        for page in super::super::PAGES {
            let mut depth = 0;
            for event in Parser::new_ext(page.text, Options::ENABLE_TABLES) {
                match event {
                    Event::Start(Tag::List(_)) => depth += 1,
                    Event::End(TagEnd::List(_)) => depth -= 1,
                    Event::Start(
                        Tag::Heading {
                            level: HeadingLevel::H1 | HeadingLevel::H2,
                            ..
                        }
                        | Tag::Paragraph
                        | Tag::Item
                        | Tag::CodeBlock(_)
                        | Tag::Strong
                        | Tag::HtmlBlock
                        | Tag::Table(_)
                        | Tag::TableHead
                        | Tag::TableRow
                        | Tag::TableCell,
                    )
                    | Event::End(_)
                    | Event::Text(_)
                    | Event::Code(_)
                    | Event::SoftBreak
                    | Event::Html(_) => {}
                    other => panic!("{}: {other:?}", page.topic),
                }
                assert!(depth <= 1, "{}: a list in a list", page.topic);
            }
        }
    }

    #[test]
    fn every_page_has_a_form_in_ascii() {
        for page in super::super::PAGES {
            let page = ascii(&text(page.text, 80));
            let other = page.chars().find(|c| !c.is_ascii());
            assert_eq!(other, None, "{page}");
        }
    }

    #[test]
    fn a_page_is_filled_and_indented() {
        let page = "# Title\n\nA **paragraph** that goes on\nfor more than one line.\n\n\
                    <!-- a comment -->\n\n- an item that is as long\n- short\n  or not\n\n\
                    1. first\n2. second\n\n```text\nas it  is\n\nhere\n```\n\n## Heading\n\n\
                    | x | |\n|---|---|\n| `a\\|b` | about a thing of this width |\n";
        let expected = "\
Title

  A paragraph that goes
  on for more than one
  line.

  - an item that is as
    long
  - short or not

  1. first
  2. second

      as it  is

      here

Heading

  x
  ----------------------
  `a|b`  about a thing
         of this width
";
        let printed = anstream::adapter::strip_str(&text(page, 24)).to_string();
        assert_eq!(printed, expected);
    }

    #[test]
    fn the_source_of_a_man_page() {
        let page = "# Short title\n\nSome `code` and\n**more**.\n\n## It's two words\n\n- one\n\n\
                    ```text\n.as it is\n```\n";
        let source = man_page("p2pci-x", "p2pci 1.0", page, "peer(1)");
        let expected = r#"
.TH p2pci-x 7 "p2pci 1.0"
.SH NAME
p2pci\-x \- Short title
.SH DESCRIPTION
.nf
Some `code` and more.
.sp
.SH
It\*(Aqs two words
.nf
.sp
\- one
.sp
    .as it is
.SH "SEE ALSO"
peer(1)
"#;
        assert!(source.ends_with(expected.trim_start()), "{source}");
    }
}
