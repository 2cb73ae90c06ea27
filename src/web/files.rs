//! The files of the page, in the program.

use super::action::Shared;
use super::shown::{Page, Peer, Record};

struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal $kind:literal)*) => {
        /// Every file but the page itself.
        const FILES: &[File] = &[$(File {
            path: concat!("/", $name),
            kind: $kind,
            text: include_str!(concat!("page/", $name)),
        }),*];
    };
}

files!(
    "app.js" "text/javascript; charset=utf-8"
    "catalog.js" "text/javascript; charset=utf-8"
    "connection.js" "text/javascript; charset=utf-8"
    "counts.js" "text/javascript; charset=utf-8"
    "details.js" "text/javascript; charset=utf-8"
    "display.js" "text/javascript; charset=utf-8"
    "dom.js" "text/javascript; charset=utf-8"
    "layout.js" "text/javascript; charset=utf-8"
    "list.js" "text/javascript; charset=utf-8"
    "messages.js" "text/javascript; charset=utf-8"
    "pace.js" "text/javascript; charset=utf-8"
    "records.js" "text/javascript; charset=utf-8"
    "sharing.js" "text/javascript; charset=utf-8"
    "stage.js" "text/javascript; charset=utf-8"
    "style.css" "text/css; charset=utf-8"
);

/// The page, with `{{title}}` and `{{noscript}}` in place of what the program fills in.
const PAGE: &str = include_str!("page/index.html");
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The type and the text of the file at this path.
pub(super) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    let file = FILES.iter().find(|file| file.path == path)?;
    Some((file.kind, file.text))
}

/// The page with its title, and with `plain` for those who run no scripts.
pub(super) fn page(title: &str, plain: &str) -> String {
    // The parts around the placeholders come from the file alone: what a stranger has sent is not
    // searched for placeholders.
    let mut page = String::with_capacity(PAGE.len() + plain.len());
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        match name {
            "title" => escape(&mut page, title),
            "noscript" => page.push_str(plain),
            _ => {}
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Tables of what a peer shares, of peers, the number of which is known, and of records.
pub(super) fn tables(
    shared: Option<&[Shared]>,
    (peers, all): (&[Peer], usize),
    page: &Page,
) -> String {
    let mut out = String::new();
    let mut table = |caption: &str, names: &[&str], rows: Vec<Vec<String>>| {
        out.push_str("<table><caption>");
        escape(&mut out, caption);
        out.push_str("</caption><thead><tr>");
        for name in names {
            out.push_str("<th scope=\"col\">");
            escape(&mut out, name);
            out.push_str("</th>");
        }
        out.push_str("</tr></thead><tbody>\n");
        for row in rows {
            out.push_str("<tr>");
            for cell in row {
                out.push_str("<td>");
                escape(&mut out, &cell);
                out.push_str("</td>");
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table>\n");
    };
    if let Some(shared) = shared {
        let rows = shared.iter().map(Shared::cells).collect();
        table("Shared by this peer", &["RFC", "Title", "Bytes"], rows);
    }
    let caption = |what: &str, count: usize, has_more: bool| {
        if has_more {
            format!("The first {count} {what}")
        } else {
            what.to_owned()
        }
    };
    let some_peers = caption("Peers", peers.len(), all > peers.len());
    let rows = peers.iter().map(Peer::cells).collect();
    table(&some_peers, &["Peer", "Records", "Connected from"], rows);
    let some_records = caption("RFCs", page.records.len(), page.next.is_some());
    let rows = page.records.iter().map(Record::cells).collect();
    table(&some_records, &["RFC", "Title", "Host", "Port"], rows);
    out
}

/// Appends a text as it stands in HTML, in an element or a quoted attribute.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_sends_stays_text() {
        let mut out = String::new();
        escape(&mut out, "<script>alert(\"1\" & '2')</script>");
        let expected = "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;";
        assert_eq!(out, expected);
        let page = page("a {{noscript}} <b>", "{{title}}");
        assert!(page.contains("a {{noscript}} &lt;b&gt;") && page.contains("{{title}}"));
    }
}
