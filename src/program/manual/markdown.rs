//! A page as blocks of text. It knows as much Markdown as the pages use.

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
    let mut reader = Reader::default();
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        reader.take(event);
    }
    reader.blocks
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    text: Text,
    is_strong: bool,
    /// What the next item of the list is numbered with, where it is numbered.
    number: Option<u64>,
    is_item: bool,
    rows: Vec<Vec<Text>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(words) if self.is_strong => self.add(Face::Strong, &words),
            Event::Text(words) => self.add(Face::Plain, &words),
            Event::Code(words) => self.add(Face::Code, &words),
            Event::SoftBreak | Event::HardBreak => self.add(Face::Plain, " "),
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            // Comments are for whoever reads the source.
            _ => {}
        }
    }

    fn add(&mut self, face: Face, words: &str) {
        self.text.push((face, words.to_owned()));
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Strong => self.is_strong = true,
            Tag::List(first) => self.number = *first,
            Tag::Item => self.is_item = true,
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong => self.is_strong = false,
            TagEnd::Heading(level) => {
                let text = std::mem::take(&mut self.text);
                self.blocks.push(match level {
                    HeadingLevel::H1 => Block::Title(text),
                    _ => Block::Heading(text),
                });
            }
            TagEnd::Paragraph | TagEnd::Item => self.paragraph(),
            TagEnd::CodeBlock => {
                let lines = std::mem::take(&mut self.text);
                let lines = lines.into_iter().map(|(_, line)| line).collect();
                self.blocks.push(Block::Code(lines));
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                let rows = std::mem::take(&mut self.rows);
                self.blocks.push(Block::Table(rows));
            }
            _ => {}
        }
    }

    /// A paragraph, which is that of an item where one has begun.
    fn paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.is_item) {
            self.blocks.push(Block::Paragraph(text));
            return;
        }
        let mark = match &mut self.number {
            Some(number) => {
                let mark = format!("{number}.");
                *number += 1;
                mark
            }
            None => "-".to_owned(),
        };
        self.blocks.push(Block::Item(mark, text));
    }
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
