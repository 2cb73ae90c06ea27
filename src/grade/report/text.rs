//! The report as a person reads it.

use std::fmt::Write as _;

use super::{Judged, Report, points};
use crate::terminal::escape::escaped;

/// Writes the groups in order, one line for each check, and below a failure what came.
pub(super) fn text(report: &Report) -> String {
    let mut out = format!("Grading {}\n", escaped(report.target.as_bytes(), false));
    let mut group = None;
    for check in &report.checks {
        if group.replace(check.group) != Some(check.group) {
            out.extend(["\n", check.group.name(), "\n"]);
        }
        write_check(&mut out, check);
    }
    out += "\n";
    for note in &report.notes {
        push_lines(&mut out, "", note);
    }
    out + &sentence(report)
}

fn write_check(out: &mut String, check: &Judged) {
    let (verdict, says) = match check.verdict {
        "fail" => ("FAIL", check.sentence),
        "skip" => ("skip", check.message.as_str()),
        verdict => (verdict, check.sentence),
    };
    // Writing to memory does not fail.
    let costs_nothing = check.verdict == "fail" && check.max <= 0.0;
    let points = if costs_nothing { " (no points)" } else { "" };
    let _ = writeln!(out, "  {verdict:<4}  {:<17} {says}{points}", check.name);
    push_lines(out, "        ", &check.details());
}

fn push_lines(out: &mut String, indent: &str, text: &str) {
    for line in text.lines() {
        out.push_str(indent);
        out.push_str(line);
        out.push('\n');
    }
}

/// The points, and how many checks failed.
fn sentence(report: &Report) -> String {
    let mut parts = Vec::new();
    for (got, max, name) in [
        (report.points, report.max, "for the protocol"),
        (report.robust_points, report.robust_max, "for robustness"),
    ] {
        if max > 0.0 {
            parts.push(format!("{} of {} points {name}", points(got), points(max)));
        }
    }
    let failed: Vec<_> = report.failed().collect();
    let is_unjudged = |it: &&Judged| it.verdict == "skip" && !it.is_moot;
    let skipped = report.checks.iter().filter(is_unjudged);
    let skipped = match skipped.count() {
        0 => String::new(),
        count => format!(" {count} could not be judged."),
    };
    let sum = if parts.is_empty() {
        "no points".to_owned()
    } else {
        parts.join(", ")
    };
    match failed.as_slice() {
        [] if skipped.is_empty() => format!("{sum}. All checks hold.\n"),
        [] => format!("{sum}.{skipped}\n"),
        [one] => format!("{sum}. 1 check failed: {one}.{skipped}\n"),
        [first, ..] => format!(
            "{sum}. {} checks failed; begin with {first}.{skipped}\n",
            failed.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn a_failure_shows_what_was_sent_expected_and_got() {
        let expected = r#"Grading vm:7734

1 registration
  ok    add-ok            an ADD is answered with 200
  skip  add-record        add-ok <does> not hold
  FAIL  add-form          the answer to an ADD is exact to the byte
        it is not to the byte
        sent:
            LIST ALL P2P-CI/1.0\r\n
            \r\n
        expected:
            P2P-CI/1.0 200 OK\r\n
        got:
            P2P-CI/1.0 200 OK\n
                             ^ first difference
            \u{1b}]]><&"
        usual cause: a known one

robust
  FAIL  garbage           noise and an endless line on other connections disturb nobody
        it is gone

it printed 1000000 bytes
1 of 3 points for the protocol, 0 of 1 points for robustness. 2 checks failed; begin with add-form. 1 could not be judged.
"#;
        assert_eq!(text(&report()), expected);
    }
}
