//! The report as `JUnit` XML: one test suite, one test case for each check.

use std::fmt::Write as _;

use super::{Judged, Report};

/// The whole document.
pub(super) fn junit(report: &Report) -> String {
    let count = |verdict| {
        let same = report.checks.iter().filter(|it| it.verdict == verdict);
        same.count()
    };
    let unjudged = count("skip");
    let (errors, skipped) = if report.is_error {
        (unjudged, 0)
    } else {
        (0, unjudged)
    };
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" skipped=\"{skipped}\">\n",
        escaped(&report.target),
        report.checks.len(),
        count("fail"),
    );
    for check in &report.checks {
        write_case(&mut xml, check, report.is_error);
    }
    if !report.notes.is_empty() {
        let notes = escaped(&report.notes.join("\n"));
        // Writing to memory does not fail.
        let _ = writeln!(xml, "  <system-out>{notes}</system-out>");
    }
    xml + "</testsuite>\n"
}

fn write_case(xml: &mut String, check: &Judged, is_error: bool) {
    let [group, name, message] = [check.group.name(), check.name, &check.message].map(escaped);
    // Writing to memory does not fail.
    let _ = write!(xml, "  <testcase classname=\"{group}\" name=\"{name}\"");
    let _ = match check.verdict {
        "fail" => writeln!(
            xml,
            ">\n    <failure message=\"{message}\">{}</failure>\n  </testcase>",
            escaped(&check.details())
        ),
        "skip" => {
            let kind = if is_error { "error" } else { "skipped" };
            writeln!(xml, ">\n    <{kind} message=\"{message}\"/>\n  </testcase>")
        }
        _ => writeln!(xml, "/>"),
    };
}

/// Text as XML content or as the value of an attribute. What XML can't contain is escaped as in Rust.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // In an attribute a bare line end would become a space.
            '\n' => xml.push_str("&#10;"),
            '\t' => xml.push_str("&#9;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.extend(c.escape_unicode()),
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn nothing_in_a_message_is_markup() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\r\0\u{ffff}é"),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;\\u{d}\\u{0}\\u{ffff}é"
        );
        let xml = junit(&report());
        let begin = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                     <testsuite name=\"vm:7734\" tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\">\n  \
                     <testcase classname=\"1 registration\" name=\"add-ok\"/>\n  \
                     <testcase classname=\"1 registration\" name=\"add-record\">\n    \
                     <skipped message=\"add-ok &lt;does&gt; not hold\"/>\n  </testcase>\n";
        assert!(xml.starts_with(begin), "{xml}");
        let mut failed = report();
        failed.is_error = true;
        let xml_of_error = junit(&failed);
        assert!(
            xml_of_error.contains("errors=\"1\" skipped=\"0\""),
            "{xml_of_error}"
        );
        assert!(xml_of_error.contains("<error message="), "{xml_of_error}");
        assert!(xml.contains("\\u{1b}]]&gt;&lt;&amp;&quot;"), "{xml}");
        assert!(xml.ends_with("</system-out>\n</testsuite>\n"), "{xml}");
    }
}
