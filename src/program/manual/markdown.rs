//! A page as blocks of text. It knows as much Markdown as the pages use.

use std::mem::take;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A part of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// The title of the page.
    Title(Text),
    /// The heading of a section.
    Heading(Text),
    /// Lines that may be filled anew.
    Paragraph(Text),
    /// An item of a list, with what stands before it.
    Item(String, Text),
    /// Lines that stay as they are.
    Code(String),
    /// Rows of cells. The first row is the header, whose cells may be empty.
    Table(Vec<Vec<Text>>),
}

/// Words, each part in its face.
pub(super) type Text = Vec<(Face, String)>;

/// How words stand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Plain,
    Strong,
    Code,
}

/// Words without their faces; code keeps its quotes.
pub(super) fn plain(text: &Text) -> String {
    let parts = text.iter().map(|(face, part)| match face {
        Face::Plain | Face::Strong => part.clone(),
        Face::Code => format!("`{part}`"),
    });
    parts.collect()
}

/// Reads a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut rows, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    let (mut text, mut face) = (Text::new(), Face::Plain);
    let (mut number, mut mark) = (None, None);
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Text(words) => text.push((face, words.into_string())),
            Event::Code(words) => text.push((Face::Code, words.into_string())),
            Event::SoftBreak | Event::HardBreak => text.push((Face::Plain, " ".to_owned())),
            Event::Start(Tag::Strong) => face = Face::Strong,
            Event::End(TagEnd::Strong) => face = Face::Plain,
            Event::End(TagEnd::Heading(level)) => blocks.push(match level {
                HeadingLevel::H1 => Block::Title(take(&mut text)),
                _ => Block::Heading(take(&mut text)),
            }),
            Event::Start(Tag::List(first)) => number = first,
            Event::Start(Tag::Item) => {
                mark = Some(number.map_or("-".to_owned(), |number| format!("{number}.")));
                number = number.map(|number| number + 1);
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item) if !text.is_empty() => {
                let text = take(&mut text);
                blocks.push(match mark.take() {
                    Some(mark) => Block::Item(mark, text),
                    None => Block::Paragraph(text),
                });
            }
            Event::End(TagEnd::CodeBlock) => blocks.push(Block::Code(plain(&take(&mut text)))),
            Event::End(TagEnd::TableCell) => cells.push(take(&mut text)),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => rows.push(take(&mut cells)),
            Event::End(TagEnd::Table) => blocks.push(Block::Table(take(&mut rows))),
            // Comments are for whoever reads the source.
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page has besides is not rendered, or not as it should be.
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

    fn text(words: &str) -> Text {
        vec![(Face::Plain, words.to_owned())]
    }

    #[test]
    fn a_page_with_one_of_each() {
        let page = "# Title\n\nSome **strong** and\n`quoted` words.\n\n<!-- a comment -->\n\n\
                    ```console\n$ peer list\n\nRFC 1\n```\n\n## Heading\n\n- one\n- two\n  lines\n\n\
                    1. first\n2. second\n\n| a | |\n|---|---|\n| `x\\|y` | z |\n";
        let expected = [
            Block::Title(text("Title")),
            Block::Paragraph(vec![
                (Face::Plain, "Some ".to_owned()),
                (Face::Strong, "strong".to_owned()),
                (Face::Plain, " and".to_owned()),
                (Face::Plain, " ".to_owned()),
                (Face::Code, "quoted".to_owned()),
                (Face::Plain, " words.".to_owned()),
            ]),
            Block::Code("$ peer list\n\nRFC 1\n".to_owned()),
            Block::Heading(text("Heading")),
            Block::Item("-".to_owned(), text("one")),
            Block::Item(
                "-".to_owned(),
                [text("two"), text(" "), text("lines")].concat(),
            ),
            Block::Item("1.".to_owned(), text("first")),
            Block::Item("2.".to_owned(), text("second")),
            Block::Table(vec![
                vec![text("a"), Vec::new()],
                vec![vec![(Face::Code, "x|y".to_owned())], text("z")],
            ]),
        ];
        assert_eq!(blocks(page), expected);
    }
}
