//! The report as `results.json`, which Gradescope reads.

use serde_json::{Map, json};

use super::{Judged, Report};

/// The whole document.
pub(super) fn results(report: &Report) -> String {
    let test = |check: &Judged| {
        let output = match check.verdict {
            "fail" => check.details(),
            "skip" => format!("not judged: {}", check.message),
            _ => check.message.clone(),
        };
        let mut test = Map::new();
        let mut put = |name: &str, value| test.insert(name.to_owned(), value);
        put(
            "name",
            format!("{}: {}", check.group.name(), check.name).into(),
        );
        put("output", output.into());
        if check.is_apart {
            // Gradescope would add a score to the sum.
            put(
                "extra_data",
                json!({ "points": check.points, "max": check.max }),
            );
            match check.verdict {
                "ok" => put("status", "passed".into()),
                "fail" => put("status", "failed".into()),
                _ => None,
            };
        } else {
            put("score", check.points.into());
            put("max_score", check.max.into());
        }
        test
    };
    let tests: Vec<_> = report.checks.iter().map(test).collect();
    let results = json!({
        // It must be given if a test has no score.
        "score": report.points,
        "output": report.notes.join("\n"),
        "tests": tests,
    });
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
        assert_eq!(results["score"], 1.0);
        assert_eq!(tests[3]["name"], "robust: garbage");
        assert_eq!(tests[3]["status"], "failed");
        let apart = json!({ "points": 0.0, "max": 1.0 });
        assert_eq!(
            (&tests[3]["extra_data"], tests[3].get("score")),
            (&apart, None)
        );
        let output = tests[2]["output"].as_str().unwrap();
        assert!(
            output.contains("got:\n    P2P-CI/1.0 200 OK\\n\n"),
            "{output}"
        );
    }
}
