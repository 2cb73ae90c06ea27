//! The result of grading one program, and the forms in which it is written.

mod gradescope;
mod junit;
mod rubric;
mod text;

pub use rubric::Rubric;
pub(super) use rubric::unknown;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::check::{Check, Finding, Group, Verdict};
use super::excerpt::Exchanged;
use super::file;
use crate::file_error::FileError;

/// Points of a check, or a sum of them.
pub type Points = f64;

/// What came of grading one program.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was graded.
    pub target: String,
    /// The points of the checks that hold, but for those that count apart.
    pub points: Points,
    /// The points of all these checks.
    pub max: Points,
    /// The points for robustness, which are counted apart.
    pub robust_points: Points,
    /// The points of all checks of robustness.
    pub robust_max: Points,
    /// The checks, in the order of their groups.
    pub checks: Vec<Judged>,
    /// Whether nothing could be graded. Then a skipped check is an error for a CI system.
    #[serde(skip)]
    pub is_error: bool,
    /// What else was noticed about the program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A check with its verdict.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// The name of the check.
    pub name: &'static str,
    /// The name of its group.
    #[serde(serialize_with = "group_name")]
    pub group: Group,
    /// `ok`, `fail`, or `skip`.
    pub verdict: &'static str,
    /// The points that it gets.
    pub points: Points,
    /// The points that it could get; none if it is not about this program.
    pub max: Points,
    /// What is wrong, or why it could not be judged; otherwise what holds.
    pub message: String,
    /// What the grader sent, as an excerpt.
    pub sent: String,
    /// What it expected.
    pub expected: String,
    /// What came.
    pub got: String,
    /// Whether its points count apart ([`Rubric::counts_apart`]).
    #[serde(skip)]
    pub is_apart: bool,
    /// Whether it is skipped because it is not about this program.
    #[serde(skip)]
    pub is_moot: bool,
    /// What holds if the check does.
    #[serde(skip)]
    pub sentence: &'static str,
    /// What did not hold.
    #[serde(skip)]
    pub finding: Option<Box<Finding>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn group_name<S: serde::Serializer>(group: &Group, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(group.name())
}

/// Where to write the report in the forms of other programs.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Report")]
pub struct Outputs {
    /// Print the report as JSON
    #[arg(long, value_parser = crate::program::flag)]
    pub json: bool,
    /// Also write it as `JUnit` XML, which CI systems show
    #[arg(
        long,
        value_name = "FILE",
        help = "Also write it as JUnit XML, which CI systems show"
    )]
    pub junit: Option<PathBuf>,
    /// Also write it as the results.json of a Gradescope autograder
    #[arg(long, value_name = "FILE")]
    pub gradescope: Option<PathBuf>,
}

impl Report {
    /// A report of these verdicts, with the points of the rubric.
    pub fn new(
        target: String,
        verdicts: Vec<(&'static Check, Verdict)>,
        rubric: &Rubric,
        notes: Vec<String>,
    ) -> Self {
        let judged = verdicts.into_iter().map(|(check, verdict)| Judged {
            is_apart: rubric.counts_apart(check),
            ..Judged::new(check, verdict, rubric.points(check))
        });
        let checks: Vec<_> = judged.collect();
        let sum = |is_apart, points: fn(&Judged) -> Points| {
            let is_it = |check: &&Judged| check.is_apart == is_apart;
            checks.iter().filter(is_it).map(points).sum()
        };
        Self {
            target,
            points: sum(false, |check| check.points),
            max: sum(false, |check| check.max),
            robust_points: sum(true, |check| check.points),
            robust_max: sum(true, |check| check.max),
            checks,
            is_error: false,
            notes,
        }
    }

    /// Whether all checks hold that are about this program. One that could not be judged does not.
    pub fn all_hold(&self) -> bool {
        let mut checks = self.checks.iter();
        checks.all(|check| check.verdict == "ok" || check.is_moot)
    }

    /// The names of the checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        let failed = self.checks.iter().filter(|check| check.verdict == "fail");
        failed.map(|check| check.name)
    }

    /// The report as a person reads it, or as JSON.
    pub fn print(&self, outputs: &Outputs) -> String {
        if outputs.json {
            // Strings and numbers always serialize.
            let json = serde_json::to_string(self).unwrap_or_default();
            crate::terminal::escape::escaped_json(&json) + "\n"
        } else {
            text::text(self)
        }
    }

    /// The report as `results.json` of Gradescope.
    pub fn gradescope(&self) -> String {
        gradescope::results(self)
    }

    /// Writes the files. Links in the `untrusted` folder may be those of the program.
    pub fn write(&self, outputs: &Outputs, untrusted: Option<&Path>) -> Result<(), FileError> {
        let files = [
            (&outputs.junit, junit::junit(self)),
            (&outputs.gradescope, self.gradescope()),
        ];
        for (path, text) in files {
            if let Some(path) = path {
                let file = file::create(path, untrusted);
                let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
                written.map_err(FileError::of("write", path))?;
            }
        }
        Ok(())
    }
}

