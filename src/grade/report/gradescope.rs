//! The report as `results.json`, which Gradescope reads.

use serde_json::json;

use super::{Judged, Report};

/// The whole document.
pub(super) fn results(report: &Report) -> String {
    let test = |check: &Judged| {
        let output = match check.verdict {
            "fail" => check.details(),
            "skip" => format!("not judged: {}", check.message),
            _ => check.message.clone(),
        };
        json!({
            "name": format!("{}: {}", check.group.name(), check.name),
            "score": check.points,
            "max_score": check.max,
            "output": output,
        })
    };
    let tests: Vec<_> = report.checks.iter().map(test).collect();
    let results = json!({ "output": report.notes.join("\n"), "tests": tests });
    format!("{results:#}\n")
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn every_check_is_a_test_with_its_score() {
        let results: serde_json::Value = serde_json::from_str(&results(&report())).unwrap();
        let tests = results["tests"].as_array().unwrap();
        assert_eq!(tests.len(), 4);
        assert_eq!(
            tests[0],
            json!({
                "name": "1 registration: add-ok", "score": 1.0, "max_score": 1.0,
                "output": "an ADD is answered with 200",
            })
        );
        let output = tests[2]["output"].as_str().unwrap();
        assert!(
            output.contains("got:\n    P2P-CI/1.0 200 OK\\n\n"),
            "{output}"
        );
    }
}
