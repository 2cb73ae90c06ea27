//! A page as the source of a man page.

use roff::{Inline, Roff, bold, roman};

use super::markdown::{Block, Face, Text, blocks, plain};
use super::text::table;

/// How wide tables are: what a man page has on a terminal of 80 columns.
const TABLE_WIDTH: usize = 70;

/// Renders a page under its name, and names the pages that go with it.
pub(super) fn roff(name: &str, source: &str, page: &str, others: &str) -> String {
    let mut roff = Roff::new();
    roff.control("TH", [name, "7", source]);
    roff.control("SH", ["NAME"]);
    for block in blocks(page) {
        match block {
            Block::Title(title) => {
                roff.text([roman(format!("{name} - {}", plain(&title)))]);
                roff.control("SH", ["DESCRIPTION"]);
            }
            Block::Heading(heading) => {
                roff.control("SH", []).text(inlines(heading));
            }
            Block::Paragraph(text) => {
                roff.control("PP", []).text(inlines(text));
            }
            Block::Item(mark, text) => {
                let mark = if mark == "-" { r"\(bu" } else { &mark };
                roff.control("IP", [mark, "4"]).text(inlines(text));
            }
            Block::Code(lines) => unfilled(&mut roff, &lines),
            Block::Table(rows) => unfilled(&mut roff, &table(&rows, TABLE_WIDTH)),
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(others)]);
    roff.render()
}

/// Lines that stay as they are.
fn unfilled(roff: &mut Roff, lines: &str) {
    roff.control("PP", [])
        .control("RS", ["4"])
        .control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("RE", []);
}

fn inlines(text: Text) -> Vec<Inline> {
    let parts = text.into_iter().map(|(face, part)| match face {
        Face::Plain => roman(part),
        Face::Strong | Face::Code => bold(part),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_page() {
        let page = "# Short title\n\nSome `code` and\n**more**.\n\n## It's two words\n\n- one\n\n\
                    ```text\n.as it is\n```\n";
        let roff = roff("p2pci-x", "p2pci 1.0", page, "peer(1)");
        let expected = r#"
.TH p2pci-x 7 "p2pci 1.0"
.SH NAME
p2pci\-x \- Short title
.SH DESCRIPTION
.PP
Some \fBcode\fR and \fBmore\fR.
.SH
It\*(Aqs two words
.IP \(bu 4
one
.PP
.RS 4
.nf
\&.as it is
.fi
.RE
.SH "SEE ALSO"
peer(1)
"#;
        assert!(roff.ends_with(expected.trim_start()), "{roff}");
    }
}