impl Judged {
    fn new(check: &'static Check, verdict: Verdict, max: Points) -> Self {
        let mut judged = Self {
            name: check.name,
            group: check.group,
            verdict: "ok",
            points: 0.0,
            max,
            message: check.sentence.to_owned(),
            sent: String::new(),
            expected: String::new(),
            got: String::new(),
            is_apart: false,
            is_moot: false,
            sentence: check.sentence,
            finding: None,
        };
        match verdict {
            Verdict::Ok => judged.points = max,
            Verdict::Skip(reason) => (judged.verdict, judged.message) = ("skip", reason),
            Verdict::Moot(reason) => {
                (judged.verdict, judged.message) = ("skip", reason);
                (judged.is_moot, judged.max) = (true, 0.0);
            }
            Verdict::Fail(finding) => {
                judged.verdict = "fail";
                judged.message.clone_from(&finding.message);
                let Exchanged {
                    sent,
                    expected,
                    got,
                    ..
                } = finding.exchanged.clone().unwrap_or_default();
                (judged.sent, judged.expected, judged.got) = (sent, expected, got);
                judged.finding = Some(finding);
            }
        }
        judged
    }

    /// The details of a failure: what is wrong, the messages, and how it usually comes about.
    fn details(&self) -> String {
        let Some(finding) = &self.finding else {
            return String::new();
        };
        let mut lines = vec![finding.message.clone()];
        if let Some(exchanged) = &finding.exchanged {
            for (what, text) in [
                ("sent", &exchanged.sent),
                ("expected", &exchanged.expected),
                ("got", &exchanged.marked()),
            ] {
                if text.is_empty() {
                    // What was not sent, and what can't be known, need no line.
                    if what == "got" {
                        lines.push("got: nothing".to_owned());
                    }
                } else {
                    lines.push(format!("{what}:"));
                    lines.extend(text.lines().map(|line| format!("    {line}")));
                }
            }
        }
        lines.extend(finding.cause.map(|cause| format!("usual cause: {cause}")));
        lines.join("\n")
    }
}

/// A sum of points without superfluous digits.
pub(super) fn points(points: Points) -> String {
    let text = format!("{points:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::grade::check::Unmet;
    use crate::grade::checks::SERVER;

    /// A report with a verdict of each kind, about a hostile program.
    pub(super) fn report() -> Report {
        let exchanged = Exchanged::new(
            b"LIST ALL P2P-CI/1.0\r\n\r\n",
            b"P2P-CI/1.0 200 OK\r\n",
            b"P2P-CI/1.0 200 OK\n\x1b]]><&\"",
        );
        let finding = Finding {
            message: "it is not to the byte".to_owned(),
            cause: Some("a known one"),
            exchanged: Some(exchanged),
        };
        let verdicts = [
            Verdict::Ok,
            Verdict::Skip("add-ok <does> not hold".to_owned()),
            Verdict::Fail(Box::new(finding)),
        ];
        let mut verdicts: Vec<_> = SERVER.iter().zip(verdicts).collect();
        let Unmet::Failed(finding) = Unmet::failed("it is gone") else {
            unreachable!()
        };
        verdicts.push((&SERVER[26], Verdict::Fail(finding)));
        let notes = vec!["it printed 1000000 bytes".to_owned()];
        Report::new("vm:7734".to_owned(), verdicts, &Rubric::default(), notes)
    }

    #[test]
    fn json_has_the_agreed_fields() {
        let outputs = Outputs {
            json: true,
            ..Outputs::default()
        };
        let json: serde_json::Value = serde_json::from_str(&report().print(&outputs)).unwrap();
        assert_eq!(json["target"], "vm:7734");
        assert_eq!((&json["points"], &json["max"]), (&1.0.into(), &3.0.into()));
        let robust = (&json["robust_points"], &json["robust_max"]);
        assert_eq!(robust, (&0.0.into(), &1.0.into()));
        let expected = serde_json::json!({
            "name": "add-form", "group": "1 registration", "verdict": "fail", "points": 0.0,
            "max": 1.0, "message": "it is not to the byte",
            "sent": "LIST ALL P2P-CI/1.0\\r\\n\n\\r\\n",
            "expected": "P2P-CI/1.0 200 OK\\r\\n",
            "got": "P2P-CI/1.0 200 OK\\n\n\\u{1b}]]><&\"",
        });
        assert_eq!(json["checks"][2], expected);
    }

    #[test]
    fn points_have_no_superfluous_digits() {
        let shown = [0.0, 1.0, 2.5, 0.1 + 0.2, 100.0].map(points);
        assert_eq!(shown, ["0", "1", "2.5", "0.3", "100"]);
    }
}
