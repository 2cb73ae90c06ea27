//! The table of all submissions, and which checks failed most.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::job::{Kind, Outcome};
use crate::grade::report::points;

/// How many checks the summary has.
const MOST: usize = 10;

/// The groups of one kind of program, in the order of the first report.
fn groups(outcomes: &[Outcome], kind: Kind) -> Vec<&str> {
    let mut groups = Vec::new();
    let graded = outcomes.iter().filter(|it| it.kind == kind);
    for test in graded.flat_map(|it| &it.tests) {
        let (group, _) = test.names();
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// The points of a group, and how many there could be.
fn of_group(outcome: &Outcome, group: &str) -> (f64, f64) {
    outcome.sum(|test| test.names().0 == group)
}

/// One line for each program of each submission: its points, and those of each group, with how many
/// there could be.
pub(super) fn csv(outcomes: &[Outcome]) -> Vec<u8> {
    let mut all = groups(outcomes, Kind::Server);
    for group in groups(outcomes, Kind::Peer) {
        if !all.contains(&group) {
            all.push(group);
        }
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let columns = ["submission", "program", "points", "max", "problem"];
    let head = columns.into_iter().map(str::to_owned);
    let head = head.chain(all.iter().flat_map(|group| {
        let max = format!("{group} max");
        [(*group).to_owned(), max]
    }));
    // Writing to memory does not fail.
    let _ = table.write_record(head);
    for outcome in outcomes {
        let (score, max) = outcome.points();
        let mut row = vec![
            harmless(&outcome.name),
            outcome.kind.name().to_owned(),
            points(score),
            points(max),
            harmless(outcome.problem.as_deref().unwrap_or_default()),
        ];
        row.extend(all.iter().flat_map(|group| {
            let (score, max) = of_group(outcome, group);
            // A group of the other kind of program has no points.
            let cells = (max > 0.0).then(|| [score, max].map(points));
            cells.unwrap_or_default()
        }));
        let _ = table.write_record(row);
    }
    table.into_inner().unwrap_or_default()
}

/// A field that no spreadsheet takes for a formula.
fn harmless(field: &str) -> String {
    let is_formula = field.starts_with(['=', '+', '-', '@']);
    format!("{}{field}", if is_formula { "'" } else { "" })
}

/// A table for servers and one for peers, and the checks that failed most.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for kind in [Kind::Server, Kind::Peer] {
        let graded: Vec<_> = outcomes.iter().filter(|it| it.kind == kind).collect();
        if graded.is_empty() {
            continue;
        }
        let groups = groups(outcomes, kind);
        let mut rows = vec![vec![kind.name().to_owned(), "points".to_owned()]];
        if let Some(head) = rows.first_mut() {
            head.extend(groups.iter().map(|it| (*it).to_owned()));
        }
        for outcome in graded {
            let mut row = vec![outcome.name.clone()];
            if let Some(problem) = &outcome.problem {
                row.push(problem.clone());
            } else {
                row.push(share(outcome.points()));
                row.extend(groups.iter().map(|group| share(of_group(outcome, group))));
            }
            rows.push(row);
        }
        write_rows(&mut text, &rows);
        text.push('\n');
    }
    text + &summary(outcomes)
}

fn share((score, max): (f64, f64)) -> String {
    format!("{}/{}", points(score), points(max))
}

fn write_rows(text: &mut String, rows: &[Vec<String>]) {
    // The last cell of a row has room to the right.
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1);
        let cells = cells.filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            // Writing to memory does not fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.extend([line.trim_end(), "\n"]);
    }
}

/// Which checks failed most.
fn summary(outcomes: &[Outcome]) -> String {
    // Of each check: how often it failed, and how often it was judged.
    let mut checks: BTreeMap<(Kind, &str), (usize, usize)> = BTreeMap::new();
    for outcome in outcomes {
        for test in outcome.tests.iter().filter(|test| test.is_judged()) {
            let (failed, judged) = checks.entry((outcome.kind, test.names().1)).or_default();
            *failed += usize::from(test.has_failed());
            *judged += 1;
        }
    }
    let mut failed: Vec<_> = checks.into_iter().filter(|(_, (it, _))| *it > 0).collect();
    let ungraded = outcomes.iter().filter(|it| it.problem.is_some()).count();
    let mut text = match ungraded {
        0 => String::new(),
        count => format!("{count} could not be graded.\n"),
    };
    if failed.is_empty() {
        return text
            + match (ungraded, outcomes.len()) {
                (0, _) => "No check failed.\n",
                (ungraded, all) if ungraded < all => "No check of the others failed.\n",
                _ => "",
            };
    }
    failed.sort_by_key(|(name, (count, _))| (std::cmp::Reverse(*count), *name));
    text.push_str("Failed most often:\n");
    for ((kind, check), (count, judged)) in failed.iter().take(MOST) {
        let kind = kind.name();
        // Writing to memory does not fail.
        let _ = writeln!(text, "  {kind:<6}  {check:<17} {count} of {judged} judged");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_judged_is_not_counted() {
        let outcome = |score, output, problem: Option<&str>| {
            let test = json!({
                "name": "2 list: list-all", "score": score, "max_score": 1, "output": output,
            });
            Outcome {
                name: "alice".to_owned(),
                kind: Kind::Server,
                tests: vec![serde_json::from_value(test).unwrap()],
                problem: problem.map(str::to_owned),
                files: Default::default(),
            }
        };
        let outcomes = [
            outcome(0, "wrong", None),
            outcome(1, "", None),
            outcome(0, "wrong", None),
            outcome(0, "not judged: it hangs", Some("it hangs")),
        ];
        let said = "1 could not be graded.\nFailed most often:\n  server  list-all          2 of 3 judged\n";
        assert_eq!(summary(&outcomes), said);
    }

    #[test]
    fn no_field_is_a_formula() {
        assert_eq!(["a", "=1+1"].map(harmless), ["a", "'=1+1"]);
    }
}
